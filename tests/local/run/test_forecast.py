"""What a run would do, said without running anything."""

from __future__ import annotations

import pytest

from azml_tasks.errors import RunError
from azml_tasks.local.run.runner import forecast
from azml_tasks.reading import load_project
from tests.local.conftest import PASS_ALONG

NEW = "no earlier result"
SCRIPT = """
import sys
if "--output-folder" in sys.argv:
    open(sys.argv[sys.argv.index("--output-folder") + 1] + "/text", "w").write(sys.argv[0])
"""


def told(project) -> list[tuple[str, str, str]]:
    """Return what a run would do with each step: its key, the verdict and the reason."""
    return [(step.key, step.verdict, str(step.reason)) for step in project.forecast()]


@pytest.fixture
def ahead(project):
    """A line of three steps and a function that says what a run would do with them."""
    project.write({"data.csv": "a\n10\n"})
    project.pipeline(
        """
        datasets: {customers: {local_path: data.csv}}
        steps:
          one: {script_name: one.py, input_datasets: {--data: customers}}
          two: {script_name: two.py}
          three: {script_name: three.py}
        """,
        one=PASS_ALONG,
        two=PASS_ALONG,
        three=PASS_ALONG,
    )

    def say(**options) -> list[tuple[str, str, str]]:
        plan = load_project(project.folder / "pipeline.yaml", variables={}).plan
        before = sorted(path.name for path in (project.folder / ".azml").glob("*"))
        found = [*forecast(plan, project.folder, **options).steps]
        assert sorted(path.name for path in (project.folder / ".azml").glob("*")) == before
        return [(step.key, step.verdict, str(step.reason)) for step in found]

    return project, say


def test_before_the_first_run(ahead):
    _, say = ahead

    assert say() == [
        ("one", "runs", NEW),
        ("two", "runs", NEW),
        ("three", "runs", NEW),
    ]


def test_after_a_run_and_after_an_edit(ahead):
    project, say = ahead
    run = project.run()
    reused = f"reused from {run.id}"

    assert say() == [(key, "reused", reused) for key in ("one", "two", "three")]

    project.write({"two.py": PASS_ALONG + "# changed"})
    assert say() == [
        ("one", "reused", reused),
        ("two", "runs", "two.py changed"),
        ("three", "may run", "it depends on two"),
    ]
    assert say(force=True) == [(key, "runs", "--force was given") for key in ("one", "two", "three")]
    assert say(only="three") == [
        ("two", "reused", f"result of {run.id}; since then two.py changed"),
        ("three", "runs", "--only was given"),
    ]


def test_data_that_are_not_there(ahead):
    project, say = ahead
    (project.folder / "data.csv").unlink()

    assert say() == [
        ("one", "fails", "dataset 'customers' not found: data.csv"),
        ("two", "skipped", "it depends on one"),
        ("three", "skipped", "it depends on two"),
    ]


def test_from_a_step_on(ahead):
    project, say = ahead
    run = project.run()

    assert say(from_step="two") == [
        ("one", "reused", f"not selected; its result of {run.id} is used"),
        ("two", "runs", "--from-step was given"),
        ("three", "runs", "--from-step was given"),
    ]


def test_other_values_of_parameters(ahead):
    project, say = ahead
    project.pipeline(
        """
        pipeline_parameters: {alpha: 0.5}
        steps: {one: {script_name: one.py, arguments: {--alpha: "${{ parameters.alpha }}"}}}
        """
    )
    run = project.run(parameters={"alpha": 0.7})

    assert say(parameters={"alpha": 0.7}) == [("one", "reused", f"reused from {run.id}")]
    assert say() == [("one", "runs", "alpha 0.7 -> 0.5")]


def test_steps_that_always_run_or_may_be_reused(ahead):
    project, say = ahead
    project.pipeline(
        """
        steps:
          one: {script_name: one.py}
          two: {script_name: two.py, allow_reuse: false}
          three: {script_name: three.py, allow_reuse: true, input_folders: {--input-folder: one}}
        """
    )

    assert say() == [
        ("one", "runs", NEW),
        ("two", "runs", "allow_reuse is false"),
        ("three", "runs", NEW),
    ]


def test_with_a_virtual_environment_of_which_nothing_is_known(ahead):
    project, say = ahead
    project.pipeline("environments: {e: {}}\nenv_name: e\nsteps: {one: {script_name: one.py}}")
    project.write({".azml/envs/other/file": ""})

    assert say() == [("one", "runs", NEW)]


def test_what_cannot_be_read_is_reported(ahead):
    project, say = ahead
    (project.folder / ".azml/hashes.json").mkdir(parents=True)

    with pytest.raises(RunError, match=r"^cannot predict the run: .*hashes\.json$"):
        say()


def test_a_step_after_one_that_runs_is_told_its_own_changes_too(project):
    text = """
        steps:
          one: {script_name: one.py, step_config: {n: 1}}
          two: {script_name: two.py, step_config: {lr: LR}}
        """
    project.pipeline(text.replace("LR", "0.1"), one=SCRIPT, two=SCRIPT)
    project.run()
    project.pipeline(text.replace("LR", "0.2").replace("n: 1", "n: 2"))

    assert told(project) == [("one", "runs", "n 1 -> 2"), ("two", "runs", "lr 0.1 -> 0.2")]


def test_a_step_after_one_that_runs_may_be_reused_and_what_it_read_is_named(project):
    project.write({"more.txt": "1"})
    more = str(project.folder / "more.txt")
    project.line(one=SCRIPT, two=SCRIPT + f"open({more!r}).read()\n")
    project.run()
    project.write({"one.py": SCRIPT + "# edited", "more.txt": "2"})

    # Step one may write it back.
    assert project.forecast()[1].verdict == "may run"
    assert [str(one) for one in project.forecast()[1].reason.differences] == ["more.txt changed"]


def test_a_step_after_one_that_runs_surely_runs_when_its_own_variable_changed(project, monkeypatch):
    project.line(one=SCRIPT, two=SCRIPT + "import os\nos.environ.get('THRESHOLD')\n")
    project.run()
    project.write({"one.py": SCRIPT + "# edited"})
    monkeypatch.setenv("THRESHOLD", "5")

    assert [one[1:] for one in told(project)] == [("runs", "one.py changed"), ("runs", "variable THRESHOLD changed")]

    # The result of before is still there, so that it may be reused again.
    project.run()
    project.write({"one.py": SCRIPT + "# edited again"})
    monkeypatch.delenv("THRESHOLD")
    assert told(project)[1][1] == "may run"


def test_a_step_after_one_that_may_write_the_secret_that_it_read_may_be_reused(project):
    writes = f"open({str(project.folder / '.env')!r}, 'w').write('CODE_A=one\\n')\n"
    reads = "from azureml.core import Run\nRun.get_context().get_secret('CODE_A')\n"
    project.pipeline(
        "steps: {one: {script_name: one.py}, two: {script_name: two.py, run_after: [one]}}", one=writes, two=reads
    )
    project.run()
    project.write({"one.py": writes + "# edited", ".env": "CODE_A=two\n"})

    assert told(project)[1] == ("two", "may run", "it depends on one")
    assert [str(one) for one in project.forecast()[1].reason.differences] == ["secret CODE_A changed"]
    assert project.statuses(project.run()) == {"one": "completed", "two": "reused"}


def test_a_step_that_reads_the_name_of_its_experiment_is_reused(project):
    project.line(one="from azureml.core import Run\nprint(Run.get_context().experiment.name)\n")
    project.run()

    assert [one.verdict for one in project.forecast()] == ["reused"]
    assert [str(one.reason) for one in project.forecast(experiment="other")] == ["the experiment changed"]


def test_everything_that_changed_is_named_and_no_secret(project, monkeypatch):
    text = """
        datasets: {customers: {local_path: data.csv}}
        environments: {e: {pip_packages: [pandas], environment_variables: {MODE: fast}}}
        env_name: e
        steps:
          one: {script_name: one.py, step_config: {lr: 0.1, password: hush-1}, input_datasets: {customers: customers}}
        """
    project.write({"data.csv": "a\n1\n", "common.py": "X = 1\n", "beside.txt": "1"})
    beside = str(project.folder / "beside.txt")
    script = "import common, os, sys\nopen(" + repr(beside) + ").read()\nos.environ.get('THRESHOLD')\n"
    project.pipeline(text, one=script)
    project.run()
    changed = text.replace("lr: 0.1", "lr: 0.2").replace("hush-1", "hush-2").replace("[pandas]", "[pandas==2, numpy]")
    project.pipeline(changed.replace("MODE: fast", "MODE: slow"))
    project.write({"data.csv": "a\n2\n", "common.py": "X = 2\n", "beside.txt": "2"})
    monkeypatch.setenv("THRESHOLD", "5")

    (found,) = project.forecast()

    assert [str(one) for one in found.reason.differences] == [
        "common.py changed",
        "lr 0.1 -> 0.2",
        "password changed",
        "data of dataset customers (data.csv) changed",
        "pip package pandas any version -> ==2",
        "pip package numpy added",
        "variable MODE fast -> slow",
        "beside.txt changed",
        "variable THRESHOLD changed",
    ]
    assert "hush" not in str([one.to_json() for one in found.reason.differences])

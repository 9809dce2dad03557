"""What a run would do, said without running anything."""

from __future__ import annotations

import pytest

from azml_tasks.errors import RunError
from azml_tasks.local.forecast import Forecast, forecast
from azml_tasks.reading import load_project
from tests.local.conftest import PASS_ALONG

NEW = "it has no finished result yet"


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

    def say(**options) -> list[Forecast]:
        plan = load_project(project.folder / "pipeline.yaml", variables={}).plan
        before = sorted(path.name for path in (project.folder / ".azml").glob("*"))
        found = forecast(plan, project.folder, **options)
        assert sorted(path.name for path in (project.folder / ".azml").glob("*")) == before
        return found

    return project, say


def test_before_the_first_run(ahead):
    _, say = ahead

    assert say() == [
        Forecast("one", "runs", NEW),
        Forecast("two", "may run", "it follows one"),
        Forecast("three", "may run", "it follows two"),
    ]


def test_after_a_run_and_after_an_edit(ahead):
    project, say = ahead
    run = project.run()
    reused = f"reused from {run.id}"

    assert say() == [Forecast(key, "reused", reused) for key in ("one", "two", "three")]

    project.write({"two.py": PASS_ALONG + "# changed"})
    assert say() == [
        Forecast("one", "reused", reused),
        Forecast("two", "runs", "its script changed (two.py)"),
        Forecast("three", "may run", "it follows two"),
    ]
    assert say(force=True) == [Forecast(key, "runs", "it was asked for") for key in ("one", "two", "three")]
    assert say(only="three") == [
        Forecast("two", "reused", f"result of {run.id}; since then its script changed (two.py)"),
        Forecast("three", "runs", "it was asked for"),
    ]


def test_data_that_are_not_there(ahead):
    project, say = ahead
    (project.folder / "data.csv").unlink()

    assert say()[0] == Forecast("one", "fails", "the data of dataset 'customers' are not there: data.csv")


def test_from_a_step_on(ahead):
    project, say = ahead
    run = project.run()

    assert say(from_step="two") == [
        Forecast("one", "reused", f"not asked for; its result of {run.id} is taken"),
        Forecast("two", "runs", "it was asked for"),
        Forecast("three", "runs", "it was asked for"),
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

    assert say(parameters={"alpha": 0.7}) == [Forecast("one", "reused", f"reused from {run.id}")]
    assert say() == [Forecast("one", "runs", "its argument --alpha changed")]


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
        Forecast("one", "runs", NEW),
        Forecast("two", "runs", "allow_reuse is false"),
        Forecast("three", "may run", "it follows one"),
    ]


def test_with_a_virtual_environment_of_which_nothing_is_known(ahead):
    project, say = ahead
    project.pipeline("environments: {e: {}}\nenv_name: e\nsteps: {one: {script_name: one.py}}")
    project.write({".azml/envs/other/file": ""})

    assert say() == [Forecast("one", "runs", NEW)]


def test_what_cannot_be_read_is_said(ahead):
    project, say = ahead
    (project.folder / ".azml/hashes.json").mkdir(parents=True)

    with pytest.raises(RunError, match=r"^what a run would do cannot be said: .*hashes\.json$"):
        say()

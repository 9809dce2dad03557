"""A step is reused when nothing that it depends on has changed, by content; else the run says why not."""

from __future__ import annotations

import os
import re
import shutil
import time

import pytest

from azml_tasks.errors import RunError, UsageError
from azml_tasks.local.prune import prune
from azml_tasks.local.reuse.answers import Answers
from azml_tasks.local.reuse.decide import NewResult
from azml_tasks.local.run.runner import forecast
from azml_tasks.local.run.step_run import StepRun
from azml_tasks.local.store import contents
from azml_tasks.local.store.contents import RecentAnswers
from azml_tasks.reading import load_project
from azml_tasks.runs.records import StepStarted
from tests.local.conftest import BEGINNING, PASS_ALONG, Project

NEW = "no earlier result"


@pytest.fixture
def three(project: Project) -> Project:
    """A line of three steps, of which the second imports a module, on a dataset; run once."""
    project.write({"data.csv": "a,b\n10,x\n", "common.py": "x = 1\n"})
    project.pipeline(
        """
        datasets: {customers: {local_path: data.csv}}
        env_name: e
        environments: {e: {pip_packages: [pandas]}}
        steps:
          one: {script_name: one.py, input_datasets: {--data: customers}}
          two: {script_name: two.py, step_config: {lr: 1, batch: 2}}
          three: {script_name: three.py}
        """,
        one=PASS_ALONG,
        two="import common\n" + PASS_ALONG,
        three=PASS_ALONG,
    )
    project.first = project.run()
    return project


def edit(project: Project, name: str, old: str, new: str) -> None:
    path = project.folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_first_run_reports_that_there_is_nothing_to_reuse(three):
    assert three.reasons(three.first) == {"one": NEW, "two": NEW, "three": NEW}


def test_nothing_changed_means_nothing_runs_and_the_results_are_those_of_the_earlier_run(three):
    run = three.run()

    reused = f"reused from {three.first.id}"
    assert three.statuses(run) == dict.fromkeys(("one", "two", "three"), "reused")
    assert three.reasons(run) == dict.fromkeys(("one", "two", "three"), reused)
    assert [step.places for step in run.steps] == [step.places for step in three.first.steps]
    assert [step.outputs for step in run.steps] == [step.outputs for step in three.first.steps]
    assert not any(isinstance(event, StepStarted) for event in three.events)


def test_a_result_that_was_reused_is_reused_again_from_the_run_that_made_it(three):
    three.run()

    assert three.reasons(three.run())["two"] == f"reused from {three.first.id}"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "old", "new", "step", "reason"),
    [
        ("one.py", "way = ", "way  = ", "one", "one.py changed"),
        ("common.py", "1", "2", "two", "common.py changed"),
        ("data.csv", "10", "20", "one", "data of dataset customers (data.csv) changed"),
        ("pipeline.yaml", "lr: 1", "lr: 2", "two", "lr 1 -> 2"),
        ("pipeline.yaml", "{lr: 1, ", "{", "two", "lr removed (was 1)"),
        ("pipeline.yaml", "three.py}", "three.py, arguments: {--a: 1}}", "three", "--a added (1)"),
        ("pipeline.yaml", "[pandas]", "[pandas, numpy]", "one", "pip package numpy added"),
        (
            "pipeline.yaml",
            "three.py}",
            "three.py, environment_variables: {A: b}}",
            "three",
            "variable A added (b)",
        ),
        ("pipeline.yaml", "data.csv}", "data.csv, separator: ';'}", "one", "dataset customers: separator added (;)"),
        (
            "pipeline.yaml",
            "script_name: two.py",
            "script_name: three.py",
            "two",
            "script two.py -> three.py, common.py removed",
        ),
    ],
)
def test_a_change_runs_the_step_that_it_concerns_and_reports_it(three, name, old, new, step, reason):
    edit(three, name, old, new)

    run = three.run()

    assert (run[step].status, run[step].reason) == ("completed", reason)


def test_steps_before_the_changed_one_are_reused_and_those_after_it_only_when_they_read_the_same(three):
    edit(three, "two.py", "import common\n", "import common  # same output\n")
    assert three.statuses(three.run()) == {"one": "reused", "two": "completed", "three": "reused"}

    edit(three, "two.py", "way + ", "way + 'more ' + ")
    run = three.run()
    assert three.statuses(run) == {"one": "reused", "two": "completed", "three": "completed"}
    assert run["three"].reason == "output of two changed"
    assert three.log(run, "three") == "read: one more two \n"


def test_the_content_decides_and_not_the_time_stamps(three):
    data = three.folder / "data.csv"
    before = data.stat()
    for name in ("data.csv", "one.py", "common.py"):
        os.utime(three.folder / name)
    assert set(three.statuses(three.run()).values()) == {"reused"}

    data.write_text("a,b\n20,x\n")
    os.utime(data, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (data.stat().st_size, data.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert three.run()["one"].reason == "data of dataset customers (data.csv) changed"


def test_changing_back_finds_the_older_result_again(three):
    edit(three, "common.py", "1", "2")
    second = three.run()
    edit(three, "common.py", "2", "1")

    assert three.reasons(three.run())["two"] == f"reused from {three.first.id}"

    edit(three, "common.py", "1", "2")
    assert three.reasons(three.run())["two"] == f"reused from {second.id}"


def test_a_file_that_no_step_imports_changes_nothing(three):
    three.write({"unrelated.py": "x = 2", "notes.md": ""})

    assert set(three.statuses(three.run()).values()) == {"reused"}


CHANGED = "its earlier output 'one_output_folder' was changed"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "way.txt").write_text("other"), CHANGED),
        (lambda folder: (folder / "more").write_text(""), CHANGED),
        (lambda folder: (folder / "way.txt").unlink(), CHANGED),
        (shutil.rmtree, "its earlier output 'one_output_folder' was deleted"),
        (lambda folder: shutil.rmtree(folder.parent.parent), "its earlier result was deleted"),
    ],
)
def test_an_earlier_output_that_is_not_as_the_step_left_it_is_never_reused(three, damage, reason):
    damage(three.first["one"].places.output("one_output_folder"))

    run = three.run()

    assert (run["one"].status, run["one"].reason) == ("completed", reason)
    assert (run["one"].places.output("one_output_folder") / "way.txt").read_text() == "one "


def test_files_of_the_run_that_were_changed_are_not_reused_either(project):
    project.line(a="open('outputs/model', 'w').write('1')")
    first = project.run()
    (first["a"].places.artifacts / "outputs/model").write_text("2")

    assert project.reasons(project.run()) == {"a": "the files of its earlier run were changed"}


def test_reuse_can_be_switched_off_for_a_step(three):
    edit(three, "pipeline.yaml", "one.py,", "one.py, allow_reuse: false,")

    run = three.run()

    assert three.statuses(run) == {"one": "completed", "two": "reused", "three": "reused"}
    assert run["one"].reason == "allow_reuse is false"


def test_force_runs_everything(three):
    run = three.run(force=True)

    assert three.reasons(run) == dict.fromkeys(("one", "two", "three"), "--force was given")
    assert set(three.statuses(run).values()) == {"completed"}


def test_a_failed_step_is_not_reused_and_the_next_run_goes_on_from_it(project):
    project.line(one=PASS_ALONG, two="raise SystemExit(3)", three=PASS_ALONG)
    assert project.statuses(project.run()) == {"one": "completed", "two": "failed", "three": "skipped"}

    project.write({"two.py": PASS_ALONG})
    run = project.run()

    assert project.statuses(run) == {"one": "reused", "two": "completed", "three": "completed"}
    assert project.log(run, "three") == "read: one two \n"


def test_a_step_that_runs_after_another_and_reads_nothing_of_it_is_reused_when_that_one_runs_again(project):
    project.pipeline(
        """
        steps:
          load: {script_name: load.py, output_folders: []}
          report: {script_name: report.py, input_folders: {}, run_after: [load]}
        """,
        load="",
        report="",
    )
    project.run()
    assert set(project.statuses(project.run()).values()) == {"reused"}

    project.write({"load.py": "# new"})
    run = project.run()

    assert project.statuses(run) == {"load": "completed", "report": "reused"}


def test_a_dataset_that_a_script_finds_by_name_and_changes_itself_counts_as_it_was_left(project):
    project.write({"data.csv": "a\n10\n"})
    project.pipeline(
        NAMED.format(),
        a=f"""
            from azureml.core import Dataset, Model, Run
            Dataset.get_by_name(Run.get_context().experiment.workspace, "customers")
            open({str(project.folder / "data.csv")!r}, "a").write("20\\n")
        """,
    )

    assert [project.run()["a"].status for _ in range(2)] == ["completed", "reused"]  # It left what it read itself.


def test_a_script_that_registers_what_it_may_also_look_up_is_reused_all_the_same(project):
    project.line(
        a="""
            from azureml.core import Model, Run
            open("model.bin", "w").write("1")
            Run.get_context().upload_file("model.bin", "model.bin")
            Run.get_context().register_model("m", "model.bin")
        """
    )

    assert [project.run()["a"].status for _ in range(2)] == ["completed", "reused"]


NAMED = """
    datasets: {{customers: {{local_path: data.csv}}, others: {{local_path: "more/*.csv"}}}}
    steps: {{a: {{script_name: a.py}}}}
"""


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("script", "touched", "reason"),
    [
        ("Dataset.get_by_name(ws, 'customers').to_pandas_dataframe()", "data.csv", "data.csv changed"),
        ("ws.datasets['others'].to_pandas_dataframe()", "more/1.csv", "more/1.csv changed"),
        ("Dataset.get_by_name(ws, 'customers')", ".azml/datasets/customers/2.json", "the registered datasets changed"),
        ("Model.list(ws)", ".azml/models/m/1/model.json", "the registered models changed"),
        (
            "Datastore.get_default(ws).download('.')",
            ".azml/datastores/workspaceblobstore/x.csv",
            "the files in .azml/datastores/workspaceblobstore changed",
        ),
    ],
)
def test_what_a_script_looks_up_in_the_workspace_counts_as_its_input(project, script, touched, reason):
    project.write({"data.csv": "a\n10\n", "more/1.csv": "a\n10\n", ".azml/datastores/workspaceblobstore/y.csv": ""})
    names = [name for name in ("Dataset", "Datastore", "Model") if f"{name}." in script]
    imports = f"from azureml.core import {', '.join(['Run', *names])}\nws = Run.get_context().experiment.workspace\n"
    project.pipeline(NAMED.format(), a=imports + script)
    assert project.run().status == "completed"
    assert project.statuses(project.run()) == {"a": "reused"}

    described = (
        '{"id": "1", "name": "customers", "description": null, "tags": {}, "definition": {"kind": "file", "paths": []}'
    )
    described += ', "created_time": "2026-01-01T00:00:00+00:00", "file": "x"}'
    project.write({touched: "a\n20\n" if touched.endswith("csv") else described})

    assert project.run()["a"].reason == reason


@pytest.mark.parametrize(
    ("script", "touched"),
    [
        ("Dataset.get_by_name(ws, 'customers')", "data.csv"),
        ("Dataset.get_by_name(ws, 'customers')", ".azml/datasets/made/1.json"),
        ("Model(ws, 'mine')", ".azml/models/other/1/model.json"),
    ],
)
def test_what_a_script_did_not_read_of_the_workspace_does_not_count(project, script, touched):
    described = '{"created_time": "2026-01-01T00:00:00+00:00", "file": "x"}'
    project.write({"data.csv": "a\n10\n", ".azml/models/mine/1/model.json": described})
    imports = "from azureml.core import Dataset, Model, Run\nws = Run.get_context().experiment.workspace\n"
    project.pipeline(NAMED.format(), a=imports + script)
    assert project.run().status == "completed"

    project.write({touched: described})

    assert project.statuses(project.run()) == {"a": "reused"}


LOOKS_UP = "import os\nfrom azureml.core import Dataset, Run\nrun = Run.get_context()\nws = run.experiment.workspace\n"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("script", "old", "new", "reason"),
    [
        ("ws.datasets['customers']", "data.csv", "other.csv", "dataset customers changed"),
        (
            "Dataset.get_by_name(ws, 'customers')",
            "data.csv",
            "data.csv, set_column_types: {a: string}",
            "dataset customers changed",
        ),
        ("list(ws.datasets)", '*.csv"}', '*.csv"}, new: {local_path: more}', "the list of datasets changed"),
        ("ws.datastores['lake'].container_name", "raw", "cooked", "datastore lake changed"),
    ],
)
def test_what_the_file_declares_of_what_a_script_looks_up_counts(project, script, old, new, reason):
    project.write({"data.csv": "a\n10\n", "other.csv": "a\n20\n", "more/1.csv": "a\n10\n"})
    datastores = "    datastores: {lake: {container_name: raw, account_name: churnstore}}\n"
    project.pipeline(NAMED.format() + datastores, a=LOOKS_UP + script)
    assert project.run().status == "completed"
    assert project.statuses(project.run()) == {"a": "reused"}

    edit(project, "pipeline.yaml", old, new)

    assert project.reasons(project.run()) == {"a": reason}


def test_a_variable_that_a_script_requests_counts_and_others_do_not(project, monkeypatch):
    project.line(a="import os\nprint(os.environ.get('THRESHOLD', '0.5'))")
    project.run()

    monkeypatch.setenv("OTHER", "1")
    again = project.run()
    monkeypatch.setenv("THRESHOLD", "0.9")
    changed = project.run()

    assert project.statuses(again) == {"a": "reused"}
    assert project.reasons(changed) == {"a": "variable THRESHOLD changed"}
    assert project.log(changed, "a") == "0.9\n"
    assert [
        str(step.reason) for step in forecast(load_project(project.folder / "pipeline.yaml").plan, project.folder).steps
    ] == [f"reused from {changed.id}"]


def test_a_step_that_requests_the_runs_of_others_runs_again_when_they_did(project):
    judge = LOOKS_UP + "print([child.get_metrics() for child in run.parent.get_children()])\n"
    project.pipeline(
        "steps: {train: {script_name: train.py, step_config: {lr: 1}}, judge: {script_name: judge.py}}\n",
        train=BEGINNING + "run.log('lr', args.config['lr'])\n",
        judge=judge,
    )
    project.run()
    assert project.statuses(project.run()) == {"train": "reused", "judge": "reused"}

    edit(project, "pipeline.yaml", "lr: 1", "lr: 2")

    assert project.reasons(project.run())["judge"] == "what step 'train' recorded changed"


REGISTERS = BEGINNING + "from azureml.core import Model\nopen('m', 'w').close()\n"


@pytest.mark.parametrize(
    "register",
    ["Model.register(run.experiment.workspace, 'm', NAME)", "run.upload_file('m', 'm'); run.register_model(NAME, 'm')"],
)
def test_a_model_that_was_removed_is_registered_again_when_its_step_is_reused(project, register):
    project.line(**{name: REGISTERS + register.replace("NAME", repr(name)) for name in ("first", "second")})
    assert project.run().status == "completed"
    assert project.statuses(project.run()) == {"first": "reused", "second": "reused"}

    shutil.rmtree(project.folder / ".azml/models/second")

    assert project.statuses(project.run()) == {"first": "reused", "second": "reused"}
    assert [path.name for path in (project.folder / ".azml/models/second").iterdir()] == ["1"]


def test_a_dataset_that_was_removed_is_registered_again_when_its_step_is_reused(project):
    made = "Dataset.File.from_files((ws.get_default_datastore(), 'x'), validate=False)"
    project.line(a=LOOKS_UP + f"{made}.register(ws, 'made', create_new_version=True)\n")
    assert project.run().status == "completed"
    assert project.statuses(project.run()) == {"a": "reused"}

    shutil.rmtree(project.folder / ".azml/datasets")

    assert project.statuses(project.run()) == {"a": "reused"}
    assert (project.folder / ".azml/datasets/made/1.json").exists()


def test_the_name_of_a_file_counts_where_a_script_sees_it(project):
    project.write({"2023.csv": "a\n", "2024.csv": "a\n"})
    project.pipeline(
        """
        datasets: {table: {local_path: 2023.csv}, file: {local_path: 2023.csv, type: file}}
        steps:
          a: {script_name: a.py, input_datasets: {--data: table}, output_folders: []}
          b: {script_name: a.py, input_datasets: {--data: file}, input_folders: {}}
        """,
        a="",
    )
    project.run()

    edit(project, "pipeline.yaml", "2023.csv", "2024.csv")

    run = project.run()
    assert project.statuses(run) == {"a": "reused", "b": "completed"}
    assert run["b"].reason == "dataset file: path 2023.csv -> 2024.csv"


def test_a_script_that_looks_nothing_up_does_not_mind_the_workspace(project):
    project.write({"data.csv": "a\n10\n"})
    project.pipeline(NAMED.format(), a="from azureml.core import Run\nRun.get_context().input_datasets")
    project.run()

    project.write({"data.csv": "a\n20\n", ".azml/models/m/1/file": "", ".azml/datastores/s/x": ""})

    assert project.statuses(project.run()) == {"a": "reused"}


def test_a_directory_or_a_pattern_of_files_is_an_input_by_its_contents(project):
    project.write({"data/x/1.csv": "a\n10\n", "data/x/2.csv": "a\n20\n"})
    project.pipeline(
        """
        datasets:
          folder: {local_path: data, type: file}
          pattern: {local_path: "data/**/*.csv"}
        steps:
          a: {script_name: a.py, input_datasets: {folder: folder}}
          b: {script_name: b.py, input_folders: {}, input_datasets: {pattern: pattern}}
        """,
        a="",
        b="",
    )
    project.run()
    assert set(project.statuses(project.run()).values()) == {"reused"}

    project.write({"data/x/notes.txt": ""})
    assert project.statuses(project.run()) == {"a": "completed", "b": "reused"}

    (project.folder / "data/x/2.csv").rename(project.folder / "data/x/3.csv")
    assert project.statuses(project.run()) == {"a": "completed", "b": "completed"}


@pytest.mark.parametrize("options", [{}, {"force": True}])
def test_a_dataset_whose_data_are_gone_fails_its_step_in_a_sentence(project, options):
    project.pipeline(
        """
        datasets: {customers: {local_path: data.csv}}
        steps: {a: {script_name: a.py, input_datasets: {customers: customers}}}
        """,
        a="",
    )

    run = project.run(**options)

    assert (run.status, run["a"].message) == ("failed", "dataset 'customers' not found: data.csv")


# --from-step and --only


def test_from_step_runs_that_step_and_what_follows_on_what_is_there(three):
    edit(three, "one.py", "way = ", "way  = ")  # which a whole run would run again

    run = three.run(from_step="two")

    assert three.statuses(run) == {"one": "reused", "two": "completed", "three": "completed"}
    assert run["one"].reason == f"result of {three.first.id}; since then one.py changed"
    assert three.log(run, "three") == "read: one two \n"


def test_only_runs_that_step_alone(three):
    run = three.run(only="two")

    assert three.statuses(run) == {"one": "reused", "two": "completed"}
    assert three.run()["two"].reason == f"reused from {run.id}"


def test_from_step_without_an_earlier_result_names_what_to_do(project):
    project.line(one=PASS_ALONG, two=PASS_ALONG)

    with pytest.raises(RunError) as caught:
        project.run(from_step="two")

    assert str(caught.value) == (
        "step 'two' reads the output of 'one', but it has no earlier result: run everything with `invoke run`, or "
        "start there with `--from-step one`"
    )
    assert not (project.folder / ".azml/runs").exists()


@pytest.mark.thorough
@pytest.mark.parametrize("options", [{"only": "read"}, {"from_step": "read"}])
@pytest.mark.parametrize(
    ("before", "now", "reads", "missing"),
    [
        ("", "", "", "--output-folder"),
        ("[--old]", "[--new]", "input_folders: {--in: write/--new}", "--new"),
        ("[]", "[--new]", "input_folders: {--in: write}", "--new"),
        ("[--a]", "[--a, --b, --c]", "input_folders: {--a: write/--a, --b: write/--b, --c: write/--c}", "--b and --c"),
        (
            "[--a]",
            "[--a, --table]",
            "input_folders: {}, input_datasets: {t: {step: write, output: --table, format: parquet}}",
            "--table",
        ),
    ],
)
def test_a_step_that_reads_what_the_last_result_does_not_have_is_refused(project, options, before, now, reads, missing):
    def step(name: str, *keys: str) -> str:
        return f"  {name}: {{{', '.join([f'script_name: {name}.py', *filter(None, keys)])}}}\n"

    project.pipeline("steps:\n" + step("write", before and f"output_folders: {before}"), write="", read="")
    first = project.run()
    project.pipeline("steps:\n" + step("write", now and f"output_folders: {now}") + step("read", reads))

    for start in (project.run, project.forecast):
        with pytest.raises(UsageError) as caught:
            start(**options)
        assert str(caught.value) == (
            f"step 'read' reads {missing} of 'write', which is not in its result of {first.id}: run 'write' again "
            "first; run everything with `invoke run`, or start there with `--from-step write`"
        )
    assert project.statuses(project.run(from_step="write")) == {"write": "completed", "read": "completed"}
    assert project.statuses(project.run(**options)) == {"write": "reused", "read": "completed"}


def test_a_step_whose_outputs_were_renamed_runs_again(project):
    project.pipeline(
        """
        steps:
          write: {script_name: write.py, output_folders: [--old]}
          read: {script_name: read.py, input_folders: {--in: write}}
        """,
        write="",
        read="",
    )
    project.run()
    edit(project, "pipeline.yaml", "--old", "--new")

    # The new folder holds what the old one did.
    assert project.statuses(project.run()) == {"write": "completed", "read": "reused"}


def test_outputs_that_are_gone_from_the_file_or_were_added_beside_those_that_are_read_do_not_matter(project):
    project.pipeline(
        """
        steps:
          write: {script_name: write.py, output_folders: [--same, --old]}
          read: {script_name: read.py, input_folders: {--in: write/--same}}
        """,
        write="",
        read="",
    )
    project.run()
    edit(project, "pipeline.yaml", "--old", "--new")

    assert project.statuses(project.run(only="read")) == {"write": "reused", "read": "completed"}


def test_a_result_whose_record_does_not_have_its_outputs_is_not_reused(three):
    file = three.folder / ".azml/reuse.jsonl"
    file.write_text(re.sub(r'"outputs":\{"one_output_folder"[^}]*\}', '"outputs":{}', file.read_text()))

    run = three.run()

    assert run["one"].reason == "its earlier result has no --output-folder"
    assert three.statuses(run) == {"one": "completed", "two": "reused", "three": "reused"}


def test_only_needs_no_result_of_a_step_that_it_merely_runs_after(project):
    project.pipeline(
        """
        steps:
          load: {script_name: load.py, output_folders: []}
          report: {script_name: report.py, input_folders: {}, run_after: [load]}
        """,
        load="",
        report="",
    )

    assert project.statuses(project.run(only="report")) == {"report": "completed"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"from_step": "tow"}, "the pipeline has no step 'tow'; did you mean 'two'?"),
        ({"only": "four"}, "the pipeline has no step 'four': it has one, two and three"),
        ({"only": "one", "from_step": "one"}, "use either --from-step or --only, not both"),
    ],
)
def test_a_step_that_cannot_be_chosen(three, options, message):
    with pytest.raises(UsageError) as caught:
        three.run(**options)

    assert str(caught.value) == message


def test_a_project_that_is_moved_keeps_its_results(three, tmp_path):
    three.folder = three.folder.rename(tmp_path / "elsewhere")

    assert set(three.statuses(three.run()).values()) == {"reused"}


@pytest.mark.thorough
@pytest.mark.parametrize("file", ["hashes.json", "reuse.jsonl"])
@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", '{"version": 99}', '{"version": 1}', "[" * 100_000),
        *('{"version": 1, "files": 3, "results": 3}', '{"version": 1, "files": [3], "results": [3]}'),
        '{"version": 1, "files": {"a": 3}, "results": [{}]}',
        '{"version": 1, "results": [{"digest": 1, "run_id": "", "fingerprint": {}, "outputs": {}, "artifacts": "", '
        '"observed": {}}]}',
        '{"version": 1, "results": [{"digest": "", "run_id": "", "fingerprint": {"files": {}}, "outputs": {}, '
        '"artifacts": "", "observed": {}}]}',
    ],
)
def test_a_file_of_azml_that_is_damaged_costs_time_and_nothing_else(three, file, content):
    (three.folder / ".azml" / file).write_text(content)

    assert three.run().status == "completed"
    assert prune(three.folder, keep=1).runs == ([three.first.id] if file == "reuse.jsonl" else [])


def test_a_result_of_another_release_is_reported_as_such(three):
    three.run()
    file = three.folder / ".azml/reuse.jsonl"
    file.write_text(re.sub('"digest":"[0-9a-f]+"', '"digest":"of another release"', file.read_text()))

    assert three.reasons(three.run())["one"] == "its earlier result is from another release of azml-tasks"


def test_what_a_table_does_not_read_of_its_folder_makes_no_step_run_again(project):
    project.write({"data/1.csv": "a\n5\n", "data/.DS_Store": "x", "data/notes.txt": "x"})

    def statuses(path: str) -> list[str]:
        project.pipeline(
            f"""
            datastores: {{s: {{container_name: raw, account_name: acct}}}}
            datasets: {{t: {{datastore_name: s, path: "{path}", local_path: data}}}}
            env_name: e
            environments: {{e: {{pip_packages: [pandas]}}}}
            steps: {{one: {{script_name: one.py, input_datasets: {{t: t}}}}}}
            """,
            one="",
        )
        return [step.status for step in project.run().steps]

    found = [statuses("sales/*.csv")]
    project.write({"data/.DS_Store": "y", "data/notes.txt": "y"})
    found.append(statuses("sales/*.csv"))
    project.write({"data/.2.csv": "a\n6\n"})
    found.append(statuses("sales/*.csv"))
    found.append(statuses("sales/*.txt"))

    assert found == [["completed"], ["reused"], ["completed"], ["completed"]]


def test_a_path_that_contains_a_secret_is_not_stored_and_the_step_runs_again(project):
    secret = "s3cr3tv4lue99xyz"
    (project.folder / ".env").write_text(f"SERVICE_TOKEN={secret}\n")
    reads = "import os\nfrom azureml.core import Run\ntoken = Run.get_context().get_secret('SERVICE_TOKEN')\n"
    project.line(a=f"{reads}os.path.exists(f'{project.folder}/data/{{token}}.txt')\n", b="")
    project.run()

    again = project.run()

    assert project.statuses(again) == {"a": "completed", "b": "reused"}
    assert again["a"].reason == "it read a path that contains a secret, which is never stored"
    files = [file for file in (project.folder / ".azml").rglob("*") if file.is_file()]
    assert [file for file in files if secret.encode() in file.read_bytes()] == []


def test_what_the_next_step_writes_to_while_a_result_is_stored_makes_the_step_run_again(project, monkeypatch):
    counts = (
        "import sqlite3\ndata = sqlite3.connect(PLACE + '/x.db')\ndata.execute('create table if not exists t (v)')\n"
    )
    counts = counts.replace("PLACE", repr(str(project.folder)))
    project.line(
        one=counts + "print(data.execute('select count(*) from t').fetchone()[0])\ndata.close()\n",
        two=counts + "data.execute('insert into t values (1)')\ndata.commit()\ndata.close()\n",
    )
    prepare = StepRun.prepare_result

    def stored_late(attempt: StepRun, *options) -> NewResult:
        result = prepare(attempt, *options)
        two = attempt._site.run.places.step("two").root

        def store() -> None:
            deadline = time.monotonic() + 20
            while attempt.plan.key == "one" and not list(two.glob("reads-*.jsonl")) and time.monotonic() < deadline:
                time.sleep(0.01)
            result.store()

        return NewResult(store=store)

    with monkeypatch.context() as patched:
        patched.setattr(StepRun, "prepare_result", stored_late)
        first = project.run()
    again = project.run()

    assert project.log(first, "one") == "0\n"
    assert project.statuses(again) == {"one": "completed", "two": "reused"}
    assert project.log(again, "one") == "1\n"


def reads(place: str) -> str:
    """Return a script that prints what is in a file of the project, if it is there, and writes no output."""
    return f"import os\nprint(open({place!r}).read() if os.path.isfile({place!r}) else 'nothing')\n"


def test_files_that_many_steps_read_are_looked_at_once_while_nothing_runs(project, monkeypatch):
    project.write({"settings.txt": "1"})
    place = str(project.folder / "settings.txt")
    project.line(**{f"step{number}": reads(place) for number in range(5)})
    project.run()
    monkeypatch.setattr(contents, "_RECENT", 60.0)  # A busy machine may need more than a second.
    looked = []
    look = Answers._file
    monkeypatch.setattr(Answers, "_file", lambda answers, subject: looked.append(subject) or look(answers, subject))

    unchanged = project.run()
    in_it = list(looked)
    project.write({"settings.txt": "2"})
    changed = project.run()

    assert set(project.statuses(unchanged).values()) == {"reused"}
    assert in_it.count("settings.txt") == 1
    assert set(project.statuses(changed).values()) == {"completed"}


def test_what_was_found_in_files_is_known_for_a_second_until_it_is_forgotten_or_a_step_starts(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(contents.time, "monotonic", lambda: now[0])
    recent = RecentAnswers()
    recent.known()["file:a"] = "1"
    assert recent.known() == {"file:a": "1"}
    now[0] += 1.1
    assert recent.known() == {}

    # A thread has begun to look before files were changed, and ends after that.
    looks = recent.known()
    recent.forget()
    looks["file:a"] = "of before"
    assert recent.known() == {}

    recent.end()
    recent.forget()
    now[0] += 1.1
    assert recent.known() is None


def test_what_a_step_writes_is_looked_at_again_by_the_steps_after_it(project):
    project.write({"shared.txt": "A"})
    place = str(project.folder / "shared.txt")
    project.line(before=reads(place), writer=f"open({place!r}, 'w').write('A')\n", after=reads(place))
    project.run()
    edit(project, "writer.py", "'A'", "'B'")

    again = project.run()

    assert project.statuses(again) == {"before": "reused", "writer": "completed", "after": "completed"}
    assert project.log(again, "after") == "B\n"


def test_what_a_reused_step_delivers_again_is_looked_at_again_by_the_steps_after_it(project):
    copy = project.folder / ".azml/datastores/lake/made/way.txt"
    look = f"import os\nprint(os.path.exists({str(copy)!r}))\n"
    project.pipeline(
        """
        steps:
          before: {script_name: before.py}
          maker:
            script_name: maker.py
            output_folders: {--output-folder: {destination: {datastore_name: lake, path: made}}}
          after: {script_name: after.py, input_folders: {}, run_after: [maker]}
        """,
        before=look,
        maker=PASS_ALONG.replace("if args.input_folder", "if False"),
        after=look,
    )
    first = project.run()
    shutil.rmtree(copy.parent)

    again = project.run()

    assert [project.log(first, step) for step in ("before", "after")] == ["False\n", "True\n"]
    assert set(project.statuses(again).values()) == {"reused"}
    assert copy.read_text() == "maker "


def test_with_the_key_of_another_user_the_reason_is_the_key_and_nothing_that_did_not_change(
    project, monkeypatch, tmp_path
):
    monkeypatch.setenv("THRESHOLD", "1")
    project.write({"server.key": "-----BEGIN PRIVATE KEY-----\nMIIE\n", "plain.txt": "1"})
    looks = "".join(f"open({str(project.folder / name)!r}).read()\n" for name in ("server.key", "plain.txt"))
    project.line(one="import os\nos.environ.get('THRESHOLD')\n" + looks)
    project.run()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    monkeypatch.setattr("azml_tasks.local.reuse.answers._keys", [])
    project.write({"plain.txt": "2"})

    again = project.run()

    key = f"variables cannot be compared: {tmp_path}/other/azml-tasks has another key (another user or HOME)"
    assert project.reasons(again) == {"one": f"{key}, plain.txt changed"}
    assert project.statuses(project.run()) == {"one": "reused"}

"""What .azml holds is kept below a size: the oldest runs go first, and never what is in use."""

from __future__ import annotations

import json
import shutil

import pytest

from azml_tasks.local.prune import prune
from azml_tasks.local.runs import list_runs
from azml_tasks.local.store.files import tree_size
from azml_tasks.text import size_of
from tests.local.conftest import BEGINNING

_KB = 1000
# Writes as many kilobytes as --config says, and as many under outputs/.
_FILL = (
    BEGINNING
    + """\
pathlib.Path("outputs/own.bin").write_bytes(b"o" * args.config["kb"] * 1000)
(args.output_folder / "big.bin").write_bytes(b"x" * args.config["kb"] * 1000)
"""
)
_STEPS = "steps:\n  fill: {script_name: fill.py, step_config: {kb: KB}}\n  read: {script_name: read.py}\n"


def filled(project, *sizes: int) -> list[str]:
    """Run with outputs of these sizes (kB, half an output and half a file of the run); return the ids of the runs."""
    ids = []
    for size in sizes:
        project.pipeline(_STEPS.replace("KB", str(size // 2)), fill=_FILL, read=BEGINNING)
        ids.append(project.run(force=True).id)
    return ids


def in_runs(project) -> int:
    return tree_size(project.folder / ".azml/runs")


def there(project) -> list[str]:
    return [run.id for run in list_runs(project.folder)]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *(("500MB", 500 * 10**6), ("10GB", 10**10), ("1.5 GB", 1_500_000_000), (" 2 tb ", 2 * 10**12), ("7kB", 7000)),
        *(("2GiB", 2 << 30), ("512 B", 512), ("0GB", 0), ("0.0001kb", 0)),
        *(
            (text, None)
            for text in ("", "10", "GB", "10 gigs", "-1GB", "1,5 GB", "1e3GB", "10 iB", "1..5GB", "infGB", "\u0661GB")
        ),
    ],
)
def test_sizes_are_numbers_with_a_unit(text, size):
    assert size_of(text) == size


def test_the_oldest_runs_go_until_the_size_is_reached(project):
    runs = filled(project, 400, 400, 400, 400)
    others = tree_size(project.folder / ".azml") - in_runs(project)

    pruned = prune(project.folder, keep=1, size=others + 1000 * _KB)

    assert pruned.runs == [runs[1], runs[0]]
    assert there(project) == [runs[3], runs[2]]
    assert sum(pruned.holds.values()) - sum(pruned.holds_now.values()) > 800 * _KB
    assert tree_size(project.folder / ".azml") <= sum(pruned.holds_now.values()) <= others + 1000 * _KB
    assert pruned.sizes[runs[0]] == pytest.approx(400 * _KB, abs=30 * _KB)


def test_what_is_said_to_go_is_what_goes(project):
    filled(project, 100, 300, 200, 500, 100)
    size = tree_size(project.folder / ".azml") - 350 * _KB

    said = prune(project.folder, keep=1, size=size, dry=True)
    done = prune(project.folder, keep=1, size=size)

    assert said == done
    assert len(said.runs) == 2
    assert sum(done.holds_now.values()) == pytest.approx(tree_size(project.folder / ".azml"), abs=5 * _KB)


def test_the_pages_about_deleted_runs_do_not_count(project):
    runs = filled(project, 100, 100, 100)
    reports = project.folder / ".azml/reports"
    reports.mkdir()
    for run in runs:
        (reports / f"{run}.html").write_bytes(b"p" * 200 * _KB)
    size = tree_size(project.folder / ".azml") - 250 * _KB

    said = prune(project.folder, keep=1, size=size, dry=True)
    done = prune(project.folder, keep=1, size=size)

    assert said == done
    assert (done.runs, done.holds_now["reports"]) == ([runs[0]], 400 * _KB)
    assert sorted(page.stem for page in reports.iterdir()) == sorted(runs[1:])


def test_nothing_goes_where_the_size_is_not_exceeded(project):
    runs = filled(project, 10, 10)

    pruned = prune(project.folder, keep=0, size=10**9)

    assert (pruned.runs, pruned.models) == ([], [])
    assert pruned.holds == pruned.holds_now
    assert there(project) == [runs[1], runs[0]]
    assert (project.folder / ".azml/objects").exists()


def test_results_that_are_in_use_stay_however_small_the_size(project):
    runs = filled(project, 400, 300)
    project.pipeline(_STEPS.replace("KB", "150"), fill=_FILL, read=BEGINNING + "# changed")
    last = project.run()
    assert last["fill"].reason == f"reused from {runs[1]}"

    pruned = prune(project.folder, keep=1, size=0)

    assert pruned.runs == [runs[0]]
    assert pruned.holds_now["results in use"] > 300 * _KB
    assert there(project) == [last.id, runs[1]]
    assert project.run()["fill"].reason == f"reused from {runs[1]}"


def test_sizes_are_noted_in_the_records_and_measured_where_they_are_not(project):
    (run,) = filled(project, 400)
    (record,) = project.folder.glob(f".azml/runs/{run}/steps/fill/record.json")
    values = json.loads(record.read_text())
    assert values["size"] == 400 * _KB
    noted = prune(project.folder, dry=True).holds

    for changed in ({key: value for key, value in values.items() if key != "size"}, {**values, "size": -1}):
        record.write_text(json.dumps(changed))
        measured = prune(project.folder, dry=True).holds
        assert sum(measured.values()) == pytest.approx(sum(noted.values()), abs=100)
    record.write_text(json.dumps({**values, "size": 10**12}))
    assert sum(prune(project.folder, dry=True).holds.values()) > 10**12


def test_the_sizes_of_everything_are_those_of_azml(project):
    filled(project, 50, 70)
    (project.folder / ".azml/envs/env").mkdir(parents=True)
    (project.folder / ".azml/envs/env/lib.so").write_bytes(b"e" * 20_000)
    (project.folder / ".azml/models/m/1").mkdir(parents=True)
    (project.folder / ".azml/models/m/1/file").write_bytes(b"e" * 10_000)

    holds = prune(project.folder, dry=True).holds

    assert (holds["environments"], holds["models"]) == (20_000, 10_000)
    assert sum(holds.values()) == tree_size(project.folder / ".azml")


def test_results_of_steps_that_are_no_longer_in_the_file_go_with_their_runs(project):
    pipeline = "steps:\n  one: {script_name: one.py}\n  two: {script_name: one.py, input_folders: {}}\n"
    project.pipeline(pipeline, one=BEGINNING)
    project.run()
    project.pipeline("steps:\n  one: {script_name: one.py}\n", one=BEGINNING)
    last = project.run(force=True)

    assert len(prune(project.folder, keep=1).runs) == 1

    assert there(project) == [last.id]
    assert '"step":"two"' not in (project.folder / ".azml/reuse.jsonl").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "steps: {one: {script_name: one.py}}\ntargets: {dev: {steps: {two: {script_name: one.py}}}}\n",
        "steps: {one: {script_name: one.py}, two: {unknown: }}\nmore: ${NOT_SET}\n",
        "steps: {\n",
        "steps: []\n",
        "",
    ],
)
def test_results_stay_where_a_target_has_the_step_or_the_file_is_not_readable(project, text):
    project.pipeline("steps:\n  one: {script_name: one.py}\n  two: {script_name: one.py}\n", one=BEGINNING)
    run = project.run()
    project.write({"pipeline.yaml": text})

    assert prune(project.folder, keep=0).runs == []

    assert sorted(path.name for path in run.places.steps.iterdir()) == ["one", "two"]


# Models


_REGISTER = (
    BEGINNING
    + """\
from azureml.core import Model
pathlib.Path("m.bin").write_bytes(os.urandom(50_000))
HOW
"""
)
_BY_RUN = "run.upload_file('m.bin', 'm.bin'); run.register_model('churn', model_path='m.bin')"
_BY_WORKSPACE = "Model.register(run.experiment.workspace, model_path='m.bin', model_name='churn')"


def versions(project) -> list[str]:
    return sorted(path.name for path in (project.folder / ".azml/models/churn").iterdir() if path.name.isdecimal())


@pytest.mark.parametrize("how", [_BY_RUN, _BY_WORKSPACE])
def test_old_versions_of_models_go_with_the_runs_that_registered_them(project, how):
    project.line(one=_REGISTER.replace("HOW", how))
    for _ in range(3):
        project.run(force=True)
    # Registered by hand, so that nothing is known of its run.
    shutil.copytree(project.folder / ".azml/models/churn/1", project.folder / ".azml/models/mine/1")
    shutil.copytree(project.folder / ".azml/models/churn/1", project.folder / ".azml/models/mine/2")
    (project.folder / ".azml/models/mine/1/model.json").write_text("{}")

    said = prune(project.folder, keep=2, dry=True)
    done = prune(project.folder, keep=2)

    assert said.models == done.models == ["churn:1"]
    assert said.sizes["churn:1"] == pytest.approx(50_000, abs=1000)
    assert versions(project) == ["2", "3"]
    assert (project.folder / ".azml/models/mine/1").exists()
    assert project.statuses(project.run()) == {"one": "reused"}
    project.run(force=True)
    assert versions(project) == ["2", "3", "4"]  # Its number is not used again.
    assert prune(project.folder, keep=1).models == ["churn:2", "churn:3"]
    assert versions(project) == ["4"]


def test_versions_that_a_kept_result_needs_stay(project):
    read = BEGINNING + "from azureml.core import Model\nModel(run.experiment.workspace, 'churn', version=1)\n"
    steps = "steps:\n  one: {script_name: one.py}\n  two: {script_name: two.py, input_folders: {}}\n"
    project.pipeline(steps, one=_REGISTER.replace("HOW", _BY_RUN), two=read)
    for _ in range(3):
        last = project.run(force=True, jobs=1)

    assert "churn:1" not in prune(project.folder, keep=1).models

    assert "1" in versions(project)
    assert project.statuses(project.run()) == {"one": "reused", "two": "reused"}
    assert there(project)[-1] == last.id


def test_versions_stay_where_a_kept_result_saw_the_list_of_them(project):
    read = BEGINNING + "from azureml.core import Model\nprint(len(Model.list(run.experiment.workspace, 'churn')))\n"
    steps = "steps:\n  one: {script_name: one.py}\n  two: {script_name: two.py, input_folders: {}, run_after: [one]}\n"
    project.pipeline(steps, one=_REGISTER.replace("HOW", _BY_RUN), two=read)
    for _ in range(3):
        project.run(force=True)

    assert prune(project.folder, keep=1).models == []

    assert project.statuses(project.run()) == {"one": "reused", "two": "reused"}


def test_the_size_counts_models(project):
    project.line(one=_REGISTER.replace("HOW", _BY_RUN))
    runs = [project.run(force=True).id for _ in range(4)]

    pruned = prune(project.folder, keep=1, size=tree_size(project.folder / ".azml") - 150_000)

    assert pruned.runs[-1] == runs[0]
    assert "churn:1" in pruned.models
    assert tree_size(project.folder / ".azml") <= sum(pruned.holds_now.values()) + 5 * _KB

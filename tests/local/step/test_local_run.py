"""Which steps `--from-step`, `--only` and `--force` choose, and whose last results they start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from azml_tasks.errors import RunError, UsageError
from azml_tasks.local.step.local_run import Selection, existing_results, keep_snapshots, select
from azml_tasks.local.store.contents import HashCache
from azml_tasks.local.store.files import remove_tree
from azml_tasks.local.store.objects import ObjectStore
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.local.store.records import LocalStepRecord
from azml_tasks.local.store.results import Result, Results
from azml_tasks.plan import Plan
from azml_tasks.reading import load_project
from tests.local.store.test_fingerprint import OLD

PIPELINE = """\
datasets: {customers: {local_path: data.csv}}
steps:
  load: {script_name: a.py, output_folders: []}
  split: {script_name: a.py, input_folders: {}, run_after: [load]}
  left: {script_name: a.py, input_folders: {--x: split}, input_datasets: {--data: customers}}
  right: {script_name: a.py, input_folders: {}, input_datasets: {t: {step: split, format: parquet}}}
  join: {script_name: a.py, input_folders: {--l: left, --r: right}}
  alone: {script_name: a.py, input_folders: {}}
"""
ALL = ("load", "split", "left", "right", "join", "alone")


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "a.py").write_text("import b")
    (tmp_path / "b.py").write_text("")
    return load_project(tmp_path / "pipeline.yaml", variables={}).plan


@pytest.mark.parametrize(
    ("options", "selection"),
    [
        ({}, Selection(ALL)),
        ({"force": True}, Selection(ALL, forced=frozenset(ALL))),
        ({"only": "left"}, Selection(("left",), ("split",), frozenset(["left"]), "--only")),
        ({"only": "join"}, Selection(("join",), ("left", "right"), frozenset(["join"]), "--only")),
        ({"only": "load", "force": True}, Selection(("load",), (), frozenset(["load"]), "--only")),
        (
            {"from_step": "left"},
            Selection(("left", "join"), ("split", "right"), frozenset(["left", "join"]), "--from-step"),
        ),
        (
            {"from_step": "split"},
            Selection(
                ("split", "left", "right", "join"),
                ("load",),
                frozenset(["split", "left", "right", "join"]),
                "--from-step",
            ),
        ),
    ],
)
def test_the_steps_that_run_and_those_whose_results_are_taken(plan, options, selection):
    assert select(plan, **options) == selection


@pytest.mark.parametrize(
    ("options", "ways"),
    [
        ({"only": "left,right"}, "--only takes one step, not left and right; run once for each of them"),
        (
            {"only": "join,left"},
            "--only takes one step, not join and left; run once for each of them, or use --from-step left",
        ),
        ({"from_step": "left,right"}, "--from-step takes one step, not left and right; run once for each of them"),
        ({"from_step": "left join"}, "--from-step takes one step, not left and join; use --from-step left"),
    ],
)
def test_from_the_first_of_several_steps_is_a_way_only_if_it_runs_all_of_them(plan, options, ways):
    with pytest.raises(UsageError) as caught:
        select(plan, **options)

    assert str(caught.value) == ways


@pytest.fixture
def results(tmp_path: Path) -> Results:
    layout = ProjectPaths.of(tmp_path)
    return Results(layout, HashCache(layout.hashes))


def plant(tmp_path: Path, results: Results, *steps: str) -> None:
    """Make it so that these steps completed in the run `run-1`."""
    for step in steps:
        places = ProjectPaths.of(tmp_path).run("run-1").step(step)
        output = f"{step}_output_folder"
        places.output(output).mkdir(parents=True)
        for file in (places.record, places.context):
            file.write_text("{}")
        outputs = {output: results.digest(places.output(output))}
        results.of(step).record_latest(Result("run-1", places, OLD, outputs, "", {}))


def taken(tmp_path: Path, results: Results, step: str) -> LocalStepRecord:
    return LocalStepRecord(
        step,
        "reused",
        "not selected; its result of run-1 is used",
        producer="run-1",
        places=ProjectPaths.of(tmp_path).run("run-1").step(step),
        outputs=results.of(step).latest.outputs,
    )


def test_the_last_results_of_the_steps_before_are_taken(tmp_path, plan, results):
    plant(tmp_path, results, "split", "right", "load")

    assert existing_results(plan, select(plan, from_step="left"), results) == {
        "split": taken(tmp_path, results, "split"),
        "right": taken(tmp_path, results, "right"),
    }


def test_of_a_step_that_is_merely_run_after_no_result_is_needed(tmp_path, plan, results):
    assert existing_results(plan, select(plan, only="split"), results) == {}

    plant(tmp_path, results, "load")
    assert list(existing_results(plan, select(plan, only="split"), results)) == ["load"]
    remove_tree(ProjectPaths.of(tmp_path).run("run-1").step("load").output("load_output_folder"))
    assert existing_results(plan, select(plan, only="split"), results) == {}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (None, "it has no earlier result"),
        (lambda places: remove_tree(places.root), "its earlier result was deleted"),
        (
            lambda places: (places.output("right_output_folder") / "new").write_text(""),
            "its earlier output 'right_output_folder' was changed",
        ),
    ],
)
def test_a_result_that_is_read_must_be_there_and_whole(tmp_path, plan, results, damage, reason):
    plant(tmp_path, results, "left")
    if damage:
        plant(tmp_path, results, "right")
        damage(ProjectPaths.of(tmp_path).run("run-1").step("right"))

    with pytest.raises(RunError) as caught:
        existing_results(plan, select(plan, only="join"), results)

    assert str(caught.value) == (
        f"step 'join' reads the output of 'right', but {reason}: run everything with `invoke run`, or start there "
        "with `--from-step right`"
    )


# Snapshots


class Changing(HashCache):
    """Contents of a project whose module is changed so many times after it was hashed."""

    def __init__(self, folder: Path, times: int) -> None:
        super().__init__(folder / "hashes.json")
        self.file = folder / "b.py"
        self.times = times

    def hash_file(self, path: str) -> str:
        digest = super().hash_file(path)
        if path == str(self.file) and self.times:
            self.times -= 1
            self.file.write_text(f"x = {self.times}")
        return digest


def test_a_file_that_changes_while_a_run_begins_is_looked_at_again(tmp_path, plan):
    layout = ProjectPaths.of(tmp_path)

    snapshots, _ = keep_snapshots(plan, ["load"], layout, Results(layout, Changing(tmp_path, 2)))

    assert list(snapshots) == ["load"]
    ObjectStore(layout.objects).stage(snapshots["load"], tmp_path / "work")
    assert (tmp_path / "work/b.py").read_text() == "x = 0"


def test_a_file_that_changes_all_the_time_is_reported(tmp_path, plan):
    layout = ProjectPaths.of(tmp_path)

    with pytest.raises(RunError) as caught:
        keep_snapshots(plan, ["load"], layout, Results(layout, Changing(tmp_path, 100)))

    assert str(caught.value) == (f"{tmp_path / 'b.py'} keeps changing; its files must not change while a run starts")

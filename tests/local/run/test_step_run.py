"""One step of a run, value by value: what it depends on, how it is started, what is made of what it left."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from azml_tasks.local.environments import VirtualEnvironment
from azml_tasks.local.reuse.reads import InputMissingError
from azml_tasks.local.reuse.recorded import signature
from azml_tasks.local.run.processes import ProcessExit, ProcessSpec
from azml_tasks.local.run.step_run import StepRun, Stopped
from azml_tasks.local.step.environment import STANDIN
from azml_tasks.local.step.local_run import LocalRun
from azml_tasks.local.store.contents import HashCache
from azml_tasks.local.store.files import remove_tree
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.local.store.records import LocalRunRecord, LocalStepRecord
from azml_tasks.local.store.results import Fingerprint, Result, Results, store_of
from azml_tasks.plan.plan import dataset_id
from azml_tasks.reading import load_project
from azml_tasks.snapshot import build_snapshot

PIPELINE = """\
experiment_name: sums
pipeline_parameters: {alpha: 0.5}
datasets:
  customers: {local_path: data.csv, separator: ";", set_column_types: {a: long}}
steps:
  load: {script_name: load.py, output_folders: []}
  merge: {script_name: load.py, input_folders: {}}
  train:
    script_name: deep/train.py
    script_directory: code
    input_datasets: {--data: customers, table: {step: merge, format: parquet}}
    arguments: {--alpha: "${{ parameters.alpha }}"}
    environment_variables: {OWN: "1", PYTHONPATH: /own}
    output_folders: [--model, --report]
    run_after: [load]
  last: {script_name: load.py, allow_reuse: false, input_folders: {}, environment_variables: {OWN: "1"}}
"""
FILES = {
    "pipeline.yaml": PIPELINE,
    "load.py": "",
    "data.csv": "a\n1\n",
    "code/deep/train.py": "import lib, azureml\nModel(ws)\nenviron['OWN']\nrun.get_secret('db-key')",
    "code/lib.py": "",
}


class Stage:
    """A project with a run under way, whose first two steps have completed."""

    def __init__(self, folder: Path) -> None:
        for name, content in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        self.folder = folder
        self.layout = ProjectPaths.of(folder)
        self.contents = HashCache(self.layout.hashes)
        self.contents.recent.end()
        self.upstream = {
            "load": LocalStepRecord(
                "load", "completed", producer="run-1", places=self.layout.run("run-1").step("load")
            ),
            "merge": LocalStepRecord(
                "merge",
                "completed",
                producer="run-2",
                places=self.layout.run("run-2").step("merge"),
                outputs={"merge_output_folder": "the digest of its output"},
            ),
        }
        merged = self.upstream["merge"].places
        merged.output("merge_output_folder").mkdir(parents=True)
        merged.context.write_text("{}")

    def attempt(
        self,
        key: str = "train",
        run_id: str = "run-2",
        warm: bool = True,
        virtual: Mapping[str, VirtualEnvironment] | None = None,
        **upstream: LocalStepRecord,
    ) -> StepRun:
        plan = load_project(self.folder / "pipeline.yaml", variables={}).plan
        run = LocalRunRecord(run_id, "sums", "running", 1.5, parameters={"alpha": 0.7}, places=self.layout.run(run_id))
        outer = {"PATH": "/bin", "DB_KEY": "open sesame", "OTHER_KEY": "2"}
        site = LocalRun(self.layout, plan, run, Results(self.layout, self.contents), virtual or {}, outer, warm)
        step = plan[key].step
        snapshot = build_snapshot(self.folder, step.script_directory, step.script_name)
        return StepRun(site, plan[key], snapshot, {**self.upstream, **upstream})

    def record_reads(self, *lines: list, key: str = "train", run_id: str = "run-2") -> None:
        """Write what the step's first process would have recorded."""
        text = "".join(json.dumps(line) + "\n" for line in [["begin", 1, True, False], *lines, ["end"]])
        (self.layout.run(run_id).step(key).root / "reads-1-1.jsonl").write_text(text)

    def completed(self, **options) -> tuple[StepRun, LocalStepRecord]:
        """Return an attempt that has completed and was kept, and its record."""
        attempt = self.attempt(**options)
        attempt.launch()
        self.record_reads(run_id=options.get("run_id", "run-2"))
        record = attempt.finish(attempt.started("new"), ProcessExit("train", 0))
        attempt.prepare_result(record, {}).store()
        return attempt, record

    @property
    def places(self):
        return self.layout.run("run-2").step("train")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_what_a_step_depends_on(stage):
    attempt = stage.attempt()

    hashes = build_snapshot(stage.folder, "code", "deep/train.py").hashes
    assert attempt.fingerprint == Fingerprint(
        script="deep/train.py",
        files=hashes,
        argv=[
            *("--data", {"input": "customers"}, "--input-folder", {"input": "train_input_folder"}),
            *("--model", {"output": "train_model"}, "--report", {"output": "train_report"}, "--alpha", "0.7"),
        ],
        inputs={
            "customers": {
                "content": stage.contents.digest(stage.folder / "data.csv"),
                "type": "tabular",
                "mode": "direct",
                "format": "delimited",
                "separator": ";",
                "set_column_types": {"a": "long"},
                "support_multi_line": False,
                "version": "latest",
                "dataset": "customers",
            },
            "table": {"content": "the digest of its output", "format": "parquet"},
            "train_input_folder": {"content": "the digest of its output", "format": "folder"},
        },
        environment={
            "python": platform.python_version(),
            "definition": None,
            "variables": {"OWN": "1", "PYTHONPATH": "/own"},
        },
    )


def test_the_process_of_a_step(stage):
    launch = stage.attempt().launch()

    places, work = stage.places, stage.places.work
    merged = stage.layout.run("run-2").step("merge").output("merge_output_folder")
    assert launch == ProcessSpec(
        id="train",
        python=sys.executable,
        argv=(
            os.path.join("deep", "train.py"),
            *("--data", dataset_id("customers"), "--input-folder", str(merged)),
            *("--model", str(places.output("train_model")), "--report", str(places.output("train_report"))),
            *("--alpha", "0.7"),
        ),
        cwd=str(work),
        environment={
            "PATH": "/bin",
            "DB_KEY": "open sesame",
            "OWN": "1",
            "PYTHONPATH": os.pathsep.join([str(work), str(STANDIN), "/own"]),
            "PYTHONUNBUFFERED": "1",
            "PYTHONIOENCODING": "utf-8",
            "MPLBACKEND": "Agg",
            "AZML_RUN_CONTEXT": str(places.context),
            "AZURE_ML_INPUT_train_input_folder": str(merged),
            "AZUREML_DATAREFERENCE_train_input_folder": str(merged),
            "train_input_folder": str(merged),
            **{
                f"{prefix}{name}": str(places.output(name))
                for name in ("train_model", "train_report")
                for prefix in ("AZURE_ML_OUTPUT_", "AZUREML_DATAREFERENCE_", "")
            },
        },
        path=(str(work / "deep"), str(work)),
        log=str(places.log),
        warm=False,
        guard={
            "read_only": [str(stage.folder / "data.csv"), str(merged)],
            "linked": [],
            "writable": (
                *map(str, (places.root, places.root.parents[1] / "parent")),
                *(str(stage.layout.root / name) for name in ("models", "datastores", "datasets", "mlruns")),
            ),
            "in_place": (),
        },
    )
    assert sorted(path.name for path in work.iterdir()) == ["deep", "lib.py", "logs", "outputs"]
    assert places.output("train_model").is_dir()
    assert json.loads(places.context.read_text())["inputs"]["table"]["path"] == str(merged)


def test_a_script_at_the_root_has_one_folder_on_its_import_path_and_starts_warm_unless_it_may_not(stage):
    launch = stage.attempt("last", train=replace(stage.upstream["load"], key="train")).launch()

    work = stage.layout.run("run-2").step("last").work
    assert (launch.path, launch.environment["PYTHONPATH"]) == ((str(work),), str(STANDIN))
    assert launch.warm
    assert not stage.attempt("last", "run-3", warm=False, train=stage.upstream["load"]).launch().warm


def test_a_step_of_a_virtual_environment_runs_in_its_python(stage):
    text = PIPELINE.replace("steps:", "env_name: e\nenvironments: {e: {}}\nsteps:")
    (stage.folder / "pipeline.yaml").write_text(text)
    virtual = VirtualEnvironment(Path("/v/python"), "digest", "3.10.4", {})

    attempt = stage.attempt("last", virtual={"e": virtual}, train=stage.upstream["load"])

    assert attempt.fingerprint.environment["python"] == "3.10.4"
    launch = attempt.launch()
    assert (launch.python, launch.warm) == ("/v/python", False)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "PYTHONHASHSEED",
            "LD_X",
            "LC_ALL",
            "LANG",
            "LANGUAGE",
            "TZ",
            "MALLOC_X",
            "OMP_NUM_THREADS",
            "GOMP_X",
            "KMP_X",
        ),
        *("OPENBLAS_X", "BLIS_X", "MKL_X", "NUMEXPR_X", "NPY_X", "NUMPY_X", "PANDAS_X", "SCIPY_X", "SKLEARN_X"),
        *("JOBLIB_X", "ARROW_X"),
    ],
)
def test_a_variable_that_is_read_at_the_start_of_a_process_needs_a_new_one(stage, name):
    (stage.folder / "pipeline.yaml").write_text(PIPELINE.replace('{OWN: "1"}', f'{{OWN: "1", {name}: "1"}}'))

    assert not stage.attempt("last", train=stage.upstream["load"]).launch().warm


def test_the_record_of_a_step_as_it_starts(stage):
    attempt = stage.attempt()
    argv = attempt.launch().argv

    record = attempt.started("its script changed")

    assert abs(record.started - time.time()) < 60
    assert replace(record, started=None) == LocalStepRecord(
        "train",
        "running",
        "its script changed",
        producer="run-2",
        places=stage.places,
        argv=("deep/train.py", *argv[1:]),
    )


@pytest.mark.parametrize(
    ("ended", "stopped", "status", "message"),
    [
        (ProcessExit("train", 0), None, "completed", ""),
        (ProcessExit("train", 3), None, "failed", "exit status 3"),
        (ProcessExit("train", -9), None, "failed", "killed (SIGKILL); possibly out of memory"),
        (ProcessExit("train", None, "no such file"), None, "failed", "could not start: no such file"),
        (ProcessExit("train", 0), Stopped("cancelled", "it was stopped"), "cancelled", "it was stopped"),
        (ProcessExit("train", 1), Stopped("failed", "it took too long"), "failed", "it took too long"),
    ],
)
def test_how_a_step_ended(stage, ended, stopped, status, message):
    attempt = stage.attempt()
    attempt.launch()
    stage.places.log.write_text('Traceback (most recent call last):\n  File "x.py", line 1\nValueError: 3\n')
    started = attempt.started("new")

    record = attempt.finish(started, ended, stopped)

    assert record.finished == ended.at
    failed = status == "failed" and not stopped and ended.exit_code is not None
    digests = {name: stage.contents.digest(stage.places.output(name)) for name in ("train_model", "train_report")}
    assert record == replace(
        started,
        status=status,
        message=message,
        finished=ended.at,
        exit_code=ended.exit_code,
        detail='Traceback (most recent call last):\n  File "x.py", line 1\nValueError: 3' if failed else "",
        outputs=digests if status == "completed" else {},
        size=record.size,
    )
    assert record.size is not None
    assert stage.places.work.exists() == (status != "completed")


@pytest.mark.parametrize(
    ("in_a_virtual_environment", "module", "hint"),
    [
        (
            False,
            "zzz",
            "'zzz' is neither in the project nor installed here: "
            "if it is yours, add zzz.py; if not, run `pip install zzz`, "
            "and add zzz to pip_packages of the environment 'e'",
        ),
        (
            True,
            "zzz",
            "'zzz' is neither in the project nor in the step's virtual environment: "
            "if it is yours, add zzz.py; if not, add zzz to pip_packages of the environment 'e', "
            "then run `invoke register-env`",
        ),
        (
            False,
            "libb",
            "'libb' is neither in the project nor installed here; did you mean 'lib'? Otherwise "
            "run `pip install libb`, and add libb to pip_packages of the environment 'e'",
        ),
    ],
)
def test_what_mends_a_module_that_the_step_did_not_find(stage, in_a_virtual_environment, module, hint):
    text = PIPELINE.replace("steps:", "env_name: e\nenvironments: {e: {}}\nsteps:", 1)
    (stage.folder / "pipeline.yaml").write_text(text)
    virtual = {"e": VirtualEnvironment(Path("/v/python"), "digest", "3.10.4", {})} if in_a_virtual_environment else {}
    attempt = stage.attempt(virtual=virtual)
    attempt.launch()
    error = f"ModuleNotFoundError: No module named '{module}'"
    stage.places.log.write_text(f"Traceback (most recent call last):\n{error}\n")

    record = attempt.finish(attempt.started("new"), ProcessExit("train", 1))

    assert record.hint == hint


def test_an_output_that_is_gone_fails_the_step(stage):
    attempt = stage.attempt()
    attempt.launch()
    stage.places.output("train_report").rmdir()

    record = attempt.finish(attempt.started("new"), ProcessExit("train", 0))

    assert (record.status, record.message) == (
        "failed",
        "its output --report was deleted or cannot be read",
    )


def test_a_step_whose_folder_was_deleted_has_failed_unless_it_was_stopped(stage):
    attempt = stage.attempt()
    attempt.launch()
    started = attempt.started("new")
    remove_tree(stage.places.root)

    for exit_code in (0, 1, None):
        record = attempt.finish(started, ProcessExit("train", exit_code))
        assert record == replace(
            started,
            status="failed",
            message="its folder in .azml was deleted while it ran",
            finished=record.finished,
            exit_code=exit_code,
            size=0,
        )
    assert (
        attempt.finish(started, ProcessExit("train", 0), Stopped("cancelled", "it was stopped")).status == "cancelled"
    )


def test_what_lies_under_outputs_and_logs_belongs_to_the_run_beside_what_was_uploaded(stage):
    attempt = stage.attempt()
    attempt.launch()
    for path in (stage.places.work / "outputs/deep/a", stage.places.work / "logs/b", stage.places.artifacts / "logs/c"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    (stage.places.work / "outputs/link").symlink_to("deep/a")
    (stage.places.work / "logs/link").symlink_to("b")

    attempt.finish(attempt.started("new"), ProcessExit("train", 1))

    found = sorted(path.relative_to(stage.places.artifacts).as_posix() for path in stage.places.artifacts.rglob("*"))
    assert found == [
        "logs",
        "logs/b",
        "logs/c",
        "logs/link",
        "outputs",
        "outputs/deep",
        "outputs/deep/a",
        "outputs/link",
    ]
    assert (stage.places.artifacts / "logs/link").is_symlink()
    assert (stage.places.artifacts / "outputs/link").is_symlink()


def decided(attempt: StepRun, forced: bool = False) -> tuple[Result | None, str]:
    """Return the result that would be reused, if any, and why."""
    decision = attempt.decide(forced)
    return decision.result, str(decision.reason)


def test_what_a_completed_step_left_is_kept_for_later_runs(stage):
    attempt = stage.attempt()
    attempt.launch()
    (stage.places.work / "outputs" / "model.bin").touch()
    (stage.folder / "conf.txt").write_text("1")
    stage.record_reads(["file", str(stage.folder / "conf.txt"), signature(str(stage.folder / "conf.txt"))])
    record = attempt.finish(attempt.started("new"), ProcessExit("train", 0))

    attempt.prepare_result(record, {}).store()

    later = stage.attempt(run_id="run-3")
    result = Result(
        run_id="run-2",
        places=stage.places,
        fingerprint=attempt.fingerprint,
        outputs=record.outputs,
        artifacts=stage.contents.digest(stage.places.artifacts),
        reads={"file:conf.txt": hashlib.sha256(b"1").hexdigest()[:32]},
        sets=later._site.results.of("train").latest.sets,
    )
    record.save(stage.layout.run("run-2"))
    assert decided(later, forced=False) == (result, "reused from run-2")
    assert later.reuse(result, "reused from run-2") == later.record_of(result, "reused from run-2")
    assert later.record_of(result, "reused from run-2") == LocalStepRecord(
        "train", "reused", "reused from run-2", producer="run-2", places=stage.places, outputs=record.outputs
    )


def test_what_did_not_complete_or_read_other_data_than_there_are_now_is_not_kept(stage):
    attempt = stage.attempt()
    attempt.launch()
    stage.record_reads()
    record = attempt.finish(attempt.started("new"), ProcessExit("train", 0))
    attempt.prepare_result(replace(record, status="failed"), {}).store()
    assert not stage.layout.results.exists()

    (stage.folder / "data.csv").write_text("a\n2\n")
    attempt.prepare_result(record, {}).store()
    assert decided(stage.attempt(run_id="run-3"), forced=False) == (None, "its inputs changed while it last ran")


def test_what_read_data_that_are_gone_now_is_not_kept(stage):
    attempt = stage.attempt()
    attempt.launch()
    record = attempt.finish(attempt.started("new"), ProcessExit("train", 0))
    (stage.folder / "data.csv").unlink()

    attempt.prepare_result(record, {}).store()

    assert [known["digest"] for known in store_of(stage.layout).results["train"]] == [""]


@pytest.mark.parametrize("text", ["2", "1", None])
def test_what_changed_while_the_step_read_it_is_not_kept(stage, text):
    file = stage.folder / "conf.txt"
    file.write_text("1")
    attempt = stage.attempt()
    attempt.launch()
    stage.record_reads(["file", str(file), signature(str(file))])
    file.unlink()
    if text is not None:
        file.write_text(text)

    attempt.prepare_result(attempt.finish(attempt.started("new"), ProcessExit("train", 0)), {}).store()

    assert decided(stage.attempt(run_id="run-3"), forced=False) == (None, "conf.txt changed while it last ran")


def test_what_the_next_step_writes_while_the_result_is_stored_is_not_taken_for_what_was_read(stage, monkeypatch):
    file = stage.folder / "conf.txt"
    file.write_text("1")
    attempt = stage.attempt()
    attempt.launch()
    stage.record_reads(["file", str(file), signature(str(file))])
    record = attempt.finish(attempt.started("new"), ProcessExit("train", 0))
    hash_file = stage.contents.hash_file

    def written_before(path: str) -> str:
        if path == str(file):
            file.write_text("of the next step")
        return hash_file(path)

    monkeypatch.setattr(stage.contents, "hash_file", written_before)
    attempt.prepare_result(record, {}).store()

    assert decided(stage.attempt(run_id="run-3"), forced=False) == (None, "conf.txt changed while it last ran")


@pytest.mark.parametrize("kind", ["own", "named", "sizes", "link", "mode"])
def test_what_the_next_step_changes_before_the_result_is_stored_is_asked_for_when_the_step_ends(stage, kind):
    folder = stage.folder / "read"
    folder.mkdir()
    file, link = folder / "conf.txt", folder / "link"
    file.write_text("1")
    link.symlink_to("conf.txt")
    look = [file.stat().st_mode, 1, 0]
    reads = {
        "own": [["file", str(file), signature(str(file))], ["touched", str(file)]],
        "named": [["argument", str(file)]],
        "sizes": [["list", str(folder), signature(str(folder))], ["entries", str(folder), 1]],
        "link": [["stat", str(link), 0, False, [link.lstat().st_mode, 0, 0]]],
        "mode": [["stat", str(file), 1, True, look]],
    }
    attempt = stage.attempt()
    attempt.launch()
    stage.record_reads(*reads[kind])
    record = attempt.finish(attempt.started("new"), ProcessExit("train", 0))
    record.save(stage.layout.run("run-2"))
    result = attempt.prepare_result(record, {})

    if kind == "link":
        link.unlink()
        link.symlink_to("other.txt")
    elif kind == "mode":
        file.chmod(0o444)
    else:
        file.write_text("of the next step")
    result.store()

    changed = {"sizes": "the files in read", "link": "read/link"}.get(kind, "read/conf.txt")
    assert decided(stage.attempt(run_id="run-3"), forced=False) == (None, f"{changed} changed")


def test_the_time_of_a_step_ends_with_its_process_and_not_when_that_is_seen(stage):
    attempt = stage.attempt()
    attempt.launch()

    assert attempt.finish(attempt.started("new"), ProcessExit("train", 0, at=5.0)).finished == 5.0


def test_a_step_that_left_no_record_of_its_reads_is_not_kept(stage):
    attempt = stage.attempt()
    attempt.launch()

    attempt.prepare_result(attempt.finish(attempt.started("new"), ProcessExit("train", 0)), {}).store()

    reason = "its last run has no record of what it read"
    assert decided(stage.attempt(run_id="run-3"), forced=False) == (None, reason)


def test_why_a_step_runs(stage):
    assert decided(stage.attempt(), forced=False) == (None, "no earlier result")
    assert decided(stage.attempt("last", train=stage.upstream["load"]), forced=False) == (None, "allow_reuse is false")
    assert decided(stage.attempt(), forced=True) == (None, "--force was given")

    _, record = stage.completed()
    assert decided(stage.attempt(), forced=False) == (None, "its earlier result was deleted")
    record.save(stage.layout.run("run-2"))
    assert str(stage.attempt().decide(False).reason) == "reused from run-2"
    assert decided(stage.attempt(), forced=True) == (None, "--force was given")
    (stage.places.output("train_model") / "new").write_text("")
    assert decided(stage.attempt(), forced=False) == (None, "its earlier output 'train_model' was changed")
    (stage.folder / "code/lib.py").write_text("x = 1")
    assert decided(stage.attempt(), forced=False) == (None, "code/lib.py changed")


def test_a_result_that_is_used_instead_becomes_the_latest_of_the_step(stage):
    _, record = stage.completed()
    record.save(stage.layout.run("run-2"))
    (stage.folder / "code/lib.py").write_text("x = 1")
    stage.completed(run_id="run-3")
    (stage.folder / "code/lib.py").write_text("")
    attempt = stage.attempt(run_id="run-4")
    result = attempt.decide(False).result

    attempt.reuse(result, "")

    assert result.run_id == "run-2"
    assert attempt._site.results.of("train").latest == result


def test_data_that_are_not_there_are_said(stage):
    (stage.folder / "data.csv").unlink()

    with pytest.raises(InputMissingError) as caught:
        stage.attempt().decide(False)

    assert str(caught.value) == "dataset 'customers' not found: data.csv"


def test_a_step_whose_files_cannot_be_collected_has_failed_with_the_reason(stage, monkeypatch):
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(source / "model.bin"))

    attempt = stage.attempt()
    attempt.launch()
    (stage.places.work / "outputs" / "model.bin").touch()
    started = attempt.started("new")
    monkeypatch.setattr("azml_tasks.local.run.step_run.merge_tree", refuse)

    record = attempt.finish(started, ProcessExit("train", 0))

    message = f"its outputs cannot be collected: Permission denied: {stage.places.work / 'outputs' / 'model.bin'}"
    assert record == replace(started, status="failed", message=message, exit_code=0, finished=record.finished)


def test_a_step_whose_working_directory_cannot_be_removed_has_completed_all_the_same(stage, monkeypatch):
    def refuse(folder: Path) -> None:
        raise OSError(16, "Device or resource busy", str(folder))

    attempt = stage.attempt()
    attempt.launch()
    monkeypatch.setattr("azml_tasks.local.run.step_run.remove_tree", refuse)

    record = attempt.finish(attempt.started("new"), ProcessExit("train", 0))

    assert (record.status, record.message) == ("completed", "")
    assert stage.places.work.exists()


def test_a_step_whose_input_was_deleted_while_it_ran_has_failed(stage):
    attempt = stage.attempt()
    attempt.launch()
    remove_tree(stage.upstream["merge"].places.output("merge_output_folder"))

    record = attempt.finish(attempt.started("new"), ProcessExit("train", 0))

    assert (record.status, record.message) == ("failed", "the output of 'merge' was deleted in the meantime")

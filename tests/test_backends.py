"""Every task on every backend: what it asks of the backend, and what it prints of the answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from invoke import Program

from azml_tasks import tasks
from azml_tasks.azure.v1.backend import AzureV1Backend
from azml_tasks.backend import (
    KINDS,
    Backend,
    Change,
    DueRun,
    Exported,
    FinishedRun,
    Forecast,
    Publication,
    Published,
    PublishedPipeline,
    PublishedRun,
    PublishedVersion,
    RedundantSchedule,
    Replaced,
    RunRequest,
    Runs,
    ScheduleChange,
    ScheduleRow,
    Schedules,
    StepForecast,
    StepLog,
    UnsupportedError,
    Watch,
)
from azml_tasks.checks.doctor import Finding
from azml_tasks.local.backend import LocalBackend
from azml_tasks.model.schedule import Schedule
from azml_tasks.reading import load_project
from azml_tasks.runs import records
from azml_tasks.runs.changes.differences import Reason, difference
from azml_tasks.runs.details import RunDetails, StepDetails
from azml_tasks.runs.results.download import StoredFile
from azml_tasks.runs.results.registered import Asset
from azml_tasks.schedule.recurrence import SystemClock
from azml_tasks.tasks import project as chooser
from tests.test_layers import loaded_by

FILE = """\
backend: BACKEND
publish: {name: churn}
schedule: {frequency: Day, time_of_day: '06:00', start_time: '2090-01-01T00:00:00'}
pipeline_parameters: {alpha: 0.5}
datasets: {customers: {datastore_name: raw, path: c.csv, local_path: c.csv}}
datastores: {raw: {container_name: raw, account_name: store, account_key: "${KEY}"}}
steps:
  train: {script_name: train.py, arguments: {--alpha: "${{ parameters.alpha }}"}}
targets: {prod: {tags: {a: b}}, v2: {tags: {a: c}}}
"""
NEXT = datetime(2090, 1, 1, 6, tzinfo=timezone.utc)
NAMES = sorted(chooser.BACKENDS)


class Step(records.StepRecord):
    def metrics(self) -> list[dict[str, Any]]:
        return []


class Run(records.RunRecord[Step]):
    where = "elsewhere"


STEP = Step("train", "completed", started=1.0, finished=3.0)
RUN = Run("r1", "churn", "completed", 1.0, 3.0, (STEP,), url="https://runs/r1")
ROW = ScheduleRow("daily", "s1", "enabled", "every day", "churn", NEXT, None)
REDUNDANT = RedundantSchedule(ROW, "duplicates s2")


class Notes(list[str]):
    """What was asked, in order."""

    def add(self, door: str, *values: object, **named: object) -> None:
        words = [*map(repr, values), *(f"{name}={value!r}" for name, value in named.items())]
        self.append(f"{door}({', '.join(words)})")


class NotedRuns(Runs):
    experiment = "churn"

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def list(self, experiment: str = "", most: int | None = None) -> Any:
        self.notes.add("runs.list", experiment, most)
        return [RUN]

    def find(self, wanted: str | None = None) -> Any:
        self.notes.add("runs.find", wanted)
        return RUN

    def before(self, record: Any) -> Any:
        self.notes.add("runs.before", record.id)
        return replace(RUN, id="r0")

    def details(self, record: Any, *, with_logs: bool = False) -> RunDetails:
        self.notes.add("runs.details", record.id, with_logs=with_logs)
        return RunDetails(record, steps=(StepDetails(STEP),))

    def logs(self, wanted: str | None = None, step: str | None = None) -> Iterator[StepLog]:
        self.notes.add("runs.logs", wanted, step)
        yield StepLog(STEP, ["hello ", "world\n"])

    def follow_logs(self, wanted: str | None = None, step: str | None = None) -> Iterator[records.Event]:
        self.notes.add("runs.follow_logs", wanted, step)
        yield records.StepOutput(STEP, "hello\n")
        yield records.StepFinished(STEP)

    def files(self, record: Any, step: str | None, say: Callable[[str], None]) -> Iterator[StoredFile]:
        self.notes.add("runs.files", record.id, step)
        say("mind this")
        yield StoredFile("train", "a.txt", lambda target: target.write_text("abc") and None)

    def export(self, records: Any, uri: str, secrets: Any, say: Callable[[str], None]) -> Iterator[Exported]:
        self.notes.add("runs.export", [record.id for record in records], uri)
        yield Exported("r1", "https://tracking/1", steps=1, files=2)

    def registered(self, kind: Any, *, every_version: bool = False) -> Any:
        self.notes.add("runs.registered", kind, every_version=every_version)
        return [Asset("churn", 2, tags={"auc": "0.9"})]

    def cancel(self, wanted: str | None = None) -> Any:
        self.notes.add("runs.cancel", wanted)
        return RUN

    def cancelling(self, record: Any) -> str:
        return f"ending {record.id}"


class NotedPublished(Published):
    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def list(self) -> PublishedPipeline:
        self.notes.add("published.list")
        return PublishedPipeline("churn", "https://churn", [PublishedVersion("v1", "default", "scores", "p1", "")])

    def run(self, request: RunRequest, version: str | None = None, *, dry: bool = False) -> PublishedRun:
        self.notes.add("published.run", request.settings, request.experiment, version, dry=dry)
        return PublishedRun("churn", version or "v1", None if dry else RUN)


class NotedSchedules(Schedules):
    name = "daily"

    def __init__(self, project: Any, notes: Notes) -> None:
        super().__init__(project)
        self.notes = notes

    def list(self, *, everything: bool = False) -> Any:
        self.notes.add("schedules.list", everything=everything)
        return [ROW]

    def pause(self, name: str, *, dry: bool) -> Any:
        self.notes.add("schedules.pause", name, dry=dry)
        return [Change("schedule", name or "daily", "disabled", dry=dry)]

    def resume(self, name: str, *, dry: bool) -> Any:
        self.notes.add("schedules.resume", name, dry=dry)
        return [Change("schedule", name or "daily", "already enabled", dry=dry)]

    def redundant(self, *, everything: bool = False) -> Any:
        self.notes.add("schedules.redundant", everything=everything)
        return [REDUNDANT]

    def disable(self, found: Any) -> Any:
        self.notes.add("schedules.disable", [item.row.id for item in found])
        return found

    def replaced(self) -> str:
        self.notes.add("schedules.replaced")
        return ""

    def end_replacement(self) -> None:
        self.notes.add("schedules.end_replacement")

    def check_foreground(self) -> None:
        self.notes.add("schedules.check_foreground")

    def run(self, schedule: Any, clock: Any, most: int | None, watch: Any) -> Iterator[DueRun | FinishedRun]:
        self.notes.add("schedules.run", schedule.frequency, type(clock).__name__, most)
        yield DueRun(NEXT)
        yield FinishedRun(DueRun(NEXT), RUN, "it broke")


class NotedBackend(Backend):
    name = successor = "local"
    notes_of_all = Notes()

    def headline(self) -> str:
        return f"{self._project.file.name} elsewhere"

    def problems(self) -> Any:
        self.notes_of_all.add("problems")
        return ()

    def dataset_problems(self, names: Any) -> Any:
        self.notes_of_all.add("dataset_problems", list(names))
        return ()

    def notes(self) -> Any:
        self.notes_of_all.add("notes")
        return [self._project.problem(("publish",), "mind this")]

    def examine(self) -> Iterator[Finding]:
        self.notes_of_all.add("examine")
        yield Finding("good", "all is here")

    def check_request(self, request: RunRequest) -> None:
        self.notes_of_all.add("check_request")
        super().check_request(request)

    def forecast(self, request: RunRequest, pending: Collection[Change] = ()) -> Forecast:
        self.notes_of_all.add("forecast", request, *(change.name for change in pending))
        reused = StepForecast("prepare", "reused", Reason("same", "reused from r0"))
        runs = StepForecast("train", "runs", Reason.of_changes([difference("setting", "lr", 0.1, 0.2)]))
        return Forecast((reused, runs), ("as far as is known",))

    def run(self, request: RunRequest, watch: Any) -> Any:
        self.notes_of_all.add("run", request)
        return RUN if request.wait else records.RunRecord("r2", "churn", "waiting")

    def register(self, kinds: Any, *, upload: bool, dry: bool, say: Callable[[str], None]) -> Iterator[Change]:
        self.notes_of_all.add("register", *kinds, upload=upload, dry=dry)
        say("working")
        yield Change(kinds[0], "one", "created", "as new", dry, ("mind this",))
        yield Change(kinds[0], "two", "unchanged", dry=dry)

    def unregister_datastore(self, name: str, *, dry: bool) -> Change:
        self.notes_of_all.add("unregister_datastore", name, dry=dry)
        return Change("datastore", name, "removed", dry=dry)

    def publish(self, *, prune: bool, dry: bool) -> Iterator[Change]:
        self.notes_of_all.add("publish", prune=prune, dry=dry)
        yield Publication(name="churn v1", outcome="created", url="https://churn", dry=dry)
        if prune:
            yield Change("version", "churn v0", "disabled", dry=dry)

    def replace_schedule(self, replaced: Replaced) -> tuple[Publication | None, ScheduleChange]:
        self.notes_of_all.add("replace_schedule", replaced.target)
        return None, ScheduleChange(name="daily", outcome="updated")

    def missing(self) -> Any:
        self.notes_of_all.add("missing")
        return ()

    def schedule(self, *, run_now: bool, dry: bool) -> tuple[Publication | None, ScheduleChange]:
        self.notes_of_all.add("schedule", run_now=run_now, dry=dry)
        return None, ScheduleChange(name="daily", outcome="updated", dry=dry, notes=("mind this",))

    @property
    def published(self) -> Published:
        return NotedPublished(self.notes_of_all)

    @property
    def schedules(self) -> Schedules:
        return NotedSchedules(self._project, self.notes_of_all)

    @property
    def runs(self) -> Runs:
        return NotedRuns(self.notes_of_all)


def request(settings: tuple[str, ...] = (), **flags: Any) -> str:
    return repr(RunRequest(settings, **flags))


DRY = ("--dry",)
# The words of a command, what it asks, and what it prints.
COMMANDS: list[tuple[str, list[str], str]] = [
    ("runs.list", ["runs.list('churn', 21)"], "RUN  STATUS     STARTED           TIME   EXPERIMENT\nr1   completed  "),
    ("runs.list --experiment x --most 3", ["runs.list('x', 4)"], "RUN  STATUS"),
    (
        "runs.show --run r",
        ["runs.find('r')", "runs.details('r1', with_logs=False)"],
        "run r1 of experiment churn: completed, 2.0 s\n",
    ),
    (
        "runs.compare",
        [
            "runs.find(None)",
            "runs.before('r1')",
            "runs.details('r0', with_logs=False)",
            "runs.details('r1', with_logs=False)",
        ],
        "r0",
    ),
    (
        "runs.report",
        [
            "runs.find(None)",
            "runs.before('r1')",
            "runs.details('r1', with_logs=True)",
            "runs.details('r0', with_logs=False)",
        ],
        "r1.html\n",
    ),
    ("runs.logs", ["runs.logs(None, None)"], "--- train\nhello world\n"),
    ("runs.logs --follow", ["runs.follow_logs(None, None)"], "train | hello\ntrain: completed after 2.0 s\n"),
    ("runs.logs --follow --step train", ["runs.follow_logs(None, 'train')"], "hello\n"),
    ("runs.logs --run r --step train", ["runs.logs('r', 'train')"], "hello world\n"),
    ("runs.cancel --run r", ["runs.cancel('r')"], "ending r1\n"),
    ("run", ["check_request()", "problems()", f"run({request()})"], "pipeline.yaml elsewhere\n"),
    (
        "run --set alpha=0.7 --only train --experiment x --force",
        [
            "check_request()",
            "problems()",
            f"run({request(('alpha=0.7',), only='train', experiment='x', force=True)})",
        ],
        "pipeline.yaml elsewhere\n",
    ),
    (
        "run --no-wait --from-step train",
        ["check_request()", "problems()", f"run({request(from_step='train', wait=False)})"],
        "pipeline.yaml elsewhere\ncheck its progress with `invoke runs.show --run r2`\n",
    ),
    (
        "--dry run",
        ["check_request()", "problems()", f"forecast({request()})"],
        "pipeline.yaml elsewhere\nprepare  REUSE  from r0\ntrain    RUN    lr 0.1 -> 0.2\nnote: as far as is known\n",
    ),
    (
        "plan --force",
        [
            "check_request()",
            f"register({', '.join(map(repr, KINDS))}, upload=False, dry=True)",
            "publish(prune=False, dry=True)",
            "schedule(run_now=False, dry=True)",
            "problems()",
            f"forecast({request(force=True)}, 'one')",
        ],
        "pipeline.yaml elsewhere\n"
        "\nregister\n  working\n  environment one: would be created (as new)\n  note: mind this\n"
        "  environment two: unchanged\n"
        "\npublish\n  churn v1: would be created\n"
        "\nschedule\n  schedule daily: would be updated\n    every day at 06:00, UTC\n  note: mind this\n"
        "\nrun\n  prepare  REUSE  from r0\n  train    RUN    lr 0.1 -> 0.2\n  note: as far as is known\n",
    ),
    (
        "register --upload",
        [f"register({', '.join(map(repr, KINDS))}, upload=True, dry=False)"],
        "working\nenvironment one: created (as new)\nnote: mind this\nenvironment two: unchanged\n",
    ),
    (
        "--dry register-env",
        ["register('environment', upload=False, dry=True)"],
        "working\nenvironment one: would be created (as new)\nnote: mind this\nenvironment two: unchanged\n",
    ),
    ("register-datastore", ["register('datastore', upload=False, dry=False)"], "working\ndatastore one: created"),
    ("register-csv --upload", ["register('dataset', upload=True, dry=False)"], "working\ndataset one: created"),
    ("register-compute", ["register('compute', upload=False, dry=False)"], "working\ncompute one: created"),
    ("unregister-datastore raw", ["unregister_datastore('raw', dry=False)"], "datastore raw: removed\n"),
    ("--dry unregister-datastore raw", ["unregister_datastore('raw', dry=True)"], "datastore raw: would be removed\n"),
    (
        "publish --prune",
        ["publish(prune=True, dry=False)"],
        "churn v1: created\nchurn v0: disabled\nrun it with `invoke published.run`, or with a POST to https://churn\n",
    ),
    (
        "--dry publish",
        ["publish(prune=False, dry=True)"],
        "churn v1: would be created\n",
    ),
    ("published.list", ["published.list()"], "churn: https://churn\n  v1            default   scores\n"),
    (
        "published.run --set alpha=1 --experiment x --version v0",
        ["published.run(('alpha=1',), 'x', 'v0', dry=False)"],
        "run r1 of churn v0, experiment churn\nhttps://runs/r1\n",
    ),
    ("--dry published.run", ["published.run((), None, None, dry=True)"], "would run churn v1\n"),
    (
        "schedule --run-now",
        ["schedule(run_now=True, dry=False)", "published.run((), None, None, dry=False)"],
        "schedule daily: updated\n  every day at 06:00, UTC\nnote: mind this\n"
        "run r1 of v1, experiment churn\nhttps://runs/r1\n",
    ),
    (
        "--dry schedule --run-now",
        ["schedule(run_now=True, dry=True)"],
        "schedule daily: would be updated\n  every day at 06:00, UTC\nnote: mind this\nwould start a run now\n",
    ),
    (
        "schedules.list --all",
        ["schedules.list(everything=True)"],
        "enabled   daily: every day; next Sun 2090-01-01 06:00 UTC; runs churn (s1)\n",
    ),
    (
        "schedules.pause --name x",
        ["schedules.pause('x', dry=False)"],
        "schedule x: disabled\n"
        "enable it with `invoke schedules.resume`, or keep it disabled with `enabled: false` in pipeline.yaml\n",
    ),
    ("schedules.resume", ["schedules.resume('', dry=False)"], "schedule daily: already enabled\n"),
    (
        "schedules.prune --yes",
        ["schedules.redundant(everything=False)", "schedules.disable(['s1'])"],
        "daily (s1): duplicates s2\n1 schedule disabled\n",
    ),
    (
        "--dry schedules.prune --all",
        ["schedules.redundant(everything=True)"],
        "daily (s1): duplicates s2\n1 schedule would be disabled\n",
    ),
    (
        "schedules.run --most 1",
        ["schedules.check_foreground()", "schedules.run('Day', 'SystemClock', 1)"],
        "every day at 06:00, UTC; stop with Ctrl-C\nnext run: Sun 2090-01-01 06:00 UTC\n"
        "Sun 2090-01-01 06:00 UTC: starting a run\nit broke\n",
    ),
    (
        "--dry schedules.run --most 1",
        ["schedules.check_foreground()"],
        "would run the pipeline in the foreground:\nevery day at 06:00, UTC\n  Sun 2090-01-01 06:00 UTC\n",
    ),
    ("schedules.preview --count 1", [], "every day at 06:00, UTC\n  Sun 2090-01-01 06:00 UTC\n"),
    ("validate", ["notes()"], "pipeline.yaml:7: note: mind this\n"),
    ("graph", [], "train"),
    ("snapshot", [], "train:\n  1 file, "),
    ("lock", [], "no environments in pipeline.yaml\n"),
    ("doctor", ["examine()"], "ok    all is here\n"),
    ("--dry new-step score --dataset customers", ["dataset_problems(['customers'])", *["problems()"] * 6], "would add"),
    (
        "runs.download --step train --to got",
        ["runs.find(None)", "runs.files('r1', 'train')"],
        "train: 1 file, 3 B\nwrote 1 file to got\n",
    ),
    (
        "runs.export --mlflow http://tracking --run r1",
        ["runs.find('r1')", "runs.export(['r1'], 'http://tracking')"],
        "r1: sent (1 step, 2 files): https://tracking/1\n",
    ),
    (
        "models.list",
        ["runs.registered('model', every_version=False)"],
        "NAME   VERSION  TAGS\nchurn  2        auc=0.9\n",
    ),
    ("datasets.list --versions --json", ["runs.registered('dataset', every_version=True)"], '"name": "churn"'),
    (
        "migrate --from prod --to v2 --yes",
        [
            *["schedules.list(everything=False)"] * 2,
            *[f"register({', '.join(map(repr, KINDS))}, upload=False, dry=True)"] * 2,
            *("publish(prune=False, dry=True)", "schedule(run_now=False, dry=True)"),
            *["published.list()"] * 2,
            *("notes()", "problems()", "schedules.replaced()", "missing()", "replace_schedule('prod')"),
            *("schedules.list(everything=False)", "schedules.pause('', dry=False)", "schedules.end_replacement()"),
        ],
        "\nmove\n  schedule daily: updated\n  the schedule is enabled on prod and v2\n"
        "  the schedule is enabled on v2 only\n  note: set `schedule: {enabled: false}` in the target prod;",
    ),
    ("runs.prune", [], "nothing to delete: the newest 5 runs are kept\n"),
    ("--dry export-v2", [], "azureml-v2/"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.py").write_text("print('trained')\n")
    (tmp_path / "c.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)
    for name, value in {"CI": "1", "KEY": "c2VjcmV0", "TZ": "UTC"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("INVOKE_AZML_TARGET", raising=False)
    return tmp_path


def write(folder: Path, backend: str) -> Path:
    needed = "ws_name: churn-ws\nresource_group: g\nenv_name: e\ncompute_name: cpu\n"
    needed += "subscription_id: 6f0cdd21-1111-4222-8333-944445555666\n"
    file = folder / "pipeline.yaml"
    file.write_text(needed + FILE.replace("BACKEND", backend))
    return file


@pytest.mark.parametrize("backend", NAMES)
@pytest.mark.parametrize(("words", "asked", "printed"), COMMANDS, ids=[words for words, _, _ in COMMANDS])
def test_a_task_calls_each_backend_alike_and_prints_its_answers(
    folder, monkeypatch, capsys, backend, words, asked, printed
):
    write(folder, backend)
    notes = Notes()
    monkeypatch.setattr(NotedBackend, "notes_of_all", notes)
    monkeypatch.setattr(chooser, "BACKENDS", dict.fromkeys(NAMES, lambda: NotedBackend))

    Program(namespace=tasks.namespace).run(["invoke", *words.split()], exit=False)

    out = capsys.readouterr().out
    assert notes == asked, out
    assert printed in out


def test_the_table_of_commands_has_every_task():
    names = {name for words, _, _ in COMMANDS for name in words.split() if not name.startswith("-")}

    assert set(tasks.namespace.task_names) - names == set()


@pytest.mark.parametrize(("name", "kind"), [("azure", AzureV1Backend), ("local", LocalBackend)])
def test_a_backend_is_chosen_by_its_name_in_the_file(folder, name, kind):
    assert type(chooser.backend_of(load_project(write(folder, name)))) is kind


DOORS: dict[str, Callable[[Backend], object]] = {
    "register_datastore": lambda one: one.register(("datastore",), upload=False, dry=False, say=print),
    "register_compute": lambda one: one.register(("compute",), upload=False, dry=False, say=print),
    "unregister_datastore": lambda one: one.unregister_datastore("raw", dry=False),
    "publish": lambda one: one.publish(prune=False, dry=False),
    "published": lambda one: one.published,
    "schedule": lambda one: one.schedule(run_now=False, dry=False),
    "schedules.list": lambda one: one.schedules.list(),
    "schedules.pause": lambda one: one.schedules.pause("", dry=False),
    "schedules.resume": lambda one: one.schedules.resume("", dry=False),
    "schedules.redundant": lambda one: one.schedules.redundant(),
    "schedules.disable": lambda one: one.schedules.disable([]),
    "schedules.check_foreground": lambda one: one.schedules.check_foreground(),
    "run --only": lambda one: one.check_request(RunRequest(only="train")),
    "run --from-step": lambda one: one.check_request(RunRequest(from_step="train")),
    "runs.prune": lambda one: one.runs.prune(5, dry=True),
}
ELSEWHERE = "select a target with backend azure or azure-v2: --target NAME"
NO_DATASTORES = (
    "with the backend local, datastores are not used, because local runs read each dataset's local_path; " + ELSEWHERE
)
NO_PUBLISHING = f"the backend local cannot publish pipelines; {ELSEWHERE}"
NO_SCHEDULES = (
    "the backend local does not store schedules; show the next times with `invoke schedules.preview`, run them in the "
    f"foreground with `invoke schedules.run`, or {ELSEWHERE}"
)
NO_SELECTION = "--from-step and --only work only in local runs; on Azure ML, unchanged steps are reused anyway"
REFUSED = {
    "local": {
        "register_datastore": NO_DATASTORES,
        "register_compute": "with the backend local, computes are not used, because local runs use this machine; "
        + ELSEWHERE,
        "unregister_datastore": NO_DATASTORES,
        "publish": NO_PUBLISHING,
        "published": NO_PUBLISHING,
        "schedule": "the backend local does not store schedules; run this one with `invoke schedules.run`",
        **dict.fromkeys([door for door in DOORS if door.startswith("schedules.")][:-1], NO_SCHEDULES),
    },
    "azure": {
        "schedules.check_foreground": "schedules.run is for the backend local, because Azure ML runs its schedules "
        "itself; start a run now with `invoke published.run`",
        "run --only": NO_SELECTION,
        "run --from-step": NO_SELECTION,
        "runs.prune": "runs can only be deleted on this machine",
    },
}


@pytest.mark.parametrize(
    ("backend", "door", "sentence"),
    [(name, door, sentence) for name, doors in REFUSED.items() for door, sentence in doors.items()],
)
def test_what_a_backend_has_not_is_refused_with_its_sentence(folder, backend, door, sentence):
    made = chooser.backend_of(load_project(write(folder, backend)))

    with pytest.raises(UnsupportedError) as caught:
        DOORS[door](made)

    assert (str(caught.value), caught.value.exit_status) == (sentence, 2)


def test_a_backend_that_runs_its_own_schedules_refuses_to_run_one_in_the_foreground(folder):
    project = load_project(write(folder, "azure"))

    with pytest.raises(UnsupportedError) as caught:
        chooser.backend_of(project).schedules.run(Schedule(frequency="Day"), SystemClock(), 1, Watch())

    assert str(caught.value) == REFUSED["azure"]["schedules.check_foreground"]


@pytest.mark.parametrize("door", sorted(set(DOORS) - set(REFUSED["local"])))
def test_the_local_backend_opens_the_other_doors(folder, door):
    DOORS[door](chooser.backend_of(load_project(write(folder, "local"))))


@pytest.mark.parametrize("module", ["azml_tasks.local.backend", "azml_tasks.azure.v1.backend"])
def test_making_a_backend_imports_nothing_of_what_it_can_do(module):
    heavy = ("azureml", "pydantic", "yaml", "azml_tasks.model", "azml_tasks.reading", "azml_tasks.snapshot")
    parts = ("azml_tasks.local.run", "azml_tasks.local.store", "azml_tasks.azure.v1.client", "azml_tasks.checks")

    assert loaded_by(f"import {module}", *heavy, *parts) == []

"""The backend on this machine: the methods of `backend.py`, each calling the module that does the work."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.backend import (
    Backend,
    Change,
    DueRun,
    Exported,
    FinishedRun,
    Forecast,
    Kind,
    Run,
    RunRequest,
    Runs,
    Schedules,
    StepLog,
    UnsupportedError,
    Watch,
)
from azml_tasks.errors import Problem, ProjectError, UsageError
from azml_tasks.text import listed, some_listed, what_there_is

if TYPE_CHECKING:
    from azml_tasks.checks.doctor import Finding
    from azml_tasks.local.run.processes import Processes
    from azml_tasks.local.store.records import LocalRunRecord
    from azml_tasks.model.schedule import Schedule
    from azml_tasks.runs.details import RunDetails
    from azml_tasks.runs.records import Event, Pruned
    from azml_tasks.runs.results.download import StoredFile
    from azml_tasks.runs.results.registered import Asset, AssetKind
    from azml_tasks.schedule.recurrence import Clock

# Why the other kinds have no use on this machine.
_UNUSED: dict[Kind, str] = {
    "datastore": "datastores are not used, because local runs read each dataset's local_path",
    "compute": "computes are not used, because local runs use this machine",
}


class LocalRuns(Runs):
    """The runs in a project's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._damaged: builtins.list[str] = []

    def unreadable(self) -> str:
        if not self._damaged:
            return ""
        records = "its record is" if len(self._damaged) == 1 else "their records are"
        return f"skipped {some_listed(self._damaged)}: {records} damaged or from another release"

    def list(self, experiment: str = "", most: int | None = None) -> Sequence[Run]:
        from azml_tasks.local.runs import list_runs

        self._damaged.clear()
        return list_runs(self._folder, experiment, most, self._damaged)

    def find(self, wanted: str | None = None) -> Run:
        return self._find(wanted)

    def _find(self, wanted: str | None) -> LocalRunRecord:
        from azml_tasks.local.runs import find_run

        if wanted:
            return find_run(self._folder, wanted)
        self._damaged.clear()
        return find_run(self._folder, damaged=self._damaged)

    def details(self, record: Run, *, with_logs: bool = False) -> RunDetails:
        from azml_tasks.local.details import run_details
        from azml_tasks.local.store.records import LocalRunRecord

        assert isinstance(record, LocalRunRecord)
        return run_details(record, with_logs=with_logs)

    def files(self, record: Run, step: str | None, say: Callable[[str], None]) -> Iterator[StoredFile]:
        from azml_tasks.local.details import stored_files
        from azml_tasks.local.store.records import LocalRunRecord

        assert isinstance(record, LocalRunRecord)
        _check_step(record, step)
        return stored_files(record, step, say)

    def export(
        self, records: Iterable[Run], uri: str, secrets: Iterable[str], say: Callable[[str], None]
    ) -> Iterator[Exported]:
        from azml_tasks.local.export import Exporter

        exporter = Exporter(uri, secrets, say)
        return (exporter.export(self.details(record)) for record in records)

    def registered(self, kind: AssetKind, *, every_version: bool = False) -> Sequence[Asset]:
        from azml_tasks.local.registered import datasets, models
        from azml_tasks.runs.results.registered import latest

        found = (models if kind == "model" else datasets)(self._folder)
        return found if every_version else latest(found)

    def logs(self, wanted: str | None = None, step: str | None = None) -> Iterator[StepLog]:
        from azml_tasks.local.logs import read_log

        record = self._run_with(wanted, step)
        return (
            StepLog(one, read_log(one), is_deleted=one.ok and not one.places.log.exists())
            for one in record.steps
            if step in (None, one.key)
        )

    def follow_logs(self, wanted: str | None = None, step: str | None = None) -> Iterator[Event]:
        from azml_tasks.local.logs import follow_logs

        return follow_logs(self._folder, self._run_with(wanted, step), step)

    def _run_with(self, wanted: str | None, step: str | None) -> LocalRunRecord:
        """Return a run. Raises what `find` raises, and UsageError if it has no such step."""
        record = self._find(wanted)
        _check_step(record, step)
        return record

    def cancel(self, wanted: str | None = None) -> Run:
        from azml_tasks.local.runs import cancel_run

        return cancel_run(self._folder, wanted)

    def cancelling(self, record: Run) -> str:
        return f"Stopping run {record.id}"

    def prune(self, keep: int, size: int | None = None, *, dry: bool) -> Pruned:
        from azml_tasks.local.prune import prune

        return prune(self._folder, keep, size, dry=dry)


def _check_step(record: Run, step: str | None) -> None:
    keys = [one.key for one in record.steps]
    if step is not None and step not in keys:
        raise UsageError(f"run {record.id} has no step '{step}'{what_there_is(step, keys)}")


class LocalSchedules(Schedules):
    """A schedule that lives as long as the command in the foreground."""

    def check_foreground(self) -> None:
        pass

    def run(self, schedule: Schedule, clock: Clock, most: int | None, watch: Watch) -> Iterator[DueRun | FinishedRun]:
        from azml_tasks.local.schedule import run_when_due

        return run_when_due(self._project, schedule, clock, on_event=watch.listener, tick=watch.tick, most=most)


class LocalBackend(Backend):
    """Runs steps as processes of this machine."""

    name = "local"
    publishes = False

    @classmethod
    def runs_in(cls, folder: Path) -> Runs:
        return LocalRuns(folder)

    def check_request(self, request: RunRequest) -> None:
        super().check_request(request)
        if request.debugger and not request.only:
            raise UsageError("--pdb and --debugpy need --only STEP: a debugger runs one step")

    def headline(self) -> str:
        target = f", target {self._project.target}" if self._project.target else ""
        return f"{self._project.file.name} on this machine (backend local{target})"

    def dataset_problems(self, names: Iterable[str]) -> Sequence[Problem]:
        declared = self._project.pipeline.datasets
        problems = []
        for name in names:
            if name not in declared:
                message = f"the file has no dataset '{name}'{what_there_is(name, declared)}"
                problems.append(self._project.problem(("datasets",), message))
            elif declared[name].local_path is None:
                message = f"dataset '{name}' has no local_path, which a local run needs"
                problems.append(self._project.problem(("datasets", name), message))
        return problems

    def steps_in_this_python(self) -> Collection[str]:
        from azml_tasks.local.step.local_run import steps_in_this_python
        from azml_tasks.local.store.paths import ProjectPaths

        # An unreadable conda file is reported with the file.
        with suppress(ProjectError):
            return steps_in_this_python(self._project.plan, ProjectPaths.of(self._project.directory))
        return ()

    def examine(self) -> Iterator[Finding]:
        from azml_tasks.checks.doctor import Finding
        from azml_tasks.local.register import missing_pythons

        # An unreadable conda file is reported with the file.
        with suppress(ProjectError):
            yield from (Finding("note", str(problem)) for problem in missing_pythons(self._project))

    def forecast(self, request: RunRequest, pending: Collection[Change] = ()) -> Forecast:
        from azml_tasks.local.run.runner import forecast

        project = self._project.with_settings(request.settings)
        found = forecast(
            project.plan,
            project.directory,
            experiment=request.experiment,
            parameters=project.pipeline.pipeline_parameters,
            from_step=request.from_step,
            only=request.only,
            force=request.force,
            origin=self.origin(request),
            located=project.problem,
            say=self.progress,
        )
        return found._replace(notes=(*found.notes, *self._without_effect(request), *self._notes_on(pending)))

    def _without_effect(self, request: RunRequest) -> Iterator[str]:
        """Yield a note on each setting of steps that --only and --from-step leave out."""
        plan, first = self._project.plan, request.only or request.from_step or ""
        if not request.settings or first not in plan.by_key:
            return
        from azml_tasks.reading.overrides import steps_with

        running = {first} if request.only else {first, *plan.downstream(first)}
        flag = f"--only {first}" if request.only else f"--from-step {first}"
        for setting in request.settings:
            steps = sorted(steps_with(plan, setting))
            if running.isdisjoint(steps):
                several = len(steps) > 1
                left_out = (
                    f"step{'s' if several else ''} {listed(steps)} {'do' if several else 'does'} not run with {flag}"
                )
                name = setting.partition("=")[0].strip()
                yield f"--set {name} has no effect: {left_out if steps else 'no step uses it'}"

    def _notes_on(self, pending: Collection[Change]) -> tuple[str, ...]:
        """Return a note on environments that change before a run: their steps then run in another Python."""
        changed = [change.name for change in pending if change.kind == "environment" and change.is_made]
        if not changed:
            return ()
        names = f"environment{'s' if len(changed) > 1 else ''} {listed(changed)}"
        return (f"after `invoke register-env`, the steps in the {names} run again",)

    def run(self, request: RunRequest, watch: Watch) -> Run:
        project = self._project.with_settings(request.settings)
        from azml_tasks.local.run.processes import processes_for

        # First, so that it starts while the rest is imported.
        processes = _debugged(request) or processes_for(project.pipeline, project.directory, forced=request.force)
        if request.settings:
            from azml_tasks.runs.records import Remark

            for note in self._without_effect(request):
                watch.listener(Remark(note))
        from azml_tasks.local.run.failure import raise_for_status
        from azml_tasks.local.run.runner import run_pipeline

        record = run_pipeline(
            project.plan,
            project.directory,
            experiment=request.experiment,
            parameters=project.pipeline.pipeline_parameters,
            from_step=request.from_step,
            only=request.only,
            force=request.force,
            on_event=watch.listener,
            tick=watch.tick,
            processes=processes,
            origin=self.origin(request),
            located=project.problem,
        )
        raise_for_status(record, project)
        self._note_data(record, watch)
        return record

    def _note_data(self, record: LocalRunRecord, watch: Watch) -> None:
        """Report what `validate` notes on the data that steps of a completed run have read."""
        ran = {step.key for step in record.steps if step.status == "completed"}
        steps = [step.step for key, step in self._project.plan.by_key.items() if key in ran]
        names = dict.fromkeys(name for step in steps for name in step.input_datasets.values() if isinstance(name, str))
        if names:
            from azml_tasks.checks.data import data_notes
            from azml_tasks.runs.records import Remark

            for note in data_notes(self._project, names):
                watch.listener(Remark(str(note)))

    def register(
        self, kinds: Collection[Kind], *, upload: bool, dry: bool, say: Callable[[str], None]
    ) -> Iterator[Change]:
        if _UNUSED.keys() >= set(kinds):
            raise self._unused(next(iter(kinds)))
        if upload:
            say("note: --upload is ignored with the backend local, because local runs read each dataset's local_path")
        from azml_tasks.local.register import register

        return register(self._project, kinds, dry, say, self.progress)

    def unregister_datastore(self, name: str, *, dry: bool) -> Change:
        raise self._unused("datastore")

    def _unused(self, kind: Kind) -> UnsupportedError:
        return UnsupportedError(
            f"with the backend local, {_UNUSED[kind]}; select a target with backend azure or azure-v2: --target NAME"
        )

    @property
    def schedules(self) -> Schedules:
        return LocalSchedules(self._project)

    @property
    def runs(self) -> Runs:
        return LocalRuns(self._project.directory)


def _debugged(request: RunRequest) -> Processes | None:
    """Return the process of a run with a debugger, if it has one."""
    if not request.debugger:
        return None
    from azml_tasks.local.run.debugging import DebuggedProcess, Debugger

    _, _, port = request.debugger.partition(":")
    return DebuggedProcess(Debugger(int(port or 0)))

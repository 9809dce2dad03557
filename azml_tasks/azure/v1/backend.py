"""The backend Azure ML v1: the methods of `backend.py`, each calling the module that does the work."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

from azml_tasks.azure.backend import AzureBackend, AzureRuns
from azml_tasks.backend import (
    Change,
    Forecast,
    Kind,
    Publication,
    Published,
    PublishedPipeline,
    PublishedRun,
    RedundantSchedule,
    Run,
    RunRequest,
    Runs,
    ScheduleChange,
    ScheduleRow,
    Schedules,
    StepLog,
    Watch,
)
from azml_tasks.errors import AzmlError, Problem

if TYPE_CHECKING:
    from azml_tasks.checks.doctor import Finding
    from azml_tasks.reading import Project
    from azml_tasks.runs.details import RunDetails
    from azml_tasks.runs.records import Event
    from azml_tasks.runs.results.download import StoredFile
    from azml_tasks.runs.results.registered import Asset, AssetKind


class Connection:
    """The workspace of a project, opened when it is first needed."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @cached_property
    def workspace(self) -> Any:
        """The SDK's workspace. Raises ProjectError, LoginError, ServiceError."""
        from azml_tasks.azure.v1.client.connection import connect

        return connect(self.project)


class AzureV1Runs(AzureRuns[Connection]):
    """The runs of a project's experiment in the workspace."""

    def list(self, experiment: str = "", most: int | None = None) -> Sequence[Run]:
        from azml_tasks.azure.v1.runs.runs import list_runs

        return list_runs(self._connection.workspace, experiment or self.experiment, most)

    def find(self, wanted: str | None = None) -> Run:
        from azml_tasks.azure.v1.runs.runs import find_run

        return find_run(self._connection.workspace, self.experiment, wanted, self._connection.project.plan)

    def with_steps(self, records: Sequence[Run]) -> Sequence[Run]:
        from azml_tasks.azure.records import AzureRunRecord
        from azml_tasks.azure.v1.runs.runs import with_steps

        own = [record for record in records if isinstance(record, AzureRunRecord)]
        return with_steps(self._connection.workspace, own, self._connection.project.plan)

    def details(self, record: Run, *, with_logs: bool = False) -> RunDetails:
        from azml_tasks.azure.records import AzureRunRecord
        from azml_tasks.azure.v1.runs.details import run_details

        assert isinstance(record, AzureRunRecord)
        return run_details(self._connection.workspace, record, self._connection.project.plan, with_logs=with_logs)

    def files(self, record: Run, step: str | None, say: Callable[[str], None]) -> Iterator[StoredFile]:
        from azml_tasks.azure.records import AzureRunRecord, check_step
        from azml_tasks.azure.v1.runs.files import stored_files

        assert isinstance(record, AzureRunRecord)
        if step is not None:
            check_step(record.id, record.steps, step)
        return stored_files(self._connection.workspace, record, step, say)

    def registered(self, kind: AssetKind, *, every_version: bool = False) -> Sequence[Asset]:
        from azml_tasks.azure.v1.runs.registered import datasets, models

        ws = self._connection.workspace
        return (
            models(ws, every_version) if kind == "model" else datasets(ws, self._connection.project.plan, every_version)
        )

    def logs(self, wanted: str | None = None, step: str | None = None) -> Iterator[StepLog]:
        from azml_tasks.azure.v1.runs.runs import read_logs

        found = read_logs(self._connection.workspace, self.experiment, wanted, step, self._connection.project.plan)
        return (StepLog(log.step, (log.text,)) for log in found)

    def follow_logs(self, wanted: str | None = None, step: str | None = None) -> Iterator[Event]:
        from azml_tasks.azure.v1.runs.runs import follow_logs

        project = self._connection.project
        return follow_logs(self._connection.workspace, self.experiment, wanted, step, project.plan)

    def cancel(self, wanted: str | None = None) -> Run:
        from azml_tasks.azure.v1.runs.runs import cancel_run

        return cancel_run(self._connection.workspace, self.experiment, wanted)


class AzurePublished(Published):
    """The published pipelines of the project's name, and their endpoint."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> PublishedPipeline:
        ws = self._connection.workspace
        from azml_tasks.azure.published import published_name
        from azml_tasks.azure.v1.publish.published import list_versions

        name = published_name(self._connection.project)
        return PublishedPipeline(name, *list_versions(ws, name))

    def run(self, request: RunRequest, version: str | None = None, *, dry: bool = False) -> PublishedRun:
        from azml_tasks.azure.published import published_name
        from azml_tasks.azure.v1.publish.published import relaunch

        project, ws = self._connection.project, self._connection.workspace
        name = published_name(project)
        settings, experiment = request.settings, request.experiment
        done, record = relaunch(project, ws, settings=settings, experiment=experiment, version=version, dry=dry)
        return PublishedRun(name, done, record)


class AzureSchedules(Schedules):
    """The schedules of the workspace."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.project)
        self._connection = connection

    @property
    def name(self) -> str:
        from azml_tasks.azure.published import schedule_name

        return schedule_name(self._project)

    def list(self, *, everything: bool = False) -> Sequence[ScheduleRow]:
        return self._rows(everything)

    def pause(self, name: str, *, dry: bool) -> Sequence[Change]:
        from azml_tasks.azure.v1.schedules.manage import pause

        switched = pause(self._project, self._connection.workspace, name, dry)
        if not switched:
            return [Change("schedule", name or self.name, "already disabled", dry=dry)]
        return [Change("schedule", record.name, "disabled", dry=dry) for record in switched]

    def resume(self, name: str, *, dry: bool) -> Sequence[Change]:
        from azml_tasks.azure.v1.schedules.manage import resume

        record, was_off = resume(self._project, self._connection.workspace, name, dry)
        return [Change("schedule", record.name, "enabled" if was_off else "already enabled", dry=dry)]

    def redundant(self, *, everything: bool = False) -> Sequence[RedundantSchedule]:
        from azml_tasks.azure.v1.schedules.manage import redundant

        return redundant(self._rows(everything))

    def disable(self, found: Iterable[RedundantSchedule]) -> Sequence[RedundantSchedule]:
        from azml_tasks.azure.v1.schedules.manage import disable

        return disable(self._connection.workspace, found)

    def _rows(self, everything: bool) -> Sequence[Any]:
        from azml_tasks.azure.published import published_name
        from azml_tasks.azure.v1.schedules.manage import list_schedules

        ws = self._connection.workspace
        only = {} if everything else {"pipeline": published_name(self._project), "name": self.name}
        return list_schedules(ws, datetime.now(timezone.utc), **only)


class AzureV1Backend(AzureBackend):
    """Runs pipelines in a workspace of Azure ML, with its SDK v1."""

    name = "azure"
    successor = "azure-v2"

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._connection = Connection(project)

    def notes(self) -> Sequence[Problem]:
        from azml_tasks.checks.azure import publishing_problems

        return publishing_problems(self._project)

    def examine(self) -> Iterator[Finding]:
        from azml_tasks.azure.v1.doctor import examine_workspace

        return examine_workspace(self._project)

    def forecast(self, request: RunRequest, pending: Collection[Change] = ()) -> Forecast:
        from azml_tasks.azure.forecast import without_runs
        from azml_tasks.azure.sent import sent_to
        from azml_tasks.azure.v1.forecast import forecast
        from azml_tasks.checks.contract import checked_snapshots

        project = self._project.with_settings(request.settings)
        snapshots = checked_snapshots(project)
        if not sent_to(project.directory, project.pipeline):
            return without_runs(project, request)
        return forecast(project, self._connection.workspace, snapshots, request, pending)

    def run(self, request: RunRequest, watch: Watch) -> Run:
        ws = self._connection.workspace
        from azml_tasks.azure.v1.submit import run

        return run(
            self._project,
            ws,
            experiment=request.experiment,
            settings=request.settings,
            force=request.force,
            wait=request.wait,
            watch=watch,
            origin=self.origin(request),
        )

    def register(
        self, kinds: Collection[Kind], *, upload: bool, dry: bool, say: Callable[[str], None]
    ) -> Iterator[Change]:
        if "environment" in kinds:
            from azml_tasks.checks.azure import check_environments

            check_environments(self._project)
        from azml_tasks.azure.v1.register import register

        return register(self._connection.workspace, self._project, kinds, upload, dry)

    def unregister_datastore(self, name: str, *, dry: bool) -> Change:
        from azml_tasks.azure.v1.resources.datastores import unregister_datastore

        return unregister_datastore(self._connection.workspace, name, dry)

    def publish(self, *, prune: bool, dry: bool) -> Iterator[Change]:
        ws = self._connection.workspace
        from azml_tasks.azure.v1.prune import disable_versions, unused_versions
        from azml_tasks.azure.v1.publish.publication import publish

        done = publish(self._project, ws, dry)
        yield done
        if prune:
            # With --dry, the version of this content may not be the default yet.
            unused = [item for item in unused_versions(ws, done.name) if item.version != done.version]
            for item in unused if dry else disable_versions(ws, done.name, unused):
                yield Change("version", f"{done.name} {item.version}", "disabled", dry=dry)

    def schedule(self, *, run_now: bool, dry: bool) -> tuple[Publication | None, ScheduleChange]:
        from azml_tasks.azure.v1.schedules.reconcile import schedule
        from azml_tasks.schedule.checks import declared_schedule

        asked = declared_schedule(self._project)
        if run_now and not asked.enabled:
            raise AzmlError(
                "--run-now: the schedule is disabled (`enabled: false`); start a run with `invoke published.run`"
            )
        return schedule(self._project, self._connection.workspace, dry=dry)

    @property
    def published(self) -> Published:
        return AzurePublished(self._connection)

    @property
    def schedules(self) -> Schedules:
        return AzureSchedules(self._connection)

    @property
    def runs(self) -> Runs:
        return AzureV1Runs(self._connection)

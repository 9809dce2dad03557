"""The backend on Azure ML v2, through Microsoft's client for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING

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
    Replaced,
    Run,
    RunRequest,
    Runs,
    ScheduleChange,
    ScheduleRow,
    Schedules,
    StepLog,
    Trial,
    Watch,
)
from azml_tasks.errors import AzmlError, Problem, ProjectError

if TYPE_CHECKING:
    from azml_tasks.azure.v2.client.connection import Client
    from azml_tasks.checks.doctor import Finding
    from azml_tasks.reading import Project
    from azml_tasks.runs.details import RunDetails
    from azml_tasks.runs.records import Event
    from azml_tasks.runs.results.download import StoredFile
    from azml_tasks.runs.results.registered import Asset, AssetKind
    from azml_tasks.snapshot import Snapshot


class Connection:
    """The workspace of a project, opened when it is first needed."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @cached_property
    def client(self) -> Client:
        """The client of the workspace. Raises ProjectError, NotInstalledError."""
        from azml_tasks.azure.v2.client.connection import check_client, connect

        check_client()
        return connect(self.project)


class AzureV2Runs(AzureRuns[Connection]):
    """The runs of a project's experiment in the workspace."""

    tracking_server = "ml_client.workspaces.get(NAME).mlflow_tracking_uri"

    def list(self, experiment: str = "", most: int | None = None) -> Sequence[Run]:
        from azml_tasks.azure.v2.runs import list_runs

        return list_runs(self._connection.client, experiment or self.experiment, most)

    def find(self, wanted: str | None = None) -> Run:
        from azml_tasks.azure.v2.runs import find_run

        return find_run(self._connection.client, self.experiment, wanted, self._connection.project.plan)

    def with_steps(self, records: Sequence[Run]) -> Sequence[Run]:
        from azml_tasks.azure.records import AzureRunRecord
        from azml_tasks.azure.v2.runs import with_steps

        own = [record for record in records if isinstance(record, AzureRunRecord)]
        return with_steps(self._connection.client, own, self._connection.project.plan)

    def details(self, record: Run, *, with_logs: bool = False) -> RunDetails:
        from azml_tasks.azure.records import AzureRunRecord
        from azml_tasks.azure.v2.details import run_details

        assert isinstance(record, AzureRunRecord)
        return run_details(self._connection.client, record, self._connection.project.plan, with_logs=with_logs)

    def logs(self, wanted: str | None = None, step: str | None = None) -> Iterator[StepLog]:
        from azml_tasks.azure.v2.runs import read_logs

        found = read_logs(self._connection.client, self.experiment, wanted, step, self._connection.project.plan)
        return (StepLog(record, (text,) if text else ()) for record, text in found)

    def follow_logs(self, wanted: str | None = None, step: str | None = None) -> Iterator[Event]:
        from azml_tasks.azure.v2.runs import follow_logs

        return follow_logs(self._connection.client, self.experiment, wanted, step, self._connection.project.plan)

    def files(self, record: Run, step: str | None, say: Callable[[str], None]) -> Iterator[StoredFile]:
        from azml_tasks.azure.records import AzureRunRecord, check_step
        from azml_tasks.azure.v2.details import stored_files

        assert isinstance(record, AzureRunRecord)
        if step is not None:
            check_step(record.id, record.steps, step)
        return stored_files(self._connection.client, record, step, say)

    def registered(self, kind: AssetKind, *, every_version: bool = False) -> Sequence[Asset]:
        from azml_tasks.azure.v2.assets import models
        from azml_tasks.azure.v2.data import datasets

        if kind == "model":
            return models(self._connection.client, every_version)
        return datasets(self._connection.client, self._connection.project, every_version)

    def cancel(self, wanted: str | None = None) -> Run:
        from azml_tasks.azure.v2.runs import cancel_run

        return cancel_run(self._connection.client, self.experiment, wanted)


class AzureV2Published(Published):
    """The versions of the component that the pipeline is published as."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> PublishedPipeline:
        from azml_tasks.azure.v2.publish import list_versions, to_publish
        from azml_tasks.export.jobs import published_component

        return list_versions(self._connection.client, published_component(to_publish(self._connection.project)))

    def run(self, request: RunRequest, version: str | None = None, *, dry: bool = False) -> PublishedRun:
        from azml_tasks.azure.v2.publish import run_published, to_publish
        from azml_tasks.export.jobs import published_component

        project, client = self._connection.project, self._connection.client
        done, record = run_published(client, project, request, version, dry)
        return PublishedRun(published_component(to_publish(project)), done, record)


class AzureV2Schedules(Schedules):
    """The schedules of the workspace."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.project)
        self._connection = connection

    def list(self, *, everything: bool = False) -> Sequence[ScheduleRow]:
        from azml_tasks.azure.v2.schedules import list_schedules

        now = datetime.now(timezone.utc)
        return list_schedules(self._connection.client, self._project, now, everything=everything)

    def pause(self, name: str, *, dry: bool) -> Sequence[Change]:
        from azml_tasks.azure.v2.schedules import switched

        return [switched(self._connection.client, self._project, name, on=False, dry=dry)]

    def resume(self, name: str, *, dry: bool) -> Sequence[Change]:
        from azml_tasks.azure.v2.schedules import switched

        return [switched(self._connection.client, self._project, name, on=True, dry=dry)]

    def redundant(self, *, everything: bool = False) -> Sequence[RedundantSchedule]:
        from azml_tasks.azure.v2.schedules import redundant

        return redundant(self._connection.client, self._project, everything=everything)

    @property
    def name(self) -> str:
        from azml_tasks.azure.v2.schedules import schedule_name

        return schedule_name(self._project)

    def replaced(self) -> str:
        from azml_tasks.azure.v2.schedules import own_schedule

        return own_schedule(self._connection.client, self._project, datetime.now(timezone.utc))[1]

    def end_replacement(self) -> None:
        from azml_tasks.azure.v2.schedules import end_replacement

        end_replacement(self._connection.client, self._project)

    def disable(self, found: Iterable[RedundantSchedule]) -> Sequence[RedundantSchedule]:
        from azml_tasks.azure.v2.schedules import disable

        return disable(self._connection.client, found)


class AzureV2Backend(AzureBackend):
    """Runs pipelines in a workspace of Azure ML, with v2."""

    name = "azure-v2"

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._connection = Connection(project)

    def problems(self) -> Sequence[Problem]:
        from azml_tasks.checks.azure import v2_problems

        return v2_problems(self._project)

    def notes(self) -> Sequence[Problem]:
        from azml_tasks.checks.azure import azure_problems
        from azml_tasks.checks.contract import checked_snapshots
        from azml_tasks.export.export import run_remarks

        # Of a project that Azure can run: `validate` has made sure of it.
        return () if azure_problems(self._project) else run_remarks(self._project, checked_snapshots(self._project))

    def examine(self) -> Iterator[Finding]:
        from azml_tasks.azure.v2.doctor.workspace import examine_workspace
        from azml_tasks.checks.doctor import Finding

        with contextlib.suppress(ProjectError):  # of scripts, which the look at the file has found
            yield from (Finding("note", str(note)) for note in self.notes())
        yield from examine_workspace(self._project)

    def trial(self, say: Callable[[str], None]) -> Trial:
        from azml_tasks.azure.v2.doctor.trial import AzureTrial

        self.check()
        return AzureTrial(self._project, self._connection.client, say)

    def forecast(self, request: RunRequest, pending: Collection[Change] = ()) -> Forecast:
        from azml_tasks.azure.forecast import without_runs
        from azml_tasks.azure.sent import sent_to
        from azml_tasks.checks.contract import checked_snapshots

        project = self._project.with_settings(request.settings)
        snapshots = checked_snapshots(project)
        if not sent_to(project.directory, project.pipeline):
            return without_runs(project, request)
        from azml_tasks.azure.v2.documents import documents
        from azml_tasks.azure.v2.forecast import forecast

        with documents(project, snapshots=snapshots) as found:
            return forecast(self._connection.client, found, snapshots, request, pending)

    def run(self, request: RunRequest, watch: Watch) -> Run:
        from azml_tasks.azure.v2.jobs import run

        return run(self._project, self._connection.client, request, watch, self.origin(request))

    def register(
        self, kinds: Collection[Kind], *, upload: bool, dry: bool, say: Callable[[str], None]
    ) -> Iterator[Change]:
        from azml_tasks.azure.v2.documents import documents
        from azml_tasks.azure.v2.register import register
        from azml_tasks.checks.azure import check_environments

        if "environment" in kinds:
            check_environments(self._project)
        client = self._connection.client
        with documents(self._project, [f"{kind}s" for kind in kinds]) as found:
            yield from register(client, found, kinds, upload, dry)

    def unregister_datastore(self, name: str, *, dry: bool) -> Change:
        from azml_tasks.azure.v2.register import unregister_datastore

        return unregister_datastore(self._connection.client, name, dry)

    def publish(self, *, prune: bool, dry: bool) -> Iterator[Change]:
        from azml_tasks.azure.v2.documents import NEEDED_TO_PUBLISH, documents
        from azml_tasks.azure.v2.publish import prune_versions, publish, to_publish
        from azml_tasks.azure.v2.schedules import versions_in_use

        snapshots, client = self._snapshots(), self._connection.client
        with documents(to_publish(self._project), NEEDED_TO_PUBLISH, snapshots) as found:
            done = publish(client, found, dry)
            yield done
        if prune:
            used = versions_in_use(client, done.name)
            yield from prune_versions(client, done.name, {done.version, *used}, dry)

    def schedule(self, *, run_now: bool, dry: bool) -> tuple[Publication | None, ScheduleChange]:
        from azml_tasks.schedule.checks import declared_schedule

        asked = declared_schedule(self._project)
        if run_now and not asked.enabled:
            raise AzmlError(
                "--run-now: the schedule is disabled (`enabled: false`); start a run with `invoke published.run`"
            )
        return self._scheduled(None, dry)

    def replace_schedule(self, replaced: Replaced) -> tuple[Publication | None, ScheduleChange]:
        return self._scheduled(replaced, dry=False)

    def _scheduled(self, replaced: Replaced | None, dry: bool) -> tuple[Publication, ScheduleChange]:
        from azml_tasks.azure.v2.documents import NEEDED_TO_PUBLISH, documents
        from azml_tasks.azure.v2.publish import publish, to_publish
        from azml_tasks.azure.v2.schedules import reconcile

        snapshots, client = self._snapshots(), self._connection.client
        with documents(to_publish(self._project), NEEDED_TO_PUBLISH, snapshots) as found:
            published = publish(client, found, dry)
            return published, reconcile(client, found, published, dry, replaced)

    def missing(self) -> Sequence[str]:
        from azml_tasks.azure.v2.doctor.workspace import examine_names

        return [finding.message for finding in examine_names(self._project, self._connection.client)]

    def _snapshots(self) -> Mapping[str, Snapshot]:
        """Check the project, and return the snapshots of its steps. Raises ProjectError."""
        from azml_tasks.checks.contract import checked_snapshots

        self.check()
        return checked_snapshots(self._project)

    @property
    def published(self) -> Published:
        return AzureV2Published(self._connection)

    @property
    def schedules(self) -> Schedules:
        return AzureV2Schedules(self._connection)

    @property
    def runs(self) -> Runs:
        return AzureV2Runs(self._connection)

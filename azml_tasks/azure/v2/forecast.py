"""Forecast what a run on Azure ML v2 would do with each step, and store what was sent for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Literal

from azml_tasks.azure.errors import translating_errors
from azml_tasks.azure.forecast import MOST_RUNS, Forecasts, State, basis
from azml_tasks.azure.sent import SentRun, Versions, described_steps, remember, sent_to, workspace_of
from azml_tasks.azure.v2.assets import find_environment, register_environment
from azml_tasks.azure.v2.client.connection import Client
from azml_tasks.azure.v2.data import data_versions
from azml_tasks.azure.v2.documents import Documents
from azml_tasks.azure.v2.runs import step_record
from azml_tasks.backend import Change, Forecast, RunRequest
from azml_tasks.export.launcher import PROGRAM
from azml_tasks.plan import DatasetInput
from azml_tasks.reading import Project
from azml_tasks.runs.changes.differences import Difference

if TYPE_CHECKING:
    from azml_tasks.azure.records import AzureRunRecord
    from azml_tasks.azure.sent import Step
    from azml_tasks.snapshot import Snapshot


def forecast(
    client: Client,
    found: Documents,
    snapshots: Mapping[str, Snapshot],
    request: RunRequest,
    pending: Collection[Change] = (),
) -> Forecast:
    """Return what a run would do with each step; the documents have the values of the run.

    `pending` are changes that are made before. Raises MissingError, ServiceError.
    """
    project, pipeline = found.project, found.project.pipeline
    sent = sent_to(project.directory, pipeline)[:MOST_RUNS]
    versions: dict[str, str | None] = {}
    changes: dict[str, tuple[Difference, ...]] = {}
    for name in dict.fromkeys(filter(None, (pipeline.env_of(step.step) for step in project.plan.steps))):
        if name in pipeline.environments:
            version, change = register_environment(client, found, name, dry=True)
            versions[name] = version or None
            if change.is_made:
                changes[name] = change.differences
        elif not name.lower().startswith("azureml-"):
            versions[name] = find_environment(client, name)
        else:
            versions[name] = name.partition("@")[2] or "latest"
    made = {change.name for change in pending if change.kind == "dataset" and change.is_made}
    data = {name: None if name in made else version for name, version in data_versions(client, found, made).items()}
    state = State(_versions(found, versions, data), changes)
    with translating_errors("predicting the run"):
        statuses = _Statuses(client, found.jobs)
        forecasts = Forecasts(project, snapshots, state, statuses, sent)
        return Forecast(forecasts.of(_described(found, snapshots, state.versions), request.force), basis(sent[0]))


def remember_run(
    found: Documents,
    record: AzureRunRecord,
    snapshots: Mapping[str, Snapshot],
    environments: Mapping[str, str],
    data: Mapping[str, str],
) -> None:
    """Store the description of a run that was sent, for later forecasts."""
    project = found.project
    versions = _versions(found, {**environments}, {**data})
    run = SentRun(
        id=record.id,
        experiment=record.experiment,
        workspace=workspace_of(project.pipeline),
        sent=record.started or 0.0,
        nodes={key: name for name, key in found.jobs.items()},
        steps=_described(found, snapshots, versions),
    )
    remember(project.directory, run)


def known_names(project: Project, key: Literal["compute_name", "environment"]) -> set[str]:
    """Return the computes or environments of the runs that were sent from this folder, which Azure accepted."""
    sent = sent_to(project.directory, project.pipeline)
    return {str(step.get(key)) for run in sent for step in run.steps.values()}


def _versions(found: Documents, environments: Mapping[str, str | None], data: Mapping[str, str | None]) -> Versions:
    """Return the versions that a run uses; what a run reads without an asset has its paths as version."""
    pipeline, places = found.project.pipeline, dict[str, str | None]()
    for step in found.project.plan.steps:
        for item in step.inputs:
            if isinstance(item, DatasetInput):
                declared = pipeline.datasets.get(item.dataset)
                paths = [f"{declared.datastore_name}/{path.lstrip('/')}" for path in declared.paths] if declared else []
                places[item.dataset] = ", ".join(paths) or (str(declared.version) if declared else "latest")
    by_asset = {asset: name for name, asset in found.made.assets.items()}
    named = {by_asset.get(asset, asset): version for asset, version in data.items()}
    # An environment without its version in its name is known by both.
    both = {name.partition("@")[0]: version for name, version in environments.items()}
    return Versions({**both, **environments}, {**places, **named})


def _described(found: Documents, snapshots: Mapping[str, Snapshot], versions: Versions) -> dict[str, Step]:
    """Return what the results of the steps depend on, with the launcher's file in their code."""
    names = {key: name for name, key in found.jobs.items()}
    described: dict[str, Step] = {}
    for key, step in described_steps(found.project.plan, snapshots, versions).items():
        program = found.made.files.get(f"code/{names[key]}/{PROGRAM}")
        version = versions.environments.get(step["environment"].partition("@")[0])
        files = {**step["files"], **({PROGRAM: program.digest} if program else {})}
        described[key] = {**step, "files": files, "environment_version": version}
    return described


class _Statuses:
    """What became of the steps of earlier runs, each run asked for once."""

    def __init__(self, client: Client, keys: Mapping[str, str]) -> None:
        self._client = client
        self._keys = keys
        self._found: dict[str, dict[str, str]] = {}

    def producer(self, run: SentRun, key: str) -> str:
        if run.id not in self._found:
            exists = self._client.history.run(run.id) is not None
            children = self._client.history.children(run.id) if exists else []
            steps = [step_record(child, self._keys) for child in children]
            self._found[run.id] = {
                step.key: step.producer or step.run_id for step in steps if step.status in ("completed", "reused")
            }
        return self._found[run.id].get(key, "")

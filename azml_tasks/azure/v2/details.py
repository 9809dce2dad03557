"""Everything that is known of a run on Azure ML v2, and its files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from azml_tasks.azure.errors import is_foreign, is_missing, translating_errors
from azml_tasks.azure.records import AzureRunRecord, AzureStepRecord
from azml_tasks.azure.v2.client.connection import Client
from azml_tasks.azure.v2.client.history import tags_of_metrics
from azml_tasks.azure.v2.data import opened_container, secret_of
from azml_tasks.azure.v2.runs import step_log
from azml_tasks.errors import LoginError, ServiceError
from azml_tasks.model.names import identifier
from azml_tasks.plan import Plan
from azml_tasks.runs.details import Log, RunDetails, RunFile, StepDetails
from azml_tasks.runs.origin import Provenance, StepOrigin, step_origins
from azml_tasks.runs.records import shown_pairs
from azml_tasks.runs.results.download import StoredFile, downloading, without_folders

Document = Mapping[str, Any]
_AT_ONCE = 8
_LINES = 200
# Where the service and its agents put logs, which are no results.
_LOGS = ("azureml-logs/", "logs/azureml/", "system_logs/", "user_logs/")
# A step without results has no output folders yet.
_WITH_OUTPUTS = ("completed", "reused", "failed")
_STORE = re.compile(r"azureml://(?:.*/)?datastores/(?P<store>[^/]+)/paths/(?P<path>.*)")
# The folder of a run's own files, which are downloaded without it.
_ARTIFACTS = "ExperimentRun/"
_DOING = "downloading the files of the run"


def run_details(client: Client, record: AzureRunRecord, plan: Plan | None, *, with_logs: bool) -> RunDetails:
    """Return everything that is known of a run; of the logs only `with_logs`."""
    with translating_errors("reading the run"):
        provenance = _with_graph(record, plan)

        def step(one: AzureStepRecord) -> StepDetails:
            text = ""
            if with_logs or one.status == "failed":
                text = _unless_refused(lambda: step_log(client, one.producer or one.run_id)[1], "")
            found = client.history.run(one.run_id) or {}
            return StepDetails(
                record=one,
                origin=provenance.steps.get(one.key, StepOrigin()),
                metrics=one.metrics(),
                tags=_own_tags(found),
                files=_files(client, one.run_id),
                log=Log(text, len(text.splitlines())) if with_logs else Log(),
                error="\n".join(text.splitlines()[-_LINES:]) if one.status == "failed" else "",
            )

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            steps = tuple(pool.map(step, record.steps))
        return RunDetails(
            run=record,
            provenance=provenance,
            steps=steps,
            metrics=record.metrics(),
            tags=record.recorded_tags(),
            files=_files(client, record.id),
        )


def _with_graph(record: AzureRunRecord, plan: Plan | None) -> Provenance:
    """Return what the run was started from; without a record of it, the graph is that of `plan` if it has the steps."""
    provenance = record.provenance()
    if provenance.steps or plan is None or not {step.key for step in record.steps} <= plan.by_key.keys():
        return provenance
    names = {step.key: plan.pipeline.env_of(step.step) or "" for step in plan.steps}
    return provenance._replace(steps=step_origins(plan, {}, names))


def _own_tags(run: Document) -> dict[str, str | None]:
    """Return the tags that scripts and people set, without the service's own."""
    tags: Mapping[str, str] = run.get("tags") or {}
    hidden = tags_of_metrics(tags)
    own = {name: value for name, value in tags.items() if not name.startswith(("azureml.", "mlflow."))}
    return shown_pairs({name: value for name, value in own.items() if name not in hidden})


def _files(client: Client, run_id: str) -> tuple[RunFile, ...]:
    names: Iterable[str] = _unless_refused(lambda: client.history.files(run_id), [])
    return tuple(RunFile(name, None, "", _reader(client, run_id, name)) for name in names if not name.startswith(_LOGS))


def _reader(client: Client, run_id: str, name: str) -> Callable[[int], bytes | None]:
    return lambda most: _unless_refused(lambda: client.history.file(run_id, name, most), None)


def _unless_refused(ask: Callable[[], Any], otherwise: Any) -> Any:
    """Return the answer; `otherwise` if the service refuses, because the rest of the run can still be shown."""
    try:
        return ask()
    except Exception as error:
        if not isinstance(error, ServiceError) and not is_foreign(error) and not is_missing(error):
            raise
        return otherwise


def stored_files(
    client: Client, record: AzureRunRecord, step: str | None, say: Callable[[str], None]
) -> Iterator[StoredFile]:
    """Yield the files of a run, or of one step; `say` gets a sentence about output folders that cannot be read.

    Of a reused step they are those of the run that it was reused from.
    """
    if step is None:
        yield from _artifacts(client, record.id, "")
    for one in record.steps:
        if step in (None, one.key):
            run_id = one.producer or one.run_id
            yield from _artifacts(client, run_id, one.key)
            if one.status in _WITH_OUTPUTS:
                yield from _outputs(client, run_id, one.key, say)


def _artifacts(client: Client, run_id: str, key: str) -> Iterator[StoredFile]:
    def saving(name: str) -> Callable[[Path], None]:
        def save(target: Path) -> None:
            with translating_errors(downloading(key, name)):
                client.history.save(run_id, name, target)

        return save

    with translating_errors(_DOING):
        names = client.history.files(run_id)
    yield from (StoredFile(key, name, saving(name)) for name in names)


def _outputs(client: Client, run_id: str, key: str, say: Callable[[str], None]) -> list[StoredFile]:
    """Return the files in the output folders of a step, named as with v1: `prepare_output_folder/rows.csv`."""
    from azure.ai.ml.entities import AzureBlobDatastore

    found: list[StoredFile] = []
    try:
        with translating_errors(_DOING):
            places = client.history.outputs(run_id)
        for name, address in places.items():
            match = _STORE.match(address)
            if match is None or match["path"].startswith(_ARTIFACTS):
                continue
            store = client.call(_DOING, partial(client.ml.datastores.get, match["store"], include_secrets=True))
            if not isinstance(store, AzureBlobDatastore):
                say(f"step '{key}': the output {name} is not in a blob container and is not downloaded")
                continue
            found += _blobs(client, store, match["path"], key, identifier(key, name))
    except (ServiceError, LoginError):
        say(f"step '{key}': its output folders cannot be read")
    return found


def _blobs(client: Client, store: Any, path: str, key: str, output: str) -> list[StoredFile]:
    secret = secret_of(store)
    container = opened_container(client, store, secret)
    folder = f"{path.strip('/')}/".lstrip("/")

    def saving(name: str) -> Callable[[Path], None]:
        def write(target: Path) -> None:
            with target.open("wb") as file:
                container.download_blob(name).readinto(file)

        doing = downloading(key, f"{output}/{name[len(folder) :]}")
        return lambda target: client.call(doing, partial(write, target), [secret])

    def names() -> list[str]:
        return without_folders(container.list_blob_names(name_starts_with=folder))

    return [
        StoredFile(key, f"{output}/{name[len(folder) :]}", saving(name))
        for name in client.call(_DOING, names, [secret])
    ]

"""Data assets: those that the file declares, and the outputs that steps register."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks import model
from azml_tasks.azure.errors import MissingError
from azml_tasks.azure.uploads import counted_files, files_to_upload
from azml_tasks.azure.v2.assets import (
    CONTENT,
    TRIES,
    latest_version,
    next_version,
    put_version,
    shown_asset,
    versions_of,
)
from azml_tasks.azure.v2.client.connection import Client, found_or_none
from azml_tasks.azure.v2.documents import Documents
from azml_tasks.backend import Change
from azml_tasks.errors import ProjectError, ServiceError
from azml_tasks.export.document import asset_name
from azml_tasks.export.export import data_assets
from azml_tasks.export.jobs import Job
from azml_tasks.reading import Project
from azml_tasks.runs.changes.differences import ABSENT, Difference, changed_entries, difference, stated_difference
from azml_tasks.runs.results.registered import Asset
from azml_tasks.text import did_you_mean

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

# The tag of a data asset with the run of the step that wrote it (azml_tasks/launcher/models.py sets it, too).
RUN = "azml_tasks.run"
_STORE = re.compile(r"^azureml://.*?datastores/(.*)$")


def register_dataset(client: Client, documents: Documents, name: str, upload: bool, dry: bool) -> Change:
    from azure.ai.ml import load_data

    project = documents.project
    dataset = project.pipeline.datasets[name]
    asset = documents.made.assets[name]
    files = files_to_upload(name, dataset, project.directory) if upload and dataset.local_path else []
    digest = documents.digest("data", name)
    doing = f"registering the dataset '{name}'"
    if _is_of_v1(client, doing, asset):
        text = (
            f"the dataset '{name}' is not registered: {_WOULD_BREAK}. Runs read its files without it; to register it "
            f"for others, rename the dataset, for example to '{name}-v2'"
        )
        raise ServiceError(str(project.problem(("datasets", name), text)))
    if files and not dry:
        _upload(client, documents, name, files)

    def wanted() -> Any:
        made = load_data(documents.file("data", name))
        made.tags = {**(made.tags or {}), CONTENT: digest}
        return made

    def changed(there: Any) -> list[Difference]:
        return data_differences(there, wanted(), digest, dataset)

    _, change = next_version(client, ("dataset", asset), (doing, client.ml.data), wanted, changed, dry)
    if not files:
        return change
    uploaded = counted_files(files, "to upload" if dry else "uploaded")
    detail = "; ".join(filter(None, [uploaded, change.detail]))
    return Change("dataset", asset, change.outcome, detail, dry, differences=change.differences)


def data_differences(there: Any, wanted: Any, digest: str, dataset: model.Dataset) -> list[Difference]:
    """Return the differences of a registered data asset; description and tags count if they are in the file."""
    if (there.tags or {}).get(CONTENT) == digest:
        return []
    found = []
    if str(there.type) != str(wanted.type):
        found.append(difference("definition", "type", str(there.type), str(wanted.type)))
    elif str(wanted.type) == "mltable":
        found.append(stated_difference("its MLTable changed", "definition", "MLTable"))
    elif _place(there.path) != _place(wanted.path):
        found.append(difference("definition", "path", _place(there.path), _place(wanted.path)))
    if dataset.description is not None and dataset.description != (there.description or None):
        found.append(difference("description", "description", there.description or ABSENT, dataset.description))
    before = {key: value for key, value in (there.tags or {}).items() if key != CONTENT}
    return [*found, *(changed_entries("tag", before, dict(dataset.tags), "tag ") if dataset.tags else ())]


def _place(address: Any) -> str:
    """Return the datastore and the path of an address, whichever way it names the workspace."""
    match = _STORE.match(str(address))
    return (match[1] if match else str(address)).replace("/paths/", "/").rstrip("/")


_WOULD_BREAK = (
    "v1 has a dataset of this name in the workspace, and a v2 data asset of the same name would break the v1 pipelines "
    "that read it, and could not be removed"
)


def _is_of_v1(client: Client, doing: str, name: str) -> bool:
    """Return whether the name is that of a dataset of v1, and not of a data asset of ours."""
    latest = latest_version(client, doing, client.ml.data, name)
    if {CONTENT, RUN} & ((latest.tags if latest else None) or {}).keys():
        return False
    return client.call(doing, lambda: client.history.has_v1_dataset(name))


def check_outputs(client: Client, project: Project, jobs: Iterable[Job]) -> None:
    """Check that the steps can register their outputs. Raises ProjectError with the lines of names that v1 uses."""
    problems = []
    for job in jobs:
        for output in job.step.outputs:
            name = output.register_on_complete
            if name and _is_of_v1(client, f"looking up the data asset '{name}'", asset_name(name)):
                text = (
                    f"step '{job.step.key}': register_on_complete: {_WOULD_BREAK}; use another name, such as "
                    f"'{name}-v2'"
                )
                place = ("steps", job.step.key, "output_folders", output.argument, "register_on_complete")
                problems.append(project.problem(place, text))
    if problems:
        raise ProjectError(problems)


def data_versions(client: Client, found: Documents, coming: Collection[str] = ()) -> dict[str, str]:
    """Return the newest versions of the data assets that the pipeline reads by name.

    One of `coming` that does not exist yet is called `new`. Raises MissingError.
    """
    versions = {}
    for name in dict.fromkeys(found.unpinned_data()):
        doing = f"looking up the data asset '{name}'"
        latest = latest_version(client, doing, client.ml.data, name)
        if latest is None and name not in coming:
            there = client.call(doing, lambda: [str(one.name) for one in client.ml.data.list()])
            text = f"no dataset '{name}' in the workspace '{client.workspace}'{did_you_mean(name, there)}"
            declared = name in found.made.assets.values()
            raise MissingError(f"{text}; register it with `invoke register-csv`" if declared else text)
        versions[name] = "new" if latest is None else str(latest.version)
    return versions


def register_output(client: Client, name: str, path: str, run_id: str) -> None:
    """Register the output of a step as a data asset, unless its launcher has done so."""
    from azure.ai.ml.entities import Data

    doing = f"registering the output of the run {run_id} as '{name}'"
    for _ in range(TRIES):
        there = client.call(doing, lambda: found_or_none(lambda: list(client.ml.data.list(name)))) or []
        if any((one.tags or {}).get(RUN) == run_id for one in there):
            return
        numbers = [int(one.version) for one in there if str(one.version).isdecimal()]
        version = str(max(numbers, default=0) + 1)

        def wanted() -> Any:
            return Data(name=name, type="uri_folder", path=path, tags={RUN: run_id})

        if put_version(client, doing, client.ml.data, wanted, version):
            return
    raise ServiceError(f"{doing} failed: others keep adding versions; `az ml data create` registers {path}")


def _upload(client: Client, documents: Documents, name: str, files: list[tuple[Path, str]]) -> None:
    """Write files to the datastore of a dataset, replacing existing ones."""
    store_name = str(documents.project.pipeline.datasets[name].datastore_name)
    doing = f"uploading the dataset '{name}'"
    store = client.call(doing, lambda: client.ml.datastores.get(store_name, include_secrets=True))
    secret = secret_of(store)
    for file, path in files:
        client.call(doing, partial(_put, client, store, secret, file, path), [secret])


def _put(client: Client, store: Any, secret: str, file: Path, path: str) -> None:
    with opened_container(client, store, secret) as container, file.open("rb") as content:
        container.upload_blob(path, content, overwrite=True)


def secret_of(store: Any) -> str:
    """Return the account key or the token of a datastore; empty if it is opened with the login."""
    credentials = store.credentials
    return getattr(credentials, "account_key", None) or getattr(credentials, "sas_token", None) or ""


def opened_container(client: Client, store: Any, secret: str) -> ContainerClient:
    """Return the container of a datastore."""
    from azure.storage.blob import ContainerClient

    host = f"https://{store.account_name}.blob.{store.endpoint or 'core.windows.net'}"
    return ContainerClient(host, store.container_name, credential=secret or client.credential)


def datasets(client: Client, project: Project, every_version: bool) -> list[Asset]:
    """Return the data assets of the file in its order: those that it declares, then those that its outputs register.

    One that is not registered has no version.
    """
    doing, assets = "listing the datasets", data_assets(project)
    outputs = [output.register_on_complete for step in project.plan.steps for output in step.outputs]
    names = [
        *(assets.get(name, asset_name(name)) for name in project.pipeline.datasets),
        *map(asset_name, filter(None, outputs)),
    ]
    found: list[Asset] = []
    for name in dict.fromkeys(names):
        versions = versions_of(client, doing, client.ml.data, name, every_version)
        found += [replace(shown_asset(one), kind=str(one.type)) for one in versions] or [Asset(name, None)]
    return found

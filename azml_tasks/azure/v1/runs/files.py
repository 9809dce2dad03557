"""The files of a run on Azure, for downloads: artifacts with the logs among them, and output folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.azure.errors import is_foreign
from azml_tasks.azure.records import AzureRunRecord, AzureStepRecord
from azml_tasks.azure.v1.client.connection import login_of, service_calls
from azml_tasks.azure.v1.resources.datastores import STORAGE, opened_by_identity
from azml_tasks.azure.v1.runs.runs import run_children
from azml_tasks.errors import ServiceError
from azml_tasks.runs.results.download import StoredFile, downloading, without_folders

if TYPE_CHECKING:
    from azureml.core import Run

# A step without results has no output folders yet.
_WITH_OUTPUTS = ("completed", "reused", "failed")
_DOING = "downloading the files of the run"


def stored_files(ws: Any, record: AzureRunRecord, step: str | None, say: Callable[[str], None]) -> Iterator[StoredFile]:
    """Yield the files of a run, or of one step; `say` gets a sentence about output folders that cannot be read.

    Of a reused step they are those of the run that it was reused from.
    """
    with service_calls(_DOING):
        run, children = run_children(ws, record)
        own = _artifacts(run, "") if step is None else []
        outputs = _step_runs(run)
    yield from own
    for one in record.steps:
        if step in (None, one.key) and one.run_id in children:
            with service_calls(_DOING):
                found = [*_artifacts(_producer(children[one.run_id], one), one.key)]
                if one.status in _WITH_OUTPUTS and one.run_id in outputs:
                    found += _outputs(ws, outputs[one.run_id], one.key, say)
            yield from found


def _producer(child: Run, record: AzureStepRecord) -> Run:
    from azureml.core import Run

    return Run(child.experiment, record.producer) if record.producer else child


def _artifacts(run: Run, key: str) -> list[StoredFile]:
    def saving(name: str) -> Callable[[Path], None]:
        def save(target: Path) -> None:
            with service_calls(downloading(key, name)):
                run.download_file(name, str(target))

        return save

    return [StoredFile(key, name, saving(name)) for name in sorted(run.get_file_names())]


def _step_runs(run: Run) -> dict[str, Any]:
    """Return the SDK's runs of the steps that have outputs, by their ids."""
    from azureml.pipeline.core import PipelineRun

    return {step.id: step for step in PipelineRun(run.experiment, run.id).get_steps()}


def _outputs(ws: Any, step: Any, key: str, say: Callable[[str], None]) -> list[StoredFile]:
    """Return the files in the output folders of a step."""
    found: list[StoredFile] = []
    try:
        for name, output in step.get_outputs().items():
            place = output.get_port_data_reference()
            if place.datastore.datastore_type != "AzureBlob":
                say(f"step '{key}': the output {name} is not in a blob container and is not downloaded")
                continue
            found += _blobs(ws, place.datastore, place.path_on_datastore, key, name)
    except Exception as error:
        if not isinstance(error, ServiceError) and not is_foreign(error):
            raise
        say(f"step '{key}': its output folders cannot be read")
    return found


def _blobs(ws: Any, datastore: Any, path: str, key: str, output: str) -> list[StoredFile]:
    service = datastore.blob_service
    if opened_by_identity(datastore):
        service = type(service)(account_url=service.url, credential=_Login(ws))
    container = service.get_container_client(container=datastore.container_name)
    folder = path.strip("/")

    def saving(name: str) -> Callable[[Path], None]:
        def save(target: Path) -> None:
            doing = downloading(key, f"{output}/{name[len(folder) + 1 :]}")
            with service_calls(doing), open(target, "wb") as file:
                container.get_blob_client(name).download_blob().readinto(file)

        return save

    names = without_folders(blob.name for blob in container.list_blobs(name_starts_with=f"{folder}/"))
    return [StoredFile(key, f"{output}/{name[len(folder) + 1 :]}", saving(name)) for name in names]


class _Login:
    """The login of a workspace as clients of storage accounts take it."""

    def __init__(self, ws: Any) -> None:
        self._ws = ws

    def get_token(self, *_: str, **__: Any) -> Any:
        """Return a token for storage accounts; it is requested again when it is needed again."""
        from azure.core.credentials import AccessToken

        return AccessToken(login_of(self._ws)(STORAGE), 0)

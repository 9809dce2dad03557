"""Really run the scripts of a submitted pipeline, each from its uploaded snapshot, with the real SDK in it."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from . import artifacts
from .environment import variables
from .graphs import FromDataset, FromStep, SubmittedStep, ToOutput
from .pipeline_state import PipelineRun
from .routes.login import token
from .routing import REGION
from .run_state import COMPLETED, ENDED, FAILED, Run
from .state import Dataset, DatasetVersion, Workspace
from .tables import save_table

if TYPE_CHECKING:
    from .progress import Place
    from .service import Service

COLLECTED = ("outputs", "logs")
"""Folders of the working directory whose files become artifacts."""
WRAPPER = Path(__file__).with_name("job.py")
DAY = 24 * 3600
LOOK_SECONDS = 0.1
LIMIT_SECONDS = 120
"""After this a script is ended: no test is to wait for ever."""


def execute(service: Service, workspace: Workspace, run: PipelineRun) -> None:
    """Run all steps of a pipeline in order, those that started and those that wait for them."""
    progress = service.progress
    progress.start_ready(workspace, run)
    while True:
        with service.lock:
            started = progress.step_runs(workspace, run)
            going = [name for name, step in started.items() if step.status not in ENDED]
            steps = progress.steps(workspace, run)
        if not going:
            return
        for name in going:
            with tempfile.TemporaryDirectory(prefix="azure-step-") as folder:
                _Job(service, workspace, run, steps[name], started[name], Path(folder)).execute()


class _Job:
    """One step on its node."""

    def __init__(
        self,
        service: Service,
        workspace: Workspace,
        run: PipelineRun,
        step: SubmittedStep,
        record: Run,
        folder: Path,
    ) -> None:
        self._service, self._workspace, self._run = service, workspace, run
        self._step, self._record = step, record
        self._code, self._data, self._home = folder / "code", folder / "data", folder / "home"
        self._log = folder / "log.txt"
        self._values: dict[str, str] = {}
        """Input or output -> what the script is given for it: a folder or an id."""

    def execute(self) -> None:
        with self._service.lock:
            places = self._service.progress.places(self._workspace, self._run, self._step.node)
            self._place_files()
        status = self._run_script()
        with self._service.lock:
            if self._record.status in ENDED:  # cancelled meanwhile
                return
            self._collect(places, status == 0)
        message = None
        if status != 0:
            message = (
                f"Execution failed. User process 'python' exited with status code {status}. "
                f"Please check log file '{artifacts.LOG}' for error details."
            )
        self._service.progress.end_step(
            self._workspace,
            self._run,
            self._step.name,
            COMPLETED if status == 0 else FAILED,
            message,
            self._log.read_bytes(),
        )

    def _place_files(self) -> None:
        """Put snapshot and inputs where the script finds them, and make room for its outputs."""
        for path, content in self._step.files.items():
            _write(self._code / path, content)
        for name, source in self._step.inputs.items():
            if isinstance(source, FromDataset):
                self._values[name] = self._dataset(source)
            else:
                self._values[name] = self._from_step(source)
        for name in self._step.outputs:
            folder = self._data / "outputs" / name
            folder.mkdir(parents=True)
            self._values[name] = str(folder)

    def _dataset(self, source: FromDataset) -> str:
        registered = self._workspace.datasets.get(source.dataset or "")
        follows = registered is not None and source.version is None
        saved = registered.latest.saved if follows and registered else self._workspace.saved_datasets[source.id]
        if source.mode == "direct":
            return saved.id
        folder = self._data / "inputs" / source.name
        for pattern in saved.definition["paths"]:
            datastore, _, path = str(next(iter(pattern.values()))).partition("/datastores/")[2].partition("/paths/")
            store = self._workspace.datastores[datastore]
            self._download(store.account, store.container, path, folder)
        return str(folder)

    def _from_step(self, source: FromStep) -> str:
        progress = self._service.progress
        steps = progress.steps(self._workspace, self._run)
        before = steps[source.step]
        place = progress.places(self._workspace, self._run, before.node)[source.output]
        if source.mode == "direct":
            output = before.outputs[source.output]
            blocks = source.transformations
            if blocks is None or blocks == '{"blocks": []}':
                blocks = output.transformations
            return save_table(self._workspace, place.datastore, f"{place.path}/**", blocks).id
        folder = self._data / "inputs" / source.name
        self._download(place.account, place.container, place.path, folder)
        return str(folder)

    def _download(self, account: str, container: str, path: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        prefix = path.rstrip("/*")
        for name, blob in self._service.state.storage.find(account, container, prefix):
            inner = name.removeprefix(prefix).lstrip("/")
            if name == prefix or name.startswith(prefix + "/") or not prefix:
                _write(folder / (inner or Path(name).name), blob.content)

    def _run_script(self) -> int:
        arguments = [self._argument(item) for item in self._step.arguments]
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                [self._service.python, str(WRAPPER), self._step.script, *arguments],
                cwd=self._code,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            end = time.monotonic() + LIMIT_SECONDS
            while True:
                try:
                    return process.wait(LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    if self._record.status in ENDED or time.monotonic() > end:
                        process.kill()

    def _argument(self, item: object) -> str:
        if isinstance(item, (FromDataset, FromStep, ToOutput)):
            return self._values[item.name]
        if isinstance(item, str):
            return item
        return self._parameters()[item.name]  # type: ignore[attr-defined]

    def _parameters(self) -> dict[str, str]:
        """The step's own parameters with their values in this run."""
        values = self._service.progress.parameters(self._workspace, self._run)
        return {name: values[graph] for name, graph in self._step.parameters.items()}

    def _environment(self) -> dict[str, str]:
        definition = self._step.runconfig
        return {
            **{name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ},
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "HBI_WORKSPACE_JOB": "true",  # no telemetry: 2 s less at the end of a script that used a dataset
            **{
                name: value
                for name, value in variables(self._service, self._home).items()
                if not name.startswith("AZUREML_SERVICE_PRINCIPAL")
            },
            **(definition.get("environment", {}).get("environmentVariables") or {}),
            **(definition.get("environmentVariables") or {}),
            **{f"AML_PARAMETER_{name}": value for name, value in self._parameters().items()},
            **run_variables(self._workspace, self._record),
            **self._data_variables(),
        }

    def _data_variables(self) -> dict[str, str]:
        """Say where inputs and outputs are (`azureml/core/run.py:InputDatasets`, `OutputDatasets`)."""
        inputs = [f"{name}:{source.mode.capitalize()}" for name, source in self._step.inputs.items()]
        folders = {
            f"AZUREML_DATAREFERENCE_{name}": value for name, value in self._values.items() if os.path.isabs(value)
        }
        return {
            "AZUREML_DATASET_ENVIRONMENT_VARS": ",".join(inputs),
            "AZUREML_DATASET_FILE_OUTPUTS": ";".join(self._step.outputs),
            **folders,
            **self._values,
        }

    def _collect(self, places: Mapping[str, Place], well: bool) -> None:
        """Send outputs to their places, and what lies in `outputs` and `logs` to the run's artifacts."""
        for name, place in places.items():
            for path, content in _files(Path(self._values[name])):
                self._service.state.storage.put(place.account, place.container, f"{place.path}/{path}", content)
            output = self._step.outputs[name]
            if well and output.register_as:
                self._register(output, place)
        for folder in COLLECTED:
            for path, content in _files(self._code / folder):
                artifacts.put(self._service.state, self._workspace, self._record.container, f"{folder}/{path}", content)

    def _register(self, output: ToOutput, place: Place) -> None:
        name = str(output.register_as)
        path = place.path if output.transformations is None else f"{place.path}/**"
        saved = save_table(self._workspace, place.datastore, path, output.transformations)
        dataset = self._workspace.datasets.setdefault(name, Dataset(name, self._workspace.identifiers.new("dataset")))
        dataset.versions.append(DatasetVersion(len(dataset.versions) + 1, saved, {}, None))
        self._record.output_datasets.append(
            {
                "identifier": {
                    "savedId": saved.id,
                    "registeredId": dataset.id,
                    "registeredVersion": str(dataset.latest.version),
                },
                "outputType": "RunOutput",
                "outputDetails": {"outputName": output.name},
            }
        )


def run_variables(workspace: Workspace, run: Run) -> dict[str, str]:
    """Give what makes `Run.get_context` in a process this run (`azureml/core/run.py:Run._load_scope`)."""
    experiment = workspace.experiments[run.experiment]
    return {
        "AZUREML_ARM_SUBSCRIPTION": workspace.subscription,
        "AZUREML_ARM_RESOURCEGROUP": workspace.group,
        "AZUREML_ARM_WORKSPACE_NAME": workspace.name,
        "AZUREML_ARM_PROJECT_NAME": run.experiment,
        "AZUREML_EXPERIMENT_ID": experiment.id,
        "AZUREML_EXPERIMENT_SCOPE": f"{workspace.scope}/experiments/{run.experiment}",
        "AZUREML_WORKSPACE_ID": workspace.id,
        "AZUREML_WORKSPACE_SCOPE": workspace.scope,
        "AZUREML_RUN_ID": run.id,
        "AZUREML_ROOT_RUN_ID": run.root or run.id,
        "AZUREML_RUN_TOKEN": token(run=run.id),
        "AZUREML_RUN_TOKEN_EXPIRY": str(int(time.time()) + DAY),
        "AZUREML_SERVICE_ENDPOINT": f"https://{REGION}",
        "MLFLOW_TRACKING_URI": f"azureml://{REGION}/mlflow/v2.0{workspace.scope}",
        "MLFLOW_TRACKING_TOKEN": token(run=run.id),
        "MLFLOW_RUN_ID": run.id,
        "MLFLOW_EXPERIMENT_ID": experiment.id,
        "MLFLOW_EXPERIMENT_NAME": run.experiment,
        "AZUREML_DISCOVERY_SERVICE_ENDPOINT": f"https://{REGION}/discovery/workspaces/{workspace.id}",
    }


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _files(folder: Path) -> list[tuple[str, bytes]]:
    if not folder.is_dir():
        return []
    return [
        (path.relative_to(folder).as_posix(), path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()
    ]

"""The runs of a pipeline and of its steps, as azureml-pipeline-core shows them.

Signatures and behaviour are those of azureml-pipeline-core 1.62, run.py.
"""

from __future__ import annotations

import os
import sys

from ..context import did_you_mean
from ..errors import UserErrorException, refuses
from .run import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, NoReturn

    from ..workspace.experiment import Experiment
    from .folders import Folder

_STATUSES = {"Completed": "Finished"}


class _WithoutEnd(Run):
    """A run that ends automatically, without child runs."""

    _noun = "run"

    def complete(self) -> NoReturn:  # type: ignore[override] # as in the SDK
        """Raise: such a run ends automatically."""
        raise NotImplementedError(f"a {self._noun}'s run completes by itself; complete() is not supported")

    def fail(self) -> NoReturn:  # type: ignore[override] # as in the SDK
        """Raise: such a run ends automatically."""
        raise NotImplementedError(f"a {self._noun}'s run fails by itself; fail() is not supported")

    def child_run(
        self, name: str | None = None, run_id: str | None = None, outputs: str | Iterable[str] | None = None
    ) -> NoReturn:
        """Raise: only the run of the script itself takes child runs."""
        raise NotImplementedError(
            f"a {self._noun}'s run cannot have child runs of its own; use Run.get_context().child_run() to start one "
            "for the step"
        )

    def get_status(self) -> str:
        """Return the run's status; Finished when it has completed."""
        return _STATUSES.get(self.status, self.status)


@refuses("get_graph", "publish_pipeline", "get_pipeline_output", "get_pipeline_runs", "save")
class PipelineRun(_WithoutEnd):
    """The run of a pipeline of this project."""

    _noun = "pipeline"

    def __init__(
        self, experiment: Experiment, run_id: str | None, _service_endpoint: object = None, **kwags: Any
    ) -> None:
        super().__init__(experiment, run_id, **kwags)
        if self._folder.kind != "azureml.PipelineRun":
            above = self._folder.parent
            raise UserErrorException(
                f"{run_id!r} is not the run of a pipeline" + (f"; that is {above.run_id!r}" if above else "")
            )

    @staticmethod
    def get(workspace: object, run_id: str, _service_endpoint: object = None) -> PipelineRun:
        """Return the run of a pipeline by its id."""
        return PipelineRun(Run.get_context().experiment, run_id)

    def find_step_run(self, name: str) -> list[Run]:
        """Return the runs of the step of this name, in a list."""
        return [run for run in self.get_children() if run.name == name]

    def get_steps(self) -> Iterator[Run]:
        """Yield the runs of the steps that have started."""
        return self.get_children()

    def wait_for_completion(
        self, show_output: bool = True, timeout_seconds: float = sys.maxsize, raise_on_error: bool = True
    ) -> str:
        """Return the status of a run that is over; a step cannot wait for the run that it is a part of."""
        return _awaited(self)

    @staticmethod
    def _of_folder(experiment: Experiment, folder: Folder) -> Run:
        """Return the run that is recorded in a folder."""
        if folder.kind == "azureml.PipelineRun":
            return PipelineRun(experiment, None, _folder=folder)
        if folder.kind == "azureml.StepRun":
            return StepRun(experiment, None, None, None, _folder=folder)
        return Run(experiment, None, _folder=folder)


class StepRun(_WithoutEnd):
    """The run of another step."""

    _noun = "step"

    def __init__(
        self,
        experiment: Experiment,
        step_run_id: str | None,
        pipeline_run_id: object,
        node_id: object,
        _service_endpoint: object = None,
        _is_reused: object = False,
        _current_node_id: object = None,
        _reused_run_id: object = None,
        _reused_node_id: object = None,
        _reused_pipeline_run_id: object = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(experiment, step_run_id, **kwargs)

    @property
    def pipeline_run_id(self) -> str:
        """The id of the pipeline's run."""
        above = self._folder.parent
        return above.run_id if above is not None else ""

    def get_job_log(self) -> str:
        """Return the step's output so far."""
        return self._log()

    def get_stdout_log(self) -> str:
        """Return the step's output so far."""
        return self._log()

    def get_stderr_log(self) -> str:
        """Return an empty text: both streams of a local step are one log."""
        return ""

    def get_outputs(self) -> dict[str, StepRunOutput]:
        """Return the folders that the step wrote, by name."""
        outputs = os.path.join(self._folder.path, "outputs")
        names = sorted(os.listdir(outputs)) if os.path.isdir(outputs) else []
        return {name: StepRunOutput(self, name, os.path.join(outputs, name)) for name in names}

    def get_output(self, name: str) -> StepRunOutput:
        """Return one of the folders that the step wrote."""
        outputs = self.get_outputs()
        if name not in outputs:
            known = ", ".join(outputs) or "none"
            raise ValueError(f"the step has no output {name!r}; it has {known}{did_you_mean(name, outputs)}")
        return outputs[name]

    def get_output_data(self, name: str) -> PortDataReference:
        """Return the data of one of the folders that the step wrote."""
        return self.get_output(name).get_port_data_reference()

    def wait_for_completion(
        self, show_output: bool = True, timeout_seconds: float = sys.maxsize, raise_on_error: bool = True
    ) -> str:
        """Return the status of a finished step; this step cannot wait for parallel ones."""
        return _awaited(self)

    def _log(self) -> str:
        try:
            with open(os.path.join(self._folder.path, "log.txt"), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""


class StepRunOutput:
    """A folder that a step wrote."""

    def __init__(self, step_run: StepRun, name: str, path: str) -> None:
        self.step_run = step_run
        self.pipeline_run_id = step_run.pipeline_run_id
        self.name = name
        self._path = path

    def get_port_data_reference(self) -> PortDataReference:
        """Return the folder's data."""
        return PortDataReference(self.name, self._path)


class PortDataReference:
    """The data of a folder that a step wrote."""

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self._path = path

    def download(self, local_path: str, overwrite: bool | None = None, show_progress: object = None) -> int:
        """Copy the folder's files to a folder; returns how many there are."""
        import shutil

        count = 0
        for parent, _, names in os.walk(self._path):
            for name in names:
                source = os.path.join(parent, name)
                target = os.path.join(local_path, os.path.relpath(source, self._path))
                count += 1
                if overwrite or not os.path.exists(target):
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    shutil.copyfile(source, target)
        return count


def _awaited(run: _WithoutEnd) -> str:
    status = run.get_status()
    if status in ("Running", "NotStarted"):
        raise UserErrorException(f"the run {run.id!r} is still running, and a step of a local run cannot wait for it")
    return status

"""The pipeline of the wrapper API."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.computes import find_compute
from azml_tasks.azure.environments import find_environment
from azml_tasks.azure.failures import MissingError
from azml_tasks.azure.pipeline_step import PipelineStep
from azml_tasks.azure.publish import Publication, Publishable
from azml_tasks.azure.records import RunRecord
from azml_tasks.azure.watch import Watch
from azml_tasks.azure.workspace_wrapper import WorkspaceWrapper
from azml_tasks.azure.wrapped_schedule import (
    POSSIBLE_SCHEDULES,
    experiment_name,
    publish_and_schedule,
    schedule_of,
)
from azml_tasks.azure.wrapped_steps import folder_of, is_plain, plan_of, values_of
from azml_tasks.reading import load_project
from azml_tasks.runs.events import RunStarted
from azml_tasks.runs.progress import progress_on
from azml_tasks.snapshot import SnapshotBuilder, take_snapshots, with_words
from azml_tasks.wiring import Plan
from azml_tasks.wiring.reuse import reuse_in_a_run

if TYPE_CHECKING:
    from azureml.core import Experiment
    from azureml.core.runconfig import RunConfiguration
    from azureml.pipeline.core import Pipeline, PipelineRun
    from azureml.pipeline.steps import PythonScriptStep

    from azml_tasks.azure.steps import Resources, Values


class PipelineWrapper(WorkspaceWrapper):
    """Steps that run one after the other, each handing its folder to the next.

    Every step but the first gets `--input-folder`, every step but the last `--output-folder`. The environment and the
    compute are looked up when the pipeline is made. Raises TypeError for steps that are no list of PipelineStep and
    for a compute that is not registered, and ValueError for a step of another workspace.
    """

    MANDATORY_CONFIGS: ClassVar[list[str]] = [
        *WorkspaceWrapper.MANDATORY_CONFIGS,
        "env_name",
        "compute_name",
        "steps",
    ]
    POSSIBLE_SCHEDULES: ClassVar[list[str]] = POSSIBLE_SCHEDULES

    def __init__(
        self,
        ws_name: str,
        resource_group: str,
        subscription_id: str,
        env_name: str,
        compute_name: str,
        steps: list[PipelineStep],
    ) -> None:
        if not isinstance(steps, list):
            raise TypeError(f"steps must be a list, also of one step, not {type(steps).__name__}")
        super().__init__(ws_name, resource_group, subscription_id)
        for step in steps:
            self._check(step)
        self.env_name = env_name
        self.compute_name = compute_name
        self.steps = steps
        self.experiment: Experiment | None = None
        self.pipeline: Pipeline | None = None
        self._run: PipelineRun | None = None
        self._resources = self._find_resources()
        if steps:
            wired = self._plan()
            values = self._values(wired)
            for step, planned in zip(steps, wired.steps, strict=True):
                step.wire(values.folders(planned))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> PipelineWrapper:
        """Make one from a dictionary whose `steps` maps any keys to the configurations of the steps.

        Raises TypeError for what is no dictionary, and KeyError with the keys that are missing.
        """
        cls.check_config(config)
        workspace = {key: config[key] for key in WorkspaceWrapper.MANDATORY_CONFIGS}
        steps = []
        for key, step_config in (config["steps"] or {}).items():
            step = PipelineStep.from_config({**workspace, **step_config})
            step.key = str(key)
            steps.append(step)
        where = {key: str(config[key]) for key in (*workspace, "env_name", "compute_name")}
        return cls(**where, steps=steps)

    @classmethod
    def from_yaml(cls, path: str | Path, target: str | None = None) -> PipelineWrapper:
        """Make one from a pipeline.yaml, with the keys of a target merged over it.

        Its workspace is opened, and never created. Raises ProjectError, LoginError, ServiceError.
        """
        from azml_tasks.azure.project_wrapper import ProjectWrapper

        return ProjectWrapper(load_project(Path(path).resolve(), target))

    @property
    def compute(self) -> Any:
        """The SDK's compute target."""
        return self._resources.computes[self.compute_name]

    @property
    def run_config(self) -> RunConfiguration:
        """The SDK's run configuration, with the environment and the compute."""
        with service_calls("making the run configuration"):
            from azml_tasks.azure.steps import run_configuration

            return run_configuration(self._resources.environments[self.env_name], self.compute_name)

    @property
    def pipeline_steps(self) -> list[PythonScriptStep]:
        """The SDK's steps; the folders that they name last as long as this object."""
        if not self.steps:
            return []
        wired = self._plan()
        with service_calls("making the steps"):
            from azml_tasks.azure.staging import stage
            from azml_tasks.azure.steps import build_steps

            folder = Path(tempfile.mkdtemp(prefix="azml-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            snapshots = take_snapshots(SnapshotBuilder(self._folder()), wired.steps)
            folders = {key: stage(snapshots[key], folder / str(place)) for place, key in enumerate(snapshots)}
            values = self._values(wired)
            spelled = with_words(wired, snapshots)
            return list(build_steps(spelled, self._resources, folders, reuse_in_a_run(wired), values).values())

    def run(self, experiment_name: str) -> RunRecord | None:
        """Run the pipeline in an experiment, and tell what happens until it is over; without steps nothing does.

        Raises RunError when the run fails.
        """
        if not self.steps:
            return None
        wired = self._plan()
        snapshots = take_snapshots(SnapshotBuilder(self._folder()), wired.steps)
        with service_calls("running the pipeline"):
            from azml_tasks.azure.launch import submit, watched

            values = self._values(wired)
            submitted = submit(self.ws, wired, snapshots, self._resources, experiment_name, values=values)
            self.pipeline, self._run = submitted.pipeline, submitted.run
            self.experiment = submitted.run.experiment
            show = progress_on()
            show(RunStarted(submitted.record, tuple(step.key for step in wired.steps)))
            return watched(submitted, Watch(show, tick=show.tick), self._folder())

    def register(
        self,
        name: str,
        description: str,
        schedule: str | None = None,
        interval: int | None = None,
        datastore_name: str | None = None,
    ) -> Publication:
        """Publish the pipeline, and have it run by itself.

        `schedule` is Minute, Hour, Day, Week or Month with an `interval` of so many, or On_blob_change with the
        datastore of the blobs. The same again changes nothing, and there is never a second schedule. Raises ValueError
        for a schedule that is not possible or not wholly stated, and NameError for a datastore that is not registered.
        """
        asked = schedule_of(schedule, interval, datastore_name)
        if not self.steps:
            raise ValueError("a pipeline without steps cannot be published")
        wired = self._plan()
        for step in self.steps:
            if not self._is_publishable(step):
                raise ValueError(f"the arguments of the step '{step.name}' were rearranged; add to their end alone")
        snapshots = take_snapshots(SnapshotBuilder(self._folder()), wired.steps)
        wanted = Publishable(name, description, wired, snapshots, self._folder())
        experiment = self.experiment.name if self.experiment else experiment_name(name)
        return publish_and_schedule(self.ws, wanted, asked, experiment)

    def _is_publishable(self, step: PipelineStep) -> bool:
        return is_plain(step)

    def _check(self, step: Any) -> None:
        if not isinstance(step, PipelineStep):
            raise TypeError(f"a step must be a PipelineStep, not {type(step).__name__}")
        if step.ws_name.lower() != self.ws_name.lower():
            raise ValueError(
                f"the step '{step.name}' belongs to the workspace '{step.ws_name}', the pipeline to '{self.ws_name}'"
            )

    def _find_resources(self) -> Resources:
        with service_calls("making the pipeline"):
            from azml_tasks.azure.steps import Resources

            environment = find_environment(self.ws, self.env_name)
            try:
                compute = find_compute(self.ws, self.compute_name)
            except MissingError as error:
                raise TypeError(f"{error}; register_compute creates one") from None
            # The steps have looked up their datasets themselves.
            datasets = {name: dataset for step in self.steps for name, dataset in step.datasets.items()}
            return Resources({self.env_name: environment}, {self.compute_name: compute}, datasets, {})

    def _plan(self) -> Plan:
        return plan_of(self.steps, self.env_name, self.compute_name)

    def _folder(self) -> Path:
        return folder_of(self.steps)

    def _values(self, wired: Plan) -> Values:
        return values_of(self.steps, wired, self._resources)

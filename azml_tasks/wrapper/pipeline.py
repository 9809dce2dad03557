"""The pipeline of the wrapper API, built from steps or from a pipeline.yaml, and its schedule."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from azml_tasks.azure.errors import MissingError
from azml_tasks.azure.records import AzureRunRecord
from azml_tasks.azure.v1.client.connection import connect, service_calls
from azml_tasks.azure.v1.publish.publication import PipelineToPublish, Publication, publish_pipeline
from azml_tasks.azure.v1.publish.published import find_published
from azml_tasks.azure.v1.resources.computes import find_compute
from azml_tasks.azure.v1.resources.environments import find_environment
from azml_tasks.azure.v1.schedules.decide import WantedSchedule
from azml_tasks.azure.v1.schedules.reconcile import reconcile, watched_datastore
from azml_tasks.backend import Watch
from azml_tasks.checks.azure import check_azure_needs
from azml_tasks.model import Schedule
from azml_tasks.model.schedule import FREQUENCIES
from azml_tasks.plan import Plan, StepPlan
from azml_tasks.plan.plan import reuse_in_a_run
from azml_tasks.reading import Project, load_project
from azml_tasks.runs.origin import Origin
from azml_tasks.runs.progress import progress_on
from azml_tasks.runs.records import RunStarted
from azml_tasks.snapshot import SnapshotBuilder, take_snapshots, with_words
from azml_tasks.wrapper.step import PipelineStep, folder_of, is_plain, plan_of, values_of
from azml_tasks.wrapper.workspace import WorkspaceWrapper

if TYPE_CHECKING:
    from azureml.core import Experiment
    from azureml.core.runconfig import RunConfiguration
    from azureml.pipeline.core import Pipeline, PipelineRun
    from azureml.pipeline.steps import PythonScriptStep

    from azml_tasks.azure.v1.pipeline import Values
    from azml_tasks.azure.v1.resources.find import Resources

ON_BLOB_CHANGE = "On_blob_change"
POSSIBLE_SCHEDULES = [ON_BLOB_CHANGE, *FREQUENCIES]


def schedule_of(schedule: str | None, interval: int | None, datastore_name: str | None) -> Schedule | None:
    """Return the requested schedule, if any.

    Raises ValueError for an invalid or incomplete one.
    """
    if not schedule:
        return None
    if schedule == ON_BLOB_CHANGE:
        if not datastore_name:
            raise ValueError(f"the schedule {schedule} needs the datastore_name of the blobs")
        return Schedule.model_validate({"on_blob_change": {"datastore_name": datastore_name}})
    if schedule not in POSSIBLE_SCHEDULES:
        raise ValueError(f"schedule must be one of {POSSIBLE_SCHEDULES}, not {schedule!r}")
    if type(interval) is not int or interval < 1:
        raise ValueError(f"the schedule {schedule} needs an interval, a whole number from 1, not {interval!r}")
    return Schedule.model_validate({"frequency": schedule, "interval": interval})


def publish_and_schedule(ws: Any, wanted: PipelineToPublish, asked: Schedule | None, experiment: str) -> Publication:
    """Publish a pipeline, and make its schedule the only active one named `<its name>Schedule`.

    Raises NameError for a datastore that is not registered.
    """
    if asked and asked.on_blob_change:
        try:
            watched_datastore(ws, asked.on_blob_change)
        except MissingError as error:
            raise NameError(f"{error}; register_blob_datastore registers one") from None
    publication = publish_pipeline(ws, wanted)
    if asked:
        name, description = f"{wanted.name}Schedule", wanted.description or ""
        keep = WantedSchedule(name, description, experiment, publication.endpoint_id, asked)
        reconcile(ws, keep, find_published(ws, wanted.name))
    return publication


def experiment_name(name: str) -> str:
    """Return a valid name for an experiment."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_") or "pipeline"


class PipelineWrapper(WorkspaceWrapper):
    """Steps that run one after the other, each passing its folder to the next.

    Every step but the first gets `--input-folder`, every step but the last `--output-folder`. The environment and the
    compute are looked up by the constructor. Raises TypeError if steps is not a list of PipelineStep or the compute is
    not registered, and ValueError for a step of another workspace.
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
            raise TypeError(f"steps must be a list, even for one step, not {type(steps).__name__}")
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
        """Create a pipeline from a dictionary whose `steps` maps keys to configurations of steps.

        Raises TypeError if it is not a dictionary, and KeyError with missing keys.
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
        """Create a pipeline from a pipeline.yaml, with an optional target.

        Its workspace is opened, but never created. Raises ProjectError, LoginError, ServiceError.
        """

        return ProjectWrapper(load_project(Path(path).resolve(), target))

    @property
    def compute(self) -> Any:
        """The SDK's compute target."""
        return self._resources.computes[self.compute_name]

    @property
    def run_config(self) -> RunConfiguration:
        """The SDK's run configuration, with the environment and the compute."""
        with service_calls("creating the run configuration"):
            from azml_tasks.azure.v1.pipeline import run_configuration

            return run_configuration(self._resources.environments[self.env_name], self.compute_name)

    @property
    def pipeline_steps(self) -> list[PythonScriptStep]:
        """The SDK's steps; their folders exist as long as this object."""
        if not self.steps:
            return []
        wired = self._plan()
        with service_calls("creating the steps"):
            from azml_tasks.azure.v1.pipeline import build_steps, stage

            folder = Path(tempfile.mkdtemp(prefix="azml-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            snapshots = take_snapshots(SnapshotBuilder(self._folder()), wired.steps)
            folders = {key: stage(snapshots[key], folder / str(place)) for place, key in enumerate(snapshots)}
            values = self._values(wired)
            spelled = with_words(wired, snapshots)
            return list(build_steps(spelled, self._resources, folders, reuse_in_a_run(wired), values).values())

    def run(self, experiment_name: str) -> AzureRunRecord | None:
        """Run the pipeline in an experiment, and print its progress until it ends; without steps, do nothing.

        Raises RunError when the run fails.
        """
        if not self.steps:
            return None
        wired = self._plan()
        snapshots = take_snapshots(SnapshotBuilder(self._folder()), wired.steps)
        program = Path(sys.argv[0]).name if sys.argv else ""
        with service_calls("running the pipeline"):
            from azml_tasks.azure.v1.runs.recording import RunRecording
            from azml_tasks.azure.v1.submit import follow_to_end, submit

            recording = RunRecording(self._folder(), wired, Origin("", ("python", program)), snapshots)
            values = self._values(wired)
            submitted = submit(self.ws, wired, snapshots, self._resources, experiment_name, values=values)
            self.pipeline, self._run = submitted.pipeline, submitted.run
            self.experiment = submitted.run.experiment
            show = progress_on(target=None)
            show(RunStarted(submitted.record, tuple(step.key for step in wired.steps)))

            def record() -> None:
                recording.write(submitted.run, self._resources.environments, show)

            return follow_to_end(submitted, Watch(show, tick=show.tick), self._folder(), record)

    def register(
        self,
        name: str,
        description: str,
        schedule: str | None = None,
        interval: int | None = None,
        datastore_name: str | None = None,
    ) -> Publication:
        """Publish and schedule the pipeline.

        `schedule` is Minute, Hour, Day, Week or Month with an `interval` in this unit, or On_blob_change with the
        datastore of the blobs. Repeating a call changes nothing; there is never a second schedule. Raises ValueError
        for an invalid or incomplete schedule, and NameError for a datastore that is not registered.
        """
        asked = schedule_of(schedule, interval, datastore_name)
        if not self.steps:
            raise ValueError("a pipeline without steps cannot be published")
        wired = self._plan()
        for step in self.steps:
            if not self._is_publishable(step):
                raise ValueError(f"the arguments of the step '{step.name}' were reordered; only append to them")
        snapshots = take_snapshots(SnapshotBuilder(self._folder()), wired.steps)
        wanted = PipelineToPublish(name, description, wired, snapshots, self._folder())
        experiment = self.experiment.name if self.experiment else experiment_name(name)
        return publish_and_schedule(self.ws, wanted, asked, experiment)

    def _is_publishable(self, step: PipelineStep) -> bool:
        return is_plain(step)

    def _check(self, step: Any) -> None:
        if not isinstance(step, PipelineStep):
            raise TypeError(f"a step must be a PipelineStep, not {type(step).__name__}")
        if step.ws_name.lower() != self.ws_name.lower():
            raise ValueError(
                f"the step '{step.name}' uses the workspace '{step.ws_name}', but the pipeline uses '{self.ws_name}'"
            )

    def _find_resources(self) -> Resources:
        with service_calls("creating the pipeline"):
            from azml_tasks.azure.v1.resources.find import Resources

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


class ProjectWrapper(PipelineWrapper):
    """The pipeline of a project; its steps are read from the file and must be changed there.

    Its workspace is opened, but never created.
    """

    def __init__(self, project: Project) -> None:
        check_azure_needs(project)
        pipeline = project.pipeline
        where = (pipeline.ws_name, pipeline.resource_group, pipeline.subscription_id)
        WorkspaceWrapper.__init__(self, *map(str, where))
        self._project = project
        self._ws = connect(project)
        first = project.plan.steps[0].step
        self.env_name = str(pipeline.env_of(first))
        self.compute_name = str(pipeline.compute_of(first))
        self.experiment = None
        self.pipeline = None
        self._run = None
        self._resources = self._find_resources()
        values = self._values(project.plan)
        self.steps = [self._shown(step, values) for step in project.plan.steps]

    def _shown(self, planned: StepPlan, values: Values) -> PipelineStep:
        folder = self._project.directory / planned.step.script_directory
        step = PipelineStep(
            self.ws_name,
            self.resource_group,
            self.subscription_id,
            planned.label,
            planned.step.script_name,
            script_directory=str(folder),
            include=planned.step.include,
        )
        step.key = planned.key
        step.arguments = values.arguments(planned)
        return step

    def _is_publishable(self, step: PipelineStep) -> bool:
        return True

    def _find_resources(self) -> Resources:
        with service_calls("creating the pipeline"):
            from azml_tasks.azure.v1.resources.find import find_resources

            return find_resources(self.ws, self._project.plan, self._project.directory)

    def _plan(self) -> Plan:
        return self._project.plan

    def _folder(self) -> Path:
        return self._project.directory

    def _values(self, wired: Plan) -> Values:
        with service_calls("creating the arguments"):
            from azml_tasks.azure.v1.pipeline import Values

            return Values(wired, self._resources)

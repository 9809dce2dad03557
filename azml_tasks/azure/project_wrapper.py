"""A pipeline.yaml in the clothes of the wrapper API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.connection import connect
from azml_tasks.azure.pipeline_step import PipelineStep
from azml_tasks.azure.pipeline_wrapper import PipelineWrapper
from azml_tasks.azure.workspace_wrapper import WorkspaceWrapper
from azml_tasks.needs import check_needs
from azml_tasks.reading import Project
from azml_tasks.wiring import Plan, StepPlan

if TYPE_CHECKING:
    from azml_tasks.azure.steps import Resources, Values


class ProjectWrapper(PipelineWrapper):
    """The pipeline of a project; its steps show what the file says, and are changed there.

    Its workspace is opened, and never created.
    """

    def __init__(self, project: Project) -> None:
        check_needs(project)
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
        with service_calls("making the pipeline"):
            from azml_tasks.azure.resources import find_resources

            return find_resources(self.ws, self._project.plan, self._project.directory)

    def _plan(self) -> Plan:
        return self._project.plan

    def _folder(self) -> Path:
        return self._project.directory

    def _values(self, wired: Plan) -> Values:
        with service_calls("making the arguments"):
            from azml_tasks.azure.steps import Values

            return Values(wired, self._resources)

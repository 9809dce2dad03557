"""The wrapper API: a workspace, a step, a pipeline."""

from azml_tasks.azure.pipeline_step import PipelineStep
from azml_tasks.azure.pipeline_wrapper import PipelineWrapper
from azml_tasks.azure.workspace_wrapper import WorkspaceWrapper

__all__ = ["PipelineStep", "PipelineWrapper", "WorkspaceWrapper"]

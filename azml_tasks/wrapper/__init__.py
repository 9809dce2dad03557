"""The wrapper API: a workspace, a step, a pipeline."""

from azml_tasks.wrapper.pipeline import PipelineWrapper
from azml_tasks.wrapper.step import PipelineStep
from azml_tasks.wrapper.workspace import WorkspaceWrapper

__all__ = ["PipelineStep", "PipelineWrapper", "WorkspaceWrapper"]

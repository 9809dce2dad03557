from typing import Any

from azml_local.run.pipeline_run import PipelineRun as PipelineRun
from azml_local.run.pipeline_run import PortDataReference as PortDataReference
from azml_local.run.pipeline_run import StepRun as StepRun
from azml_local.run.pipeline_run import StepRunOutput as StepRunOutput

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...

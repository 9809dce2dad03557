"""The names that scripts import from azureml.pipeline.core."""

from __future__ import annotations

from azml_local.sdk import names

__getattr__ = names(
    __name__,
    {
        "PipelineRun": "pipeline_run",
        "PortDataReference": "pipeline_run",
        "StepRun": "pipeline_run",
        "StepRunOutput": "pipeline_run",
    },
)

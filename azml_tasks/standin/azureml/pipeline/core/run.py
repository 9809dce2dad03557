"""The names that scripts import from azureml.pipeline.core.run."""

from __future__ import annotations

from azml_local.sdk.finder import names

__getattr__ = names(__name__, ("PipelineRun", "StepRun", "StepRunOutput"))

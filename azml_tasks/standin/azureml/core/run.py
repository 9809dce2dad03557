"""The names that scripts import from azureml.core.run."""

from __future__ import annotations

from azml_local.sdk.finder import names

__getattr__ = names(__name__, ("Run", "_OfflineRun", "_SubmittedRun", "get_run"))

"""The names that scripts import from azureml.core.run."""

from __future__ import annotations

from azml_local.sdk import names

__getattr__ = names(__name__, {"Run": "run", "_OfflineRun": "offline", "_SubmittedRun": "run", "get_run": "run"})

"""The names that scripts import from azureml.data.datapath."""

from __future__ import annotations

from azml_local.sdk.finder import names

__getattr__ = names(__name__, ("DataPath",))

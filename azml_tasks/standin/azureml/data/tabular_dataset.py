"""The names that scripts import from azureml.data.tabular_dataset."""

from __future__ import annotations

from azml_local.sdk import names

__getattr__ = names(__name__, {"TabularDataset": "tabular"})

"""The names that scripts import from azureml.data.azure_storage_datastore."""

from __future__ import annotations

from azml_local.sdk.finder import names

__getattr__ = names(__name__, ("AzureBlobDatastore",))

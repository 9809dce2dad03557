"""The names that scripts import from azureml.core."""

from __future__ import annotations

from azml_local.sdk.finder import names

VERSION = "1.61.0"  # of the SDK that this replaces
__version__ = VERSION

__getattr__ = names(
    __name__,
    ("Dataset", "Datastore", "Experiment", "Keyvault", "Model", "Run", "Workspace", "get_run"),
)

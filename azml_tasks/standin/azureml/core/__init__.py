"""The names that scripts import from azureml.core."""

from __future__ import annotations

from azml_local.sdk import names

VERSION = "1.61.0"  # of the SDK that this stands in for
__version__ = VERSION

__getattr__ = names(
    __name__,
    {
        "Dataset": "dataset",
        "Datastore": "datastore",
        "Experiment": "experiment",
        "Keyvault": "secrets",
        "Model": "model",
        "Run": "run",
        "Workspace": "workspace",
        "get_run": "run",
    },
)

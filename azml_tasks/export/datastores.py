"""Blob datastores ("CLI (v2) Azure Blob datastore YAML schema"), without what opens them."""

from __future__ import annotations

from azml_tasks.export.document import document
from azml_tasks.model import Datastore


def datastore_file(name: str, datastore: Datastore) -> bytes:
    """Return the file of a datastore; no secret is ever in it."""
    return document(
        "azureBlob",
        {
            "name": name,
            "type": "azure_blob",
            "account_name": datastore.account_name,
            "container_name": datastore.container_name,
        },
    )


def datastore_remark(name: str, datastore: Datastore, file: str) -> str | None:
    """Say how to give the datastore the secret that pipeline.yaml names, if it names one."""
    for key, variable in datastore.secret_variables.items():
        return (
            f"datastore '{name}': its secret is not written; give it when you make the datastore: "
            f'az ml datastore create --file {file} --set credentials.{key}="${variable}"'
        )
    return None

from typing import Any

from azml_local.data.datastore import AzureBlobDatastore as AzureBlobDatastore

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...

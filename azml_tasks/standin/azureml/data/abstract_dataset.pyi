from typing import Any

from azml_local.data.abstract import AbstractDataset as AbstractDataset

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...

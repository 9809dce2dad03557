from typing import Any

from azml_local.data.dataset import Dataset as Dataset

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...

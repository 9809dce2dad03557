from typing import Any

from azml_local.data.file_dataset import FileDataset as FileDataset

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...

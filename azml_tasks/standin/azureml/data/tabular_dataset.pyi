from typing import Any

from azml_local.data.tabular_dataset import TabularDataset as TabularDataset

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...

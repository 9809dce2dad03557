from typing import Any

from azml_local.data.dataset import DataType as DataType
from azml_local.data.dataset import FileDatasetFactory as FileDatasetFactory
from azml_local.data.dataset import TabularDatasetFactory as TabularDatasetFactory

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...

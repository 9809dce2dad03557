from typing import Any

from azml_local.data.dataset import Dataset as Dataset
from azml_local.workspace.model import Model as Model

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...

from typing import Any

from azml_local.workspace.workspace import Workspace as Workspace

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...

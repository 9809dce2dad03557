from typing import Any

from azml_local.formats.delimited import PromoteHeadersBehavior as PromoteHeadersBehavior

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...

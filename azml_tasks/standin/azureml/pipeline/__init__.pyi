from typing import Any

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...

from typing import Any

from azml_local.secrets import Keyvault as Keyvault

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...

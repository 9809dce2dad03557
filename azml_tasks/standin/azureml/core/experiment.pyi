from typing import Any

from azml_local.workspace.experiment import Experiment as Experiment

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...

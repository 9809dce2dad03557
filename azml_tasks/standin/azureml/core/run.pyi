from typing import Any

from azml_local.run.offline import _OfflineRun as _OfflineRun
from azml_local.run.run import _SubmittedRun as _SubmittedRun
from azml_local.run.run import get_run as get_run

# As a step gets it: with its inputs and outputs.
Run = _SubmittedRun

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...

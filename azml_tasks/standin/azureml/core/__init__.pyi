from typing import Any

from azml_local.data.dataset import Dataset as Dataset
from azml_local.data.datastore import Datastore as Datastore
from azml_local.run.run import _SubmittedRun
from azml_local.run.run import get_run as get_run
from azml_local.secrets import Keyvault as Keyvault
from azml_local.workspace.experiment import Experiment as Experiment
from azml_local.workspace.model import Model as Model
from azml_local.workspace.workspace import Workspace as Workspace

VERSION: str
__version__: str

# As a step gets it: with its inputs and outputs.
Run = _SubmittedRun

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...

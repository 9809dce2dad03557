"""The frozen model of pipeline.yaml; imports nothing of the package but its errors."""

from azml_tasks.model.auth import Auth
from azml_tasks.model.compute import Compute
from azml_tasks.model.dataset import Dataset
from azml_tasks.model.datastore import Datastore
from azml_tasks.model.environment import Environment
from azml_tasks.model.pipeline import Pipeline
from azml_tasks.model.publish import Publish
from azml_tasks.model.schedule import Schedule
from azml_tasks.model.step import Destination, OutputFolder, Step, StepTable

__all__ = [
    "Auth",
    "Compute",
    "Dataset",
    "Datastore",
    "Destination",
    "Environment",
    "OutputFolder",
    "Pipeline",
    "Publish",
    "Schedule",
    "Step",
    "StepTable",
]

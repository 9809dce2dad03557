"""The frozen model of pipeline.yaml."""

from azml_tasks.model.pipeline import Auth, Pipeline, Publish
from azml_tasks.model.resources import Compute, Dataset, Datastore, Environment
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

"""The whole of pipeline.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, field_validator

from azml_tasks.model.auth import Auth, Method
from azml_tasks.model.base import Argument, Model
from azml_tasks.model.compute import Compute
from azml_tasks.model.dataset import Dataset
from azml_tasks.model.datastore import Datastore
from azml_tasks.model.environment import Environment
from azml_tasks.model.names import (
    ComputeName,
    DatasetName,
    DatastoreName,
    EnvironmentName,
    ExperimentName,
    ParameterName,
    ResourceGroupName,
    StepKey,
    SubscriptionId,
    WorkspaceName,
)
from azml_tasks.model.publish import Publish
from azml_tasks.model.schedule import Schedule
from azml_tasks.model.step import Step


class Pipeline(Model):
    """Steps in order, and everything that they need."""

    backend: Literal["local", "azure"] = Field("azure", description="Where `invoke run` runs.")
    ws_name: WorkspaceName | None = Field(None, description="The Azure ML workspace.")
    resource_group: ResourceGroupName | None = Field(None, description="The workspace's resource group.")
    subscription_id: SubscriptionId | None = Field(None, description="The Azure subscription.")
    experiment_name: ExperimentName | None = Field(None, description="The experiment that runs are filed under.")
    description: str | None = Field(None, description="Stored with each run.")
    tags: Mapping[str, str] = Field({}, description="Stored with each run.")
    continue_on_step_failure: bool = Field(False, description="Whether steps that do not need a failed one go on.")
    pipeline_parameters: Mapping[ParameterName, Argument] = Field(
        {}, description="Name: default. Whoever launches the published pipeline may give other values."
    )
    env_name: str | None = Field(None, description="Environment of every step that names none.")
    compute_name: ComputeName | None = Field(None, description="Compute of every step that names none.")
    steps: Mapping[StepKey, Step] = Field(description="The steps, in order; keys are free.", min_length=1)
    environments: Mapping[EnvironmentName, Environment] = Field({}, description="Environments to register.")
    datastores: Mapping[DatastoreName, Datastore] = Field({}, description="Datastores to register.")
    datasets: Mapping[DatasetName, Dataset] = Field({}, description="Datasets to register.")
    computes: Mapping[ComputeName, Compute] = Field({}, description="Compute clusters to create.")
    publish: Publish | None = Field(None, description="How `invoke publish` publishes the pipeline.")
    schedule: Schedule | None = Field(None, description="When `invoke schedule` has it run.")
    auth: Auth = Field(Auth(), description="How to log in to Azure.")

    @field_validator("auth", mode="before", json_schema_input_type=Auth | Method)
    @classmethod
    def _a_method_alone(cls, value: object) -> object:
        return {"method": value} if isinstance(value, str) else value

    def env_of(self, step: Step) -> str | None:
        """Return the name of the environment that the step runs in, if any is named."""
        return step.env_name or self.env_name

    def compute_of(self, step: Step) -> str | None:
        """Return the name of the compute that the step runs on, if any is named."""
        return step.compute_name or self.compute_name

    @property
    def experiment(self) -> str:
        """The experiment's name; `pipeline` when the file names none."""
        return self.experiment_name or "pipeline"

"""The whole of pipeline.yaml, with how to log in and how to publish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, field_validator

from azml_tasks.model.base import Argument, Model
from azml_tasks.model.names import (
    ComputeName,
    DatasetName,
    DatastoreName,
    EnvironmentName,
    EnvironmentReference,
    ExperimentName,
    ParameterName,
    ResourceGroupName,
    StepKey,
    SubscriptionId,
    WorkspaceName,
)
from azml_tasks.model.resources import Compute, Dataset, Datastore, Environment
from azml_tasks.model.schedule import Schedule
from azml_tasks.model.step import Step

Method = Literal["automatic", "service_principal", "cli", "managed_identity", "interactive"]


class Auth(Model):
    """The login method; by default the first that is available on this machine."""

    method: Method = Field("automatic", description="The login method.")
    tenant_id: str | None = Field(None, description="The Azure tenant, if the account has several.")


class Publish(Model):
    """The name of the published pipeline."""

    name: str = Field(description="Name of the published pipeline and its endpoint.", min_length=1)
    description: str | None = Field(None, description="Shown with the name.")


class Pipeline(Model):
    """The steps in order, and everything they need."""

    backend: Literal["local", "azure", "azure-v2"] = Field(
        "azure", description="Where `invoke run` runs: this machine, Azure ML with SDK v1, or Azure ML v2."
    )
    ws_name: WorkspaceName | None = Field(None, description="The Azure ML workspace.")
    resource_group: ResourceGroupName | None = Field(None, description="The workspace's resource group.")
    subscription_id: SubscriptionId | None = Field(None, description="The Azure subscription.")
    experiment_name: ExperimentName | None = Field(None, description="The experiment of the runs.")
    description: str | None = Field(None, description="Stored with each run.")
    tags: Mapping[str, str] = Field({}, description="Stored with each run.")
    continue_on_step_failure: bool = Field(
        False, description="Whether steps that do not depend on a failed step continue."
    )
    pipeline_parameters: Mapping[ParameterName, Argument] = Field(
        {}, description="Name: default. The values can be changed when the published pipeline is started."
    )
    env_name: EnvironmentReference | None = Field(None, description="Environment of steps without env_name.")
    compute_name: ComputeName | None = Field(None, description="Compute of steps without compute_name.")
    steps: Mapping[StepKey, Step] = Field(description="The steps, in order, by name.", min_length=1)
    environments: Mapping[EnvironmentName, Environment] = Field({}, description="Environments to register.")
    datastores: Mapping[DatastoreName, Datastore] = Field({}, description="Datastores to register.")
    datasets: Mapping[DatasetName, Dataset] = Field({}, description="Datasets to register.")
    computes: Mapping[ComputeName, Compute] = Field({}, description="Compute clusters to create.")
    publish: Publish | None = Field(None, description="How `invoke publish` publishes the pipeline.")
    schedule: Schedule | None = Field(None, description="The schedule that `invoke schedule` creates.")
    auth: Auth = Field(Auth(), description="How to log in to Azure.")

    @field_validator("auth", mode="before", json_schema_input_type=Auth | Method)
    @classmethod
    def _a_method_alone(cls, value: object) -> object:
        return {"method": value} if isinstance(value, str) else value

    def env_of(self, step: Step) -> str | None:
        """Return the name of the step's environment, if any."""
        return step.env_name or self.env_name

    def compute_of(self, step: Step) -> str | None:
        """Return the name of the step's compute, if any."""
        return step.compute_name or self.compute_name

    @property
    def experiment(self) -> str:
        """The experiment's name; default: `pipeline`."""
        return self.experiment_name or "pipeline"

"""An environment: the packages and the image that steps run in."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, field_validator, model_validator

from azml_tasks.model.base import MisfitError, Model, Sequence
from azml_tasks.model.names import VariableName


class Environment(Model):
    """What a step's container holds besides what the run itself needs."""

    pip_packages: Sequence[str] = Field((), description="pip requirements, such as `pandas` or `pandas==2.2`.")
    conda_packages: Sequence[str] = Field((), description="conda packages, from conda-forge.")
    conda_file: str | None = Field(None, description="A conda YAML file, relative to this file, instead of packages.")
    python_version: str | None = Field(None, description='Quoted: "3.10".')
    base_image: str | None = Field(None, description="Image to build on; by default the SDK's own.")
    dockerfile: str | None = Field(None, description="A Dockerfile, relative to this file, instead of base_image.")
    environment_variables: Mapping[VariableName, str] = Field({}, description="Variables set in the container.")

    @field_validator("python_version", mode="before")
    @classmethod
    def _quoted(cls, value: object) -> object:
        if isinstance(value, float):
            raise ValueError('python_version: quote the version, as in "3.10"; without quotes it is the number 3.1')
        return value

    @model_validator(mode="after")
    def _one_source(self) -> Environment:
        if self.conda_file and (self.pip_packages or self.conda_packages or self.python_version):
            raise MisfitError(
                "conda_file", "conda_file holds all packages and the Python version; leave the others out"
            )
        if self.base_image and self.dockerfile:
            raise MisfitError("dockerfile", "give base_image or dockerfile, not both")
        return self

"""The conda specification of an environment: what the file asks for and what the run itself needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from azml_tasks.model import Environment
from azml_tasks.reading.environment import read_conda

# azureml-defaults 1.61 and later install on 3.10 and 3.11.
DEFAULT_PYTHON = "3.10"
# The anaconda channel and conda's own defaults need a licence in larger companies.
CHANNELS = ("conda-forge", "nodefaults")

# What the run needs so that `azureml.core` can be imported and logs and outputs are collected.
RUN = "azureml-defaults"
# What mounts and downloads datasets; what reads tables into pandas, with the pandas that it can deal with.
FILES = "azureml-dataset-runtime[fuse]"
TABLES = "azureml-dataprep[pandas]"


def conda_specification(environment: Environment, directory: Path, needed: Iterable[str]) -> dict[str, Any]:
    """Return the content of a conda YAML file; pip packages of `needed` are added where none of that name is listed.

    Raises ProjectError for a conda file that cannot be read.
    """
    if environment.conda_file:
        specification = read_conda(directory, environment.conda_file, yaml.SafeLoader)
    else:
        python = [f"python={environment.python_version}"] if environment.python_version else []
        packages = [*python, *environment.conda_packages, {"pip": list(environment.pip_packages)}]
        specification = {"channels": list(CHANNELS), "dependencies": packages}
    return _completed(specification, needed)


def has_own_python(environment: Environment) -> bool:
    """Say whether the image's own Python runs the steps: it names an image or a Dockerfile, and no packages."""
    packages = (
        environment.pip_packages or environment.conda_packages or environment.conda_file or environment.python_version
    )
    return bool((environment.base_image or environment.dockerfile) and not packages)


def python_requirement(specification: Mapping[str, Any]) -> str:
    """Return the requirement that names the Python version."""
    return next((item for item in conda_packages(specification) if package_name(item) == "python"), "")


def conda_packages(specification: Mapping[str, Any]) -> list[str]:
    """Return the conda requirements."""
    return [item for item in specification.get("dependencies") or () if isinstance(item, str)]


def pip_packages(specification: Mapping[str, Any]) -> list[str]:
    """Return the pip requirements, and pip's options among them."""
    sections = (item["pip"] for item in specification.get("dependencies") or () if isinstance(item, dict))
    return [requirement for section in sections for requirement in section or ()]


def package_name(requirement: str) -> str:
    """Return the name in a requirement, as package indexes compare names: without extras, case and punctuation."""
    name = re.split(r"[\s\[<>=!~;@]", requirement.strip(), maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def _completed(specification: dict[str, Any], needed: Iterable[str]) -> dict[str, Any]:
    pip = pip_packages(specification)
    listed = {package_name(requirement) for requirement in pip}
    pip += [requirement for requirement in needed if package_name(requirement) not in listed]
    conda = conda_packages(specification)
    if not python_requirement(specification):
        conda.insert(0, f"python={DEFAULT_PYTHON}")
    if "pip" not in map(package_name, conda):
        conda.append("pip")
    channels = specification.get("channels") or list(CHANNELS)
    return {**specification, "channels": channels, "dependencies": [*conda, {"pip": pip}]}

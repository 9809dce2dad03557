"""Read conda files, and build the conda specification of an environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.model import Dataset, Environment, Pipeline
from azml_tasks.packages import required_name
from azml_tasks.plan import DatasetInput, Input, Plan, StepPlan, TableInput
from azml_tasks.reading.environment.requirements import conda_fault, token_in_channel
from azml_tasks.reading.messages import shown
from azml_tasks.reading.tree import Node, TreeError, parse_tree, read_text
from azml_tasks.text import did_you_mean

_PYTHON = r"(?:\S*::)?python(?![\w.-])"
_KEYS = frozenset(("name", "channels", "dependencies", "prefix", "variables", "platforms", "category"))
_PIP_TOO_HIGH = "`pip` must be inside `dependencies`: write `- pip:` as the last item of `dependencies`"
# A line of requirements.txt that is also valid YAML text.
_REQUIREMENT = r"(-[rce]|--)\S*|[\w.-]+(\[[\w,-]+\])?\s*([=<>!~]=|[<>])"


def environment_text(directory: Path, name: str) -> str:
    """Return the text of a file that an environment names.

    Raises ProjectError for one that cannot be read.
    """
    try:
        return read_text(directory / name)
    except TreeError as error:
        raise ProjectError([Problem(name, error.line, error.message)]) from None


def read_conda(directory: Path, name: str, loader: type[yaml.SafeLoader | yaml.BaseLoader]) -> dict[str, Any]:
    """Return the content of a conda file, which has a list of `dependencies`.

    Raises ProjectError for a file that cannot be read, or is not a conda file.
    """
    text = environment_text(directory, name)
    problems = [Problem(name, line, message) for line, message in _conda_faults(text)]
    if problems:
        raise ProjectError(problems)
    content: dict[str, Any] = yaml.load(text, Loader=loader)  # noqa: S506 - one of the two that make no objects
    return content


def _conda_faults(text: str) -> Iterator[tuple[int, str]]:
    """Yield the problems of the text of a conda file, with lines."""
    try:
        root = parse_tree(text)
    except TreeError as error:
        lines = text.splitlines()
        is_pip = 0 < error.line <= len(lines) and lines[error.line - 1].strip().startswith("pip:")
        yield error.line, _PIP_TOO_HIGH if is_pip else f"{error.message}{_meant_for_pip(text)}"
        return
    value = root.value
    if value is None:
        yield 0, "the file is empty; a conda file has a list of `dependencies`"
    elif not isinstance(value, dict):
        found = f"expected a list of `dependencies`, found {_kind(value)}{_meant_for_pip(text)}"
        yield root.line, f"this is not a conda file: {found}"
    else:
        yield from _mapping_faults(root)


def _mapping_faults(root: Node) -> Iterator[tuple[int, str]]:
    assert isinstance(root.value, dict)
    if "pip" in root.value:
        yield root.key_lines["pip"], _PIP_TOO_HIGH
    dependencies = root.value.get("dependencies")
    if dependencies is None:
        yield 0, f"this is not a conda file: no list of `dependencies`{_meant('dependencies', root)}"
    elif not isinstance(dependencies.value, list):
        line = root.key_lines["dependencies"]
        yield line, f"`dependencies`: expected a list, as in `- python=3.10`, found {shown(_plain(dependencies))}"
    else:
        for item in dependencies.value:
            yield from _dependency_faults(item)
        yield from _repeated(dependencies.value)
    channels = root.value.get("channels")
    if channels is not None and not isinstance(channels.value, (list, type(None))):
        found = shown(_plain(channels))
        yield root.key_lines["channels"], f"`channels`: expected a list, as in `- conda-forge`, found {found}"
    elif channels is not None and channels.value is not None:
        assert isinstance(channels.value, list)
        for item in channels.value:
            if not isinstance(item.value, str) or not item.value.strip():
                yield item.line, f"`channels`: expected text, found {shown(_plain(item))}"
            elif found := token_in_channel(item.value):
                yield item.line, found
    yield from _other_faults(root.value, root.key_lines)


def _other_faults(content: Mapping[str, Node], lines: Mapping[str, int]) -> Iterator[tuple[int, str]]:
    """Yield the problems of the other keys of a conda file."""
    name, variables = content.get("name"), content.get("variables")
    if name is not None and isinstance(name.value, (list, dict)):
        yield lines["name"], f"`name`: expected text, found {shown(_plain(name))}"
    if variables is not None and not isinstance(variables.value, (dict, type(None))):
        yield (
            lines["variables"],
            f"`variables`: expected a mapping, as in `NAME: value`, found {shown(_plain(variables))}",
        )
    elif variables is not None and isinstance(variables.value, dict):
        for item in variables.value.values():
            if isinstance(item.value, (list, dict)):
                yield item.line, f"`variables`: expected text, found {shown(_plain(item))}"
    for key in content if "dependencies" in content else ():
        if key not in _KEYS and (close := did_you_mean(key, _KEYS - content.keys())):
            yield lines[key], f"unknown key '{key}'{close}"


def _meant_for_pip(text: str) -> str:
    """Describe what to do with a file that looks like a list of requirements."""
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return "; for a requirements file, list its lines in pip_packages" if re.match(_REQUIREMENT, first) else ""


def _kind(value: object) -> str:
    """Describe the kind of a value without showing it."""
    return "a list" if isinstance(value, list) else "text" if isinstance(value, str) else "a single value"


def _meant(key: str, root: Node) -> str:
    assert isinstance(root.value, dict)
    close = did_you_mean(key, root.value)
    found = close.removeprefix("; did you mean '").removesuffix("'?")
    return f"; '{found}' on line {root.key_lines[found]} is possibly misspelled" if close else ""


def _dependency_faults(item: Node) -> Iterator[tuple[int, str]]:
    if isinstance(item.value, str) and item.value.strip():
        if fault := conda_fault(item.value.strip()):
            yield item.line, f"`dependencies`: {fault}"
        return
    if not isinstance(item.value, dict) or not item.value:
        yield item.line, f"`dependencies`: expected a package, as in `python=3.10`, found {shown(_plain(item))}"
        return
    for key, value in item.value.items():
        line = item.key_lines[key]
        if key != "pip":
            version = value.value
            plain = f"={version}" if isinstance(version, (str, int, float)) and not isinstance(version, bool) else ""
            yield line, f"`dependencies`: write each package as text: `- {key}{plain}`"
        elif value.value is not None and not isinstance(value.value, list):
            yield line, f"`pip`: expected a list, as in `- pandas==2.2`, found {shown(_plain(value))}"
        else:
            for requirement in value.value or ():
                if not isinstance(requirement.value, str) or not requirement.value.strip():
                    found = shown(_plain(requirement))
                    yield requirement.line, f"`pip`: expected a requirement, as in `pandas==2.2`, found {found}"
                elif len(requirement.value.strip().splitlines()) > 1:
                    yield requirement.line, "`pip`: one requirement per item, without line breaks"


def _repeated(items: list[Node]) -> Iterator[tuple[int, str]]:
    """Yield a second list of pip packages, of which conda uses only the last."""
    mappings = [(item.key_lines, item.value) for item in items if isinstance(item.value, dict)]
    lists = [lines["pip"] for lines, value in mappings if "pip" in value and value["pip"].value]
    for line in lists[1:]:
        yield line, f"`pip`: there is a list on line {lists[0]}, too, and conda uses only the last; merge them"


def _plain(node: Node) -> Any:
    value = node.value
    return {} if value == {} else {"": ""} if isinstance(value, dict) else value


# azureml-defaults 1.61 and later install on 3.10 and 3.11.
DEFAULT_PYTHON = "3.10"
# The anaconda channel and conda's own defaults need a licence in larger companies.
CHANNELS = ("conda-forge", "nodefaults")

# Needed in every run: `azureml.core`, and the collection of logs and outputs.
RUN = "azureml-defaults"
# Mounts and downloads datasets; reads tables into pandas, with a compatible pandas.
FILES = "azureml-dataset-runtime[fuse]"
TABLES = "azureml-dataprep[pandas]"


# What loads an MLTable ("Working with tables in Azure Machine Learning"), and what logs with MLflow.
MLTABLE, MLFLOW = "mltable", "azureml-mlflow"


def packages_needed(plan: Plan, name: str, *, backend: str | None = None) -> tuple[str, ...]:
    """Return the pip packages that every run needs in the environment, depending on what its steps read.

    Those of v1, unless the backend, by default that of the file, is azure-v2.
    """
    if (backend or plan.pipeline.backend) == "azure-v2":
        return _needed_in_jobs(plan, name)
    inputs = [
        item
        for step in plan.steps
        if plan.pipeline.env_of(step.step) == name
        for item in step.inputs
        if isinstance(item, (DatasetInput, TableInput))
    ]
    tables = [item for item in inputs if isinstance(item, TableInput) or item.mode == "direct"]
    return (RUN, *((FILES,) if inputs else ()), *((TABLES,) if tables else ()))


def _needed_in_jobs(plan: Plan, name: str) -> tuple[str, ...]:
    steps = [step for step in plan.steps if plan.pipeline.env_of(step.step) == name]
    environment = plan.pipeline.environments.get(name)
    if environment is not None and environment.azureml == "sdk":
        datasets = (read_in_a_job(plan.pipeline, item) for step in steps for item in step.inputs)
        is_table = any(dataset is not None and dataset.type == "tabular" for dataset in datasets)
        return (RUN, *((MLTABLE, TABLES) if is_table else ()), MLFLOW)
    return tuple(dict.fromkeys(package for step in steps for package in tables_in_a_job(plan.pipeline, step)))


def tables_in_a_job(pipeline: Pipeline, step: StepPlan) -> Iterator[str]:
    """Yield what the stand-in for azureml imports to read the tables of a step in a job of Azure ML v2."""
    tables = [one for one in (read_in_a_job(pipeline, item) for item in step.inputs) if one and one.type == "tabular"]
    outputs = [item for item in step.inputs if isinstance(item, TableInput)]
    if tables or outputs:
        yield "pandas"
    if "parquet" in {*(dataset.format for dataset in tables), *(item.format for item in outputs)}:
        yield "pyarrow"
    if any(not dataset.is_declared or dataset.version != "latest" for dataset in tables):
        yield MLTABLE


def read_in_a_job(pipeline: Pipeline, item: Input) -> Dataset | None:
    """Return the dataset that an input is, as the file declares it; None if it is none."""
    return pipeline.datasets.get(item.dataset) or Dataset() if isinstance(item, DatasetInput) else None


def conda_specification(
    environment: Environment, directory: Path, needed: Iterable[str], pins: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the content of a conda YAML file; missing pip packages of `needed` are added.

    `pins`, the lines of a lock, replace the pip packages; pip's options stay. Raises ProjectError for a conda file that
    cannot be read.
    """
    if environment.conda_file:
        specification = read_conda(directory, environment.conda_file, yaml.SafeLoader)
    else:
        python = [f"python={environment.python_version}"] if environment.python_version else []
        packages = [*python, *environment.conda_packages, {"pip": list(environment.pip_packages)}]
        specification = {"channels": list(CHANNELS), "dependencies": packages}
    completed = _completed(specification, needed)
    pins = list(pins)
    if pins:
        options = [line for line in pip_packages(completed) if line.startswith("-")]
        completed["dependencies"] = [*conda_packages(completed), {"pip": [*options, *pins]}]
    return completed


def has_own_python(environment: Environment) -> bool:
    """Return whether the image's own Python runs the steps: it names an image or a Dockerfile, and no packages."""
    packages = (
        environment.pip_packages or environment.conda_packages or environment.conda_file or environment.python_version
    )
    return bool((environment.base_image or environment.dockerfile) and not packages)


def python_requirement(specification: Mapping[str, Any]) -> str:
    """Return the requirement that names the Python version."""
    return next((item for item in conda_packages(specification) if required_name(item) == "python"), "")


def conda_packages(specification: Mapping[str, Any]) -> list[str]:
    """Return the conda requirements."""
    return [item for item in specification.get("dependencies") or () if isinstance(item, str)]


def pip_packages(specification: Mapping[str, Any]) -> list[str]:
    """Return the pip requirements, and pip's options among them."""
    sections = (item["pip"] for item in specification.get("dependencies") or () if isinstance(item, dict))
    return [requirement for section in sections for requirement in section or ()]


def split_requirement(package: str) -> tuple[str, str]:
    """Return the name of a requirement and the rest of it: `pandas==2.1` becomes `pandas` and `2.1`."""
    end = next((place for place, letter in enumerate(package) if letter in "=<>!~ ;@"), len(package))
    return package[:end], package[end:].strip().removeprefix("==").removeprefix("=").strip()


def _completed(specification: dict[str, Any], needed: Iterable[str]) -> dict[str, Any]:
    pip = pip_packages(specification)
    conda = conda_packages(specification)
    listed = {required_name(requirement) for requirement in (*pip, *conda)}
    pip += [requirement for requirement in needed if required_name(requirement) not in listed]
    if not python_requirement(specification):
        conda.insert(0, f"python={DEFAULT_PYTHON}")
    if "pip" not in map(required_name, conda):
        conda.append("pip")
    channels = specification.get("channels") or list(CHANNELS)
    return {**specification, "channels": channels, "dependencies": [*conda, {"pip": pip}]}

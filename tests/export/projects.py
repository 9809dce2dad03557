"""Projects to export, built in place, and what is read back of what was written."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

from azml_tasks.export import Export, export
from azml_tasks.model import Environment
from azml_tasks.reading import Project, load_project

ROOT = Path(__file__).parents[2]
VARIABLES = {
    "AZURE_SUBSCRIPTION_ID": "12345678-90ab-cdef-1234-567890abcdef",
    "AZURE_RESOURCE_GROUP": "iris-rg",
    "AZUREML_WORKSPACE_NAME": "iris-ws",
    "AZURE_STORAGE_ACCOUNT": "irisstore",
    "AZURE_STORAGE_KEY": "c2VjcmV0LWtleQ==",
    "CHURN_STORAGE_KEY": "c2VjcmV0LWtleQ==",
}
# What every pipeline needs to run on Azure.
USUAL = "env_name: e\ncompute_name: cpu\n"


def project(folder: Path, text: str, files: Mapping[str, str] | None = None) -> Project:
    """Return the project of a pipeline.yaml; scripts that it names and that are not given are empty."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pipeline.yaml").write_text(USUAL + dedent(text), encoding="utf-8")
    for path, content in (files or {}).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(dedent(content), encoding="utf-8")
    made = load_project(folder / "pipeline.yaml", variables=VARIABLES)
    for step in made.pipeline.steps.values():
        script = folder / step.script_directory / step.script_name
        script.parent.mkdir(parents=True, exist_ok=True)
        script.touch()
    return made


def with_sdk(made: Project) -> Project:
    """Return the project with the SDK as what scripts import, in each of its environments."""
    environments = dict.fromkeys(filter(None, map(made.pipeline.env_of, made.pipeline.steps.values())), Environment())
    environments |= made.pipeline.environments
    sdk = {name: one.model_copy(update={"azureml": "sdk"}) for name, one in environments.items()}
    pipeline = made.pipeline.model_copy(update={"environments": sdk})
    changed = replace(made, pipeline=pipeline)
    assert changed.plan.pipeline is pipeline
    return changed


def iris(folder: Path) -> Project:
    """Return the example of the documentation, as the target prod has it."""
    shutil.copytree(ROOT / "docs" / "examples" / "iris", folder, ignore=shutil.ignore_patterns(".azml", "__pycache__"))
    return load_project(folder / "pipeline.yaml", target="prod", variables=VARIABLES)


def texts(exported: Export) -> dict[str, str]:
    """Return the files but the code, as text."""
    return {path: file.read().decode() for path, file in exported.files.items() if not path.startswith("code/")}


def documents(made: Project) -> dict[str, Any]:
    """Return what a YAML reader reads in the files but the code."""
    return {path: yaml.safe_load(text) for path, text in texts(export(made)).items() if not path.endswith("Dockerfile")}


def remarks(made: Project) -> list[str]:
    """Return the remarks as they are printed, less what the environment and the compute of USUAL give rise to."""
    usual = ("the environment 'e' is not declared", "the compute 'cpu' is not declared")
    return [str(remark) for remark in export(made).remarks if not remark.message.startswith(usual)]

"""Projects for Azure ML v2, and a workspace that has what they need."""

from __future__ import annotations

import os
from pathlib import Path

from azml_tasks.azure.v2.backend import AzureV2Backend
from azml_tasks.backend import Pace, RunRequest, Watch
from azml_tasks.reading import Project
from tests.azure.projects import write_project
from tests.service.names import GROUP, SUBSCRIPTION, WORKSPACE
from tests.service_v2.service import ServiceV2

WHERE = (
    f"backend: azure-v2\nws_name: {WORKSPACE}\nresource_group: {GROUP}\nsubscription_id: {SUBSCRIPTION}\n"
    "experiment_name: churn\nenv_name: env\ncompute_name: cpu\n"
)
TWO_STEPS = """\
environments:
  env: {pip_packages: [pandas]}
steps:
  prepare: {script_name: prepare.py, step_config: {rows: 3}}
  train: {script_name: train.py}
"""
WRITING = """\
import argparse, json
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--config", type=json.loads)
parser.add_argument("--output-folder")
args = parser.parse_args()
Path(args.output_folder, "rows.txt").write_text("x" * args.config["rows"])
print("wrote", args.config["rows"])
"""
READING = """\
import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--input-folder")
args = parser.parse_args()
rows = len(Path(args.input_folder, "rows.txt").read_text())
Path("outputs").mkdir(exist_ok=True)
Path("outputs", "model.txt").write_text(f"model of {rows} rows")
print("read", rows)
"""
SCRIPTS = {"prepare.py": WRITING, "train.py": READING}
AT_ONCE = Pace(0.02, 0.02)


def v2_project(folder: Path, text: str = TWO_STEPS, scripts: dict[str, str] | None = None, **variables: str) -> Project:
    """Write a project for v2 and read it, with the variables of this machine."""
    return write_project(folder, WHERE + text, SCRIPTS if scripts is None else scripts, {**os.environ, **variables})


def line_of_steps(count: int) -> str:
    """Return a pipeline of steps that each hand a folder to the next."""
    steps = "".join(
        f"  s{number}: {{script_name: s{number}.py, script_directory: s{number}}}\n" for number in range(count)
    )
    return f"environments:\n  env: {{pip_packages: [pandas]}}\nsteps:\n{steps}"


def stocked(service: ServiceV2) -> ServiceV2:
    """Return the service with the compute that the projects use."""
    service.add_compute("cpu")
    return service


def run(project: Project, watch: Watch | None = None, **request):
    """Run a project and return its record."""
    return AzureV2Backend(project).run(RunRequest(**request), watch or Watch(pace=AT_ONCE))


def add_data(service: ServiceV2, name: str) -> None:
    """Register the next version of a data asset, as others did before."""
    versions = service.assets["data"].setdefault(name, {})
    body = {"dataType": "mltable", "dataUri": "azureml://datastores/workspaceblobstore/paths/a/", "isAnonymous": False}
    versions[str(len(versions) + 1)] = {"properties": body, "created": "2026-01-05T08:00:00.0000000Z"}

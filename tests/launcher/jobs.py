"""Jobs of Azure ML v2, as the service runs them: the files that are exported, a shell, and the variables of a job."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from azml_tasks.export import export
from azml_tasks.reading import Project
from tests.launcher.tracking import TOKEN, Server

SHELL = shutil.which("sh") or ""
# The variables of a job that the tests need, as a public dump of one has them.
VARIABLES = {
    "AZUREML_RUN_ID": "step",
    "AZUREML_ROOT_RUN_ID": "root",
    "AZUREML_ARM_SUBSCRIPTION": "0000-1111",
    "AZUREML_ARM_RESOURCEGROUP": "churn-rg",
    "AZUREML_ARM_WORKSPACE_NAME": "churn-ws",
    "AZUREML_ARM_PROJECT_NAME": "churn",
    "MLFLOW_EXPERIMENT_NAME": "churn",
    "MLFLOW_EXPERIMENT_ID": "7",
    "MLFLOW_RUN_ID": "step",
}


@dataclass(frozen=True)
class Job:
    """A step as it is sent: its command with the paths in it, in the folder of its code."""

    command: str
    folder: Path

    def start(self, server: Server | None = None, python: str = sys.executable, **variables: str) -> subprocess.Popen:
        """Start the command; `variables` are those of its environment."""
        own = os.path.dirname(python)
        environment = {
            "PATH": f"{own}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder.parent),
            **VARIABLES,
            **({"MLFLOW_TRACKING_URI": server.uri, "MLFLOW_TRACKING_TOKEN": TOKEN} if server else {}),
            **variables,
        }
        return subprocess.Popen(
            [SHELL, "-c", f"exec {self.command}"],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(self, server: Server | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        process = self.start(server, **variables)
        try:
            out, err = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            raise
        return subprocess.CompletedProcess(self.command, process.returncode, out, err)


class Workspace:
    """What a service keeps of the jobs of a pipeline: `blobs` is the folder of the datastores, by name."""

    def __init__(self, folder: Path, project: Project, blobs: Path | None = None) -> None:
        self.folder = folder
        self.blobs = blobs or folder / "blobs"
        self.files = {path: content.read() for path, content in export(project).files.items()}
        self.pipeline: dict[str, Any] = yaml.safe_load(self.files["pipeline.yml"])

    @property
    def jobs(self) -> list[str]:
        """The names of the jobs, in the order of the file."""
        return list(self.pipeline["jobs"])

    def output(self, job: str, name: str) -> Path:
        """Return the folder of an output of a job."""
        return self.folder / "outputs" / job / name

    def job(self, name: str, settings: Mapping[str, str] | None = None) -> Job:
        """Return a job in a new folder with its code; `settings` replace inputs of the pipeline."""
        node = self.pipeline["jobs"][name]
        component = yaml.safe_load(self.files[f"components/{name}.yml"])
        values = {f"outputs.{output}": str(self.output(name, output)) for output in component.get("outputs", {})}
        for port, binding in node.get("inputs", {}).items():
            values[f"inputs.{port}"] = self._value(binding, {**self.pipeline.get("inputs", {}), **(settings or {})})
        command = re.sub(r"\$\{\{([\w.]+)\}\}", lambda found: values[found[1]], component["command"])
        folder = self.folder / "work" / name
        shutil.rmtree(folder, ignore_errors=True)
        start = f"code/{name}/"
        for path, content in self.files.items():
            if path.startswith(start):
                file = folder / path[len(start) :]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        return Job(command, folder)

    def _value(self, binding: Any, inputs: Mapping[str, Any]) -> str:
        text = binding["path"] if isinstance(binding, dict) else binding
        inner = re.fullmatch(r"\$\{\{parent\.(.*)\}\}", text)
        assert inner
        parts = inner[1].split(".")
        if parts[0] == "jobs":
            return str(self.output(parts[1], parts[3]))
        value = inputs[parts[1]]
        if not isinstance(value, dict):
            return str(value)
        place = re.fullmatch(r"azureml://datastores/(\w+)/paths/(.*)", value["path"])
        return str(self.blobs / place[1] / place[2]).rstrip("/") if place else value["path"]

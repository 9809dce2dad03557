"""A step of a local run, as the runner would start it: real scripts in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STAND_IN = Path(__file__).parents[2] / "azml_tasks" / "standin"
CUSTOMERS = "id,age,name,since\n1,30,Ann,2020-01-02\n2,41,Bob,2020-01-03\n3,,Cy,2020-01-04\n"
CUSTOMERS_ID = "2f0c7f2e-1111-4222-8333-444455556666"


@dataclass
class Step:
    """The step `train` of the run `churn-7` in a project; `context` may be changed before the script runs."""

    project: Path
    context: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.work.mkdir(parents=True)
        self.write("data/customers.csv", CUSTOMERS)
        self.write("made/merged/part.csv", "a,b\n1,x\n")
        self.context = {
            "version": 1,
            "run_id": "churn-7",
            "step": "train",
            "step_name": "Train the model",
            "step_run_id": "churn-7_train",
            "experiment": "churn",
            "tags": {"build": "41"},
            "parameters": {},
            "project_dir": str(self.project),
            "run_dir": str(self.run_dir),
            "step_dir": str(self.folder),
            "artifacts_dir": str(self.folder / "artifacts"),
            "models_dir": str(self.project / ".azml/models"),
            "env_file": str(self.project / ".env"),
            "workspace": {"name": "churn-ws", "resource_group": "churn-rg", "subscription_id": "0000-1111"},
            "environment_name": "churn-env",
            "compute_name": "cpu-cluster",
            "datastores": {
                "churn_blob": {
                    "container_name": "raw",
                    "account_name": "churnstore",
                    "root": str(self.project / ".azml/datastores/churn_blob"),
                }
            },
            "datasets": {
                "customers": {
                    "id": CUSTOMERS_ID,
                    "type": "tabular",
                    "format": "delimited",
                    "separator": ",",
                    "set_column_types": {},
                    "support_multi_line": False,
                    "mode": "direct",
                    "local_path": str(self.project / "data/customers.csv"),
                    "version": 1,
                }
            },
            "inputs": {
                "customers": {"kind": "dataset", "dataset": "customers"},
                "merged": {"kind": "table", "path": str(self.project / "made/merged"), "format": "delimited"},
                "train_input_folder": {"kind": "folder", "path": str(self.project / "made/merged")},
            },
            "outputs": {"train_output_folder": str(self.project / "made/train")},
        }

    @property
    def run_dir(self) -> Path:
        return self.project / ".azml/runs/churn-7"

    @property
    def folder(self) -> Path:
        return self.run_dir / "steps/train"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def write(self, path: str, text: str) -> Path:
        """Write a file of the project."""
        file = self.project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def run(self, script: str, *options: str, in_run: bool = True, succeeds: bool = True) -> str:
        """Run a script as the step does, with options of the interpreter; returns what it printed.

        `succeeds=False` wants a failing exit status.
        """
        file = self.work / "script.py"
        file.write_text(textwrap.dedent(script), encoding="utf-8")
        context = self.folder / "context.json"
        context.write_text(json.dumps(self.context), encoding="utf-8")
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
        environment |= {"PYTHONPATH": str(STAND_IN), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
        environment |= {"AZML_RUN_CONTEXT": str(context)} if in_run else {}
        done = subprocess.run(
            [sys.executable, *options, str(file)],
            cwd=self.work,
            env=environment | self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
        assert (done.returncode == 0) is succeeds, done.stdout
        return done.stdout

    def answers(self, script: str, *options: str, in_run: bool = True) -> Any:
        """Run a script that prints one JSON value; returns the value."""
        return json.loads(self.run(script, *options, in_run=in_run))

    def records(self, path: str = "metrics.jsonl") -> list[dict[str, Any]]:
        """Return a file of records of the step's run, without the times."""
        lines = (self.folder / path).read_text(encoding="utf-8").splitlines()
        return [{key: value for key, value in json.loads(line).items() if key != "time"} for line in lines]

    def record(self, path: str) -> dict[str, Any]:
        """Return a JSON file of the step's run, without the time."""
        value = json.loads((self.folder / path).read_text(encoding="utf-8"))
        return {key: item for key, item in value.items() if key != "time"}

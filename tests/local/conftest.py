from __future__ import annotations

import os
import random
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from azml_tasks.backend import StepForecast
from azml_tasks.local.run.processes import Subprocesses
from azml_tasks.local.run.runner import forecast, run_pipeline
from azml_tasks.local.store.records import LocalRunRecord
from azml_tasks.reading import load_project
from tests.local.runners import Runner

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no fork server, and no /proc")

# What most steps of these tests begin with: their arguments, and the run.
BEGINNING = """\
import argparse, json, os, pathlib, sys
from azureml.core import Run
parser = argparse.ArgumentParser()
parser.add_argument("--config", type=json.loads, default={})
parser.add_argument("--input-folder", type=pathlib.Path)
parser.add_argument("--output-folder", type=pathlib.Path)
args, rest = parser.parse_known_args()
run = Run.get_context()
"""
# A step that adds its name to what it reads, so that a file tells the way that it came.
PASS_ALONG = (
    BEGINNING
    + """\
way = (args.input_folder / "way.txt").read_text() if args.input_folder else ""
if args.output_folder:
    (args.output_folder / "way.txt").write_text(way + pathlib.Path(sys.argv[0]).stem + " ")
print("read:", way)
"""
)


class Project:
    """A folder with a pipeline.yaml and scripts, which can be run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[object] = []

    def write(self, files: Mapping[str, str | bytes]) -> Project:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(textwrap.dedent(content).encode() if isinstance(content, str) else content)
        return self

    def pipeline(self, text: str, **files: str) -> Project:
        """Write pipeline.yaml and, for `name="source"`, the script name.py."""
        text = "backend: local\n" + textwrap.dedent(text)
        return self.write({"pipeline.yaml": text, **{f"{name}.py": source for name, source in files.items()}})

    def line(self, **scripts: str) -> Project:
        """Write a pipeline of these scripts, one after the other."""
        steps = "".join(f"  {name}: {{script_name: {name}.py}}\n" for name in scripts)
        return self.pipeline(f"steps:\n{steps}", **scripts)

    def run(self, **options) -> LocalRunRecord:
        self.events.clear()
        project = load_project(self.folder / "pipeline.yaml", variables={})
        return run_pipeline(project.plan, self.folder, **{"on_event": self.events.append, **options})

    def forecast(self, **options) -> list[StepForecast]:
        plan = load_project(self.folder / "pipeline.yaml", variables={}).plan
        return [*forecast(plan, self.folder, **options).steps]

    def log(self, run: LocalRunRecord, step: str) -> str:
        return run[step].places.log.read_text()

    def statuses(self, run: LocalRunRecord) -> dict[str, str]:
        return {step.key: step.status for step in run.steps}

    def reasons(self, run: LocalRunRecord) -> dict[str, str]:
        return {step.key: step.reason for step in run.steps}


@pytest.fixture
def chance() -> random.Random:
    """What happens at random in a test; the seed is printed when it fails, and set by AZML_TEST_SEED."""
    seed = int(os.environ.get("AZML_TEST_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"AZML_TEST_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    # Which Microsoft's client for v2 sets when another test imports it in this process.
    monkeypatch.delenv("AZUREML_CURRENT_CLOUD", raising=False)
    folder = tmp_path / "a pröject"
    folder.mkdir()
    return Project(folder)


@pytest.fixture
def start(project: Project) -> Iterator[Callable[..., Runner]]:
    """Start runs of the project in processes of their own, of which none is left in the end."""
    started = []

    def start(way: str = "warm", **parameters: str) -> Runner:
        started.append(Runner(project, way, **parameters))
        return started[-1]

    yield start
    for runner in started:
        runner.clean_up()


@pytest.fixture(params=[pytest.param("warm", marks=linux), pytest.param("cold", marks=linux), "subprocesses"])
def way(request, monkeypatch) -> dict:
    """The options of a run for each way of starting a process."""
    if request.param == "cold":
        monkeypatch.setenv("AZML_LOCAL_PROCESS", "spawn")
    return {"processes": Subprocesses()} if request.param == "subprocesses" else {}

"""Runs on Azure ML: requests and time of ten steps, a directory each, against a program over the bare SDK.

The service is the stand-in of the tests, in this process; each run is a whole process of its own.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.pairs import Command, Timer

if TYPE_CHECKING:
    from tests.service.service import Service

STEPS = 10
# What is added to every answer (seconds).
DELAY = 0.05
# Requests of the original wrapper for this pipeline, polling left out: 48 to build it, 115 to run it the first time.
ORIGINAL = 163
SCRIPT = "from azureml.core import Run\nrun = Run.get_context()\nrun.complete()\n"
# As the wrapper that this package follows goes about it: the workspace is opened again for every step.
BARE = """\
import sys
from azureml.core import Environment, Experiment, Workspace
from azureml.core.compute import ComputeTarget
from azureml.core.runconfig import RunConfiguration
from azureml.data import OutputFileDatasetConfig
from azureml.pipeline.core import Pipeline
from azureml.pipeline.steps import PythonScriptStep

name, group, subscription, count = *sys.argv[1:4], int(sys.argv[4])
opened = [Workspace.get(name, subscription_id=subscription, resource_group=group) for _ in range(count + 1)]
ws = opened[0]
configuration = RunConfiguration()
configuration.environment = Environment.get(ws, "env")
configuration.target = ComputeTarget(ws, "cpu")
steps, before = [], None
for number in range(count):
    folder = OutputFileDatasetConfig()
    arguments = ["--output-folder", folder] if number < count - 1 else []
    arguments += ["--input-folder", before.as_input()] if before else []
    steps.append(
        PythonScriptStep(
            f"s{number}.py", name=f"s{number}", arguments=arguments, source_directory=f"s{number}",
            compute_target=configuration.target, runconfig=configuration,
        )
    )
    before = folder
Experiment(ws, "bench").submit(Pipeline(ws, steps)).wait_for_completion(show_output=False)
"""


def figures(timer: Timer) -> Iterator[object]:
    """Count requests without a delay, then time runs with one."""
    if not importlib.util.find_spec("azureml.core"):
        yield "(these figures need the SDK)"
        return
    from tests.service.environment import variables
    from tests.service.names import GROUP, SUBSCRIPTION, WORKSPACE
    from tests.service.service import Service

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        service = Service(folder)
        home = folder / "home"
        env = variables(service, home)
        project = _project(folder / "project")
        ours = Command("ours", (sys.executable, "-m", "invoke", "run"), project, env=env)
        words = (sys.executable, "bare.py", WORKSPACE, GROUP, SUBSCRIPTION, str(STEPS))
        bare = Command("the bare SDK", words, project, env=env)
        yield from _requests(service, ours, bare)
        service.delay = DELAY
        anew = [replace(command, before=lambda _: _start_anew(service, home)) for command in (ours, bare)]
        yield timer.compare(f"first run, {DELAY * 1000:.0f} ms an answer", *anew, runs=3)
        _start_anew(service, home)
        yield timer.compare(f"unchanged run, {DELAY * 1000:.0f} ms an answer", ours, bare, runs=3)
        service.close()


def _requests(service: Service, ours: Command, bare: Command) -> Iterator[str]:
    for command in (ours, bare):
        _start_anew(service, Path(command.env["HOME"]) if command.env else Path())
        counted = []
        for _ in range(2):
            service.requests.clear()
            command.seconds()
            counted.append(len(service.requests.without_polling()))
        first, again = counted
        yield f"{command.name + ', first and unchanged run':<46} {first} and {again} requests, polling left out"
        if command is ours:
            yield f"{'':<46} {first / ORIGINAL:.2f} x and {again / ORIGINAL:.2f} x of {ORIGINAL}  (goals 0.6 and 0.35)"


def _start_anew(service: Service, home: Path) -> None:
    """Give an empty workspace that has the environment and the compute, and forget what the SDK cached."""
    delay, service.delay = service.delay, 0.0
    service.reset()
    service.add_environment("env", ["azureml-defaults"])
    service.add_compute("cpu")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    service.delay = delay


def _project(folder: Path) -> Path:
    from tests.azure.workspace import FILE

    folder.mkdir()
    lines = [FILE, "experiment_name: bench\nenv_name: env\ncompute_name: cpu\nsteps:\n"]
    for number in range(STEPS):
        (folder / f"s{number}").mkdir()
        (folder / f"s{number}" / f"s{number}.py").write_text(SCRIPT)
        lines.append(f"  s{number}: {{script_name: s{number}.py, script_directory: s{number}}}\n")
    (folder / "pipeline.yaml").write_text("".join(lines))
    (folder / "tasks.py").write_text("from azml_tasks.tasks import namespace\n")
    (folder / "bare.py").write_text(BARE)
    return folder

"""Print the figures of the code's layout: `python -m tests.layout`, with `--names` also what each of them counts.

`CEILINGS` holds what the figures may be; tests/test_layout.py compares. Lower a ceiling with the change that allows it.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.imports import PACKAGE, ROOT, file_loops, folder_loops, modules, parsed
from tests.three_steps import PIPELINE, SCRIPTS, VARIABLES, stock

# What a figure may be now, and what it is to become.
CEILINGS = {
    "files": (321, 140),
    "files under 40 lines": (22, 0),
    "files over 350 lines": (17, 2),
    "files in the largest folder": (12, 12),
    "files in import loops": (0, 0),
    "folders in import loops": (0, 0),
    "local run, modules entered": (72, 45),
    "local run, calls": (151, 70),
    "Azure run, modules entered": (70, 45),
    "Azure run, calls": (127, 54),
    "publish and schedule, modules entered": (68, 48),
    "publish and schedule, calls": (132, 68),
}
_SHORT, _LONG = 40, 350
# This folder holds a file for each group of tasks, however many there are.
_TASKS = PACKAGE / "tasks"
# What the machine may have set that changes what a command does.
_FOREIGN = ("AZML_", "INVOKE_", "AZUREML_", "AZURE_")

_LOCAL = {
    "pipeline.yaml": "backend: local\nsteps:\n  train: {script_name: train.py}\n",
    "train.py": "from azureml.core import Run\n\nrun = Run.get_context()\nrun.log('rows', 3)\nrun.complete()\n",
}
_SCHEDULED = "publish: {name: churn}\nschedule: {frequency: Day}\n"


@dataclass(frozen=True)
class Figure:
    """A number, under its name in `CEILINGS`, and the names of what it counts."""

    name: str
    value: int
    counted: tuple[str, ...] = ()

    def __str__(self) -> str:
        ceiling, goal = CEILINGS[self.name]
        return f"{self.name:<40} {self.value:>4}   ceiling {ceiling:>4}   goal {goal:>4}"


def file_figures() -> list[Figure]:
    """Count the files, other than each `__init__.py` that defines no class and no function, and their loops."""
    files = [file for file in modules() if not _is_face(file)]
    lines = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    folders = defaultdict(list)
    for file in modules():
        folders[file.parent].append(file)
    largest = max((files for folder, files in folders.items() if folder != _TASKS), key=len)
    return [
        Figure("files", len(files)),
        _of_files("files under 40 lines", [file for file in files if lines[file] < _SHORT]),
        _of_files("files over 350 lines", [file for file in files if lines[file] > _LONG]),
        _of_files("files in the largest folder", largest),
        _of_loops("files in import loops", file_loops()),
        _of_loops("folders in import loops", folder_loops()),
    ]


def _is_face(file: Path) -> bool:
    defined = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return file.name == "__init__.py" and not any(isinstance(node, defined) for node in ast.walk(parsed(file)))


def _of_files(name: str, files: Sequence[Path]) -> Figure:
    return Figure(name, len(files), tuple(file.relative_to(PACKAGE).as_posix() for file in files))


def _of_loops(name: str, loops: Sequence[Sequence[str]]) -> Figure:
    return Figure(name, sum(map(len, loops)), tuple(" <-> ".join(loop) for loop in loops))


def local_figures() -> list[Figure]:
    """Run a pipeline of one step on this machine."""
    with tempfile.TemporaryDirectory() as name:
        project = _project(Path(name), _LOCAL)
        return _entered("local run", project, ["run"])


def azure_figures() -> list[Figure]:
    """Run, then publish and schedule a pipeline of three steps, in workspaces of the stand-in of Azure ML."""
    with ThreadPoolExecutor() as pool:
        run = pool.submit(_on_azure, "Azure run", ["run", "--set", "train.lr=0.5"])
        publish = pool.submit(_on_azure, "publish and schedule", ["publish", "schedule"])
        return [*run.result(), *publish.result()]


def _on_azure(name: str, words: Sequence[str]) -> list[Figure]:
    from tests.service.environment import variables
    from tests.service.names import GROUP, SUBSCRIPTION, WORKSPACE
    from tests.service.service import Service

    workspace = f"ws_name: {WORKSPACE}\nresource_group: {GROUP}\nsubscription_id: {SUBSCRIPTION}\n"
    with tempfile.TemporaryDirectory() as folder:
        project = _project(Path(folder, "project"), {"pipeline.yaml": workspace + PIPELINE + _SCHEDULED, **SCRIPTS})
        service = Service(Path(folder))
        try:
            stock(service)
            figures = _entered(name, project, words, **variables(service, Path(folder, "home")), **VARIABLES)
            service.verify()
        finally:
            service.close()
    return figures


def _project(folder: Path, files: dict[str, str]) -> Path:
    for path, text in {"tasks.py": "from azml_tasks.tasks import namespace\n", **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def _entered(name: str, project: Path, words: Sequence[str], **variables: str) -> list[Figure]:
    """Run a command in a process of its own, and count the modules that it enters and the calls between them."""
    notes = project / "entered.json"
    machine = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    argv = [sys.executable, "-m", "tests.entered", str(notes), str(project), *words]
    done = subprocess.run(
        argv, cwd=ROOT, env={**machine, "CI": "1", **variables}, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"invoke {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    found = json.loads(notes.read_text(encoding="utf-8"))
    calls = tuple(f"{caller} -> {called}" for caller, called in found["calls"])
    return [
        Figure(f"{name}, modules entered", len(found["modules"]), tuple(found["modules"])),
        Figure(f"{name}, calls", len(calls), calls),
    ]


def figures() -> Iterator[Figure]:
    """Measure all that this machine can measure."""
    with ThreadPoolExecutor() as pool:
        local = pool.submit(local_figures)
        azure = pool.submit(azure_figures) if has_sdk() else None
        yield from file_figures()
        yield from local.result()
        yield from azure.result() if azure else ()


def has_sdk() -> bool:
    return find_spec("azureml") is not None and find_spec("azureml.pipeline.steps") is not None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.layout", description=__doc__)
    parser.add_argument("--names", action="store_true", help="also print what each figure counts")
    given = parser.parse_args()
    for figure in figures():
        print(figure, flush=True)
        if given.names or "loops" in figure.name:
            print("".join(f"    {name}\n" for name in figure.counted), end="", flush=True)
    if not has_sdk():
        print("(what runs on Azure ML is measured where the SDK is installed)")


if __name__ == "__main__":
    main()

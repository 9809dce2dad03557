"""Virtual environments of this machine, each made from an environment of the file, for the steps that name it.

One lies in a folder of its own below `envs/<name>/`, since it cannot be moved: its scripts hold absolute paths. The
mark beside it says which folder is in use, and is replaced in one step when another is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.errors import RunError
from azml_tasks.local.distributions import distributions_in, normal_name
from azml_tasks.local.files import read_json, remove_tree, write_json
from azml_tasks.local.layout import Layout, folder_name
from azml_tasks.wiring.tokens import DatasetInput, TableInput

if TYPE_CHECKING:
    from azml_tasks.wiring import Plan

VERSION = 2
_MARK = "azml-environment.json"
# A folder that nothing was put into for so long (seconds) is of a making that was killed.
_SETTLED = 3600.0
# What a local run brings itself, as a stand-in on the steps' path.
_BROUGHT = frozenset(("azureml-core", "azureml-defaults", "azureml-dataset-runtime"))
_VERSION = re.compile(r"\d+(\.\d+)?", re.ASCII)
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


class OutdatedError(Exception):
    """A virtual environment is not what the file now asks for, or not whole; the text is a sentence."""


class NoPythonError(Exception):
    """The version of Python that an environment asks for is not on this machine; the text is a sentence."""


@dataclass(frozen=True)
class Wanted:
    """What a virtual environment is to be: the version of Python, and lines as in a requirements file.

    `left_out` names what it will lack of the file's definition, since only conda or an image could give it.
    """

    python: str
    requirements: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The SHA-256 of what it is made from."""
        return hashlib.sha256(json.dumps([self.python, self.requirements]).encode()).hexdigest()


@dataclass(frozen=True)
class VirtualEnvironment:
    """One that is there: its interpreter, what it was made from, and what is installed in it, by normal names."""

    python: Path
    digest: str
    python_version: str
    distributions: Mapping[str, str]


def wanted(plan: Plan, name: str, project: Path) -> Wanted:
    """Return what the environment that the file declares as `name` becomes on this machine.

    Raises ProjectError for a conda file that cannot be read.
    """
    declared = plan.pipeline.environments[name]
    pip, left_out, python = [*declared.pip_packages], [*declared.conda_packages], declared.python_version
    if declared.conda_file:
        pip, left_out, python = read_conda_file(project, declared.conda_file)
    left_out += [key for key in ("base_image", "dockerfile") if getattr(declared, key)]
    known = {normal_name(match[1]) for match in map(_NAME.match, pip) if match}
    pip += [package for package in _packages_needed(plan, name) if package not in known]
    kept = [line for line in pip if not ((match := _NAME.match(line)) and normal_name(match[1]) in _BROUGHT)]
    version = ".".join(python.split(".")[:2]) if python else running_version()
    return Wanted(version, tuple(kept), tuple(left_out))


def _packages_needed(plan: Plan, name: str) -> tuple[str, ...]:
    """Return the packages that steps of this environment need to read their inputs as tables."""
    pipeline = plan.pipeline
    formats = set()
    for step in plan.steps:
        if pipeline.env_of(step.step) != name:
            continue
        for item in step.inputs:
            if isinstance(item, TableInput):
                formats.add(item.format)
            elif isinstance(item, DatasetInput) and item.dataset in pipeline.datasets:
                dataset = pipeline.datasets[item.dataset]
                if dataset.type == "tabular":
                    formats.add(dataset.format)
    return (*(("pandas",) if formats else ()), *(("pyarrow",) if "parquet" in formats else ()))


def in_use(layout: Layout, plan: Plan, name: str) -> VirtualEnvironment | None:
    """Return the virtual environment in which steps of that environment run; None for this process's own Python.

    Raises OutdatedError for one that was made from another definition than the file's, or that cannot be used.
    """
    if name not in plan.pipeline.environments or not _home(layout, name).is_dir():
        return None
    found = find(layout, name)
    if found is not None and found.digest == wanted(plan, name, layout.project).digest:
        return found
    if found is not None:
        why = "has changed since `invoke register-env` made it: until that is done again"
    else:
        why = "has a virtual environment that is not whole: until `invoke register-env` makes it anew"
    raise OutdatedError(f"environment '{name}' {why}, its steps run in this Python")


def find(layout: Layout, name: str) -> VirtualEnvironment | None:
    """Return the virtual environment that was made for that name, if a whole one is there."""
    home = _home(layout, name)
    mark = read_json(home / _MARK)
    if mark is None or mark.get("version") != VERSION:
        return None
    folder = home / mark["folder"]
    if not _python_in(folder).exists():
        return None
    site = _site_packages(folder, mark["python"])
    return VirtualEnvironment(_python_in(folder), mark["digest"], mark["python"], distributions_in([str(site)]))


def make(layout: Layout, name: str, wanted: Wanted, environment: Mapping[str, str]) -> VirtualEnvironment:
    """Make the virtual environment anew; one that is there stays in use until the new one is whole.

    `environment` holds the variables that pip and what it installs see.

    Raises NoPythonError when that Python is not on this machine, RunError when pip fails, OSError.
    """
    interpreter = interpreter_of(wanted.python)
    home = _home(layout, name)
    home.parent.mkdir(parents=True, exist_ok=True)
    home.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{wanted.digest[:8]}-", dir=home))
    try:
        version = _fill(folder, name, wanted, interpreter, environment)
        before = read_json(home / _MARK) or {}
        mark = {"version": VERSION, "digest": wanted.digest, "python": version, "folder": folder.name}
        write_json(home / _MARK, mark)
    except BaseException:
        # Ctrl-C, too. What is in use stays as it is.
        with contextlib.suppress(OSError):
            remove_tree(folder)
            if not (home / _MARK).exists():
                home.rmdir()
        raise
    _clear(home, folder.name, before.get("folder"))
    found = find(layout, name)
    if found is None:
        raise RunError(f"the virtual environment '{name}' was deleted while it was being made")
    return found


def _home(layout: Layout, name: str) -> Path:
    return layout.environments / folder_name(name)


def _fill(folder: Path, name: str, wanted: Wanted, interpreter: str, environment: Mapping[str, str]) -> str:
    """Make a virtual environment in an empty folder, and return the version of its Python."""
    python = str(_python_in(folder))
    pip = [python, "-m", "pip"]
    options = []
    if wanted.python == running_version() and find_spec("pip"):
        # The pip that is here serves, and putting another into the new environment takes longest of all.
        pip, options = [sys.executable, "-m", "pip", "--python", python], ["--without-pip"]
    failure = f"the virtual environment '{name}' could not be made"
    _call([interpreter, "-m", "venv", *options, str(folder)], failure, environment)
    requirements = folder / "requirements.txt"
    requirements.write_text("".join(f"{line}\n" for line in wanted.requirements), encoding="utf-8")
    if wanted.requirements:
        install = [*pip, "install", "--disable-pip-version-check", "--quiet", "-r", str(requirements)]
        _call(install, f"pip could not install the packages of '{name}'", environment)
    asks = "import platform; print(platform.python_version())"
    return _call([python, "-c", asks], "its Python does not start", environment).strip()


def _clear(home: Path, current: str, before: str | None) -> None:
    """Delete what was in use before, and what killed makings left; not what another process is just making."""
    for path in home.iterdir():
        old = path.name == before or (path.name != _MARK and path.stat().st_mtime + _SETTLED < time.time())
        if old and path.name != current:
            with contextlib.suppress(OSError):
                remove_tree(path) if path.is_dir() else path.unlink()


def read_conda_file(directory: Path, name: str) -> tuple[list[str], list[str], str | None]:
    """Return the pip requirements of a conda file, the conda packages, and its version of Python.

    Raises ProjectError.
    """
    import yaml

    from azml_tasks.reading.conda_file import read_conda

    pip: list[str] = []
    conda: list[str] = []
    python = None
    for item in read_conda(directory, name, yaml.BaseLoader)["dependencies"]:
        if isinstance(item, dict) and isinstance(item.get("pip"), list):
            pip += [line for line in item["pip"] if isinstance(line, str)]
        if not isinstance(item, str):
            continue
        if match := re.match(r"python\s*[=~]+\s*([\d.]+)", item):
            python = match[1].rstrip(".")
        elif not re.match(r"(python|pip)\b", item):
            conda.append(item)
    return pip, conda, python


def interpreter_of(version: str) -> str:
    """Return the command that starts this version of Python.

    Raises NoPythonError.
    """
    running = running_version()
    if version == running:
        # Of the virtual environment that this process may run in, the Python below it.
        return str(getattr(sys, "_base_executable", sys.executable))
    # No more than digits: `python` and any text may name another program, also one in the project.
    found = shutil.which(f"python{version}") if _VERSION.fullmatch(version) else None
    # A version manager's stub lies on the PATH for each version that it knows, and refuses those not chosen.
    if found is None or subprocess.run([found, "--version"], capture_output=True, check=False).returncode:
        raise NoPythonError(
            f"Python {version} is asked for, and there is no python{version} on the PATH of this machine: install it; "
            f"until then its steps run in the Python that runs here, {running}"
        )
    return found


def running_version() -> str:
    """Return the version of this Python, as the file would have it: `3.11`."""
    return ".".join(platform.python_version_tuple()[:2])


def _call(command: list[str], failure: str, environment: Mapping[str, str]) -> str:
    # Outside of the project: a file of it that is named like a module must not be imported.
    folder = os.path.dirname(command[0])
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        raise RunError(f"{failure}:\n{(done.stderr or done.stdout).strip()}")
    return done.stdout


def _python_in(folder: Path) -> Path:
    return folder / "Scripts" / "python.exe" if sys.platform == "win32" else folder / "bin" / "python"


def _site_packages(folder: Path, python_version: str) -> Path:
    if sys.platform == "win32":
        return folder / "Lib" / "site-packages"
    return folder / "lib" / f"python{'.'.join(python_version.split('.')[:2])}" / "site-packages"

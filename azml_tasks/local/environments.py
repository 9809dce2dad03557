"""Virtual environments on this machine, created from environments of the file.

Each is in its own folder in `envs/<name>/`, because it cannot be moved: its scripts contain absolute paths. A file next
to it has the name of the folder in use, and is replaced atomically when a new one is complete.
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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.errors import RunError
from azml_tasks.local.store.files import read_json, remove_tree, write_json
from azml_tasks.local.store.paths import ProjectPaths, folder_name
from azml_tasks.lock.lockfile import current_lock, lock_path
from azml_tasks.lock.wanted import wanted_of
from azml_tasks.packages import distributions_in, required_name
from azml_tasks.plan.plan import DatasetInput, TableInput
from azml_tasks.reading.environment.files import is_too_old, requirements_of
from azml_tasks.reading.environment.requirements import lines_of, pip_requirement
from azml_tasks.secrets import redact

if TYPE_CHECKING:
    from azml_tasks.plan import Plan

VERSION = 2
_MARK = "azml-environment.json"
# A folder that nothing was put into for so long (seconds) is of a making that was killed.
_SETTLED = 3600.0
# Provided by a local run, as a stand-in on the steps' import path.
_BROUGHT = frozenset(("azureml-core", "azureml-defaults", "azureml-dataset-runtime"))
_VERSION = re.compile(r"\d+(\.\d+)?", re.ASCII)
# The number of lines of pip's output to show if it failed without an error message.
_MOST_SHOWN = 10


class OutdatedError(Exception):
    """A virtual environment is outdated or incomplete."""


class NoPythonError(Exception):
    """The version of Python that an environment requires is not installed."""


@dataclass(frozen=True)
class EnvironmentSpec:
    """The definition of a virtual environment: the version of Python, and lines as in a requirements file.

    `left_out` are parts of the file's definition that only an image could provide. `conda` holds conda packages, of
    which pip installs those with the same name on the package index. `contents` are digests of the files in the lines.
    """

    python: str
    requirements: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    conda: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The SHA-256 of its definition."""
        parts = [self.python, self.requirements, *([self.conda, self.contents] if self.conda or self.contents else ())]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True)
class VirtualEnvironment:
    """An existing virtual environment: its interpreter, its definition, and the installed packages by normalised names.

    `missing` are the conda packages that are not on the package index.
    """

    python: Path
    digest: str
    python_version: str
    distributions: Mapping[str, str]
    missing: tuple[str, ...] = ()


def environment_spec(plan: Plan, name: str, project: Path) -> EnvironmentSpec:
    """Return the definition of the virtual environment for environment `name` of the file.

    Raises ProjectError for a conda file that cannot be read.
    """
    declared = plan.pipeline.environments[name]
    pip, conda, python = [*declared.pip_packages], [*declared.conda_packages], declared.python_version
    base = project
    if declared.conda_file:
        pip, conda, python = read_conda_file(project, declared.conda_file)
        base = (project / declared.conda_file).parent
    else:
        conda, named = _without_python(conda)
        python = python or named
    left_out = [key for key in ("base_image", "dockerfile") if getattr(declared, key)]
    lines = requirements_of(pip, base, project)
    known = set(map(required_name, lines))
    conda = [package for package in conda if required_name(package) not in known | _BROUGHT]
    lines += [package for package in _packages_needed(plan, name) if package not in known]
    kept = [line for line in lines if required_name(line) not in _BROUGHT]
    version = ".".join(python.split(".")[:2]) if python else running_version()
    if current_lock(plan, name, project) and version == wanted_of(plan, name, project).python:
        kept.append(f"-c {lock_path(project, name)}")
    return EnvironmentSpec(version, tuple(kept), tuple(left_out), tuple(conda), tuple(_contents(kept)))


def _contents(lines: Iterable[str]) -> Iterator[str]:
    """Yield digests of the files that lines name by their whole paths: constraints and wheels."""
    for line in (line for text in lines for line in lines_of(text) if line.file and os.path.isfile(line.file)):
        with open(line.file, "rb") as file:
            yield hashlib.sha256(file.read()).hexdigest()


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


def in_use(layout: ProjectPaths, plan: Plan, name: str) -> VirtualEnvironment | None:
    """Return the virtual environment for steps with that environment; None for this process's Python.

    Raises OutdatedError if it was created from another definition, or cannot be used.
    """
    if name not in plan.pipeline.environments or not _home(layout, name).is_dir():
        return None
    found = find(layout, name)
    if found is not None and is_too_old(found.python_version):
        why = f"requires Python {found.python_version}, which is too old for a local run"
    elif found is not None and found.digest == environment_spec(plan, name, layout.project).digest:
        return found
    elif found is not None:
        why = "changed since it was created (run `invoke register-env` to update it)"
    else:
        why = "has an incomplete virtual environment (run `invoke register-env` to recreate it)"
    raise OutdatedError(f"environment '{name}' {why}, so its steps run with the current Python")


def find(layout: ProjectPaths, name: str) -> VirtualEnvironment | None:
    """Return the virtual environment with that name, if a complete one exists."""
    home = _home(layout, name)
    mark = read_json(home / _MARK)
    if mark is None or mark.get("version") != VERSION:
        return None
    texts = [mark.get(key) for key in ("folder", "digest", "python")]
    missing = mark.get("missing", [])
    if not all(isinstance(text, str) for text in texts) or not isinstance(missing, list):
        return None
    # A folder inside, whatever is in the file.
    if os.path.basename(mark["folder"]) != mark["folder"] or mark["folder"] in ("", ".", ".."):
        return None
    folder = home / mark["folder"]
    if not _python_in(folder).exists():
        return None
    site = distributions_in([str(_site_packages(folder, mark["python"]))])
    return VirtualEnvironment(_python_in(folder), mark["digest"], mark["python"], site, tuple(map(str, missing)))


def make(
    layout: ProjectPaths,
    name: str,
    wanted: EnvironmentSpec,
    environment: Mapping[str, str],
    say: Callable[[str], None] = lambda line: None,
    clears: bool = True,
) -> VirtualEnvironment:
    """Create the virtual environment; an existing one is used until the new one is complete.

    `environment` are the variables for pip, `say` gets each line of pip's output, and `clears` deletes the previous
    one, which a run may still need.

    Raises NoPythonError if that Python is not installed, RunError if pip fails, OSError.
    """
    interpreter = interpreter_of(wanted.python)
    home = _home(layout, name)
    home.parent.mkdir(parents=True, exist_ok=True)
    home.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{wanted.digest[:8]}-", dir=home))
    try:
        version, missing = _fill(folder, name, wanted, interpreter, environment, say)
        before = read_json(home / _MARK) or {}
        mark = {
            "version": VERSION,
            "digest": wanted.digest,
            "python": version,
            "folder": folder.name,
            "missing": missing,
        }
        write_json(home / _MARK, mark)
    except BaseException:
        # Also for Ctrl-C. The environment in use is not changed.
        with contextlib.suppress(OSError):
            remove_tree(folder)
            if not (home / _MARK).exists():
                home.rmdir()
        raise
    if clears:
        _clear(home, folder.name, before.get("folder"))
    found = find(layout, name)
    if found is None:
        raise RunError(f"the virtual environment '{name}' was deleted while it was being created")
    return found


def _home(layout: ProjectPaths, name: str) -> Path:
    return layout.environments / folder_name(name)


def _fill(
    folder: Path,
    name: str,
    wanted: EnvironmentSpec,
    interpreter: str,
    environment: Mapping[str, str],
    say: Callable[[str], None],
) -> tuple[str, list[str]]:
    """Create a virtual environment in an empty folder; return its Python version and the missing conda packages."""
    python = str(_python_in(folder))
    pip = [python, "-m", "pip"]
    options = []
    if wanted.python == running_version() and PathFinder.find_spec("pip"):
        # The pip that is here serves, and putting another into the new environment takes longest of all.
        pip, options = [sys.executable, "-m", "pip", "--python", python], ["--without-pip"]
    failure = f"could not create the virtual environment '{name}'"
    _call([interpreter, "-m", "venv", *options, str(folder)], failure, environment)
    missing = _Pip(pip, folder, environment, say).install(name, wanted)
    asks = "import platform; print(platform.python_version())"
    return _call([python, "-c", asks], "its Python does not start", environment).strip(), missing


@dataclass(frozen=True)
class _Pip:
    """pip for one virtual environment: the command that starts it, the folder, its variables, and who reads along."""

    command: list[str]
    folder: Path
    environment: Mapping[str, str]
    say: Callable[[str], None]

    def install(self, name: str, wanted: EnvironmentSpec) -> list[str]:
        """Install the packages, and return the conda packages that are not on the package index.

        Raises RunError when the pip requirements cannot be installed.
        """
        requirements = {package: pip_requirement(package) for package in wanted.conda}
        there = [package for package, line in requirements.items() if line and self._is_there(package, line)]
        lines = [str(requirements[package]) for package in there]
        failed = self._install([*wanted.requirements, *lines], self.say)
        if failed and lines:
            # They may be incompatible: the pip requirements must be installed, each conda package where it fits.
            installed = list(wanted.requirements)
            failed = self._install(installed, self.say)
            for package, line in zip(tuple(there), lines, strict=True):
                if failed or self._install([*installed, line]):
                    there.remove(package)
                else:
                    installed.append(line)
        if failed:
            raise RunError(f"pip could not install the packages of '{name}':\n{failed}")
        return [package for package in wanted.conda if package not in there]

    def _install(self, lines: Sequence[str], say: Callable[[str], None] = lambda line: None) -> str:
        if not lines:
            return ""
        file = self.folder / "requirements.txt"
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return self._run("-r", str(file), say=say)

    def _is_there(self, package: str, line: str) -> bool:
        self.say(f"searching the package index for the conda package {package}")
        return not self._run(line, "--dry-run", "--no-deps")

    def _run(self, *arguments: str, say: Callable[[str], None] = lambda line: None) -> str:
        """Run `pip install`, and return why it failed; nothing where it did not."""
        command = [*self.command, "install", "--disable-pip-version-check", "--progress-bar", "off", *arguments]
        code, printed = _stream(command, self.environment, say)
        errors = [line for line in printed if line.startswith("ERROR")]
        return "\n".join(errors or printed[-_MOST_SHOWN:]) or f"exit status {code}" if code else ""


def _clear(home: Path, current: str, before: str | None) -> None:
    """Delete previous and incomplete environments, except those that another process is creating."""
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

    from azml_tasks.reading.environment.conda import read_conda

    dependencies = read_conda(directory, name, yaml.BaseLoader)["dependencies"]
    pip = [line for item in dependencies if isinstance(item, dict) for line in item["pip"] or ()]
    conda, python = _without_python([item for item in dependencies if isinstance(item, str)])
    return pip, conda, python


def _without_python(packages: Iterable[str]) -> tuple[list[str], str | None]:
    """Return conda packages without Python and pip, and the version of Python among them."""
    kept, python = [], None
    for package in packages:
        if match := re.match(r"(?:\S*::)?python\s*(?:[=~]+|\s)\s*([\d.]+)", package):
            python = match[1].rstrip(".")
        elif not re.match(r"(?:\S*::)?(python|pip)(?![\w.-])", package):
            kept.append(package)
    return kept, python


def interpreter_of(version: str) -> str:
    """Return the command that starts this version of Python.

    Raises NoPythonError.
    """
    running = running_version()
    if version == running:
        # Of the virtual environment that this process may run in, the Python below it.
        return str(getattr(sys, "_base_executable", sys.executable))
    # No more than digits: `python` and any text may name another program, also one in the project.
    found = find_python(version) if _VERSION.fullmatch(version) else None
    if found is None:
        raise NoPythonError(
            f"Python {version} is required but was not found; install it. Until then, its steps run with "
            f"Python {running}"
        )
    return found


def find_python(version: str) -> str | None:
    """Return an interpreter of this version, such as `3.12`: on PATH, of a version manager, or in the registry."""
    found = shutil.which(f"python{version}")
    # Version managers put a shim on PATH for each version, which fails for those not selected.
    if found and not subprocess.run([found, "--version"], capture_output=True, check=False).returncode:
        return found
    from findpython import Finder

    # Not its provider `path`, which starts every Python on PATH.
    finder = Finder(selected_providers=["asdf", "macos", "pyenv", "rye", "uv", "winreg"])
    major, _, minor = version.partition(".")
    numbers = int(major), int(minor) if minor else None
    newest_first = finder.find_all(*numbers, pre=False, implementation="cpython", freethreaded=False)
    return str(newest_first[0].executable) if newest_first else None


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


def _stream(command: list[str], environment: Mapping[str, str], say: Callable[[str], None]) -> tuple[int, list[str]]:
    """Run a command, passing each line to `say`, and return its exit status and output."""
    printed: list[str] = []
    with subprocess.Popen(
        command,
        cwd=os.path.dirname(command[0]),
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                text = redact(line.rstrip())
                if text:
                    printed.append(text)
                    say(text)
        except BaseException:  # Ctrl-C, too
            process.kill()
            raise
    return process.returncode, printed


def _python_in(folder: Path) -> Path:
    return folder / "Scripts" / "python.exe" if sys.platform == "win32" else folder / "bin" / "python"


def _site_packages(folder: Path, python_version: str) -> Path:
    if sys.platform == "win32":
        return folder / "Lib" / "site-packages"
    return folder / "lib" / f"python{'.'.join(python_version.split('.')[:2])}" / "site-packages"

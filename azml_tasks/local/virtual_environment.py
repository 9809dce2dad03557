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
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.conda import package_name
from azml_tasks.errors import RunError
from azml_tasks.local.distributions import distributions_in, normal_name
from azml_tasks.local.files import read_json, remove_tree, write_json
from azml_tasks.local.layout import Layout, folder_name
from azml_tasks.reading.environment import is_too_old, requirements_of
from azml_tasks.reading.requirements import lines_of, pip_requirement
from azml_tasks.secrets import redact
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
# How many lines of pip's output tell why it failed, where it names no error.
_MOST_SHOWN = 10
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


class OutdatedError(Exception):
    """A virtual environment is not what the file now asks for, or not whole; the text is a sentence."""


class NoPythonError(Exception):
    """The version of Python that an environment asks for is not on this machine; the text is a sentence."""


@dataclass(frozen=True)
class Wanted:
    """What a virtual environment is to be: the version of Python, and lines as in a requirements file.

    `left_out` names what it will lack of the file's definition, since only an image could give it. `conda` holds conda
    packages, of which pip installs those that the package index has under the same name. `contents` are digests of the
    files that the lines name.
    """

    python: str
    requirements: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    conda: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The SHA-256 of what it is made from."""
        parts = [self.python, self.requirements, *([self.conda, self.contents] if self.conda or self.contents else ())]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True)
class VirtualEnvironment:
    """One that is there: its interpreter, what it was made from, and what is installed in it, by normal names.

    `missing` are the conda packages that the package index did not have.
    """

    python: Path
    digest: str
    python_version: str
    distributions: Mapping[str, str]
    missing: tuple[str, ...] = ()


def wanted(plan: Plan, name: str, project: Path) -> Wanted:
    """Return what the environment that the file declares as `name` becomes on this machine.

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
    known = {normal_name(match[1]) for match in map(_NAME.match, lines) if match}
    conda = [
        package for package in conda if normal_name(package_name(package.rpartition("::")[2])) not in known | _BROUGHT
    ]
    lines += [package for package in _packages_needed(plan, name) if package not in known]
    kept = [line for line in lines if not ((match := _NAME.match(line)) and normal_name(match[1]) in _BROUGHT)]
    version = ".".join(python.split(".")[:2]) if python else running_version()
    return Wanted(version, tuple(kept), tuple(left_out), tuple(conda), tuple(_contents(kept)))


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


def in_use(layout: Layout, plan: Plan, name: str) -> VirtualEnvironment | None:
    """Return the virtual environment in which steps of that environment run; None for this process's own Python.

    Raises OutdatedError for one that was made from another definition than the file's, or that cannot be used.
    """
    if name not in plan.pipeline.environments or not _home(layout, name).is_dir():
        return None
    found = find(layout, name)
    if found is not None and is_too_old(found.python_version):
        why = f"asks for Python {found.python_version}, which is too old for a local run: until that changes"
    elif found is not None and found.digest == wanted(plan, name, layout.project).digest:
        return found
    elif found is not None:
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
    texts = [mark.get(key) for key in ("folder", "digest", "python")]
    missing = mark.get("missing", [])
    if not all(isinstance(text, str) for text in texts) or not isinstance(missing, list):
        return None
    # A folder of its own, whatever somebody has written there.
    if os.path.basename(mark["folder"]) != mark["folder"] or mark["folder"] in ("", ".", ".."):
        return None
    folder = home / mark["folder"]
    if not _python_in(folder).exists():
        return None
    site = distributions_in([str(_site_packages(folder, mark["python"]))])
    return VirtualEnvironment(_python_in(folder), mark["digest"], mark["python"], site, tuple(map(str, missing)))


def make(
    layout: Layout,
    name: str,
    wanted: Wanted,
    environment: Mapping[str, str],
    say: Callable[[str], None] = lambda line: None,
    clears: bool = True,
) -> VirtualEnvironment:
    """Make the virtual environment; one that is there stays in use until the new one is whole.

    `environment` holds the variables that pip and what it installs see, `say` gets each line that pip prints, and
    `clears` deletes the one that was in use before, which a run may still need.

    Raises NoPythonError when that Python is not on this machine, RunError when pip fails, OSError.
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
        # Ctrl-C, too. What is in use stays as it is.
        with contextlib.suppress(OSError):
            remove_tree(folder)
            if not (home / _MARK).exists():
                home.rmdir()
        raise
    if clears:
        _clear(home, folder.name, before.get("folder"))
    found = find(layout, name)
    if found is None:
        raise RunError(f"the virtual environment '{name}' was deleted while it was being made")
    return found


def _home(layout: Layout, name: str) -> Path:
    return layout.environments / folder_name(name)


def _fill(
    folder: Path,
    name: str,
    wanted: Wanted,
    interpreter: str,
    environment: Mapping[str, str],
    say: Callable[[str], None],
) -> tuple[str, list[str]]:
    """Make a virtual environment in an empty folder; return its Python's version, and the conda packages it lacks."""
    python = str(_python_in(folder))
    pip = [python, "-m", "pip"]
    options = []
    if wanted.python == running_version() and PathFinder.find_spec("pip"):
        # The pip that is here serves, and putting another into the new environment takes longest of all.
        pip, options = [sys.executable, "-m", "pip", "--python", python], ["--without-pip"]
    failure = f"the virtual environment '{name}' could not be made"
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

    def install(self, name: str, wanted: Wanted) -> list[str]:
        """Install what is wanted, and return the conda packages that the package index does not have.

        Raises RunError when the pip requirements cannot be installed.
        """
        requirements = {package: pip_requirement(package) for package in wanted.conda}
        there = [package for package, line in requirements.items() if line and self._is_there(package, line)]
        lines = [str(requirements[package]) for package in there]
        failed = self._install(*wanted.requirements, *lines)
        if failed and lines:
            # They may not fit together; what pip was to install has to be there.
            failed = self._install(*wanted.requirements)
            there = [package for package in there if not failed and not self._try(str(requirements[package]))]
        if failed:
            raise RunError(f"pip could not install the packages of '{name}':\n{failed}")
        return [package for package in wanted.conda if package not in there]

    def _install(self, *lines: str) -> str:
        if not lines:
            return ""
        file = self.folder / "requirements.txt"
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return self._run("-r", str(file), say=self.say)

    def _is_there(self, package: str, line: str) -> bool:
        self.say(f"looking for the conda package {package} on the package index")
        return not self._try(line, "--dry-run", "--no-deps")

    def _try(self, *arguments: str) -> str:
        return self._run(*arguments, say=lambda line: None)

    def _run(self, *arguments: str, say: Callable[[str], None]) -> str:
        """Run `pip install`, and return why it failed; nothing where it did not."""
        command = [*self.command, "install", "--disable-pip-version-check", "--progress-bar", "off", *arguments]
        code, printed = _stream(command, self.environment, say)
        errors = [line for line in printed if line.startswith("ERROR")]
        return "\n".join(errors or printed[-_MOST_SHOWN:]) or f"exit status {code}" if code else ""


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

    from azml_tasks.reading.environment import read_conda

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


def _stream(command: list[str], environment: Mapping[str, str], say: Callable[[str], None]) -> tuple[int, list[str]]:
    """Run a command to its end and return its exit status and what it printed, each line said as it comes."""
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

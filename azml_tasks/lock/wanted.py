"""What is resolved for the lock of an environment: its pip requirements, its Python and its platform."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from azml_tasks.model import Environment
from azml_tasks.packages import required_name
from azml_tasks.plan import Plan
from azml_tasks.reading.environment import conda
from azml_tasks.reading.environment.conda import environment_text, read_conda
from azml_tasks.reading.environment.files import requirements_of
from azml_tasks.reading.environment.requirements import lines_of

# Of the SDK's default image, mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04.
_DEFAULT_GLIBC = "2.35"
# By the Ubuntu in the name of an image. Of an image without one, glibc is assumed to be no newer than Debian 10's.
_GLIBC = {"16.04": "2.23", "18.04": "2.27", "20.04": "2.31", "22.04": "2.35", "24.04": "2.39"}
_UNKNOWN_GLIBC = "2.28"
_UBUNTU = re.compile(r"ubuntu[:-]?(\d\d\.\d\d)", re.IGNORECASE)
_FROM = re.compile(r"^\s*FROM\s+(?:--platform=\S+\s+)?(\S+)", re.IGNORECASE | re.MULTILINE)
_PYTHON = re.compile(r"(?:\S*::)?python\s*(?:={1,2}|\s|~=)\s*(\d+\.\d+)")


@dataclass(frozen=True)
class Wanted:
    """The requirements of an environment, as lines of a requirements file, for a Python on Linux x86-64.

    `conda` are its conda packages, which are not resolved. `refusal` says why nothing is resolved; empty if it is.
    `digest` is independent of where the project is.
    """

    name: str
    python: str
    glibc: str
    lines: tuple[str, ...] = ()
    conda: tuple[str, ...] = ()
    refusal: str = ""
    digest: str = ""

    @property
    def platform(self) -> str:
        """Python and platform in words."""
        return f"Python {self.python} on Linux x86-64, glibc {self.glibc}"


def wanted_of(plan: Plan, name: str, directory: Path, needed: Iterable[str] | None = None) -> Wanted:
    """Return what is to be resolved for environment `name` of the file.

    `needed` are the packages that every run needs, by default those of the file's backend. Raises ProjectError for a
    file that cannot be read.
    """
    declared = plan.pipeline.environments[name]
    pip, packages, base = list(declared.pip_packages), list(declared.conda_packages), directory
    if declared.conda_file:
        dependencies = read_conda(directory, declared.conda_file, yaml.BaseLoader)["dependencies"]
        pip = [line for item in dependencies if isinstance(item, dict) for line in item["pip"] or ()]
        packages = [item for item in dependencies if isinstance(item, str)]
        base = (directory / declared.conda_file).parent
    pythons = [declared.python_version, *(match[1] for match in map(_PYTHON.match, packages) if match)]
    python = ".".join(next(filter(None, pythons), conda.DEFAULT_PYTHON).split(".")[:2])
    kept = tuple(package for package in packages if required_name(package) not in ("python", "pip"))
    wanted = Wanted(name, python, _glibc(declared, directory), conda=kept)
    refusal = _refusal(declared, pip)
    if refusal:
        return Wanted(name, python, wanted.glibc, conda=kept, refusal=refusal)
    lines = requirements_of(pip, base, directory)
    known = set(map(required_name, lines))
    needed = conda.packages_needed(plan, name) if needed is None else needed
    lines += [line for line in needed if required_name(line) not in known]
    return Wanted(name, python, wanted.glibc, tuple(lines), kept, digest=_digest(wanted, lines, directory))


def _refusal(declared: Environment, pip: list[str]) -> str:
    """Return why an environment cannot be resolved; empty if it can."""
    if conda.has_own_python(declared):
        return f"its steps run in the Python of its {'Dockerfile' if declared.dockerfile else 'image'}"
    for line in (line for text in pip for line in lines_of(text)):
        if line.kind in ("editable", "path", "links") and line.file:
            return f"'{line.text}' is a path on this machine"
    return ""


def _glibc(declared: Environment, directory: Path) -> str:
    """Return the version of glibc in the image that the environment is built from."""
    image = declared.base_image
    if declared.dockerfile:
        stages = _FROM.findall(environment_text(directory, declared.dockerfile))
        image = stages[-1] if stages else ""
    if image is None:
        return _DEFAULT_GLIBC
    ubuntu = _UBUNTU.search(image)
    return _GLIBC.get(ubuntu[1], _UNKNOWN_GLIBC) if ubuntu else _UNKNOWN_GLIBC


def _digest(wanted: Wanted, lines: list[str], directory: Path) -> str:
    # Constraints are files whose content counts, and whose path is of this machine.
    files = [Path(line.file) for text in lines for line in lines_of(text) if line.file]
    contents = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()]
    portable = [line.replace(str(directory), "${project}") for line in lines]
    parts = [wanted.python, wanted.glibc, sorted(portable), contents]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

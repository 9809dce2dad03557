"""Check the files of environments: conda files, Dockerfiles, requirements, and the files in them."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.model import Pipeline
from azml_tasks.packages import OLDEST_PYTHON, required_name
from azml_tasks.reading.environment.conda import _PYTHON, _conda_faults, environment_text
from azml_tasks.reading.environment.dockerfile import Copied, copied_files
from azml_tasks.reading.environment.requirements import (
    Line,
    allows,
    conda_fault,
    exclude_each_other,
    lines_of,
    pip_requirement,
)
from azml_tasks.reading.tree import Node, TreeError, parse_tree, read_text
from azml_tasks.reading.values import LOGIN_OF_AN_INDEX, Values
from azml_tasks.secrets import holds_secret, looks_secret, secret_in

if TYPE_CHECKING:
    pass

_IN_CONTENT = "contains a secret"
_MOST_FILES = 100
_QUOTES = "\"'"
# Lines after which all packages are still known.
_ON_AN_INDEX = ("requirement", "requirements", "constraints", "option")
_MINORS, _PATCHES = 10, 30


class DeclaredPackages(NamedTuple):
    """The requirements of an environment, as pip and as conda write them.

    They are not `complete` if some cannot be read, or name what is not on a package index: a path, a repository.
    """

    pip: tuple[str, ...]
    conda: tuple[str, ...]
    complete: bool


class _Listed(NamedTuple):
    """A line of an environment's requirements: in pipeline.yaml at `path`, else in line `number` of `file`.

    Its paths are relative to the folder `base`; `again` is set if it was read from a file in another line.
    """

    environment: str
    path: tuple[str | int, ...]
    file: str
    number: int
    base: str
    line: Line
    again: bool = False


class EnvironmentFiles:
    """The files of a pipeline's environments, each read once, except files that must not be read.

    `main` is the name of pipeline.yaml, and `values` are its values: a requirement with an unset variable is skipped.
    """

    def __init__(self, pipeline: Pipeline, directory: Path, values: Values, main: str) -> None:
        self._pipeline = pipeline
        self._directory = directory
        self._values = values
        self._unset = {missing.path for missing in values.missing}
        self._main = main
        self._texts: dict[str, str | None] = {}
        self._unreadable: dict[str, Problem] = {}

    def declared(self, name: str) -> DeclaredPackages:
        """Return the packages that an environment declares, those of nested files included."""
        environment = self._pipeline.environments[name]
        lines = [listed for listed in self._lines() if listed.environment == name]
        pip = [listed.line for listed in lines if listed.line.kind == "requirement"]
        conda = list(environment.conda_packages)
        for item in self._dependencies(environment.conda_file) if environment.conda_file else ():
            conda += [item.value] if isinstance(item.value, str) else []
        complete = all(line.text and not line.fault and "${" not in line.text and "@" not in line.text for line in pip)
        complete &= all(listed.line.kind in _ON_AN_INDEX and self._exists(listed) for listed in lines)
        complete &= not any(path[:2] == ("environments", name) for path in self._unset)
        complete &= not environment.conda_file or self._text(environment.conda_file) is not None
        return DeclaredPackages(tuple(line.text for line in pip), tuple(conda), complete)

    def refused(self) -> Iterator[Problem]:
        """Yield paths outside the project or to secrets, and secrets in the files."""
        for name, environment in self._pipeline.environments.items():
            for key in ("conda_file", "dockerfile"):
                if file := getattr(environment, key):
                    yield from self._refused_file(("environments", name, key), file)
        for listed in self._lines():
            yield from self._refused_line(listed)
        for name, file, copied in self._copied():
            for source in copied.files:
                problem = _refusal(source.lstrip("/") or ".", self._directory, self._directory)
                if problem:
                    message = f"environment '{name}': {copied.instruction} names '{source}', which {problem}"
                    yield Problem(file, copied.line, message)

    def _refused_line(self, listed: _Listed) -> Iterator[Problem]:
        problem = listed.line.file and _refusal(listed.line.file, Path(listed.base), self._directory)
        is_list = listed.line.kind in ("requirements", "constraints")
        found = (
            list(self._secrets(self._relative(listed))) if problem == _IN_CONTENT or (is_list and not problem) else []
        )
        if problem and not found:
            yield self._of(listed, f"'{listed.line.text}' names a file that {problem}")
        yield from found

    def _refused_file(self, path: tuple[str, str, str], file: str) -> Iterator[Problem]:
        problem = _refusal(file, self._directory, self._directory)
        found = list(self._secrets(file)) if not problem or problem == _IN_CONTENT else []
        if problem and not found:
            yield self._problem(path, f"environment '{path[1]}': its {path[2]} '{file}' {problem}")
        yield from found

    def faults(self) -> Iterator[Problem]:
        """Yield problems of conda files, requirements that pip cannot read, and missing requirements files."""
        for environment in self._pipeline.environments.values():
            file = environment.conda_file
            text = self._text(file) if file else None
            if file and text is not None:
                yield from (Problem(file, line, message) for line, message in _conda_faults(text))
            elif file in self._unreadable and (self._directory / file).is_file():  # else said to be missing
                yield self._unreadable[file]
        for listed in self._lines():
            if listed.line.fault:
                # Lines of a file that may not be a requirements file are not shown.
                yield self._of(listed, "pip cannot read this line" if listed.again else listed.line.fault)
            elif listed.line.kind in ("requirements", "constraints") and not self._exists(listed):
                yield self._of(listed, f"{listed.line.file} does not exist")
        for name, environment in self._pipeline.environments.items():
            for package, place in self._of_conda(name) if environment.conda_packages else ():
                if fault := conda_fault(package):
                    yield Problem(place.file, place.line, f"environment '{name}': {fault}")
            yield from self._contradictions(name)

    def _contradictions(self, name: str) -> Iterator[Problem]:
        """Yield the requirements of one package that no version fits, among those of pip, and among those of conda."""
        pip = [
            ("" if one.again else f"'{one.line.text}'", one.line.requirement, self._of(one, ""))
            for one in self._lines()
            if one.environment == name and one.line.kind == "requirement" and not one.line.fault
        ]
        conda = [(f"'{text}'", pip_requirement(text) or "", problem) for text, problem in self._of_conda(name)]
        for packages in (pip, conda):
            earlier: dict[str | None, list[tuple[str, str, Problem]]] = {}
            for shown, requirement, place in packages:
                same = earlier.setdefault(required_name(requirement), [])
                same.append((shown, requirement, place))
                if len(same) == 1 and "," not in requirement:
                    continue  # the most frequent, without a parser
                other = next((one for one in same if exclude_each_other(requirement, one[1])), None)
                if other is None:
                    continue
                where = f"line {other[2].line}" if other[2].file == place.file else other[2].place
                second = f"{other[0]} ({where})" if other[0] else where
                both = "" if other[1] == requirement else f"both {shown or 'this line'} and {second}; keep one"
                message = f"environment '{name}': no version fits {both or shown or 'this line'}"
                yield Problem(place.file, place.line, message)

    def _of_conda(self, name: str) -> Iterator[tuple[str, Problem]]:
        """Yield the conda packages of an environment, and their places."""
        environment = self._pipeline.environments[name]
        for place, package in enumerate(environment.conda_packages):
            path = ("environments", name, "conda_packages", place)
            if path not in self._unset:
                yield package.strip(), self._problem(path, "")
        for item in self._dependencies(environment.conda_file) if environment.conda_file else ():
            if isinstance(item.value, str):
                yield item.value.strip(), Problem(str(environment.conda_file), item.line, "")

    def missing(self) -> Iterator[Problem]:
        """Yield the other missing files and folders in requirements, and folders that pip cannot install."""
        for listed in self._lines():
            is_list = listed.line.kind in ("requirements", "constraints")
            if listed.line.file and not is_list and not self._exists(listed):
                yield self._of(listed, f"{listed.line.file} does not exist")
            elif listed.line.file and listed.line.kind in ("editable", "path"):
                folder = os.path.join(listed.base, listed.line.file)
                if os.path.isdir(folder) and not {"pyproject.toml", "setup.py"} & set(os.listdir(folder)):
                    message = f"'{listed.line.text}': pip needs a pyproject.toml or setup.py in {listed.line.file}"
                    yield self._of(listed, message)

    def unseen_by_azure(self) -> Iterator[Problem]:
        """Yield paths on this machine, which Azure ML cannot use, and what to write instead."""
        for listed in self._lines():
            if listed.line.file and not listed.again:
                where = "pip_packages" if listed.path else f"the pip part of {listed.file}"
                message = f"'{listed.line.text}' is a path on this machine, but Azure ML receives only the text"
                yield self._of(listed, f"{message}: {_remedy(listed.line, where)}")
        for name, file, copied in self._copied():
            message = (
                f"environment '{name}': {copied.instruction} needs {_some(copied.files)}, but Azure ML receives only "
                "the text of the Dockerfile: use RUN, list packages in pip_packages, or build the image elsewhere and "
                "set base_image"
            )
            yield Problem(file, copied.line, message)

    def old_pythons(self) -> Iterator[Problem]:
        """Yield the versions of Python that a local run cannot use."""
        oldest = ".".join(map(str, OLDEST_PYTHON))
        for name in self._pipeline.environments:
            for asked, problem in self._pythons(name):
                message = (
                    f"environment '{name}': a local run needs Python {oldest} or later, so `invoke register-env` "
                    f"cannot create it with {asked}"
                )
                yield Problem(problem.file, problem.line, message)

    def secret_variables(self) -> Iterator[Problem]:
        """Yield the variables of conda files whose names look like secrets."""
        for file in dict.fromkeys(item.conda_file for item in self._pipeline.environments.values() if item.conda_file):
            variables = self._section(file, "variables")
            for name, item in variables.value.items() if variables and isinstance(variables.value, dict) else ():
                if isinstance(item.value, str) and holds_secret(name, item.value):
                    message = (
                        f"`variables`: {name} looks like a secret and would be stored with the environment; use the "
                        "workspace's key vault"
                    )
                    yield Problem(file, item.line, message)

    def _pythons(self, name: str) -> Iterator[tuple[str, Problem]]:
        """Yield requirements for a Python that is too old, and their places."""
        environment = self._pipeline.environments[name]
        version = environment.python_version
        if version and is_too_old(version):
            yield f"Python {version}", self._problem(("environments", name, "python_version"), "")
        yield from ((f"`{package}`", place) for package, place in self._of_conda(name) if _is_old_python(package))

    def _lines(self) -> Iterator[_Listed]:
        for name, environment in self._pipeline.environments.items():
            base = str(self._directory)
            for place, text in enumerate(environment.pip_packages):
                path = ("environments", name, "pip_packages", place)
                for line in lines_of(text) if path not in self._unset else ():
                    yield from self._nested(_Listed(name, path, "", 0, base, line), set())
            if not environment.conda_file:
                continue
            file = environment.conda_file
            base = os.path.dirname(os.path.join(self._directory, file))
            for item in self._dependencies(file):
                pip = item.value.get("pip") if isinstance(item.value, dict) else None
                for requirement in pip.value if pip is not None and isinstance(pip.value, list) else ():
                    for line in lines_of(requirement.value) if isinstance(requirement.value, str) else ():
                        yield from self._nested(_Listed(name, (), file, requirement.line, base, line), set())

    def _nested(self, listed: _Listed, seen: set[str]) -> Iterator[_Listed]:
        """Yield a line, and those of the requirements file that it refers to."""
        yield listed
        if listed.line.kind not in ("requirements", "constraints") or not listed.line.file:
            return
        file = self._relative(listed)
        if file in seen or len(seen) > _MOST_FILES or _refusal(listed.line.file, Path(listed.base), self._directory):
            return
        seen.add(file)
        base = os.path.dirname(os.path.join(self._directory, file))
        for line in lines_of(self._text(file) or ""):
            yield from self._nested(_Listed(listed.environment, (), file, line.number, base, line, again=True), seen)

    def _dependencies(self, file: str) -> list[Node]:
        found = self._section(file, "dependencies")
        return found.value if found is not None and isinstance(found.value, list) else []

    def _section(self, file: str, key: str) -> Node | None:
        """Return the value of a key of a conda file, None if it is missing or cannot be read."""
        text = self._text(file)
        try:
            root = parse_tree(text).value if text is not None else None
        except TreeError:
            return None
        return root.get(key) if isinstance(root, dict) else None

    def _copied(self) -> Iterator[tuple[str, str, Copied]]:
        for name, environment in self._pipeline.environments.items():
            file = environment.dockerfile
            if file:
                yield from ((name, file, copied) for copied in copied_files(self._text(file) or ""))

    def _secrets(self, file: str) -> Iterator[Problem]:
        """Yield the lines with secrets of a file, which is not outside the project."""
        try:
            text = self._text(file) or read_text(self._directory / file)
        except TreeError:
            return
        for number, line in enumerate(text.splitlines(), start=1):
            kind = secret_in(line)
            if kind:
                remedy = LOGIN_OF_AN_INDEX if "://" in line else "use the workspace's key vault"
                yield Problem(
                    file,
                    number,
                    f"this looks like a secret ({kind}) and would be stored with the environment; {remedy}",
                )

    def _text(self, file: str) -> str | None:
        """Return the text of a project file, None if it must not or cannot be read."""
        if file not in self._texts:
            self._texts[file] = None
            if not _refusal(file, self._directory, self._directory):
                try:
                    self._texts[file] = read_text(self._directory / file)
                except TreeError as error:
                    self._unreadable[file] = Problem(file, error.line, error.message)
        return self._texts[file]

    def _relative(self, listed: _Listed) -> str:
        return os.path.relpath(os.path.join(listed.base, listed.line.file), self._directory).replace(os.sep, "/")

    def _exists(self, listed: _Listed) -> bool:
        """Return whether an allowed file exists."""
        if _refusal(listed.line.file, Path(listed.base), self._directory):
            return True
        return os.path.exists(os.path.join(listed.base, listed.line.file))

    def _problem(self, path: tuple[str | int, ...], message: str) -> Problem:
        return Problem(self._main, self._values.line(path), message)

    def _of(self, listed: _Listed, message: str) -> Problem:
        message = f"environment '{listed.environment}': {message}"
        return self._problem(listed.path, message) if listed.path else Problem(listed.file, listed.number, message)


def is_too_old(version: str) -> bool:
    """Return whether a version of Python is too old for a local run; an incomplete version is not."""
    parts = re.findall(r"\d+", version)[:2]
    return len(parts) == 2 and tuple(map(int, parts)) < OLDEST_PYTHON


def _is_old_python(package: str) -> bool:
    """Return whether a conda package is Python in versions that are all too old."""
    if not re.match(_PYTHON, package):
        return False
    oldest = OLDEST_PYTHON[1]
    old = (f"{major}.{minor}.{patch}" for major in (2, 3) for minor in range(oldest) for patch in range(_PATCHES))
    new = (f"3.{minor}.{patch}" for minor in range(oldest, oldest + _MINORS) for patch in range(_PATCHES))
    return allows(package, old) and not allows(package, new)


def requirements_of(lines: list[str], base: Path, project: Path) -> list[str]:
    """Return a list of requirements with nested files replaced by their lines, and absolute paths.

    Raises ProjectError for a file that must not or cannot be read.
    """
    return list(_flat(lines, str(base), project, frozenset()))


def _flat(lines: list[str], base: str, project: Path, above: frozenset[str]) -> Iterator[str]:
    for line in (line for text in lines for line in lines_of(text)):
        if not line.file:
            yield line.text
            continue
        problem = _refusal(line.file, Path(base), project)
        if problem:
            raise ProjectError([Problem("pipeline.yaml", 0, f"'{line.text}' names a file that {problem}")])
        path = os.path.normpath(os.path.join(base, line.file))
        if line.kind != "requirements":
            yield _with_path(line, path)
        elif path not in above:
            text = environment_text(project, os.path.relpath(path, project))
            yield from _flat([text], os.path.dirname(path), project, above | {path})


def _with_path(line: Line, path: str) -> str:
    """Return a line with an absolute path, which pip finds from any folder."""
    before, found, behind = line.text.rpartition(line.file)
    if not found or "file:" in line.text:
        return line.text
    if line.kind == "path":
        return f"{before}{path}{behind}"
    # pip splits options like a shell.
    return f"{before.rstrip(_QUOTES)}{shlex.quote(f'{path}{behind.strip(_QUOTES)}')}"


def _refusal(file: str, base: Path, project: Path) -> str:
    """Return why a file must not be used (outside the project, or a secret); empty if it may."""
    from azml_tasks.snapshot.files import LinkResolver, is_inside, is_never_sent

    if "${" in file:
        return "is set by a variable; write the path"
    directory = str(project)
    path = os.path.normpath(os.path.join(base, file))
    if "\0" in file or not is_inside(os.path.relpath(path, directory)):
        return "is outside the project"
    real_paths = LinkResolver(directory)
    inside = real_paths.inside(path)
    if inside is None:
        return "is outside the project (through a link)"
    places = ((path, directory), (real_paths.of(path), real_paths.project))
    try:
        if is_never_sent(inside) or any(looks_secret(*place, by_content=False) for place in places):
            return "looks like a secret or is never uploaded"
        return _IN_CONTENT if any(looks_secret(*place) for place in places) else ""
    except OSError:
        return ""  # An unreadable file is reported where it is read.


def _remedy(line: Line, where: str) -> str:
    if line.kind in ("requirements", "constraints"):
        return f"copy its lines to {where}"
    if line.kind == "links":
        return "use an https URL"
    if line.file.lower().endswith((".whl", ".zip", ".gz", ".tgz", ".bz2", ".xz")):
        return (
            "put it on a package index, or upload it with Environment.add_private_pip_wheel of the SDK and use the "
            "URL that it returns"
        )
    return "remove it (modules that a step imports from the project are in its snapshot), or put it on a package index"


def _some(files: tuple[str, ...]) -> str:
    return f"'{files[0]}'" if len(files) == 1 else f"'{files[0]}' and {len(files) - 1} more"

"""What environments name: conda files, Dockerfiles, requirements, and the files that these name in turn."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from azml_tasks.errors import Problem, ProjectError, did_you_mean
from azml_tasks.model import Pipeline
from azml_tasks.reading.dockerfile import Copied, copied_files
from azml_tasks.reading.requirements import Line, allows, lines_of
from azml_tasks.reading.sentences import shown
from azml_tasks.reading.tree import Node, TreeError, parse_tree, read_text
from azml_tasks.reading.values import LOGIN_OF_AN_INDEX, Values
from azml_tasks.secrets import holds_secret, looks_secret, secret_in

if TYPE_CHECKING:
    from azml_tasks.reading.project import Project

# The oldest Python that runs what stands for the SDK on this machine.
OLDEST_PYTHON = (3, 10)
_MOST_FILES = 100
_PYTHON = re.compile(r"(?:\S*::)?python(?![\w.-])")
_PIP_TOO_HIGH = "`pip` is a level too high: write `- pip:` as the last item of `dependencies`"
_QUOTES = "\"'"
_MINORS, _PATCHES = 10, 30
# A line of requirements.txt that YAML takes for a text.
_REQUIREMENT = re.compile(r"(-[rce]|--)\S*|[\w.-]+(\[[\w,-]+\])?\s*([=<>!~]=|[<>])")


def environment_text(directory: Path, name: str) -> str:
    """Return the text of a file that an environment names.

    Raises ProjectError for one that cannot be read.
    """
    try:
        return read_text(directory / name)
    except TreeError as error:
        raise ProjectError([Problem(name, error.line, error.message)]) from None


def read_conda(directory: Path, name: str, loader: type[yaml.SafeLoader | yaml.BaseLoader]) -> dict[str, Any]:
    """Return the content of a conda file, which has a list of `dependencies`.

    Raises ProjectError for a file that cannot be read, or is not a conda file.
    """
    text = environment_text(directory, name)
    problems = [Problem(name, line, message) for line, message in _conda_faults(text)]
    if problems:
        raise ProjectError(problems)
    content: dict[str, Any] = yaml.load(text, Loader=loader)  # noqa: S506 - one of the two that make no objects
    return content


def _conda_faults(text: str) -> Iterator[tuple[int, str]]:
    """Yield what makes a text no conda file, each with its line."""
    try:
        root = parse_tree(text)
    except TreeError as error:
        lines = text.splitlines()
        is_pip = 0 < error.line <= len(lines) and lines[error.line - 1].strip().startswith("pip:")
        yield error.line, _PIP_TOO_HIGH if is_pip else f"{error.message}{_meant_for_pip(text)}"
        return
    value = root.value
    if value is None:
        yield 0, "is empty; a conda file has a list of `dependencies`"
    elif not isinstance(value, dict):
        found = f"it holds {_kind(value)}, not a list of `dependencies`{_meant_for_pip(text)}"
        yield root.line, f"is not a conda file: {found}"
    else:
        yield from _mapping_faults(root)


def _mapping_faults(root: Node) -> Iterator[tuple[int, str]]:
    assert isinstance(root.value, dict)
    if "pip" in root.value:
        yield root.key_lines["pip"], _PIP_TOO_HIGH
    dependencies = root.value.get("dependencies")
    if dependencies is None:
        yield 0, f"is not a conda file: it has no list of `dependencies`{_meant('dependencies', root)}"
    elif not isinstance(dependencies.value, list):
        line = root.key_lines["dependencies"]
        yield line, f"`dependencies`: expected a list, as in `- python=3.10`, found {shown(_plain(dependencies))}"
    else:
        for item in dependencies.value:
            yield from _dependency_faults(item)
    channels = root.value.get("channels")
    if channels is not None and not isinstance(channels.value, (list, type(None))):
        found = shown(_plain(channels))
        yield root.key_lines["channels"], f"`channels`: expected a list, as in `- conda-forge`, found {found}"
    elif channels is not None and channels.value is not None:
        assert isinstance(channels.value, list)
        for item in channels.value:
            if not isinstance(item.value, str):
                yield item.line, f"`channels`: expected text, found {shown(_plain(item))}"


def _meant_for_pip(text: str) -> str:
    """Say what to do with a file that looks like a list of requirements."""
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return "; list the lines of a requirements file in pip_packages instead" if _REQUIREMENT.match(first) else ""


def _kind(value: object) -> str:
    """Say what a file holds that is not what it is taken for, and show nothing of it."""
    return "a list" if isinstance(value, list) else "text" if isinstance(value, str) else "a single value"


def _meant(key: str, root: Node) -> str:
    assert isinstance(root.value, dict)
    close = did_you_mean(key, root.value)
    found = close.removeprefix("; did you mean '").removesuffix("'?")
    return f"; '{found}' in line {root.key_lines[found]} may be meant for that" if close else ""


def _dependency_faults(item: Node) -> Iterator[tuple[int, str]]:
    if isinstance(item.value, str) and item.value.strip():
        return
    if not isinstance(item.value, dict) or not item.value:
        yield item.line, f"`dependencies`: expected a package, as in `python=3.10`, found {shown(_plain(item))}"
        return
    for key, value in item.value.items():
        line = item.key_lines[key]
        if key != "pip":
            version = value.value
            plain = f"={version}" if isinstance(version, (str, int, float)) and not isinstance(version, bool) else ""
            yield line, f"`dependencies`: a package is one text; write `- {key}{plain}`"
        elif value.value is not None and not isinstance(value.value, list):
            yield line, f"`pip`: expected a list, as in `- pandas==2.2`, found {shown(_plain(value))}"
        else:
            for requirement in value.value or ():
                if not isinstance(requirement.value, str):
                    found = shown(_plain(requirement))
                    yield requirement.line, f"`pip`: expected a requirement, as in `pandas==2.2`, found {found}"


def _plain(node: Node) -> Any:
    value = node.value
    return {} if value == {} else {"": ""} if isinstance(value, dict) else value


@dataclass(frozen=True)
class _Listed:
    """A line of an environment's requirements: in pipeline.yaml at `path`, else in line `number` of `file`.

    What it names starts from the folder `base`; `again` says that it was read from a file that another line names.
    """

    environment: str
    path: tuple[str | int, ...]
    file: str
    number: int
    base: str
    line: Line
    again: bool = False


class EnvironmentFiles:
    """The files that the environments of a pipeline name, read once; what may not be read is not.

    `main` is the name of pipeline.yaml, and `values` are its values: a requirement with a variable that is not set
    names nothing yet.
    """

    def __init__(self, pipeline: Pipeline, directory: Path, values: Values, main: str) -> None:
        self._pipeline = pipeline
        self._directory = directory
        self._values = values
        self._unset = {missing.path for missing in values.missing}
        self._main = main
        self._texts: dict[str, str | None] = {}
        self._unreadable: dict[str, Problem] = {}

    def refused(self) -> Iterator[Problem]:
        """Yield the names that lead out of the project or to what is never shown, and secrets in the files."""
        for name, environment in self._pipeline.environments.items():
            for key in ("conda_file", "dockerfile"):
                if file := getattr(environment, key):
                    yield from self._refused_file(("environments", name, key), file)
        for listed in self._lines():
            problem = listed.line.file and _refusal(listed.line.file, Path(listed.base), self._directory)
            if problem:
                yield self._of(listed, f"'{listed.line.text}' names a file that {problem}")
            elif listed.line.kind in ("requirements", "constraints"):
                yield from self._secrets(self._relative(listed))
        for name, file, copied in self._copied():
            for source in copied.files:
                problem = _refusal(source.lstrip("/") or ".", self._directory, self._directory)
                if problem:
                    message = f"environment '{name}': {copied.instruction} names '{source}', which {problem}"
                    yield Problem(file, copied.line, message)

    def _refused_file(self, path: tuple[str, str, str], file: str) -> Iterator[Problem]:
        problem = _refusal(file, self._directory, self._directory)
        if problem:
            yield self._problem(path, f"environment '{path[1]}': its {path[2]} '{file}' {problem}")
        else:
            yield from self._secrets(file)

    def faults(self) -> Iterator[Problem]:
        """Yield what is wrong with conda files, requirements that pip cannot read, and lists that are not there."""
        for environment in self._pipeline.environments.values():
            file = environment.conda_file
            text = self._text(file) if file else None
            if file and text is not None:
                yield from (Problem(file, line, message) for line, message in _conda_faults(text))
            elif file in self._unreadable and (self._directory / file).is_file():  # else said to be missing
                yield self._unreadable[file]
        for listed in self._lines():
            if listed.line.fault:
                # Nothing is shown of a file that may be no list of requirements at all.
                yield self._of(listed, "pip cannot read this line" if listed.again else listed.line.fault)
            elif listed.line.kind in ("requirements", "constraints") and not self._exists(listed):
                yield self._of(listed, f"there is no {listed.line.file}")

    def missing(self) -> Iterator[Problem]:
        """Yield the other files and folders of this machine that requirements name and that are not there."""
        for listed in self._lines():
            is_list = listed.line.kind in ("requirements", "constraints")
            if listed.line.file and not is_list and not self._exists(listed):
                yield self._of(listed, f"there is no {listed.line.file}")

    def unseen_by_azure(self) -> Iterator[Problem]:
        """Yield what names files of this machine, of which Azure ML sees none, and what to write instead."""
        for listed in self._lines():
            if listed.line.file and not listed.again:
                where = "pip_packages" if listed.path else f"the pip part of {listed.file}"
                message = f"'{listed.line.text}' names a file of this machine, and Azure ML gets only the text"
                yield self._of(listed, f"{message}: {_remedy(listed.line, where)}")
        for name, file, copied in self._copied():
            message = (
                f"environment '{name}': {copied.instruction} needs {_some(copied.files)}, and Azure ML gets the "
                "Dockerfile's text without files: write what is needed in RUN, list packages in pip_packages, "
                "or build the image elsewhere and name it in base_image"
            )
            yield Problem(file, copied.line, message)

    def old_pythons(self) -> Iterator[Problem]:
        """Yield the versions of Python that a local run cannot use."""
        oldest = ".".join(map(str, OLDEST_PYTHON))
        for name in self._pipeline.environments:
            for asked, problem in self._pythons(name):
                message = (
                    f"environment '{name}': a local run needs Python {oldest} or later, so `invoke register-env` "
                    f"cannot make it on this machine with {asked}"
                )
                yield Problem(problem.file, problem.line, message)

    def secret_variables(self) -> Iterator[Problem]:
        """Yield the variables of conda files whose names say that they hold a secret."""
        for file in dict.fromkeys(item.conda_file for item in self._pipeline.environments.values() if item.conda_file):
            variables = self._section(file, "variables")
            for name, item in variables.value.items() if variables and isinstance(variables.value, dict) else ():
                if isinstance(item.value, str) and holds_secret(name, item.value):
                    message = (
                        f"`variables`: {name} looks like a secret, and what stands here is stored with the "
                        "environment; keep it in the workspace's key vault"
                    )
                    yield Problem(file, item.line, message)

    def _pythons(self, name: str) -> Iterator[tuple[str, Problem]]:
        """Yield what asks for a Python that is too old, and where."""
        environment = self._pipeline.environments[name]
        version = environment.python_version
        if version and is_too_old(version):
            yield f"Python {version}", self._problem(("environments", name, "python_version"), "")
        for place, package in enumerate(environment.conda_packages):
            if _is_old_python(package):
                yield f"`{package}`", self._problem(("environments", name, "conda_packages", place), "")
        for item in self._dependencies(environment.conda_file) if environment.conda_file else ():
            if isinstance(item.value, str) and _is_old_python(item.value):
                yield f"`{item.value}`", Problem(str(environment.conda_file), item.line, "")

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
        """Yield a line, and those of the list that it names."""
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
        """Return what a conda file has under a key, None where it is not there or cannot be read."""
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
        for number, line in enumerate((self._text(file) or "").splitlines(), start=1):
            kind = secret_in(line)
            if kind:
                remedy = LOGIN_OF_AN_INDEX if "://" in line else "keep it in the workspace's key vault"
                yield Problem(
                    file,
                    number,
                    f"this looks like a secret ({kind}), and what stands here is stored with the environment; {remedy}",
                )

    def _text(self, file: str) -> str | None:
        """Return the text of a file in the project that may be read, None where it cannot."""
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
        """Say whether a file that may be named is there."""
        if _refusal(listed.line.file, Path(listed.base), self._directory):
            return True
        return os.path.exists(os.path.join(listed.base, listed.line.file))

    def _problem(self, path: tuple[str | int, ...], message: str) -> Problem:
        return Problem(self._main, self._values.line(path), message)

    def _of(self, listed: _Listed, message: str) -> Problem:
        message = f"environment '{listed.environment}': {message}"
        return self._problem(listed.path, message) if listed.path else Problem(listed.file, listed.number, message)


def files_of(project: Project, name: str | None = None) -> EnvironmentFiles:
    """Return the files that the environments of a project name, or one of them."""
    pipeline = project.pipeline
    if name is not None:
        pipeline = pipeline.model_copy(update={"environments": {name: pipeline.environments[name]}})
    return EnvironmentFiles(pipeline, project.directory, project.values, project.file.name)


def is_too_old(version: str) -> bool:
    """Say whether a version of Python is too old for a local run; one that is not spelled in full is not."""
    parts = re.findall(r"\d+", version)[:2]
    return len(parts) == 2 and tuple(map(int, parts)) < OLDEST_PYTHON


def _is_old_python(package: str) -> bool:
    """Say whether a conda package is Python in versions that are all too old."""
    if not _PYTHON.match(package):
        return False
    oldest = OLDEST_PYTHON[1]
    old = (f"{major}.{minor}.{patch}" for major in (2, 3) for minor in range(oldest) for patch in range(_PATCHES))
    new = (f"3.{minor}.{patch}" for minor in range(oldest, oldest + _MINORS) for patch in range(_PATCHES))
    return allows(package, old) and not allows(package, new)


def requirements_of(lines: list[str], base: Path, project: Path) -> list[str]:
    """Return a list of requirements with the lines of the lists that it names in their place, and whole paths.

    Raises ProjectError for a list that may not be read, or cannot.
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
    """Return a line with the whole path in place of its own, behind which pip finds it from any folder."""
    before, found, behind = line.text.rpartition(line.file)
    if not found or "file:" in line.text:
        return line.text
    if line.kind == "path":
        return f"{before}{path}{behind}"
    # pip takes options apart as a shell does.
    return f"{before.rstrip(_QUOTES)}{shlex.quote(f'{path}{behind.strip(_QUOTES)}')}"


def _refusal(file: str, base: Path, project: Path) -> str:
    """Say why a file may not be named: it lies outside of the project, or is never shown; empty for one that may."""
    from azml_tasks.snapshot.ignore import is_never_sent
    from azml_tasks.snapshot.include import is_inside
    from azml_tasks.snapshot.links import RealPaths

    if "${" in file:
        return "a variable may place anywhere; write its path"
    directory = str(project)
    path = os.path.normpath(os.path.join(base, file))
    if "\0" in file or not is_inside(os.path.relpath(path, directory)):
        return "lies outside the project"
    real_paths = RealPaths(directory)
    inside = real_paths.inside(path)
    if inside is None:
        return "leads out of the project by a link"
    try:
        is_secret = (
            is_never_sent(inside)
            or looks_secret(path, directory)
            or looks_secret(real_paths.of(path), real_paths.project)
        )
    except OSError:
        return ""  # One that cannot be read is told where it is read.
    return "looks like a secret, or never is to be sent" if is_secret else ""


def _remedy(line: Line, where: str) -> str:
    if line.kind in ("requirements", "constraints"):
        return f"write its lines into {where}"
    if line.kind == "links":
        return "name an https address"
    if line.file.lower().endswith((".whl", ".zip", ".gz", ".tgz", ".bz2", ".xz")):
        return (
            "put it on a package index, or upload it by Environment.add_private_pip_wheel of the SDK, "
            "and name the https address that this returns"
        )
    return (
        "leave it out, since what a step imports from the project goes with its snapshot; or put it on a package index"
    )


def _some(files: tuple[str, ...]) -> str:
    return f"'{files[0]}'" if len(files) == 1 else f"'{files[0]}' and {len(files) - 1} more"

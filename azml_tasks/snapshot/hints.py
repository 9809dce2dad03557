"""Hints about files, modules and packages that a step did not find."""

from __future__ import annotations

import os
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

from azml_tasks.model import Pipeline, Step
from azml_tasks.packages import normal_name, required_name
from azml_tasks.plan import DatasetInput, StepPlan
from azml_tasks.plan.plan import dataset_id
from azml_tasks.snapshot.files import SnapshotFile
from azml_tasks.snapshot.modules import Modules, import_folders, is_own_folder
from azml_tasks.snapshot.packages import is_known_package, packages_of
from azml_tasks.snapshot.snapshot import Snapshot
from azml_tasks.text import closest

# Called with a module's name and a similar one.
Lacking = Callable[[str, str | None], str | None]

# The limit of files and folders to search for a module that is not on the import path.
_MOST_ENTRIES = 100_000
_FILE = r"(?m)^FileNotFoundError: .*?'([^'\n]+)'"


def missing_hint(
    log_tail: str,
    snapshot: Snapshot,
    project_dir: str | Path,
    script_directory: str,
    working_directory: str | Path,
    lacking: Lacking = lambda module, meant: None,
    data: Callable[[str], str | None] = lambda path: None,
) -> str | None:
    """Return a hint if the project has what the script did not find, else None.

    `log_tail` is the end of the step's log with its traceback; the last error counts. `lacking` returns the hint for a
    module that is not in the project, possibly with a similar name, `data` that for the path of a dataset's data.
    """
    project = os.path.abspath(project_dir)
    module = missing_module(log_tail)
    files = list(re.finditer(_FILE, log_tail))
    if module and (not files or module.start() > files[-1].start()):
        return module_hint(module[1], snapshot, project, script_directory, lacking)
    if files:
        folders = _import_path(project, script_directory)
        return _about_file(files[-1][1], snapshot, folders, project, os.path.abspath(working_directory), data)
    return None


def module_hint(
    name: str,
    snapshot: Snapshot,
    project_dir: str | Path,
    script_directory: str,
    lacking: Lacking = lambda module, meant: None,
) -> str | None:
    """Return a hint about a module that a step could not import; `lacking` as for `missing_hint`."""
    project = os.path.abspath(project_dir)
    folders = _import_path(project, script_directory)
    module = Modules(tuple(map(SnapshotFile, folders))).find(name)
    if module is None:
        path = _off_path(name, project)
        if path:
            return _about_off_path(name, path, project, folders)
        return lacking(name, closest(name, _modules_in(folders)))
    if module.file and module.file.place in snapshot.files:
        return None
    place = module.folders[0].place if module.folders else module.file.place if module.file else ""
    pattern = f"{place}/**" if module.folders else place
    return (
        f"module '{name}' is in the project, but no import in the script refers to it: add `include: "
        f"[{_quoted(pattern)}]` to the step"
    )


def _import_path(project: str, script_directory: str) -> tuple[str, ...]:
    directory = os.path.normpath(os.path.join(project, script_directory))
    return tuple(dict.fromkeys((directory, project, *import_folders(project))))


def _off_path(name: str, project: str) -> str | None:
    """Return the file or folder of the project, nearest to its root, that would be the module of that name."""
    waiting, seen, budget = deque([project]), set[str](), _MOST_ENTRIES
    while waiting and budget > 0:
        folder = waiting.popleft()
        try:
            with os.scandir(folder) as entries:
                listed = {entry.name: entry.is_dir() for entry in entries}
        except OSError:
            continue
        if (real := os.path.realpath(folder)) in seen:
            continue
        seen.add(real)
        budget -= len(listed)
        if listed.get(f"{name}.py") is False:
            return os.path.join(folder, f"{name}.py")
        if listed.get(name) and _is_package(os.path.join(folder, name), is_regular=is_known_package(name)):
            return os.path.join(folder, name)
        inner = (os.path.join(folder, one) for one, is_folder in sorted(listed.items()) if is_folder and one[0] != ".")
        waiting.extend(path for path in inner if is_own_folder(project, _posix(path, project)))
    return None


def _is_package(folder: str, *, is_regular: bool) -> bool:
    """Return whether a folder is a package; one without an `__init__.py` counts unless `is_regular`."""
    pattern = "__init__.py" if is_regular else "*.py"
    return any(Path(folder).glob(pattern))


def _about_off_path(name: str, path: str, project: str, folders: tuple[str, ...]) -> str:
    parent = os.path.dirname(path)
    base = max((folder for folder in folders if parent.startswith(os.path.join(folder, ""))), key=len, default=project)
    place, parts = _posix(parent, project), _posix(parent, base).split("/")
    dotted = ".".join((*parts, name))
    can_be_dotted = all(map(str.isidentifier, parts)) and parts[0] not in sys.stdlib_module_names
    return (
        f"module '{name}' is in the project ({_posix(path, project)}), but {place} is not on the import path: "
        f"set PYTHONPATH={_quoted(place)}, or "
        + (f"import it as `{dotted}`" if can_be_dotted else "move it next to the script")
    )


def _posix(path: str, base: str) -> str:
    return os.path.relpath(path, base).replace(os.sep, "/")


def _modules_in(folders: Iterable[str]) -> Iterator[str]:
    for folder in folders:
        yield from sorted(file.stem for file in Path(folder).glob("*.py"))


def _about_file(
    name: str,
    snapshot: Snapshot,
    folders: tuple[str, ...],
    project: str,
    working_directory: str,
    data: Callable[[str], str | None],
) -> str | None:
    relative = os.path.relpath(os.path.join(working_directory, name), working_directory)
    for folder in folders:
        path = os.path.normpath(os.path.join(folder, relative))
        inside = os.path.relpath(path, project)
        if not os.path.exists(path) or inside.split(os.sep)[0] in (os.curdir, os.pardir):
            continue
        place = os.path.relpath(path, folder).replace(os.sep, "/")
        if place in snapshot.files:
            return None  # It was there: the script looked from another working directory.
        if about := data(path):
            return f"'{name}' {about}"
        # Relative to the folder in which it was found, or to the first one that holds it.
        base = next(base for base in (folders[0], folder, project) if path.startswith(os.path.join(base, "")))
        pattern = os.path.relpath(path, base).replace(os.sep, "/")
        opened = "" if pattern == place else f", and open it as '{pattern}'"
        return (
            f"'{name}' is in the project, but not in the step's snapshot: "
            f"add `include: [{_quoted(pattern)}]` to the step{opened}"
        )
    return None


def _quoted(pattern: str) -> str:
    return f'"{pattern}"' if "*" in pattern or " " in pattern else pattern


# Where the step ran: in this Python, in a virtual environment made from the file, or on the cluster.
Place = Literal["here", "virtual", "cluster"]

_MODULE = r"(?m)^ModuleNotFoundError: No module named '([\w.]+)'"
_NEITHER = {
    "here": "is neither in the project nor installed here",
    "virtual": "is neither in the project nor in the step's virtual environment",
    "cluster": "is neither in the step's snapshot nor in its environment",
}
# Standard library modules of other Python versions: not in any package.
PYTHONS_OWN = sys.stdlib_module_names | {"asyncore", "cgi", "distutils", "imp", "pipes", "telnetlib", "tomllib"}


def missing_module(log_tail: str) -> re.Match[str] | None:
    """Return the last missing module in a log's tracebacks, its name as group 1."""
    return next(reversed(list(re.finditer(_MODULE, log_tail))), None)


def package_hint(module: str, pipeline: Pipeline, step: Step, place: Place, meant: str | None = None) -> str | None:
    """Describe how to install the package of a module that is not in the project; None if there is no package.

    `meant` is a module of the project with a similar name.
    """
    if "." in module or module in PYTHONS_OWN:
        return None  # A part of an installed package, or not a package.
    package = (packages_of(module) or (module,))[0]
    is_listed = is_listed_package(package, pipeline, step)
    here = f"run `pip install {package}`" if place == "here" else ""
    if is_listed and place != "cluster":
        # Whether the package was added after it was created, or there is no virtual environment yet.
        how = "`invoke register-env` to install it"
        rest = f"{how} in a virtual environment" if here else f"run {how}"
    else:
        rest = "" if is_listed else _in_environment(package, pipeline, step, place)
    ways = (", or " if is_listed else ", and ").join(filter(None, (here, rest)))
    if not ways:
        return None
    is_package = is_listed or is_known_package(module)
    or_else = ": "
    if not is_package:
        or_else = f"; did you mean '{meant}'? Otherwise " if meant else f": if it is yours, add {module}.py; if not, "
    return f"'{module}' {_NEITHER[place]}{or_else}{ways}"


def is_listed_package(package: str, pipeline: Pipeline, step: Step) -> bool:
    """Return whether pip_packages of the step's environment contain the package."""
    environment = pipeline.environments.get(pipeline.env_of(step) or "")
    return environment is not None and _is_among(package, environment.pip_packages)


def _in_environment(package: str, pipeline: Pipeline, step: Step, place: Place) -> str:
    """Describe how to add the package to the step's environment."""
    name = pipeline.env_of(step)
    environment = pipeline.environments.get(name) if name else None
    if environment is None:
        return f"on Azure, the environment '{name}' must contain it" if name else ""
    if environment.conda_file:
        added = f"add it to {environment.conda_file}, the conda_file of the environment '{name}'"
    elif _is_among(package, environment.conda_packages) and place != "virtual":
        return ""
    else:
        added = f"add {package} to pip_packages of the environment '{name}'"
    return f"{added}, then run `invoke register-env`" if place == "virtual" else added


def _is_among(package: str, requirements: tuple[str, ...]) -> bool:
    return normal_name(package) in map(required_name, requirements)


def data_hint(path: str, plan: StepPlan, pipeline: Pipeline, project: str | Path) -> str | None:
    """Return the end of a hint on a file or folder if it is data of a dataset: they are not copied with the code."""
    for name, dataset in pipeline.datasets.items():
        place = os.path.normpath(os.path.join(project, dataset.local_path or ""))
        if not dataset.local_path or (path != place and not path.startswith(os.path.join(place, ""))):
            continue
        item = next((one for one in plan.inputs if isinstance(one, DatasetInput) and one.dataset == name), None)
        if item is None:
            read = f"add '{name}' to input_datasets of the step, and read it there"
        elif item.mode == "direct":
            read = f'read it with run.input_datasets["{item.name}"]'
        else:
            read = f"use the path that the script gets as {item.argument or item.name}"
        return f"is data of the dataset '{name}', which is not where the script runs: {read}"
    return None


def id_hint(shown: str, plan: StepPlan, pipeline: Pipeline) -> str | None:
    """Return a hint if an error names the id of a dataset, which the script took for a path."""
    for item in plan.inputs:
        if not isinstance(item, DatasetInput) or item.mode != "direct" or dataset_id(item.dataset) not in shown:
            continue
        dataset = pipeline.datasets.get(item.dataset)
        passed = f"{item.argument or item.name} passes the id of the dataset '{item.dataset}', not a path"
        read = f'read it with run.input_datasets["{item.name}"]'
        is_file = dataset is not None and dataset.type == "file"
        return f"{passed}: set `mode: mount` in datasets.{item.dataset}" if is_file else f"{passed}: {read}"
    return None

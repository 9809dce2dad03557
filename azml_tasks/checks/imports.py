"""Compare what the scripts import with the packages of their environments, and with those that are installed here."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from azml_tasks.checks.packages import EnvironmentPackages
from azml_tasks.errors import Problem
from azml_tasks.model import Dataset, Environment
from azml_tasks.plan import DatasetInput, Output, Plan, StepPlan
from azml_tasks.plan.plan import TableInput
from azml_tasks.reading import Project
from azml_tasks.snapshot import Locate, Snapshot, SnapshotBuilder, module_hint
from azml_tasks.snapshot.hints import PYTHONS_OWN, is_listed_package
from azml_tasks.snapshot.imports import BY_TEXT
from azml_tasks.snapshot.packages import is_known_package, is_namespace, packages_of
from azml_tasks.snapshot.snapshot import is_installed

_PERHAPS = "in a file that the script may not import"


@dataclass(frozen=True)
class ImportPlace:
    """An import of a module: the file, as messages name it, and the line.

    `guard` is what it is in, empty if it always runs when the file is imported.
    """

    module: str
    file: str
    line: int
    guard: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


# Modules that mlflow.py checks: which package they need is another question on Azure ML.
_CHECKED_APART = {"mlflow"}


def import_notes(
    project: Project, snapshots: Mapping[str, Snapshot], builder: SnapshotBuilder
) -> tuple[list[Problem], list[Problem]]:
    """Return the notes on imports without a package, and those on imports that a script may do without."""
    notes: dict[tuple[str, str], Problem] = {}
    remarks: dict[tuple[str, str], Problem] = {}
    environments: dict[str, EnvironmentPackages] = {}
    for step in project.plan.steps:
        name = project.pipeline.env_of(step.step) or ""
        environment = project.pipeline.environments.get(name)
        if environment is None or environment.base_image or environment.dockerfile or step.key not in snapshots:
            continue
        if name not in environments:
            environments[name] = EnvironmentPackages(project, name)
        check = _StepImports(step, snapshots[step.key], builder, environment)
        for place, problem in _MissingPackages(project, check, environments[name]).findings():
            key = (name, place.module)
            (remarks if place.guard else notes).setdefault(key, problem)
    return list(notes.values()), [problem for key, problem in remarks.items() if key not in notes]


# A script with this may find or install what it imports by itself.
_FINDS_BY_ITSELF = re.compile(
    r"\bsys\s*\.\s*(?:path|modules|meta_path)\b|\bfrom\s+sys\s+import\b|\baddsitedir\b|\bpyximport\b"
    r"|\b(?:pip|conda|uv)\b[\s\S]{0,60}\binstall"
)
# Not in a comment.
_WRITES_PARQUET = re.compile(r"^[^#\n]*\.to_parquet\(", re.MULTILINE)
# Packages that write Parquet tables without pyarrow, or have it.
_WRITERS = frozenset(("cudf", "dask", "duckdb", "fastparquet", "polars", "pyspark"))


def absent_notes(
    plan: Plan,
    steps: Iterable[StepPlan],
    snapshots: Mapping[str, Snapshot],
    builder: SnapshotBuilder,
    located: Locate,
) -> list[Problem]:
    """Return a note on each package that is not installed here, and that these steps need, which run in this Python.

    There is one for each environment. What a script may do without, or find by itself, is not noted.
    """
    notes: dict[tuple[str, str], Problem] = {}
    written = {
        item.output: item.name
        for step in plan.steps
        for item in step.inputs
        if isinstance(item, TableInput) and item.format == "parquet"
    }
    for step in steps:
        if step.key not in snapshots:
            continue
        name = plan.pipeline.env_of(step.step) or ""
        imports = _StepImports(step, snapshots[step.key], builder, plan.pipeline.environments.get(name))
        for package, path, need in (*_absent_imports(plan, imports), *_absent_for_tables(plan, imports, written)):
            if (name, package) not in notes:
                is_listed = is_listed_package(package, plan.pipeline, step.step)
                made = ", or `invoke register-env` to install it in a virtual environment" if is_listed else ""
                remedy = f"run `pip install {package}`{made}"
                notes[name, package] = located(("steps", step.key, path), f"step '{step.key}' {need}{remedy}")
    return list(notes.values())


def _absent_imports(plan: Plan, imports: _StepImports) -> Iterator[tuple[str, str, str]]:
    """Yield the package, the key of the step and the reason of each import that always fails here."""
    absent = imports.snapshot.absent - PYTHONS_OWN
    if not absent or _FINDS_BY_ITSELF.search(imports.text):
        return
    step = imports.step.step
    for place in imports.places(lambda module: module.partition(".")[0] in absent):
        package = next(iter(packages_of(place.module)), "")
        if place.guard or not package or imports.is_elsewhere(place.module.partition(".")[0]):
            continue
        start = f"imports {place.module} ({place}), which is "
        if is_known_package(place.module) or "." in place.module or is_listed_package(package, plan.pipeline, step):
            yield package, "script_name", f"{start}not installed here; "
            continue
        similar: list[str | None] = []
        if not imports.in_project(place.module, similar):
            own = f"; did you mean '{similar[0]}'? Otherwise " if any(similar) else ""
            own = own or f": if it is yours, add {place.module}.py; if not, "
            yield package, "script_name", f"{start}neither in the project nor installed here{own}"


def _absent_for_tables(
    plan: Plan, imports: _StepImports, written: Mapping[Output, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield the same for pyarrow, if the step reads or writes a Parquet table with pandas."""
    if is_installed("pyarrow") or _FINDS_BY_ITSELF.search(imports.text):
        return
    step, text = imports.step, imports.text
    for item in step.inputs if "to_pandas_dataframe" in text else ():
        read: TableInput | Dataset | None = item if isinstance(item, TableInput) else None
        if isinstance(item, DatasetInput) and item.mode == "direct":
            read = plan.pipeline.datasets.get(item.dataset)
        if read and read.format == "parquet":
            yield "pyarrow", "input_datasets", f"reads the Parquet table '{item.name}', which requires pyarrow; "
    outside = imports.snapshot.outside
    if (
        _WRITES_PARQUET.search(text)
        and "pandas" in outside
        and not outside & _WRITERS
        and not is_installed("fastparquet")
    ):
        for output in filter(written.__contains__, step.outputs):
            yield "pyarrow", "script_name", f"writes '{written[output]}' as Parquet, which requires pyarrow; "


class _StepImports:
    """The imports of one step's files."""

    def __init__(
        self, step: StepPlan, snapshot: Snapshot, builder: SnapshotBuilder, environment: Environment | None
    ) -> None:
        self.step = step
        self.snapshot = snapshot
        self.builder = builder
        self.environment = environment

    def is_elsewhere(self, module: str) -> bool:
        """Return whether the step may find the module where its script looks for it."""
        variables = self.environment.environment_variables if self.environment else {}
        if "PYTHONPATH" in {**variables, **self.step.step.environment_variables}:
            return True
        ends = (f"/{module}.py", f"/{module}/__init__.py")
        return any(f"/{place}".endswith(ends) or f"/{module}/" in f"/{place}" for place in self.snapshot.files)

    @cached_property
    def text(self) -> str:
        """What all of the files contain."""
        files = (path for place, path in self.snapshot.files.items() if place.endswith(".py"))
        return "\n".join(path.read_text("utf-8", "replace") for path in files)

    def in_project(self, module: str, similar: list[str | None]) -> str | None:
        """Return the hint on a module of the project that the snapshot does not hold; add a similar one."""
        folder = self.step.step.script_directory
        return module_hint(module, self.snapshot, self.builder.project, folder, lambda _, meant: similar.append(meant))

    def places(self, is_wanted: Callable[[str], bool]) -> Iterator[ImportPlace]:
        """Yield the imports of these modules, first those of the script and of what it always imports."""
        always = self._always_imported()
        others = [place for place in self.snapshot.files if place.endswith(".py") and place not in always]
        for file in (*always, *others):
            shown = os.path.relpath(self.snapshot.files[file], self.builder.project).replace(os.sep, "/")
            for module, line, guard in self.imports(file):
                named = module if is_namespace(module) else module.partition(".")[0]
                if is_wanted(named):
                    yield ImportPlace(named, shown, line, guard or ("" if file in always else _PERHAPS))

    def imports(self, file: str) -> Iterator[tuple[str, int, str]]:
        """Yield the names that a file imports, submodules included, with their lines and what they are in."""
        for item in self.builder.sources.read(str(self.snapshot.files[file])).imports:
            base = "." * item.level + item.module
            joint = "" if base.endswith(".") else "."
            if item.guard != BY_TEXT:
                yield base, item.line, item.guard
                yield from ((f"{base}{joint}{name}", item.line, item.guard) for name in item.names)

    def _always_imported(self) -> list[str]:
        """Return the script and the files that it imports outside of functions, conditions and `try`, in that order."""
        found, waiting = [], [self.snapshot.script]
        folder = os.path.dirname(self.snapshot.script)
        while waiting:
            file = waiting.pop()
            if file in found or file not in self.snapshot.files or not file.endswith(".py"):
                continue
            found.append(file)
            for module, _, guard in self.imports(file):
                base = module.lstrip(".")
                up = len(module) - len(base)
                around = file
                for _level in range(up):
                    around = os.path.dirname(around)
                path = base.replace(".", "/")
                for root in [around] if up else [folder, ""]:
                    start = f"{root}/{path}" if root else path
                    parts = start.split("/")
                    packages = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
                    if not guard:
                        waiting += [f"{one}/__init__.py" for one in packages] + [f"{start}.py"]
        return found


class _MissingPackages:
    """What the files of one step import and its environment has no package for."""

    def __init__(self, project: Project, imports: _StepImports, packages: EnvironmentPackages) -> None:
        self.project = project
        self.imports = imports
        self.packages = packages
        self.environment: Environment = project.pipeline.environments[packages.name]

    def findings(self) -> Iterator[tuple[ImportPlace, Problem]]:
        """Yield each module that nothing provides, with its first import."""
        wanted = {name for name in self._names() if self.packages.provide(name) is not True}
        if not wanted:
            return
        places: dict[str, ImportPlace] = {}
        for place in self.imports.places(wanted.__contains__):
            package = next(iter(packages_of(place.module)), place.module)
            known = places.get(package)
            if known is None or (known.guard and not place.guard):
                places[package] = place
        for place in places.values():
            problem = self._problem(place.module, place)
            if problem:
                yield place, problem

    def _names(self) -> Iterator[str]:
        """Yield the modules that the files import from outside the project: in full if they are in a namespace."""
        snapshot, sources = self.imports.snapshot, self.imports.builder.sources
        outside = snapshot.outside - PYTHONS_OWN - _CHECKED_APART
        for file, path in snapshot.files.items():
            for item in sources.read(str(path)).imports if file.endswith(".py") else ():
                if item.level or item.module.partition(".")[0] not in outside:
                    continue
                if not is_namespace(item.module):
                    yield item.module.partition(".")[0]
                elif packages_of(item.module) or not item.names:
                    yield item.module
                else:
                    yield from (f"{item.module}.{name}" for name in item.names)

    def _problem(self, module: str, place: ImportPlace) -> Problem | None:
        provided = self.packages.provide(module)
        if provided or self.imports.is_elsewhere(module):
            return None
        if is_known_package(module) or "." in module:
            return self._missing(module, place) if provided is False else None
        similar: list[str | None] = []
        hint = self.imports.in_project(module, similar)
        if hint:
            return Problem(place.file, place.line, hint)
        own = (
            f"; did you mean '{similar[0]}'? Otherwise "
            if any(similar)
            else ", and the project has no module of that name; "
        )
        return self._missing(module, place, f"{own}add {module}.py, or ") if provided is False else None

    def _missing(self, module: str, place: ImportPlace, own: str = "; add ") -> Problem:
        name = self.packages.name
        added = f"{own}`- {packages_of(module)[0]}` to "
        if file := self.environment.conda_file:
            key, where = "conda_file", f"the pip part of {file}"
        else:
            key, where = "pip_packages", "its pip_packages"
        if not self.environment.pip_packages and key == "pip_packages":
            path: tuple[str, ...] = ("environments", name)
        else:
            path = ("environments", name, key)
        guard = f" ({place.guard})" if place.guard else ""
        message = f"environment '{name}' has no package for `import {module}` in {place}{guard}{added}{where}"
        return self.project.problem(path, message)

"""Compare what the scripts import with the packages of their environments."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from azml_tasks.checks.packages import EnvironmentPackages
from azml_tasks.errors import Problem
from azml_tasks.model import Environment
from azml_tasks.plan import StepPlan
from azml_tasks.reading import Project
from azml_tasks.snapshot import Snapshot, SnapshotBuilder, module_hint
from azml_tasks.snapshot.hints import PYTHONS_OWN
from azml_tasks.snapshot.imports import BY_TEXT
from azml_tasks.snapshot.packages import is_known_package, is_namespace, packages_of

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
        check = _StepImports(project, step, snapshots[step.key], builder, environments[name])
        for place, problem in check.findings():
            key = (name, place.module)
            (remarks if place.guard else notes).setdefault(key, problem)
    return list(notes.values()), [problem for key, problem in remarks.items() if key not in notes]


class _StepImports:
    """The imports of one step's files."""

    def __init__(
        self,
        project: Project,
        step: StepPlan,
        snapshot: Snapshot,
        builder: SnapshotBuilder,
        packages: EnvironmentPackages,
    ) -> None:
        self.project = project
        self.step = step
        self.snapshot = snapshot
        self.builder = builder
        self.packages = packages
        self.environment: Environment = project.pipeline.environments[packages.name]

    def findings(self) -> Iterator[tuple[ImportPlace, Problem]]:
        """Yield each module that nothing provides, with its first import."""
        wanted = {name for name in self._names() if self.packages.provide(name) is not True}
        if not wanted:
            return
        places: dict[str, ImportPlace] = {}
        for place in self._places(wanted):
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
        outside = self.snapshot.outside - PYTHONS_OWN - _CHECKED_APART
        for file, path in self.snapshot.files.items():
            for item in self.builder.sources.read(str(path)).imports if file.endswith(".py") else ():
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
        if provided or self._is_elsewhere(module):
            return None
        if is_known_package(module) or "." in module:
            return self._missing(module, place) if provided is False else None
        similar: list[str | None] = []
        hint = self._in_project(module, similar)
        if hint:
            return Problem(place.file, place.line, hint)
        own = (
            f"; did you mean '{similar[0]}'? Otherwise "
            if any(similar)
            else ", and the project has no module of that name; "
        )
        return self._missing(module, place, f"{own}add {module}.py, or ") if provided is False else None

    def _in_project(self, module: str, similar: list[str | None]) -> str | None:
        """Return the hint on a module of the project that the snapshot does not hold; add a similar one."""
        folder = self.step.step.script_directory
        return module_hint(module, self.snapshot, self.builder.project, folder, lambda _, meant: similar.append(meant))

    def _is_elsewhere(self, module: str) -> bool:
        """Return whether the step may find the module where its script looks for it."""
        if "PYTHONPATH" in {**self.environment.environment_variables, **self.step.step.environment_variables}:
            return True
        ends = (f"/{module}.py", f"/{module}/__init__.py")
        return any(f"/{place}".endswith(ends) or f"/{module}/" in f"/{place}" for place in self.snapshot.files)

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

    def _places(self, wanted: set[str]) -> Iterator[ImportPlace]:
        """Yield the imports of these modules, first those of the script and of what it always imports."""
        always = self._always_imported()
        others = [place for place in self.snapshot.files if place.endswith(".py") and place not in always]
        for file in (*always, *others):
            shown = os.path.relpath(self.snapshot.files[file], self.builder.project).replace(os.sep, "/")
            for module, line, guard in self._imports(file):
                named = module if is_namespace(module) else module.partition(".")[0]
                if named in wanted:
                    yield ImportPlace(named, shown, line, guard or ("" if file in always else _PERHAPS))

    def _imports(self, file: str) -> Iterator[tuple[str, int, str]]:
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
            for module, _, guard in self._imports(file):
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

"""Check what steps that use MLflow need on Azure ML v1, and what of MLflow fails there."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.reading import Project
from azml_tasks.reading.environment.conda import conda_packages, conda_specification, has_own_python, pip_packages
from azml_tasks.reading.environment.files import requirements_of
from azml_tasks.reading.environment.requirements import pip_requirement
from azml_tasks.snapshot import Snapshot, SnapshotBuilder

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_PLUGIN = "azureml-mlflow"
_MLFLOW = ("mlflow", "mlflow-skinny")
# From 2.17 on models are logged in a way that Azure ML does not have; these are releases since then.
_LATE = (
    *(f"2.{minor}.{patch}" for minor in range(17, 30) for patch in range(6)),
    *(f"3.{minor}.{patch}" for minor in range(40) for patch in range(6)),
    "4.0.0",
)


def mlflow_notes(project: Project, snapshots: Mapping[str, Snapshot], builder: SnapshotBuilder) -> Iterator[Problem]:
    """Yield remarks on steps that import mlflow: their environment lacks azureml-mlflow, or a model cannot be logged.

    Only environments that the file declares are checked.
    """
    packages: dict[str, _Packages | None] = {}
    for key, step in project.pipeline.steps.items():
        snapshot = snapshots.get(key)
        name = project.pipeline.env_of(step) or ""
        if snapshot is None or "mlflow" not in snapshot.outside or name not in project.pipeline.environments:
            continue
        if name not in packages:
            packages[name] = _packages_of(project, name)
            if (found := packages[name]) is not None and _PLUGIN not in found.requirements:
                yield _without_plugin(project, key, name)
        found = packages[name]
        if found is not None and found.may_be_late and (place := _model_logged(snapshot, builder)):
            file, line = place
            yield Problem(
                os.path.relpath(file, project.directory).replace(os.sep, "/"),
                line,
                f"step '{key}' logs a model, which fails on Azure ML with 404 (logged-models) for MLflow 2.17 and "
                f"later, and the environment '{name}' may have that: use autolog(log_models=False), or save_model with "
                "log_artifacts and azureml.core.Model.register, or require mlflow-skinny<2.17",
            )


def _without_plugin(project: Project, key: str, name: str) -> Problem:
    file = project.pipeline.environments[name].conda_file
    line = f"`- {_PLUGIN}` to pip in {file}" if file else f"{_PLUGIN} to pip_packages"
    return project.problem(
        ("environments", name),
        f"environment '{name}': step '{key}' imports mlflow, but without {_PLUGIN} Azure ML does not record what it "
        f"logs; add {line}",
    )


@dataclass(frozen=True)
class _Packages:
    """The pip requirements of an environment by their names."""

    requirements: Mapping[str, Requirement]

    @property
    def may_be_late(self) -> bool:
        """Whether it may have an MLflow of 2.17 or later."""
        found = [self.requirements[name] for name in _MLFLOW if name in self.requirements]
        if not found:
            # azureml-mlflow requires one, by default a late one.
            return not self.requirements.get(_PLUGIN) or not self.requirements[_PLUGIN].specifier
        return all(_allows_late(requirement) for requirement in found)


def _allows_late(requirement: Requirement) -> bool:
    exact = [one.version for one in requirement.specifier if one.operator in ("==", "===") and "*" not in one.version]
    if exact:
        numbers = [int(part) for part in exact[0].split(".")[:2] if part.isdecimal()]
        return tuple(numbers) >= (2, 17)
    return any(requirement.specifier.contains(version) for version in _LATE)


def _packages_of(project: Project, name: str) -> _Packages | None:
    """Return the packages of an environment, None if they are those of an image or cannot be read."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    environment = project.pipeline.environments[name]
    if has_own_python(environment):
        return None
    base = project.directory
    try:
        specification = conda_specification(environment, base, ())
        if environment.conda_file:
            base = (base / environment.conda_file).parent
        texts = requirements_of(pip_packages(specification), base, project.directory)
    except (ProjectError, OSError):
        return None
    texts += filter(None, map(pip_requirement, conda_packages(specification)))
    requirements: dict[str, Requirement] = {}
    for text in texts:
        try:
            requirement = Requirement(text.partition(" #")[0].strip())
        except InvalidRequirement:
            continue
        requirements[canonicalize_name(requirement.name)] = requirement
    return _Packages(requirements)


def _model_logged(snapshot: Snapshot, builder: SnapshotBuilder) -> tuple[str, int] | None:
    """Return the file and line of the first call that logs a model; None if there is none."""
    for path in snapshot.files.values():
        if path.suffix != ".py" or (tree := builder.sources.tree(str(path))) is None:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _logs_model(node):
                return str(path), node.lineno
    return None


def _logs_model(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr == "autolog":
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        value = given.get("log_models")
        return None not in given and not (isinstance(value, ast.Constant) and value.value is False)
    return call.func.attr == "log_model"

"""The environment that a step's process gets, and what of it counts when a result is reused."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.secrets import is_secret

if TYPE_CHECKING:
    from azml_tasks.local.virtual_environment import VirtualEnvironment
    from azml_tasks.model import Pipeline, Step

STANDIN = Path(__file__).resolve().parent.parent / "standin"
_DECLARATION = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=", re.MULTILINE)
_ORDINARY = frozenset(("HOME", "LANG", "PATH", "SHELL", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "TZ", "USER"))


def base_environment(pipeline: Pipeline, project: Path, outer: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment less what a step must not see.

    Left out are secrets, what .env declares, and the entries of PYTHONPATH that lie in the project: what the snapshot
    lacks would be found there, and not on a cluster.
    """
    kept = _without_secrets(pipeline, project, outer)
    path = [entry for entry in kept.get("PYTHONPATH", "").split(os.pathsep) if entry and not _is_in(entry, project)]
    kept["PYTHONPATH"] = os.pathsep.join([str(STANDIN), *path])
    kept["PYTHONUNBUFFERED"] = "1"
    kept["PYTHONIOENCODING"] = "utf-8"
    # A cluster has no display: a plot that is shown there is not waited for.
    kept.setdefault("MPLBACKEND", "Agg")
    return kept


def installing_environment(pipeline: Pipeline, project: Path, outer: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment less the secrets that are not pip's own, by their names.

    pip puts variables in place of `${NAME}` in what it is to install, and runs the code of packages.
    """
    own = {name: value for name, value in outer.items() if name.startswith("PIP_")}
    return {**_without_secrets(pipeline, project, outer), **own}


def _without_secrets(pipeline: Pipeline, project: Path, outer: Mapping[str, str]) -> dict[str, str]:
    """Leave out secrets, by their names, by a password in a URL, or because a datastore opens with them, and .env's."""
    opening = (store.secret_variables.values() for store in pipeline.datastores.values())
    secret = _names_in(project / ".env").union(*opening)
    return {name: value for name, value in outer.items() if name not in secret and not is_secret(name, value)}


def _names_in(file: Path) -> set[str]:
    """Return the names that a .env file declares, but for those that every process needs."""
    try:
        text = file.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return set()
    return set(_DECLARATION.findall(text)) - _ORDINARY


def definition_of(
    pipeline: Pipeline, step: Step, project: Path, virtual: VirtualEnvironment | None = None
) -> dict[str, Any]:
    """Return what of the step's environment a reused result must agree with, as JSON has it.

    That is the definition in the file, the contents of the files it names, the variables and the version of Python.
    """
    name = pipeline.env_of(step)
    declared = pipeline.environments.get(name) if name else None
    definition: Any = name
    if declared is not None:
        definition = declared.model_dump(mode="json", exclude_defaults=True, exclude={"environment_variables"})
        for key in ("conda_file", "dockerfile"):
            if key in definition:
                definition[key] = (project / definition[key]).read_text(encoding="utf-8", errors="replace")
    return {
        "python": virtual.python_version if virtual else platform.python_version(),
        "definition": definition,
        "variables": variables_of(pipeline, step),
    }


def variables_of(pipeline: Pipeline, step: Step) -> dict[str, str]:
    """Return the variables that the file sets for the step, by its environment and by itself."""
    declared = pipeline.environments.get(pipeline.env_of(step) or "")
    return {**(declared.environment_variables if declared else {}), **step.environment_variables}


def _is_in(path: str, folder: Path) -> bool:
    """Say whether the path lies in the folder as it is spelled, or where its links lead."""
    spelled = ((resolve(path), resolve(folder)) for resolve in (os.path.abspath, os.path.realpath))
    return any(path == folder or path.startswith(os.path.join(folder, "")) for path, folder in spelled)

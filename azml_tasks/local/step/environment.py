"""The environment of a step's process: its variables, and the modules that are imported once for all steps."""

from __future__ import annotations

import os
import platform
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from azml_tasks.secrets import is_secret

if TYPE_CHECKING:
    from azml_tasks.local.environments import VirtualEnvironment
    from azml_tasks.model import Pipeline, Step
    from azml_tasks.snapshot import Snapshot

STANDIN = Path(__file__).resolve().parents[2] / "standin"
_DECLARATION = r"(?m)^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*="
_ORDINARY = frozenset(("HOME", "LANG", "PATH", "SHELL", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "TZ", "USER"))


def base_environment(pipeline: Pipeline, project: Path, outer: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without what a step must not see.

    Left out are secrets, what .env declares, and the entries of PYTHONPATH that are in the project: files missing in
    the snapshot would be found there, but not on a cluster.
    """
    kept = _without_secrets(pipeline, project, outer)
    kept.pop("AZML_RUN_PROCESS", None)  # Where a step starts a run of its own.
    path = [entry for entry in kept.get("PYTHONPATH", "").split(os.pathsep) if entry and not _is_in(entry, project)]
    kept["PYTHONPATH"] = os.pathsep.join([str(STANDIN), *path])
    kept["PYTHONUNBUFFERED"] = "1"
    kept["PYTHONIOENCODING"] = "utf-8"
    # A cluster has no display, so a script does not wait for a plot to be closed.
    kept.setdefault("MPLBACKEND", "Agg")
    return kept


def installing_environment(pipeline: Pipeline, project: Path, outer: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment less the secrets that are not pip's own, by their names.

    pip replaces `${NAME}` in requirements by variables, and runs the code of packages.
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
    return set(re.findall(_DECLARATION, text)) - _ORDINARY


def definition_of(
    pipeline: Pipeline, step: Step, project: Path, virtual: VirtualEnvironment | None = None
) -> dict[str, Any]:
    """Return the parts of the step's environment that a reused result must match, as JSON.

    That is the definition in the file, the contents of the files it names, the variables and the version of Python.
    """
    name = pipeline.env_of(step)
    declared = pipeline.environments.get(name) if name else None
    definition: Any = name
    if declared is not None:
        unseen = {"environment_variables", "azureml"}
        definition = declared.model_dump(mode="json", exclude_defaults=True, exclude=unseen)
        for key in ("conda_file", "dockerfile"):
            if key in definition:
                definition[key] = (project / definition[key]).read_text(encoding="utf-8", errors="replace")
        from azml_tasks.lock.lockfile import read_lock

        lock = read_lock(project, name or "")
        if lock:
            definition["lock"] = list(lock.pins)
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
    """Return whether the path is in the folder as it is spelled, or where its links lead."""
    spelled = ((resolve(path), resolve(folder)) for resolve in (os.path.abspath, os.path.realpath))
    return any(path == folder or path.startswith(os.path.join(folder, "")) for path, folder in spelled)


# Modules of the standard library that keep nothing of the process they are imported in, neither its folder, its
# environment, its arguments nor its number. (`random` draws a new seed in a fork by itself.)
# fmt: off
_LIGHT = frozenset(
    (
        "__future__", "abc", "argparse", "array", "ast", "base64", "binascii", "bisect", "bz2", "calendar",
        "collections", "concurrent", "configparser", "contextlib", "copy", "csv", "dataclasses", "datetime",
        "decimal", "difflib", "email", "enum", "fnmatch", "fractions", "functools", "glob", "gzip",
        "hashlib", "heapq", "hmac", "html", "http", "importlib", "inspect", "io", "itertools", "json",
        "keyword", "logging", "lzma", "math", "mimetypes", "numbers", "operator", "os", "pathlib", "pickle",
        "pkgutil", "platform", "posixpath", "pprint", "queue", "random", "re", "secrets", "shlex", "shutil",
        "socket", "sqlite3", "ssl", "stat", "statistics", "string", "struct", "subprocess", "sys",
        "tarfile", "tempfile", "textwrap", "threading", "time", "timeit", "tokenize", "traceback", "types",
        "typing", "unicodedata", "urllib", "uuid", "warnings", "weakref", "xml", "zipfile", "zlib",
    )
)
# fmt: on
_STANDIN = "azureml"
# Large ones that were found to be safe to fork after, which the fork server checks again (see forkserver/server.py).
HEAVY = ("numpy", "pandas", "scipy", "sklearn", "pyarrow")
# Modules of the stand-in that are only needed with datasets, models and the like.
_OF_DATA = (
    "data",
    "formats",
    "run.offline",
    "run.pipeline_run",
    "sdk",
    "workspace.model",
    "workspace.registry",
)

# argparse, and its imports at first use.
_PARSER = ("argparse", "gettext", "locale", "shutil")


def _of_standin(of_data: bool) -> tuple[str, ...]:
    folder = STANDIN / "azml_local"
    names = sorted(".".join(file.relative_to(folder).with_suffix("").parts) for file in folder.rglob("*.py"))
    return tuple(
        f"azml_local.{name.removesuffix('.__init__')}"
        for name in names
        if name != "__init__" and any(f"{name}.".startswith(f"{part}.") for part in _OF_DATA) == of_data
    )


def modules_at_once() -> tuple[str, ...]:
    """Return the modules that nearly every step needs, to import them while the pipeline is still being checked."""
    # `azureml.core` is the stand-in, first on the steps' path; it puts off its imports.
    return (*_PARSER, "azureml.core", *_of_standin(of_data=False))


class Preload(NamedTuple):
    """Modules to import before any step is started; the heavy ones only if a fork is safe after them."""

    light: tuple[str, ...] = ()
    heavy: tuple[str, ...] = ()


def modules_to_preload(snapshots: Iterable[Snapshot], reads_data: bool) -> Preload:
    """Return the modules that at least two of the steps import, besides those imported immediately.

    `reads_data` says whether a step has a dataset or a table among its inputs.
    """
    snapshots = list(snapshots)
    counted = Counter(name for snapshot in snapshots for name in (*snapshot.outside, *snapshot.standard))
    light = sorted({name for name, count in counted.items() if count > 1} & _LIGHT.difference(_PARSER))
    # Who sets variables that a library reads at its import has to import it.
    heavy = Counter(name for snapshot in snapshots if not snapshot.tunes for name in snapshot.outside)
    if reads_data and _STANDIN in counted:
        light += _of_standin(of_data=True)
    return Preload(tuple(light), tuple(name for name in HEAVY if heavy[name] > 1))


class Mentions:
    """The text of the Python files that a step runs from, and of its arguments."""

    def __init__(self, sources: Iterable[Path], argv: Iterable[str] = ()) -> None:
        self._text = "\n".join([*(source.read_text("utf-8", "replace") for source in sources), *argv])

    @classmethod
    def of_staged(cls, snapshot: Snapshot, work: Path, argv: Iterable[str]) -> Mentions:
        """Return the mentions in the staged files."""
        return cls((work / place for place in snapshot.files if place.endswith(".py")), argv)

    @classmethod
    def of_project(cls, snapshot: Snapshot) -> Mentions:
        """Return the mentions in the project's files."""
        return cls(path for place, path in snapshot.files.items() if place.endswith(".py") and path.exists())

    def secrets(self, outer: Mapping[str, str]) -> dict[str, str]:
        """Return the runner's variables that are secrets and used by name.

        `run.get_secret("db-key")` finds DB_KEY in .env by itself; where there is no .env, as in CI, it can only come
        from here, and no other step sees it.
        """
        if "get_secret" not in self._text:
            return {}
        words = set(re.findall(r"[A-Z0-9_]+", self._text.upper().replace("-", "_")))
        return {name: value for name, value in outer.items() if is_secret(name, value) and name.upper() in words}

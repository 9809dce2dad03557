"""Which modules are worth importing once for all steps of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azml_tasks.local.environment import STANDIN

if TYPE_CHECKING:
    from azml_tasks.snapshot import Snapshot

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
# What of the stand-in for `azureml` only steps need that read datasets, models and the like.
_OF_DATA = frozenset(
    (
        *("catalog", "dataset", "datastore", "factory", "files", "frames", "images", "inputs", "later", "lineage"),
        *("model", "offline", "pipeline_run", "registry", "rows", "sdk", "sources", "tabular"),
    )
)


# argparse, and what it imports at its first use.
_PARSER = ("argparse", "gettext", "locale", "shutil")


def _of_standin(of_data: bool) -> tuple[str, ...]:
    folder = STANDIN / "azml_local"
    names = sorted(".".join(file.relative_to(folder).with_suffix("").parts) for file in folder.rglob("*.py"))
    return tuple(f"azml_local.{name}" for name in names if (name in _OF_DATA or name.startswith("formats.")) == of_data)


def modules_at_once() -> tuple[str, ...]:
    """Return what nearly every step needs, so that it is imported while the pipeline is still looked at."""
    # `azureml.core` is the stand-in, first on the steps' path; it puts off its imports.
    return (*_PARSER, "azureml.core", *_of_standin(of_data=False))


@dataclass(frozen=True)
class Preload:
    """Modules to import before any step is started; the heavy ones only if a fork is safe after them."""

    light: tuple[str, ...] = ()
    heavy: tuple[str, ...] = ()


def modules_to_preload(snapshots: Iterable[Snapshot], reads_data: bool) -> Preload:
    """Return what at least two of the steps import, beside what is imported at once.

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

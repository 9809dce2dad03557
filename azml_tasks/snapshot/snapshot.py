"""The files of a step's snapshot, the same on the cluster and on this machine, and the limits of Azure ML."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.text import size_text

# What Azure ML allows.
MAX_FILES = 2000
MAX_BYTES = 300 * 1024 * 1024
MOST = f"{MAX_BYTES // 10**6} MB"
"""The limit as text; rounded down, so that what is over the limit is also more as text."""
_NAMED = 3
# Libraries that log with MLflow where it is installed, unless they are configured not to.
_LOG_BY_THEMSELVES = frozenset(("transformers", "ultralytics"))


@dataclass(frozen=True)
class Snapshot:
    """Files by their posix path under the root, which is the step's working directory.

    `hashes` maps the same paths to the SHA-256 of each content and `script` is the path of the script. `outside` names
    the top-level modules that the files import and the project does not have, `standard` those among the imported that
    belong to the standard library. `tunes` is whether one of the files contains a variable that libraries read at
    import, `splits_arguments` whether they read `sys.argv` without a parser, `names_mlflow` whether they contain the
    name of MLflow.
    """

    script: str
    files: Mapping[str, Path]
    hashes: Mapping[str, str]
    outside: frozenset[str]
    standard: frozenset[str]
    tunes: bool = False
    splits_arguments: bool = False
    names_mlflow: bool = False

    @property
    def uses_mlflow(self) -> bool:
        """Whether the step may log with MLflow, by itself or through a library that does so where MLflow is installed.

        A name in a text counts, too, since it may be imported by that.
        """
        return self.names_mlflow or not self.outside.isdisjoint(_LOG_BY_THEMSELVES)

    @cached_property
    def absent(self) -> frozenset[str]:
        """Those of `outside` that neither this Python nor a local run, with its stand-in for azureml, provides."""
        return frozenset(name for name in self.outside if name != "azureml" and not is_installed(name))

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the paths and contents, independent of order, times and location in the project."""
        total = hashlib.sha256()
        for path in sorted(self.hashes):
            total.update(f"{path}\0{self.hashes[path]}\n".encode("utf-8", "surrogateescape"))
        return total.hexdigest()

    def path_in(self, project: Path, script_directory: str, name: str) -> str:
        """Return where in a project a file of this or an earlier snapshot is; its name there if that is not known."""
        file = self.files.get(name) or project / script_directory / name
        path = os.path.relpath(file, project).replace(os.sep, "/")
        return path if file.is_file() and not path.startswith("../") else name


def is_installed(module: str) -> bool:
    """Return whether this Python finds a module without a dot in its name; it is not imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # It is imported already, and says nothing on where from.
        return True


class SnapshotProblem(NamedTuple):
    """A problem of a snapshot, and the key of the step that causes it.

    `key` leads from the step, as in `("include", 0)`; it is empty when a file is wrong rather than the step.
    """

    key: tuple[str | int, ...]
    problem: Problem


class FileSet(NamedTuple):
    """The files of a snapshot before their contents are read, and what prevents it.

    `files` maps each path under the root to the file, `sizes` to its bytes, `reasons` to why it is there: `the script`,
    `imported by train.py:3`, `include: data/**`, `snapshot: directory`.
    """

    script: str
    files: Mapping[str, str]
    sizes: Mapping[str, int]
    reasons: Mapping[str, str]
    findings: tuple[SnapshotProblem, ...]


class SnapshotError(ProjectError):
    """A step's snapshot cannot be built; contains all problems."""

    def __init__(self, findings: list[SnapshotProblem]) -> None:
        self.findings = tuple(findings)
        super().__init__(finding.problem for finding in findings)


def over_the_limits(sizes: Mapping[str, int]) -> list[str]:
    """Return messages if a snapshot is too large; `sizes` maps its files to bytes."""
    sentences = []
    if len(sizes) > MAX_FILES:
        folders = Counter(path.partition("/")[0] + "/" for path in sizes if "/" in path).most_common(_NAMED)
        most = ", ".join(f"{folder} ({count:,})" for folder, count in folders)
        sentences.append(
            f"its snapshot has {len(sizes):,} files, but Azure ML allows {MAX_FILES:,}"
            + (f"; most are in {most}" if most else "")
        )
    total = sum(sizes.values())
    if total > MAX_BYTES:
        largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:_NAMED]
        named = ", ".join(f"{path} ({size_text(sizes[path])})" for path in largest)
        sentences.append(
            f"its snapshot has {size_text(total)}, but Azure ML allows {MOST} (300 MiB); the largest: {named}"
        )
    return sentences

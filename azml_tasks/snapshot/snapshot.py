"""The files that a step runs from, on the cluster and on this machine alike."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from azml_tasks.errors import Problem, ProjectError


@dataclass(frozen=True)
class Snapshot:
    """Files by their posix path under the root, which is the step's working directory.

    `hashes` maps the same paths to the SHA-256 of each content and `script` is the path of the script. `outside`
    names the top-level modules that the files import and the project does not have, `standard` those among the
    imported that belong to the standard library. `tunes` says whether one of the files names a variable that
    libraries read as they are imported, `splits_arguments` whether they read `sys.argv` without a parser.
    """

    script: str
    files: Mapping[str, Path]
    hashes: Mapping[str, str]
    outside: frozenset[str]
    standard: frozenset[str]
    tunes: bool = False
    splits_arguments: bool = False

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the paths and contents, whatever their order, times or places in the project."""
        total = hashlib.sha256()
        for path in sorted(self.hashes):
            total.update(f"{path}\0{self.hashes[path]}\n".encode("utf-8", "surrogateescape"))
        return total.hexdigest()


@dataclass(frozen=True)
class Finding:
    """Something wrong with a snapshot, and the key of the step that is to blame.

    `key` leads from the step, as in `("include", 0)`; it is empty when a file is wrong rather than the step.
    """

    key: tuple[str | int, ...]
    problem: Problem


class SnapshotError(ProjectError):
    """A step's snapshot cannot be made; carries every finding."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(finding.problem for finding in findings)

"""Everything that is known of a run, on any backend, for `runs.show`, the report and comparisons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from azml_tasks.runs.origin import Packages, Provenance, StepOrigin
from azml_tasks.runs.records import RunRecord, StepRecord

# The names of what a step read, besides paths: the files in a folder; what Python itself and packages read, not for the
# sake of the script, as one read; and variables.
FILES_IN = "files in "
OF_PYTHON = "files of Python and its packages"
VARIABLE = "variable"


@dataclass(frozen=True)
class RunFile:
    """A file of a run: its name, its size in bytes if known, and its place.

    `place` is a path on this machine, absolute, or a URL; `read` returns the content, up to so many bytes, or None if
    it is larger or cannot be read.
    """

    name: str
    size: int | None = None
    place: str = ""
    read: Callable[[int], bytes | None] = field(default=lambda most: None, repr=False, compare=False)


@dataclass(frozen=True)
class Registered:
    """A model or dataset that a step registered; `name` includes the version."""

    name: str
    place: str = ""


@dataclass(frozen=True)
class Log:
    """The end of a log; `lines` is how many lines the whole has, if known to be more than the text."""

    text: str = ""
    lines: int = 0


@dataclass(frozen=True)
class Reading:
    """What a step's result depends on: digests by input, file of the snapshot, and what it read."""

    inputs: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StepDetails:
    """A step of a run; `error` is the end of its log if it failed, with a hint.

    `outputs` are its output folders, each with its files, and `files` those of its own run.
    """

    record: StepRecord
    origin: StepOrigin = field(default_factory=StepOrigin)
    arguments: tuple[str, ...] = ()
    metrics: Sequence[Mapping[str, Any]] = ()
    tags: Mapping[str, str | None] = field(default_factory=dict)
    files: tuple[RunFile, ...] = ()
    outputs: tuple[RunFile, ...] = ()
    models: tuple[Registered, ...] = ()
    datasets: tuple[Registered, ...] = ()
    log: Log = field(default_factory=Log)
    error: str = ""
    url: str = ""
    reading: Reading = field(default_factory=Reading)

    @property
    def key(self) -> str:
        """The step's name."""
        return self.record.key


@dataclass(frozen=True)
class RunDetails:
    """A run with its steps; `metrics`, `tags` and `files` are those of the run itself (`run.parent`)."""

    run: RunRecord[StepRecord]
    provenance: Provenance = field(default_factory=Provenance)
    steps: tuple[StepDetails, ...] = ()
    metrics: Sequence[Mapping[str, Any]] = ()
    tags: Mapping[str, str | None] = field(default_factory=dict)
    files: tuple[RunFile, ...] = ()

    def packages_of(self, step: StepDetails) -> Packages | None:
        """Return the packages of a step, if recorded."""
        return self.provenance.environments.get(step.origin.environment)

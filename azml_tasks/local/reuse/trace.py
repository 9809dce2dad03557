"""The reads recorded by a step's processes (see standin/azml_local/reads/)."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILES = "reads-*.jsonl"
# Device, inode, size and times of a file; None where nothing was there.
Signature = list[int] | None


@dataclass
class Trace:
    """Everything that the processes of a step read, and what they changed.

    `written` are the files that it wrote from the start, `searched` where it looked for modules.
    `stats` maps a path, the level of what was asked of it and whether links were followed to what the answer was.
    `programs` are the names of those whose reads were not recorded, `has_searched_runs` whether it searched MLflow
    runs, with a result that changes with each run.
    """

    files: dict[str, Signature] = field(default_factory=dict)
    lists: dict[str, Signature] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)
    stats: dict[tuple[str, int, bool], list[int] | None] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    searched: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    prefixes: set[str] = field(default_factory=set)
    all_variables: bool = False
    modules: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    installed: set[str] = field(default_factory=set)
    distributions: set[str] = field(default_factory=set)
    programs: list[str] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    executables: set[str] = field(default_factory=set)
    hosts: list[str] = field(default_factory=list)
    facts: set[str] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    is_forked: bool = False
    has_searched_runs: bool = False

    def is_own(self, path: str) -> bool:
        """Return whether the step itself changed what is at a path, or something above it."""
        return _lies_in(path, self.own)

    def is_made(self, path: str) -> bool:
        """Return whether it is in a folder that the step itself made."""
        return _lies_in(path, self.made)

    def has_changed_in(self, folder: str) -> bool:
        """Return whether the step itself changed something directly in a folder, or above it."""
        return self.is_own(folder) or any(os.path.dirname(path) == folder for path in self.own)


def _lies_in(path: str, folders: set[str]) -> bool:
    if not folders:
        return False
    while path not in folders:
        above = os.path.dirname(path)
        if above == path:
            return False
        path = above
    return True


def read_trace(step: Path) -> Trace | None:
    """Return the reads recorded in a step's folder; None if the record of its first process is incomplete."""
    trace = Trace()
    is_whole = False
    begun: Counter[int] = Counter()
    programs: list[tuple[int, str, bool, str]] = []
    for kind, *line in _lines(step):
        if kind == "end":
            is_whole = True
        elif kind == "begin":
            begun[line[0]] += 1
            trace.is_forked |= line[1] and line[2]
        elif kind == "program":
            programs.append((line[0], line[1], line[2], line[3]))
        else:
            _take(trace, kind, line)
    for command, executable, is_python, name in programs:
        if is_python and begun[command]:
            begun[command] -= 1
        else:
            trace.programs.append(name)
            trace.executables.add(executable)
    trace.programs = list(dict.fromkeys(trace.programs))
    return trace if is_whole else None


def remove_trace(step: Path) -> None:
    """Delete the recorded reads in a step's folder, as far as possible."""
    with contextlib.suppress(OSError):
        for file in step.glob(FILES):
            file.unlink()


def _take(trace: Trace, kind: str, line: list[Any]) -> None:
    value = line[0]
    if kind in ("file", "list"):
        (trace.files if kind == "file" else trace.lists).setdefault(value, line[1])
    elif kind == "entries":
        trace.entries[value] = max(line[1], trace.entries.get(value, 0))
    elif kind == "stat":
        trace.stats.setdefault((value, line[1], line[2]), line[3])
    elif kind == "env" and value is None:
        trace.all_variables = True
    elif kind == "network":
        trace.hosts += [value] if value not in trace.hosts else []
    else:
        for name in _SETS.get(kind, ()):
            getattr(trace, name).add(value)


_SETS = {
    "wrote": ("own",),
    "touched": ("own",),
    "made": ("own", "made"),
    "written": ("written",),
    "module": ("searched",),
    "env": ("variables",),
    "prefix": ("prefixes",),
    "import": ("modules",),
    "absent": ("absent",),
    "installed": ("installed",),
    "distributions": ("distributions",),
    "argument": ("named",),
    "fact": ("facts",),
    "secret": ("secrets",),
}


def _lines(step: Path) -> Iterator[list[Any]]:
    for file in sorted(step.glob(FILES)):
        text = file.read_bytes()
        lines = [line for line in text.split(b"\n") if line]
        try:
            found = json.loads(b"[" + b",".join(lines) + b"]")
        except ValueError:
            found = []
            for line in lines:
                try:
                    found.append(json.loads(line))
                except ValueError:  # the last one of a process that was killed
                    continue
        yield from found

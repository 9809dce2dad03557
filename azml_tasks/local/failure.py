"""What to show of a step that failed."""

from __future__ import annotations

import errno
import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path

_TAIL_BYTES = 64 * 1024
_MOST_LINES = 40
_LINES_WITHOUT_TRACEBACK = 10
_LONGEST_LINE = 1_000
_HEADER = "Traceback (most recent call last):"
_CHAINED = ("another exception occurred:", "direct cause of the following exception:")
_FRAME = re.compile(r'^(\s*File ")([^"]+)(", line \d+)', re.MULTILINE)


def log_tail(log: Path) -> str:
    """Return the end of a log, of which no more than a fixed part is read; empty when there is none."""
    try:
        with open(log, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            data = file.read()
    except OSError:
        return ""
    if size > _TAIL_BYTES:
        data = data.partition(b"\n")[2] or data
    return data.decode("utf-8", "replace")


def read_only_hint(shown: str) -> str:
    """Return what to do about an input that was written to, if that is what a traceback ends with; else nothing."""
    last = shown.rstrip().rpartition("\n")[2]
    if f"[Errno {errno.EROFS}]" not in last:
        return ""
    return (
        "a step's inputs are read-only, as on Azure: write to one of its output folders, "
        "or give the dataset `mode: download`, which makes a copy for the step"
    )


def shown_part(tail: str) -> str:
    """Return the last traceback of a log with what it arose from, or its last lines when it has none.

    Of a line that is too long its middle is left out.
    """
    start = tail.rfind(_HEADER)
    if start < 0:
        return _cut(tail.rstrip().splitlines()[-_LINES_WITHOUT_TRACEBACK:])
    while tail[:start].rstrip().endswith(_CHAINED):
        start = tail.rfind(_HEADER, 0, start)
    lines = tail[start:].rstrip().splitlines()
    if len(lines) > _MOST_LINES:
        lines = [lines[0], "  ...", *lines[2 - _MOST_LINES :]]
    return _cut(lines)


def _cut(lines: list[str]) -> str:
    half = _LONGEST_LINE // 2
    return "\n".join(f"{line[:half]} ... {line[-half:]}" if len(line) > _LONGEST_LINE else line for line in lines)


def with_source_paths(text: str, work: Path, files: Mapping[str, Path], project: Path) -> str:
    """Return a traceback that names the project's files in place of their staged copies."""

    def source(match: re.Match[str]) -> str:
        path = os.path.relpath(match[2], work).replace(os.sep, "/")
        if path not in files:
            return match[0]
        return f"{match[1]}{os.path.relpath(files[path], project)}{match[3]}"

    return _FRAME.sub(source, text)


def exit_message(exit_code: int) -> str:
    """Say how a process ended."""
    if exit_code >= 0:
        return f"exit status {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    if name == "SIGKILL":
        return "it was killed (SIGKILL), perhaps for want of memory"
    return f"it was ended by {name}"

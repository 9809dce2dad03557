"""Texts for the page: logs as plain lines, secrets hidden, and how much of each kind there is room for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from azml_tasks.runs.show import value_text
from azml_tasks.secrets import redact, without_secrets
from azml_tasks.text import printable, shortened

# What terminals act on: colours, moves, titles, links and the other sequences that ESC begins.
_SEQUENCE = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\x9b\x1b]\[?[0-?]*[ -/]*[@-~]?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?", re.DOTALL
)
_LONGEST_LINE = 2_000
# A line that is longer than this (characters) is cut before anything looks at it.
_LONGEST_SEEN = 100_000


@dataclass
class Budget:
    """How much of each kind the page has room for; `images` are bytes, `details` steps whose metrics are all shown."""

    log_characters: int = 120_000
    points: int = 8_000
    charts: int = 60
    rows: int = 600
    files: int = 250
    changes: int = 200
    details: int = 60
    images: int = 10_000_000

    def scaled(self, factor: float) -> Budget:
        """Return a smaller budget, of text alone."""
        smaller = {name: int(value * factor) for name, value in vars(self).items() if name != "images"}
        return Budget(**smaller, images=self.images)


class Hider:
    """Hides secrets: what looks like one, and the values of `secrets`."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(secrets)

    def __call__(self, value: object) -> str:
        """Return a text without secrets, colours and control characters."""
        return printable(redact(str(value), self._secrets))

    def short(self, value: object, most: int) -> str:
        """Return a text without secrets in one line, cut where it is long."""
        return shortened(" ".join(self(value).split()), most)

    def value(self, name: str, value: Any, most: int = 200) -> str:
        """Return a value under a name in one line, without secrets."""
        return self.short(value_text(self.setting(name, value)), most)

    def setting(self, name: str, value: Any) -> Any:
        """Return a value under a name, without secrets."""
        return without_secrets(name, value)

    def log(self, text: str, most_lines: int, most_characters: int) -> LogText:
        """Return the end of a log, as a terminal would show it in the end."""
        lines = [_shown(line) for line in _without_sequences(text).split("\n")]
        if lines and not lines[-1]:
            lines.pop()
        whole = self("\n".join(lines)).split("\n") if lines else []
        kept: list[str] = []
        room = most_characters
        for line in reversed(whole[-most_lines:] if most_lines else []):
            cut = (
                line
                if len(line) <= _LONGEST_LINE
                else f"{line[: _LONGEST_LINE // 2]} ... {line[-_LONGEST_LINE // 2 :]}"
            )
            room -= len(cut) + 1
            if room < 0 and kept:
                break
            kept.append(cut[:most_characters])
        return LogText("\n".join(reversed(kept)), len(kept), len(whole))


class LogText:
    """The end of a log: its text, the number of its lines, and of all that were there."""

    def __init__(self, text: str, lines: int, whole: int) -> None:
        self.text = text
        self.lines = lines
        self.whole = whole


def _without_sequences(text: str) -> str:
    return _SEQUENCE.sub("", text.replace("\r\n", "\n"))


def _shown(line: str) -> str:
    """Return what a line shows in the end: progress bars write over their line, from its beginning."""
    line = line.rstrip("\r")
    if "\r" in line:
        line = line.rpartition("\r")[2]
    while "\b" in line and len(line) < _LONGEST_SEEN:
        shorter = re.sub(r"[^\x08]\x08|^\x08+", "", line)
        if shorter == line:
            break
        line = shorter
    return line.expandtabs(4) if len(line) < _LONGEST_SEEN else line

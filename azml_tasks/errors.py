"""Errors that a user can mend, as one tree.

    AzmlError                  what a task prints as one sentence and exits with `exit_status`
    ├── ProjectError           the project's files are wrong: every problem at once, a line each
    ├── UsageError             what was typed does not fit the project: a step or a run that is not there
    ├── NotInstalledError      something that the command needs is missing on this machine
    ├── LoginError             Azure did not accept, or could not be shown, who we are
    ├── ServiceError           Azure refused or did not answer a request
    ├── RunError               a run failed or was cancelled, or there is none
    └── Interrupted            Ctrl-C or SIGTERM ended the command

Anything else that escapes is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

from azml_tasks.secrets import redact

# Controls, line and paragraph ends, and the marks that turn the direction of writing: a problem is one line, and what a
# file holds does not act on the terminal that shows it.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# What colours the output of a terminal, which logs may hold.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST_MESSAGE = 1_000
_LONGEST_NAME = 100
_MOST_NAMES = 1_000
_MOST_LISTED = 10
MOST_LINES = 200


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in one place of a file.

    `line` counts from 1; 0 means the file as a whole.
    """

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        # Secrets go before the message is cut, which could leave a part of one.
        line = f"{place}: {shortened(redact(self.message), _LONGEST_MESSAGE)}"
        return _UNPRINTABLE.sub(_escaped, line)


class AzmlError(Exception):
    """The base of every error that is not a bug of ours; its text is the whole message, and shows no secret."""

    exit_status: ClassVar[int] = 2

    def __init__(self, message: str = "") -> None:
        super().__init__(redact(message))


class ProjectError(AzmlError):
    """The project's files are wrong; carries every problem, ordered by place.

    The text shows a line for each, up to MOST_LINES: a file with more has one thing wrong many times.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        lines = [str(problem) for problem in self.problems[:MOST_LINES]]
        more = len(self.problems) - len(lines)
        if more:
            lines.append(f"and {more} more {'problem' if more == 1 else 'problems'}")
        super().__init__("\n".join(lines))


class UsageError(AzmlError):
    """What a flag asks for does not fit the project, or the other flags."""


class NotInstalledError(AzmlError):
    """Something that the command needs is not installed; the text says how to install it."""


class LoginError(AzmlError):
    """No way of logging in worked; the text says which were tried and what to set."""


class ServiceError(AzmlError):
    """Azure refused a request, or did not answer it."""


class RunError(AzmlError):
    """A run failed or was cancelled, or there is none."""

    exit_status: ClassVar[int] = 1


class Interrupted(AzmlError):  # noqa: N818 - not a mistake
    """Ctrl-C or SIGTERM ended the command; the text says what may have been done and how to complete or undo it."""

    exit_status: ClassVar[int] = 1


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised where Ctrl-C would raise KeyboardInterrupt: the command ends, and asks nothing."""


def printable(text: str) -> str:
    """Return a text of several lines that does not act on the terminal that shows it, its colours left out."""
    return _UNPRINTABLE.sub(
        lambda found: found[0] if found[0] in "\n\t" else _escaped(found), _COLOUR.sub("", text.replace("\r\n", "\n"))
    )


def _escaped(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]


def shortened(text: str, most: int = 60) -> str:
    """Return the text, cut at its end when it is longer than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is close enough to `name` to have been meant, if any."""
    if len(name) > _LONGEST_NAME:
        # Comparing takes time in the square of the length, and nobody mistypes so long a name.
        return None
    by_lower_case = {other.lower(): other for other in islice(known, _MOST_NAMES)}
    found = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    return by_lower_case[found[0]] if found else None


# Suggestions cost time, and nobody reads dozens.
MOST_SUGGESTIONS = 20


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` when a known name is close to `name`, else an empty text."""
    close = closest(name, known)
    return f"; did you mean '{close}'?" if close else ""


def what_there_is(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` when a known name is close to `name`, else the known: `: it has a and b`."""
    names = list(known)
    has = some_listed(names) if names else "none"
    return did_you_mean(name, names) or f": it has {has}"


def some_listed(names: Iterable[str]) -> str:
    """Join names as English does, the first ones when they are many: `a, b and 48 more`."""
    items = list(names)
    more = len(items) - _MOST_LISTED
    return listed(items if more < 2 else [*items[:_MOST_LISTED], f"{more} more"])


def listed(names: Iterable[str], last: str = "and") -> str:
    """Join names as English does: `a`, `a and b`, `a, b and c`."""
    items = list(names)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"

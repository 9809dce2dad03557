"""Errors that a user can fix, as one tree.

    AzmlError                  what a task prints as one sentence and exits with `exit_status`
    ├── ProjectError           the project's files are wrong: every problem at once, a line each
    ├── UsageError             what was typed does not match the project, such as an unknown step or run
    ├── NotInstalledError      something that the command needs is missing on this machine
    ├── LoginError             the login to Azure failed
    ├── ServiceError           Azure refused or did not answer a request
    ├── RunError               a run failed, was cancelled or does not exist
    └── Interrupted            Ctrl-C or SIGTERM ended the command

Anything else that escapes is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from azml_tasks.text import one_line, shortened

_LONGEST_MESSAGE = 1_000
MOST_LINES = 200


class Problem(NamedTuple):
    """One problem at one place of a file.

    `line` counts from 1; 0 means the file as a whole.
    """

    file: str
    line: int
    message: str

    @property
    def place(self) -> str:
        """The file, and the line if there is one: `pipeline.yaml:12`."""
        return one_line(f"{self.file}:{self.line}" if self.line else self.file)

    @property
    def text(self) -> str:
        """The message as it is shown: on one line, not too long, without secrets."""
        from azml_tasks.secrets import redact

        # Secrets go before the message is cut, which could leave a part of one.
        return one_line(shortened(redact(self.message), _LONGEST_MESSAGE))

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


class AzmlError(Exception):
    """The base of all errors except bugs; its text is the whole message, without secrets."""

    exit_status: ClassVar[int] = 2

    def __init__(self, message: str = "") -> None:
        from azml_tasks.secrets import redact

        super().__init__(redact(message))


class ProjectError(AzmlError):
    """The project's files are invalid; contains all problems, ordered by place.

    The text shows a line for each, up to MOST_LINES: more are usually one mistake repeated.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        lines = [str(problem) for problem in self.problems[:MOST_LINES]]
        more = len(self.problems) - len(lines)
        if more:
            lines.append(f"and {more} more {'problem' if more == 1 else 'problems'}")
        super().__init__("\n".join(lines))


class UsageError(AzmlError):
    """The value of a flag does not match the project or the other flags."""


class NotInstalledError(AzmlError):
    """Something that the command needs is not installed; the text says how to install it."""


class LoginError(AzmlError):
    """No login method worked; the text lists those tried and what to set."""


class ServiceError(AzmlError):
    """Azure rejected a request or did not respond; `status` is the HTTP status, if there is one."""

    def __init__(self, message: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class RunError(AzmlError):
    """A run failed, was cancelled or does not exist."""

    exit_status: ClassVar[int] = 1


class Interrupted(AzmlError):  # noqa: N818 - not a mistake
    """Ctrl-C or SIGTERM ended the command; the text describes what may have been done, and how to complete or undo
    it."""

    exit_status: ClassVar[int] = 1


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised like KeyboardInterrupt for Ctrl-C: the command ends without asking."""

"""One command of a scenario."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Command:
    """The words after `invoke`, run in a folder of the project; a word such as RUN2 is the id of the second run.

    Before it `files` are written (None: removed), and `service` is done to the stand-in of Azure ML.
    `about` is shown beside the words.
    """

    words: tuple[str, ...]
    files: Mapping[str, str | bytes | None] = field(default_factory=dict)
    folder: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    service: Callable[[Any], None] | None = None
    about: str = ""

    def __str__(self) -> str:
        return f"invoke {shlex.join(self.words)}" + (f"  # {self.about}" if self.about else "")


@dataclass(frozen=True)
class Scenario:
    """A project, empty or from the template with these answers, and the commands that are run in it, in order."""

    name: str
    commands: Callable[[], Iterator[Command]]
    answers: Mapping[str, str] = field(default_factory=dict)
    needs_service: bool = False


def invoke(line: str, **more: Any) -> Command:
    """Return the command of a line as it would be typed after `invoke`."""
    return Command(tuple(shlex.split(line)), **more)

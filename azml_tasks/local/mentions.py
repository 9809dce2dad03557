"""The secrets that a step's scripts ask for by name, told from their text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.secrets import is_secret

if TYPE_CHECKING:
    from azml_tasks.snapshot import Snapshot


class Mentions:
    """The text of the Python files that a step runs from, and of its arguments."""

    def __init__(self, sources: Iterable[Path], argv: Iterable[str] = ()) -> None:
        self._text = "\n".join([*(source.read_text("utf-8", "replace") for source in sources), *argv])

    @classmethod
    def of_staged(cls, snapshot: Snapshot, work: Path, argv: Iterable[str]) -> Mentions:
        """Return what the files say as they were staged."""
        return cls((work / place for place in snapshot.files if place.endswith(".py")), argv)

    @classmethod
    def of_project(cls, snapshot: Snapshot) -> Mentions:
        """Return what the project's files say."""
        return cls(path for place, path in snapshot.files.items() if place.endswith(".py") and path.exists())

    def secrets(self, outer: Mapping[str, str]) -> dict[str, str]:
        """Return those of the runner's variables that are secrets and asked for by name.

        `run.get_secret("db-key")` finds DB_KEY in .env by itself; where there is no .env, as in CI, it can only come
        from here, and no other step sees it.
        """
        if "get_secret" not in self._text:
            return {}
        words = set(re.findall(r"[A-Z0-9_]+", self._text.upper().replace("-", "_")))
        return {name: value for name, value in outer.items() if is_secret(name, value) and name.upper() in words}

"""What Azure ML's reader made of the tables, kept as JSON so that the tests need no reader."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.frames.outcomes import Outcome
from tests.frames.tables import Table

FILE = Path(__file__).with_name("measured.json")


def read() -> Iterator[tuple[Table, Outcome]]:
    """Yield the tables with their outcomes."""
    for kept in json.loads(FILE.read_text(encoding="utf-8")):
        yield Table(tuple(content.encode("latin-1") for content in kept["contents"]), kept["options"]), kept["outcome"]


def write(found: Iterable[tuple[Table, Outcome]]) -> None:
    """Keep tables and outcomes, a line each."""
    lines = (
        json.dumps(
            {
                "contents": [content.decode("latin-1") for content in table.contents],
                "options": table.options,
                "outcome": outcome,
            }
        )
        for table, outcome in found
    )
    FILE.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")

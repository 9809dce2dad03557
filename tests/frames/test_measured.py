"""The stand-in makes the frames that Azure ML's reader made of the same files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.frames import measured
from tests.frames.outcomes import Outcome, of_the_stand_in
from tests.frames.tables import Table, tables

pytest.importorskip("pandas")

MEASURED = list(measured.read())


def test_every_table_was_measured() -> None:
    assert [(table.contents, dict(table.options)) for table, _ in MEASURED] == [
        (table.contents, dict(table.options)) for table in tables()
    ]


@pytest.mark.parametrize(("table", "outcome"), MEASURED, ids=map(str, range(len(MEASURED))))
def test_a_frame_is_that_of_azures_reader(tmp_path: Path, table: Table, outcome: Outcome) -> None:
    assert of_the_stand_in(table, tmp_path) == outcome

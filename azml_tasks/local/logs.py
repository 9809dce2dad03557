"""What the scripts of a run printed."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from azml_tasks.local.record import StepRecord

_CHUNK = 1 << 16


def read_log(step: StepRecord) -> Iterator[str]:
    """Yield the step's log in pieces, bytes that are not UTF-8 replaced; nothing when it has none."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    try:
        with step.places.log.open("rb") as file:
            while piece := file.read(_CHUNK):
                yield decode(piece)
    except FileNotFoundError:
        return
    yield decode(b"", final=True)

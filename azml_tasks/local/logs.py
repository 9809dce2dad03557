"""The logs of local steps: read whole, or followed while the steps run."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from azml_tasks.local.runs import find_run
from azml_tasks.local.store.files import open_file
from azml_tasks.local.store.records import LocalRunRecord, LocalStepRecord
from azml_tasks.runs.records import Event, RunFinished, StepOutput, end_of

_CHUNK = 1 << 16


def read_log(step: LocalStepRecord) -> Iterator[str]:
    """Yield the step's log in pieces, bytes that are not UTF-8 replaced; nothing when it has none."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    try:
        with open_file(step.places.log) as file:
            while piece := file.read(_CHUNK):
                yield decode(piece)
    except FileNotFoundError:
        return
    yield decode(b"", final=True)


# Seconds between two looks at the logs of a run that is followed.
_PAUSE = 0.3


def follow_logs(
    project_dir: str | Path, run: LocalRunRecord, step: str | None = None, pause: Callable[[float], None] = time.sleep
) -> Iterator[Event]:
    """Yield what the steps of a run print, or one step, until they have ended, and how each of them ended.

    Of a reused step, only `step` itself has output: that of the run that it was reused from.
    """
    readers = {one.key: _Reader() for one in run.steps if step in (None, one.key)}
    while True:
        # First, so that the logs of the steps that have ended are complete.
        run = find_run(project_dir, run.id)
        for one in run.steps:
            if one.key not in readers:
                continue
            is_shown = one.status != "reused" or step is not None
            text = readers[one.key].new_text(one) if is_shown else ""
            if text:
                yield StepOutput(one, text)
            if one.status not in ("waiting", "running"):
                del readers[one.key]
                yield end_of(one)
        if run.is_over or not readers:
            yield RunFinished(run)
            return
        pause(_PAUSE)


class _Reader:
    """Reads a log from where it ended before."""

    def __init__(self) -> None:
        self._read = 0
        self._decode: Any = codecs.getincrementaldecoder("utf-8")("replace").decode

    def new_text(self, step: LocalStepRecord) -> str:
        try:
            with open_file(step.places.log) as file:
                file.seek(self._read)
                new = file.read()
        except FileNotFoundError:
            return ""
        self._read += len(new)
        return str(self._decode(new))

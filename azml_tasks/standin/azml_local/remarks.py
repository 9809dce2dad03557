"""Notes about what Azure would reject or do otherwise: on standard error, and for the runner."""

from __future__ import annotations

import contextlib
import os
import sys

from .context import current
from .errors import is_in_job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .protocols import Json

# Limits of the service ("Service limits in Azure Machine Learning").
_MOST_PAIRS = 50
_LONGEST_KEY = 100
_LONGEST_VALUE = 1000
_MOST_METRICS = 50
_MOST_COLUMNS = 15
_LONGEST_CELL = 255

# The file of a step's folder with its notes, which the runner reads (local/run/runner.py).
NOTES = "notes.jsonl"

_said: set[str] = set()
_metrics: dict[str, set[str]] = {}
_pairs: dict[tuple[str, str], dict[str, str | None]] = {}


def say_once(kind: str, sentence: str) -> None:
    """Print a note, unless one of its kind was printed before; the limits of v1 are not those of a job on v2."""
    if kind not in _said and not is_in_job():
        _said.add(kind)
        say(sentence)


def say(sentence: str, mark: str = "") -> None:
    """Print a note, which begins with `mark`, and record it: a local run prints it at its end, too."""
    print(f"{mark}{sentence}", file=sys.stderr, flush=True)
    # A note must not make the step fail.
    with contextlib.suppress(OSError):
        if not is_in_job() and (context := current()) is not None:
            from .records import append

            append(os.path.join(context.step_dir, NOTES), {"note": sentence})


def check_pairs(noun: str, pairs: Mapping[str, object], run: str) -> None:
    """Report tags or properties beyond Azure's limits; `run` is the folder of their run.

    Only those set by this process count, because reading the others would be recorded as a read.
    """
    known = _pairs.setdefault((run, noun), {})
    for key, value in pairs.items():
        text = value if value is None else str(value)
        if noun == "properties" and known.get(key, text) != text:
            say_once(
                "property",
                f"run.add_properties: {key!r} already has another value, and Azure ML does not change properties",
            )
        known[key] = text
        if len(str(key)) > _LONGEST_KEY:
            say_once(
                f"key {noun}", f"the run's {noun}: a name is longer than Azure ML's limit of {_LONGEST_KEY} characters"
            )
        if text is not None and len(text) > _LONGEST_VALUE:
            say_once(
                f"value {noun}",
                f"the run's {noun}: the value of {key!r} is longer than Azure ML's limit of {_LONGEST_VALUE:,} "
                "characters",
            )
    if len(known) > _MOST_PAIRS:
        say_once(f"many {noun}", f"the run has {len(known)} {noun}, but Azure ML's limit is {_MOST_PAIRS}")


def check_metric(run: str, metric: Json) -> None:
    """Report metrics beyond Azure's limits; `run` is the folder of the run."""
    name = metric["name"]
    names = _metrics.setdefault(run, set())
    names.add(name)
    if len(names) > _MOST_METRICS:
        say_once("metrics", f"the run logs more than {_MOST_METRICS} names, Azure ML's limit; log rows instead")
    columns = metric["value"] if metric["kind"] in ("row", "table") else {name: metric["value"]}
    if len(columns) > _MOST_COLUMNS:
        say_once("columns", f"the metric {name!r} has {len(columns)} columns, but Azure ML's limit is {_MOST_COLUMNS}")
    for column, cells in columns.items():
        texts = [cell for cell in (cells if isinstance(cells, list) else [cells]) if isinstance(cell, str)]
        if max(map(len, (column, *texts))) > _LONGEST_CELL:
            say_once(
                "cells",
                f"the metric {name!r}: a name or text is longer than Azure ML's limit of {_LONGEST_CELL} characters",
            )

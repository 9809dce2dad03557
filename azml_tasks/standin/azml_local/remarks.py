"""What a local run allows and Azure refuses, said on standard error: each kind once a process."""

from __future__ import annotations

import sys

# Limits of the service ("Service limits in Azure Machine Learning").
_MOST_PAIRS = 50
_LONGEST_KEY = 100
_LONGEST_VALUE = 1000
_MOST_METRICS = 50
_MOST_COLUMNS = 15
_LONGEST_CELL = 255

_said: set[str] = set()
_metrics: dict[str, set[str]] = {}
_pairs: dict[tuple[str, str], dict[str, str | None]] = {}


def say_once(kind: str, sentence: str) -> None:
    """Say a sentence, unless one of its kind was said before."""
    if kind not in _said:
        _said.add(kind)
        print(sentence, file=sys.stderr, flush=True)


def check_pairs(noun: str, pairs: dict, run: str) -> None:
    """Say which tags or properties are more or longer than Azure takes; `run` is the folder of their run.

    Only what this process has set itself is known: what a script writes is not to count as read.
    """
    known = _pairs.setdefault((run, noun), {})
    for key, value in pairs.items():
        text = value if value is None else str(value)
        if noun == "properties" and known.get(key, text) != text:
            say_once("property", f"run.add_properties: {key!r} has another value, and Azure ML changes no property")
        known[key] = text
        if len(str(key)) > _LONGEST_KEY:
            say_once(f"key {noun}", f"the run's {noun}: Azure ML takes names of {_LONGEST_KEY} characters")
        if text is not None and len(text) > _LONGEST_VALUE:
            say_once(f"value {noun}", f"the run's {noun}: {key!r} is longer than Azure ML takes, {_LONGEST_VALUE:,}")
    if len(known) > _MOST_PAIRS:
        say_once(f"many {noun}", f"the run has {len(known)} {noun}, and Azure ML takes {_MOST_PAIRS}")


def check_metric(run: str, metric: dict) -> None:
    """Say where a metric is more or longer than Azure takes; `run` is the folder of its run."""
    name = metric["name"]
    names = _metrics.setdefault(run, set())
    names.add(name)
    if len(names) > _MOST_METRICS:
        say_once(
            "metrics", f"the run logs more than {_MOST_METRICS} names, and Azure ML takes no more; log rows instead"
        )
    columns = metric["value"] if metric["kind"] in ("row", "table") else {name: metric["value"]}
    if len(columns) > _MOST_COLUMNS:
        say_once("columns", f"the metric {name!r} has {len(columns)} columns, and Azure ML takes {_MOST_COLUMNS}")
    for column, cells in columns.items():
        texts = [cell for cell in (cells if isinstance(cells, list) else [cells]) if isinstance(cell, str)]
        if max(map(len, (column, *texts))) > _LONGEST_CELL:
            say_once("cells", f"the metric {name!r}: Azure ML takes names and texts of {_LONGEST_CELL} characters")

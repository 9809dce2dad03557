"""Runs as rows: their metrics by name, sorted, as dictionaries, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from azml_tasks.errors import UsageError
from azml_tasks.runs.metrics import Metrics, figures, is_number
from azml_tasks.runs.records import RunRecord, StepRecord, shown_pairs
from azml_tasks.runs.show import local_time, time_taken, value_text
from azml_tasks.text import closest, did_you_mean, shortened, some_listed

JSON_VERSION = 1
Run = RunRecord[StepRecord]
# What a run can be sorted by besides metrics.
_OWN = ("started", "time")
# Characters of a value.
_CELL = 24


class _Missing:
    """The value of what a run does not have."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()


def values_of(run: Run) -> dict[str, Any]:
    """Return the last value of each metric: of the run itself by `name`, of a step by `step.name`."""
    found = Metrics.of(run.metrics()).values()
    for step in run.steps:
        found |= {f"{step.key}.{name}": value for name, value in Metrics.of(step.metrics()).values().items()}
    return found


def value_named(values: Mapping[str, Any], name: str) -> Any:
    """Return the metric `name` or `step.name`; of several steps with the name that of the last one, else MISSING."""
    if name in values:
        return values[name]
    ending = f".{name}"
    return next((value for key, value in reversed([*values.items()]) if key.endswith(ending)), MISSING)


def as_rows(
    runs: Sequence[Run],
    names: Sequence[str],
    sort: str,
    with_steps: Callable[[Sequence[Run]], Sequence[Run]],
    *,
    reverse: bool = False,
) -> list[tuple[str, ...]]:
    """Return the table of runs, with its head: sorted, and with the metrics `names` in columns of their own.

    `with_steps` adds the steps to the runs if metrics are needed. Raises UsageError for a metric that no run has.
    """
    # What the runs are sorted by is shown.
    names = [*names, *([sort] if sort and sort not in (*_OWN, *names) else [])]
    if names:
        runs = with_steps(runs)
    values = [values_of(run) if names else {} for run in runs]
    _check(names, values, runs)
    order = _sorted(runs, values, sort, reverse=reverse) if sort else range(len(runs))
    # With metrics the experiment is left out if it is the same, to leave room.
    with_experiment = not names or len({run.experiment for run in runs}) > 1
    last = ("EXPERIMENT",) if with_experiment else ()
    rows = [("RUN", "STATUS", "STARTED", "TIME", *map(str.upper, names), *last)]
    columns = {name: [value_named(found, name) for found in values] for name in names}
    texts = {name: figures(column) for name, column in columns.items()}
    for place in order:
        run = runs[place]
        cells = ["-" if columns[name][place] is MISSING else shortened(texts[name][place], _CELL) for name in names]
        experiment = (run.experiment,) if with_experiment else ()
        rows.append((run.id, run.shown_status, local_time(run.started), time_taken(run.seconds), *cells, *experiment))
    return rows


def _check(names: Iterable[str], found: Sequence[Mapping[str, Any]], runs: Sequence[Run]) -> None:
    """Raise UsageError for a metric that none of the runs has, with what may be meant."""
    for name in names:
        if any(value_named(values, name) is not MISSING for values in found):
            continue
        keys = (key for values in found for key in (*values, *(k.partition(".")[2] for k in values)))
        known = [*filter(None, dict.fromkeys(keys))]
        hint = did_you_mean(name, known) or _of_a_setting(name, runs) or f"; the metrics are {some_listed(known)}"
        raise UsageError(f"no run has the metric '{name}'{hint if known else '; no metric was logged'}")


def _of_a_setting(name: str, runs: Sequence[Run]) -> str:
    """Return a hint for a name that is, or is close to, one of a setting; else an empty text."""
    keys = dict.fromkeys(key for run in runs for step, config in run.settings.items() for key, _ in flat(step, config))
    by_name = {short: key for key in keys for short in (key, key.partition(".")[2])}
    close = closest(name, by_name)
    return f"; {by_name[close]} is a setting, and `invoke runs.compare` shows those that differ" if close else ""


def _sorted(runs: Sequence[Run], values: Sequence[Mapping[str, Any]], by: str, *, reverse: bool) -> list[int]:
    """Return the places of the runs in order, the largest first; those without a number last."""

    def key(place: int) -> tuple[bool, float]:
        run = runs[place]
        value = {"started": run.started, "time": run.seconds}[by] if by in _OWN else value_named(values[place], by)
        if not isinstance(value, (int, float)) or not is_number(value) or math.isnan(value):
            return True, 0.0
        return False, float(value if reverse else -value)

    return sorted(range(len(runs)), key=key)


def as_dictionaries(runs: Iterable[Run]) -> Iterator[dict[str, Any]]:
    """Yield each run as a dictionary: its record, `metrics.*`, `settings.*`, `parameters.*` and `tags.*`."""
    for run in runs:
        code = run.provenance().code
        yield {
            "id": run.id,
            "experiment": run.experiment,
            "status": run.status,
            "debugged": run.origin.is_debugged,
            "started": run.started and datetime.fromtimestamp(run.started, timezone.utc),
            "seconds": run.seconds,
            "target": run.origin.target,
            "command": " ".join(run.origin.command),
            "commit": code.commit if code else "",
            "uncommitted": code.dirty if code else "",
            **{f"metrics.{name}": value for name, value in values_of(run).items()},
            **{f"settings.{name}": value for key, config in run.settings.items() for name, value in flat(key, config)},
            **{f"parameters.{name}": value for name, value in run.parameters.items()},
            **{f"tags.{name}": value for name, value in run.recorded_tags().items()},
        }


def as_json(runs: Iterable[Run]) -> str:
    """Return runs as a JSON object with a version."""
    return json_text({"runs": [run_values(run) for run in runs]})


def run_values(run: Run) -> dict[str, Any]:
    """Return a run as it is in JSON; `metrics` has the last value of each."""
    code = run.provenance().code
    return {
        "id": run.id,
        "experiment": run.experiment,
        "status": run.status,
        "debugged": run.origin.is_debugged,
        "started": _moment(run.started),
        "seconds": run.seconds,
        "url": run.url or None,
        "target": run.origin.target or None,
        "command": " ".join(run.origin.command),
        "commit": code.commit if code else None,
        "uncommitted": code.dirty if code else None,
        "settings": run.settings,
        "parameters": shown_pairs(run.parameters),
        "tags": run.recorded_tags(),
        "metrics": Metrics.of(run.metrics()).values(),
        "steps": [
            {
                "name": step.key,
                "status": step.status,
                "started": _moment(step.started),
                "seconds": step.seconds,
                "reason": step.reason or None,
                "message": step.message or None,
                "metrics": Metrics.of(step.metrics()).values(),
            }
            for step in run.steps
        ],
    }


def json_text(values: Mapping[str, Any]) -> str:
    """Return values as JSON, after the version of its form."""
    return json.dumps(json_value({"version": JSON_VERSION, **values}), indent=2, ensure_ascii=False, allow_nan=False)


def _moment(seconds: float | None) -> str | None:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat() if seconds is not None else None


def flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values in nested mappings, by their keys with dots."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from flat(f"{name}.{key}", item)
    else:
        yield name, value


def json_value(value: Any) -> Any:
    """Return a value that JSON has: null for what is missing, NaN and the infinities as text."""
    if value is MISSING:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    return value if isinstance(value, (str, int, float, type(None))) else str(value)


def cell(value: Any) -> str:
    """Return a value as it stands in a CSV file: exact, empty if missing."""
    if value is MISSING or value is None:
        return ""
    return repr(value) if isinstance(value, float) else value_text(value)


# A spreadsheet takes a text that begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as CSV; texts that a spreadsheet would take for formulas get an apostrophe."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([_harmless(text) for text in row] for row in rows)
    return stream.getvalue()


def _harmless(text: str) -> str:
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text

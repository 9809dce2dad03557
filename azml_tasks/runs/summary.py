"""A run as lines of text, for `runs.show`: who started it how, its steps, and what each of them left."""

from __future__ import annotations

import os
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from azml_tasks.errors import RunError
from azml_tasks.runs.metrics import Metrics, Table, figure
from azml_tasks.runs.origin import Code
from azml_tasks.runs.records import ChildRun, Pruned, StepRecord
from azml_tasks.runs.show import local_time, time_taken, value_text
from azml_tasks.text import counted, listed, one_line, shortened, size_text

if TYPE_CHECKING:
    from azml_tasks.runs.details import RunDetails, RunFile, StepDetails

# Files of a step that are listed, and lines of one kind: metrics, parameters, tags, child runs.
_MOST_FILES = 12
_MOST_LINES = 20
_AND = "and "
_NAMED = 3
# The tags that MLflow sets by itself.
OF_MLFLOW = "mlflow."
# The width (characters) of the column of reasons, whatever the width of the terminal.
_NARROWEST = 24


def run_lines(details: RunDetails, width: int = 80) -> Iterator[str]:
    """Yield the lines of a run, in so many columns, except for addresses and paths."""
    is_cut = False
    for line in _all_lines(details, width):
        is_cut = is_cut or line.lstrip().startswith(_AND)
        yield line
    if is_cut:
        yield ""
        yield f"everything: `invoke runs.show --run {details.run.id} --json`"


def _all_lines(details: RunDetails, width: int) -> Iterator[str]:
    run = details.run
    yield f"run {run.id} of experiment {run.experiment}: {run.shown_status}, {time_taken(run.seconds)}".rstrip(", ")
    for line in _started(details):
        # Continued with an indent, except for addresses, which have no blanks.
        yield from textwrap.wrap(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    metrics = Metrics.of(details.metrics)
    lines = [
        *_first(_parameter_lines(run.parameters), "parameters"),
        *_first([_tag_line(*tag) for tag in details.tags.items()], "tags"),
        *_first([f"metric {line}" for line in metric_lines(metrics)], "metrics"),
    ]
    yield from (_fitted(line, width) for line in lines)
    yield from _file_lines(details.files, metrics, width, "")
    yield from _step_table(details.steps, width)
    for step in details.steps:
        lines = list(_left_by(step, details.run.settings.get(step.key), width))
        if lines:
            yield ""
            yield step.key
            yield from lines


def _started(details: RunDetails) -> Iterator[str]:
    run, source = details.run, details.provenance
    by = f" by {source.user}" if source.user else ""
    on = f" on {source.host}" if source.host else ""
    if run.started:
        yield f"started {local_time(run.started)}{by}{on}"
    if run.url:
        yield run.url
    if run.origin.target:
        yield f"target {run.origin.target}"
    if len(run.origin.command) > 2:  # more than `invoke run`
        yield f"command {' '.join(map(shlex.quote, run.origin.command))}"
    if source.code:
        yield code_text(source.code)
    used = [step.origin.environment for step in details.steps]
    pythons = [packages.python for name, packages in source.environments.items() if packages.python and name in used]
    if source.release:
        yield f"azml-tasks {source.release}" + (f", Python {listed(dict.fromkeys(pythons))}" if pythons else "")


def code_text(code: Code) -> str:
    """Describe the state of the repository in a line: `commit 1a2b3c4d (main), changed: train.py`."""
    commit = f"commit {code.commit[:12]}" if code.commit else "no commit yet"
    branch = f" ({code.branch})" if code.branch else ""
    if not code.dirty:
        return f"{commit}{branch}"
    more = code.count - _NAMED
    names = [*code.changed[:_NAMED], *([f"{more} more"] if more > 0 else [])]
    return f"{commit}{branch}, with uncommitted changes in {listed(names)}"


def metric_lines(metrics: Metrics) -> Iterator[str]:
    """Yield a line for each metric but images: numbers are rounded to four figures."""
    yield from (f"{series.name} = {series_figures(series.values)}" for series in metrics.series)
    yield from (_table_line(table) for table in metrics.tables)


def _table_line(table: Table) -> str:
    if table.length == 1:
        cells = ", ".join(f"{name}: {figure(column[0])}" for name, column in table.columns.items() if column)
        return f"{table.name} = {{{cells}}}"
    return f"{table.name}: table, {table.length:,} rows of {listed(table.columns)}"


def series_figures(values: Sequence[Any], most: int = 60) -> str:
    """Return values in a row, rounded; of many the first and the last: `1.5, 1.2, ... 0.3 (40 values)`."""
    some = values if len(values) <= most else [*values[: most // 2], values[-1]]
    texts = [shortened(figure(value), most) for value in some]
    whole = ", ".join(texts)
    if len(values) < 3 or (len(some) == len(values) and len(whole) <= most):
        return whole
    end = f"... {texts[-1]} ({len(values):,} values)"
    first = sum(length <= most - len(end) for length in accumulate(len(text) + 2 for text in texts[:-1]))
    return ", ".join([*texts[:first], end])


def _step_table(steps: tuple[StepDetails, ...], width: int) -> Iterator[str]:
    rows = [("STEP", "STATUS", "TIME", "REASON")]
    for step in steps:
        record = step.record
        reason = (record.message or record.reason).removeprefix("reused ")
        rows.append((record.key, record.status, time_taken(record.seconds), reason))
    widths = [max(len(row[place]) for row in rows) for place in range(3)]
    indent = sum(widths) + 6
    room = max(_NARROWEST, width - indent)
    for *cells, reason in rows:
        front = "  ".join(cell.ljust(size) for cell, size in zip(cells, widths, strict=True))
        first, *others = textwrap.wrap(reason, room, break_long_words=False, break_on_hyphens=False) or [""]
        yield f"{front}  {first}".rstrip()
        yield from (" " * indent + other for other in others)


def _left_by(step: StepDetails, settings: Any, width: int) -> Iterator[str]:
    """Yield what a step was given and what it left: settings, metrics, tags, files, models."""
    metrics = Metrics.of(step.metrics)
    lines = []
    if isinstance(settings, Mapping) and settings:
        lines.append(f"settings {', '.join(f'{name}={value_text(value)}' for name, value in settings.items())}")
    lines += [f"error {line}" for line in [error_line(step.error)] if line]
    lines += logged_lines(step.record, metrics, step.tags)
    lines += [f"model {model.name}" for model in step.models]
    lines += [f"dataset {dataset.name}" for dataset in step.datasets]
    yield from (_fitted(f"  {line}", width) for line in lines)
    yield from _file_lines(step.files, metrics, width, "  ")


def error_line(error: str) -> str:
    """Return the line that names an error: the one below the last traceback, or else the last one."""
    lines = [line for line in error.splitlines() if line.strip()]
    headers = [place for place, line in enumerate(lines) if line.startswith("Traceback (")]
    if headers:
        lines = [line for line in lines[headers[-1] + 1 :] if not line.startswith(" ")][:1]
    return lines[-1].strip() if lines else ""


def logged_lines(step: StepRecord, metrics: Metrics, tags: Mapping[str, str | None]) -> Iterator[str]:
    """Yield a line for each parameter, metric and tag of a step, then those of its child runs, with their names."""
    yield from _first(_parameter_lines(step.parameters()), "parameters")
    yield from _first(list(metric_lines(metrics)), "metrics")
    yield from _first(_tag_lines(tags), "tags")
    of_children = (
        f"{child.name}: {line}"
        for child in step.children()
        for line in (
            *_parameter_lines(child.parameters),
            *metric_lines(Metrics.of(child.metrics)),
            *_tag_lines(child.tags),
        )
    )
    yield from _first(list(of_children), "values of child runs")


def _first(lines: Sequence[str], nouns: str) -> Iterator[str]:
    """Yield lines; of many the first, and how many more there are."""
    more = len(lines) - _MOST_LINES
    yield from lines if more < 2 else lines[:_MOST_LINES]
    if more > 1:
        yield f"{_AND}{more:,} more {nouns}"


def _parameter_lines(parameters: Mapping[str, Any]) -> list[str]:
    return [f"parameter {name} = {value_text(value)}" for name, value in parameters.items()]


def _tag_lines(tags: Mapping[str, str | None]) -> list[str]:
    return [_tag_line(name, tag) for name, tag in tags.items() if not name.startswith(OF_MLFLOW)]


def _tag_line(name: str, tag: str | None) -> str:
    return f"tag {name}" + ("" if tag is None else f" = {value_text(tag)}")


def _file_lines(files: Iterable[RunFile], metrics: Metrics, width: int, indent: str) -> Iterator[str]:
    """Yield the names of files with their sizes, and the paths of images."""
    images = {metric.file for metric in metrics.files if metric.kind == "image"}
    shown = sorted(files, key=lambda file: file.name not in images)
    for file in shown[:_MOST_FILES]:
        noun = "image" if file.name in images else "file"
        size = f" ({size_text(file.size)})" if file.size is not None else ""
        path = _relative(file.place)
        line = f"{indent}{noun} {one_line(file.name)}{size}"
        if not path:
            yield _fitted(line, width)
        elif len(line) + len(path) + 2 <= width:
            yield f"{line}: {path}"
        else:
            yield _fitted(f"{line}:", width)
            yield f"{indent}  {path}"
    if len(shown) > _MOST_FILES:
        yield f"{indent}{_AND}{len(shown) - _MOST_FILES:,} more files"


def _relative(place: str) -> str:
    """Return a path as seen from the current folder, if it is below; addresses as they are."""
    if not place or "://" in place:
        return place
    relative = os.path.relpath(place)
    return place if relative.startswith("..") else relative


def as_json(details: RunDetails) -> str:
    """Return a run as JSON: as in a list of runs, with everything that was logged."""
    from azml_tasks.runs.listing import json_text, run_values

    run, source = run_values(details.run), details.provenance
    steps = [
        {**values, **_logged(step), "child_runs": [_child(child) for child in step.record.children()]}
        for values, step in zip(run.pop("steps"), details.steps, strict=True)
    ]
    run |= {"user": source.user or None, "host": source.host or None, "release": source.release or None}
    own = _values(Metrics.of(details.metrics), details.files)
    return json_text({"run": {**run, **own, "steps": steps}})


def _logged(step: StepDetails) -> dict[str, Any]:
    return {
        "parameters": step.record.parameters(),
        "tags": step.tags,
        **_values(Metrics.of(step.metrics), step.files),
        "models": [{"name": model.name, "path": model.place or None} for model in step.models],
        "datasets": [{"name": dataset.name, "path": dataset.place or None} for dataset in step.datasets],
        "url": step.url or None,
    }


def _values(metrics: Metrics, files: Iterable[RunFile]) -> dict[str, Any]:
    """Return the metrics with several values, those whose value is a file, and the files."""
    return {
        "series": {series.name: series.values for series in metrics.series if len(series.values) > 1},
        "tables": {table.name: table.columns for table in metrics.tables},
        "images": {metric.name: metric.file for metric in metrics.files},
        "files": [{"name": file.name, "size": file.size, "path": file.place or None} for file in files],
    }


def _child(child: ChildRun) -> dict[str, Any]:
    metrics = Metrics.of(child.metrics).values()
    return {"name": child.name, "parameters": child.parameters, "tags": child.tags, "metrics": metrics}


def pruned_lines(pruned: Pruned, *, dry: bool) -> Iterator[str]:
    """Yield what there was, by kind, if it was measured, and what was deleted, or would be."""
    if pruned.holds:
        yield f".azml holds {size_text(sum(pruned.holds.values()))}"
    width = max(map(len, pruned.holds), default=0)
    for kind, size in pruned.holds.items():
        if size:
            yield f"  {kind:<{width}}  {size_text(size):>7}"
    names = {run_id: run_id for run_id in pruned.runs} | {model: f"model {model}" for model in pruned.models}
    names |= {run_id: f"outputs and logs of {listed(steps)} in {run_id}" for run_id, steps in pruned.in_part.items()}
    verb = "would delete" if dry else "deleted"
    for key, name in names.items():
        yield f"{verb} {name} ({size_text(pruned.sizes[key])})"
    if len(names) > 1:
        counts = [counted(len(pruned.runs), "runs"), counted(len(pruned.models), "model versions")]
        gone = listed(text for text in counts if not text.startswith("0 "))
        freed = f"{size_text(sum(map(pruned.sizes.__getitem__, names)))} {'would be ' if dry else ''}freed"
        yield f"{verb} {gone}, {freed}" if gone else freed


def what_is_left(pruned: Pruned, limit: int, *, dry: bool) -> str:
    """Return how much .azml holds after that. Raises RunError if it is still too much."""
    before, after = sum(pruned.holds.values()), sum(pruned.holds_now.values())
    if after > limit:
        kinds = (f"{kind} {size_text(size)}" for kind, size in pruned.holds_now.items() if size)
        raise RunError(
            f".azml {'would still hold' if dry else 'still holds'} {size_text(after)}, more than {size_text(limit)}: "
            f"{', '.join(kinds)}; runs in progress, the newest runs (--keep) and results in use are kept, and only "
            "runs and old versions of their models are deleted"
        )
    if after == before:
        return f"nothing to delete: .azml is not larger than {size_text(limit)}"
    return f".azml {'would hold' if dry else 'now holds'} {size_text(after)}"


def _fitted(line: str, width: int) -> str:
    return shortened(line, width)

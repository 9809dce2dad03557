"""Compare runs: settings, metrics, inputs, code and packages side by side."""

from __future__ import annotations

import json
import math
import os
import textwrap
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from azml_tasks.runs.details import FILES_IN, OF_PYTHON, VARIABLE, RunDetails
from azml_tasks.runs.listing import MISSING, cell, csv_text, flat, json_value, values_of
from azml_tasks.runs.metrics import figures
from azml_tasks.runs.show import local_time, time_taken, value_text
from azml_tasks.text import counted, listed, shortened, some_listed

_DIGEST = 12
# Rows of a section that are printed.
_MOST_ROWS = 20
_LABEL = 30
_NARROWEST = 9


# What a run has where it was recorded; earlier releases did not.
_RECORDED = ("inputs", "code", "files", "packages", "reads")
# What is only recorded with the result of a step that completed.
_OF_RESULTS = ("inputs", "reads")
# What is counted of the same, in the plural.
_NOUNS = {title: title for title in ("settings", "metrics", "inputs", "files", "packages", "reads")}
_READS = " (other files, variables and models that the scripts read)"


@dataclass(frozen=True)
class Row:
    """One thing in all runs, in their order; MISSING where a run does not have it."""

    name: str
    values: tuple[Any, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs have different values; nan is the same as nan, 1 is not the same as true."""
        return len({_comparable(value) for value in self.values}) > 1


@dataclass(frozen=True)
class Section:
    """Rows about one subject: `settings`, `metrics`."""

    title: str
    rows: tuple[Row, ...]
    unknown: tuple[str, ...] = ()
    """The runs of which nothing of it was recorded: then there are no rows."""

    @property
    def different(self) -> tuple[Row, ...]:
        """The rows that differ."""
        return tuple(row for row in self.rows if row.differs)

    def texts_of(self, values: Sequence[Any]) -> list[str]:
        """Return the values of a row as they are shown."""
        texts = figures(values) if self.title == "metrics" else [*map(value_text, values)]
        return ["-" if value is MISSING else text for value, text in zip(values, texts, strict=True)]


@dataclass(frozen=True)
class Comparison:
    """Runs side by side, in the order that was asked for."""

    runs: tuple[RunDetails, ...]
    sections: tuple[Section, ...]


def compare(runs: Iterable[RunDetails]) -> Comparison:
    """Return a comparison of runs."""
    runs = tuple(runs)
    facts: Mapping[str, Callable[[RunDetails], Mapping[str, Any]]] = {
        "run": _of_run,
        "settings": setting_values,
        "metrics": lambda details: values_of(details.run),
        "steps": lambda details: {step.key: step.record.status for step in details.steps},
        "inputs": lambda details: _digests(details, "inputs", _completed(runs)),
        "code": _code,
        "packages": _packages,
        "reads": lambda details: _digests(details, "reads", _with_reads(runs)),
    }
    columns = {title: [fact(details) for details in runs] for title, fact in facts.items()}
    columns["reads"] = _own_or_common(columns["reads"])
    sections = [_section(title, runs, found) for title, found in columns.items()]
    files = _section("files", runs, _files(runs))
    place = [*facts].index("packages")
    return Comparison(runs, (*sections[:place], files, *sections[place:]))


def _section(title: str, runs: Sequence[RunDetails], columns: Sequence[Mapping[str, Any]]) -> Section:
    unknown = tuple(
        details.run.id
        for details, column in zip(runs, columns, strict=True)
        if not column and (title not in _OF_RESULTS or _lacks(details, title))
    )
    if title in _RECORDED and 0 < len(unknown) < len(runs):
        return Section(title, (), unknown)
    return Section(title, _rows(columns))


def _lacks(details: RunDetails, kind: str) -> bool:
    """Return whether nothing of a kind was recorded for a run that has results."""
    return any(step.record.ok for step in details.steps) and not any(
        getattr(step.reading, kind) for step in details.steps
    )


def _rows(columns: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    names = dict.fromkeys(name for column in columns for name in column)
    return tuple(Row(name, tuple(column.get(name, MISSING) for column in columns)) for name in names)


def _of_run(details: RunDetails) -> dict[str, Any]:
    found = {"status": details.run.status, "target": details.run.origin.target, "by": details.provenance.user}
    found |= {"on": details.provenance.host, "azml-tasks": details.provenance.release}
    return {name: value for name, value in found.items() if value}


def setting_values(details: RunDetails) -> dict[str, Any]:
    """Return the settings of each step as `step.name`, and the pipeline parameters."""
    run = details.run
    # Azure passes a step's settings as one parameter.
    parameters = {
        name: value
        for name, value in run.parameters.items()
        if not (run.settings and name.rstrip("_").endswith("_config") and str(value).startswith("{"))
    }
    found = {name: value for key, config in run.settings.items() for name, value in flat(key, config)}
    return found | parameters


def _with_reads(runs: Sequence[RunDetails]) -> set[str]:
    """Return the steps whose reads were recorded in all runs: not those that one run left out."""
    return set.intersection(*({step.key for step in details.steps if step.reading.reads} for details in runs))


def _own_or_common(columns: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the reads without those outside the project that not all of the runs have.

    Those may be what libraries read when they are imported: in some runs by the step, in others before it starts.
    """
    known = [column for column in columns if column]
    common = set.intersection(*map(set, known)) if known else set()
    return [{name: value for name, value in column.items() if name in common or _is_own(name)} for column in columns]


def _is_own(name: str) -> bool:
    """Return whether a read, as `step name`, is one of the project's."""
    read = name.partition(" ")[2].removeprefix(FILES_IN)
    return not (os.path.isabs(read) or read == OF_PYTHON or read.startswith((f"{VARIABLE} ", "prefix ")))


def _completed(runs: Sequence[RunDetails]) -> set[str]:
    """Return the steps that completed in all runs that have them."""
    return {step.key for details in runs for step in details.steps}.difference(*map(_unfinished, runs))


def _unfinished(details: RunDetails) -> list[str]:
    return [step.key for step in details.steps if not step.record.ok]


def _digests(details: RunDetails, kind: str, of: Container[str]) -> dict[str, str]:
    """Return what the results of these steps depend on of one kind, as `step name`."""
    return {
        f"{step.key} {name}": digest[:_DIGEST]
        for step in details.steps
        if step.key in of
        for name, digest in getattr(step.reading, kind).items()
    }


def _code(details: RunDetails) -> dict[str, str]:
    code = details.provenance.code
    if code is None:
        return {}
    return {"commit": code.commit[:_DIGEST], "branch": code.branch, "uncommitted": code.dirty or "no"}


def _files(runs: Sequence[RunDetails]) -> list[dict[str, str]]:
    """Return the digests of the snapshots' files: once for all steps if they have the same."""
    everywhere: dict[str, list[set[str]]] = {}
    for place, details in enumerate(runs):
        for step in details.steps:
            for name, digest in step.reading.files.items():
                everywhere.setdefault(name, [set() for _ in runs])[place].add(digest)
    shared = {name for name, found in everywhere.items() if all(len(digests) < 2 for digests in found)}
    return [
        {
            name if name in shared else f"{step.key} {name}": digest[:_DIGEST]
            for step in details.steps
            for name, digest in step.reading.files.items()
        }
        for details in runs
    ]


def _packages(details: RunDetails) -> dict[str, str]:
    used = {step.origin.environment for step in details.steps}
    environments = {name: found for name, found in details.provenance.environments.items() if name in used}
    several = len(environments) > 1
    found: dict[str, str] = {}
    for name, packages in environments.items():
        prefix = f"{name or 'this Python'}: " if several else ""
        found |= {f"{prefix}Python": packages.python} if packages.python else {}
        found |= {f"{prefix}{package}": version for package, version in sorted(packages.packages.items())}
    return found


def _comparable(value: Any) -> str:
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return f"{type(value).__name__} {json.dumps(value, sort_keys=True, default=repr)}"


def comparison_lines(comparison: Comparison, width: int = 80) -> Iterator[str]:
    """Yield what differs, side by side, and how much is the same."""
    runs = [details.run for details in comparison.runs]
    heads = [
        ("", [run.id for run in runs]),
        ("experiment", [run.experiment for run in runs]),
        ("started", [local_time(run.started) for run in runs]),
        ("time", [time_taken(run.seconds) for run in runs]),
    ]
    found = [(section, section.different) for section in comparison.sections if section.different]
    blocks = [("", heads)]
    for section, rows in found:
        shown = [(f"  {row.name}", section.texts_of(row.values)) for row in rows[:_MOST_ROWS]]
        more = len(rows) - _MOST_ROWS
        blocks.append((section.title, [*shown, *([(f"  and {more:,} more", [])] if more > 0 else [])]))
    label = min(_LABEL, max(len(name) for _, lines in blocks for name, _ in lines))
    room = max(_NARROWEST, (width - label) // len(runs) - 2)
    for title, lines in blocks:
        if title:
            yield ""
            yield title
        for name, cells in lines:
            texts = [_cut(cell, room).ljust(room) for cell in cells]
            yield "  ".join([_cut_name(name, label).ljust(label), *texts]).rstrip()
    yield ""
    for section in comparison.sections:
        if section.unknown:
            yield f"{section.title}: not recorded for {listed(section.unknown)}"
    for line in _left_out(comparison.runs):
        yield from textwrap.wrap(line, width, subsequent_indent="  ", break_on_hyphens=False)
    counts = {_NOUNS.get(section.title): len(section.rows) - len(section.different) for section in comparison.sections}
    same = [counted(count, noun) for noun, count in counts.items() if noun and count]
    told = f"the same: {listed(same)}{_READS if counts['reads'] else ''}" if same else "nothing is the same"
    yield from textwrap.wrap(told, width, subsequent_indent="  ")
    if any(len(rows) > _MOST_ROWS for _, rows in found):
        yield "everything: `invoke runs.compare --csv" + "".join(f" --run {run.id}" for run in runs) + "`"


def _left_out(runs: Sequence[RunDetails]) -> Iterator[str]:
    """Yield a line for each run with steps that did not complete, so that only other runs have their inputs."""
    known = {step.key for details in runs for step in details.steps if step.reading.inputs or step.reading.reads}
    for details in runs:
        if keys := [key for key in _unfinished(details) if key in known]:
            yield f"not compared: inputs and reads of {some_listed(keys)}, not completed in {details.run.id}"


def _cut(text: str, room: int) -> str:
    """Return a text in one line that fits; of a long one the beginning."""
    return shortened(" ".join(text.split()), room)


def _cut_name(text: str, room: int) -> str:
    """Return an indented name in one line that fits; of a long one the beginning and the end, where paths differ."""
    indent = text[: len(text) - len(text.lstrip())]
    name, room = " ".join(text.split()), room - len(indent)
    if len(name) > room:
        first = (room - 3) // 3
        name = f"{name[:first]}...{name[len(name) - (room - 3 - first) :]}"
    return indent + name


def as_json(comparison: Comparison) -> str:
    """Return everything as JSON: what is different with the value of each run, and what is the same."""
    values = {
        "runs": [
            {
                "id": details.run.id,
                "experiment": details.run.experiment,
                "status": details.run.status,
                "started": details.run.started,
                "seconds": details.run.seconds,
            }
            for details in comparison.runs
        ],
        "different": {
            section.title: {row.name: [json_value(value) for value in row.values] for row in section.different}
            for section in comparison.sections
            if section.different
        },
        "same": {
            section.title: {row.name: json_value(row.values[0]) for row in section.rows if not row.differs}
            for section in comparison.sections
            if len(section.rows) > len(section.different)
        },
    }
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)


def as_csv(comparison: Comparison) -> str:
    """Return what differs as CSV: a row for each thing, a column for each run."""
    rows = [["section", "name", *(details.run.id for details in comparison.runs)]]
    for section in comparison.sections:
        rows += [[section.title, row.name, *map(cell, row.values)] for row in section.different]
    return csv_text(rows)

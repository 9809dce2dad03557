"""Check the local data of datasets: whether they exist, their columns, how a step reads them."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.checks.places import is_no_place_of_data, place_sentence
from azml_tasks.errors import Problem
from azml_tasks.plan import DatasetInput
from azml_tasks.secrets import without_secrets
from azml_tasks.standin.azml_local.formats import columns as column_types
from azml_tasks.standin.azml_local.formats import delimited, parquet
from azml_tasks.standin.azml_local.formats.files import (
    UnreadableError,
    files,
    is_pattern,
    local_paths,
)
from azml_tasks.standin.azml_local.formats.table import Rows, Table, transposed
from azml_tasks.text import MOST_SUGGESTIONS, closest, did_you_mean, listed, some_listed

if TYPE_CHECKING:
    from azml_tasks.model import Dataset, Pipeline
    from azml_tasks.reading import Project
    from azml_tasks.snapshot import Locate

# Where the runs of a project are kept.
_OTHER_SEPARATORS = (";", "\t", "|", ",")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+", re.ASCII)
_THOUSANDS = re.compile(r"-?[1-9]\d{0,2},\d{3}", re.ASCII)
_QUOTED = re.compile(r"""(["'])([^"'\n]+)\1""")
# The name of a column that only rows longer than the header have.
_BEYOND_HEADER = re.compile(r"Column\d+")


@dataclass(frozen=True)
class DatasetReport:
    """The data at a dataset's local_path, as a step reads it.

    `columns` are those of the table, `rows` counts its rows; both are None for data that is not a table. `unknown` are
    columns of set_column_types that it does not have. `problems` describe what cannot be read, `remarks` what is read
    differently than it looks; each has the key of the dataset that it is about. `separator` is what separates the
    columns of a table that was read as one column.
    """

    files: tuple[Path, ...]
    columns: tuple[str, ...] | None = None
    rows: int | None = None
    unknown: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    remarks: tuple[tuple[str, str], ...] = ()
    separator: str = ""


def inspect_dataset(
    name: str,
    dataset: Dataset,
    project_dir: str | Path,
    most_rows: int | None = None,
    advance: Callable[[int], None] = lambda count: None,
) -> DatasetReport:
    """Read the local data of a dataset as a step would, up to a number of rows.

    `advance` is called with the characters of each part of a delimited file. Raises OSError.
    """
    if dataset.local_path is None:
        problem = f"dataset '{name}' has no local_path, so it cannot be read on this machine"
        return DatasetReport((), problems=(("local_path", problem),))
    place = os.path.normpath(Path(project_dir, dataset.local_path))
    paths = local_paths(place, dataset.paths)
    found = tuple(map(Path, files(paths)))
    if not found:
        wrong = "is a folder without files" if os.path.isdir(place) else "does not exist"
        return DatasetReport((), problems=(("local_path", f"dataset '{name}': {dataset.local_path} {wrong}"),))
    if dataset.type == "file":
        return DatasetReport(found)
    inspection = _Inspection(dataset, found, Path(project_dir), advance)
    if paths == [place] and os.path.isdir(place) and dataset.paths and all(map(is_pattern, dataset.paths)):
        sentence = f"no file in {dataset.local_path} matches {listed(dataset.paths)}, so all are read"
        inspection.remarks.append(("local_path", sentence))
    try:
        if dataset.format == "parquet":
            inspection.read_parquet()
        else:
            inspection.read_delimited(most_rows)
        inspection.check_rows()
    except UnreadableError as error:
        key = "format" if dataset.format == "parquet" else "local_path"
        inspection.problems.append((key, error.at(inspection.named(error.path))))
    if not inspection.problems and os.path.isdir(place):
        inspection.remark_on_hidden(place)
    return inspection.report(name)


def missing_data(
    pipeline: Pipeline, directory: Path, located: Locate, names: Iterable[str] | None = None
) -> Iterator[Problem]:
    """Yield the local paths of datasets, by default all, that do not exist, or contain more than data."""
    found = 0
    places = {os.path.normpath(one.local_path) for one in pipeline.datasets.values() if one.local_path}
    for name in pipeline.datasets if names is None else names:
        local = pipeline.datasets[name].local_path
        if local is None:
            continue
        path = ("datasets", name, "local_path")
        if wrong := place_sentence(directory, pipeline.datasets[name]):
            yield located(path, f"dataset '{name}': {wrong}")
            continue
        place = str(directory / local)
        # A device or a pipe is not data: reading it would never end.
        if not (files([place]) if "*" in local else os.path.isfile(place) or os.path.isdir(place)):
            message = f"no file matches {local}" if "*" in local else f"{local} does not exist"
            close = _meant(directory, local, places) if found < MOST_SUGGESTIONS else ""
            found += 1
            yield located(path, f"dataset '{name}': {message}{close}")


def column_problems(project: Project) -> Iterator[Problem]:
    """Yield the columns of set_column_types that the first rows of the local data do not have."""
    found = 0
    for name, dataset in project.pipeline.datasets.items():
        if not dataset.set_column_types:
            continue
        report = _sampled(project, name)
        for column in report.unknown if report else ():
            if _BEYOND_HEADER.fullmatch(column):
                continue
            yield project.problem(
                ("datasets", name, "set_column_types", column),
                unknown_column(name, column, report, with_suggestion=found < MOST_SUGGESTIONS),
            )
            found += 1


def data_notes(project: Project, names: Iterable[str] | None = None) -> Iterator[Problem]:
    """Yield what a step cannot read in the first rows of the local data, or reads differently than it looks.

    `names` are the datasets, by default all.
    """
    for name in project.pipeline.datasets if names is None else names:
        report = _sampled(project, name)
        for key, sentence in (*report.problems, *report.remarks) if report else ():
            yield project.problem(("datasets", name, key), sentence)


def data_of_step(project: Project, key: str) -> list[str]:
    """Return the datasets that a step reads: its own, those that its script names, and those of the steps whose
    outputs it reads."""
    steps, found = [key], set[str]()
    for one in steps:
        planned = project.plan[one]
        found |= {item.dataset for item in planned.inputs if isinstance(item, DatasetInput)}
        found |= set(_named_in(project.directory / planned.step.script_directory / planned.step.script_name))
        steps += {item.output.step for item in planned.inputs if not isinstance(item, DatasetInput)}.difference(steps)
    return [name for name in project.pipeline.datasets if name in found]


def _named_in(script: Path) -> Iterable[str]:
    """Return the short texts in quotes of a script; none if it cannot be read."""
    with suppress(OSError):
        return (found[2] for found in _QUOTED.finditer(script.read_text(encoding="utf-8", errors="replace")))
    return ()


def unread_datasets(project: Project, scripts: Iterable[Path]) -> Iterator[Problem]:
    """Yield the datasets that no step has and whose name is in none of the files, where a script may look it up."""
    read = {item.dataset for step in project.plan.steps for item in step.inputs if isinstance(item, DatasetInput)}
    names = [name for name in project.pipeline.datasets if name not in read]
    contents = [script.read_bytes() for script in dict.fromkeys(scripts)] if names else []
    for name in names:
        if not any(name.encode() in content for content in contents):
            yield project.problem(("datasets", name), f"dataset '{name}': no step reads it")


def unknown_column(name: str, column: str, report: DatasetReport | None, with_suggestion: bool = True) -> str:
    """Return the message about a column of set_column_types that the table does not have."""
    columns = (report and report.columns) or ()
    if report and report.separator:
        return f"dataset '{name}': unknown column '{column}'; is the separator {report.separator!r}?"
    meant = did_you_mean(column, columns) if with_suggestion else ""
    return f"dataset '{name}': unknown column '{column}'{meant}"


def _meant(project: Path, local: str, others: Container[str]) -> str:
    """Suggest an existing file or folder for a local_path that does not exist."""
    slashed = local.replace("\\", "/")
    if slashed != local and os.sep == "/":
        return f"; use slashes: {slashed}"
    if shell_style := re.match(r"~(?=/)|\$([A-Za-z_]\w*)", slashed):
        name, rest = shell_style[1] or "HOME", slashed[shell_style.end() :]
        return f"; {shell_style[0]} is not replaced: write ${{{name}}}{rest}"
    if "*" in local:
        return ""
    folder, name = os.path.split(local)
    if (project / local).exists():
        return "; it is neither a file nor a folder"
    try:
        # The data of another dataset are not meant.
        free = (one for one in sorted(os.listdir(project / folder)) if os.path.join(folder, one) not in others)
        close = closest(name, free)
    except OSError:
        return ""
    return f"; did you mean '{os.path.join(folder, close)}'?" if close else ""


def _sampled(project: Project, name: str) -> DatasetReport | None:
    """Return a report on the first rows; None if the local data do not exist, which is another problem."""
    dataset = project.pipeline.datasets[name]
    if dataset.type == "file" or not dataset.local_path or is_no_place_of_data(project.directory, dataset):
        return None
    try:
        report = inspect_dataset(name, dataset, project.directory, column_types.SAMPLE_ROWS)
    except OSError:
        return None
    return report if report.files or os.path.isdir(project.directory / dataset.local_path) else None


@dataclass
class _Unread:
    """Values of one column that its type does not read: the first of them, and how many there are."""

    place: str
    value: str
    kind: str
    count: int = 0


@dataclass
class _Inspection:
    """The findings while a dataset's files are read; only the first remark of each kind is kept."""

    dataset: Dataset
    files: tuple[Path, ...]
    project: Path
    advance: Callable[[int], None]
    columns: tuple[str, ...] | None = None
    rows: int | None = None
    problems: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)
    meant_separator: str = ""
    _of_kind: dict[str, tuple[str, str]] = field(default_factory=dict)
    _unread: dict[str, _Unread] = field(default_factory=dict)

    def report(self, name: str) -> DatasetReport:
        """Return what was found; of a wrong separator only that, and not what follows from it."""
        if cause := self._of_kind.get("separator"):
            follows = [self._of_kind.get(kind) for kind in ("separator", "width", "data", "open")]
            self.remarks = [cause, *(remark for remark in self.remarks if remark not in follows)]
        stated = self.dataset.set_column_types if self.columns else ()
        return DatasetReport(
            self.files,
            self.columns,
            self.rows,
            tuple(column for column in stated if column not in (self.columns or ())),
            tuple((key, f"dataset '{name}': {sentence}") for key, sentence in self.problems),
            tuple((key, f"dataset '{name}': {sentence}") for key, sentence in self.remarks),
            self.meant_separator,
        )

    def named(self, path: str | Path) -> str:
        """Return how a file is called in a sentence."""
        return os.path.relpath(path, self.project).replace(os.sep, "/") if path else ""

    def remark_on_hidden(self, folder: str) -> None:
        """Report the first hidden file of a folder: a copy made by an editor or a notebook duplicates the rows."""
        hidden = [path for path in self.files if any(part[0] == "." for part in path.relative_to(folder).parts)]
        if hidden:
            more = f" (and {len(hidden) - 1} more)" if len(hidden) > 1 else ""
            sentence = (
                f"the hidden file {self.named(hidden[0])}{more} is also read, as on Azure ML; move it if it is not data"
            )
            self.remarks.append(("local_path", sentence))

    def read_parquet(self) -> None:
        """Read the footers; raises UnreadableError."""
        footers = [parquet.check(path) for path in parquet.with_content(map(str, self.files))]
        self.columns = tuple(dict.fromkeys(column for footer in footers for column in footer.columns))
        self.rows = sum(footer.rows for footer in footers)

    def read_delimited(self, most_rows: int | None) -> None:
        """Read the rows, as many as are wanted; raises UnreadableError."""
        table = Table([str(file) for file in self.files], _reading(self.dataset), small=most_rows is not None)
        blocks = table.blocks(most_rows)
        sample = table.sampled(blocks)
        try:
            kinds = table.kinds(sample)
        finally:
            self.columns = table.header or None
        self._check_decimal_commas(table, sample, kinds)
        self.rows = widest = 0
        for part in sample:
            widest = max(widest, self._add(table, part, kinds))
        for part in blocks:
            self.advance(part.block.length)
            widest = max(widest, self._add(table, part, kinds))
        self.columns = tuple(map(table.name, range(max(widest, len(table.header))))) or None
        if most_rows is None and self.rows and widest < len(table.header):
            missing = some_listed(table.header[widest:])
            sentence = f"{self.named(self.files[0])}: no row reaches {missing}, which steps and Azure ML leave out"
            self._remark("unread", "local_path", sentence)
        self._check_header(table, kinds)
        for column, unread in self._unread.items():
            more = unread.count - 1
            others = f", and so do {more:,} more" if more > 1 else ", and so does one more" if more else ""
            sentence = f"{unread.place}: {unread.value!r} in column {column!r} is not a valid {unread.kind}; "
            key = "set_column_types" if column in self.dataset.set_column_types else "local_path"
            self.remarks.append((key, f"{sentence}it becomes null{others}"))

    def check_rows(self) -> None:
        """Check that there are rows."""
        first = self.named(self.files[0]) if len(self.files) == 1 else self.dataset.local_path
        if not self.columns:
            rule = "" if self.dataset.format == "parquet" else "; the first line names the columns"
            self.problems.append(("local_path", f"{first} is empty{rule}"))
        elif not self.rows:
            self.remarks.append(("local_path", f"{first} has no rows; Azure ML does not accept empty tables"))

    def _check_header(self, table: Table, kinds: Sequence[column_types.Type]) -> None:
        first = next(iter(table.headers.items()), None)
        if first is None:
            return
        path, (line, row) = first
        place = f"{self.named(path)}:{line}"
        if not table.header:
            unnamed = self.named(self.files[0])
            sentence = (
                f"{unnamed} is read first and has no header, so the columns are named {table.name(0)!r} and so on"
            )
            self._remark("unnamed", "local_path", f"{sentence}; move it to another folder")
            return
        twice = [
            name
            for name, count in Counter(field.strip(delimited.SPACES) for field in row).items()
            if name and count > 1
        ]
        if twice:
            names = [name for name in table.header if name not in {field.strip(delimited.SPACES) for field in row}]
            sentence = f"{place}: duplicate {listed(twice)}; the others are read as {some_listed(names)}"
            self._remark("twice", "local_path", sentence)
        if self.rows and _looks_like_data(row, [table.kind(kinds, place) for place in range(len(row))]):
            shown = listed(row[:3]) + (" and so on" if len(row) > 3 else "")
            sentence = f"{place}: the first line names the columns, but it looks like data: the names are {shown}"
            self._remark("data", "local_path", sentence)
        if meant := _other_separator(row, table.dialect.separator):
            self.meant_separator = self.meant_separator or meant
            entry = f"`separator: {json.dumps(meant)}`"
            self._remark("separator", "separator", f"{place}: only one column; should the dataset have {entry}?")
        for other, (number, fields) in table.headers.items():
            if delimited.header(fields) != delimited.header(row):
                sentence = f"{self.named(other)}:{number}: the header differs from that of {self.named(path)}"
                self._remark("header", "local_path", f"{sentence}; columns are matched by position")

    def _check_decimal_commas(self, table: Table, sample: Sequence[Rows], kinds: Sequence[column_types.Type]) -> None:
        """Report the columns of the first rows that are text only because their numbers have decimal commas."""
        if not sample:
            return
        rows = [row for part in sample for row in part.rows][: column_types.SAMPLE_ROWS]
        found = []
        for position, fields in enumerate(transposed(rows)):
            name = table.name(position)
            is_text = table.kind(kinds, position).name == "string" and name not in self.dataset.set_column_types
            if is_text and (first := _first_decimal_comma(table.texts(fields))) is not None:
                found.append((name, first, fields[first]))
        if not found:
            return
        name, first, value = found[0]
        parts = ((part, place) for part in sample for place in range(len(part.rows)))
        place = self._place(*next(islice(parts, first, None)))
        others = f" (so {'is' if len(found) == 2 else 'are'} {some_listed(repr(one[0]) for one in found[1:])})"
        self._remark(
            "decimal",
            "local_path",
            f"{place}: {without_secrets(name, value)!r} in column {name!r} has a decimal comma, so the column is read "
            f"as text{others if len(found) > 1 else ''}; convert it in the script, or set its type to string",
        )

    def _remark(self, kind: str, key: str, sentence: str) -> None:
        if kind not in self._of_kind:
            self._of_kind[kind] = (key, sentence)
            self.remarks.append(self._of_kind[kind])

    def _add(self, table: Table, part: Rows, kinds: Sequence[column_types.Type]) -> int:
        """Check rows; returns the width of the widest."""
        assert self.rows is not None
        self.rows += len(part.rows)
        widths = set(map(len, part.rows))
        if table.header and widths != {len(table.header)}:
            self._check_widths(table, part)
        for position, values in enumerate(transposed(part.rows)):
            texts = table.texts(values)
            kind = table.kind(kinds, position)
            _, unread = column_types.convert(texts, kind)
            if unread:
                self._note_unread(table.name(position), kind, part, texts, unread)
        if self.dataset.support_multi_line:
            self._check_blank_lines(table, part)
        elif any(row and (row[-1] or "").startswith('"') for row in part.rows):
            self._check_open_fields(table, part)
        return max(widths, default=0)

    def _place(self, part: Rows, row: int) -> str:
        return f"{self.named(part.path)}:{part.line_of(row)}"

    def _check_widths(self, table: Table, part: Rows) -> None:
        width = len(table.header)
        row = next(place for place, fields in enumerate(part.rows) if len(fields) != width)
        count = len(part.rows[row])
        fields = f"{count} {'field' if count == 1 else 'fields'} for {width} {'column' if width == 1 else 'columns'}"
        effect = "the rest are null" if count < width else f"the next is named {table.name(width)!r}"
        self._remark("width", "local_path", f"{self._place(part, row)}: {fields}; {effect}")

    def _note_unread(
        self, column: str, kind: column_types.Type, part: Rows, texts: Sequence[str | None], unread: frozenset[str]
    ) -> None:
        places = [place for place, text in enumerate(texts) if text in unread]
        known = self._unread.get(column)
        if known is None:
            known = _Unread(self._place(part, places[0]), texts[places[0]] or "", kind.name)
            self._unread[column] = known
        known.count += len(places)

    def _check_blank_lines(self, table: Table, part: Rows) -> None:
        for place, row in enumerate(part.rows):
            if (row[0] or "").startswith("\n") and part.line_text(place).startswith("\n"):
                sentence = f"{self._place(part, place)}: with support_multi_line, blank lines are not skipped"
                self._remark("blank", "support_multi_line", f"{sentence}; this one is read into {table.name(0)!r}")
                return

    def _check_open_fields(self, table: Table, part: Rows) -> None:
        for place, row in enumerate(part.rows):
            if (row[-1] or "").startswith('"') and delimited.is_open(part.line_text(place), table.dialect.separator):
                sentence = f"{self._place(part, place)}: the quote is not closed on this line"
                self._remark(
                    "open", "support_multi_line", f"{sentence}; if the field continues, set support_multi_line: true"
                )
                return


def _other_separator(columns: Sequence[str], separator: str) -> str | None:
    """Return what separates columns that were read as one with a separator; None if nothing does."""
    marks = (mark for mark in _OTHER_SEPARATORS if mark != separator)
    return next((mark for mark in marks if len(columns) == 1 and mark in columns[0]), None)


def _first_decimal_comma(values: Sequence[str | None]) -> int | None:
    """Return the place of the first number with a decimal comma in a column of them; None for any other column.

    All but one in twenty of the values are such numbers, and not all could be thousands, such as `1,234`.
    """
    texts = [(place, value.strip(delimited.SPACES)) for place, value in enumerate(values) if value is not None]
    texts = [(place, text) for place, text in texts if text]
    numbers = [(place, text) for place, text in texts if _DECIMAL_COMMA.fullmatch(text)]
    if len(numbers) < 2 or len(numbers) < 0.95 * len(texts) or all(_THOUSANDS.fullmatch(text) for _, text in numbers):
        return None
    return numbers[0][0]


def _looks_like_data(row: Sequence[str], kinds: Sequence[column_types.Type]) -> bool:
    """Return whether a header has values of the columns' types, and is not a series such as years."""
    fields = zip((text.strip(delimited.SPACES) for text in row), kinds, strict=True)
    typed = [(text, kind) for text, kind in fields if kind.name != "string"]
    numbers = [int(text) for text, _ in typed if text.isdecimal()]
    steps = [b - a for a, b in pairwise(numbers)]
    if (
        len(numbers) == len(typed)
        and steps
        and (all(step == 1 for step in steps) or (min(steps) > 0 and len(steps) > 1))
    ):
        return False
    return bool(typed) and all(text and not column_types.convert([text], kind)[1] for text, kind in typed)


def _reading(dataset: Dataset) -> Mapping[str, Any]:
    """Return how the files are read, as the stand-in's catalogue has it."""
    return {
        "separator": dataset.separator,
        "types": {column: {"name": kind} for column, kind in dataset.set_column_types.items()},
        "multi_line": dataset.support_multi_line,
    }

"""Look at the local data that stand for a dataset: whether they are there, their columns, whether they can be read."""

from __future__ import annotations

import csv
import glob
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.errors import did_you_mean, listed
from azml_tasks.snapshot import without_repeats

if TYPE_CHECKING:
    from azml_tasks.model import Dataset

# A field of a CSV may be this long (characters); the csv module refuses more than 131,072 of itself.
_LONGEST_FIELD = 2**31 - 1
_BOOLEANS = frozenset(("true", "false", "1", "0", "yes", "no"))


@dataclass(frozen=True)
class LocalData:
    """What lies at a dataset's local_path.

    `columns` are those of the first table, `rows` counts all tables' rows; both are None for what is no table that
    can be read without further packages. `problems` are sentences, each with the key of the dataset that it is about.
    """

    files: tuple[Path, ...]
    columns: tuple[str, ...] | None = None
    rows: int | None = None
    problems: tuple[tuple[str, str], ...] = ()


def look_at(name: str, dataset: Dataset, project_dir: str | Path) -> LocalData:
    """Read the local data of a dataset as a step would, and say what is wrong with them.

    Raises OSError.
    """
    if dataset.local_path is None:
        problem = f"dataset '{name}' has no local_path, so there is nothing on this machine that stands for it"
        return LocalData((), problems=(("local_path", problem),))
    files = _files(dataset.local_path, Path(project_dir))
    if not files:
        return LocalData((), problems=(("local_path", f"dataset '{name}': there is no {dataset.local_path}"),))
    if dataset.type == "file":
        return LocalData(files)
    if dataset.format == "parquet":
        return _parquet(name, files)
    return _delimited(name, dataset, files)


def _files(pattern: str, project: Path) -> tuple[Path, ...]:
    spelled = project / pattern
    if spelled.is_dir():
        return tuple(sorted(path for path in spelled.rglob("*") if path.is_file() and not path.name.startswith(".")))
    if spelled.is_file():
        return (spelled,)
    found = sorted(glob.glob(without_repeats(pattern), root_dir=project, recursive=True))
    return tuple(project / name for name in found if (project / name).is_file())


def _parquet(name: str, files: tuple[Path, ...]) -> LocalData:
    problems = []
    for file in files:
        with open(file, "rb") as stream:
            if stream.read(4) != b"PAR1":
                problems.append(("format", f"dataset '{name}': {file.name} is no parquet file"))
    return LocalData(files, problems=tuple(problems))


def _delimited(name: str, dataset: Dataset, files: tuple[Path, ...]) -> LocalData:
    columns: tuple[str, ...] | None = None
    rows, problems = 0, []
    for file in files:
        table = _Table(file, dataset)
        rows += table.rows
        problems += table.problems
        if columns is None:
            columns = table.columns
        elif table.columns != columns:
            problems.append(("local_path", f"{file.name} has other columns than {files[0].name}"))
    if columns:
        for column in dataset.set_column_types:
            if column not in columns:
                meant = did_you_mean(column, columns)
                problems.append(("set_column_types", f"there is no column '{column}'{meant}"))
    said = tuple((key, f"dataset '{name}': {sentence}") for key, sentence in problems)
    return LocalData(files, columns, rows, said)


class _Table:
    """One delimited file, read to its end; of each kind of problem the first is kept."""

    def __init__(self, file: Path, dataset: Dataset) -> None:
        self.file = file
        self.columns: tuple[str, ...] = ()
        self.rows = 0
        self._found: dict[str, tuple[str, str]] = {}
        separator = dataset.separator or ","
        if len(separator) == 1:
            self._read(separator, dataset)

    @property
    def problems(self) -> list[tuple[str, str]]:
        return list(self._found.values())

    def _find(self, kind: str, key: str, sentence: str) -> None:
        self._found.setdefault(kind, (key, f"{self.file.name}{sentence}"))

    def _read(self, separator: str, dataset: Dataset) -> None:
        limit = csv.field_size_limit(_LONGEST_FIELD)
        try:
            with open(self.file, encoding="utf-8-sig", newline="") as stream:
                reader = csv.reader(stream, delimiter=separator)
                self.columns = tuple(next(reader, ()))
                self._check_header(separator)
                self._check_rows(reader, dataset)
        except UnicodeDecodeError:
            self._find("encoding", "local_path", " is not UTF-8; save the file in that encoding")
        except csv.Error as error:
            self._find("csv", "local_path", f":{reader.line_num}: {error}")
        finally:
            csv.field_size_limit(limit)

    def _check_header(self, separator: str) -> None:
        if not self.columns:
            self._find("empty", "local_path", " is empty; the first line names the columns")
        twice = [column for column, count in Counter(self.columns).items() if count > 1]
        if twice:
            self._find("twice", "local_path", f":1: the column {listed(twice)} stands there twice")
        if len(self.columns) == 1:
            others = [mark for mark in (";", "\t", "|", ",") if mark != separator and mark in self.columns[0]]
            if others:
                self._find("separator", "separator", f":1: there is one column; is the separator {others[0]!r}?")

    def _check_rows(self, reader: Iterator[list[str]], dataset: Dataset) -> None:
        types = {
            place: (column, dataset.set_column_types[column])
            for place, column in enumerate(self.columns)
            if column in dataset.set_column_types
        }
        for row in reader:
            line = reader.line_num  # type: ignore[attr-defined]
            if not row:
                continue
            self.rows += 1
            if len(row) != len(self.columns):
                self._find("width", "local_path", f":{line}: {len(row)} fields for {len(self.columns)} columns")
            if not dataset.support_multi_line and any("\n" in field for field in row):
                self._find("multi", "support_multi_line", f":{line}: a field holds a line break: set it to true")
            self._check_types(row, types, line)

    def _check_types(self, row: list[str], types: Mapping[int, tuple[str, str]], line: int) -> None:
        for place, (column, kind) in types.items():
            value = row[place] if place < len(row) else ""
            if value and not _fits(value, kind):
                self._find(f"type {column}", "set_column_types", f":{line}: {value!r} in '{column}' is no {kind}")


def _fits(value: str, kind: str) -> bool:
    if kind == "boolean":
        return value.strip().lower() in _BOOLEANS
    try:
        if kind == "long":
            int(value)
        elif kind == "float":
            float(value)
    except ValueError:
        return False
    return True

"""Large delimited files are read with pandas' parser, with the results of the reader of small ones."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from azml_tasks.standin.azml_local.data import frames
from azml_tasks.standin.azml_local.data.frames import plain
from azml_tasks.standin.azml_local.data.frames.values import Gathered
from azml_tasks.standin.azml_local.errors import UserErrorException
from tests.frames import measured
from tests.frames.outcomes import of_the_stand_in
from tests.standin.data.frames.tables import FIELDS, KINDS, Table, tables

pandas = pytest.importorskip("pandas")

# What pandas 3 has for a missing text.
MISSING = "nan" if int(pandas.__version__.split(".")[0]) >= 3 else "None"
# Of each part, so many tables; the first is one of the quick tests, the others are slow.
PARTS, EACH = 80, 40


@contextlib.contextmanager
def small_batches(size: int = 2000) -> Iterator[None]:
    """Read small tables as large ones are read, in batches of about so many bytes."""
    with mock.patch.multiple(plain, LEAST=0, LEAST_LIMIT=200, BATCH=size):
        yield


def cells(frame: Any) -> list[Any]:
    """Return a frame's columns as their names, types, and values with theirs."""
    found: list[Any] = [str(frame.index), str(frame.columns.dtype)]
    for name, column in frame.items():
        values = [(type(value).__name__, repr(value)) for value in column.tolist()]
        found.append((name, str(column.dtype), values))
    return found


def outcome(files: list[str], table: Table) -> tuple[Any, str]:
    """Return what is read, or the error, and what is printed."""
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed):
        try:
            return cells(frames.read(files, dict(table.reading), table.limit)), printed.getvalue()
        except UserErrorException as error:
            return str(error), printed.getvalue()


def written(table: Table, folder: Path) -> list[str]:
    """Write the files of a table; returns their paths."""
    for number, content in enumerate(table.contents):
        (folder / f"{number}.csv").write_bytes(content)
    return [str(folder / f"{number}.csv") for number in range(len(table.contents))]


def both(table: Table, folder: Path, size: int = 2000) -> tuple[tuple[Any, str], tuple[Any, str]]:
    """Return the outcomes of the two readers."""
    files = written(table, folder)
    with small_batches(size):
        fast = outcome(files, table)
    with mock.patch.object(plain, "read", return_value=None):
        return fast, outcome(files, table)


@pytest.mark.many
@pytest.mark.parametrize("part", range(PARTS))
def test_any_table_is_read_the_same(part: int, slow: bool) -> None:
    if part and not slow:
        pytest.skip("more tables at the level slow")

    @seed(part)
    @given(table=tables(), size=st.sampled_from((100, 2000, 10_000)))
    @settings(max_examples=EACH, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def compare(table: Table, size: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            fast, right = both(table, Path(folder), size)
        assert fast == right

    compare()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_any_odd_field_far_from_the_start_of_any_column_is_read_the_same(kind: str, tmp_path: Path) -> None:
    lines = [f"{row};{KINDS[kind](row)}" for row in range(300)]
    for place, field in enumerate(FIELDS):
        lines += [f"{place};{field}", *(f"{row};{KINDS[kind](row)}" for row in range(10))]
    table = Table(["\n".join(["a;b", *lines]).encode()], {"format": "delimited", "separator": ";"})

    for size in (1, 40, 400):
        fast, right = both(table, tmp_path, size)
        assert fast == right


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("table", "expected"), [pytest.param(*pair, id=str(place)) for place, pair in enumerate(measured.read())]
)
def test_a_table_is_read_as_azures_reader_read_it(table: Any, expected: Any, tmp_path: Path) -> None:
    with small_batches(30):
        assert of_the_stand_in(table, tmp_path) == expected


def column(kind: str, rows: int = 300) -> list[str]:
    return [KINDS[kind](row) for row in range(rows)]


def lines(*columns: Sequence[str], separator: str = ",") -> str:
    header = separator.join(f"c{number}" for number in range(len(columns)))
    return "\n".join([header, *map(separator.join, zip(*columns, strict=True))]) + "\n"


# Tables that are read by pandas' parser in whole: the texts of their files, how they are read, their batches of bytes.
PLAIN: Mapping[str, tuple[list[str], Mapping[str, Any]]] = {
    **{kind: ([lines(column("row"), column(kind))], {}) for kind in KINDS},
    "one column": ([lines(column("row"))], {}),
    "blank lines": ([lines(column("row"), column("text")).replace("\n1", "\n\n\n1") + "\n"], {}),
    "Windows": (["\ufeff" + lines(column("row"), column("text")).replace("\n", "\r\n")], {}),
    "quotes": ([lines(column("quoted"), column("quoted number"), column("quoted"))], {}),
    "quoted empty fields": ([lines(column("row"), ['""', "", "x"] * 100)], {}),
    "field breaks": ([lines(column("row"), ['"x\ny"', '"\n\n"', '"a""\n"'] * 100)], {"multi_line": True}),
    "multi_line": ([lines(column("row"), column("text"))], {"multi_line": True}),
    "latin": ([lines(column("row"), ["é", "x", "\x80"] * 100)], {"encoding": "latin1"}),
    "files": ([lines(column("row", 90), column("text", 90))] * 9, {}),
    "a file without a line feed": ([lines(column("row")).strip()] * 2, {}),
    "an empty file": (["", lines(column("row")), ""], {"header": "ONLY_FIRST_FILE_HAS_HEADERS"}),
    "no header": ([lines(column("row"), column("text"))], {"header": "NO_HEADERS"}),
    "texts": ([lines(column("row"), column("decimal"), column("boolean"))], {"infer": False}),
    "types": ([lines(column("code"), column("row"))], {"types": {"c0": {"name": "string"}, "c1": {"name": "float"}}}),
    "empty as texts": ([lines(column("row"), column("sparse text"))], {"empty_as_string": True}),
    "later nulls": ([lines([*column("row"), "", "5"], [*column("decimal"), "", "7"])], {}),
    "later texts": ([lines([*column("row"), "x"], [*column("boolean"), "x"], [*column("day"), "x"])], {}),
    "later width": ([lines(column("row"), column("day")), lines(*[column("text")] * 3)], {}),
    **{
        f"separator {mark!r}": ([lines(column("row"), column("text"), separator=mark)], {"separator": mark})
        for mark in ";\t|:~^ "
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_table_is_read_by_pandas_parser(name: str, tmp_path: Path) -> None:
    texts, reading = PLAIN[name]
    codec = "latin1" if "encoding" in reading else "utf-8"
    table = Table([text.encode(codec) for text in texts], {"format": "delimited", "separator": ",", **reading})
    seen: Counter[str] = Counter()

    def count(what: str, method: Any) -> Any:
        return lambda *given: seen.update({what: 1}) or method(*given)

    files = written(table, tmp_path)
    with (
        small_batches(500),
        mock.patch.object(Gathered, "frame", count("frames", Gathered.frame)),
        mock.patch.object(plain._Parser, "_add_grid", count("batches", plain._Parser._add_grid)),
        mock.patch.object(Gathered, "add_rows", count("slow", Gathered.add_rows)),
    ):
        fast = outcome(files, table)
    with mock.patch.object(plain, "read", return_value=None):
        assert fast == outcome(files, table)

    assert seen["batches"] > 1
    # The batch in which the width changes is split.
    assert (seen["frames"], seen["slow"]) == (1, name == "later width")


def test_rows_that_are_not_plain_do_not_slow_down_the_others(tmp_path: Path) -> None:
    rows = [*column("row", 600), "5,6,7", '"open', "8\r9"]
    table = Table([("c\n" + "\n".join(rows) + "\n" + "7\n" * 900).encode()], {"format": "delimited"})
    with mock.patch.object(Gathered, "add_rows", autospec=True, side_effect=Gathered.add_rows) as slow_rows:
        with small_batches(300):
            file = tmp_path / "0.csv"
            file.write_bytes(table.contents[0])
            frames.read([str(file)], dict(table.reading))
        assert 3 <= sum(len(call.args[1]) for call in slow_rows.call_args_list) < 400
    fast, right = both(table, tmp_path, 300)

    assert fast == right


def test_small_tables_and_few_rows_are_not_read_by_pandas_parser(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a\n" + "5\n" * (plain.LEAST // 2 - 10))
    small = plain.read(pandas, [str(file)], {"format": "delimited"})
    file.write_text("a\n" + "5\n" * plain.LEAST)

    assert small is None
    assert plain.read(pandas, [str(file)], {"format": "delimited"}, 5) is None
    assert len(plain.read(pandas, [str(file)], {"format": "delimited"}, 20_000)) == 20_000
    assert len(plain.read(pandas, [str(file)], {"format": "delimited"})) == plain.LEAST


PATCHES = {
    "nothing": "",
    "read_csv is replaced": "pandas.read_csv = None",
    "the parser is not there": "sys.modules['pandas.io.parsers'] = None",
    "the parser takes other arguments": "import pandas.io.parsers as parsers; parsers.read_csv = lambda file: None",
    "the parser returns something else": "import pandas.io.parsers as parsers; parsers.read_csv = lambda *a, **b: []",
    "concat is replaced": "pandas.concat = None",
    "the version is odd": "pandas.__version__ = '3' if pandas.__version__ > '3' else '2'",
    "missing values are others": "pandas.set_option('mode.use_inf_as_na', True) if pandas.__version__ < '3' else None",
    "warnings are errors": "import warnings; warnings.simplefilter('error')",
}


@pytest.mark.processes
@pytest.mark.parametrize("name", PATCHES)
def test_a_script_may_change_pandas(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "a,b,c,d\n"
        + "".join(f"{n},{n / 3 if n % 5 else ''},{'x' * (n % 4)},2020-01-{n % 28 + 1:02}\n" for n in range(9000))
    )
    code = f"""
import sys
import pandas
{PATCHES[name]}
from azml_tasks.standin.azml_local.data import frames
frame = frames.read(["a.csv"], {{"format": "delimited"}})
print(len(frame), [kind.kind for kind in frame.dtypes], frame["a"].sum(), frame["b"].count())
print(frame["c"].iloc[4:6].tolist())
"""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )

    assert done.stdout == f"9000 ['i', 'f', 'O', 'M'] {sum(range(9000))} 7200\n[{MISSING}, 'x']\n", done.stderr

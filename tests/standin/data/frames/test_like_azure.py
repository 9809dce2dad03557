"""The stand-in reads random tables as the engine of the SDK reads them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from azml_tasks.standin.azml_local.data import frames

dataprep = pytest.importorskip("azureml.dataprep", reason="the SDK's engine is not installed")
pandas = pytest.importorskip("pandas")

FIELDS = [
    ["0", "1", "", "true", "false", "T", "F", "Y", "N", "yes", "No", "00", "01", "+1", "-0", " 1", "1 ", "2", "TrUe"],
    [
        "1",
        "2",
        "-3",
        "",
        "10000000000",
        "9223372036854775808",
        "1.5",
        "2.",
        ".5",
        "1e3",
        "nan",
        "inf",
        " 7",
        "007",
        "x",
    ],
    ["2020-01-13", "2020-02-03", "2020/01/14", "1/2/2020", "13/1/2020", "1/13/2020", "2020-01-13 10:11:12", ""],
    [
        "2020-01-13T10:11:12Z",
        "2020-01-13T10:11:12.123456",
        "13-Jan-2020",
        "2020-01-13 10:11",
        "0001-01-01",
        "2500-01-01",
    ],
    ["a", "b", '"q"', '"a ""b"" c"', '""', 'x"y', '"x"y', ' "z"', "NA", "null", "é", '"a,b"'],
]


def table(chance: random.Random) -> str:
    pools = []
    for _ in range(chance.randint(2, 14)):
        pool = chance.choice(FIELDS)
        pools.append(chance.sample(pool, chance.randint(1, 4)))
    lines = [",".join(f"h{number}" for number in range(len(pools)))]
    for _ in range(chance.choice([1, 2, 3, 8, 250])):
        fields = [chance.choice(pool) for pool in pools]
        lines.append(",".join(fields[: -1 if chance.random() < 0.02 else None] + ["5"] * (chance.random() < 0.02)))
    return chance.choice(["\n", "\r\n"]).join(lines) + chance.choice(["", "\n"])


def engine(path: Path, *, infer: bool, multi_line: bool, empty_as_string: bool) -> Any:
    """Read as azureml.data.dataset_factory does: from_delimited_files, less the service."""
    from azureml.data.dataset_type_definitions import PromoteHeadersBehavior

    flow = dataprep.read_csv(
        str(path),
        verify_exists=False,
        infer_column_types=False,
        header=PromoteHeadersBehavior.ALL_FILES_HAVE_SAME_HEADERS,
        quoting=multi_line,
        empty_as_string=empty_as_string,
    )
    if infer:
        builder = flow.builders.set_column_types()
        builder.learn()
        builder.ambiguous_date_conversions_keep_month_day()
        flow = builder.to_dataflow()
    return flow.to_pandas_dataframe(on_error="null", out_of_range_datetime="null")


def columns_of(frame: Any) -> list[tuple[str, str, list[Any]]]:
    missing = {pandas.NaT: "NaT"}
    return [
        (name, str(column.dtype), [missing.get(value, "nan" if value != value else value) for value in column.tolist()])  # noqa: PLR0124
        for name, column in frame.items()
    ]


# The engine keeps for the process how it first reached the network: for later tests that has to be the service's way.
@pytest.mark.usefixtures("azure")
@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(12))
def test_a_random_table(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    path = tmp_path / "table.csv"
    path.write_bytes(table(chance).encode())
    infer, multi_line, empty_as_string = chance.random() < 0.9, chance.random() < 0.3, chance.random() < 0.1

    theirs = engine(path, infer=infer, multi_line=multi_line, empty_as_string=empty_as_string)
    ours = frames.read(
        [str(path)],
        {"format": "delimited", "infer": infer, "multi_line": multi_line, "empty_as_string": empty_as_string},
    )

    assert columns_of(ours) == columns_of(theirs)

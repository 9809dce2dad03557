"""What becomes of a table: its columns with their types and values as JSON can hold them, or that it is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.frames.tables import Table

REFUSED = "refused"
Outcome = Mapping[str, Any] | str


def files_of(table: Table, folder: Path) -> list[str]:
    """Write a table's files; returns their paths."""
    paths = []
    for number, content in enumerate(table.contents):
        file = folder / f"{number}.csv"
        file.write_bytes(content)
        paths.append(str(file))
    return paths


def outcome(frame: Any) -> dict[str, Any]:
    """Return a frame's columns as their types and values."""
    return {name: [_type(column), [_value(value) for value in column.tolist()]] for name, column in frame.items()}


def of_the_stand_in(table: Table, folder: Path) -> Outcome:
    """Return what the stand-in makes of a table."""
    from azml_tasks.standin.azml_local.data import dataset, frames
    from azml_tasks.standin.azml_local.errors import UserErrorException

    types = {name: {"name": kind} for name, kind in table.options.get("types", {}).items()}
    reading = {"format": "delimited", "infer": True, **table.options, "types": types}
    paths = files_of(table, folder)
    try:
        dataset._check(paths, reading, True)
        return outcome(frames.read(paths, reading))
    except UserErrorException:
        return REFUSED


def of_azure(table: Table, folder: Path) -> Outcome:
    """Return what azureml-dataprep makes of a table, used as `Dataset.Tabular.from_delimited_files` uses it.

    azureml-core 1.61, dataset_factory.py.
    """
    paths = files_of(table, folder)
    try:
        return outcome(_frame(paths, table.options))
    except BaseException as error:  # a panic of its native part is none of Python's exceptions
        if isinstance(error, KeyboardInterrupt):
            raise
        return REFUSED


def _frame(paths: Sequence[str], options: Mapping[str, Any]) -> Any:
    import azureml.dataprep as reader

    kinds = {
        "string": reader.FieldType.STRING,
        "long": reader.FieldType.INTEGER,
        "float": reader.FieldType.DECIMAL,
        "boolean": reader.FieldType.BOOLEAN,
        "datetime": reader.FieldType.DATE,
    }
    modes = {
        "NO_HEADERS": reader.PromoteHeadersMode.NONE,
        "ONLY_FIRST_FILE_HAS_HEADERS": reader.PromoteHeadersMode.UNGROUPED,
        "COMBINE_ALL_FILES_HEADERS": reader.PromoteHeadersMode.GROUPED,
        "ALL_FILES_HAVE_SAME_HEADERS": reader.PromoteHeadersMode.CONSTANTGROUPED,
    }
    flow = reader.read_csv(
        list(paths),
        verify_exists=False,
        infer_column_types=False,
        separator=options.get("separator", ","),
        header=modes[options.get("header", "ALL_FILES_HAVE_SAME_HEADERS")],
        quoting=options.get("multi_line", False),
        empty_as_string=options.get("empty_as_string", False),
        encoding=reader.FileEncoding[options.get("encoding", "utf8").upper()],
    )
    flow.verify_has_data()
    types = options.get("types", {})
    if options.get("infer", True):
        builder = flow.builders.set_column_types()
        builder.learn()
        if builder.ambiguous_date_columns:
            builder.ambiguous_date_conversions_keep_month_day()
        for column in types:
            if column in builder.conversion_candidates:
                del builder.conversion_candidates[column]
        flow = builder.to_dataflow()
    if types:
        flow = flow.set_column_types({column: kinds[kind] for column, kind in types.items()})
    return flow.to_pandas_dataframe(on_error="null", out_of_range_datetime="null")


def _type(column: Any) -> str:
    name = str(column.dtype)
    # Texts have another type since pandas 3; a column of nulls alone has none.
    is_text = name == "object" and any(isinstance(value, str) for value in column)
    return "text" if name == "str" or is_text else name.partition("[")[0]


def _value(value: Any) -> Any:
    if value is None or value != value:  # noqa: PLR0124 - NaN and NaT
        return None
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    return value if isinstance(value, (str, bool, int, float)) else str(value)

"""The types of a table's columns, as the SDK writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from azml_tasks import model


def stated_types(dataset: model.Dataset) -> dict[str, Any]:
    """Return the DataType of each column that the file gives a type."""
    from azureml.data.dataset_factory import DataType

    make = {
        "string": DataType.to_string,
        "long": DataType.to_long,
        "float": DataType.to_float,
        "boolean": DataType.to_bool,
        "datetime": DataType.to_datetime,
    }
    return {column: make[kind]() for column, kind in dataset.set_column_types.items()}


def sampled_types(dataset: model.Dataset, sample: Path) -> dict[str, Any]:
    """Return the DataType of each column, found in a file of this machine as the SDK finds it in a datastore.

    From the first 200 rows, as `from_delimited_files` does; dates that can be read both ways are month-day.
    """
    import azureml.dataprep as reader

    table = reader.read_csv(
        str(sample),
        separator=dataset.separator or ",",
        quoting=dataset.support_multi_line,
        infer_column_types=False,
        verify_exists=False,
    )
    builder = table.builders.set_column_types()
    builder.learn()
    builder.ambiguous_date_conversions_keep_month_day()
    found = {column: _data_type(kind) for column, kind in converted_columns(_yaml(repr(builder.to_dataflow())))}
    stated = stated_types(dataset)
    # A date that the file states gets the format that was found.
    return {
        **found,
        **{column: kind for column, kind in stated.items() if dataset.set_column_types[column] != "datetime"},
    }


def definition_of(dataset: Any) -> dict[str, Any]:
    """Return what an SDK dataset consists of, as its YAML says; empty for one of an older kind."""
    text = json.loads(repr(dataset)).get("definition")
    return _yaml(text) if isinstance(text, str) else {}


def converted_columns(definition: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the columns of a definition that have a type, with it, by name."""
    steps = definition.get("transformations") or ()
    items = [
        item for step in steps for item in (step.get("convert_column_types") or () if isinstance(step, dict) else ())
    ]
    return sorted((str(item["columns"]), item["column_type"]) for item in items)


def _yaml(text: str) -> dict[str, Any]:
    _, _, document = text.partition("\n")  # the first line names the SDK's class
    content = yaml.safe_load(document)
    return content if isinstance(content, dict) else {}


def _data_type(kind: Any) -> Any:
    from azureml.data.dataset_factory import DataType

    if isinstance(kind, dict):
        return DataType.to_datetime(kind["datetime"]["formats"])
    make = {"int": DataType.to_long, "float": DataType.to_float, "boolean": DataType.to_bool}
    return make.get(kind, DataType.to_string)()

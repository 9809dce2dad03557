"""What a dataset consists of, in the SDK's terms: made from the file, and compared with what is registered."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from azml_tasks import model
from azml_tasks.azure.column_types import converted_columns, definition_of, sampled_types, stated_types
from azml_tasks.azure.datastores import opened_by_identity
from azml_tasks.errors import ServiceError, listed


def differences(registered: Any, wanted: model.Dataset, made: Any) -> list[str]:
    """Name what of a registered dataset differs; description and tags count when the file has them."""
    changed = []
    if type(registered) is not type(made) or _canonical(registered) != _canonical(made):
        changed.append("the definition")
    if wanted.description is not None and wanted.description != registered.description:
        changed.append("the description")
    if wanted.tags and dict(wanted.tags) != dict(registered.tags or {}):
        changed.append("the tags")
    return changed


def make_dataset(name: str, wanted: model.Dataset, datastore: Any, directory: Path) -> tuple[Any, list[str]]:
    """Return the SDK's dataset, not registered yet, and what is to be said about it."""
    from azureml.core import Dataset

    places = [(datastore, path) for path in wanted.paths]
    if wanted.type == "file":
        return Dataset.File.from_files(places, validate=False), []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            table = _table(name, wanted, places, directory)
        except Exception as error:
            if "stream was not found" not in str(error):
                raise
            raise ServiceError(
                f"the dataset '{name}': there is nothing to read at {listed(wanted.paths)} in the datastore "
                f"'{wanted.datastore_name}'; `invoke register-csv --upload` puts its local_path there"
            ) from error
    _sort_columns(table)
    ambiguous = [found[1] for item in said if (found := re.search(r"Ambiguous.* columns (\[.*\])", str(item.message)))]
    return table, [f"the dates of {columns} are read as month-day" for columns in ambiguous]


def _table(name: str, wanted: model.Dataset, places: list[Any], directory: Path) -> Any:
    from azureml.core import Dataset

    # The SDK reads a datastore without secrets by a login of its own, which opens a browser; so it does not read here.
    unreadable = opened_by_identity(places[0][0])
    if wanted.format == "parquet":
        stated = stated_types(wanted) or None
        return Dataset.Tabular.from_parquet_files(places, validate=not unreadable, set_column_types=stated)
    known = _types_without_reading(name, wanted, directory) if unreadable else stated_types(wanted)
    return Dataset.Tabular.from_delimited_files(
        places,
        validate=False,  # reading the types reads the data once; twice shows nothing more
        infer_column_types=not unreadable,
        set_column_types=known or None,
        separator=wanted.separator or ",",
        support_multi_line=wanted.support_multi_line,
    )


def _sort_columns(table: Any) -> None:
    """Sort the columns whose types the table sets, which the SDK writes in random order.

    The service takes the same text for the same definition; two that differ in order alone would be two versions.
    """
    dataflow = table._definition
    definition = dataflow._to_yaml_dict()
    for step in definition.get("transformations") or ():
        if isinstance(step, dict) and isinstance(step.get("convert_column_types"), list):
            step["convert_column_types"].sort(key=lambda types: str(types["columns"]))
    dataflow._set_py_rs_dataflow(definition)


def _types_without_reading(name: str, wanted: model.Dataset, directory: Path) -> Mapping[str, Any]:
    sample = directory / wanted.local_path if wanted.local_path else None
    if sample is not None and sample.exists():
        return sampled_types(wanted, sample)
    if wanted.set_column_types and "datetime" not in wanted.set_column_types.values():
        return stated_types(wanted)
    raise ServiceError(
        f"the dataset '{name}': its datastore '{wanted.datastore_name}' is opened by identity, so the column types "
        "are not read from it; give the dataset a local_path with the same columns, or set_column_types"
    )


def _canonical(dataset: Any) -> Any:
    """Return what makes two datasets the same: the order of columns and the workspace's address do not count."""
    definition = definition_of(dataset)
    paths = [re.sub(r"^azureml://.*?/datastores/", "", str(place)) for place in _places(definition)]
    steps = [step for step in definition.get("transformations") or () if "convert_column_types" not in step]
    return definition.get("type"), paths, steps, converted_columns(definition)


def _places(definition: Mapping[str, Any]) -> list[Any]:
    return [value for item in definition.get("paths") or () for value in item.values()]

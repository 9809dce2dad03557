"""Registered datasets: tables and files in a datastore, how the SDK defines them, and the types of columns."""

from __future__ import annotations

import contextlib
import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from azml_tasks import model
from azml_tasks.azure.errors import MissingError, is_missing
from azml_tasks.azure.uploads import counted_files, files_to_upload
from azml_tasks.azure.v1.client.connection import has_data_asset, service_calls
from azml_tasks.azure.v1.resources.datastores import (
    find_datastore,
    opened_by_identity,
    registered_datastore,
    upload,
)
from azml_tasks.backend import Change, Outcome
from azml_tasks.errors import ServiceError
from azml_tasks.runs.changes.differences import ABSENT, Difference, changed_entries, difference, stated_difference
from azml_tasks.text import did_you_mean, listed

if TYPE_CHECKING:
    from azureml.core import Workspace

# The kind of differences that make a new version.
_DEFINITION = "definition"


def find_dataset(ws: Workspace, name: str, version: int | str = "latest") -> Any:
    """Return a registered dataset.

    Raises MissingError.
    """
    with service_calls(f"looking up the dataset '{name}'"):
        found = registered_dataset(ws, name, version)
        if found is None:
            there = [registration.name for registration in ws.datasets.registrations]
            if name in there:
                raise MissingError(f"the dataset '{name}' has no version {version} in the workspace '{ws.name}'")
            raise MissingError(f"the workspace '{ws.name}' has no dataset '{name}'{did_you_mean(name, there)}")
        return found


def register_dataset(
    ws: Workspace,
    name: str,
    wanted: model.Dataset,
    directory: Path,
    upload_first: bool = False,
    dry: bool = False,
) -> Change:
    """Register a new version of a dataset if its newest version differs.

    Column types of delimited files that the file does not set are detected in the data, like in the SDK: a table of
    text would be different for the scripts. Raises MissingError if the datastore does not exist, and ServiceError if
    there is nothing to read.
    """
    with service_calls(f"registering the dataset '{name}'"):
        files = files_to_upload(name, wanted, directory) if upload_first else []
        registered = registered_dataset(ws, name)
        existed = registered is not None
        # The SDK returns a data asset that it can read as a dataset without a name (abstract_dataset.py, _get_by_name).
        if has_data_asset(ws, name) if registered is None else not registered.name:
            raise ServiceError(
                f"the dataset '{name}' is not registered: v2 has a data asset of this name in the workspace, v1 and v2 "
                "share their names, and one of both would break what reads the other and could not be removed. Rename "
                f"the dataset, for example to '{name}-v1'"
            )
        datastore = registered_datastore(ws, str(wanted.datastore_name))
        if dry and (files or datastore is None):  # the data are not there to be read yet
            reason = (
                counted_files(files, "to upload") if files else f"once the datastore '{wanted.datastore_name}' exists"
            )
            return Change("dataset", name, "updated" if existed else "created", reason, dry=True)
        if datastore is None:
            datastore = find_datastore(ws, str(wanted.datastore_name))  # its error lists the existing ones
        if files:
            upload(ws, datastore, files)
        made, remarks = make_dataset(name, wanted, datastore, directory)
        changed = [] if registered is None else differences(registered, wanted, made)
        before = f"version {registered.version}" if registered is not None else ""
        if not dry:
            registered = _written(ws, name, wanted, registered, made, changed)
        is_new = any(one.kind == _DEFINITION for one in changed)
        after = "a new one" if dry or registered is None else str(registered.version)
        details = [counted_files(files, "uploaded")] if files else []
        if before or not dry:
            details.append(f"{before} -> {after}" if before and is_new else before or f"version {after}")
        detail = "; ".join([*details, *remarks])
        return Change("dataset", name, _outcome(existed, changed), detail, dry, differences=tuple(changed))


def _written(
    ws: Workspace, name: str, wanted: model.Dataset, registered: Any, made: Any, changed: list[Difference]
) -> Any:
    """Write the differences, and return the newest version."""
    from azureml.exceptions import UserErrorException

    words = {"description": wanted.description, "tags": dict(wanted.tags)}
    if registered is None:
        # Rejected if another command has registered the name in the meantime, which would create a second version.
        with contextlib.suppress(UserErrorException):
            return made.register(ws, name, **words)
        registered = registered_dataset(ws, name)
        changed = [stated_difference("", _DEFINITION)] if registered is None else differences(registered, wanted, made)
    if any(one.kind == _DEFINITION for one in changed):
        return made.register(ws, name, **words, create_new_version=True)
    if changed:
        registered.update(description=wanted.description, tags=dict(wanted.tags) or None)
    return registered


def _outcome(existed: bool, changed: list[Difference]) -> Outcome:
    if not existed:
        return "created"
    return "updated" if changed else "unchanged"


def registered_dataset(ws: Workspace, name: str, version: int | str = "latest") -> Any | None:
    from azureml.core import Dataset
    from azureml.exceptions import UserErrorException

    try:
        return Dataset.get_by_name(ws, name, version)
    except UserErrorException as error:
        if is_missing(error):
            return None
        raise


def differences(registered: Any, wanted: model.Dataset, made: Any) -> list[Difference]:
    """Return the differences of a registered dataset; description and tags count if they are in the file."""
    changed = []
    if type(registered) is not type(made) or _canonical(registered) != _canonical(made):
        changed += _of_definition(registered, made) or [
            stated_difference("the definition changed", _DEFINITION, "definition")
        ]
    if wanted.description is not None and wanted.description != registered.description:
        changed.append(difference("description", "description", registered.description or ABSENT, wanted.description))
    if wanted.tags and dict(wanted.tags) != dict(registered.tags or {}):
        changed += changed_entries("tag", dict(registered.tags or {}), dict(wanted.tags), "tag ")
    return changed


def _of_definition(registered: Any, made: Any) -> list[Difference]:
    """Return the differences of two definitions in their paths and the types of columns."""
    before, now = (definition_of(one) for one in (registered, made))
    places = [[re.sub(r"^azureml://.*?/paths/", "", str(place)) for place in _places(one)] for one in (before, now)]
    found = [] if places[0] == places[1] else [difference(_DEFINITION, "path", _alone(places[0]), _alone(places[1]))]
    types = [{column: _type_name(kind) for column, kind in converted_columns(one)} for one in (before, now)]
    return found + changed_entries(_DEFINITION, types[0], types[1], "column ")


def _alone(values: list[str]) -> Any:
    return values[0] if len(values) == 1 else values


def _type_name(kind: Any) -> str:
    return kind if isinstance(kind, str) else next(iter(kind), "") if isinstance(kind, dict) else str(kind)


def make_dataset(name: str, wanted: model.Dataset, datastore: Any, directory: Path) -> tuple[Any, list[str]]:
    """Return the SDK's dataset, not registered yet, and remarks about it."""
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
                f"the dataset '{name}': no files at {listed(wanted.paths)} in the datastore "
                f"'{wanted.datastore_name}'; upload its local_path with `invoke register-csv --upload`"
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

    The service compares texts; two that differ only in order would be two versions.
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
        f"the dataset '{name}': its datastore '{wanted.datastore_name}' uses identity-based access, so column types "
        "cannot be read from it; add a local_path with the same columns, or set_column_types"
    )


def _canonical(dataset: Any) -> Any:
    """Return the part of a dataset that is compared: the order of columns and the workspace's address do not count."""
    definition = definition_of(dataset)
    paths = [re.sub(r"^azureml://.*?/datastores/", "", str(place)) for place in _places(definition)]
    steps = [step for step in definition.get("transformations") or () if "convert_column_types" not in step]
    return definition.get("type"), paths, steps, converted_columns(definition)


def _places(definition: Mapping[str, Any]) -> list[Any]:
    return [value for item in definition.get("paths") or () for value in item.values()]


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
    """Return the definition of an SDK dataset from its YAML; empty for one of an older kind."""
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

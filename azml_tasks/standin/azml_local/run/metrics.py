"""Metrics: accepted values, records, and the result of `get_metrics`.

The rules are those of azureml-core 1.61, core/_metrics.py and _restclient/metrics_client.py (metrics v2).
"""

from __future__ import annotations

import json
import sys

from ..errors import AzureMLException, UserErrorException
from ..remarks import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..protocols import Json

_TYPES: dict[type, str] = {float: "double", str: "string", bool: "bool", type(None): "none", int: "int"}
# numpy's types, by name, to avoid importing numpy.
_NUMPY: dict[str, Callable[[Any], object]] = {
    **dict.fromkeys(("bool", "bool_"), bool),
    **dict.fromkeys(("int8", "int16", "int32", "uint8", "uint16", "uint32"), int),
    **dict.fromkeys(("float16", "float32", "float64"), float),
    "str_": str,
    **dict.fromkeys(("longdouble", "float128"), repr),
}
_NUMPY_WIDE = ("int64", "uint64", "longlong", "ulonglong")
_MAX_NUMBER_SIZE = 64  # as sys.getsizeof counts: the SDK refuses larger integers in lists, rows and tables
_ARTIFACT_KINDS = ("image", "confusion_matrix", "accuracy_table", "residuals", "predictions")


def scalar(name: str, value: Any) -> Json:
    """Return the record of `run.log`: numbers, texts, booleans and None unchanged, anything else as its repr."""
    if isinstance(value, (list, range)) or _is_generator(value):
        raise UserErrorException("run.log does not accept a list; use run.log_list")
    if _is_wide_numpy_integer(value):
        # Better than the SDK, which records the repr, 'np.int64(5)'; a note is printed, because Azure would record
        # that.
        say_once(
            f"numpy {name}", f"run.log({name!r}): Azure records a numpy.{type(value).__name__} as text; log int(...)"
        )
        value = int(value)
    value = _plain(value)
    return {"name": name, "kind": "scalar", "value": value, "type": _TYPES[type(value)]}


def listed(name: str, value: Iterable[object]) -> Json:
    """Return the record of `run.log_list`: any iterable of scalars but an empty one."""
    values = list(value)
    if not values:
        raise UserErrorException(f"run.log_list({name!r}) cannot log an empty list")
    for item in values:
        _check_scalar(f"run.log_list({name!r})", item)
    return {"name": name, "kind": "list", "value": [_plain(item) for item in values], "type": _column_type(values)}


def row(name: str, columns: Json) -> Json:
    """Return the record of `run.log_row`: one scalar a column."""
    for column, item in columns.items():
        if isinstance(item, list):
            raise AzureMLException(f"run.log_row({name!r}) needs one value per column; {column!r} is a list")
        _check_scalar(f"run.log_row({name!r})", item)
    values = {column: _plain(item) for column, item in columns.items()}
    return {"name": name, "kind": "row", "value": values, "type": {c: _TYPES[type(v)] for c, v in values.items()}}


def table(name: str, columns: Json) -> Json:
    """Return the record of `run.log_table`: lists of one length, or scalars, by column."""
    if not isinstance(columns, dict):
        raise AzureMLException(f"run.log_table({name!r}) requires a dict of columns, not {type(columns).__name__}")
    if not columns:
        raise UserErrorException(f"run.log_table({name!r}) cannot log a table without columns")
    values = {column: item if isinstance(item, list) else [item] for column, item in columns.items()}
    first, length = next((column, len(items)) for column, items in values.items())
    for column, items in values.items():
        if len(items) != length:
            raise AzureMLException(
                f"run.log_table({name!r}) needs columns of equal length: {first!r} has {length}, {column!r} has "
                f"{len(items)}"
            )
        for item in items:
            _check_scalar(f"run.log_table({name!r})", item)
    return {
        "name": name,
        "kind": "table",
        "value": {column: [_plain(item) for item in items] for column, items in values.items()},
        "type": {column: _column_type(items) if items else "none" for column, items in values.items()},
    }


def document(kind: str, name: str, value: object) -> tuple[Json, bytes]:
    """Return the record and the JSON of a metric that is kept as a file: confusion_matrix, residuals and so on."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise UserErrorException(
                f"run.log_{kind}({name!r}) requires a dict or JSON; this text is not JSON"
            ) from None
    return {"name": name, "kind": kind, "value": name}, json.dumps(value).encode()


def folded(records: list[Json], location: Callable[[str], object]) -> Json:
    """Return the records as `get_metrics` gives them: a name logged twice is a list, rows add up to columns.

    `location` makes the value of a metric that is kept as a file, from that file's name.
    """
    metrics: Json = {}
    for name, group in _grouped([record for record in records if _is_whole(record)]).items():
        kind = group[0]["kind"]
        if kind in _ARTIFACT_KINDS:
            metrics[name] = location(group[0]["value"])
        elif kind in ("row", "table"):
            metrics[name] = _folded_table([r for r in group if r["kind"] in ("row", "table")])
        else:
            values = _folded_values([r for r in group if r["kind"] in ("scalar", "list")])
            metrics[name] = values[0] if len(values) == 1 else values
    return metrics


def _is_whole(record: Json) -> bool:
    """Return whether a record is one of those that are written here: anybody may have changed the file since."""
    kind, value = record.get("kind"), record.get("value")
    if not isinstance(record.get("name"), str) or "value" not in record:
        return False
    if kind in ("row", "table"):
        types = record.get("type")
        return isinstance(value, dict) and isinstance(types, dict) and value.keys() <= types.keys()
    if kind in _ARTIFACT_KINDS:
        return isinstance(value, str)
    return kind == "scalar" or (kind == "list" and isinstance(value, list))


def _grouped(records: list[Json]) -> dict[str, list[Json]]:
    groups: dict[str, list[Json]] = {}
    for record in records:
        groups.setdefault(record["name"], []).append(record)
    return groups


def _folded_values(records: list[Json]) -> list[Any]:
    values = []
    for record in records:
        items = record["value"] if record["kind"] == "list" else [record["value"]]
        values += [_read(item, records[0].get("type")) for item in items]
    return values


def _folded_table(records: list[Json]) -> Json:
    types = {column: kind for record in reversed(records) for column, kind in record["type"].items()}
    columns: dict[str, list[Any]] = {column: [] for record in records for column in record["value"]}
    for record in records:
        cells = {column: v if isinstance(v, list) else [v] for column, v in record["value"].items()}
        length = max((len(items) for items in cells.values()), default=0)
        for column, values in columns.items():
            values += [_read(item, types[column]) for item in cells.get(column, [None] * length)]
    return {column: values[0] if len(values) == 1 else values for column, values in columns.items()}


def _read(value: Any, kind: str | None) -> object:
    """Return a recorded value as the SDK reads it back: a column of doubles holds doubles, NaN among them."""
    if kind != "double" or value is None or isinstance(value, bool):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _plain(value: object) -> object:
    if type(value) in _TYPES:
        return value
    convert = _NUMPY.get(type(value).__name__) if type(value).__module__ == "numpy" else None
    return (convert or repr)(value)


def _column_type(values: list[Any]) -> str:
    types = [_TYPES[type(_plain(value))] for value in values]
    return "double" if types[0] == "int" and "double" in types else types[0]


def _check_scalar(who: str, value: object) -> None:
    if isinstance(value, (int, float)) and sys.getsizeof(value) > _MAX_NUMBER_SIZE:
        raise AzureMLException(f"{who} accepts numbers of at most {_MAX_NUMBER_SIZE} bytes")
    is_numpy = type(value).__module__ == "numpy" and type(value).__name__ in _NUMPY
    if type(value) not in _TYPES and not is_numpy:
        kind = type(value)
        name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
        raise AzureMLException(f"{who} accepts float, str, bool, None and int, not {name}")


def _is_wide_numpy_integer(value: object) -> bool:
    return type(value).__module__ == "numpy" and type(value).__name__ in _NUMPY_WIDE


def _is_generator(value: object) -> bool:
    return type(value).__name__ == "generator" or getattr(getattr(value, "__code__", None), "co_flags", 0) & 0x20 != 0

"""Searches of runs and models: MLflow's filters and orders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from azml_tasks.local.tracking.errors import TrackingError

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']|'')*'|"[^"]*") | (?P<number>-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)(?![\w.])
        | (?P<operator><=|>=|!=|=|<|>) | (?P<mark>[(),])
        | (?P<word>[A-Za-z_][\w]*(?:\.(?:`[^`]*`|"[^"]*"|[\w./:-]+))?)
    )""",
    re.VERBOSE,
)
_KINDS = {
    **dict.fromkeys(("metric", "metrics"), "metrics"),
    **dict.fromkeys(("param", "params", "parameter", "parameters"), "params"),
    **dict.fromkeys(("tag", "tags"), "tags"),
    **dict.fromkeys(("attribute", "attributes", "attr", "run"), "attributes"),
}
_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: bool(one == other),
    "!=": lambda one, other: bool(one != other),
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}
# What is compared: its attributes, metrics, params and tags by their names.
Values = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Condition:
    """One comparison of a filter."""

    kind: str
    key: str
    operator: str
    value: Any

    def holds(self, values: Values) -> bool:
        """Return whether it holds; never for what has no such value."""
        known = values.get(self.kind, {})
        if self.operator in ("IS NULL", "IS NOT NULL"):
            return (self.key in known) == (self.operator == "IS NOT NULL")
        if self.key not in known:
            return False
        found = known[self.key]
        if self.operator in ("IN", "NOT IN"):
            return (str(found) in self.value) == (self.operator == "IN")
        if self.operator in ("LIKE", "ILIKE"):
            pattern = re.escape(str(self.value)).replace("%", ".*").replace("_", ".")
            flags = re.DOTALL | (re.IGNORECASE if self.operator == "ILIKE" else 0)
            return re.fullmatch(pattern, str(found), flags) is not None
        if isinstance(found, (int, float)) and isinstance(self.value, (int, float)):
            return _COMPARED[self.operator](found, self.value)
        return _COMPARED[self.operator](str(found), str(self.value))


def read_filter(text: str) -> list[Condition]:
    """Return the conditions of a filter, which must all hold. Raises TrackingError."""
    words = _words(text)
    conditions: list[Condition] = []
    while words:
        if conditions and words.pop(0).upper() != "AND":
            raise _not_understood(text)
        try:
            conditions.append(_condition(words))
        except (IndexError, ValueError, KeyError):
            raise _not_understood(text) from None
    return conditions


def _words(text: str) -> list[str]:
    words, place = [], 0
    text = text.strip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _not_understood(text)
        words.append(match[match.lastgroup or 0])
        place = match.end()
    return words


def _condition(words: list[str]) -> Condition:
    kind, key = _named(words.pop(0))
    operator = words.pop(0).upper()
    if operator in ("NOT", "IS"):
        operator = f"{operator} {words.pop(0).upper()}"
        if operator == "IS NOT":
            operator = f"{operator} {words.pop(0).upper()}"
    if operator in ("IS NULL", "IS NOT NULL"):
        return Condition(kind, key, operator, None)
    if operator in ("IN", "NOT IN"):
        return Condition(kind, key, operator, _several(words))
    if operator not in ("LIKE", "ILIKE") and operator not in _COMPARED:
        raise ValueError(operator)
    return Condition(kind, key, operator, _value(words.pop(0)))


def _several(words: list[str]) -> list[str]:
    if words.pop(0) != "(":
        raise ValueError
    found = []
    while True:
        found.append(str(_value(words.pop(0))))
        mark = words.pop(0)
        if mark == ")":
            return found
        if mark != ",":
            raise ValueError


def _value(word: str) -> Any:
    if word[0] in "'\"":
        return word[1:-1].replace("''", "'")
    return float(word)


def _named(word: str) -> tuple[str, str]:
    kind, dot, key = word.partition(".")
    if not dot:
        return "attributes", _ATTRIBUTES.get(kind, kind)
    if key[:1] in '`"':
        key = key[1:-1]
    found = _KINDS[kind.lower()]
    return found, _ATTRIBUTES.get(key, key) if found == "attributes" else key


_ATTRIBUTES = {"Run ID": "run_id", "Created": "start_time", "start time": "start_time", "created": "start_time"}
_ATTRIBUTES |= {"run name": "run_name", "Run name": "run_name", "creation_time": "creation_timestamp"}


def _not_understood(text: str) -> TrackingError:
    return TrackingError(f"Invalid filter '{text}'")


def matching(found: Iterable[Any], values_of: Callable[[Any], Values], text: str | None) -> list[Any]:
    """Return what fits a filter. Raises TrackingError."""
    conditions = read_filter(text or "")
    return [one for one in found if all(condition.holds(values_of(one)) for condition in conditions)]


def ordered(found: Sequence[Any], values_of: Callable[[Any], Values], orders: Sequence[tuple[str, bool]]) -> list[Any]:
    """Return what was found in an order of names, each ascending or not; what has no such value comes last."""
    result = list(found)
    for name, ascending in reversed(orders):
        try:
            kind, key = _named(name)
        except KeyError:
            raise TrackingError(f"Invalid order_by '{name}'") from None
        having = [one for one in result if key in values_of(one).get(kind, {})]
        lacking = [one for one in result if key not in values_of(one).get(kind, {})]
        having.sort(key=lambda one: _comparable(values_of(one)[kind][key]), reverse=not ascending)
        result = having + lacking
    return result


def _comparable(value: object) -> tuple[int, float, str]:
    return (0, float(value), "") if isinstance(value, (int, float)) else (1, 0.0, str(value))


def read_order(text: str) -> tuple[str, bool]:
    """Return the name in an item of `order_by`, and whether it ascends."""
    name, space, direction = text.strip().rpartition(" ")
    if space and direction.upper() in ("ASC", "DESC"):
        return name.strip(), direction.upper() == "ASC"
    return text.strip(), True


def run_values(run: Mapping[str, Any]) -> Values:
    """Return what a run in MLflow's form is compared by."""
    data = run["data"]
    return {
        "attributes": run["info"],
        "metrics": {metric["key"]: _as_number(metric["value"]) for metric in data["metrics"]},
        "params": {param["key"]: param["value"] for param in data["params"]},
        "tags": {tag["key"]: tag["value"] for tag in data["tags"]},
    }


def model_values(model: Mapping[str, Any]) -> Values:
    """Return what a model in MLflow's form is compared by."""
    info, data = model["info"], model["data"]
    attributes = {**info, "creation_timestamp": info.get("creation_timestamp_ms")}
    attributes["last_updated_timestamp"] = info.get("last_updated_timestamp_ms")
    return {
        "attributes": attributes,
        "metrics": {metric["key"]: _as_number(metric["value"]) for metric in data["metrics"]},
        "params": {param["key"]: param["value"] for param in data["params"]},
        "tags": {tag["key"]: tag["value"] for tag in info["tags"]},
    }


def _as_number(value: object) -> float:
    return float(str(value).replace("Infinity", "inf"))


def page(found: Sequence[Any], values: Mapping[str, Any], most: int) -> tuple[list[Any], str]:
    """Return one page of what was found, and the token of the next, empty for the last."""
    first = int(values.get("page_token") or 0)
    size = min(int(values.get("max_results") or most), 50_000)
    return list(found[first : first + size]), str(first + size) if first + size < len(found) else ""

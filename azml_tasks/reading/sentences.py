"""What pydantic found wrong, said as one sentence a problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from azml_tasks.errors import closest, did_you_mean, listed

Path = tuple[str | int, ...]

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "mapping_type": "a mapping",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}
_NOUNS = {
    "steps": "step",
    "environments": "environment",
    "datastores": "datastore",
    "datasets": "dataset",
    "computes": "compute",
}


@dataclass(frozen=True)
class Located:
    """An error of pydantic's, with the part of its place that exists in the data.

    `unions` holds the places on the way where pydantic tried the branches of a union.
    """

    path: Path
    error: ErrorDetails
    unions: tuple[Path, ...] = ()


def locate(errors: Iterable[ErrorDetails], data: Any) -> list[Located]:
    """Find each error's place in the data, leaving out the names of union branches that pydantic puts between."""
    located = [_locate(error, data) for error in errors]
    # A branch of a union that got further than its first look says more than those that did not.
    entered = {union for item in located for union in item.unions if len(item.path) > len(union)}
    return [item for item in located if item.path not in entered]


def _locate(error: ErrorDetails, data: Any) -> Located:
    path: list[str | int] = []
    unions: list[Path] = []
    loc = error["loc"]
    for place, part in enumerate(loc):
        inside = isinstance(data, Mapping) and part in data
        within = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if inside or within:
            data = data[part]
            path.append(part)
        elif error["type"] == "missing" and place == len(loc) - 1:
            path.append(part)
        elif part != "[key]":
            unions.append(tuple(path))
    return Located(tuple(path), error, tuple(unions))


def sentences(located: Iterable[Located], model: type[BaseModel]) -> dict[Path, str]:
    """Return one sentence for each place."""
    groups: dict[Path, list[ErrorDetails]] = {}
    for item in located:
        groups.setdefault(item.path, []).append(item.error)
    meant = {(*path[:-1], _meant(path, model)) for path, errors in groups.items() if _is(errors, "extra_forbidden")}
    return {
        path: _sentence(path, errors, model)
        for path, errors in groups.items()
        # A mistyped key says what was meant; that the key meant is missing follows from it.
        if not (_is(errors, "missing") and path in meant)
    }


def _is(errors: list[ErrorDetails], kind: str) -> bool:
    return errors[0]["type"] == kind


def _meant(path: Path, model: type[BaseModel]) -> str | None:
    return closest(str(path[-1]), _known_keys(path[:-1], model))


def _sentence(path: Path, errors: list[ErrorDetails], model: type[BaseModel]) -> str:
    owner, key = described(path)
    prefix = f"{owner}: " if owner else ""
    first = errors[0]
    kind = first["type"]
    if kind == "extra_forbidden":
        known = _known_keys(path[:-1], model)
        return f"{prefix}'{path[-1]}' is not a key here{did_you_mean(str(path[-1]), known)}"
    if kind == "missing":
        inside, _, name = key.rpartition(".")
        return f"{prefix}{inside} has no {name}" if inside else f"{owner or 'the file'} has no {name}"
    own = next((error for error in errors if error["type"] == "value_error"), None)
    if own:
        return f"{prefix}{own['ctx']['error']}"
    label = f"{key}: " if key else ""
    expected = list(dict.fromkeys(_expected(error) for error in errors))
    return f"{prefix}{label}expected {listed(expected, 'or')}, found {_found(first['input'])}"


def _expected(error: ErrorDetails) -> str:
    kind = error["type"]
    context = error.get("ctx", {})
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "greater_than_equal":
        return f"{context['ge']} or more"
    if kind == "string_too_short":
        return "some text"
    if kind == "too_short":
        return "at least one"
    return _EXPECTED.get(kind, error["msg"])


def _found(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping" if value else "none"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def described(path: Path) -> tuple[str, str]:
    """Split a path into what it belongs to (`step 'train'`) and the key inside it."""
    if len(path) > 1 and path[0] in _NOUNS:
        owner, rest = f"{_NOUNS[str(path[0])]} '{path[1]}'", path[2:]
    else:
        owner, rest = "", path
    return owner, ".".join(str(part) for part in rest)


def _known_keys(path: Path, model: type[BaseModel]) -> list[str]:
    """Return the keys that the model takes at the path, following its annotations."""
    current: Any = model
    for part in path:
        models = list(_models(current, part))
        if not models:
            return []
        current = models[0]
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []


def _models(current: Any, part: str | int) -> list[Any]:
    if isinstance(current, type) and issubclass(current, BaseModel):
        field = current.model_fields.get(str(part))
        return [field.annotation] if field else []
    # A mapping or a union around a model: step inside it.
    return [found for argument in getattr(current, "__args__", ()) for found in _inside(argument)]


def _inside(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in getattr(annotation, "__args__", ()) for found in _inside(argument)]

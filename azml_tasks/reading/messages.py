"""Turn pydantic's errors into messages, one per problem."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from azml_tasks.model.base import InvalidNameError, MisfitError
from azml_tasks.model.step import OTHER_KINDS
from azml_tasks.reading.syntax import KeyPath, plain_scalar, with_space
from azml_tasks.text import MOST_SUGGESTIONS, closest, listed, shortened

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
_EXPECTED_OF = {int: "a whole number", float: "a number", bool: "true or false"}
# Examples of mappings that are often written incorrectly.
_EXAMPLES: dict[KeyPath, str] = {
    ("steps",): "{prepare: {script_name: prepare.py}}",
    ("steps", "*"): "{script_name: prepare.py}",
    ("steps", "*", "step_config"): "{lr: 0.1, epochs: 10}",
    ("steps", "*", "input_datasets"): "{--new-data: customers}",
    ("steps", "*", "input_folders"): "{--input-folder: prepare}",
    ("publish",): "{name: churn}",
    ("schedule",): "{frequency: Week, interval: 2}",
}
# Text that needs no quotes inside brackets.
_BARE = r"[\w./+-]+"
_ONE_VALUE = frozenset(("text", "a whole number", "a number", "true or false"))
# What other tools call the key of a step.
_AFTER = frozenset(("after", "dependencies", "depends", "depends_on", "dependsOn", "needs", "upstream"))
_NOUNS = {
    "steps": "step",
    "environments": "environment",
    "datastores": "datastore",
    "datasets": "dataset",
    "computes": "compute",
}


class LocatedError(NamedTuple):
    """A pydantic error, with the part of its location that exists in the data.

    `unions` are the places where pydantic tried the branches of a union. The error is about everything at `about`; for
    incompatible keys this is their mapping.
    """

    path: KeyPath
    about: KeyPath
    error: ErrorDetails
    unions: tuple[KeyPath, ...] = ()


def locate(errors: Iterable[ErrorDetails], data: Any) -> list[LocatedError]:
    """Find each error's place in the data, without pydantic's names of union branches."""
    located = [_locate(error, data) for error in errors]
    # The branch of a union that got furthest has the most useful error.
    entered = {union for item in located for union in item.unions if len(item.path) > len(union)}
    return [item for item in located if item.path not in entered]


def _locate(error: ErrorDetails, data: Any) -> LocatedError:
    path: list[str | int] = []
    unions: list[KeyPath] = []
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
    about = tuple(path)
    own = _own(error)
    if isinstance(own, MisfitError):
        path.append(own.key)
    return LocatedError(tuple(path), about, error, tuple(unions))


def _own(error: ErrorDetails) -> Exception | None:
    """Return the error of one of our validators, if any."""
    found: Exception | None = error.get("ctx", {}).get("error")
    return found


def sentences(located: Iterable[LocatedError], model: type[BaseModel]) -> dict[KeyPath, str]:
    """Return one message for each place."""
    groups: dict[KeyPath, list[ErrorDetails]] = {}
    for item in located:
        groups.setdefault(item.path, []).append(item.error)
    unknown = [path for path, errors in groups.items() if _is(errors, "extra_forbidden")]
    meant = {path: _meant(path, model) for path in unknown[:MOST_SUGGESTIONS]}
    # If a mistyped key is reported, the missing key that was meant is not.
    found = {(*path[:-1], key) for path, key in meant.items()}
    return {
        path: _unknown_key(path, meant.get(path)) if _is(errors, "extra_forbidden") else _sentence(path, errors)
        for path, errors in groups.items()
        if not (_is(errors, "missing") and path in found)
    }


def _meant(path: KeyPath, model: type[BaseModel]) -> str | None:
    """Return the key that an unknown one probably stands for."""
    if len(path) == 3 and path[0] == "steps" and path[2] in _AFTER:
        return "run_after"
    return closest(str(path[-1]), _known_keys(path[:-1], model))


def _is(errors: list[ErrorDetails], kind: str) -> bool:
    return errors[0]["type"] == kind


def _unknown_key(path: KeyPath, meant: str | None) -> str:
    owner, key = described(path)
    prefix = f"{owner}: " if owner else ""
    name = str(path[-1])
    if owner.startswith("step ") and key in OTHER_KINDS:
        return (
            f"{prefix}'{key}' belongs to {OTHER_KINDS[key]}; this file supports only PythonScriptSteps, "
            "so keep that step in a separate program"
        )
    inside = key[: -len(name)].rstrip(".")
    place = f"of {inside}" if inside else "here"
    return f"{prefix}'{name}' is not a key {place}" + (f"; did you mean '{meant}'?" if meant else "")


def _sentence(path: KeyPath, errors: list[ErrorDetails]) -> str:
    owner, key = described(path)
    prefix = f"{owner}: " if owner else ""
    if _is(errors, "missing"):
        inside, _, name = key.rpartition(".")
        return f"{prefix}{inside} has no {name}" if inside else f"{owner or 'the file'} has no {name}"
    own = next((error for error in errors if _own(error)), None)
    if own:
        return _validators_sentence(path, own)
    label = f"{prefix}{key}: " if key else prefix
    value = errors[0]["input"]
    if any(error["type"] == "too_short" for error in errors):
        return f"{label}expected at least one, found none"
    expected = dict.fromkeys(_expected(error) for error in errors)
    if expected.keys() >= _ONE_VALUE:
        return f"{label}expected a single value, found {shown(value)}"
    example = _EXAMPLES.get(_kind(path)) if list(expected) == ["a mapping"] else None
    such = f" such as {example}" if example else ""
    return f"{label}expected {listed(expected, 'or')}{such}, found {shown(value)}{_hint(path, expected, value)}"


def _kind(path: KeyPath) -> KeyPath:
    """Return the path with a star for the name that the user chose."""
    return (*path[:1], "*", *path[2:]) if len(path) > 1 else path


def _validators_sentence(path: KeyPath, error: ErrorDetails) -> str:
    own = _own(error)
    if not isinstance(own, InvalidNameError):
        owner, _ = described(path)
        return f"{owner}: {own}" if owner else str(own)
    # An invalid key is reported for its mapping.
    is_key = error["loc"][-1] == "[key]" and path[-1] == own.name
    owner, key = described(path[:-1] if is_key else path)
    return "".join(f"{part}: " for part in (owner, key) if part) + str(own)


def _expected(error: ErrorDetails) -> str:
    kind = error["type"]
    context = error.get("ctx", {})
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "greater_than_equal":
        return f"at least {context['ge']}"
    if kind == "string_too_short":
        return "some text"
    return _EXPECTED.get(kind, error["msg"])


def _hint(path: KeyPath, expected: Iterable[str], value: Any) -> str:
    if "a mapping" in expected and isinstance(value, str) and (meant := with_space(value)):
        return f"; a space is missing after the colon: write {meant}"
    if "text" in expected and isinstance(value, (bool, int, float)):
        return "; put it in quotes"
    if not isinstance(value, str) or shortened(value) != value:
        return ""
    if "a list" in expected:
        if path[-1] in ("pip_packages", "conda_packages") and re.fullmatch(r"[\w.-]+(\s+[\w.-]+)+", value):
            value = ", ".join(value.split())
        return f"; write [{_as_words(value) if path[-1] == 'arguments' else value}]"
    return "; remove the quotes" if _EXPECTED_OF.get(type(plain_scalar(value)), "") in expected else ""


def _as_words(line: str) -> str:
    """Return the arguments of a command line as items of a YAML list."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = [line]
    return ", ".join(
        word if re.fullmatch(_BARE, word) and str(plain_scalar(word)) == word else json.dumps(word, ensure_ascii=False)
        for word in words
    )


def shown(value: Any) -> str:
    """Describe a value of the file in a word or two."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return shortened(f"'{value}'" if isinstance(value, str) else str(value))


def described(path: KeyPath) -> tuple[str, str]:
    """Split a path into its owner (`step 'train'`) and the key inside it."""
    if len(path) > 1 and path[0] in _NOUNS:
        owner, rest = f"{_NOUNS[str(path[0])]} '{path[1]}'", path[2:]
    else:
        owner, rest = "", path
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
    return owner, key.removeprefix(".")


def _known_keys(path: KeyPath, model: type[BaseModel]) -> list[str]:
    """Return the keys that the model allows at the path, following its annotations."""
    current: Any = model
    for part in path:
        models = list(_models(current, part))
        if not models:
            return []
        current = models[0]
    models = _inside(current)
    keys = list(models[0].model_fields) if models else []
    return keys if path else [*keys, "targets"]


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

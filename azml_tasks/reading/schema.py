"""The JSON schema of pipeline.yaml for editors, generated from the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from azml_tasks.model import Pipeline
from azml_tasks.reading.editor import PACKAGED_SCHEMA

Schema = dict[str, Any]

_VARIABLE: Schema = {"type": "string", "pattern": r"^\$\{.+\}$"}
_NULL: Schema = {"type": "null"}
_ABOUT = ("description", "default", "examples")
_PARTIAL = "Partial"


def json_schema() -> Schema:
    """Return the schema (JSON Schema 2020-12) of the model as it is."""
    made = Pipeline.model_json_schema()
    definitions = {name: _with_variables(part) for name, part in made.pop("$defs").items()}
    whole = _with_variables(made)
    partial = {f"{_PARTIAL}{name}": _partial(part) for name, part in {**definitions, "Pipeline": whole}.items()}
    target = {"anyOf": [_partial_reference("Pipeline"), _NULL]}
    whole["properties"]["targets"] = {
        "anyOf": [{"type": "object", "additionalProperties": target}, _NULL],
        "description": "NAME: keys that override those above with --target NAME; a key without a value is removed.",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **whole,
        "title": "pipeline.yaml",
        "$defs": {**definitions, **partial},
    }


def _with_variables(schema: Schema) -> Schema:
    """Allow `${VARIABLE}` where text is not allowed; remove pydantic's title."""
    schema = _inside({key: value for key, value in schema.items() if key != "title"}, _with_variables)
    if _is_value(schema):
        about = {key: schema.pop(key) for key in _ABOUT if key in schema}
        return {**about, "anyOf": [schema, _VARIABLE]}
    if "anyOf" in schema:
        branches = [branch if _is_value(branch) else _with_variables(branch) for branch in schema["anyOf"]]
        is_open = any(map(_is_value, branches)) and {"type": "string"} not in branches
        schema["anyOf"] = [*branches, _VARIABLE] if is_open else branches
    return schema


def _is_value(schema: Schema) -> bool:
    """Return whether the schema allows single values, but not any text."""
    return schema.get("type") in ("integer", "number", "boolean") or "enum" in schema or "const" in schema


def _partial(schema: Schema) -> Schema:
    """Make all keys optional: a target has only the keys that it changes, and null for those it removes."""
    if "$ref" in schema:
        return _partial_reference(schema["$ref"].rpartition("/")[2])
    left_out = ("required", "minProperties", "default")
    part = _inside({key: value for key, value in schema.items() if key not in left_out}, _partial)
    if "anyOf" in part:
        part["anyOf"] = [_partial(branch) for branch in part["anyOf"]]
    if "properties" in part:
        part["properties"] = {name: _or_null(field) for name, field in part["properties"].items()}
    if isinstance(part.get("additionalProperties"), dict):
        part["additionalProperties"] = _or_null(part["additionalProperties"])
    return part


def _or_null(schema: Schema) -> Schema:
    about = {key: value for key, value in schema.items() if key in _ABOUT}
    rest = {key: value for key, value in schema.items() if key not in _ABOUT}
    branches = rest.get("anyOf", [rest])
    return {**about, "anyOf": branches if _NULL in branches else [*branches, _NULL]}


def _partial_reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{_PARTIAL}{name}"}


def _inside(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """Change the schemas of a mapping's or a list's values."""
    schema = dict(schema)
    if "properties" in schema:
        schema["properties"] = {name: change(field) for name, field in schema["properties"].items()}
    for key in ("additionalProperties", "items"):
        if isinstance(schema.get(key), dict):
            schema[key] = change(schema[key])
    return schema


def text_of(schema: Schema) -> str:
    """Return the schema as the text of a file."""
    return json.dumps(schema, indent=1) + "\n"


if __name__ == "__main__":
    PACKAGED_SCHEMA.write_text(text_of(json_schema()), encoding="utf-8")

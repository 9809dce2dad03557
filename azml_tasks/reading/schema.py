"""The JSON schema of pipeline.yaml, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import azml_tasks
from azml_tasks.model import Pipeline

# Where the first line of a generated pipeline.yaml points the editor to.
SCHEMA_FILE = Path(".azml", "pipeline.schema.json")

_VARIABLE = {"type": "string", "pattern": r"^\$\{.+\}$"}
_NOT_TEXT = frozenset(("integer", "number", "boolean"))


def json_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12), made from the model."""
    schema = Pipeline.model_json_schema()
    properties = dict(schema["properties"])
    schema["properties"]["targets"] = {
        "type": "object",
        "description": "NAME: keys that are merged over the above by --target NAME.",
        "additionalProperties": {"type": "object", "properties": properties, "additionalProperties": False},
    }
    for part in (schema, *schema["$defs"].values()):
        part["properties"] = {name: _or_variable(field) for name, field in part["properties"].items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"azml-tasks {azml_tasks.__version__}",
        **schema,
        "title": "pipeline.yaml",
    }


def _or_variable(field: dict[str, Any]) -> dict[str, Any]:
    """Take `${VARIABLE}` wherever a number or true and false are taken; the title, pydantic's own, goes."""
    described = {name: value for name, value in field.items() if name in ("description", "default")}
    rest = {name: value for name, value in field.items() if name not in ("description", "default", "title")}
    branches = rest.get("anyOf", [rest])
    types = {branch.get("type") for branch in branches}
    if types & _NOT_TEXT and "string" not in types:
        return {**described, "anyOf": [*branches, _VARIABLE]}
    return {**described, **rest}


def write_schema(directory: Path) -> None:
    """Put the schema of this release into the project's `.azml`, unless it lies there already."""
    file = directory / SCHEMA_FILE
    text = json.dumps(json_schema(), indent=1) + "\n"
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")

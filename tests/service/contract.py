"""Check request bodies against the SDK's own models, which are generated from the services' contract."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from msrest import Deserializer
from msrest.serialization import Model

from .message import Refusal

RUN_HISTORY = "azureml._restclient.models"
PIPELINES = "azureml.pipeline.core._restclients.aeva.models"


def check(models: str, name: str, document: Any) -> Any:
    """Read a body as the model `name`; refuses with 400 what the contract does not allow.

    That is: a value of the wrong type, a required one that is missing, one out of bounds, and a
    key that the model does not have.
    """
    module = import_module(models)
    try:
        value = _deserializer(models)(name, document)
    except Exception as error:
        raise Refusal(400, "BadArgument", f"The body is no {name}: {error}") from error
    wrong = [str(problem) for problem in _invalid(value)]
    wrong += [f"unknown key {key}" for key in _unknown(module, getattr(module, name), document, name)]
    if wrong:
        raise Refusal(400, "BadArgument", f"The body is no {name}: {'; '.join(wrong)}")
    return value


@cache
def _deserializer(models: str) -> Deserializer:
    module = import_module(models)
    deserializer = Deserializer(_classes(module))
    deserializer.additional_properties_detection = False
    return deserializer


def _classes(module: ModuleType) -> dict[str, type]:
    return {name: value for name, value in vars(module).items() if isinstance(value, type)}


def _invalid(value: Any) -> list[Any]:
    if isinstance(value, Model):
        return list(value.validate())
    if isinstance(value, list):
        return [problem for item in value for problem in _invalid(item)]
    return []


def _unknown(module: ModuleType, model: type, document: Any, where: str) -> list[str]:
    """Name the keys of a document that its model does not have, at any depth; case does not matter."""
    if not isinstance(document, dict) or not issubclass(model, Model):
        return []
    known = {
        attribute["key"].replace("\\.", ".").lower(): attribute["type"] for attribute in model._attribute_map.values()
    }
    if any("." in key for key in known):  # flattened models name nested keys: left to the deserializer
        return []
    found = []
    for key, value in document.items():
        kind = known.get(key.lower())
        if kind is None:
            found.append(f"{where}.{key}")
        else:
            found += _unknown_below(module, kind, value, f"{where}.{key}")
    return found


def _unknown_below(module: ModuleType, kind: str, value: Any, where: str) -> list[str]:
    if kind.startswith("[") and isinstance(value, list):
        return [name for item in value for name in _unknown_below(module, kind[1:-1], item, where)]
    if kind.startswith("{") and isinstance(value, dict):
        return [name for item in value.values() for name in _unknown_below(module, kind[1:-1], item, where)]
    model = getattr(module, kind, None)
    return _unknown(module, model, value, where) if isinstance(model, type) else []

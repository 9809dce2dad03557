"""Check request bodies against the client's own models (azure-ai-ml, `_restclient/arm_ml_service/models`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from tests.service.message import Refusal

_MODELS = "azure.ai.ml._restclient.arm_ml_service.models"
# Of the workspace's own data service, which jobs reach, too.
RUN_MODELS = "azure.ai.ml._restclient.runhistory.models"
DATA_MODELS = "azure.ai.ml._restclient.dataset_dataplane.models"


def check(name: str, document: Any, models: str = _MODELS) -> Any:
    """Read a body as the model `name`; refuses with 400 what the model does not allow.

    That is: a value of the wrong type, a required one that is missing, and a key that the model does not have.
    """
    model = getattr(import_module(models), name)
    try:
        value = model._deserialize(document, [])
        wrong = list(_wrong(value, name))
    except Exception as error:
        raise Refusal(400, "UserError", f"The body is no {name}: {error}") from error
    if wrong:
        raise Refusal(400, "UserError", f"The body is no {name}: {'; '.join(wrong)}")
    return value


def _wrong(value: Any, where: str) -> Iterator[str]:
    if hasattr(type(value), "_attr_to_rest_field"):
        fields = {field._rest_name: name for name, field in value._attr_to_rest_field.items()}
        for key in value:
            if key not in fields:
                yield f"unknown key {where}.{key}"
            else:
                # Reading converts the value, and raises if it cannot.
                yield from _wrong(getattr(value, fields[key]), f"{where}.{key}")
        for key, name in fields.items():
            field = value._attr_to_rest_field[name]
            if not _is_optional(type(value), name) and field._visibility != ["read"] and value.get(key) is None:
                yield f"{where} has no {key}"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _wrong(inner, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for place, inner in enumerate(value):
            yield from _wrong(inner, f"{where}[{place}]")


def _is_optional(model: type, name: str) -> bool:
    stated = next(_annotations(kind)[name] for kind in model.__mro__ if name in _annotations(kind))
    return "Optional" in str(stated) or "None" in str(stated)


def _annotations(kind: type) -> Mapping[str, Any]:
    return vars(kind).get("__annotations__", {})

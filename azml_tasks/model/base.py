"""What every part of the model shares: frozen, strict, no unknown key, and the names of its scalars."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

T = TypeVar("T")

Scalar = str | bool | int | float
# YAML gives lists; the model holds tuples. Strictness still applies to the items.
Sequence = Annotated[tuple[T, ...], Field(strict=False)]
Config = Mapping[str, Any]

_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}")


class Model(BaseModel):
    """A frozen part of pipeline.yaml, which refuses unknown keys and silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=())


def is_unresolved(value: str) -> bool:
    """Say whether the text still names a variable that was not set when the file was read."""
    return bool(_REFERENCE.search(value))


def named(rule: str, pattern: str) -> AfterValidator:
    """Hold a name to one of Azure's rules; `rule` is the sentence that a refusal ends with."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not is_unresolved(value) and not compiled.fullmatch(value):
            raise ValueError(f"{value!r} is no valid name: {rule}")
        return value

    return AfterValidator(check)


def refuse(*checks: tuple[Callable[[Any], bool], str]) -> AfterValidator:
    """Refuse a value that any of the checks finds, with its sentence."""

    def check(value: Any) -> Any:
        for found, sentence in checks:
            if found(value):
                raise ValueError(sentence)
        return value

    return AfterValidator(check)

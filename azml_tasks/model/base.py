"""What every part of the model shares: frozen, strict, no unknown key, and the names of its scalars."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidatorFunctionWrapHandler, WrapValidator

from azml_tasks.errors import shortened
from azml_tasks.model.written import WrittenFloat, WrittenInt

T = TypeVar("T")

Scalar = str | bool | int | float


def _as_written(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    # Pydantic makes a plain number of it.
    return value if isinstance(value, (WrittenInt, WrittenFloat)) else validate(value)


# A scalar that a script receives as text.
Argument = Annotated[Scalar, WrapValidator(_as_written)]
# YAML gives lists; the model holds tuples. Strictness still applies to the items.
Sequence = Annotated[tuple[T, ...], Field(strict=False)]
Config = Mapping[str, Any]

# A variable with a default never stays unresolved.
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
# What may stand around one in a name, whatever the rule: nothing that a path is made of. `$${A}` looks like one, too.
_AROUND_REFERENCES = re.compile(r"[\w. ()-]*")


class InvalidNameError(ValueError):
    """A name that breaks one of Azure's rules; `rule` is that rule as a sentence."""

    def __init__(self, name: str, rule: str) -> None:
        self.name = name
        self.rule = rule
        super().__init__(f"{shortened(repr(name))} is not a valid name: {rule}")


class MisfitError(ValueError):
    """Keys of one mapping that do not fit together; `key` is the one to look at."""

    def __init__(self, key: str, message: str) -> None:
        self.key = key
        super().__init__(message)


class Model(BaseModel):
    """A frozen part of pipeline.yaml, which refuses unknown keys and silent conversions."""

    # Deferred: only the whole pipeline is ever checked, so only its validator is made.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=(), defer_build=True)


def is_unresolved(value: str) -> bool:
    """Say whether the text still names a variable that was not set when the file was read."""
    return bool(_REFERENCE.search(value))


def named(rule: str, pattern: str) -> AfterValidator:
    """Hold a name to one of Azure's rules; `rule` is the sentence that a refusal ends with."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        is_open = is_unresolved(value) and _AROUND_REFERENCES.fullmatch(_REFERENCE.sub("", value))
        if not (is_open or compiled.fullmatch(value)):
            raise InvalidNameError(value, rule)
        return value

    return AfterValidator(check)

"""The base class of the model (frozen, strict, no unknown keys) and its scalar types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidatorFunctionWrapHandler, WrapValidator

from azml_tasks.model.written import WrittenFloat, WrittenInt
from azml_tasks.text import shortened

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

# A variable with a default is always resolved.
_REFERENCE = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"
_SHELL_STYLE = r"\$[A-Za-z_][A-Za-z0-9_]*"
# Allowed around a variable in any name: no characters of paths. `$${A}` looks like one, too.
_AROUND_REFERENCES = r"[\w. ()-]*"


class InvalidNameError(ValueError):
    """A name that breaks one of Azure's rules; `rule` describes the rule."""

    def __init__(self, name: str, rule: str) -> None:
        self.name = name
        self.rule = rule
        meant = f"; write ${{{name[1:]}}} for the variable" if re.fullmatch(_SHELL_STYLE, name) else ""
        super().__init__(f"{shortened(repr(name))} is not a valid name: {rule}{meant}")


class MisfitError(ValueError):
    """Incompatible keys of one mapping; `key` is the one to report."""

    def __init__(self, key: str, message: str) -> None:
        self.key = key
        super().__init__(message)


class Model(BaseModel):
    """A frozen part of pipeline.yaml, without unknown keys and silent conversions."""

    # Deferred: only the whole pipeline is ever checked, so only its validator is built.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=(), defer_build=True)


def is_unresolved(value: str) -> bool:
    """Return whether the text still contains a variable that was not set when the file was read."""
    return "${" in value and bool(re.search(_REFERENCE, value))


def named(rule: str, pattern: str) -> AfterValidator:
    """Check a name against one of Azure's rules; `rule` is the end of the error message."""

    def check(value: str) -> str:
        is_open = is_unresolved(value) and re.fullmatch(_AROUND_REFERENCES, re.sub(_REFERENCE, "", value))
        if not (is_open or re.fullmatch(pattern, value)):
            raise InvalidNameError(value, rule)
        return value

    return AfterValidator(check)

"""Numbers that keep their text from pipeline.yaml, and words that argparse treats as options."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TypeVar

# A negative number for argparse, before Python 3.14: no exponent, digits after a point.
_NEGATIVE_NUMBER = r"(?a)-\d+|-\d*\.\d+"

_Number = TypeVar("_Number", bound="_Written")


class _Written:
    """A number that keeps its text."""

    text: str

    def __new__(cls: type[_Number], text: str) -> _Number:
        """Read the number."""
        made = super().__new__(cls, text)  # type: ignore[call-arg]
        made.text = text
        return made

    def __reduce__(self) -> tuple[type[_Written], tuple[str]]:
        return type(self), (self.text,)


class WrittenInt(_Written, int):
    """A whole number whose text is the one in the file: `+5`, `007`."""

    def __str__(self) -> str:
        return self.text


class WrittenFloat(_Written, float):
    """A number whose text is the one in the file: `1e-5`, `0.10`; a negative one has no exponent, for argparse."""

    def __str__(self) -> str:
        return self.text if not looks_like_option(self.text) else number_text(float(self))


def argument_text(value: str | float) -> str:
    """Return a scalar as a command-line word."""
    return number_text(value) if type(value) is float else str(value)


def number_text(value: float) -> str:
    """Return a number as text that argparse does not treat as an option, if possible."""
    text = repr(value)
    return format(Decimal(text), "f") if looks_like_option(text) and math.isfinite(value) else text


def looks_like_option(word: str) -> bool:
    """Return whether argparse may treat the word as an option where a value is expected."""
    return len(word) > 1 and word.startswith("-") and not re.fullmatch(_NEGATIVE_NUMBER, word)

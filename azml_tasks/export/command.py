"""The command of a v2 component: text that a shell on the cluster runs, after v2 has put the values into it.

`${{inputs.x}}` becomes the value of the input, character by character ("CLI (v2) core YAML syntax"), so each stands
between apostrophes, and no value may hold one as it is. `$[[...]]` marks what v2 leaves out with an optional input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_HARMLESS = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
_MEANT_FOR_V2 = re.compile(r"\$(?=\{\{|\[\[)")


def word(text: str) -> str:
    """Return a text that the shell hands to the script as it is."""
    if _HARMLESS.fullmatch(text):
        return text
    # What v2 would read as an expression is broken up for it; to the shell, '' in a word is nothing.
    unread = _MEANT_FOR_V2.sub("$''", inside(text))
    return f"'{unread}'"


def inside(text: str) -> str:
    """Return a text as it has to stand between apostrophes; the shell joins what the middle three break up."""
    return text.replace("'", "'\\''")


def json_inside(value: Mapping[str, Any]) -> str:
    r"""Return a JSON object that can stand between apostrophes.

    What would end them, or be an expression, is written `\u0027` and `\u0024`, which only stands inside JSON's texts
    and which every reader of JSON takes for the same.
    """
    return _MEANT_FOR_V2.sub(r"\\u0024", json.dumps(value).replace("'", "\\u0027"))


def input_of(name: str) -> str:
    """Return the word that v2 replaces by an input."""
    return f"'${{{{inputs.{name}}}}}'"


def output_of(name: str) -> str:
    """Return the word that v2 replaces by the path of an output."""
    return f"'${{{{outputs.{name}}}}}'"

"""Render the first version of a step's script, and check the names of steps and datasets.

The Copier template at the root of the repository includes the same Jinja sources, so `copier copy` and
`invoke new-step` write the same script.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def render_stub(step: str, datasets: Sequence[str] = ()) -> str:
    """Return the script of a step that reads the datasets and passes its data to the next step."""
    return _environment().get_template("step.py.jinja").render(step=step, datasets=datasets)


def step_name_problem(name: str) -> str:
    """Return a short message on why the name is not valid for a step and its script; empty if it is valid."""
    return _problem("step_problem", name)


def dataset_name_problem(name: str) -> str:
    """Return a short message on why the name is not valid for a dataset; empty if it is valid."""
    return _problem("dataset_problem", name)


def _problem(macro: str, name: str) -> str:
    return str(getattr(_environment().get_template("names.jinja").module, macro)(name))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader  # imported late, because it is slow and only needed here

    # The text is Python, not HTML: escaping would break it.
    return Environment(loader=FileSystemLoader(Path(__file__).parent), keep_trailing_newline=True)  # noqa: S701

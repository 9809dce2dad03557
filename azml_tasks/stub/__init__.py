"""The first version of a step's script, and which names a step or a dataset can have.

The Copier template at the root of the repository includes the same Jinja sources, so a step that `copier copy`
writes and one that `invoke new-step` writes are the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def render_stub(step: str, datasets: Sequence[str] = ()) -> str:
    """Return the script of a step that reads the datasets and passes its data along."""
    return _environment().get_template("step.py.jinja").render(step=step, datasets=datasets)


def step_name_problem(name: str) -> str:
    """Return in a few words why no step, and no script of one, should have the name; empty when it may."""
    return _problem("step_problem", name)


def dataset_name_problem(name: str) -> str:
    """Return in a few words why no dataset should have the name; empty when it may."""
    return _problem("dataset_problem", name)


def _problem(macro: str, name: str) -> str:
    return str(getattr(_environment().get_template("names.jinja").module, macro)(name))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader  # only who writes a step pays for it

    # The text is Python, not HTML: escaping would break it.
    return Environment(loader=FileSystemLoader(Path(__file__).parent), keep_trailing_newline=True)  # noqa: S701

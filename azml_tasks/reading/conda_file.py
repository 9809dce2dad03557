"""A conda file, whose reading is bounded as that of pipeline.yaml is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.reading.environment_files import environment_text
from azml_tasks.reading.tree import TreeError, parse_tree


def read_conda(directory: Path, name: str, loader: type[yaml.SafeLoader | yaml.BaseLoader]) -> dict[str, Any]:
    """Return the content of a conda file, which has a list of `dependencies`.

    Raises ProjectError for a file that cannot be read, or is none.
    """
    text = environment_text(directory, name)
    try:
        parse_tree(text)
    except TreeError as error:
        raise ProjectError([Problem(name, error.line, error.message)]) from None
    content = yaml.load(text, Loader=loader)  # noqa: S506 - one of the two that make no objects
    if not isinstance(content, dict) or not isinstance(content.get("dependencies"), list):
        raise ProjectError([Problem(name, 0, "is no conda file: it has no list of `dependencies`")])
    return content

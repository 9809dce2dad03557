"""Handle unset variables of pipeline.yaml in an export.

The files get the text of pipeline.yaml, such as `${AZURE_STORAGE_ACCOUNT}`, as a placeholder, and a remark names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from azml_tasks.errors import Problem
from azml_tasks.model.base import is_unresolved
from azml_tasks.reading import Project
from azml_tasks.reading.messages import described
from azml_tasks.reading.validation import names_files
from azml_tasks.reading.values import Missing, resolve

# Keys that are not text in pipeline.yaml, and that the export writes unchanged.
_AS_WRITTEN = {
    "computes": ("vm_priority", "min_nodes", "max_nodes", "idle_seconds_before_scaledown"),
    "schedule": ("interval",),
    "steps": ("max_run_duration_seconds",),
}
# Keys that no file of the export has.
_NOT_WRITTEN = (("datasets", "local_path"), ("publish", "description"))


def with_placeholders(project: Project, *sections: str) -> Project:
    """Return the project with a placeholder for each value of these top-level keys that is not known.

    Raises ProjectError for the name of a file that is not known, since the export needs the file.
    """
    missing = project.missing(*sections)
    project.refuse_unset(item for item in missing if names_files(item.path))
    pipeline = project.pipeline
    for item in missing:
        if _is_added(project, item):
            section, *keys, field = map(str, item.path)
            place = getattr(pipeline, section)
            changed = (place[keys[0]] if keys else place).model_copy(update={field: _placeholder(project, item)})
            pipeline = pipeline.model_copy(update={section: {**place, keys[0]: changed} if keys else changed})
    return replace(project, pipeline=pipeline)


def unset_remarks(project: Project, *sections: str) -> Iterator[Problem]:
    """Yield a remark for each value of these top-level keys that is not known."""
    for item in project.missing(*sections):
        if (item.path[0], item.path[-1]) in _NOT_WRITTEN:
            continue
        owner, key = described(item.path)
        prefix = f"{owner}: " if owner else ""
        remedy = f"set {item.variable} in the environment or in .env and export again"
        if _is_kept(project, item) or _is_added(project, item):
            done = f"the files contain ${{{item.variable}}} instead; write the value there, or {remedy}"
        else:
            done = f"the files do not contain this key; {remedy}"
        message = f"{prefix}{key} needs {item.variable}, which is not set: {done}"
        yield Problem(project.file.name, item.line, message)


def _is_kept(project: Project, item: Missing) -> bool:
    """Return whether the value is a text, which the pipeline has as it is written."""
    value: Any = project.values.data
    try:
        for part in item.path:
            value = value[part]
    except (IndexError, KeyError, TypeError):
        return False  # It, or its container, was removed.
    return isinstance(value, str) and is_unresolved(value)


def _is_added(project: Project, item: Missing) -> bool:
    """Return whether the pipeline cannot contain the value, but its text can be written anyway."""
    section, *keys = map(str, item.path)
    if not keys or keys[-1] not in _AS_WRITTEN.get(section, ()):
        return False
    *above, _ = keys
    place = getattr(project.pipeline, section)
    # One key leads to a step or a compute, and none to the schedule, which may have been taken out.
    is_there = place is not None and (above[0] in place if above else True)
    return len(above) < 2 and is_there and not _is_kept(project, item)


def _placeholder(project: Project, item: Missing) -> str:
    node = project.values.root
    for part in item.path:
        node = node.value[part]  # type: ignore[index]
    return resolve(str(node.value), project.variables).text

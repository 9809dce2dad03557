"""Notes on what a project names that is retired, or will be: for `validate` what is near, for `doctor` all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from azml_tasks.checks.retirement.announced import Retirement, of_image, of_priority, of_python, of_size
from azml_tasks.errors import Problem
from azml_tasks.reading import Project
from azml_tasks.reading.tree import TreeError, parse_tree, read_text

# What is retired within so many days is a note of `validate`.
_NEAR = 365
_PYTHON = re.compile(r"(?:\S*::)?python\s*(?:={1,2}|\s|~=)\s*(\d+\.\d+)")
_FROM = re.compile(r"\s*FROM\s+(?:--platform=\S+\s+)?(\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class RetirementNote:
    """A retirement that concerns a place of the project, in a sentence."""

    retirement: Retirement
    problem: Problem
    is_over: bool


def near_notes(project: Project, today: date) -> list[RetirementNote]:
    """Return what is retired, or will be within a year; without the Pythons of the SDK v1, of which doctor speaks."""
    return [
        note
        for note in retirement_notes(project, today)
        if (note.retirement.day - today).days <= _NEAR and not note.retirement.of_sdk_v1
    ]


def retirement_notes(project: Project, today: date) -> Iterator[RetirementNote]:
    """Yield all that is retired or announced to be, in the order of the file."""
    for name, compute in project.pipeline.computes.items():
        found = [("vm_size", of_size(compute.vm_size)), ("vm_priority", of_priority(compute.vm_priority))]
        for key, retirement in found:
            if retirement:
                place = project.problem(("computes", name, key), f"compute '{name}': ")
                yield _note(place, retirement, today, "its nodes do not start" if key == "vm_size" else "")
    for name in project.pipeline.environments:
        for version, place in _pythons(project, name):
            if retirement := of_python(version, on_v2=project.pipeline.backend == "azure-v2"):
                yield _note(place, retirement, today)
        for image, place in _images(project, name):
            if retirement := of_image(image):
                yield _note(place, retirement, today)


def _note(place: Problem, retirement: Retirement, today: date, effect: str = "") -> RetirementNote:
    is_over = retirement.day <= today
    what, day = retirement.what, retirement.day
    if what.startswith(("Python", "Ubuntu")):
        sentence = (
            f"{what} {'has had' if is_over else 'will have'} no security fixes {'since' if is_over else 'from'} {day}"
        )
    elif is_over:
        sentence = f"{what} was retired on {day}{f', so {effect}' if effect else ''}"
    else:
        sentence = f"{what} will be retired on {day}"
    text = f"{place.message}{sentence}; use {retirement.successor} ({retirement.source})"
    return RetirementNote(retirement, Problem(place.file, place.line, text), is_over)


def _pythons(project: Project, name: str) -> Iterator[tuple[str, Problem]]:
    """Yield the versions of Python that an environment names, with their places."""
    environment = project.pipeline.environments[name]
    start = f"environment '{name}': "
    if environment.python_version:
        yield environment.python_version, project.problem(("environments", name, "python_version"), start)
    for index, package in enumerate(environment.conda_packages):
        if match := _PYTHON.match(package):
            yield match[1], project.problem(("environments", name, "conda_packages", index), start)
    if environment.conda_file:
        for line, package in _conda_packages(project, environment.conda_file):
            if match := _PYTHON.match(package):
                yield match[1], Problem(environment.conda_file, line, start)


def _conda_packages(project: Project, file: str) -> Iterator[tuple[int, str]]:
    """Yield the packages of a conda file with their lines; nothing if it cannot be read, which is another check."""
    try:
        root = parse_tree(read_text(project.directory / file)).value
    except TreeError:
        return
    listed = root.get("dependencies") if isinstance(root, dict) else None
    for item in listed.value if listed is not None and isinstance(listed.value, list) else ():
        if isinstance(item.value, str):
            yield item.line, item.value


def _images(project: Project, name: str) -> Iterator[tuple[str, Problem]]:
    """Yield the images that an environment starts from, with their places."""
    environment = project.pipeline.environments[name]
    start = f"environment '{name}': "
    if environment.base_image:
        yield environment.base_image, project.problem(("environments", name, "base_image"), start)
    if environment.dockerfile:
        try:
            lines = read_text(project.directory / environment.dockerfile).splitlines()
        except TreeError:
            return
        for number, line in enumerate(lines, start=1):
            if match := _FROM.match(line):
                yield match[1], Problem(environment.dockerfile, number, start)

"""Registered datasets on disk: `<datasets>/<name>/<version>.json`, with paths that move with the project."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

# Placeholder for the project's folder in records, so that the project can be moved.
PROJECT = "${project}"


def folder_of(datasets: str, name: str) -> str:
    """Return the folder of a dataset's versions; a name may contain characters that a folder name cannot."""
    from urllib.parse import quote

    return os.path.join(datasets, quote(str(name), safe=" ").replace(".", "%2E"))


def names(datasets: str) -> list[str]:
    """Return the names of the datasets in a folder, which exists."""
    from urllib.parse import unquote

    return list(map(unquote, os.listdir(datasets)))


def versions(folder: str) -> Iterator[tuple[int, str]]:
    """Yield the numbers and the files of a dataset's versions."""
    for file in os.listdir(folder) if os.path.isdir(folder) else []:
        stem, extension = os.path.splitext(file)
        if extension == ".json" and stem.isdecimal():
            yield int(stem), os.path.join(folder, file)


def add_version(folder: str, version: int, write: Callable[[str], None]) -> int:
    """Write a version's file under the first number that is free from `version` on; returns the number.

    `write` writes it to the path that it is given. Raises OSError.
    """
    import time

    partial = os.path.join(folder, f".{os.getpid()}.{time.monotonic_ns()}")
    write(partial)
    try:
        while True:
            try:
                os.link(partial, os.path.join(folder, f"{version}.json"))
            except FileExistsError:
                version += 1
            else:
                return version
    finally:
        os.unlink(partial)


def portable(path: str, project: str) -> str:
    """Return a path as it is recorded: with a placeholder for the project's folder, if it is in it."""
    return PROJECT + path[len(project) :] if path.startswith(os.path.join(project, "")) else path


def of_project(path: str, project: str) -> str:
    """Return a recorded path in the project's present folder."""
    return project + path[len(PROJECT) :] if path.startswith(PROJECT) else path

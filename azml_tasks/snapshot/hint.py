"""Say which `include` mends a step that did not find a file of the project."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from azml_tasks.errors import closest
from azml_tasks.snapshot.import_folders import import_folders
from azml_tasks.snapshot.modules import Located, Modules
from azml_tasks.snapshot.package_hint import missing_module
from azml_tasks.snapshot.snapshot import Snapshot

# Given a module's name, and one like it.
Lacking = Callable[[str, str | None], str | None]

_FILE = re.compile(r"^FileNotFoundError: .*?'([^'\n]+)'", re.MULTILINE)


def missing_hint(
    log_tail: str,
    snapshot: Snapshot,
    project_dir: str | Path,
    script_directory: str,
    working_directory: str | Path,
    lacking: Lacking = lambda module, meant: None,
) -> str | None:
    """Return a sentence when what the script did not find lies in the project, else None.

    `log_tail` is the end of the step's log, where its traceback stands; the last error in it counts. `lacking` gives
    the sentence for a module that the project does not have, of which it may have one with a name like it.
    """
    project = os.path.abspath(project_dir)
    directory = os.path.normpath(os.path.join(project, script_directory))
    folders = tuple(dict.fromkeys((directory, project, *import_folders(project))))
    module = missing_module(log_tail)
    files = list(_FILE.finditer(log_tail))
    if module and (not files or module.start() > files[-1].start()):
        return _about_module(module[1], snapshot, folders, lacking)
    if files:
        return _about_file(files[-1][1], snapshot, folders, project, os.path.abspath(working_directory))
    return None


def _about_module(name: str, snapshot: Snapshot, folders: tuple[str, ...], lacking: Lacking) -> str | None:
    module = Modules(tuple(map(Located, folders))).find(name)
    if module is None:
        return lacking(name, closest(name, _modules_in(folders)))
    if module.file and module.file.place in snapshot.files:
        return None
    place = module.folders[0].place if module.folders else module.file.place if module.file else ""
    pattern = f"{place}/**" if module.folders else place
    return (
        f"module '{name}' is in the project, but nothing that the script imports names it: "
        f"add `include: [{_quoted(pattern)}]` to the step"
    )


def _modules_in(folders: Iterable[str]) -> Iterator[str]:
    for folder in folders:
        yield from sorted(file.stem for file in Path(folder).glob("*.py"))


def _about_file(
    name: str, snapshot: Snapshot, folders: tuple[str, ...], project: str, working_directory: str
) -> str | None:
    relative = os.path.relpath(os.path.join(working_directory, name), working_directory)
    for folder in folders:
        path = os.path.normpath(os.path.join(folder, relative))
        inside = os.path.relpath(path, project)
        if not os.path.exists(path) or inside.split(os.sep)[0] in (os.curdir, os.pardir):
            continue
        place = os.path.relpath(path, folder).replace(os.sep, "/")
        if place in snapshot.files:
            return None  # It was there: the script looked from another working directory.
        # Relative to the folder in which it was found, or to the first one that holds it.
        base = next(base for base in (folders[0], folder, project) if path.startswith(os.path.join(base, "")))
        pattern = os.path.relpath(path, base).replace(os.sep, "/")
        opened = "" if pattern == place else f", and open it as '{pattern}'"
        return (
            f"'{name}' is in the project, but not in the step's snapshot: "
            f"add `include: [{_quoted(pattern)}]` to the step{opened}"
        )
    return None


def _quoted(pattern: str) -> str:
    return f'"{pattern}"' if "*" in pattern or " " in pattern else pattern

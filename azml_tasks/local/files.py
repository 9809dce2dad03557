"""The files of a local run, for downloads: the same names as on Azure ML."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.local.store.records import LocalRunRecord
from azml_tasks.runs.results.download import StoredFile
from azml_tasks.snapshot.files import leads_out
from azml_tasks.standin.azml_local.formats.copies import copy_file

# Where Azure ML has what a script printed.
_LOG = "user_logs/std_log.txt"


def stored_files(record: LocalRunRecord, step: str | None, say: Callable[[str], None]) -> Iterator[StoredFile]:
    """Yield the files of a run, or of one step: those of its own run and of child runs, output folders, the log.

    `say` gets a sentence about each step whose files were deleted.
    """
    project = ProjectPaths.holding(record.places).project
    if step is None:
        yield from _below(record.places.parent / "artifacts", "", "", project)
    for one in record.steps:
        if step in (None, one.key):
            places = one.places
            if one.ok and not places.log.exists():
                say(f"step '{one.key}': its files were deleted by runs.prune")
            yield from _below(places.artifacts, one.key, "", project)
            yield from _below(places.root / "outputs", one.key, "", project)
            for child in sorted(places.root.glob("children/[0-9]*"), key=lambda path: (len(path.name), path.name)):
                yield from _below(child / "artifacts", one.key, f"children/{child.name}/", project)
            if places.log.is_file() and not leads_out(places.log, project):
                yield _stored(places.log, one.key, _LOG)


def _below(folder: Path, step: str, prefix: str, project: Path) -> Iterator[StoredFile]:
    return (_stored(path, step, prefix + name) for name, path in below(folder, project))


def below(folder: Path, project: Path) -> Iterator[tuple[str, Path]]:
    """Yield the names and the paths of the files in a folder, except for links out of the project."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file() and not leads_out(path, project):
                yield path.relative_to(folder).as_posix(), path


def _stored(path: Path, step: str, name: str) -> StoredFile:
    return StoredFile(step, name, lambda target: copy_file(str(path), str(target)))

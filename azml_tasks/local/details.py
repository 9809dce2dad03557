"""Everything that is known of a local run, read from its folder, and its files for downloads."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from azml_tasks.local.store.files import open_file, read_lines
from azml_tasks.local.store.paths import ProjectPaths, StepPaths
from azml_tasks.local.store.records import LocalRunRecord, LocalStepRecord
from azml_tasks.local.store.results import store_of
from azml_tasks.runs.details import (
    FILES_IN,
    OF_PYTHON,
    VARIABLE,
    Log,
    Reading,
    Registered,
    RunDetails,
    RunFile,
    StepDetails,
)
from azml_tasks.runs.origin import StepOrigin
from azml_tasks.runs.results.download import StoredFile
from azml_tasks.snapshot.files import leads_out
from azml_tasks.standin.azml_local.formats.copies import copy_file

# The end of a log that is read (bytes), and the largest log whose lines are counted.
_TAIL = 1 << 18
_LONGEST_COUNTED = 1 << 26
# The most files of a folder that are listed.
_MOST_FILES = 500
# The words of questions that are answered by the content of something on the disk.
_OF_PATHS = ("file", "each", "tree", "list", "sizes", "times", "kind", "link", "size", "time")
_OF_FOLDERS = ("list", "sizes", "times")
_PLACESOF_PYTHON = re.compile(r"(^|/)(site-packages|dist-packages|lib(64)?/python3[\d.]*|\.azml/envs)(/| \(|$)")
_PREFIXES = tuple(
    f"{prefix.replace(os.sep, '/')}/" for prefix in {sys.prefix, sys.base_prefix} - {"/", "/usr", "/usr/local"}
)
_LINK = " (link)"
# Where Azure ML has what a script printed.
_LOG = "user_logs/std_log.txt"
_WORDS = {"env": VARIABLE, "secret": "secret", "fact": "setting", "run": "recorded by", "there": "recorded by"}


def run_details(record: LocalRunRecord, *, with_logs: bool) -> RunDetails:
    """Return everything that is known of a run; of the logs only `with_logs`."""
    layout = ProjectPaths.holding(record.places)
    provenance = record.provenance()
    known = store_of(layout).results
    return RunDetails(
        run=record,
        provenance=provenance,
        steps=tuple(
            _step(step, provenance.steps.get(step.key, StepOrigin()), layout, known.get(step.key, ()), with_logs)
            for step in record.steps
        ),
        metrics=record.metrics(),
        tags=record.recorded_tags(),
        files=tuple(_files(record.places.parent / "artifacts", layout)),
    )


def _step(
    record: LocalStepRecord, origin: StepOrigin, layout: ProjectPaths, results: Iterable[Mapping[str, Any]], logs: bool
) -> StepDetails:
    places = record.places
    models, datasets = _registered(places, layout)
    result = next((one for one in results if one["run_id"] == record.producer), None) if record.ok else None
    return StepDetails(
        record=record,
        origin=origin,
        # Without the place of the project, which says nothing to others.
        arguments=tuple(word.replace(f"{layout.project}{os.sep}", "") for word in record.argv),
        metrics=record.metrics(),
        tags=record.recorded_tags(),
        files=tuple(_files(places.artifacts, layout)),
        outputs=tuple(_files(places.root / "outputs", layout)),
        models=models,
        datasets=datasets,
        log=_log(places.log) if logs else Log(),
        error="\n\n".join(filter(None, [record.detail, record.hint])),
        reading=_reading(result, origin),
    )


def _files(folder: Path, layout: ProjectPaths) -> Iterator[RunFile]:
    """Yield the files in a folder of .azml, except for links out of the project."""
    if folder.is_symlink() or leads_out(folder, layout.project):
        return
    count = 0
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            count += 1
            if count > _MOST_FILES:
                return
            if not leads_out(path, layout.project):
                yield RunFile(path.relative_to(folder).as_posix(), _size(path), str(path), _reader(path))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _reader(path: Path) -> Any:
    def read(most: int) -> bytes | None:
        try:
            with open_file(path) as file:
                data = file.read(most + 1)
        except OSError:
            return None
        return data if len(data) <= most else None

    return read


def _registered(places: StepPaths, layout: ProjectPaths) -> tuple[tuple[Registered, ...], tuple[Registered, ...]]:
    """Return the models and the datasets that a step registered."""
    models, datasets = {}, {}
    for line in read_lines(places.root / "reads.jsonl"):
        path = Path(str(line.get("path", "")))
        kind = path.parent.parent
        if kind == layout.models:
            models[f"{path.parent.name} version {path.name}"] = str(path)
        elif kind == layout.root / "datasets":
            datasets[f"{path.parent.name} version {path.stem}"] = ""
    return tuple(Registered(*one) for one in models.items()), tuple(Registered(*one) for one in datasets.items())


def _log(path: Path) -> Log:
    try:
        with open_file(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            data = file.read()
            if size > _TAIL:
                data = data.partition(b"\n")[2] or data
            count = data.count(b"\n") if size <= _TAIL else _lines_in(file) if size <= _LONGEST_COUNTED else 0
    except OSError:
        return Log()
    return Log(data.decode("utf-8", "replace"), count)


def _lines_in(file: Any) -> int:
    file.seek(0)
    return sum(piece.count(b"\n") for piece in iter(lambda: file.read(_TAIL), b""))


def _reading(result: Mapping[str, Any] | None, origin: StepOrigin) -> Reading:
    """Return what a result depends on; of a step without a stored result the files of its snapshot."""
    if result is None:
        return Reading(files=origin.files)
    found = result["fingerprint"]
    inputs = {name: str(one.get("content", "")) for name, one in found["inputs"].items() if isinstance(one, dict)}
    reads: dict[str, str] = {}
    for question, answer in sorted(result.get("reads", {}).items()):
        subject = _subject(question)
        if "__pycache__" in subject:
            continue  # written by Python whenever it imports
        if _is_of_python(subject):
            subject = OF_PYTHON
        # The names, sizes and times of the files in a folder are one read.
        is_more = subject in reads and subject.startswith((FILES_IN, OF_PYTHON))
        reads[subject] = _digest(reads[subject], str(answer)) if is_more else str(answer)
    return Reading(inputs, {name: str(digest)[:16] for name, digest in found["files"].items()}, reads)


def _is_of_python(subject: str) -> bool:
    """Return whether a file or folder belongs to a Python or to installed packages, which are compared by version."""
    path = subject.removeprefix(FILES_IN)
    if _PLACESOF_PYTHON.search(path) or f"{path}/".startswith(_PREFIXES):
        return True
    # Where the folders above it lead.
    return path.endswith(_LINK) and any(prefix.startswith(path.removesuffix(_LINK) + "/") for prefix in _PREFIXES)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _subject(question: str) -> str:
    """Return what a question of the recorded reads is about: `data/a.csv`, `files in data`, `variable MODE`."""
    kind, _, subject = question.partition(":")
    if kind in _OF_PATHS:
        path = subject.replace(os.sep, "/")
        if kind in _OF_FOLDERS:
            return f"{FILES_IN}{path}"
        return path if kind in ("file", "each", "tree", "kind") else f"{path} ({kind})"
    return f"{_WORDS.get(kind, kind)} {subject}".strip()


def stored_files(record: LocalRunRecord, step: str | None, say: Callable[[str], None]) -> Iterator[StoredFile]:
    """Yield the files of a run, or of one step, with their names on Azure ML: those of its own run and of child runs,
    output folders, the log.

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

"""Repeat the effects of a reused step besides its outputs: on the pipeline's run and the project's registries."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from azml_tasks.local.store.contents import HashCache
from azml_tasks.local.store.files import read_json, read_lines, remove_tree, write_json
from azml_tasks.local.store.paths import ProjectPaths, RunPaths, StepPaths
from azml_tasks.local.store.results import Result
from azml_tasks.snapshot.files import leads_out
from azml_tasks.standin.azml_local.formats.copies import copy_file

# As the stand-in for azureml names it (azml_local/run/folders.py): what a step did to the pipeline's run, in its order.
_ON_PARENT = "on_parent.jsonl"
# Copies of what the step registered, and of the files that it added to the pipeline's run.
_REGISTERED = "registered"
_FILES = "on_parent"
_DELETED = ".deleted"


def keep_what_it_did(places: StepPaths, run: RunPaths, layout: ProjectPaths) -> list[str]:
    """Copy what the step added to the pipeline's run and registered; return what it registered, relative to the
    project.

    Raises OSError.
    """
    for line in read_lines(places.root / _ON_PARENT):
        name = line.get("artifact")
        if isinstance(name, str):
            _copy_below(run.parent / "artifacts", places.root / _FILES, name)
    registered: list[str] = []
    for line in read_lines(places.root / "reads.jsonl"):
        path = Path(str(line.get("path", "")))
        with contextlib.suppress(ValueError):
            name = str(path.relative_to(layout.root))
            if path.exists() and name not in registered:
                _copy(path, places.root / _REGISTERED / str(len(registered)))
                registered.append(name)
    return registered


def replay(places: StepPaths, run: RunPaths) -> None:
    """Apply to the current pipeline run what the step did to its own.

    Raises OSError.
    """
    lines = read_lines(places.root / _ON_PARENT)
    records: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        if isinstance(line.get("record"), dict) and isinstance(line.get("file"), str):
            records.setdefault(os.path.basename(line["file"]), []).append(line["record"])
        elif isinstance(line.get("described"), dict):
            description = run.parent / "description.json"
            write_json(description, {**(read_json(description) or {}), **line["described"]})
        elif isinstance(line.get("artifact"), str):
            _copy_below(places.root / _FILES, run.parent / "artifacts", line["artifact"])
    for name, found in records.items():
        run.parent.mkdir(parents=True, exist_ok=True)
        with open(run.parent / name, "ab") as file:
            file.write(b"".join(json.dumps(record).encode() + b"\n" for record in found))


def register_again(result: Result | None, layout: ProjectPaths, contents: HashCache) -> None:
    """Restore what a step registered and was removed or damaged since, unless it exists as another version.

    Raises OSError.
    """
    if result is None:
        return
    for number, name in enumerate(result.registered):
        target, kept = layout.root / name, result.places.root / _REGISTERED / str(number)
        if leads_out(target, layout.root):
            continue
        if not kept.exists():
            continue
        if _is_same(target, kept):
            if not _has_same_content(target, kept, contents):
                _put_back(kept, target)
        elif not _is_there(target.parent, kept, contents):
            _copy(kept, _free(target))


def lost_registration(places: StepPaths, registered: Iterable[str], layout: ProjectPaths) -> str:
    """Return the first registered item that is gone and cannot be restored, because its copy is damaged; or nothing."""
    for number, name in enumerate(registered):
        if not _is_readable(layout.root / name) and not _is_readable(places.root / _REGISTERED / str(number)):
            return name
    return ""


def _is_there(folder: Path, kept: Path, contents: HashCache) -> bool:
    """Return whether another version has the same content."""
    with contextlib.suppress(OSError):
        wanted = _content(kept, contents)
        versions = [path for path in folder.iterdir() if path.stem.isdecimal() and not path.name.endswith(_DELETED)]
        return any(_is_readable(path) and _content(path, contents) == wanted for path in versions)
    return False


def _is_same(path: Path, kept: Path) -> bool:
    """Return whether it is still what the step registered, by its record."""
    with contextlib.suppress(OSError):
        now, then = _record(path), _record(kept)
        keys = ("file", "created_time", "id", "definition")
        return _is_readable(path) and all(now.get(key) == then.get(key) for key in keys)
    return False


def _has_same_content(path: Path, kept: Path, contents: HashCache) -> bool:
    with contextlib.suppress(OSError):
        return _content(path, contents) == _content(kept, contents)
    return False


def _put_back(kept: Path, target: Path) -> None:
    """Replace a version whose files were edited or deleted by its copy."""
    aside = target.with_name(f".{os.getpid()}.{target.name}.damaged")
    os.rename(target, aside)
    _copy(kept, target)
    remove_tree(aside)


def _is_readable(path: Path) -> bool:
    """Return whether a version of a model or a dataset has a record that is not damaged."""
    record = _record(path)
    texts = ("file", "created_time") if path.is_dir() else ("id",)
    pairs = all(isinstance(record.get(key) or {}, dict) for key in ("tags", "properties"))
    return pairs and all(isinstance(record.get(key), str) for key in texts)


def _record(path: Path) -> dict[str, Any]:
    return read_json(path / "model.json" if path.is_dir() else path) or {}


def _content(path: Path, contents: HashCache) -> object:
    """Return the content of a version without its description: the files of a model, the definition of a dataset."""
    if path.is_dir():
        return contents.digest(path / "files")
    return _record(path).get("definition")


def _free(target: Path) -> Path:
    """Return the path of the version, or of the next number where that one was deleted or damaged."""
    if not target.exists() and not target.with_name(f"{target.name}{_DELETED}").exists():
        return target
    used = [name.partition(".")[0] for name in os.listdir(target.parent)]
    return target.with_name(f"{max(int(name) for name in used if name.isdecimal()) + 1}{target.suffix}")


def _copy_below(source: Path, target: Path, name: str) -> None:
    """Copy what has that name in one folder to another, unless the name leads out of either."""
    if not leads_out(source / name, source) and not leads_out(target / name, target):
        _copy(source / name, target / name)


def _copy(source: Path, target: Path) -> None:
    """Copy a file or folder atomically."""
    if not source.exists() or target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{os.getpid()}.{target.name}.partial")
    try:
        if source.is_dir():
            shutil.copytree(source, partial, copy_function=copy_file)
        else:
            copy_file(str(source), str(partial))
        os.rename(partial, target)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        partial.unlink(missing_ok=True)
        raise

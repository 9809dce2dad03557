"""Do again what a reused step did besides its outputs: on the pipeline's run, and to the registries of the project."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from azml_tasks.local.files import read_json, read_lines, write_json
from azml_tasks.local.layout import Layout, RunPlaces, StepPlaces
from azml_tasks.local.reuse.contents import Contents
from azml_tasks.snapshot.links import leads_out
from azml_tasks.standin.azml_local.formats.copies import copy_file

# As the stand-in for azureml names it (azml_local/folders.py): what a step did to the pipeline's run, in its order.
_ON_PARENT = "on_parent.jsonl"
# Copies of what the step registered, and of the files that it added to the pipeline's run.
_REGISTERED = "registered"
_FILES = "on_parent"
_DELETED = ".deleted"


def keep_what_it_did(places: StepPlaces, run: RunPlaces, layout: Layout) -> list[str]:
    """Copy what the step added to the pipeline's run and registered; return what it registered, from the project on.

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


def replay(places: StepPlaces, run: RunPlaces) -> None:
    """Do to the pipeline's run of now what the step did to that of its own.

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


def register_again(places: StepPlaces, registered: Iterable[str], layout: Layout, contents: Contents) -> None:
    """Put back what the step registered and what was removed since, unless the same is there as another version.

    Raises OSError.
    """
    for number, name in enumerate(registered):
        target, kept = layout.root / name, places.root / _REGISTERED / str(number)
        if leads_out(target, layout.root):
            continue
        if not target.exists() and kept.exists() and not _is_there(target.parent, kept, contents):
            _copy(kept, _free(target))


def _is_there(folder: Path, kept: Path, contents: Contents) -> bool:
    """Say whether another version has the same content."""
    with contextlib.suppress(OSError):
        wanted = _content(kept, contents)
        versions = [path for path in folder.iterdir() if path.stem.isdigit() and not path.name.endswith(_DELETED)]
        return any(_content(path, contents) == wanted for path in versions)
    return False


def _content(path: Path, contents: Contents) -> object:
    """Return the content of a version, whatever it is described as: the files of a model, what a dataset is made of."""
    if path.is_dir():
        return contents.digest(path / "files")
    return (read_json(path) or {}).get("definition")


def _free(target: Path) -> Path:
    """Return the path of the version, or of the next number where that one was deleted and is not used again."""
    if not target.with_name(f"{target.name}{_DELETED}").exists():
        return target
    used = [name.partition(".")[0] for name in os.listdir(target.parent)]
    return target.with_name(f"{max(int(name) for name in used if name.isdigit()) + 1}{target.suffix}")


def _copy_below(source: Path, target: Path, name: str) -> None:
    """Copy what has that name in one folder to another, unless the name leads out of either."""
    if not leads_out(source / name, source) and not leads_out(target / name, target):
        _copy(source / name, target / name)


def _copy(source: Path, target: Path) -> None:
    """Copy a file or folder; whoever looks sees it whole or not at all."""
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

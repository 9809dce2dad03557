"""JSON files that a reader sees whole or not at all, whenever the writer is killed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

_serial = count()
# Levels of folders that every Python's shutil can delete.
_DEEP = 100


def write_json(path: Path, value: object) -> None:
    """Replace the file in one step, making its folder when that is gone.

    Nothing is forced to the disk: a killed process leaves whole files, a power cut may leave an empty one.
    Raises OSError.
    """
    text = json.dumps(value, separators=(",", ":"))
    partial = f"{path}.{os.getpid()}.{next(_serial)}.partial"
    try:
        _write(partial, text)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(partial, text)
    try:
        os.replace(partial, path)
    except OSError:
        os.unlink(partial)
        raise


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        if os.path.exists(path):
            os.unlink(path)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object that the file holds; None when there is no such file, or it holds none.

    Raises OSError when the file is there and cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file with one a line; a line that was cut off is left out."""
    try:
        lines = path.read_bytes().split(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = []
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def remove_tree(path: Path) -> None:
    """Delete a folder and all in it, read-only parts too; one that is gone is fine.

    Raises OSError.
    """

    def allow(function: Callable[[str], object], name: str, error: Any) -> None:
        # shutil hands over the exception itself or, before Python 3.12, its sys.exc_info().
        if isinstance(error[1] if isinstance(error, tuple) else error, FileNotFoundError):
            return
        os.chmod(os.path.dirname(name), stat.S_IRWXU)
        if not os.path.islink(name):
            os.chmod(name, stat.S_IRWXU)
        if function in (os.unlink, os.rmdir):
            function(name)
        else:
            remove_tree(Path(name))

    if _is_folder(path):
        handler: dict[str, Any] = {"onexc" if sys.version_info >= (3, 12) else "onerror": allow}
        _flatten(path)
        shutil.rmtree(path, **handler)
    else:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()


def merge_tree(source: Path, target: Path) -> None:
    """Move what is in a folder into another one of the same disk, over what is there.

    Raises OSError.
    """
    if not target.exists():
        _move(source, target)
        return
    for name in os.listdir(source):
        moved, place = source / name, target / name
        if _is_folder(moved) and _is_folder(place):
            merge_tree(moved, place)
        else:
            remove_tree(place)
            _move(moved, place)


def _move(source: Path, target: Path) -> None:
    """Rename a file or folder, also one that may not be written to."""
    try:
        os.rename(source, target)
    except PermissionError:
        for path in (source.parent, source):
            if _is_folder(path):
                path.chmod(path.stat().st_mode | stat.S_IRWXU)
        os.rename(source, target)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _flatten(root: Path) -> None:
    """Move what lies too deep below a folder up into it; before Python 3.13 shutil recurses a level a folder."""
    waiting = [str(root)]
    while waiting:
        top = waiting.pop()
        for folder, folders, _ in os.walk(top):
            if folder.count(os.sep) - top.count(os.sep) == _DEEP:
                for name in (name for name in folders if not os.path.islink(os.path.join(folder, name))):
                    waiting.append(os.path.join(root, f"{next(_serial)}.deep"))
                    os.rename(os.path.join(folder, name), waiting[-1])
                folders.clear()

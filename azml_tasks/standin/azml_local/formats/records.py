"""JSON files that a reader sees whole or not at all, whenever the writer is killed, and files with an object a line."""

from __future__ import annotations

import json
import os
import stat
from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_serial = count()


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replace the file atomically, creating its folder if needed.

    Nothing is forced to the disk: a killed process leaves whole files, a power cut may leave an empty one.
    Raises OSError.
    """
    partial = f"{os.fspath(path)}.{os.getpid()}.{next(_serial)}.partial"
    try:
        _write(partial, text)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(partial), exist_ok=True)
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
    except OSError:  # a full disk
        if os.path.exists(path):
            os.unlink(path)
        raise


def write_json(path: str | os.PathLike[str], value: object) -> None:
    """Replace the file atomically with a value as JSON; raises OSError."""
    write_text(path, json.dumps(value, separators=(",", ":")))


def append_json(path: str | os.PathLike[str], *values: object) -> None:
    """Add values, each as a line of JSON, to a file in a folder that exists; raises OSError."""
    text = "".join(f"{json.dumps(value, separators=(',', ':'))}\n" for value in values).encode()
    number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    try:
        while text:
            text = text[os.write(number, text) :]
    finally:
        os.close(number)


def is_special(path: str | os.PathLike[str]) -> bool:
    """Return whether it is a pipe, a device or a socket, which would be waited for when it is read."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def load_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the object in the file; raises OSError, and ValueError if the file contains none."""
    with open(path, encoding="utf-8") as file:
        try:
            value = json.load(file)
        except RecursionError as error:
            raise ValueError(str(error)) from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} contains no object")
    return value


def read_json(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return the object in the file; None if the file does not exist or contains none.

    Raises OSError if the file exists, but cannot be read.
    """
    if is_special(path):
        return None
    try:
        return load_json(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def read_lines(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return the objects of a file with one a line; a line that was cut off is left out."""
    if is_special(path):
        return []
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
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

"""Records of a script, one JSON object per line, so that a kill leaves all finished lines readable."""

from __future__ import annotations

import json
import math
import os
import sys
import time

from .formats.locks import lock
from .formats.records import load_json, read_lines, write_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .protocols import Json

# Secrets that the script has read, which are never written to records.
_secrets: set[str] = set()
_HIDDEN = "***"


def hide(secret: str) -> None:
    """Keep this value out of every record that this process writes from now on."""
    if secret:
        _secrets.add(secret)


def now() -> str:
    """Return the time in UTC, to the microsecond, as ISO 8601 writes it."""
    return as_text(time.time())


def as_text(seconds: float) -> str:
    """Return a time in seconds since 1970 as ISO 8601 writes it in UTC, to the microsecond."""
    fraction = int(seconds % 1 * 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{fraction:06d}Z"


def append(path: str, record: Json) -> None:
    """Add one record to a file of records, in one write, so that forked children do not mix their lines."""
    line = (_text(record) + "\n").encode()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    try:
        lock(descriptor)
        size = os.lseek(descriptor, 0, os.SEEK_END)
        if size:
            # A full disk can leave half a line: the next record starts on a line of its own.
            os.lseek(descriptor, size - 1, os.SEEK_SET)
            if os.read(descriptor, 1) != b"\n":
                line = b"\n" + line
        while line:
            line = line[os.write(descriptor, line) :]
    finally:
        os.close(descriptor)


def record_read(path: str) -> None:
    """Record that the step's result is only valid while this file or folder does not change."""
    from .context import current

    context = current()
    if context is not None:
        append(os.path.join(context.step_dir, "reads.jsonl"), {"path": path})


def read(path: str) -> list[Json]:
    """Return the whole records of a file; a line that was cut off is left out."""
    return read_lines(path)


def write(path: str, value: Json) -> None:
    """Replace a JSON file in one step: a reader sees the old text or the new, never a part."""
    write_text(path, _text(value) + "\n")


def load(path: str) -> Json:
    """Return the object in a JSON file; an empty one if the file does not exist, or contains no object."""
    try:
        return load_json(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValueError:
        pass_over(path)
        return {}


def pass_over(path: str) -> None:
    """Report once on standard error that a record is damaged."""
    if path not in _passed_over:
        _passed_over.add(path)
        print(f"azml-tasks: skipped {path}: damaged", file=sys.stderr)


_passed_over: set[str] = set()


def plain(value: Any) -> Any:
    """Return a value with plain numbers and lists in the place of numpy's."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.tolist() if _is_numpy(value) else value


def _is_numpy(value: object) -> bool:
    """Return whether that is an array or a number of numpy, which is not imported to know them."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, (numpy.ndarray, numpy.bool_, numpy.integer, numpy.floating))


def _text(value: Json) -> str:
    return json.dumps(writable(value), allow_nan=False)


def writable(value: Any) -> Any:
    """Return the value as JSON can hold it: NaN and the infinities by name, secrets hidden."""
    if isinstance(value, dict):
        return {writable(str(key)): writable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [writable(item) for item in value]
    if _is_numpy(value):
        item = value.tolist()
        # A long double has no plain number.
        return str(item) if type(item) is type(value) else writable(item)
    if isinstance(value, float):
        return value if math.isfinite(value) else _non_finite(value)
    return value if isinstance(value, int) or value is None else _without_secrets(str(value))


def _non_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _without_secrets(text: str) -> str:
    for secret in _secrets:
        # A secret of one or two letters is only hidden as a separate word, because many words contain it.
        if text == secret or len(secret) > 3:
            text = text.replace(secret, _HIDDEN)
    return text

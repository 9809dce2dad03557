"""What a script records, a JSON object a line, so that a kill at any moment leaves every finished line readable."""

from __future__ import annotations

import json
import math
import os
import sys
import time

# Values that the script read as secrets: whatever it records, they are not written.
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


def append(path: str, record: dict) -> None:
    """Add one record to a file of records, in one write, so that forked children do not mix their lines."""
    line = (_text(record) + "\n").encode()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    try:
        _lock(descriptor)
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


def note(path: str) -> None:
    """Tell the runner that the step's result counts only while this file or folder is as it is now."""
    from .context import current

    context = current()
    if context is not None:
        append(os.path.join(context.step_dir, "reads.jsonl"), {"path": path})


def _lock(descriptor: int) -> None:
    """Keep the other writers away until the file is closed, where the system can."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except (ImportError, OSError):  # Windows, and some network file systems
        pass


def read(path: str) -> list[dict]:
    """Return the whole records of a file; a line that was cut off is left out."""
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    records = []
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def write(path: str, value: dict) -> None:
    """Replace a JSON file in one step: a reader sees the old text or the new, never a part."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    text = _text(value) + "\n"
    partial = f"{path}.{os.getpid()}.{time.monotonic_ns()}"
    try:
        with open(partial, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(partial, path)
    except OSError:  # a full disk
        if os.path.exists(partial):
            os.unlink(partial)
        raise


def load(path: str) -> dict:
    """Return a JSON file's object; an empty one when there is no such file, or it holds no object."""
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        pass_over(path)
        return {}
    return value


def pass_over(path: str) -> None:
    """Say once on standard error that a record is damaged."""
    if path not in _passed_over:
        _passed_over.add(path)
        print(f"azml-tasks: {path} is damaged, and passed over", file=sys.stderr)


_passed_over: set[str] = set()


def plain(value):
    """Return a value with plain numbers and lists in the place of numpy's."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.tolist() if _is_numpy(value) else value


def _is_numpy(value) -> bool:
    """Say whether that is an array or a number of numpy, which is not imported to know them."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, (numpy.ndarray, numpy.bool_, numpy.integer, numpy.floating))


def _text(value: dict) -> str:
    return json.dumps(_writable(value), allow_nan=False)


def _writable(value):
    """Return the value as JSON can hold it: NaN and the infinities by name, secrets hidden."""
    if isinstance(value, dict):
        return {_writable(str(key)): _writable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_writable(item) for item in value]
    if _is_numpy(value):
        item = value.tolist()
        # A long double has no plain number.
        return str(item) if type(item) is type(value) else _writable(item)
    if isinstance(value, float):
        return value if math.isfinite(value) else _non_finite(value)
    return value if isinstance(value, int) or value is None else _without_secrets(str(value))


def _non_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _without_secrets(text: str) -> str:
    for secret in _secrets:
        # A secret of a letter or two is hidden where it stands alone: it is in every other word.
        if text == secret or len(secret) > 3:
            text = text.replace(secret, _HIDDEN)
    return text

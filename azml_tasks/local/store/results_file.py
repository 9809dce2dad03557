"""The file of a project's reusable results: one JSON object per line, append-only, read at once.

A line is a step's result, why a step left none, or a set of answers that many results share, under its digest. A kill
leaves at worst a partial line, which is skipped. Two runs at once append in turn.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from azml_tasks.errors import RunError
from azml_tasks.standin.azml_local.formats.locks import lock
from azml_tasks.standin.azml_local.formats.records import is_special

_HEAD = {"azml-tasks": "reuse", "version": 1}
# How many results of a step are known at once: enough to change a setting back and forth.
_MOST = 20
# The file is written again, without what no longer counts, when that is as much as the rest and this many lines.
_MANY = 200

Values = dict[str, Any]


@dataclass
class _Known:
    """What the file says: of each step its results, the newest first, and why the last run of it left none."""

    results: dict[str, list[Values]] = field(default_factory=dict)
    unkept: dict[str, str] = field(default_factory=dict)
    sets: dict[str, Values] = field(default_factory=dict)
    lines: int = 0
    is_of_this_release: bool = True

    def take(self, line: Values) -> None:
        self.lines += 1
        if "set" in line:
            self.sets[line["set"]] = line["answers"]
        elif "result" in line:
            result = line["result"]
            others = [other for other in self.results.get(line["step"], ()) if not _is_same(other, result)]
            self.results[line["step"]] = [result, *others][:_MOST]
            self.unkept.pop(line["step"], None)
        elif "unkept" in line:
            self.unkept[line["step"]] = line["unkept"]

    def all_lines(self) -> Iterator[Values]:
        used = {digest for results in self.results.values() for result in results for digest in result["sets"]}
        for digest in used & self.sets.keys():
            yield {"set": digest, "answers": self.sets[digest]}
        for step, results in self.results.items():
            for result in reversed(results):
                yield {"step": step, "result": result}
        for step, reason in self.unkept.items():
            yield {"step": step, "unkept": reason}


class Store:
    """The results of all steps of a project; `is_whole` says whether the values of one can be used."""

    def __init__(self, file: Path, is_whole: Callable[[Values], bool]) -> None:
        self._file = file
        self._is_whole = is_whole

    @cached_property
    def _known(self) -> _Known:
        return self._read()

    @property
    def results(self) -> Mapping[str, list[Values]]:
        """The results by step, the newest first."""
        return self._known.results

    def answers(self, digest: str) -> Values | None:
        """Return a shared set of answers."""
        return self._known.sets.get(digest)

    def why_unkept(self, step: str) -> str:
        """Return why the last run of a step left no result, if it did not."""
        return self._known.unkept.get(step, "")

    def put(self, step: str, result: Values, sets: Mapping[str, Values]) -> None:
        """Make a result the newest of a step.

        Raises OSError.
        """
        known = self._known
        if known.results.get(step, [])[:1] == [result]:
            return
        new = [{"set": digest, "answers": sets[digest]} for digest in sets if digest not in known.sets]
        self._add([*new, {"step": step, "result": result}])

    def put_unkept(self, step: str, reason: str) -> None:
        """Note why a step left no result.

        Raises OSError.
        """
        if self._known.unkept.get(step) != reason:
            self._add([{"step": step, "unkept": reason}])

    def tidy(self) -> None:
        """Write the file again when much of it no longer counts.

        Raises OSError.
        """
        known = self._known
        if known.lines > _MANY and known.lines > 2 * sum(1 for _ in known.all_lines()):
            self.filter(lambda step, result: True)

    def filter(self, keep: Callable[[str, Values], bool]) -> None:
        """Forget the results that are not to be kept, and what no longer counts.

        Raises OSError.
        """
        if not self._file.exists():
            return
        with self._locked() as descriptor:
            known = self._read()
            for step, results in list(known.results.items()):
                known.results[step] = [result for result in results if keep(step, result)]
                if not known.results[step]:
                    del known.results[step]
            lines = list(known.all_lines())
            self._replace(_text([_HEAD, *lines]), descriptor)
        self.__dict__["_known"] = self._read()

    def _replace(self, text: bytes, descriptor: int) -> None:
        """Put a new text in the place of the file, which is open."""
        if os.name == "nt":  # where an open file cannot be replaced
            os.ftruncate(descriptor, 0)
            os.write(descriptor, text)
            return
        partial = f"{self._file}.{os.getpid()}.partial"
        try:
            with open(partial, "wb") as file:
                file.write(text)
            os.replace(partial, self._file)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(partial)
            raise

    def _add(self, lines: list[Values]) -> None:
        text = _text(lines)
        with self._locked() as descriptor:
            size = os.lseek(descriptor, 0, os.SEEK_END)
            if not size or not self._known.is_of_this_release:
                os.ftruncate(descriptor, 0)
                text = _text([_HEAD]) + text
                self._known.is_of_this_release = True
            else:
                os.lseek(descriptor, size - 1, os.SEEK_SET)
                if os.read(descriptor, 1) != b"\n":
                    text = b"\n" + text  # A kill or a full disk left half a line.
            while text:
                text = text[os.write(descriptor, text) :]
        for line in lines:
            self._known.take(line)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Open the file for appending, with a lock."""
        while True:
            descriptor = self._open()
            try:
                lock(descriptor)
                with contextlib.suppress(FileNotFoundError):
                    if os.fstat(descriptor).st_ino == os.stat(self._file).st_ino:
                        yield descriptor
                        return
            finally:
                os.close(descriptor)

    def _check(self) -> None:
        if is_special(self._file) or self._file.is_dir():
            place = f"{self._file.parent.name}/{self._file.name}"
            raise RunError(
                f"{place} must be a file (results are stored there), not a folder, a pipe or a device; delete it"
            )

    def _open(self) -> int:
        self._check()
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        try:
            return os.open(self._file, flags, 0o644)
        except FileNotFoundError:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self._file, flags, 0o644)

    def _read(self) -> _Known:
        self._check()
        try:
            text = self._file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return _Known()
        lines = _parsed(text.split(b"\n"))
        known = _Known()
        if next(lines, None) != _HEAD:
            known.is_of_this_release = False
            return known
        for line in lines:
            if self._is_line(line):
                known.take(line)
        return known

    def _is_line(self, line: Any) -> bool:
        if not isinstance(line, dict):
            return False
        if "set" in line:
            return isinstance(line["set"], str) and isinstance(line.get("answers"), dict)
        if not isinstance(line.get("step"), str):
            return False
        if "result" in line:
            return isinstance(line["result"], dict) and self._is_whole(line["result"])
        return isinstance(line.get("unkept"), str)


def _parsed(lines: list[bytes]) -> Iterator[Any]:
    lines = [line for line in lines if line]
    try:
        yield from json.loads(b"[" + b",".join(lines) + b"]")
        return
    except (ValueError, RecursionError):
        pass
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            yield json.loads(line)


def _is_same(one: Values, other: Values) -> bool:
    return all(one[key] == other[key] for key in ("digest", "reads", "sets"))


def _text(lines: Iterable[Values]) -> bytes:
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)

"""Programs that a step starts, and where they were looked for."""

from __future__ import annotations

import os
import sys
from binascii import crc32

from .files import is_known
from .notes import emit, pause, raw_environ, resume, state
from .paths import exists, is_left_out, is_project, path_of, signature_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from ..protocols import AnyPath, Frame


def note_program(executable: AnyPath | None, argv: Any, frame: Frame, cwd: str | None = None, env: Any = None) -> None:
    """Note a program, unless it is an installed package that starts it; without a frame it counts in any case."""
    if frame is not None and not is_project(frame):
        return
    if isinstance(argv, (str, bytes)) or hasattr(argv, "__fspath__"):
        argv = [argv]
    argv = [os.fsdecode(item) for item in argv or ()]
    path = os.fsdecode(executable) if executable else argv[0] if argv else ""
    words = _words(argv)
    if words is not argv and words and not _SHELLS_OWN.intersection(argv[-1]):
        argv = words
    name = os.path.basename(words[0] if words else path)
    emit("program", command_number(argv), _found(path), bool(argv) and is_python(argv[0]), name)
    for word in dict.fromkeys((path, *(words if words is not argv else ()))):
        _note_search(word)
    note_named((*words[1:], *_new_values(env)), os.path.join(os.getcwd(), cwd or ""))


_LONGEST = 1000
_SHELLS_OWN = frozenset("|&;<>()$`\\\"'*?[]#~={}%!\n")


def _words(argv: list[str]) -> list[str]:
    """Return a command's words; of a shell's command those of its text and its arguments."""
    if len(argv) > 2 and argv[1] == "-c" and os.path.basename(argv[0]) in ("sh", "bash", "dash", "zsh"):
        text = argv[2]
        for mark in "\"'|&;<>()`":
            text = text.replace(mark, " ")
        return [*text.split(), *argv[3:]]
    return argv


def note_named(words: Iterable[str], folder: str) -> None:
    """Note the paths among words, which code that is not seen may read, also those where nothing is yet."""
    for word in words:
        for text in dict.fromkeys((word, word.partition("=")[2], *_paths_in_code(word))):
            if not text or len(text) > _LONGEST:
                continue
            is_pattern = any(sign in text for sign in "*?[")
            path = path_of(os.path.join(folder, _expanded(text)))
            if path is None or is_left_out(path) or path in state.seen.get("argument", ()):
                continue
            if is_pattern or (path != os.path.normpath(folder) and (exists(path) or os.sep in text)):
                emit("argument", path)


def _paths_in_code(text: str) -> list[str]:
    """Return the absolute paths in the code of another language."""
    for mark in "\"'(),;":
        text = text.replace(mark, " ")
    return [word for word in text.split() if word.startswith("/")]


def _new_values(env: Any) -> Iterator[str]:
    """Yield the absolute paths in variables that the script sets for a program."""
    before = state.environment
    if os.name != "posix":
        return
    for name, value in dict(raw_environ() if env is None else env).items():
        key, text = os.fsencode(name), os.fsencode(value)
        if text.startswith(b"/") and before.get(key) != text:
            yield os.fsdecode(text)


def _expanded(word: str) -> str:
    """Return a word of a command line as a shell reads it; of a pattern the folder that it looks through."""
    if "$" in word or word.startswith("~"):
        pause()
        try:
            word = os.path.expanduser(os.path.expandvars(word))
        finally:
            resume()
    while any(sign in word for sign in "*?["):
        word = os.path.dirname(word)
    return word


def command_number(argv: list[str]) -> int:
    """Return a number for a command line, which may hold a secret."""
    return crc32("\0".join(argv).encode("utf-8", "surrogateescape"))


def _found(name: str) -> str:
    if os.path.dirname(name):
        return os.path.abspath(name)
    return next(filter(exists, _candidates(name)), name)


def _candidates(name: str) -> Iterator[str]:
    """Yield where a program of that name is looked for."""
    path = raw_environ().get(b"PATH") if os.name == "posix" else None
    for folder in os.fsdecode(path or b"/usr/bin:/bin").split(os.pathsep):
        yield os.path.join(os.path.abspath(folder), name)


def _note_search(name: str) -> None:
    """Note where a program was looked for in vain, and the one that was found."""
    if not name or os.path.dirname(name) or not exists(_found(name)):
        return
    for candidate in _candidates(name):
        is_there = exists(candidate)
        if not is_known(candidate) and not is_left_out(candidate):
            emit("file", candidate, signature_of(candidate))
        if is_there:
            return


def is_python(name: AnyPath) -> bool:
    base = os.path.basename(os.fsdecode(name)).lower()
    return base.startswith(("python", "pypy")) or os.fsdecode(name) == sys.executable

"""Read the state of the git repository of a project: commit, branch, and which files are changed."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from azml_tasks.runs.origin import MOST_CHANGED, Code

# Of larger new files (bytes) the size counts, not the content; of more new files than this, the names.
_LARGE = 1 << 20
_MOST_READ = 1_000
_CHUNK = 1 << 16
# A first record of `git status --branch` before the first commit.
_NO_COMMIT = "(initial)"
# `git status` must not write to the repository, nor wait for a login.
_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


class CodeReading:
    """Reads the state of a repository in a thread, while something else happens."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._code: Code | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False
        # A folder without a repository starts no process.
        self._thread = Thread(target=self._read, daemon=True) if has_repository(folder) else None
        if self._thread:
            self._thread.start()

    def result(self, timeout: float) -> Code | None:
        """Return the state; None without a repository, or if reading takes longer than `timeout` (seconds) from
        now."""
        if self._thread is None:
            return None
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._ended = True
            process = self._process
            if process is not None:
                process.kill()
            self._thread.join(timeout)
        return self._code

    def _read(self) -> None:
        try:
            code = read_code(self._folder, self._start)
        except OSError:
            return
        if not self._ended:
            self._code = code

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        self._process = _git(self._folder, *words)
        return self._process


def has_repository(folder: Path) -> bool:
    """Return whether the folder is in a git repository."""
    return any((place / ".git").exists() for place in (folder, *folder.parents))


def _git(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["git", *words],  # noqa: S607 - the git of the user
        cwd=folder,
        env={**os.environ, **_QUIET},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def read_code(folder: Path, start: Callable[..., subprocess.Popen[bytes]] | None = None) -> Code | None:
    """Return the state of the repository of a folder; None without git or a repository.

    Raises OSError if git cannot be started.
    """
    start = start or (lambda *words: _git(folder, *words))
    with start("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all") as process:
        assert process.stdout
        records = process.stdout.read().split(b"\0")
    if process.returncode:
        return None
    heads, changed, new = _parsed(records)
    commit = heads.get("branch.oid", "")
    names = sorted({*changed, *new})
    if not names:
        return Code(_without(commit), _branch(heads))
    root = _root(folder)
    digest = hashlib.sha256()
    if changed:
        against = () if commit == _NO_COMMIT else ("HEAD",)
        with start("diff", *against, "--no-ext-diff", "--no-textconv", "--no-color", "--binary") as process:
            assert process.stdout
            while piece := process.stdout.read(_CHUNK):
                digest.update(piece)
        if process.returncode:
            return None
    for place, name in enumerate(sorted(new)):
        content = _content(root / name, root) if place < _MOST_READ else b""
        digest.update(b"\0" + os.fsencode(name) + b"\0" + content)
    shown = tuple(name.encode("utf-8", "replace").decode() for name in names[:MOST_CHANGED])
    return Code(_without(commit), _branch(heads), digest.hexdigest()[:16], shown, len(names))


def _parsed(records: list[bytes]) -> tuple[dict[str, str], list[str], list[str]]:
    """Return the header lines, the names of changed files and those of new ones."""
    heads: dict[str, str] = {}
    changed, new = [], []
    lines = iter(records)
    for record in lines:
        text = os.fsdecode(record)
        if text.startswith("# "):
            name, _, value = text[2:].partition(" ")
            heads[name] = value
        elif text.startswith("? "):
            new.append(text[2:])
        elif text[:2] in ("1 ", "u "):
            changed.append(text.split(" ", 8 if text[0] == "1" else 10)[-1])
        elif text.startswith("2 "):
            changed.append(text.split(" ", 9)[-1])
            next(lines, None)  # the name that it had
    return heads, changed, new


def _without(commit: str) -> str:
    return "" if commit == _NO_COMMIT else commit


def _branch(heads: dict[str, str]) -> str:
    branch = heads.get("branch.head", "")
    return "" if branch == "(detached)" else branch


def _root(folder: Path) -> Path:
    """Return the top of the repository, which names in its status start from."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)


def _content(path: Path, root: Path) -> bytes:
    """Return what of a new file counts; of one that may hold secrets nothing."""
    from azml_tasks.secrets import looks_secret

    try:
        size = path.lstat().st_size
        if size > _LARGE or not path.is_file() or looks_secret(str(path), str(root)):
            return str(size).encode()
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return b""

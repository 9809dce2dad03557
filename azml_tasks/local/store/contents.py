"""Digests of files and folders by content, with a cache."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from azml_tasks.local.store.files import SETTLED_HERE, FileSystem, read_json, write_json
from azml_tasks.local.store.long_reads import Pace
from azml_tasks.standin.azml_local.formats.files import files

_VERSION = 2
# For a file of at least this size (bytes) it pays to wait until it has settled, since it is then not hashed again.
_LARGE = 8 << 20
# Seconds of hashing, and times what the saving took, after which the hashes are saved.
_SAVE_EVERY = 2.0
_TIMES_THE_SAVING = 20
# More known files than this are cut down to those still there when the file of hashes is written.
_MANY = 20_000
_CHUNK = 1 << 20
# For how many seconds an answer on a file is used for other steps.
_RECENT = 1.0

# Size, times of change (both kinds, in nanoseconds), inode, and the file system.
_Signature = tuple[int, int, int, int, int]
# Size, time of change, inode, time of any change (as of its rights) and device of a file; None if it is not a file.
_Look = tuple[int, int, int, int, int] | None
OutputState = Literal["", "deleted", "changed"]
# How a file looked, and the digest of its content; None if it is not a file.
Seen = dict[str, tuple[_Look, str | None]]


class DataChange(NamedTuple):
    """A file that has changed since it was recorded."""

    path: str
    kind: Literal["deleted", "changed", "added"]


class RecentAnswers:
    """Answers on files that count for all steps: for a second, and until the first step starts, which may change them.

    Threads may use them: an answer that is added to what was forgotten in the meantime is not found again.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._until = 0.0
        self._has_ended = False

    def known(self) -> dict[str, str] | None:
        """Return the answers, to look in and to add to; None once a step has started."""
        if self._has_ended:
            return None
        now = time.monotonic()
        if now > self._until:
            self._known, self._until = {}, now + _RECENT
        return self._known

    def forget(self) -> None:
        """Forget them, because files were changed."""
        self._known = {}

    def end(self) -> None:
        """Keep none from now on."""
        self._has_ended = True


class HashCache:
    """Hashes files by content, and remembers them in a file from run to run.

    Size, times of change, inode and file system only decide whether a file is read again.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, tuple[_Signature, str]] = {}
        self._own = os.fspath(file.parent)
        self._remembered: dict[Path, Seen] = {}
        self._walks: dict[tuple[str, str], tuple[str | None, Seen]] = {}
        self.recent = RecentAnswers()
        self.pace = Pace()
        self._changed = False
        self._unsaved = 0.0
        self._save_after = _SAVE_EVERY
        self._systems: dict[int, tuple[int, float]] = {}
        self._identities: list[str] = []
        saved = read_json(file) or {}
        if saved.get("version") == _VERSION:
            with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):
                self._known = {
                    path: ((a, b, c, d, e), digest)
                    for path, (a, b, c, d, e, digest) in saved["files"].items()
                    if isinstance(digest, str)
                }
                self._identities = [str(identity) for identity in saved["systems"]]

    def hash_file(self, path: str) -> str:
        """Return the SHA-256 of the file's content.

        Raises OSError, also for a pipe or a device, whose content may never end.
        """
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a file", path)
        return self._hash(path, status)

    def save(self) -> None:
        """Write the known hashes, replacing those that another run may have written in the meantime.

        Raises OSError.
        """
        if not self._changed:
            return
        started = time.monotonic()
        self._changed = False
        known = self._known.copy()  # Another thread may add to it.
        if len(known) > _MANY:
            known = {path: found for path, found in known.items() if os.path.exists(path)}
        files = {path: (*signature, digest) for path, (signature, digest) in known.items()}
        write_json(self._file, {"version": _VERSION, "systems": self._identities, "files": files})
        self._unsaved = 0.0
        self._save_after = max(_SAVE_EVERY, _TIMES_THE_SAVING * (time.monotonic() - started))

    def digest(self, path: str | Path) -> str:
        """Return the digest of a file's content, or of a folder's: every file's path in it and content.

        Raises OSError.
        """
        return self._digest(os.fspath(path), {})

    def _digest(self, path: str, seen: Seen) -> str:
        if not os.path.isdir(path):
            look = _look(path)
            digest = self.hash_file(path)
            seen[path] = (look, digest)
            return digest
        return self._digest_of(self._walk(path, seen))

    def digest_and_remember(self, folder: Path) -> str:
        """Return the digest of a file or folder, and remember its content for `changed_since` and `changes_in`.

        Raises OSError.
        """
        seen = self._remembered[folder] = {}
        with self.pace.reading(f"the output '{folder.name}'", lambda: self._size(folder.parent, folder.name)):
            return self._digest(os.fspath(folder), seen)

    def changed_since(self, folder: Path) -> OutputState:
        """Describe what happened to the remembered content of the folder; added files do not count."""
        known = self._remembered.get(folder) or {str(folder): (None, None)}
        if any(not os.path.lexists(path) for path in known):
            return "deleted"
        changed = any(look and (_look(path) or ())[:3] != look[:3] for path, (look, _) in known.items())
        return "changed" if changed else ""

    def remembered_files(self, folder: Path, least: int) -> dict[str, int]:
        """Return the sizes of the remembered files in a folder of at least so many bytes, by their paths in it."""
        seen = self._remembered.get(folder, {}).items()
        return {os.path.relpath(path, folder): look[0] for path, (look, _) in seen if look and look[0] >= least}

    def changes_in(self, folder: Path) -> list[DataChange]:
        """Return the changes in a folder since it was remembered."""
        seen = self._remembered.get(folder)
        return self.changes_since(seen, folder.parent, folder.name) if seen else []

    def digest_pattern(self, folder: str | Path, pattern: str, seen: Seen | None = None, what: str = "") -> str | None:
        """Return the digest of the files that a glob pattern finds, or of the one path; None when there is none.

        Files that were looked at are not looked at again until `look_again`. `seen` gets what there is, for
        `changes_since`; `what` names it in reports of how far the reading is. Raises OSError.
        """
        asked = (os.fspath(folder), pattern)
        known = self._walks.get(asked)
        if known is None:
            walks, found = self._walks, Seen()
            with self.pace.reading(what or pattern, lambda: self._size(*asked)):
                known = walks[asked] = (self._digest_pattern(*asked, found), found)
        if seen is not None:
            seen.update(known[1])
        return known[0]

    def look_again(self) -> None:
        """Make `digest_pattern` look at all files again, because something may have been written to them."""
        self._walks = {}
        self.recent.forget()

    def _digest_pattern(self, folder: str, pattern: str, seen: Seen) -> str | None:
        spelled = os.path.normpath(os.path.join(folder, pattern))
        # Not a device or a pipe, of which the reading would never end.
        if os.path.isfile(spelled) or os.path.isdir(spelled):
            return self._digest(spelled, seen)
        lines = []
        for name, path in _found(folder, pattern):
            look, digest = _look(path), self.hash_file(path)
            seen[path] = (look, digest)
            lines.append(f"{name}\0{digest}")
        return self._digest_of(iter(lines)) if lines else None

    def changes_since(self, seen: Seen, folder: str | Path, pattern: str) -> list[DataChange]:
        """Return the changes since it was seen, by content, regardless of time stamps."""
        now = self._look_at(folder, pattern)
        changes = [DataChange(path, "deleted") for path in seen if path not in now and not os.path.isdir(path)]
        changes += [DataChange(path, "added") for path in now if path not in seen and not _held(path, seen)]
        for path, (look, digest) in seen.items():
            if path in now and now[path][0] != look and not self._has_content(path, digest):
                changes.append(DataChange(path, "changed"))
        return sorted(changes, key=lambda change: change.path)

    def is_as_seen(self, seen: Seen, folder: str | Path, pattern: str) -> bool:
        """Return whether nothing was written since: a file that is written and written back looks different."""
        now = self._look_at(folder, pattern)
        return now.keys() == seen.keys() and all(now[path][0] == look for path, (look, _) in seen.items())

    def _look_at(self, folder: str | Path, pattern: str) -> Seen:
        """Return what there is, without reading it."""
        seen: Seen = {}
        spelled = os.path.normpath(os.path.join(folder, pattern))
        if os.path.isdir(spelled):
            with contextlib.suppress(OSError):
                for _ in self._walk(spelled, seen, is_read=False):
                    pass
        elif os.path.isfile(spelled):
            seen[spelled] = (_look(spelled), None)
        else:
            seen |= {path: (_look(path), None) for _, path in _found(folder, pattern)}
        return seen

    def _size(self, folder: str | Path, pattern: str) -> int:
        """Return how large the files are together, in bytes."""
        return sum(look[0] for look, _ in self._look_at(folder, pattern).values() if look)

    def _has_content(self, path: str, digest: str | None) -> bool:
        try:
            return digest is not None and self.hash_file(path) == digest
        except OSError:
            return False

    def _hash(self, path: str, status: os.stat_result) -> str:
        system, settled = self._systems.get(status.st_dev) or self._system_of(path, status.st_dev)
        signature = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, system)
        known = self._known.get(path)
        if known is not None and known[0] == signature:
            self.pace.advance(status.st_size)
            return known[1]
        settles = max(status.st_mtime, status.st_ctime) + settled - time.time()
        if 0 <= settles <= SETTLED_HERE and status.st_size >= _LARGE:
            time.sleep(settles + 0.001)
            return self._hash(path, os.stat(path))
        started = time.monotonic()
        digest = self._read(path)
        if settles < 0:
            self._known[path] = (signature, digest)
            self._changed = True
            self._unsaved += time.monotonic() - started
            if self._unsaved > self._save_after:
                with contextlib.suppress(OSError):  # It is tried again.
                    self.save()
        return digest

    def _read(self, path: str) -> str:
        """Return the SHA-256 of the file's content."""
        total = hashlib.sha256()
        named = self.pace.reading(os.path.basename(path), lambda: os.path.getsize(path))
        with open(path, "rb") as file, named:
            while chunk := file.read(_CHUNK):
                total.update(chunk)
                self.pace.advance(len(chunk))
        return total.hexdigest()

    def _system_of(self, path: str, device: int) -> tuple[int, float]:
        """Return a number for the file system, of which another one may be mounted in the same place tomorrow, and
        after how many seconds a file has settled."""
        system = FileSystem.of(path, device)
        if system.identity not in self._identities:
            self._identities.append(system.identity)
        found = self._systems[device] = (self._identities.index(system.identity), system.settled)
        return found

    def _digest_of(self, lines: Iterator[str]) -> str:
        total = hashlib.sha256()
        for line in lines:
            total.update(line.encode("utf-8", "surrogateescape") + b"\n")
        return total.hexdigest()

    def _walk(self, root: str, seen: Seen, *, is_read: bool = True) -> Iterator[str]:
        """Yield a line for each file, in a fixed order; empty folders count, links are followed, loops are not.

        The folder of the runs does not count. `seen` gets how each looked before it was read.
        """
        # Not recursive: a tree may be nested deeper than Python recurses.
        waiting: list[tuple[str, str, frozenset[tuple[int, int]]]] = [(root, "", frozenset())]
        while waiting:
            folder, prefix, above = waiting.pop()
            with os.scandir(folder) as entries:
                ordered = sorted((entry for entry in entries if entry.path != self._own), key=lambda entry: entry.name)
            if not ordered:
                seen[folder] = (None, None)
                yield f"{prefix}\0empty"
            for entry in ordered:
                name = f"{prefix}{entry.name}"
                seen[entry.path] = (None, None)
                try:
                    status = entry.stat()
                except OSError:
                    if not entry.is_symlink():
                        raise
                    yield f"{name}\0link to {os.readlink(entry.path)}"
                    continue
                here = (status.st_dev, status.st_ino)
                if stat.S_ISREG(status.st_mode):
                    digest = self._hash(entry.path, status) if is_read else ""
                    seen[entry.path] = (_look_of(status), digest)
                    yield f"{name}\0{digest}"
                elif not stat.S_ISDIR(status.st_mode):
                    yield f"{name}\0{stat.S_IFMT(status.st_mode)}"
                elif here in above:
                    yield f"{name}\0loop"
                else:
                    del seen[entry.path]
                    waiting.append((entry.path, f"{name}/", above | {here}))


def _found(folder: str | Path, pattern: str) -> Iterator[tuple[str, str]]:
    """Yield the files that a pattern finds in a folder, as names in it and as paths."""
    for path in files([os.path.join(folder, pattern)]):
        yield os.path.relpath(path, folder), path


def _held(folder: str, seen: Seen) -> bool:
    """Return whether something was seen in a folder, which is empty now."""
    return os.path.isdir(folder) and any(path.startswith(os.path.join(folder, "")) for path in seen)


def _look(path: str) -> _Look:
    try:
        return _look_of(os.stat(path))
    except OSError:
        return None


def _look_of(status: os.stat_result) -> _Look:
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns, status.st_dev

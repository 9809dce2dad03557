"""Digests of files and folders by content, with a cache, and the contents of snapshots, kept by their SHA-256."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

from azml_tasks.local.files import read_json, write_json
from azml_tasks.snapshot import Snapshot, hash_file
from azml_tasks.standin.azml_local.formats.files import files

_VERSION = 2
# A file written this short a time (seconds) before it was hashed may change again without a new time stamp.
_SETTLED = 2.0
# More known files than this are cut down to those still there when the file of hashes is written.
_MANY = 20_000
_CHUNK = 1 << 20
_serial = count()

# Size, times of change (both kinds, in nanoseconds), inode, and the file system.
_Signature = tuple[int, int, int, int, int]
# Size, time of change, inode, time of any change (as of its rights) and device of a file; None for what is no file.
_Look = tuple[int, int, int, int, int] | None
Fate = Literal["", "deleted", "changed"]
# How a file looked, and the digest of its content; None for what is no file.
Seen = dict[str, tuple[_Look, str | None]]


@dataclass(frozen=True)
class Change:
    """A file that is no longer as it was remembered."""

    path: str
    kind: Literal["deleted", "changed", "added"]


class Contents:
    """Hashes files by content, and remembers them in a file from run to run.

    Size, times of change, inode and file system only decide whether a file is read again.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, tuple[_Signature, str]] = {}
        self._own = os.fspath(file.parent)
        self._remembered: dict[Path, Seen] = {}
        self._changed = False
        self._systems: dict[int, int] = {}
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
            raise OSError(errno.EINVAL, "this is no file", path)
        return self._hash(path, status)

    def save(self) -> None:
        """Write what is known, over what another run may have written meanwhile.

        Raises OSError.
        """
        if not self._changed:
            return
        if len(self._known) > _MANY:
            self._known = {path: known for path, known in self._known.items() if os.path.exists(path)}
        files = {path: (*signature, digest) for path, (signature, digest) in self._known.items()}
        write_json(self._file, {"version": _VERSION, "systems": self._identities, "files": files})
        self._changed = False

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
        """Return the digest of a file or folder, and remember for `fate_of` and `changes_in` what it holds.

        Raises OSError.
        """
        seen = self._remembered[folder] = {}
        return self._digest(os.fspath(folder), seen)

    def fate_of(self, folder: Path) -> Fate:
        """Say what became of what the folder held when it was remembered; what came to it since does not count."""
        known = self._remembered.get(folder) or {str(folder): (None, None)}
        if any(not os.path.lexists(path) for path in known):
            return "deleted"
        changed = any(look and (_look(path) or ())[:3] != look[:3] for path, (look, _) in known.items())
        return "changed" if changed else ""

    def changes_in(self, folder: Path) -> list[Change]:
        """Return what in a folder is no longer as it was when it was remembered."""
        seen = self._remembered.get(folder)
        return self.changes_since(seen, folder.parent, folder.name) if seen else []

    def digest_pattern(self, folder: str | Path, pattern: str, seen: Seen | None = None) -> str | None:
        """Return the digest of the files that a glob pattern finds, or of the one path; None when there is none.

        `seen` gets what there is, for `changes_since`. Raises OSError.
        """
        seen = {} if seen is None else seen
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

    def changes_since(self, seen: Seen, folder: str | Path, pattern: str) -> list[Change]:
        """Return what is no longer as it was seen: by content, whatever the time stamps say."""
        now = self._look_at(folder, pattern)
        changes = [Change(path, "deleted") for path in seen if path not in now and not os.path.isdir(path)]
        changes += [Change(path, "added") for path in now if path not in seen and not _held(path, seen)]
        for path, (look, digest) in seen.items():
            if path in now and now[path][0] != look and not self._has_content(path, digest):
                changes.append(Change(path, "changed"))
        return sorted(changes, key=lambda change: change.path)

    def is_as_seen(self, seen: Seen, folder: str | Path, pattern: str) -> bool:
        """Say whether nothing was written since: a file that is written and written back looks different."""
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

    def _has_content(self, path: str, digest: str | None) -> bool:
        try:
            return digest is not None and self.hash_file(path) == digest
        except OSError:
            return False

    def _hash(self, path: str, status: os.stat_result) -> str:
        system = self._systems.get(status.st_dev)
        if system is None:
            system = self._systems[status.st_dev] = self._number_of(path, status.st_dev)
        signature = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, system)
        known = self._known.get(path)
        if known is not None and known[0] == signature:
            return known[1]
        now = time.time()
        digest = hash_file(path)
        if max(status.st_mtime, status.st_ctime) + _SETTLED < now:
            self._known[path] = (signature, digest)
            self._changed = True
        return digest

    def _number_of(self, path: str, device: int) -> int:
        """Return a number for the file system, of which another one may be mounted in the same place tomorrow."""
        identity = _identity_of_system(path, device)
        if identity not in self._identities:
            self._identities.append(identity)
        return self._identities.index(identity)

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


def _identity_of_system(path: str, device: int) -> str:
    """Return a text that another file system would hardly have: its id, what is mounted, the image of a loop device."""
    found = [""]
    with contextlib.suppress(OSError, AttributeError):
        found[0] = str(os.statvfs(path).f_fsid)
    with contextlib.suppress(OSError, AttributeError, IndexError):
        number = f"{os.major(device)}:{os.minor(device)}"
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mounts = [line.split() for line in file]
        for mount in mounts:
            if mount[2] == number:
                kind, source = mount[mount.index("-") + 1 :][:2]
                found += [kind, source, *_image_of(source)]
                break
    return hashlib.sha256("\0".join(found if any(found) else [str(device)]).encode("utf-8", "replace")).hexdigest()[:16]


def _image_of(source: str) -> list[str]:
    """Return the file that a loop device shows, and how it looks."""
    try:
        image = Path("/sys/block", os.path.basename(source), "loop", "backing_file").read_text().rstrip("\n")
        return [image, *(str(part) for part in _look(image) or ())]
    except OSError:
        return []


def _found(folder: str | Path, pattern: str) -> Iterator[tuple[str, str]]:
    """Yield the files that a pattern finds in a folder, as names in it and as paths."""
    for path in files([os.path.join(folder, pattern)]):
        yield os.path.relpath(path, folder), path


def _held(folder: str, seen: Seen) -> bool:
    """Say whether something was seen in a folder, which is empty now."""
    return os.path.isdir(folder) and any(path.startswith(os.path.join(folder, "")) for path in seen)


def _look(path: str) -> _Look:
    try:
        return _look_of(os.stat(path))
    except OSError:
        return None


def _look_of(status: os.stat_result) -> _Look:
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns, status.st_dev


class ChangedError(Exception):
    """A file changed between being hashed and being kept."""


class Objects:
    """The contents of snapshots, kept so that a run is of the files as they were when it began."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, snapshot: Snapshot) -> None:
        """Keep the content of every file of the snapshot.

        Raises ChangedError, OSError.
        """
        for place, digest in snapshot.hashes.items():
            if not os.path.exists(self._path(digest)):
                self._add(snapshot.files[place], digest)

    def stage(self, snapshot: Snapshot, folder: Path) -> None:
        """Write the snapshot's files into a new folder, as copies that may be changed.

        Raises ChangedError, OSError.
        """
        folder.mkdir(parents=True)
        made = {""}
        for place, digest in snapshot.hashes.items():
            parent = place.rpartition("/")[0]
            if parent not in made:
                (folder / parent).mkdir(parents=True, exist_ok=True)
                made.add(parent)
            kept, target = self._path(digest), folder / place
            try:
                _copy(kept, target, digest)
            except (FileNotFoundError, ChangedError):
                # The folder of contents may be deleted at any time, and a power cut may leave empty files in it; the
                # project's file serves unless it changed.
                _copy(snapshot.files[place], target, digest)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(kept)

    def _path(self, digest: str) -> str:
        return os.path.join(self._folder, digest[:2], digest[2:])

    def _add(self, source: Path, digest: str) -> None:
        path = self._path(digest)
        partial = f"{path}.{os.getpid()}.{next(_serial)}.partial"
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _copy(source, partial, digest)
            os.replace(partial, path)
        except FileNotFoundError:
            # Deleted while it was made, unless it is the source that is gone.
            if not source.exists():
                raise
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(partial)


def _copy(source: str | Path, target: str | Path, digest: str) -> None:
    """Copy a file that must have that content.

    Raises ChangedError, OSError.
    """
    total = hashlib.sha256()
    with open(source, "rb") as reader, open(target, "wb") as writer:
        while chunk := reader.read(_CHUNK):
            total.update(chunk)
            writer.write(chunk)
    if total.hexdigest() != digest:
        raise ChangedError(str(source))

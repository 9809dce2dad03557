"""Files and folders of .azml: JSON files that a reader sees whole or not at all, folders deleted and merged; their
file system."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from azml_tasks.standin.azml_local.formats.records import append_json, is_special, read_json, read_lines, write_json

__all__ = [
    "SETTLED_HERE",
    "FileSystem",
    "append_json",
    "merge_tree",
    "open_file",
    "read_json",
    "read_lines",
    "remove_tree",
    "tree_size",
    "write_json",
]

_serial = count()


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file to read its bytes; a pipe, which would be waited for, and a folder count as missing.

    Raises OSError.
    """
    if is_special(path) or os.path.isdir(path):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
    return open(path, "rb")


# A file written this short a time (seconds) ago may change again without a new time stamp: on any file system, and on
# those whose times this kernel sets, at least every 10 ms.
_SETTLED = 2.0
SETTLED_HERE = 0.1
_TIMES_SET_HERE = {"btrfs", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"}
# Levels of folders that every Python's shutil can delete.
_DEEP = 100


def remove_tree(path: Path) -> None:
    """Delete a folder and its content, including read-only parts; it need not exist.

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


def tree_size(path: str | Path, without: Sequence[str] = ()) -> int:
    """Return how large the files in a folder are together, or a file, in bytes; `without` are names in it.

    Links count themselves. What cannot be read does not count.
    """
    total, waiting = 0, [os.fspath(path)]
    while waiting:
        folder = waiting.pop()
        try:
            if os.path.islink(folder) or not os.path.isdir(folder):
                total += os.lstat(folder).st_size
                continue
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif folder != os.fspath(path) or entry.name not in without:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
        if folder == os.fspath(path):
            waiting = [inner for inner in waiting if os.path.basename(inner) not in without]
    return total


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
    """Move what is too deep below a folder up into it; before Python 3.13 shutil recurses a level a folder."""
    waiting = [str(root)]
    while waiting:
        top = waiting.pop()
        for folder, folders, _ in os.walk(top):
            if folder.count(os.sep) - top.count(os.sep) == _DEEP:
                for name in (name for name in folders if not os.path.islink(os.path.join(folder, name))):
                    waiting.append(os.path.join(root, f"{next(_serial)}.deep"))
                    os.rename(os.path.join(folder, name), waiting[-1])
                folders.clear()


class FileSystem(NamedTuple):
    """A mounted file system, by a text that another one would hardly have.

    A file may be written again without a new time stamp until `settled` seconds after it was written.
    """

    identity: str
    settled: float

    @classmethod
    def of(cls, path: str, device: int) -> FileSystem:
        """Return the one of a path, by its id, what is mounted, and the image of a loop device."""
        found, kind = [""], ""
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
        text = "\0".join(found if any(found) else [str(device)])
        identity = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
        return cls(identity, SETTLED_HERE if kind in _TIMES_SET_HERE else _SETTLED)


def _image_of(source: str) -> list[str]:
    """Return the file that a loop device shows, and how it looks."""
    try:
        image = Path("/sys/block", os.path.basename(source), "loop", "backing_file").read_text().rstrip("\n")
        status = os.stat(image)
    except OSError:
        return []
    look = (status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns, status.st_dev)
    return [image, *map(str, look)]

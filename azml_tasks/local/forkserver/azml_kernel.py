"""Make files and folders read-only for this process and its children, with the kernel. Linux only.

Two ways, the better first. **Mounts**: in a mount namespace of its own the process sees each of them mounted read-only,
and everything else as before. Root may do that; others need a user namespace, where files of other users seem to belong
to nobody, and `sudo` does not work. **Landlock** needs no rights. But it can only allow, so that nothing can be created
or deleted directly in the parent folders of read-only ones; it is not used if programs create files in such a folder.

The raw system calls have the same numbers on all processors that Python runs on.
"""

from __future__ import annotations

import contextlib
import functools
import os
import struct

if False:  # typing takes longer to import than a step to start
    from collections.abc import Callable, Iterable
    from typing import Any

    # Real paths: `read_only` and, in these, `writable`; `in_place` are folders above that stay where they are.
    # `linked` are further read-only paths, which links in the others lead to; Landlock leaves these out.
    Paths = dict[str, list[str]]
    Way = Callable[[Paths], None]

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_BIND, _ALL_BELOW, _FOLLOW_OTHERS = 0x1000, 0x4000, 1 << 19
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITIES = 0x20080522
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
# Write, delete, make anything, move between folders, truncate: linux/landlock.h.
_CHANGES = _WRITE_FILE | sum(1 << bit for bit in range(4, 14)) | _TRUNCATE
# The first version that lets files be moved between folders at all.
_OLDEST_LANDLOCK = 2
# A rule costs 0.02 ms.
_MOST_RULES = 2_000


def best_way(paths: Paths) -> Way | None:
    """Return the first method that works, tested in a separate process; None if there is none."""
    asked = os.environ.get("AZML_LOCAL_GUARD")
    with contextlib.suppress(ImportError, OSError):
        _library()  # Here, for all that are forked later.
    for name, way in (("mounts", by_mounts), ("landlock", by_landlock)):
        if asked in (None, "", name) and _works(way, paths):
            return way
    return None


def by_mounts(paths: Paths) -> None:
    """Mount the paths, each at its own place, in a mount namespace of this process.

    Raises OSError.
    """
    libc = _library()
    if os.geteuid() == 0:
        _check(libc.unshare(_NEW_MOUNTS))
    else:
        _enter_user_namespace(libc)
    # First, or the mounts would be visible on the whole machine.
    _check(libc.mount(None, b"/", None, _ALL_BELOW | _FOLLOW_OTHERS, None))
    attributes: dict[str, int | None] = dict.fromkeys(paths["in_place"])
    read_only = [*paths["read_only"], *paths["linked"]]
    writable = [path for path in paths["writable"] if _is_below(path, read_only)]
    for path in writable:
        os.makedirs(path, exist_ok=True)
    attributes |= {**dict.fromkeys(read_only, 1), **dict.fromkeys(writable, 0)}
    for path in sorted(attributes, key=lambda path: path.count("/")):
        if os.path.exists(path):
            _mount(libc, os.fsencode(path), attributes[path])
    if os.geteuid() != 0:
        # In its user namespace this process has every right over its user's files.
        _check(libc.capset(struct.pack("Ii", _CAPABILITIES, 0), bytes(24)))


def by_landlock(paths: Paths) -> None:
    """Allow changes everywhere except in read-only paths and directly in their parent folders.

    Raises OSError, also if it would take too long.
    """
    libc = _library()
    version = _check(libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION))
    if version < _OLDEST_LANDLOCK:
        raise OSError("this version of Landlock is too old")
    changes = _CHANGES if version > _OLDEST_LANDLOCK else _CHANGES & ~_TRUNCATE
    guarded = set(paths["read_only"])
    above = {folder for path in guarded for folder in _parents(path)}
    if above & set(_busy_folders()):
        raise OSError("programs create files in a parent folder of an input")
    for folder in paths["writable"]:
        os.makedirs(folder, exist_ok=True)
    allowed = [*paths["writable"], *_beside(guarded, above)]
    if len(allowed) > _MOST_RULES:
        raise OSError("too many files next to the inputs")
    ruleset = _check(libc.syscall(_CREATE_RULESET, struct.pack("Q", changes), 8, 0))
    try:
        for path in allowed:
            with contextlib.suppress(OSError):
                _allow(libc, ruleset, path, changes)
        _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _check(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _works(way: Way, paths: Paths) -> bool:
    pid = os.fork()
    if pid == 0:
        status = 1
        with contextlib.suppress(BaseException):
            way(paths)
            status = 0
        os._exit(status)
    return os.waitpid(pid, 0)[1] == 0


@functools.cache
def _library() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> int:
    """Return the result of a system call; raises OSError for an error."""
    if result < 0:
        import ctypes

        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _enter_user_namespace(libc: Any) -> None:
    user, group = os.geteuid(), os.getegid()
    _check(libc.unshare(_NEW_USER | _NEW_MOUNTS))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _mount(libc: Any, path: bytes, is_read_only: int | None) -> None:
    """Mount a path at its own place, which it cannot leave then; None leaves it as writable as it is."""
    _check(libc.mount(path, path, None, _BIND | _ALL_BELOW, None))
    if is_read_only is not None:
        attributes = struct.pack("QQQQ", is_read_only, 1 - is_read_only, 0, 0)
        _check(libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, path, _AT_RECURSIVE, attributes, len(attributes)))


def _allow(libc: Any, ruleset: int, path: str, changes: int) -> None:
    number = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        rights = changes if os.path.isdir(path) else changes & (_WRITE_FILE | _TRUNCATE)
        _check(libc.syscall(_ADD_RULE, ruleset, _BENEATH, struct.pack("=Qi", rights, number), 0))
    finally:
        os.close(number)


def _beside(guarded: set[str], above: set[str]) -> Iterable[str]:
    """Yield the items in the parent folders of guarded ones that do not lead to a guarded one."""
    for folder in above - guarded:
        if any(parent in guarded for parent in _parents(folder)):
            continue
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.path not in above and entry.path not in guarded and not entry.is_symlink():
                    yield entry.path


def _busy_folders() -> list[str]:
    """Return the folders in which programs create temporary files."""
    folders = ("/tmp", "/var/tmp", "/dev/shm", os.environ.get("TMPDIR"), os.path.expanduser("~"))  # noqa: S108
    return [os.path.realpath(folder) for folder in folders if folder and os.path.isabs(folder)]


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path.startswith(os.path.join(folder, "")) for folder in folders)


def _parents(path: str) -> Iterable[str]:
    while path != (path := os.path.dirname(path)):
        yield path

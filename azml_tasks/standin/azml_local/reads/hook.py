"""Record reads from Python's audit events."""

from __future__ import annotations

import os
import sys
from _thread import get_ident as _thread_id

from .. import tracking
from .files import note_changed, note_listed, note_opened, note_read, note_scanned
from .notes import emit, fact, real_readlink, real_uname, save, state
from .paths import exists, is_directory, is_foreign, is_project, path_of, signature_of
from .programs import is_python, note_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from ..protocols import Args


def _on_open(args: Args, frame: FrameType) -> None:
    path, _, flags = args
    if type(path) is int:
        return
    if type(path) is str and path in state.seen.get("file", ()) and not flags & (os.O_WRONLY | os.O_RDWR):
        return
    path = path_of(path)
    if path is not None:
        note_opened(path, flags if type(flags) is int else 0, frame)


def _on_list(args: Args, frame: FrameType) -> None:
    path = path_of("." if args[0] is None else args[0])
    if path is not None:
        note_listed(path, frame)


def _on_scan(args: Args, frame: FrameType) -> None:
    path = path_of("." if args[0] is None else args[0])
    if path is not None:
        note_scanned(path, frame)


def _on_import(args: Args, frame: FrameType) -> None:
    name, file = args[0], args[1]
    top = str(name).partition(".")[0]
    if top not in state.seen.get("import", ()):
        emit("import", top)
        if top == "mlflow":
            tracking.note_import()
    if file:
        path = path_of(file)
        if path is not None:
            note_read(path, frame)


def _on_program(args: Args, frame: FrameType) -> None:
    cwd = args[2] if len(args) == 4 else None
    note_program(args[0], args[1], frame, None if cwd is None else os.fsdecode(cwd), args[-1])


def _on_spawn(args: Args, frame: FrameType) -> None:
    if os.path.basename(frame.f_code.co_filename) != "subprocess.py":  # which records it itself
        note_program(args[0], args[1], frame)


def _on_system(args: Args, frame: FrameType) -> None:
    note_program("/bin/sh", ["/bin/sh", "-c", os.fsdecode(args[0])], frame)


def _on_exec(args: Args, frame: FrameType) -> None:
    path, argv = os.fsdecode(args[0]), [os.fsdecode(item) for item in args[1]]
    if not exists(path):
        note_read(path, frame)  # One of PATH's folders, where another may be found later.
        return
    note_program(path, argv, None)
    if state.is_main:
        # Another Python continues as the step's first process; other programs record nothing.
        save(*([] if is_python(argv[0] if argv else path) else [("end",)]))


def _on_connect(args: Args, frame: FrameType) -> None:
    address = args[1]
    if isinstance(address, tuple) and address:
        host = str(address[0])
        if tracking.is_own(address):
            return
        is_here = host.startswith("127.") or host in ("::1", "localhost", "0.0.0.0", "::")  # noqa: S104 - compared
        if is_here and state.has_bound:
            return  # to a server that the step itself has started
        emit("network", state.looked_up or host)


def _on_lookup(args: Args, frame: FrameType) -> None:
    host = args[0]
    if not host or type(host) not in (str, bytes):
        return
    host = os.fsdecode(host)
    own = real_uname().nodename if real_uname is not None else ""
    if host not in ("localhost", own) and not host.replace(".", "").isdigit() and ":" not in host:
        state.looked_up = host
        emit("network", host)


def _on_bind(args: Args, frame: FrameType) -> None:
    state.has_bound = True


def _on_host(args: Args, frame: FrameType) -> None:
    if is_project(frame):
        fact("host")


def _on_sqlite(args: Args, frame: FrameType) -> None:
    name = args[0]
    if type(name) is bytes:
        name = os.fsdecode(name)
    name = os.fspath(name)
    if type(name) is not str or name in ("", ":memory:"):
        return
    if name.startswith("file:"):
        from urllib.parse import unquote, urlsplit

        name = unquote(urlsplit(name).path)
        if not name or name == ":memory:":
            return
    path = path_of(name)
    if path is None:
        return
    if signature_of(path) is None:
        note_read(path, frame)
        note_changed(path)
    else:
        note_read(path, frame)
        note_changed(path, "touched")
    for more in ("-wal", "-journal"):
        note_read(path + more, frame)
        note_changed(path + more, "touched")


def _on_dlopen(args: Args, frame: FrameType) -> None:
    name = args[0]
    if type(name) is str and os.sep in name:
        path = path_of(name)
        if path is not None:
            note_read(path, frame)


def _at(path: Any, descriptor: Any) -> str | None:
    """Return a path that may start from the folder of a descriptor."""
    if type(descriptor) is int and descriptor >= 0 and type(path) is not int:
        folder = path_of(descriptor)
        return None if folder is None else path_of(os.path.join(folder, os.fsdecode(path)), False)
    return path_of(path, False)


def _on_rename(args: Args, frame: FrameType) -> None:
    source, target = _at(args[0], args[2]), _at(args[1], args[3])
    is_folder = source is not None and is_directory(source)
    if source is not None and not is_folder:
        note_read(source, frame)
    note_changed(source, "touched")
    note_changed(target, "made" if is_folder else "wrote")


def _on_removed(args: Args, frame: FrameType) -> None:
    note_changed(_at(args[0], args[1] if len(args) > 1 else -1), "touched")


def _on_made(args: Args, frame: FrameType) -> None:
    path = _at(args[0], args[2])
    if path is not None and signature_of(path) is None:
        note_changed(path, "made")


def _on_linked(args: Args, frame: FrameType) -> None:
    source = _at(args[0], args[2])
    if source is not None:
        note_read(source, frame)
        note_changed(source, "touched")  # The number of its names, and so the time of its last change.
    note_changed(_at(args[1], args[3]))


def _on_symlinked(args: Args, frame: FrameType) -> None:
    state.has_links = real_readlink is not None
    note_changed(_at(args[1], args[2]))


def _on_touched(args: Args, frame: FrameType) -> None:
    note_changed(_at(args[0], args[-1] if len(args) > 2 else -1), "touched")


_HANDLERS = {
    "open": _on_open,
    "os.listdir": _on_list,
    "os.scandir": _on_scan,
    "import": _on_import,
    "subprocess.Popen": _on_program,
    "os.posix_spawn": _on_spawn,
    "os.exec": _on_exec,
    "os.system": _on_system,
    "os.startfile": _on_program,
    "socket.connect": _on_connect,
    "socket.sendto": _on_connect,
    "socket.bind": _on_bind,
    "socket.getaddrinfo": _on_lookup,
    "socket.gethostbyname": _on_lookup,
    "socket.gethostname": _on_host,
    "ctypes.dlopen": _on_dlopen,
    "sqlite3.connect": _on_sqlite,
    "os.rename": _on_rename,
    "os.remove": _on_removed,
    "os.rmdir": _on_removed,
    "shutil.rmtree": _on_removed,
    "os.mkdir": _on_made,
    "os.link": _on_linked,
    "os.symlink": _on_symlinked,
    "os.truncate": _on_touched,
    "os.chmod": _on_touched,
    "os.chown": _on_touched,
    "os.utime": _on_touched,
    "os.setxattr": _on_touched,
}


def hook(event: str, args: Args) -> None:
    handler = _HANDLERS.get(event)
    if handler is None or not state.is_on:
        return
    try:
        if state.paused and _thread_id() in state.paused:
            return
        handler(args, sys._getframe(1))
    except Exception as error:
        if is_foreign(error):
            raise

"""Record what a step's processes read, so that the runner can tell whether an earlier result still holds.

`begin` starts it in each Python process of a step. A line of what was read is a JSON array, its kind first:

    ["begin", command, is_main, is_forked]      a process of the step; its command line as a number
    ["file", path, signature]                   a file whose content was read; null where nothing was there
    ["list", path, signature]                   a folder whose names were listed
    ["entries", path, level]                    the same, by code that may ask each of its entries (see "stat")
    ["distributions", path]                     the names of what is installed in a folder
    ["stat", path, level, follows, answer]      what was asked of a path: 0 its kind, 1 its size too, 2 its time too
    ["wrote", path], ["made", path], ["touched", path]     what the process made whole, or changed, itself
    ["env", name], ["env", null]                a variable, or the whole environment
    ["import", name], ["absent", name]          a top-level module, and one that was not there
    ["installed", path]                         a file of an installed package
    ["program", command, executable, is_python, name]  a program that the project's code started
    ["argument", path]                          a file or folder that is named on its command line
    ["network", host], ["fact", question], ["secret", name], ["end"]

They go to `<step>/reads/`: of the step's first process at its end, of every other process at once, since workers are
killed. Nothing that goes wrong here reaches the script.
"""

from __future__ import annotations

import os
import stat as _modes
import sys
from _json import encode_basestring_ascii
from _thread import get_ident as _thread_id
from binascii import crc32

from .session import is_of_session, is_of_system

_FOLDER = "reads"
_SITE = ("site-packages", "dist-packages")
_HERE = os.path.dirname(os.path.abspath(__file__))
_STANDIN = os.path.dirname(_HERE)
_STDLIB = os.path.dirname(os.path.abspath(os.__file__))
_STDLIB_ARCHIVE = os.path.join(os.path.dirname(_STDLIB), "python{}{}.zip".format(*sys.version_info[:2]))
# Where gettext looks for the standard library's own messages.
_TRANSLATIONS = os.path.join(sys.base_prefix, "share", "locale", "")
_TIMES = ("st_mtime", "st_ctime", "st_atime", "ST_MTIME", "ST_CTIME", "getmtime", "getctime")
_environ_class = type(os.environ)
_MISSING = object()
_MOST_LINKS = 40


class _State:
    """What this process has noted; `lines` is None once it writes at once."""

    def __init__(self) -> None:
        self.folder = ""
        self.own = ()
        self.is_on = False
        self.lines: list | None = []
        self.file = ""
        self.is_main = False
        self.has_bound = False
        self.has_links = False
        self.path: frozenset[str] = frozenset()
        self.paused: dict[int, int] = {}
        self.looked_up = ""
        self.seen: dict[str, set] = {}
        self.env: set[str] = set()


_state = _State()
_kinds: dict[str, str] = {}
_sources: dict[str, bool] = {}
_is_hooked = False


# What is written


def _emit(*line: object) -> None:
    key = line[1] if len(line) > 1 else None
    if type(key) is str:
        known = _state.seen.setdefault(line[0], set())
        known.add(key)
    if _state.lines is None:
        _write([line])
    else:
        _state.lines.append(line)


def _write(lines: list) -> None:
    text = "".join(_text(line) + "\n" for line in lines).encode()
    descriptor = _real_open(_state.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        while text:
            text = text[os.write(descriptor, text) :]
    finally:
        os.close(descriptor)


def _text(value: object) -> str:
    """Return a value as JSON; the module json would take longer to import than a step to run."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    return f"[{','.join(map(_text, value))}]"


def _save(*last: tuple) -> None:
    """Write what the first process has noted so far."""
    if _state.is_on and _state.lines is not None:
        _state.is_on = False  # Its own file is nothing that the script reads.
        try:
            lines, _state.lines = _state.lines, []
            _write([*lines, *last])
        except Exception:
            _state.lines = []
        finally:
            _state.is_on = True


def _finish() -> None:
    if _state.is_main:
        _save(("end",))


# Who asks


def _kind(frame) -> str:
    """Say whose code it is: the standard library's and ours "s", an installed package's "i", or the project's "p"."""
    name = frame.f_code.co_filename
    kind = _kinds.get(name)
    if kind is None:
        if name.startswith("<") or name.startswith(_STANDIN + os.sep) or f"{os.sep}forkserver{os.sep}" in name:
            kind = "s"
        elif any(f"{os.sep}{site}{os.sep}" in name for site in _SITE):
            kind = "i"
        else:
            kind = "s" if name.startswith(_STDLIB + os.sep) else "p"
        _kinds[name] = kind
    return kind


def _asker(frame):
    """Return the frame of the nearest code that is neither the standard library's nor ours."""
    while frame is not None and _kind(frame) == "s":
        frame = frame.f_back
    return frame


def _is_project(frame) -> bool:
    found = _asker(frame)
    return found is None or _kind(found) == "p"


def _minds_times(frame) -> bool:
    """Say whether the text of that code asks for the times of files."""
    name = frame.f_code.co_filename
    if name not in _sources:
        _sources[name] = False
        try:
            descriptor = _real_open(name, os.O_RDONLY)
            try:
                text = os.read(descriptor, 1 << 20).decode("utf-8", "replace")
            finally:
                os.close(descriptor)
            _sources[name] = any(word in text for word in _TIMES)
        except OSError:
            pass
    return _sources[name]


# Paths


def _path(value, follows: bool = True) -> str | None:
    """Return a path as the runner can use it, through links of the step's own; None for what is none of a file's."""
    if type(value) is int:
        try:
            value = os.readlink(f"/proc/self/fd/{value}")
        except OSError:
            return None
        if not value.startswith("/"):
            return None  # a pipe or a socket
    value = os.fsdecode(value)
    if "\0" in value:
        return None
    if not os.path.isabs(value):
        value = os.path.join(os.getcwd(), value)
    path = os.path.normpath(value) if "/." in value or "//" in value or value.endswith("/") else value
    return _follow(path, follows) if _state.has_links and path.startswith(_state.own) else path


def _follow(path: str, follows: bool) -> str:
    """Return where a path leads; without `follows` its own link is not followed."""
    waiting = path.split(os.sep)[::-1]
    done, links = "", 0
    while waiting:
        name = waiting.pop()
        if name == "..":
            done = os.path.dirname(done)
        elif name not in ("", "."):
            here = f"{done}{os.sep}{name}"
            target = _target(here) if waiting or follows else None
            if target is None or links >= _MOST_LINKS:
                done = here
                continue
            links += 1
            waiting += target.split(os.sep)[::-1]
            done = "" if target.startswith(os.sep) else done
    return done or os.sep


def _target(path: str) -> str | None:
    try:
        return _real_readlink(path)
    except (OSError, ValueError):
        return None


def _is_left_out(path: str) -> bool:
    if path.startswith(_state.own) or is_of_system(path) or path + os.sep in _state.own:
        return True
    if path.startswith(_STDLIB + os.sep):
        return not any(f"{os.sep}{site}" in path for site in _SITE)
    if path == _STDLIB or path.startswith((_STDLIB_ARCHIVE, _TRANSLATIONS)):
        return True
    return path.startswith(_STANDIN + os.sep) or path == _STANDIN


def _signature(path: str):
    try:
        found = _real_stat(path)
    except (OSError, ValueError):
        return None
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _is_cache(path: str) -> bool:
    """Say whether it lies in the user's cache, of which libraries make what they like."""
    environ = os.environ._data
    for name in (b"XDG_CACHE_HOME", b"MPLCONFIGDIR"):
        folder = environ.get(name) if os.name == "posix" else None
        if folder and path.startswith(os.path.join(os.fsdecode(folder), "")):
            return True
    home = environ.get(b"HOME") if os.name == "posix" else None
    return bool(home) and path.startswith(os.path.join(os.fsdecode(home), ".cache", ""))


def _installed_part(path: str) -> str | None:
    for site in _SITE:
        mark = f"{os.sep}{site}{os.sep}"
        if mark in path:
            return path.partition(mark)[2]
    return None


def _read(path: str, frame) -> None:
    """Note that a file's content is read."""
    if path.endswith(".pyc"):
        path = _source_of(path)
    if _is_known(path) or _is_left_out(path):
        return
    part = _installed_part(path)
    if part is None:
        if not _is_cache(path) or _is_project(frame):
            _emit("file", path, _signature(path))
    elif part.partition(os.sep)[0].endswith((".dist-info", ".egg-info")):
        # All of them are read by whoever looks for plugins.
        if _is_project(frame):
            _emit("file", path, _signature(path))
            if part.endswith("entry_points.txt"):
                _note_distributions(path[: -len(part) - 1])
    elif path not in _state.seen.get("installed", ()):
        _emit("installed", path)


def _is_known(path: str) -> bool:
    return path in _state.seen.get("file", ()) or path in _state.seen.get("wrote", ()) or _is_made(path)


def _source_of(path: str) -> str:
    """Return the source of a compiled file."""
    folder, name = os.path.split(path)
    if os.path.basename(folder) != "__pycache__":
        return path
    return os.path.join(os.path.dirname(folder), name.partition(".")[0] + ".py")


def _note_distributions(site: str) -> None:
    if site not in _state.seen.get("distributions", ()):
        _emit("distributions", site)


def _listed(path: str, frame) -> None:
    if path in _state.seen.get("list", ()) or _is_left_out(path) or _is_made(path):
        return
    is_site = os.path.basename(path) in _SITE
    part = None if is_site else _installed_part(path)
    if is_site or part is not None or _is_cache(path):
        if not _is_project(frame):
            if part is not None and not part.endswith((".dist-info", ".egg-info")) and not _is_importing(frame):
                _emit("list", path, _signature(path))  # A package that looks for plugins of its own.
            return
        if is_site and _asker(frame) is not _direct(frame):
            _note_distributions(path)  # by importlib.metadata
            return
    elif _is_importing(frame):
        return  # which looks for a module: see "import"
    _emit("list", path, _signature(path))
    asked = _asker(frame)
    if asked is not None and asked is _direct(frame):
        # An entry of os.scandir gives sizes and times without a call that could be seen.
        _emit("entries", path, 2 if _minds_times(asked) else 1)


def _is_importing(frame) -> bool:
    return frame.f_code.co_filename.startswith("<frozen importlib")


def _direct(frame):
    """Return the code that calls: through pathlib's own `stat`, where there is one."""
    while frame is not None and frame.f_code.co_name in ("stat", "lstat") and "pathlib" in frame.f_code.co_filename:
        frame = frame.f_back
    return frame


def _is_made(path: str) -> bool:
    made = _state.seen.get("made")
    if not made:
        return False
    return any(path == folder or path.startswith(folder + os.sep) for folder in tuple(made))


def _changed(path: str | None, kind: str = "wrote") -> None:
    """Note that the process changes what is at a path by itself."""
    if path is None or path in _state.seen.get(kind, ()) or path.startswith(_state.own) or is_of_system(path):
        return
    _emit(kind, path)


# Events


def _on_open(args, frame) -> None:
    path, _, flags = args
    if type(path) is int:
        return
    if type(path) is str and path in _state.seen.get("file", ()) and not flags & (os.O_WRONLY | os.O_RDWR):
        return
    path = _path(path)
    if path is not None:
        _opened(path, flags if type(flags) is int else 0, frame)


def _opened(path: str, flags: int, frame) -> None:
    if not flags & (os.O_WRONLY | os.O_RDWR):
        _read(path, frame)
        return
    if path.startswith(_state.own) or is_of_system(path) or path.endswith(".pyc"):
        return
    if flags & os.O_TRUNC or _signature(path) is None:
        # What was read of it before was read.
        _changed(path)
        return
    if flags & os.O_RDWR:
        _read(path, frame)
    _changed(path, "touched")


def _on_list(args, frame) -> None:
    path = _path("." if args[0] is None else args[0])
    if path is not None:
        _listed(path, frame)


def _on_import(args, frame) -> None:
    name, file = args[0], args[1]
    top = str(name).partition(".")[0]
    if top not in _state.seen.get("import", ()):
        _emit("import", top)
        _note_places(top)
    if file:
        path = _path(file)
        if path is not None:
            _read(path, frame)


def _note_places(name: str) -> None:
    """Note where a module is not found, of the folders that the script has put into sys.path."""
    if name in sys.builtin_module_names or all(folder in _state.path for folder in sys.path):
        return
    for folder in sys.path:
        if type(folder) is not str:
            continue
        if name in sys.stdlib_module_names and folder.startswith(_STDLIB):
            return
        place = _path(os.path.join(folder, name))
        if place is None or _exists(place) or _exists(f"{place}.py"):
            return
        if folder not in _state.path and not _is_left_out(place) and _installed_part(place) is None:
            for missing in (place, f"{place}.py"):
                if not _is_known(missing):
                    _emit("file", missing, None)


def _on_program(args, frame) -> None:
    cwd = args[2] if len(args) == 4 else None
    _note_program(args[0], args[1], frame, None if cwd is None else os.fsdecode(cwd))


def _on_spawn(args, frame) -> None:
    if os.path.basename(frame.f_code.co_filename) != "subprocess.py":  # which tells of it by itself
        _note_program(args[0], args[1], frame)


def _on_system(args, frame) -> None:
    _note_program("/bin/sh", ["/bin/sh", "-c", os.fsdecode(args[0])], frame)


def _on_exec(args, frame) -> None:
    path, argv = os.fsdecode(args[0]), [os.fsdecode(item) for item in args[1]]
    if not _exists(path):
        _read(path, frame)  # One of PATH's folders, where another may be found later.
        return
    _note_program(path, argv, None)
    if _state.is_main:
        # Another Python goes on as the step's first process; of anything else there is nothing more to come.
        _save(*([] if _is_python(argv[0] if argv else path) else [("end",)]))


def _note_program(executable, argv, frame, cwd: str | None = None) -> None:
    """Note a program, unless it is an installed package that starts it; without a frame it counts in any case."""
    if frame is not None and not _is_project(frame):
        return
    if isinstance(argv, (str, bytes)) or hasattr(argv, "__fspath__"):
        argv = [argv]
    argv = [os.fsdecode(item) for item in argv or ()]
    path = os.fsdecode(executable) if executable else argv[0] if argv else ""
    words = _words(argv)
    if words is not argv and words and not _SHELLS_OWN.intersection(argv[-1]):
        argv = words
    name = os.path.basename(words[0] if words else path)
    _emit("program", _command(argv), _found(path), bool(argv) and _is_python(argv[0]), name)
    for word in dict.fromkeys((path, *(words if words is not argv else ()))):
        _note_search(word)
    for path in _named_paths(words[1:], os.path.join(os.getcwd(), cwd or "")):
        if path not in _state.seen.get("argument", ()):
            _emit("argument", path)


_SHELLS_OWN = frozenset("|&;<>()$`\\\"'*?[]#~={}%!\n")


def _words(argv: list[str]) -> list[str]:
    """Return a command's words; of a shell's command those of its text."""
    if len(argv) > 2 and argv[1] == "-c" and os.path.basename(argv[0]) in ("sh", "bash", "dash", "zsh"):
        text = argv[2]
        for mark in "\"'|&;<>()`":
            text = text.replace(mark, " ")
        return text.split()
    return argv


def _named_paths(words: list[str], folder: str):
    for word in map(_expanded, words):
        for text in dict.fromkeys((word, word.partition("=")[2])):
            path = _path(os.path.join(folder, text)) if text and len(text) < 1000 else None
            if path and path != os.path.normpath(folder) and not _is_left_out(path) and _exists(path):
                yield path


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


def _command(argv: list[str]) -> int:
    """Return a number for a command line, which may hold a secret."""
    return crc32("\0".join(argv).encode("utf-8", "surrogateescape"))


def _found(name: str) -> str:
    if os.path.dirname(name):
        return os.path.abspath(name)
    return next(filter(_exists, _candidates(name)), name)


def _candidates(name: str):
    """Yield where a program of that name is looked for."""
    path = os.environ._data.get(b"PATH") if os.name == "posix" else None
    for folder in os.fsdecode(path or b"/usr/bin:/bin").split(os.pathsep):
        yield os.path.join(os.path.abspath(folder), name)


def _note_search(name: str) -> None:
    """Note where a program was looked for in vain, and the one that was found."""
    if not name or os.path.dirname(name) or not _exists(_found(name)):
        return
    for candidate in _candidates(name):
        is_there = _exists(candidate)
        if not _is_known(candidate) and not _is_left_out(candidate):
            _emit("file", candidate, _signature(candidate))
        if is_there:
            return


def _exists(path: str) -> bool:
    try:
        _real_stat(path)
    except (OSError, ValueError):
        return False
    return True


def _is_python(name) -> bool:
    base = os.path.basename(os.fsdecode(name)).lower()
    return base.startswith(("python", "pypy")) or os.fsdecode(name) == sys.executable


def _on_connect(args, frame) -> None:
    address = args[1]
    if isinstance(address, tuple) and address:
        host = str(address[0])
        is_here = host.startswith("127.") or host in ("::1", "localhost", "0.0.0.0", "::")  # noqa: S104 - compared
        if is_here and _state.has_bound:
            return  # to a server that the step itself has started
        _emit("network", _state.looked_up or host)


def _on_lookup(args, frame) -> None:
    host = args[0]
    if not host or type(host) not in (str, bytes):
        return
    host = os.fsdecode(host)
    own = _real_uname().nodename if _real_uname is not None else ""
    if host not in ("localhost", own) and not host.replace(".", "").isdigit() and ":" not in host:
        _state.looked_up = host
        _emit("network", host)


def _on_bind(args, frame) -> None:
    _state.has_bound = True


def _on_host(args, frame) -> None:
    if _is_project(frame):
        fact("host")


def _on_sqlite(args, frame) -> None:
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
    path = _path(name)
    if path is None:
        return
    if _signature(path) is None:
        _read(path, frame)
        _changed(path)
    else:
        _read(path, frame)
        _changed(path, "touched")
    for more in ("-wal", "-journal"):
        _read(path + more, frame)
        _changed(path + more, "touched")


def _on_dlopen(args, frame) -> None:
    name = args[0]
    if type(name) is str and os.sep in name:
        path = _path(name)
        if path is not None:
            _read(path, frame)


def _at(path, descriptor) -> str | None:
    """Return a path that may start from the folder of a descriptor."""
    if type(descriptor) is int and descriptor >= 0 and type(path) is not int:
        folder = _path(descriptor)
        return None if folder is None else _path(os.path.join(folder, os.fsdecode(path)), False)
    return _path(path, False)


def _on_rename(args, frame) -> None:
    source, target = _at(args[0], args[2]), _at(args[1], args[3])
    is_folder = source is not None and _is_folder(source)
    if source is not None and not is_folder:
        _read(source, frame)
    _changed(source, "touched")
    _changed(target, "made" if is_folder else "wrote")


def _is_folder(path: str) -> bool:
    try:
        return _modes.S_ISDIR(_real_lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def _on_removed(args, frame) -> None:
    _changed(_at(args[0], args[1] if len(args) > 1 else -1), "touched")


def _on_made(args, frame) -> None:
    path = _at(args[0], args[2])
    if path is not None and _signature(path) is None:
        _changed(path, "made")


def _on_linked(args, frame) -> None:
    source = _at(args[0], args[2])
    if source is not None:
        _read(source, frame)
        _changed(source, "touched")  # The number of its names, and so the time of its last change.
    _changed(_at(args[1], args[3]))


def _on_symlinked(args, frame) -> None:
    _state.has_links = _real_readlink is not None
    _changed(_at(args[1], args[2]))


def _on_touched(args, frame) -> None:
    _changed(_at(args[0], args[-1] if len(args) > 2 else -1), "touched")


_HANDLERS = {
    "open": _on_open,
    "os.listdir": _on_list,
    "os.scandir": _on_list,
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


def _hook(event, args) -> None:
    handler = _HANDLERS.get(event)
    if handler is None or not _state.is_on:
        return
    try:
        if _state.paused and _thread_id() in _state.paused:
            return
        handler(args, sys._getframe(1))
    except Exception as error:
        if _is_foreign(error):
            raise


def _is_foreign(error: BaseException) -> bool:
    """Say whether it comes from elsewhere: a signal's handler may raise at any moment, also in here."""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name != __file__ and not name.startswith(("<", _STDLIB)):
            return True
        trace = trace.tb_next
    return False


# What is asked without an event


def _stat_asked(path, follows: bool, found, frame) -> None:
    if type(path) is int or not _state.is_on or (_state.paused and _thread_id() in _state.paused):
        return
    try:
        _note_stat(path, follows, found, frame)
    except Exception as error:
        if _is_foreign(error):
            raise


def _note_stat(path, follows: bool, found, frame) -> None:
    level = _level(frame)
    if level is None or (path, level, follows) in _state.seen.get("stat", ()):
        return
    spelled, path = path, _path(path, follows)
    if path is None or _is_left_out(path) or path in _state.seen.get("wrote", ()) or _is_made(path):
        return
    if not level and (os.path.basename(path) in _SITE or any(own.startswith(path + os.sep) for own in _state.own)):
        return  # a folder above the step's own, or one of packages
    if _installed_part(path) is not None or (_is_cache(path) and not _is_project(frame)):
        return
    known = _state.seen.setdefault("stat", set())
    if (path, level, follows) not in known:
        answer = None if found is None else (found.st_mode, found.st_size, found.st_mtime_ns)
        line = ("stat", path, level, follows, answer)
        if _state.lines is None:
            _write([line])
        else:
            _state.lines.append(line)
    known.update(((spelled, level, follows), (path, level, follows)))


def _level(frame) -> int | None:
    """Say what the code that calls makes of a file's status: 0 its kind, 1 its size too, 2 its time too."""
    code = frame.f_code
    if code.co_filename.startswith("<frozen importlib"):
        return None
    if code.co_name in ("getmtime", "getctime", "getatime") and _kind(frame) == "s":
        return 2 if _is_project(frame) else 0
    if code.co_name == "getsize" and _kind(frame) == "s":
        return 1
    asked = _direct(frame)
    if asked is not None and _kind(asked) == "p":
        return 2 if _minds_times(asked) else 1
    return 0


def _stat(self, path, *, dir_fd=None, follow_symlinks=True):
    """Stand in for os.stat."""
    try:
        found = _real_stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
    except OSError:
        if dir_fd is None:
            _stat_asked(path, follow_symlinks, None, sys._getframe(1))
        raise
    if dir_fd is None:
        _stat_asked(path, follow_symlinks, found, sys._getframe(1))
    return found


def _lstat(self, path, *, dir_fd=None):
    """Stand in for os.lstat."""
    try:
        found = _real_lstat(path, dir_fd=dir_fd)
    except OSError:
        if dir_fd is None:
            _stat_asked(path, False, None, sys._getframe(1))
        raise
    if dir_fd is None:
        _stat_asked(path, False, found, sys._getframe(1))
    return found


def _access(self, path, mode, *, dir_fd=None, effective_ids=False, follow_symlinks=True):
    """Stand in for os.access."""
    if dir_fd is None and type(path) is not int:
        try:
            found = _real_stat(path)
        except (OSError, ValueError):
            found = None
        _stat_asked(path, True, found, sys._getframe(1))
    return _real_access(path, mode, dir_fd=dir_fd, effective_ids=effective_ids, follow_symlinks=follow_symlinks)


def _readlink(self, path, *, dir_fd=None):
    """Stand in for os.readlink."""
    if dir_fd is None:
        try:
            found = _real_lstat(path)
        except (OSError, ValueError):
            found = None
        _stat_asked(path, False, found, sys._getframe(1))
    return _real_readlink(path, dir_fd=dir_fd)


def _open(self, path, flags, mode=0o777, *, dir_fd=None):
    """Stand in for os.open, whose event does not say to which folder a path belongs."""
    if dir_fd is not None and _state.is_on:
        try:
            folder = _path(dir_fd)
            name = os.fsdecode(path)
            if folder is not None and not os.path.isabs(name):
                _opened(_path(os.path.join(folder, name)) or "", flags, sys._getframe(1))
        except Exception as error:
            if _is_foreign(error):
                raise
        pause()
        try:
            return _real_open(path, flags, mode, dir_fd=dir_fd)
        finally:
            resume()
    return _real_open(path, flags, mode, dir_fd=dir_fd)


def _uname(self):
    """Stand in for os.uname."""
    frame = sys._getframe(1)
    if _state.is_on and (_kind(frame) == "p" or (_calls_node(frame) and _is_project(frame))):
        fact("host")
    return _real_uname()


def _calls_node(frame) -> bool:
    while frame is not None and _kind(frame) == "s":
        if frame.f_code.co_name == "node":
            return True
        frame = frame.f_back
    return False


def _umask(self, mask):
    """Stand in for os.umask."""
    if _state.is_on and _is_project(sys._getframe(1)):
        fact("umask")
    return _real_umask(mask)


def _exit(self, status):
    """Stand in for os._exit."""
    try:
        _finish()
    finally:
        _real_exit(status)


_real_stat, _real_lstat, _real_access, _real_open = os.stat, os.lstat, os.access, os.open
_real_exit, _real_umask = os._exit, os.umask
_real_uname = getattr(os, "uname", None)
_real_readlink = getattr(os, "readlink", None)


def _as_built_in(real, function):
    """Make what stands in for a built-in function: an object, which does not become a method where a class holds it."""
    names = {"__call__": function, "__module__": "os", "__reduce__": lambda self: self.__name__}
    return type(real.__name__, (), {**names, "__name__": real.__name__, "__doc__": real.__doc__})()


_PAIRS = [(_real_stat, _stat), (_real_lstat, _lstat), (_real_access, _access), (_real_open, _open)]
_PAIRS += [(_real_readlink, _readlink), (_real_exit, _exit), (_real_umask, _umask), (_real_uname, _uname)]
_STAND_INS = [(real, _as_built_in(real, function)) for real, function in _PAIRS if real is not None]


def _wrap() -> None:
    for real, ours in _STAND_INS:
        setattr(os, real.__name__, ours)
        for name in ("supports_dir_fd", "supports_effective_ids", "supports_follow_symlinks", "supports_fd"):
            known = getattr(os, name, ())
            if real in known:
                known.add(ours)
    accessor = getattr(sys.modules.get("pathlib"), "_NormalAccessor", None)  # Python 3.10, imported before
    if accessor is not None:
        accessor.stat = os.stat


# Variables


class _Environ(_environ_class):
    """The environment, which notes the names that are asked for."""

    def __getitem__(self, key):
        if key not in _state.env:
            _variable(key)
        return _environ_class.__getitem__(self, key)

    def __setitem__(self, key, value):
        _state.env.add(key)  # What the script sets itself is not read.
        _environ_class.__setitem__(self, key, value)

    def __delitem__(self, key):
        if key in self._quiet():
            _state.env.add(key)
        _environ_class.__delitem__(self, key)

    def __iter__(self):
        _whole(self)
        return _environ_class.__iter__(self)

    def __len__(self):
        _whole(self)
        return _environ_class.__len__(self)

    def __repr__(self):
        _whole(self)
        return repr(self._quiet())

    def copy(self):
        _whole(self)
        return dict(self._quiet())

    def items(self):
        _whole(self)
        return self._quiet().items()

    def values(self):
        _whole(self)
        return self._quiet().values()

    def _quiet(self):
        return _environ_class(self._data, self.encodekey, self.decodekey, self.encodevalue, self.decodevalue)

    def __or__(self, other):
        _whole(self)
        return dict(self._quiet()) | dict(other) if hasattr(other, "keys") else NotImplemented

    def __ror__(self, other):
        _whole(self)
        return dict(other) | dict(self._quiet()) if hasattr(other, "keys") else NotImplemented


# The frame and the instruction that goes through all variables.
_bulk: tuple = ()


def _variable(key) -> None:
    name = os.fsdecode(key) if isinstance(key, (str, bytes)) else None
    if name is None or (_state.paused and _thread_id() in _state.paused):
        return
    try:
        frame = sys._getframe(2)
        while frame is not None and os.path.basename(frame.f_code.co_filename) in _PASSING:
            frame = frame.f_back
        if _bulk and frame is not None and (id(frame), frame.f_lasti) == _bulk:
            return
        if is_of_session(name) and (frame is None or _kind(frame) != "p"):
            return
        _state.env.add(key)
        _emit("env", name)
    except Exception as error:
        if _is_foreign(error):
            raise


_PASSING = frozenset(("os.py", "_collections_abc.py", "posixpath.py", "ntpath.py", "<frozen os>", "<frozen posixpath>"))
_PASSING |= {"<frozen _collections_abc>", "<frozen ntpath>", "<frozen genericpath>", "genericpath.py"}


def _whole(environ) -> None:
    global _bulk  # noqa: PLW0603 - one a process
    if not _state.is_on or (_state.paused and _thread_id() in _state.paused):
        return
    try:
        frame = sys._getframe(2)
        while frame is not None and os.path.basename(frame.f_code.co_filename) in _PASSING:
            frame = frame.f_back
        if (_is_project(frame) or _reads_settings(frame)) and _MISSING not in _state.env:
            _state.env.add(_MISSING)
            _emit("env", None)
        if frame is not None:
            _bulk = (id(frame), frame.f_lasti)
    except Exception as error:
        if _is_foreign(error):
            raise


def _reads_settings(frame) -> bool:
    """Say whether it is a library that finds a project's settings among all variables."""
    found = _asker(frame)
    part = _installed_part(found.f_code.co_filename) if found is not None else None
    return part is not None and part.partition(os.sep)[0].partition(".")[0] in _SETTINGS


# Others go through all variables for those of their own, or to hand them on to a process.
_SETTINGS = frozenset(("confz", "configargparse", "dynaconf", "environ", "environs", "prettyconf", "pydantic"))
_SETTINGS |= {"pydantic_settings", "starlette", "traitlets"}


# Modules that are not there


class _Last:
    """The last finder of modules: it is asked for those that no other has found."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Find nothing, and note it."""
        try:
            if path is None:
                if name not in _state.seen.get("absent", ()):
                    _emit("absent", name)
                    _note_places(name)
            else:
                base = name.rpartition(".")[2]
                for folder in path:
                    found = _path(folder)
                    if found is not None and _installed_part(os.path.join(found, "")) is None:
                        for candidate in (base, f"{base}.py"):
                            missing = os.path.join(found, candidate)
                            if not _is_left_out(missing) and missing not in _state.seen.get("file", ()):
                                _emit("file", missing, None)
        except Exception:
            return
        return


# What the stand-in says


def fact(question: str) -> None:
    """Note that the script was told something of its run's description, such as `experiment`."""
    if not _state.paused or _thread_id() not in _state.paused:
        _told("fact", question)


def file(path: str) -> None:
    """Note that the script may read a file under another path, as where a dataset is mounted."""
    if _state.is_on:
        _read(path, sys._getframe(1))


def secret(name: str) -> None:
    """Note that the script was told a secret."""
    _told("secret", name)


def _told(kind: str, name: str) -> None:
    if _state.is_on and name not in _state.seen.get(kind, ()):
        try:
            _emit(kind, name)
        except OSError:  # a full disk, which the step will meet by itself
            return


def pause() -> None:
    """Record nothing in this thread until `resume`."""
    thread = _thread_id()
    _state.paused[thread] = _state.paused.get(thread, 0) + 1


def resume() -> None:
    """Record again what this thread reads."""
    thread = _thread_id()
    left = _state.paused.get(thread, 0) - 1
    if left > 0:
        _state.paused[thread] = left
    else:
        _state.paused.pop(thread, None)


def quietly(function):
    """Make a function whose own reads are not recorded."""
    import functools

    @functools.wraps(function)
    def unrecorded(*args, **kwargs):
        pause()
        try:
            return function(*args, **kwargs)
        finally:
            resume()

    return unrecorded


# How it begins


def prepare() -> None:
    """Note what is read while modules are imported ahead of all steps; `ahead` gives it."""
    _state.is_on = True
    _swap()


def ahead() -> dict:
    """Return what was noted since `prepare`, with the files of the modules that are imported now."""
    files, names = set(), set()
    for name, module in list(sys.modules.items()):
        names.add(name.partition(".")[0])
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and not file.startswith((_STANDIN, "<")) and not _is_left_out(file):
            files.add(file)
    _state.is_on = False
    lines = _state.lines or []
    return {
        "files": sorted(files),
        "names": sorted(names),
        "env": sorted({line[1] for line in lines if line[0] == "env" and line[1]}),
        "absent": sorted({line[1] for line in lines if line[0] == "absent"} - set(sys.modules)),
    }


def _swap() -> None:
    for environ in (os.environ, getattr(os, "environb", None)):
        if environ is not None and type(environ) is _environ_class:
            environ.__class__ = _Environ
    if _Last not in sys.meta_path:
        sys.meta_path.append(_Last)


def begin() -> None:
    """Record from here on what this process of a step reads."""
    global _state, _is_hooked  # noqa: PLW0603 - one a process
    context = os.environ._data.get(b"AZML_RUN_CONTEXT" if os.name == "posix" else "AZML_RUN_CONTEXT")
    if not context or _is_hooked:
        return
    step = os.path.dirname(os.path.abspath(os.fsdecode(context)))
    _state = _State()
    _state.folder = os.path.join(step, _FOLDER)
    own = {os.path.join(step, ""), os.path.join(os.path.realpath(step), "")}
    _state.own = tuple(own)
    if not os.path.isdir(_state.folder):
        _make_folder()
    _state.path = frozenset(sys.path)
    _state.is_main = _is_first_process()
    _name_file()
    if not _state.is_main:
        _state.lines = None
        _state.has_links = _real_readlink is not None  # Its parent may have made some.
    _is_hooked = True
    _swap()
    _wrap()
    sys.addaudithook(_hook)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forked)
    import atexit

    atexit.register(_finish)
    platform = sys.modules.get("platform")
    if platform is not None:
        vars(platform)["_uname_cache"] = None
    _emit("begin", _command(getattr(sys, "orig_argv", sys.argv)), _state.is_main, "azml_script" in sys.modules)
    _state.is_on = True


def _make_folder() -> None:
    try:
        os.mkdir(_state.folder)
    except FileExistsError:  # another process was quicker
        return


def _is_first_process() -> bool:
    """Say whether this is the step's first process, also after it has become another program."""
    mark = os.path.join(_state.folder, "first")
    own = str(os.getpid())
    try:
        descriptor = _real_open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        with open(mark) as file:
            return file.read() == own
    os.write(descriptor, own.encode())
    os.close(descriptor)
    return True


def _name_file() -> None:
    import time

    _state.file = os.path.join(_state.folder, f"{os.getpid()}-{time.monotonic_ns()}.jsonl")


def _forked() -> None:
    """Go on in a child: what its parent noted is its parent's to write."""
    if not _state.is_on:
        return
    try:
        _state.is_main = False
        _state.lines = None
        _state.paused = {}
        _name_file()
    except Exception:
        _state.is_on = False

"""Run a script in this forked process like `python script.py`.

After the script has started, exceptions are handled like in the interpreter (CPython, Python/pythonrun.c:_PyErr_PrintEx
and Python/pylifecycle.c:Py_FinalizeEx); exceptions from `run_script` are from before.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import atexit
import builtins
import contextlib
import gc
import os
import signal
import sys
import time
from _io import _IOBase
from importlib.machinery import SourceFileLoader
from types import ModuleType

if False:  # typing takes longer to import than a step to start
    from types import TracebackType
    from typing import Any

_INTERRUPTED = -signal.SIGINT
# The interpreter's exit status if its standard streams cannot be flushed.
_NOT_FLUSHED = 120
_BUILTINS = dict(vars(builtins))
# The names of the modules that the server has imported: looking at each at a script's end would copy its pages.
imported_ahead: set[str] = set()
# The variables of the server, which a fork has at its start.
inherited: dict[str, str] = {}
_display = sys.__excepthook__


def run_script(argv: list[str], path: list[str], environment: dict[str, str]) -> int:
    """Run `argv[0]` with these folders first on the import path; return the exit status.

    The working directory and the standard streams are already the script's own.
    """
    _set_environment(environment)
    _begin()
    sys.argv = list(argv)
    sys.orig_argv = [sys.executable, *argv]
    sys.path[:0] = path
    _freshen()
    script = os.path.abspath(argv[0])
    with open(script, "rb") as file:
        source = file.read()
    status = 1
    try:
        status = _execute(script, source)
        if not _finish(path) and status != _INTERRUPTED:
            status = _NOT_FLUSHED
    except BaseException as error:
        # A signal's handler may raise at any moment, also between those that the two look after.
        _ignore(error, "the script's end")
    if status == _INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return status


def _set_environment(environment: dict[str, str]) -> None:
    # One by one, and only what differs: each change calls into the system's library.
    for name in inherited.keys() - environment.keys():
        del os.environ[name]
    for name, value in environment.items():
        if inherited.get(name) != value:
            os.environ[name] = value


def _begin() -> None:
    """Do what `sitecustomize` of the stand-in does in a new interpreter."""
    with contextlib.suppress(Exception):
        from azml_local import start

        start.begin()


def _freshen() -> None:
    """Set up this process like a new one."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()  # Else every step would draw the same numbers; the random module does this itself.
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None:
        vars(processes)["ORIGINAL_DIR"] = os.getcwd()
    threading = sys.modules.get("threading")
    if threading is not None:
        threading.main_thread()._set_native_id()  # Which a fork leaves as it was.
    time.tzset()


def _execute(path: str, source: bytes) -> int:
    main = ModuleType("__main__")
    main.__dict__.update(__file__=path, __cached__=None, __builtins__=sys.modules["builtins"])
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    main.__loader__ = SourceFileLoader("__main__", path)
    sys.modules["__main__"] = main
    raised = None
    try:
        exec(compile(source, path, "exec", dont_inherit=True), main.__dict__)  # noqa: S102 - what the step is
    except BaseException as error:
        raised = error
    _flush_quietly()
    # Not where it was caught, or what the hook raises would have been raised while something else was handled.
    return 0 if raised is None else _status_after(raised)


def _status_after(error: BaseException) -> int:
    """Print the exception that ended the script, and return the exit status."""
    if isinstance(error, SystemExit):
        return _status_of(error)
    trace = _strip(error)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    in_hook = None
    if hasattr(sys, "excepthook"):
        try:
            sys.excepthook(type(error), error, trace)
        except SystemExit as stopped:
            return _status_of(stopped)
        except BaseException as raised:
            in_hook = raised
    else:
        _say("sys.excepthook is missing\n")
        _display(type(error), error, trace)
    if in_hook is not None:
        _say("Error in sys.excepthook:\n")
        _display(type(in_hook), in_hook, _strip(in_hook))
        _say("\nOriginal exception was:\n")
        _display(type(error), error, trace)
    return _INTERRUPTED if type(error) is KeyboardInterrupt else 1


def _status_of(stopped: SystemExit) -> int:
    code: object = stopped
    with contextlib.suppress(BaseException):
        code = stopped.code
    if code is None:
        return 0
    if isinstance(code, int):
        # What no C long holds is -1.
        return code & 0xFF if -(1 << 63) <= code < 1 << 63 else 0xFF
    with contextlib.suppress(BaseException):
        text = str(code)
        stream = getattr(sys, "stderr", None)
        (_say if stream is None else stream.write)(text)
    _say("\n")
    return 1


def _strip(error: BaseException) -> TracebackType | None:
    """Take the frames of this file from where an error was raised; return the rest."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    BaseException.with_traceback(error, trace)  # An error's own class may do otherwise.
    return trace


def _say(text: str) -> None:
    try:
        sys.stderr.write(text)
    except BaseException:
        with contextlib.suppress(OSError):
            os.write(2, text.encode("utf-8", "backslashreplace"))


def _finish(path: list[str]) -> bool:
    """Do the visible parts of the interpreter's exit: threads, atexit, signals, objects, buffers.

    Return whether the standard streams could be flushed.
    """
    if "threading" in sys.modules:
        threading = sys.modules["threading"]
        try:
            threading._shutdown()
        except BaseException as error:
            _ignore(error, "threading shutdown", threading)
    atexit._run_exitfuncs()
    is_flushed = _flush()
    _reset_signals()
    # Threads that outlive the script still use its modules.
    if not _thread._count():
        _drop_modules(path)
    _flush_open_files()
    _flush_quietly()
    return is_flushed


def _ignore(error: BaseException, doing: str, where: object = None) -> None:
    """Report an uncatchable error like the interpreter: with an object before Python 3.13."""
    shown = (f"Exception ignored on {doing}", None) if sys.version_info >= (3, 13) or where is None else (None, where)
    with contextlib.suppress(BaseException):
        sys.unraisablehook(_type_of_ignored()((type(error), error, _strip(error), *shown)))


def _type_of_ignored() -> Any:
    """Return the type of the argument of `sys.unraisablehook`, which has no public name."""
    seen = []

    class Failing:
        def __del__(self) -> None:
            raise ValueError

    hook, sys.unraisablehook = sys.unraisablehook, lambda arguments: seen.append(type(arguments))
    Failing()
    sys.unraisablehook = hook
    return seen[0]


def _flush() -> bool:
    """Flush the standard streams, even if the script replaced them; return whether this worked."""
    is_flushed = True
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name, None)
        if stream is None or _is_closed(stream):
            continue
        try:
            stream.flush()
        except BaseException as error:
            is_flushed = False
            if name == "stdout":
                _ignore(error, "flushing sys.stdout", stream)
    return is_flushed


def _is_closed(stream: Any) -> bool:
    with contextlib.suppress(BaseException):
        return bool(stream.closed)
    return False


def _flush_quietly() -> None:
    for name in ("stderr", "stdout"):
        with contextlib.suppress(BaseException):
            getattr(sys, name).flush()


def _reset_signals() -> None:
    """Reset signal handlers: no exception may interrupt the rest."""
    for number in range(1, _signal.NSIG):
        if callable(_signal.getsignal(number)):
            _signal.signal(number, _signal.SIG_DFL)


def _drop_modules(path: list[str]) -> None:
    """Release the script and the project's modules, so that open files are written.

    Like in the interpreter, names are only removed from modules that are still alive: finalizers use them.
    """
    # What survives this is known in the order in which it refers to each other. So what is dropped below is finalized
    # from the outside in, a text file before the buffer that it writes to.
    gc.collect()
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, name, getattr(sys, f"__{name}__", None))
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        vars(sys).pop(name, None)
    names = vars(builtins)
    names.update(_BUILTINS)
    for name in names.keys() - _BUILTINS.keys():
        del names[name]
    forgotten = _forget_modules(tuple(os.path.join(folder, "") for folder in path))
    gc.collect()
    # The type first, because hooks are called for `id`.
    alive = {id(item): item for item in gc.get_objects() if type(item) is dict and id(item) in forgotten}
    for key in reversed(forgotten):
        # What lives at the place of a module's names need not be they any more.
        if key in alive and alive[key].get("__name__") == forgotten[key]:
            _clear(alive[key])
    if alive:
        del alive
        gc.collect()


def _forget_modules(folders: tuple[str, ...]) -> dict[int, object]:
    """Take the script, modules in these folders and what no import has made from the known ones.

    Return the name of each module by the id of its variables, which may outlive it.
    """
    forgotten = {}
    for name in [name for name in sys.modules if name == "__main__" or name not in imported_ahead]:
        module = sys.modules[name]
        if issubclass(type(module), ModuleType):
            # Without asking the module, which may do anything then.
            names = object.__getattribute__(module, "__dict__")
            file = names.get("__file__")
            is_made_up = name == "__main__" or names.get("__spec__") is None
            if not is_made_up and not (isinstance(file, str) and file.startswith(folders)):
                continue
            forgotten[id(names)] = names.get("__name__")
        sys.modules[name] = None  # type: ignore[assignment]
    return forgotten


def _clear(names: dict[str, object]) -> None:
    # Private names first, then the others, as the interpreter does.
    ordered = [name for name in names if isinstance(name, str) and name != "__builtins__"]
    for name in sorted(ordered, key=lambda name: not name.startswith("_") or name.startswith("__")):
        names[name] = None


def _flush_open_files() -> None:
    """Flush files that are still open elsewhere than in the project's modules."""
    objects = gc.get_objects()
    kinds = {kind for kind in set(map(type, objects)) if issubclass(kind, _IOBase)}
    for file in [item for item in objects if type(item) in kinds] if kinds else ():
        with contextlib.suppress(BaseException):
            if not file.closed:
                file.flush()

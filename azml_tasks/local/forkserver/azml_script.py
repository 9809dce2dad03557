"""Run a script in this process as `python script.py` would, for a process that was forked to do so."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import time
from importlib.machinery import SourceFileLoader
from types import ModuleType

_INTERRUPTED = -signal.SIGINT


def run_script(argv: list[str], path: list[str], environment: dict[str, str]) -> int:
    """Run `argv[0]` with these folders first on the import path; return the exit status.

    The working directory and the standard streams are already the script's own.
    """
    _set_environment(environment)
    sys.argv = list(argv)
    sys.orig_argv = [sys.executable, *argv]
    sys.path[:0] = path
    _freshen()
    status = _finish(_execute(os.path.abspath(argv[0])), path)
    if status == _INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return status


def _set_environment(environment: dict[str, str]) -> None:
    # One by one, and only what differs: each change calls into the system's library.
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _freshen() -> None:
    """Give this process what another one would have got by starting."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()  # Else every step would draw the same numbers; the random module does this itself.
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None:
        vars(processes)["ORIGINAL_DIR"] = os.getcwd()
    time.tzset()


def _execute(path: str) -> int:
    main = ModuleType("__main__")
    main.__dict__.update(__file__=path, __cached__=None, __builtins__=sys.modules["builtins"])
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    main.__loader__ = SourceFileLoader("__main__", path)
    sys.modules["__main__"] = main
    try:
        with open(path, "rb") as file:
            source = file.read()
        exec(compile(source, path, "exec", dont_inherit=True), main.__dict__)  # noqa: S102 - what the step is
    except SystemExit as error:
        return _status_of(error.code)
    except BaseException as error:
        # As the interpreter does, without the frames of this file.
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return _INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _status_of(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _finish(status: int, path: list[str]) -> int:
    """Do what an interpreter does at its end and a user can see: threads, atexit, objects, buffers."""
    import atexit

    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()
    atexit._run_exitfuncs()
    flushed = _flush()
    if threading is not None and threading.active_count() > 1:
        # Threads that outlive the script still use its modules.
        _flush_open_files()
    else:
        _drop_modules(path)
    return status if flushed and _flush() else status or 120


def _drop_modules(path: list[str]) -> None:
    """Empty the script and the project's modules: what was never closed is written when its last reference goes."""
    folders = tuple(os.path.join(folder, "") for folder in path)
    _clear(sys.modules["__main__"])
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.startswith(folders):
            _clear(module)
    gc.collect()


def _flush_open_files() -> None:
    import io

    for item in gc.get_objects():
        if isinstance(item, io.IOBase) and not item.closed:
            with contextlib.suppress(OSError, ValueError):
                item.flush()


def _clear(module: ModuleType) -> None:
    # Private names first, then the others, as the interpreter does.
    names = module.__dict__
    for private in (True, False):
        for name in list(names):
            if name.startswith("_") == private and name not in ("__builtins__", "__file__"):
                names[name] = None


def _flush() -> bool:
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except (OSError, ValueError):
            return False
    return True

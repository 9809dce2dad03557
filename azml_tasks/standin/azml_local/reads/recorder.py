"""Begin recording in a process of a step, or while modules are imported ahead of all steps."""

from __future__ import annotations

import os
import sys

from .calls import wrap_calls
from .environ import ENVIRON_CLASS, NotedEnviron
from .hook import hook
from .modules import FirstFinder, LastFinder
from .notes import (
    emit,
    finish,
    raw_environ,
    real_readlink,
    state,
)
from .paths import (
    STANDIN,
    is_left_out,
)
from .programs import command_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..protocols import Json

_FILE = "reads-{}-{}.jsonl"
# The process id of the step's first process, for those that it starts.
_FIRST = "AZML_RUN_PROCESS"

_is_installed = False
_is_begun = False


def prepare() -> None:
    """Record what is read while modules are preloaded; `ahead` returns it."""
    state.is_on = True
    _swap()


def ahead() -> Json:
    """Return what was recorded since `prepare`, with the files of imported modules."""
    files, names = set(), set()
    for name, module in list(sys.modules.items()):
        names.add(name.partition(".")[0])
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and not file.startswith((STANDIN, "<")) and not is_left_out(file):
            files.add(file)
    state.is_on = False
    _swap_back()
    lines = state.lines or []
    state.clear()  # Not in each process that is forked.
    return {
        "files": sorted(files),
        "names": sorted(names),
        "env": sorted({line[1] for line in lines if line[0] == "env" and line[1]}),
        "prefixes": sorted({line[1] for line in lines if line[0] == "prefix"}),
        "absent": sorted({line[1] for line in lines if line[0] == "absent"} - set(sys.modules)),
    }


def _environments() -> tuple[Any, Any]:
    """Return the environment as text, and as bytes where the system has it so."""
    return os.environ, getattr(os, "environb", None)


def _swap() -> None:
    for environ in _environments():
        if environ is not None and type(environ) is ENVIRON_CLASS:
            environ.__class__ = NotedEnviron
    if LastFinder not in sys.meta_path:
        sys.meta_path.append(LastFinder)
        sys.meta_path.insert(0, FirstFinder)


def _swap_back() -> None:
    for environ in _environments():
        if environ.__class__ is NotedEnviron:
            environ.__class__ = ENVIRON_CLASS


def install() -> None:
    """Install what records the reads of this process and of its forks, from `begin` on."""
    global _is_installed  # noqa: PLW0603 - one a process
    if _is_installed:
        return
    _is_installed = True
    wrap_calls()
    sys.addaudithook(hook)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forked)
    import atexit

    atexit.register(finish)


def begin() -> None:
    """Start recording what this process of a step reads."""
    global _is_begun  # noqa: PLW0603 - one a process
    context = raw_environ().get(b"AZML_RUN_CONTEXT" if os.name == "posix" else "AZML_RUN_CONTEXT")
    if not context or _is_begun:
        return
    _is_begun = True
    step = os.path.dirname(os.path.abspath(os.fsdecode(context)))
    state.clear()
    state.folder = step
    state.own = tuple({os.path.join(step, ""), os.path.join(os.path.realpath(step), "")})
    state.path = frozenset(sys.path)
    state.environment = dict(raw_environ())
    state.is_main = _is_first_process()
    _name_file()
    if not state.is_main:
        state.lines = None
        state.has_links = real_readlink is not None  # Its parent may have created some.
    _swap()
    install()
    platform = sys.modules.get("platform")
    if platform is not None:
        vars(platform)["_uname_cache"] = None
    emit("begin", command_number(getattr(sys, "orig_argv", sys.argv)), state.is_main, "azml_script" in sys.modules)
    state.is_on = True


def _is_first_process() -> bool:
    """Return whether this is the step's first process, also after it has become another program."""
    own = str(os.getpid())
    return str(ENVIRON_CLASS.setdefault(os.environ, _FIRST, own)) == own


def _name_file() -> None:
    import time

    state.file = os.path.join(state.folder, _FILE.format(os.getpid(), time.monotonic_ns()))


def _forked() -> None:
    """Continue in a child, without the notes of its parent."""
    if not state.is_on:
        return
    try:
        state.is_main = False
        state.lines = None
        state.paused = {}
        _name_file()
    except Exception:
        state.is_on = False

"""Record the environment variables that are read."""

from __future__ import annotations

import os
import sys
from _thread import get_ident as _thread_id

from ..formats.surroundings import is_of_session
from .notes import ALL_VARIABLES, emit, state
from .paths import asker_of, installed_part, is_foreign, is_project, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator, ValuesView
    from typing import Any

    from ..protocols import Frame

    ENVIRON_CLASS = os._Environ[Any]

else:
    ENVIRON_CLASS = type(os.environ)


class NotedEnviron(ENVIRON_CLASS):
    """The environment, which records the names that are read."""

    def __getitem__(self, key: Any) -> Any:
        if key not in state.env:
            _variable(key)
        return ENVIRON_CLASS.__getitem__(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        state.env.add(key)  # Variables that the script sets itself are not recorded.
        ENVIRON_CLASS.__setitem__(self, key, value)

    def __delitem__(self, key: Any) -> None:
        if key not in state.env:
            _variable(key)  # A script may handle the error for a variable that is not set.
            state.env.add(key)
        ENVIRON_CLASS.__delitem__(self, key)

    def __iter__(self) -> Iterator[Any]:
        _whole(self)
        return ENVIRON_CLASS.__iter__(self)

    def __len__(self) -> int:
        _whole(self)
        return ENVIRON_CLASS.__len__(self)

    def __repr__(self) -> str:
        _whole(self)
        return repr(self._quiet())

    def copy(self) -> dict[Any, Any]:
        _whole(self)
        return dict(self._quiet())

    def items(self) -> ItemsView[Any, Any]:
        _whole(self)
        return self._quiet().items()

    def values(self) -> ValuesView[Any]:
        _whole(self)
        return self._quiet().values()

    def _quiet(self) -> os._Environ[Any]:
        return ENVIRON_CLASS(vars(self)["_data"], self.encodekey, self.decodekey, self.encodevalue, self.decodevalue)

    def __or__(self, other: Any) -> Any:
        _whole(self)
        return dict(self._quiet()) | dict(other) if hasattr(other, "keys") else NotImplemented

    def __ror__(self, other: Any) -> Any:
        _whole(self)
        return dict(other) | dict(self._quiet()) if hasattr(other, "keys") else NotImplemented


# The frame and the instruction that goes through all variables.
_bulk: tuple[Any, ...] = ()


def _variable(key: object) -> None:
    name = os.fsdecode(key) if isinstance(key, (str, bytes)) else None
    if name is None or (state.paused and _thread_id() in state.paused):
        return
    try:
        frame: Frame = sys._getframe(2)
        while frame is not None and os.path.basename(frame.f_code.co_filename) in _PASSING:
            frame = frame.f_back
        if _bulk and frame is not None and (id(frame), frame.f_lasti) == _bulk:
            return
        if is_of_session(name) and (frame is None or kind_of(frame) != "p"):
            return
        state.env.add(key)
        emit("env", name)
    except Exception as error:
        if is_foreign(error):
            raise


_PASSING = frozenset(("os.py", "_collections_abc.py", "posixpath.py", "ntpath.py", "<frozen os>", "<frozen posixpath>"))
_PASSING |= {"<frozen _collections_abc>", "<frozen ntpath>", "<frozen genericpath>", "genericpath.py"}


def _whole(environ: object) -> None:
    global _bulk  # noqa: PLW0603 - one a process
    if not state.is_on or (state.paused and _thread_id() in state.paused):
        return
    try:
        frame: Frame = sys._getframe(2)
        while frame is not None and os.path.basename(frame.f_code.co_filename) in _PASSING:
            frame = frame.f_back
        _note_all(frame)
        if frame is not None:
            _bulk = (id(frame), frame.f_lasti)
    except Exception as error:
        if is_foreign(error):
            raise


def _note_all(frame: Frame) -> None:
    """Note the variables that count for code that goes through all of them."""
    if frame is not None and frame.f_code.co_name == "getproxies_environment":  # of urllib
        for name in _PROXIES.difference(state.env):
            state.env.add(name)
            emit("env", name)
    elif ALL_VARIABLES not in state.env:
        library = _library(frame)
        if is_project(frame) or library in _SETTINGS:
            state.env.add(ALL_VARIABLES)
            emit("env", None)
        elif library and (prefix := f"{library.upper()}_") not in state.seen.get("prefix", ()):
            emit("prefix", prefix)


_PROXIES = frozenset(f"{name}_proxy" for name in ("http", "https", "ftp", "no", "all"))
_PROXIES |= {name.upper() for name in _PROXIES}


def _library(frame: Frame) -> str:
    """Return the name of the library that reads; empty if it is none."""
    found = asker_of(frame)
    part = installed_part(found.f_code.co_filename) if found is not None else None
    return "" if part is None else part.partition(os.sep)[0].partition(".")[0]


# They find a project's settings among all variables. Others go through them for those with a prefix of their own, or to
# hand them on to a process.
_SETTINGS = frozenset(("confz", "configargparse", "dynaconf", "environ", "environs", "prettyconf", "pydantic"))
_SETTINGS |= {"pydantic_settings", "starlette", "traitlets"}

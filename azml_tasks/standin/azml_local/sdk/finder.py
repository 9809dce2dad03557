"""Import finder for `azureml`: the stand-in's names, and those of the SDK on first use."""

from __future__ import annotations

import importlib
import os
import sys

from ..context import is_in_run
from ..names import provided
from .sdk import (
    absent,
    extend_paths,
    independent_of,
    is_installed,
    is_lazy,
    is_loading,
    is_module,
    is_stand_in,
    load,
    package_of,
    paths,
    real,
    sdk_modules,
    stop_being_lazy,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import FrameType
    from typing import Any

# The functions of azureml.core that are not of a local run; all its other names are classes.
_FUNCTIONS = (
    "attach_legacy_compute_target",
    "diagnostic_log",
    "is_compute_target_prepared",
    "prepare_compute_target",
    "remove_legacy_compute_target",
)


def names(module: str, own: tuple[str, ...]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module of the stand-in.

    `own` are the names that a local run provides.
    """

    def __getattr__(name: str) -> Any:  # noqa: N807 - it becomes the module's
        if name in own and not _asked_by_sdk() and (is_in_run() or not is_installed()):
            return provided(name)
        if name == "__all__":
            return list(own)
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return attribute(module, name)

    return __getattr__


def attribute(module: str, name: str) -> Any:
    """Return a name of the SDK; raises ImportError, with what to install, if it is not installed."""
    submodule = sys.modules.get(f"{module}.{name}")
    if submodule is not None:
        return submodule
    # Not every access is an import: pickle checks every module for a function's name, and the import system tries an
    # attribute before a module. Neither should load the SDK, which takes a second.
    if not sdk_modules and name.lstrip("_")[:1].islower() and name not in _FUNCTIONS:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    if is_lazy():
        from . import later

        if later.asked_by_script():
            return later.later(module, name)
    if not is_installed():
        raise ImportError(absent(f"{module}.{name}"))
    return getattr(real(module), name)


class Finder:
    """The first finder for `azureml`: loads the SDK for names that the stand-in does not have."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """Find modules that are loaded on first use, else nothing, so that the import continues.

        Raises ModuleNotFoundError with how to install the module.
        """
        if is_loading() or not name.startswith("azureml.") or is_stand_in(name):
            return None
        independent = independent_of(name)
        installed = _found_in(independent, paths("azureml")) if independent else None
        if installed is not None:
            return installed if name == independent else None  # Its parts are found in its own folder.
        if not sdk_modules and _asked_by_independent():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if is_lazy():
            from . import later

            found = later.spec_of(name) if later.asked_by_script() else None
            if found is not None:
                return found
        parent, _, last = name.rpartition(".")
        folders = [os.path.join(folder, last) for folder in paths(parent)]
        if not any(map(is_module, folders)) and (package_of(name) or not is_installed()):
            raise ModuleNotFoundError(absent(name))
        stop_being_lazy()
        if is_installed():
            load()
        extend_paths()
        return _found_below(parent, name, path)


def _found_below(parent: str, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """Find a module in its package, which may have been removed since the import started; None to continue."""
    if parent not in sys.modules:
        importlib.import_module(parent)
    folders = sys.modules[parent].__path__
    if folders is path:
        return None
    return _found_in(name, folders)


def _found_in(name: str, folders: Sequence[str] | None) -> ModuleSpec | None:
    from importlib.machinery import PathFinder

    return PathFinder.find_spec(name, folders)


def _asked_by_sdk() -> bool:
    """Return whether the importing code is the SDK's, which must get its own names."""
    if not sdk_modules:
        return False
    frame = _importing()
    return frame is not None and str(frame.f_globals.get("__name__", "")).startswith("azureml.")


def _asked_by_independent() -> bool:
    """Return whether a package that can do without the SDK asks for it while it is imported, such as for telemetry."""
    frame = _importing()
    if frame is None or frame.f_code.co_name != "<module>":
        return False
    return independent_of(frame.f_globals.get("__name__", "")) is not None


def _importing() -> FrameType | None:
    """Return the frame of the code that imports."""
    frame: FrameType | None = sys._getframe(3)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(("importlib.", "_frozen_importlib")):
        frame = frame.f_back
    return frame

"""The real Azure ML SDK, loaded beside the stand-in when a script needs a name that the stand-in has not.

Scripts and the SDK's own modules then see different things under one name, `azureml.core.run` say: the script the
stand-in, the SDK its own. A module of the stand-in therefore holds none of its names; `names()` makes its
`__getattr__`, which looks who asks. Replacing the SDK's modules instead breaks those that are imported later
and derive from its classes.
"""

from __future__ import annotations

import importlib
import os
import sys

from .context import is_in_run

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_INSTALL = 'pip install "azml-tasks[azure]"'
# What the SDK's own packages hold, beside those of the extra: each with what installs it.
_OTHER = {
    "azureml.accel": "azureml-accel-models",
    "azureml.automl.runtime": "azureml-automl-runtime",
    "azureml.contrib": "azureml-contrib-services",
    "azureml.datadrift": "azureml-datadrift",
    "azureml.dataprep": "azureml-dataprep",
    "azureml.explain": "azureml-explain-model",
    "azureml.fsspec": "azureml-fsspec",
    "azureml.interpret": "azureml-interpret",
    "azureml.mlflow": "azureml-mlflow",
    "azureml.opendatasets": "azureml-opendatasets",
    "azureml.responsibleai": "azureml-responsibleai",
    "azureml.tensorboard": "azureml-tensorboard",
    "azureml.train.automl.runtime": "azureml-train-automl-runtime",
    "azureml.widgets": "azureml-widgets",
}
# What only makes sense with Azure at hand: AutoML, HyperDrive and estimators, web services.
_OF_AZURE = ("azureml.automl", "azureml.train", "azureml.core.webservice", "azureml.core.Webservice")
# The functions of azureml.core that are not of a local run; all its other names are classes.
_FUNCTIONS = (
    "attach_legacy_compute_target",
    "diagnostic_log",
    "is_compute_target_prepared",
    "prepare_compute_target",
    "remove_legacy_compute_target",
)

_modules: dict[str, object] = {}  # the SDK's own modules that the stand-in has a namesake of
_is_loading = False
_is_lazy = True


def is_installed() -> bool:
    """Say whether the SDK is installed in this environment."""
    return any(os.path.isfile(os.path.join(path, "core", "__init__.py")) for path in paths())


def paths(package: str = "azureml") -> list[str]:
    """Return the folders of a package of the SDK, the stand-in's own not among them."""
    folders = [os.path.join(path or os.curdir, *package.split(".")) for path in sys.path if not _is_own(path)]
    return [folder for folder in folders if os.path.isdir(folder)]


def names(module: str, own: dict[str, str]):
    """Return the `__getattr__` of a module of the stand-in.

    `own` maps the names that a local run provides to the modules of this package that define them.
    """

    def __getattr__(name: str):  # noqa: N807 - it becomes the module's
        if name in own and not _asked_by_sdk() and (is_in_run() or not is_installed()):
            return getattr(importlib.import_module(f"{__package__}.{own[name]}"), name)
        if name == "__all__":
            return list(own)
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return attribute(module, name)

    return __getattr__


def attribute(module: str, name: str):
    """Return a name of the SDK; raises ImportError with what to install when it is not installed."""
    submodule = sys.modules.get(f"{module}.{name}")
    if submodule is not None:
        return submodule
    # Not every question is an import: pickle asks every module for a function's name, and the import system for an
    # attribute before it looks for a module. Neither is worth the SDK's second.
    if not _modules and name.lstrip("_")[:1].islower() and name not in _FUNCTIONS:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    if is_lazy():
        from . import later

        if later.asked_by_script():
            return later.later(module, name)
    if not is_installed():
        raise ImportError(absent(f"{module}.{name}"))
    return getattr(real(module), name)


def is_lazy() -> bool:
    """Say whether what a script imports of the SDK is not loaded yet, since it has used nothing of it."""
    return _is_lazy and is_in_run()


def real(module: str):
    """Return the SDK's own module of that name."""
    _stop_being_lazy()
    if is_installed():
        load()
    else:  # a package of it alone
        _extend_paths()
    if not is_stand_in(module):
        return importlib.import_module(module)
    if module not in _modules:
        _modules[module] = _imported([module])[module]
    return _modules[module]


def load() -> None:
    """Import the SDK's core once; within a run, its `Run.get_context` then returns the local run."""
    if _modules:
        return
    _stop_being_lazy()
    _modules.update(_imported(["azureml", "azureml.core", "azureml.core.run", "azureml.data", "azureml.exceptions"]))
    _extend_paths()
    if is_in_run():
        from .run import Run

        def get_context(cls, allow_offline=True, used_for_context_manager=False, **kwargs):
            return Run.get_context(allow_offline, used_for_context_manager, **kwargs)

        _modules["azureml.core.run"].Run.get_context = classmethod(get_context)


def _stop_being_lazy() -> None:
    global _is_lazy  # noqa: PLW0603 - one process, one import system
    _is_lazy = False
    later = sys.modules.get(f"{__package__}.later")
    if later is not None:
        later.forget()


def absent(what: str, is_used: bool = False) -> str:
    """Return the sentence that says how to install what the stand-in has not, or why that cannot be used."""
    package = package_of(what)
    if any(f"{what}.".startswith(f"{name}.") for name in _OF_AZURE):
        if is_used:
            return f"{what} needs Azure, which a local run never reaches"
        reason = "needs Azure, which a local run never reaches; to import it all the same,"
    else:
        reason = "is not part of a local run;"
    sentence = f"{what} {reason} install it: {f'pip install {package}' if package else _INSTALL}"
    return sentence if sys.version_info < (3, 12) else f"{sentence} (needs Python 3.10 or 3.11)"


def package_of(what: str) -> str | None:
    """Return what installs a module that the extra does not."""
    return next((package for name, package in _OTHER.items() if f"{what}.".startswith(f"{name}.")), None)


class Finder:
    """Sees imports under `azureml` before anyone else: loads the SDK for what the stand-in has not."""

    @staticmethod
    def find_spec(name: str, path=None, target=None):
        """Find what is loaded when a script uses it, else nothing, so that the import goes on.

        Raises ModuleNotFoundError with how to install the module.
        """
        if _is_loading or not name.startswith("azureml.") or is_stand_in(name):
            return None
        if is_lazy():
            from . import later

            found = later.spec_of(name) if later.asked_by_script() else None
            if found is not None:
                return found
        parent, _, last = name.rpartition(".")
        folders = [os.path.join(folder, last) for folder in paths(parent)]
        if not any(map(is_module, folders)) and (package_of(name) or not is_installed()):
            raise ModuleNotFoundError(absent(name))
        _stop_being_lazy()
        if is_installed():
            load()
        _extend_paths()
        return _found_below(parent, name, path)


def _found_below(parent: str, name: str, path):
    """Find a module in its package, which may have been forgotten since the import began; None to go on as it did."""
    if parent not in sys.modules:
        importlib.import_module(parent)
    folders = sys.modules[parent].__path__
    if folders is path:
        return None
    from importlib.machinery import PathFinder

    return PathFinder.find_spec(name, folders)


def is_stand_in(name: str) -> bool:
    """Say whether the stand-in has a module of that name."""
    folder = os.path.join(_HERE, *name.split("."))
    return os.path.isfile(folder + ".py") or os.path.isdir(folder)


def is_module(path: str) -> bool:
    """Say whether a module or package lies there, without its ending."""
    import glob

    return os.path.isdir(path) or bool(glob.glob(glob.escape(path) + ".*"))


def _is_own(path: str) -> bool:
    return os.path.abspath(path or os.curdir) == _HERE


def _is_namesake(name: str) -> bool:
    return name == "azureml" or (name.startswith("azureml.") and is_stand_in(name))


def _imported(wanted: list[str]) -> dict[str, object]:
    """Import modules of the SDK while the stand-in is out of the way; returns the SDK's namesakes of it."""
    global _is_loading  # noqa: PLW0603 - one process, one import system
    set_aside = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_namesake(name)}
    sys.modules.update(_modules)
    path = sys.path[:]
    sys.path[:] = [entry for entry in path if not _is_own(entry)]
    _is_loading = True
    try:
        for name in wanted:
            importlib.import_module(name)
        return {name: sys.modules[name] for name in list(sys.modules) if _is_namesake(name)}
    finally:
        _is_loading = False
        sys.path[:] = path
        for name in list(sys.modules):
            if _is_namesake(name):
                del sys.modules[name]
        sys.modules.update(set_aside)


def _extend_paths() -> None:
    """Let the stand-in's packages find those modules of the SDK that they have not."""
    for name, module in list(sys.modules.items()):
        if _is_namesake(name) and hasattr(module, "__path__"):
            module.__path__ += [folder for folder in paths(name) if folder not in module.__path__]


def _asked_by_sdk() -> bool:
    """Say whether the code that asks for a name is the SDK's, which must get its own."""
    if not _modules:
        return False
    frame = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("importlib."):
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__", "").startswith("azureml.")

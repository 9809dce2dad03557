"""The real Azure ML SDK, loaded in addition to the stand-in when a script needs a name that the stand-in does not have.

Scripts and the SDK's own modules then see different things under one name, `azureml.core.run` say: the script the
stand-in, the SDK its own. A module of the stand-in therefore holds none of its names; `names()` makes its
`__getattr__`, which checks the caller. Replacing the SDK's modules instead breaks those that are imported later and
derive from its classes.
"""

from __future__ import annotations

import importlib
import os
import sys

from ..context import is_in_run
from ..errors import is_in_job
from ..names import provided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_HERE = os.path.abspath(os.path.join(os.path.dirname(__file__), *2 * [os.pardir]))
_INSTALL = 'pip install "azml-tasks[azure]"'
# Packages of the SDK that are not in the extra, with the distributions that install them.
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
# Of these the ones that need nothing of azureml-core: they are imported without it.
_INDEPENDENT = ("azureml.dataprep", "azureml.fsspec", "azureml.mlflow")
# Only useful with Azure: AutoML, HyperDrive and estimators, web services.
_OF_AZURE = ("azureml.automl", "azureml.train", "azureml.core.webservice", "azureml.core.Webservice")

sdk_modules: dict[str, ModuleType] = {}  # the SDK's own modules that the stand-in has a namesake of
_is_loading = False
_is_lazy = True


def is_installed() -> bool:
    """Return whether the SDK is installed in this environment."""
    return any(os.path.isfile(os.path.join(path, "core", "__init__.py")) for path in paths())


def paths(package: str = "azureml") -> list[str]:
    """Return the folders of a package of the SDK, the stand-in's own not among them."""
    folders = [os.path.join(path or os.curdir, *package.split(".")) for path in sys.path if not _is_own(path)]
    return [folder for folder in folders if os.path.isdir(folder)]


def is_loading() -> bool:
    """Return whether the SDK is being imported."""
    return _is_loading


def is_lazy() -> bool:
    """Return whether imports from the SDK are not loaded yet, because nothing of it was used."""
    return _is_lazy and is_in_run()


def real(module: str) -> ModuleType:
    """Return the SDK's own module of that name."""
    stop_being_lazy()
    if is_installed():
        load()
    else:  # only a package of it
        extend_paths()
    if not is_stand_in(module):
        return importlib.import_module(module)
    if module not in sdk_modules:
        sdk_modules[module] = _imported([module])[module]
    return sdk_modules[module]


def load() -> None:
    """Import the SDK's core once; within a run, its `Run.get_context` then returns the local run."""
    if sdk_modules:
        return
    stop_being_lazy()
    sdk_modules.update(_imported(["azureml", "azureml.core", "azureml.core.run", "azureml.data", "azureml.exceptions"]))
    extend_paths()
    if is_in_run():
        Run = provided("Run")  # noqa: N806 - a class

        def get_context(
            cls: type, /, allow_offline: bool = True, used_for_context_manager: bool = False, **kwargs: Any
        ) -> Any:
            return Run.get_context(allow_offline, used_for_context_manager, **kwargs)

        run_class: Any = sdk_modules["azureml.core.run"].Run
        run_class.get_context = classmethod(get_context)


def stop_being_lazy() -> None:
    global _is_lazy  # noqa: PLW0603 - one process, one import system
    _is_lazy = False
    later = sys.modules.get(f"{__package__}.later")
    if later is not None:
        later.forget()


def absent(what: str, is_used: bool = False) -> str:
    """Return a message on how to install what the stand-in does not have, or why it cannot be used."""
    package = package_of(what)
    if is_in_job():
        return f"{what} is not available in jobs on Azure ML v2; add {package or 'azureml-core'} to the environment"
    if any(f"{what}.".startswith(f"{name}.") for name in _OF_AZURE):
        if is_used:
            return f"{what} needs Azure, but a local run never connects to Azure"
        reason = "needs Azure, but a local run never connects to Azure; to import it anyway,"
    else:
        reason = "is not available in local runs;"
    sentence = f"{what} {reason} install it: {f'pip install {package}' if package else _INSTALL}"
    return sentence if sys.version_info < (3, 12) else f"{sentence} (needs Python 3.10 or 3.11)"


def package_of(what: str) -> str | None:
    """Return the distribution with a module that is not in the extra."""
    return next((package for name, package in _OTHER.items() if f"{what}.".startswith(f"{name}.")), None)


def independent_of(name: str) -> str | None:
    """Return the package with a module that needs nothing of azureml-core; None for other modules."""
    return next((package for package in _INDEPENDENT if f"{name}.".startswith(f"{package}.")), None)


def is_stand_in(name: str) -> bool:
    """Return whether the stand-in has a module of that name."""
    folder = os.path.join(_HERE, *name.split("."))
    return os.path.isfile(folder + ".py") or os.path.isdir(folder)


def is_module(path: str) -> bool:
    """Return whether a module or package is there, without its ending."""
    import glob

    return os.path.isdir(path) or bool(glob.glob(glob.escape(path) + ".*"))


def _is_own(path: str) -> bool:
    return os.path.abspath(path or os.curdir) == _HERE


def _is_namesake(name: str) -> bool:
    return name == "azureml" or (name.startswith("azureml.") and is_stand_in(name))


def _imported(wanted: list[str]) -> dict[str, ModuleType]:
    """Import modules of the SDK while the stand-in is out of the way; returns the SDK's namesakes of it."""
    global _is_loading  # noqa: PLW0603 - one process, one import system
    set_aside = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_namesake(name)}
    sys.modules.update(sdk_modules)
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


def extend_paths() -> None:
    """Let the stand-in's packages find those modules of the SDK that they have not."""
    for name, module in list(sys.modules.items()):
        if _is_namesake(name) and hasattr(module, "__path__"):
            module.__path__ += [folder for folder in paths(name) if folder not in module.__path__]

"""Names and modules of the SDK that a script imports and may never use.

Importing one neither needs the SDK nor loads it. The first use takes the name from the SDK where that is installed, and
refuses in a sentence where it is not.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import types

from ..errors import AzureMLException, LocalRunException
from . import sdk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

# Submodules of the SDK's packages beyond the stand-in's (azureml-core 1.61), to detect names that do not exist.
_CORE = (
    *("ComputeTarget", "ContainerRegistry", "Environment", "Image", "LinkedService", "PrivateEndPoint"),
    *("PrivateEndPointConfig", "RunConfiguration", "ScriptRun", "ScriptRunConfig"),
    *("SynapseWorkspaceLinkedServiceConfiguration", "Webservice"),
)
_MODULES = {
    "azureml.core": (
        *("authentication", "compute", "compute_target", "conda_dependencies", "container_registry", "databricks"),
        *("environment", "image", "linked_service", "private_endpoint", "profile", "resource_configuration"),
        *("runconfig", "script_run", "script_run_config", "util", "webservice"),
    ),
    "azureml.data": (
        *("abstract_datastore", "azure_data_lake_datastore", "azure_my_sql_datastore", "azure_postgre_sql_datastore"),
        *("azure_sql_database_datastore", "constants", "context_managers", "datacache", "dataset_action_run"),
        *("dataset_consumption_config", "dataset_definition", "dataset_error_handling", "dataset_profile"),
        *("dataset_profile_run", "dataset_snapshot", "dbfs_datastore", "hdfs_datastore", "output_dataset_config"),
        *("sql_data_reference", "stored_procedure_parameter"),
    ),
    "azureml.pipeline.core": (
        *("builder", "graph", "module", "pipeline", "pipeline_draft", "pipeline_endpoint", "pipeline_output_dataset"),
        "schedule",
    ),
}
_PACKAGES = (
    *("accel", "automl", "contrib", "datadrift", "dataprep", "explain", "fsspec", "interpret", "mlflow"),
    *("opendatasets", "pipeline", "responsibleai", "telemetry", "tensorboard", "train", "widgets"),
)
# Attributes that Python reads from a class.
_OF_A_CLASS = ("__bases__", "__members__", "__mro__")
_STANDARD = os.path.dirname(os.__file__)
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]")


class Later:
    """A name of a module of the SDK."""

    def __init__(self, module: str, name: str) -> None:
        self.__module__ = module
        self.__name__ = self.__qualname__ = name

    def _used(self) -> Any:
        return use(self.__module__, self.__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._used()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _OF_A_CLASS:
            raise AttributeError(name)
        return getattr(self._used(), name)

    def __getitem__(self, key: Any) -> Any:
        return self._used()[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._used())

    def __contains__(self, item: object) -> bool:
        return item in self._used()

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        return (self._used(),)

    def __instancecheck__(self, instance: object) -> bool:
        return not sdk.is_lazy() and isinstance(instance, self._used())

    def __subclasscheck__(self, cls: Any) -> bool:
        return cls is self or (not sdk.is_lazy() and issubclass(cls, self._used()))

    def __or__(self, other: Any) -> Any:
        from typing import Union

        return Union[self, other]  # noqa: UP007 - `|` is what asks for it

    def __ror__(self, other: Any) -> Any:
        from typing import Union

        return Union[other, self]  # noqa: UP007

    def __repr__(self) -> str:
        return f"<{self.__module__}.{self.__name__}, not loaded>"


class LaterModule(types.ModuleType):
    """A module of the SDK."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if not sdk.is_lazy() or not asked_by_script():
            if not _is_installed(self.__name__):
                raise AttributeError(sdk.absent(f"{self.__name__}.{name}"))
            return use(self.__name__, name)
        if name == "__all__":
            return list(use(self.__name__, name)) if _is_installed(self.__name__) else []
        if name[:1].islower() and _asked_by_import():
            # The import system tries this before it looks for a module with that name.
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return later(self.__name__, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # Without the SDK it is unknown whether it is a function.
        module, _, name = self.__name__.rpartition(".")
        return use(module, name)(*args, **kwargs)


class Loader:
    """Makes a module that is loaded when it is used."""

    @staticmethod
    def create_module(spec: ModuleSpec) -> LaterModule:
        """Return the module."""
        return LaterModule(spec.name)

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Do nothing yet."""


def spec_of(name: str) -> ModuleSpec | None:
    """Return how to import a module of the SDK that the stand-in does not have; None if the SDK does not have it
    either."""
    parent, _, last = name.rpartition(".")
    if not (_is_there(name) or (not sdk.is_installed() and _is_known(parent, last)) or sdk.package_of(name)):
        if isinstance(sys.modules.get(parent), LaterModule):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)  # which `from ... import` passes over
        return None
    from importlib.machinery import ModuleSpec

    return ModuleSpec(name, Loader, is_package=True)  # type: ignore[arg-type] # its methods are static


def later(module: str, name: str) -> Any:
    """Return a placeholder for a name until it is used; raises AttributeError for one that the SDK does not have."""
    if not _may_have(module, name):
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    if name.isupper() and _is_installed(module):
        return use(module, name)  # a text or number, which nothing can stand for
    if name.endswith(("Exception", "Error")):
        from .. import errors

        known = getattr(errors, name, None)
        # It is never raised here, and `except` requires classes.
        return known or type(name, (AzureMLException,), {"__doc__": "An exception of the SDK."})
    return Later(module, name)


def use(module: str, name: str) -> Any:
    """Return a name of the SDK itself; raises LocalRunException when it is not installed."""
    if not _is_installed(module):
        raise LocalRunException(sdk.absent(f"{module}.{name}", is_used=True))
    return getattr(sdk.real(module), name)


def asked_by_script() -> bool:
    """Return whether the caller is the user's code, not the SDK, a library or Python."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and _is_machinery(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    if frame is None:
        return False
    file = frame.f_code.co_filename
    return not (file.startswith(_STANDARD + os.sep) or _INSTALLED.search(file) or file.startswith("<frozen"))


def _is_machinery(module: str) -> bool:
    return module.startswith(("importlib", "_frozen_importlib", "azml_local."))


def _asked_by_import() -> bool:
    return str(sys._getframe(2).f_globals.get("__name__", "")).startswith(("importlib.", "_frozen_importlib"))


def _is_there(name: str) -> bool:
    parent, _, last = name.rpartition(".")
    return any(sdk.is_module(os.path.join(folder, last)) for folder in sdk.paths(parent))


def _is_installed(module: str) -> bool:
    return sdk.is_installed() if sdk.is_stand_in(module) else _is_there(module)


def _is_known(parent: str, last: str) -> bool:
    """Return whether the SDK has such a module, as far as known without it."""
    if last.startswith("_"):
        return False
    if parent == "azureml":
        return last in _PACKAGES
    owner = next((known for known in _MODULES if f"{parent}.".startswith(f"{known}.")), None)
    return owner is None or parent != owner or last in _MODULES[owner]


def _may_have(module: str, name: str) -> bool:
    """Return whether a module of the SDK has a name: whether its source holds the word, where it is installed."""
    if not _is_installed(module):
        return module != "azureml.core" or name in _CORE
    for folder in sdk.paths(module.rpartition(".")[0]):
        path = os.path.join(folder, module.rpartition(".")[2])
        for file in (f"{path}.py", os.path.join(path, "__init__.py")):
            if os.path.isfile(file):
                with open(file, encoding="utf-8", errors="replace") as opened:
                    return re.search(rf"\b{re.escape(name)}\b|import \*", opened.read()) is not None
    return True  # compiled


def forget() -> None:
    """Make way for the SDK's own modules."""
    for name in [name for name, module in sys.modules.items() if isinstance(module, LaterModule)]:
        del sys.modules[name]
    importlib.invalidate_caches()

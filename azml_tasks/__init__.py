"""Run Python pipelines on this machine and on Azure Machine Learning from one pipeline.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azml_tasks.tasks.programs import list_runs
    from azml_tasks.wrapper import PipelineStep, PipelineWrapper, WorkspaceWrapper

__version__ = "0.8.4"
__all__ = ["PipelineStep", "PipelineWrapper", "WorkspaceWrapper", "__version__", "list_runs"]
# Where the others are, if not in the wrapper.
_PLACES = {"list_runs": "azml_tasks.tasks.programs"}


def __getattr__(name: str) -> Any:
    # The wrapper classes import the Azure SDK, which takes a second, so they are imported on first use.
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(_PLACES.get(name, "azml_tasks.wrapper")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

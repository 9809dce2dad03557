"""Run Python pipelines on this machine and on Azure Machine Learning from one pipeline.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azml_tasks.azure.wrapper import PipelineStep, PipelineWrapper, WorkspaceWrapper

__version__ = "0.4.0"
__all__ = ["PipelineStep", "PipelineWrapper", "WorkspaceWrapper", "__version__"]


def __getattr__(name: str) -> Any:
    # The wrapper classes import the Azure SDK, which takes a second: only who asks for them pays.
    if name in __all__:
        from azml_tasks.azure import wrapper

        return getattr(wrapper, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

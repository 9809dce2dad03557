"""A step's inputs and outputs by name."""

from __future__ import annotations

from . import catalog
from .context import Context, did_you_mean


class Named(dict):
    """Inputs or outputs by name; a name that is not there gets a sentence."""

    def __init__(self, what: str, values: dict) -> None:
        super().__init__(values)
        self._what = what

    def __missing__(self, name):
        known = ", ".join(self) or f"no {self._what}"
        raise catalog.UnknownNameError(
            f"this step has no {self._what} {name!r}; it has {known}{did_you_mean(name, self)}"
        )


def input_datasets(context: Context, workspace) -> Named:
    """Return the step's inputs by name: datasets, and the paths of what is mounted, downloaded or a folder."""
    return Named("input", {name: catalog.of_input(context, workspace, name) for name in context.inputs})


def output_datasets(context: Context) -> Named:
    """Return the folders that the step writes, by name."""
    return Named("output", dict(context.outputs))

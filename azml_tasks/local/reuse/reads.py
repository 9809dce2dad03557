"""What a step reads: by its content before the step starts, and whether it stays as it was."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from azml_tasks.local.arguments import local_path
from azml_tasks.local.record import StepRecord
from azml_tasks.local.site import Site
from azml_tasks.wiring.tokens import DatasetInput

if TYPE_CHECKING:
    from azml_tasks.wiring import StepPlan


class InputMissingError(Exception):
    """What a step needs is not there, or no longer; the text is a sentence."""


class Inputs:
    """The inputs of one step of one run; `upstream` holds the records of the steps that it follows."""

    def __init__(self, site: Site, plan: StepPlan, upstream: Mapping[str, StepRecord]) -> None:
        self._site = site
        self._plan = plan
        self._upstream = upstream

    def look(self) -> object:
        """Return how the files of its datasets look; not equal once one of them was written, whatever it then holds.

        Raises InputMissingError, OSError.
        """
        with self._site.contents.looks() as looks:
            self.described()
        return tuple(looks)

    def described(self) -> dict[str, dict[str, Any]]:
        """Return each input's content and the way it is read.

        Raises InputMissingError, OSError.
        """
        found: dict[str, dict[str, Any]] = {}
        for item in self._plan.inputs:
            if isinstance(item, DatasetInput):
                found[item.name] = self._dataset(item)
                continue
            digest = self._upstream[item.output.step].outputs[item.output.name]
            found[item.name] = {"content": digest, "format": getattr(item, "format", "folder")}
        return found

    def are(self, described: Mapping[str, Mapping[str, Any]]) -> bool:
        """Say whether they are still as they were described.

        Raises OSError.
        """
        try:
            return self.described() == described
        except InputMissingError:
            return False

    def check_kept(self) -> None:
        """See that what earlier steps wrote for this one is still there, and as they left it.

        Raises InputMissingError.
        """
        for item in self._plan.inputs:
            if not isinstance(item, DatasetInput):
                places = self._upstream[item.output.step].places
                fate = self._site.results.fate_of(places, item.output.name)
                if fate:
                    only_read = "; on Azure it can only be read" if fate == "changed" else ""
                    raise InputMissingError(f"what '{item.output.step}' wrote for it was {fate} meanwhile{only_read}")

    def _dataset(self, item: DatasetInput) -> dict[str, Any]:
        site = self._site
        dataset = site.plan.pipeline.datasets[item.dataset]
        path = local_path(dataset, site.layout.project)
        digest = site.contents.digest_pattern(site.layout.project, os.path.relpath(path, site.layout.project))
        if digest is None:
            raise InputMissingError(f"the data of dataset '{item.dataset}' are not there: {dataset.local_path}")
        definition = dataset.model_dump(
            mode="json",
            include={"type", "mode", "format", "separator", "set_column_types", "support_multi_line", "version"},
        )
        definition["dataset"] = item.dataset  # Which a script sees, and where its data lie.
        if dataset.type == "file" or dataset.mode != "direct":
            definition["path"] = os.path.relpath(path, site.layout.project)
        return {"content": digest, **definition}

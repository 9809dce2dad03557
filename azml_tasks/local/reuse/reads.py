"""What a step reads: by its content before the step starts, and whether it stays as it was."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.errors import some_listed
from azml_tasks.local.arguments import local_path
from azml_tasks.local.record import StepRecord
from azml_tasks.local.reuse.contents import Change, Seen
from azml_tasks.local.site import Site
from azml_tasks.standin.azml_local.formats.files import local_paths
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
        self._seen: dict[str, Seen] = {}

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

    def were_written(self) -> bool:
        """Say whether a file of its datasets was written since they were described, whatever it then holds."""
        datasets = [item for item in self._plan.inputs if isinstance(item, DatasetInput)]
        is_as_seen = self._site.contents.is_as_seen
        return not all(is_as_seen(self._seen.get(item.name, {}), *self._place(item)) for item in datasets)

    def check_kept(self) -> None:
        """Check that what earlier steps wrote for this one is still there, and as they left it.

        Raises InputMissingError.
        """
        for item in self._plan.inputs:
            if not isinstance(item, DatasetInput):
                places = self._upstream[item.output.step].places
                fate = self._site.results.fate_of(places, item.output.name)
                if fate:
                    raise InputMissingError(f"what '{item.output.step}' wrote for it was {fate} meanwhile")

    def changes(self, *, data_alone: bool = False) -> str:
        """Say which inputs are no longer as they were when they were described, and what of them; empty if all are.

        `data_alone` leaves out what earlier steps wrote.
        """
        found: list[str] = []
        rule: tuple[str, ...] = ()
        for item in self._plan.inputs:
            if data_alone and not isinstance(item, DatasetInput):
                continue
            if isinstance(item, DatasetInput):
                seen = self._seen.get(item.name)
                changes = self._site.contents.changes_since(seen, *self._place(item)) if seen else []
                name = f"dataset '{item.dataset}'"
            else:
                places = self._upstream[item.output.step].places
                name = f"what '{item.output.step}' wrote for it"
                if not places.context.exists() or not places.output(item.output.name).exists():
                    found.append(f"{name} was deleted meanwhile")
                    continue
                changes = self._site.results.changes_in(places, item.output.name)
            if changes:
                found.append(f"{name} changed while it ran: {some_listed(map(self._shown, changes))}")
                rule = ("inputs are read-only, as on Azure",)
        return "; ".join(dict.fromkeys((*found, *rule)))

    def _shown(self, change: Change) -> str:
        return f"{os.path.relpath(change.path, self._site.layout.project)} ({change.kind})"

    def _place(self, item: DatasetInput) -> tuple[Path, str]:
        """Return the project's folder, and the path or pattern in it of a dataset's data."""
        project = self._site.layout.project
        return project, os.path.relpath(local_path(self._site.plan.pipeline.datasets[item.dataset], project), project)

    def _dataset(self, item: DatasetInput) -> dict[str, Any]:
        site = self._site
        dataset = site.plan.pipeline.datasets[item.dataset]
        path = local_path(dataset, site.layout.project)
        seen: Seen = {}
        digest = site.contents.digest_pattern(*self._place(item), seen)
        self._seen.setdefault(item.name, seen)
        if digest is None:
            raise InputMissingError(f"the data of dataset '{item.dataset}' are not there: {dataset.local_path}")
        # As a path the script gets the whole folder, as a table only what fits the patterns of `path`.
        read = local_paths(str(path), dataset.paths) if dataset.mode == "direct" else [str(path)]
        if read != [str(path)]:
            relative = [os.path.relpath(one, site.layout.project) for one in read]
            digests = [site.contents.digest_pattern(site.layout.project, one) for one in relative]
            digest = ",".join(filter(None, digests))
        definition = dataset.model_dump(
            mode="json",
            include={"type", "mode", "format", "separator", "set_column_types", "support_multi_line", "version"},
        )
        definition["dataset"] = item.dataset  # Which a script sees, and where its data lie.
        if dataset.type == "file" or dataset.mode != "direct":
            definition["path"] = os.path.relpath(path, site.layout.project)
        return {"content": digest, **definition}

"""Inputs of a step: their content before the step starts, and changes to them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.checks.places import is_no_place_of_data
from azml_tasks.local.step.arguments import local_path
from azml_tasks.local.step.local_run import LocalRun
from azml_tasks.local.store.contents import DataChange, Seen
from azml_tasks.local.store.records import LocalStepRecord
from azml_tasks.plan.plan import DatasetInput
from azml_tasks.standin.azml_local.formats.files import local_paths
from azml_tasks.text import some_listed

if TYPE_CHECKING:
    from azml_tasks.plan import StepPlan


class InputMissingError(Exception):
    """An input of a step does not exist, or no longer."""


class Inputs:
    """The inputs of one step of one run; `upstream` are the records of the steps that it depends on."""

    def __init__(self, site: LocalRun, plan: StepPlan, upstream: Mapping[str, LocalStepRecord]) -> None:
        self._site = site
        self._plan = plan
        self._upstream = upstream
        self._seen: dict[str, Seen] = {}

    def described(self, of_steps: bool = True) -> dict[str, dict[str, Any]]:
        """Return each input's content and the way it is read; without `of_steps`, datasets alone.

        Raises InputMissingError, OSError.
        """
        found: dict[str, dict[str, Any]] = {}
        for item in self._plan.inputs:
            if isinstance(item, DatasetInput):
                found[item.name] = self._dataset(item)
                continue
            if not of_steps:
                continue
            digest = self._upstream[item.output.step].outputs[item.output.name]
            found[item.name] = {"content": digest, "format": getattr(item, "format", "folder")}
        return found

    def were_written(self) -> bool:
        """Return whether a file of its datasets was written since they were described, even with the same content."""
        datasets = [item for item in self._plan.inputs if isinstance(item, DatasetInput)]
        is_as_seen = self._site.contents.is_as_seen
        return not all(is_as_seen(self._seen.get(item.name, {}), *self._place(item)) for item in datasets)

    def check_kept(self) -> None:
        """Check that the outputs of earlier steps for this one still exist, unchanged.

        Raises InputMissingError.
        """
        for item in self._plan.inputs:
            if not isinstance(item, DatasetInput):
                places = self._upstream[item.output.step].places
                state = self._site.results.changed_since(places, item.output.name)
                if state:
                    raise InputMissingError(f"the output of '{item.output.step}' was {state} in the meantime")

    def changes(self, *, data_alone: bool = False) -> str:
        """Describe the inputs that changed since they were described; empty if none.

        `data_alone` ignores outputs of earlier steps.
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
                name = f"the output of '{item.output.step}'"
                if not places.context.exists() or not places.output(item.output.name).exists():
                    found.append(f"{name} was deleted in the meantime")
                    continue
                changes = self._site.results.changes_in(places, item.output.name)
            if changes:
                found.append(f"{name} changed while it ran: {some_listed(map(self._shown, changes))}")
                rule = ("inputs are read-only, as on Azure",)
        return "; ".join(dict.fromkeys((*found, *rule)))

    def _shown(self, change: DataChange) -> str:
        return f"{os.path.relpath(change.path, self._site.layout.project)} ({change.kind})"

    def _place(self, item: DatasetInput) -> tuple[Path, str]:
        """Return the project's folder, and the path or pattern in it of a dataset's data."""
        project = self._site.layout.project
        return project, os.path.relpath(local_path(self._site.plan.pipeline.datasets[item.dataset], project), project)

    def _dataset(self, item: DatasetInput) -> dict[str, Any]:
        site = self._site
        dataset = site.plan.pipeline.datasets[item.dataset]
        path = local_path(dataset, site.layout.project)
        if is_no_place_of_data(site.layout.project, dataset):
            raise InputMissingError(
                f"the data of dataset '{item.dataset}' cannot be read: the project's own runs (.azml) are in "
                f"{dataset.local_path}; select a file, or a folder that contains only data"
            )
        seen: Seen = {}
        digest = site.contents.digest_pattern(*self._place(item), seen, f"the dataset '{item.dataset}'")
        self._seen.setdefault(item.name, seen)
        if digest is None:
            raise InputMissingError(f"dataset '{item.dataset}' not found: {dataset.local_path}")
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
        definition["dataset"] = item.dataset  # Visible to scripts, and the location of its data.
        if dataset.type == "file" or dataset.mode != "direct":
            definition["path"] = os.path.relpath(path, site.layout.project)
        return {"content": digest, **definition}

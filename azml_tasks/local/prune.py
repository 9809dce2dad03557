"""Delete old runs and what only they need, down to a size if one is given."""

from __future__ import annotations

import bisect
import contextlib
import os
import re
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from azml_tasks.errors import RunError
from azml_tasks.local.run.outputs import registered_folders
from azml_tasks.local.runs import list_runs, run_ids
from azml_tasks.local.store.files import read_json, read_lines, remove_tree, tree_size
from azml_tasks.local.store.paths import RUN_ID, ProjectPaths, RunPaths, StepPaths, folder_name
from azml_tasks.local.store.results import store_of
from azml_tasks.local.store.runs import clear_unfinished, refuse_links
from azml_tasks.reading import FILE_NAME, step_keys
from azml_tasks.runs.records import Pruned

# Folders without a complete record may belong to a run that has just started; after this time (seconds) they do not.
_SETTLED = 3600.0
# In a question of a step's reads: all models, all versions of one, or one version.
_MODELS = re.compile(r"\.azml/models(?:/([^/]+)(?:/(\d+))?)?(?:/|$)")
_KINDS = {
    "models": "models",
    "datasets": "datasets",
    "datastores": "datastores",
    "envs": "environments",
    "objects": "snapshots",
    "reports": "reports",
    "python": "files for editors",
    "pipeline.schema.json": "files for editors",
    ".gitignore": "files for editors",
    "reuse.jsonl": "index of results",
    "hashes.json": "index of results",
    "sources.json": "checked scripts",
    "checks.json": "checked scripts",
}
# What stays of the steps of a run that is kept for the results of others: how they ended, and what they logged.
_SHOWN = ("record.json", "metrics.jsonl", "params.jsonl", "tags.jsonl", "children")
# The folder of a step of a run.
_Place = tuple[str, str]


@dataclass(frozen=True)
class _Chosen:
    """The runs to delete, the steps' folders to keep, and the versions of models to delete."""

    old: list[str]
    needed: set[_Place]
    models: list[Path]


def prune(project_dir: str | Path, keep: int = 5, size: int | None = None, dry: bool = False) -> Pruned:
    """Delete all but the newest runs; with a size (bytes), only as many of the others as .azml has to lose.

    Running runs are kept. Steps of deleted runs are kept if a kept run, the next run or a registered dataset uses their
    results. Versions of models that deleted runs registered are deleted if there is a newer one and no kept result
    needs them. Incomplete files of killed runs are deleted, too. Raises RunError if something cannot be deleted.
    """
    pruning = _Pruning(ProjectPaths.of(project_dir))
    try:
        return pruning.prune(keep, size, dry)
    except OSError as error:
        raise RunError(f"could not delete everything: {error.strerror}: {error.filename}") from error


class _Pruning:
    def __init__(self, layout: ProjectPaths) -> None:
        self._layout = layout
        refuse_links(layout)
        self._records = list_runs(layout.project)
        self._goes_on = any(record.status == "running" for record in self._records)
        self._remains = list(self._find_remains())
        self._store = store_of(layout)
        self._fixed = {*self._next_results(), *self._registered()}
        self._measured: dict[str, Mapping[str, int]] = {}

    def prune(self, keep: int, size: int | None, dry: bool) -> Pruned:
        chosen = self._choose(keep)
        if size is not None:
            counts = range(keep, max(keep, len(self._records)) + 1)
            # The more are kept, the more there is left.
            fitting = bisect.bisect_right(counts, size, key=lambda count: self._left(self._choose(count)))
            chosen = self._choose(counts[max(fitting - 1, 0)])
            if sum(self._holds.values()) <= size:
                chosen = _Chosen([], chosen.needed, [])
        is_measured = dry or size is not None
        before = dict(self._holds) if is_measured else {}
        sizes = {run_id: self._freed_of(run_id, chosen.needed) for run_id in chosen.old}
        sizes |= {_model_name(path): self._model_sizes[path] for path in chosen.models}
        in_use = {run_id for run_id, _ in chosen.needed}
        cut = {run_id: self._cut(run_id, chosen.needed) for run_id in chosen.old if run_id in in_use}
        after = self._holds_after(chosen) if is_measured else {}
        if not dry and (size is None or sum(before.values()) > size):
            self._delete(chosen)
        gone = [run_id for run_id in chosen.old if run_id not in in_use]
        in_part = {run_id: steps for run_id, steps in cut.items() if steps}
        return Pruned(gone, list(map(_model_name, chosen.models)), sizes, before, after, in_part)

    def _choose(self, keep: int) -> _Chosen:
        kept = [record for place, record in enumerate(self._records) if place < keep or record.status == "running"]
        needed = {(step.producer, step.places.root.name) for record in kept for step in record.steps if step.producer}
        needed |= self._fixed
        old = [record.id for record in self._records if record not in kept] + self._remains
        # A running run may read any model.
        models = [] if self._goes_on else list(self._superseded(frozenset(old), needed))
        return _Chosen(old, needed, models)

    def _cut(self, run_id: str, needed: set[_Place]) -> list[str]:
        """Return the steps of a run whose outputs and logs are deleted although the run is kept."""
        folders = map(StepPaths, self._layout.run(run_id).steps.glob("*"))
        unused = (places for places in folders if (run_id, places.root.name) not in needed)
        keys = {step.places.root.name: step.key for one in self._records if one.id == run_id for step in one.steps}
        return sorted(keys.get(places.root.name, places.root.name) for places in unused if places.log.exists())

    def _next_results(self) -> Iterator[_Place]:
        """Yield the run and the step's folder of the newest results of the steps in pipeline.yaml.

        A running run may still reuse any result.
        """
        keys = step_keys(self._layout.project / FILE_NAME)
        for step, results in self._store.results.items():
            if self._goes_on or keys is None or step in keys:
                for result in results[: None if self._goes_on else 1]:
                    yield result["run_id"], folder_name(step)

    def _registered(self) -> Iterator[_Place]:
        """Yield the run and the step's folder of every registered folder that is an output of a run."""
        for path in registered_folders(self._layout):
            with contextlib.suppress(ValueError):
                parts = path.relative_to(self._layout.runs).parts
                if len(parts) > 2:
                    yield parts[0], parts[2]

    def _find_remains(self) -> Iterator[str]:
        """Yield the ids of runs that were killed, or deleted in part, and have no record."""
        for run_id in filter(RUN_ID.fullmatch, run_ids(self._layout)):
            place = self._layout.run(run_id)
            if read_json(place.record) is None and _is_settled(place.root):
                yield place.root.name

    # Models

    def _superseded(self, old: frozenset[str], needed: set[_Place]) -> Iterator[Path]:
        """Yield the versions of models that only deleted runs registered or read, and that have a newer one."""
        versions = self._older_versions
        if not versions:
            return
        kept, read = set(), set()
        for step, results in self._store.results.items():
            for result in results:
                if self._is_kept(step, result, old, needed):
                    kept.update(result["registered"])
                    read.update(result["reads"])
        # Folders: with the list of versions, a step would run again.
        asked = {(found[1], found[2]) for found in map(_model_in, read) if found}
        for path, run_id in versions.items():
            model = path.parent.name
            is_read = not asked.isdisjoint({(None, None), (model, None), (model, path.name)})
            is_old = run_id in old or (run_id and not self._layout.run(run_id).root.exists())
            if is_old and not is_read and path.relative_to(self._layout.root).as_posix() not in kept:
                yield path

    @cached_property
    def _older_versions(self) -> Mapping[Path, str]:
        """The versions of models that have a newer one, with the ids of the runs that registered them, if known."""
        registered = {}
        for model in self._layout.models.glob("*"):
            versions = sorted(
                (path for path in model.glob("*") if path.name.isdecimal()), key=lambda one: int(one.name)
            )
            for path in versions[:-1]:
                found = RUN_ID.match(str((read_json(path / "model.json") or {}).get("run_id", "")))
                registered[path] = found[0] if found else ""
        for step in self._layout.runs.glob("*/steps/*") if not all(registered.values()) else ():
            for line in read_lines(step / "reads.jsonl"):
                path = Path(str(line.get("path", "")))
                if registered.get(path) == "":
                    registered[path] = StepPaths(step).of_run.root.name
        return registered

    # Sizes

    @cached_property
    def _holds(self) -> dict[str, int]:
        """How much .azml holds, by kind, in bytes."""
        root = self._layout.root
        sizes = {run_id: self._sizes(run_id) for run_id in run_ids(self._layout)}
        used = sum(sizes.get(run_id, {}).get(folder, 0) for run_id, folder in self._fixed)
        holds = {"runs": sum(sum(parts.values()) for parts in sizes.values()) - used, "results in use": used}
        for name, kind in _KINDS.items():
            holds[kind] = holds.get(kind, 0) + tree_size(root / name)
        holds["other"] = tree_size(root, without=("runs", *_KINDS))
        return holds

    def _sizes(self, run_id: str) -> Mapping[str, int]:
        """Return the sizes of the steps' folders of a run, and under the empty name of the rest of it, in bytes."""
        if run_id not in self._measured:
            self._measured[run_id] = _measure(self._layout.run(run_id))
        return self._measured[run_id]

    @cached_property
    def _model_sizes(self) -> Mapping[Path, int]:
        return {path: tree_size(path) for path in self._older_versions}

    def _freed_of(self, run_id: str, needed: set[_Place]) -> int:
        """Return how much the deletion of a run frees, less what of it is kept."""
        sizes = self._sizes(run_id)
        if any(needed_id == run_id for needed_id, _ in needed):
            return sum(size for folder, size in sizes.items() if folder and (run_id, folder) not in needed)
        return sum(sizes.values())

    def _left(self, chosen: _Chosen) -> int:
        return sum(self._holds_after(chosen).values())

    def _holds_after(self, chosen: _Chosen) -> dict[str, int]:
        """Return what .azml holds, by kind, once that is deleted."""
        holds = dict(self._holds)
        if not chosen.old and not chosen.models:
            return holds
        holds["runs"] -= sum(self._freed_of(run_id, chosen.needed) for run_id in chosen.old)
        holds["models"] -= sum(self._model_sizes[path] for path in chosen.models)
        deleted = set(chosen.old) - {run_id for run_id, _ in chosen.needed}
        holds["reports"] -= sum(map(tree_size, _pages_of_deleted(self._layout, deleted)))
        if not self._goes_on:
            holds["snapshots"] = 0
        return holds

    # Deleting

    def _delete(self, chosen: _Chosen) -> None:
        layout, old, needed = self._layout, frozenset(chosen.old), chosen.needed
        clear_unfinished(layout)
        if not self._goes_on:
            # First, so that no run that starts now reuses what will be deleted.
            self._forget_results(old, needed)
        for run_id in chosen.old:
            _clear(layout.run(run_id), {folder for needed_id, folder in needed if needed_id == run_id})
        for path in chosen.models:
            _bury(path)
        for page in _pages_of_deleted(layout):
            page.unlink(missing_ok=True)
        if not self._goes_on:
            _clear_leftovers(layout)

    def _is_kept(self, step: str, result: Mapping[str, Any], old: frozenset[str], needed: set[_Place]) -> bool:
        run_id, folder = result["run_id"], folder_name(step)
        is_there = (self._layout.run(run_id).steps / folder).is_dir()
        return is_there and (run_id not in old or (run_id, folder) in needed)

    def _forget_results(self, old: frozenset[str], needed: set[_Place]) -> None:
        """Forget the results that will be deleted, and those that no longer exist."""

        def is_kept(step: str, result: Mapping[str, Any]) -> bool:
            return self._is_kept(step, result, old, needed)

        if not all(is_kept(step, result) for step, results in self._store.results.items() for result in results):
            self._store.filter(is_kept)


def _model_in(question: str) -> re.Match[str] | None:
    """Return which models a question is about; whether the folder of one exists is not about its versions."""
    kind, _, place = question.partition(":")
    found = _MODELS.search(place.replace(os.sep, "/"))
    return None if found and kind == "kind" and not found[2] else found


def _model_name(path: Path) -> str:
    return f"{path.parent.name}:{path.name}"


def _bury(version: Path) -> None:
    """Delete a version of a model; as after `Model.delete`, its number is not used again."""
    grave = version.with_name(f"{version.name}.deleted")
    grave.mkdir(exist_ok=True)
    doomed = grave / str(time.monotonic_ns())
    os.rename(version, doomed)
    remove_tree(doomed)


def _measure(run: RunPaths) -> dict[str, int]:
    if run.steps.is_symlink():
        return {"": tree_size(run.root)}
    sizes = {"": tree_size(run.root, without=("steps",))}
    with contextlib.suppress(OSError), os.scandir(run.steps) as entries:
        for entry in entries:
            step = StepPaths(Path(entry.path))
            noted = (read_json(step.record) or {}).get("size")
            if isinstance(noted, int) and noted >= 0 and any(path.exists() for path in step.results):
                sizes[entry.name] = noted + tree_size(step.root, [path.name for path in step.results])
            else:  # Of an older release, or killed.
                sizes[entry.name] = tree_size(step.root)
    return sizes


def _is_settled(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime + _SETTLED < time.time()
    return False


def _clear(run: RunPaths, needed: Iterable[str]) -> None:
    if not needed:
        remove_tree(run.root)
        return
    if run.steps.is_symlink():
        run.steps.unlink()
    for folder in run.steps.glob("*"):
        if folder.name not in needed:
            for path in folder.glob("*"):
                if path.name not in _SHOWN:
                    remove_tree(path)
        else:
            remove_tree(folder / "work")
            remove_tree(folder / "temporary")


def _pages_of_deleted(layout: ProjectPaths, runs: Collection[str] = ()) -> Iterator[Path]:
    """Yield the pages about local runs that are gone, and about these; those about runs on Azure are kept."""
    for page in layout.reports.glob("*.html"):
        if RUN_ID.fullmatch(page.stem) and (page.stem in runs or not layout.run(page.stem).root.exists()):
            yield page


def _clear_leftovers(layout: ProjectPaths) -> None:
    # Made again from the project's files when a run needs them, such as one that begins now and fills the folder.
    shutil.rmtree(layout.objects, ignore_errors=True)
    for partial in layout.root.glob("*.partial"):
        if not _is_settled(partial):
            continue
        if partial.is_dir() and not partial.is_symlink():  # of the files for editors
            remove_tree(partial)
        else:
            partial.unlink(missing_ok=True)
    remove_tree(layout.old_reuse)

"""Names that the file uses and does not declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from azml_tasks.errors import MOST_SUGGESTIONS, did_you_mean
from azml_tasks.model import Pipeline
from azml_tasks.wiring import Finding

Path = tuple[str | int, ...]


def missing_declarations(pipeline: Pipeline) -> Iterator[Finding]:
    """Find what the local backend cannot do without: a declared dataset with a local_path."""
    if pipeline.backend != "local":
        return
    for count, (path, step, name) in enumerate(_dataset_uses(pipeline)):
        declared = pipeline.datasets.get(name)
        if declared is None:
            meant = did_you_mean(name, pipeline.datasets) if count < MOST_SUGGESTIONS else ""
            yield Finding(
                path,
                f"step '{step}' reads the dataset '{name}', which is not under datasets: "
                f"a local run needs its local_path{meant}",
            )
        elif declared.local_path is None:
            yield Finding(("datasets", name), f"dataset '{name}' has no local_path, which a local run needs")


def notes_of(pipeline: Pipeline) -> Iterator[Finding]:
    """Say which names are taken to exist in the workspace."""
    yield from _notes(_dataset_uses(pipeline), "dataset", pipeline.datasets)
    yield from _notes(_named(pipeline, "env_name"), "environment", pipeline.environments)
    yield from _notes(_named(pipeline, "compute_name"), "compute", pipeline.computes)
    yield from _notes(_datastore_uses(pipeline), "datastore", pipeline.datastores)


def _notes(uses: Iterable[tuple[Path, str, str]], noun: str, declared: Iterable[str]) -> Iterator[Finding]:
    known = dict.fromkeys(declared)
    seen: set[str] = set()
    for path, _, name in uses:
        if name not in known and name not in seen:
            # Suggestions cost time, and nobody reads dozens. A version says that it was not mistyped.
            meant = did_you_mean(name, known) if len(seen) < MOST_SUGGESTIONS and "@" not in name else ""
            seen.add(name)
            yield Finding(
                path,
                f"the {noun} '{name}' is not declared in this file, so it is taken to exist in the workspace{meant}",
            )


def _dataset_uses(pipeline: Pipeline) -> Iterator[tuple[Path, str, str]]:
    for key, step in pipeline.steps.items():
        for argument, value in step.input_datasets.items():
            if isinstance(value, str):
                yield ("steps", key, "input_datasets", argument), key, value


def _named(pipeline: Pipeline, attribute: str) -> Iterator[tuple[Path, str, str]]:
    name = getattr(pipeline, attribute)
    if name:
        yield (attribute,), "", name
    for key, step in pipeline.steps.items():
        own = getattr(step, attribute)
        if own:
            yield ("steps", key, attribute), key, own


def _datastore_uses(pipeline: Pipeline) -> Iterator[tuple[Path, str, str]]:
    for name, dataset in pipeline.datasets.items():
        if dataset.datastore_name:
            yield ("datasets", name, "datastore_name"), name, dataset.datastore_name
    for key, step in pipeline.steps.items():
        for argument, options in (step.output_folders or {}).items():
            if options.destination:
                path = ("steps", key, "output_folders", argument, "destination", "datastore_name")
                yield path, key, options.destination.datastore_name
    blob = pipeline.schedule.on_blob_change if pipeline.schedule else None
    if blob:
        yield ("schedule", "on_blob_change", "datastore_name"), "", blob.datastore_name

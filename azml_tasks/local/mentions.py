"""What a step's scripts may use without naming it as an input, told from their text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.local.files import read_lines
from azml_tasks.local.layout import Layout, StepPlaces
from azml_tasks.secrets import is_secret_name

if TYPE_CHECKING:
    from azml_tasks.model import Pipeline
    from azml_tasks.snapshot import Snapshot

_DATASETS = re.compile(r"\bget_by_name\b|\bget_by_id\b|\.datasets\b")
_MODELS = re.compile(r"\bModel\b|\bget_model_path\b|\.models\b")
_DATASTORES = re.compile(r"\bDatastore\b|\.datastores\b|\bget_default_datastore\b")


class Mentions:
    """The text of the Python files that a step runs from, as they were staged, and of its arguments."""

    def __init__(self, snapshot: Snapshot, work: Path, argv: Iterable[str]) -> None:
        sources = (work / place for place in snapshot.files if place.endswith(".py"))
        self._text = "\n".join([*(source.read_text("utf-8", "replace") for source in sources), *argv])

    def secrets(self, outer: Mapping[str, str]) -> dict[str, str]:
        """Return those of the runner's variables that are secrets and asked for by name.

        `run.get_secret("db-key")` finds DB_KEY in .env by itself; where there is no .env, as in CI, it can only come
        from here, and no other step sees it.
        """
        if "get_secret" not in self._text:
            return {}
        words = set(re.findall(r"[A-Z0-9_]+", self._text.upper().replace("-", "_")))
        return {name: value for name, value in outer.items() if is_secret_name(name) and name.upper() in words}

    def places(self, pipeline: Pipeline, layout: Layout) -> Iterator[str]:
        """Yield what the scripts may read of the workspace's stand-in, as paths or patterns from the project.

        Coarse on purpose: a step that looks up any dataset by name runs again when one of them has changed.
        """
        if "azureml" not in self._text:
            return
        state = layout.root.relative_to(layout.project)
        if _DATASETS.search(self._text):
            for dataset in pipeline.datasets.values():
                if dataset.local_path is not None:
                    yield os.path.normpath(dataset.local_path)
            yield str(state / "datasets")
        if _MODELS.search(self._text):
            yield str(state / "models")
        if _DATASTORES.search(self._text):
            yield str(state / "datastores")


def noted_reads(places: StepPlaces, layout: Layout) -> set[str]:
    """Return what a finished script noted in reads.jsonl as read beside its inputs, as paths from the project."""
    paths = (str(read["path"]) for read in read_lines(places.root / "reads.jsonl") if "path" in read)
    return {os.path.relpath(path, layout.project) for path in paths}

"""What a step's scripts may use without naming it as an input, told from their text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.local import facts
from azml_tasks.local.files import read_lines
from azml_tasks.local.layout import Layout, StepPlaces
from azml_tasks.secrets import is_secret

if TYPE_CHECKING:
    from azml_tasks.model import Pipeline
    from azml_tasks.snapshot import Snapshot

_DATASETS = re.compile(r"\bget_by_name\b|\bget_by_id\b|\.datasets\b")
# What a script registers itself it notes (see `noted_reads`), so that steps which only register do not mind each other.
_MODELS = re.compile(r"\bModel\b(?!\.register\b)|\bget_model_path\b|\.models\b")
_PLAIN_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+[\w.]+[ \t]+)?import\b(?!.*\bas\b).*$", re.MULTILINE)
_DATASTORES = re.compile(r"\bDatastore\b|\.datastores\b|\bget_default_datastore\b")
_STEPS_BEFORE = re.compile(r"\.parent\b|\bget_children\b|\bget_runs\b")
# The folder of a path, which is no parent of a run: `Path(__file__).resolve().parent`, `file.parent / "x"`.
_FOLDER = re.compile(
    r"\bPath\((?:[^()\n]|\([^()\n]*\))*\)(?:\.(?:resolve|absolute|expanduser)\(\))?(?:\.parent)+\b"
    r"|(?:\.parent)+(?=\s*/|\.(?:mkdir|joinpath|exists|is_dir|iterdir|r?glob|resolve|absolute|as_posix)\b)"
)
# `os.environ["NAME"]`, `environ.get("NAME", ...)`, `getenv("NAME")`, `"NAME" in os.environ`.
_VARIABLE = re.compile(
    r"""\b(?:environ|getenv)(?:\.\w+)?\s*[\[(]\s*(?:key\s*=\s*)?["'](\w+)["']|["'](\w+)["']\s+(?:not\s+)?in\s+(?:os\.)?environ\b"""
)


class Mentions:
    """The text of the Python files that a step runs from, as they were staged, and of its arguments."""

    def __init__(self, snapshot: Snapshot, work: Path, argv: Iterable[str]) -> None:
        sources = (work / place for place in snapshot.files if place.endswith(".py"))
        self._text = "\n".join([*(source.read_text("utf-8", "replace") for source in sources), *argv])

    @cached_property
    def _used(self) -> str:
        """The text less its imports, which use nothing yet; those that rename something stay."""
        return _PLAIN_IMPORT.sub("", self._text)

    def secrets(self, outer: Mapping[str, str]) -> dict[str, str]:
        """Return those of the runner's variables that are secrets and asked for by name.

        `run.get_secret("db-key")` finds DB_KEY in .env by itself; where there is no .env, as in CI, it can only come
        from here, and no other step sees it.
        """
        if "get_secret" not in self._text:
            return {}
        words = set(re.findall(r"[A-Z0-9_]+", self._text.upper().replace("-", "_")))
        return {name: value for name, value in outer.items() if is_secret(name, value) and name.upper() in words}

    def places(self, pipeline: Pipeline, layout: Layout) -> Iterator[str]:
        """Yield what the scripts may read of the workspace's stand-in, as paths or patterns from the project.

        Coarse on purpose: a step that looks up any dataset by name runs again when one of them has changed.
        """
        if "azureml" not in self._text:
            return
        state = layout.root.relative_to(layout.project)
        if _DATASETS.search(self._used):
            for dataset in pipeline.datasets.values():
                if dataset.local_path is not None:
                    yield os.path.normpath(dataset.local_path)
            yield str(state / "datasets")
        if _MODELS.search(self._used):
            yield str(state / "models")
        if _DATASTORES.search(self._used):
            yield str(state / "datastores")

    def facts(self) -> Iterator[str]:
        """Yield the names of the facts that the scripts may look up."""
        if "environ" in self._text or "getenv" in self._text:
            names = {first or second for first, second in _VARIABLE.findall(self._text)}
            yield from map(facts.variable, sorted(names))
        if "azureml" not in self._text:
            return
        if _DATASETS.search(self._used):
            yield facts.DATASETS
        if _DATASTORES.search(self._used):
            yield facts.DATASTORES
        if _STEPS_BEFORE.search(_FOLDER.sub("", self._used)):
            yield facts.STEPS_BEFORE


def noted_reads(places: StepPlaces, layout: Layout) -> set[str]:
    """Return what a finished script noted in reads.jsonl as read beside its inputs, as paths from the project."""
    paths = (str(read["path"]) for read in read_lines(places.root / "reads.jsonl") if "path" in read)
    return {os.path.relpath(path, layout.project) for path in paths}

"""Paths of the local backend in the folder .azml of a project, which may be deleted at any time.

.azml/
├── runs/<run id>/              one run: run.json, provenance.json, reused.jsonl, parent/, steps/<step>/
│   └── steps/<step>/           record.json, context.json, log.txt, metrics.jsonl, reads/, outputs/, artifacts/, work/,
│                               temporary/, datasets/ (what the script made datasets of)
├── objects/                    contents of snapshots, by their SHA-256
├── reuse.jsonl                 finished results of the steps, and what they read
├── hashes.json                 contents already hashed, by the file's stat
├── unfinished/<run id>         a mark of a run that has started a step and has not come to its end
├── models/  datastores/        what scripts register and upload
└── envs/<name>/                virtual environments, and the mark of the one in use
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

from azml_tasks.snapshot.files import leads_out

# Room for suffixes below the 255 bytes that file systems take.
_LONGEST_NAME = 120
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


@dataclass(frozen=True)
class ProjectPaths:
    """The places of one project; `project` is an absolute path."""

    project: Path

    @classmethod
    def of(cls, project_dir: str | Path) -> ProjectPaths:
        """Return the layout of the project in that folder."""
        return cls(Path(os.path.abspath(project_dir)))

    @classmethod
    def holding(cls, run: RunPaths) -> ProjectPaths:
        """Return the layout of the project that holds a run."""
        return cls(run.root.parents[2])

    @cached_property
    def root(self) -> Path:
        """The folder .azml."""
        return self.project / ".azml"

    @cached_property
    def real_project(self) -> str:
        """The project's folder without links."""
        return os.path.realpath(self.project)

    @property
    def runs(self) -> Path:
        """The folder of all runs."""
        return self.root / "runs"

    @property
    def objects(self) -> Path:
        """The folder of snapshot contents."""
        return self.root / "objects"

    @property
    def results(self) -> Path:
        """The file of reusable results."""
        return self.root / "reuse.jsonl"

    @property
    def old_reuse(self) -> Path:
        """The folder of reusable results that azml-tasks 0.3.0 wrote."""
        return self.root / "reuse"

    @property
    def hashes(self) -> Path:
        """The file of known content hashes."""
        return self.root / "hashes.json"

    @property
    def unfinished(self) -> Path:
        """The folder of the marks of runs that have not come to their end."""
        return self.root / "unfinished"

    @property
    def models(self) -> Path:
        """The folder of registered models."""
        return self.root / "models"

    @property
    def reports(self) -> Path:
        """The folder of the pages about runs."""
        return self.root / "reports"

    @property
    def datastores(self) -> Path:
        """The folder of datastores."""
        return self.root / "datastores"

    @property
    def environments(self) -> Path:
        """The folder of virtual environments."""
        return self.root / "envs"

    def links_out(self) -> Path | None:
        """Return a link that leads out of the project and by which something would be written or deleted there."""
        for folder in (self.root, *_inside(self.root)):
            for path in (folder, *_inside(folder)) if folder != self.root else (folder,):
                if path.is_symlink() and leads_out(path, self.project):
                    return path
        return None

    def run(self, run_id: str) -> RunPaths:
        """Return the paths of one run, always in the folder of all runs."""
        return _run_paths(self.root, run_id)

    def old_results_of(self, step: str) -> Path:
        """Return the file of a step's reusable results that azml-tasks 0.3.0 wrote."""
        return self.old_reuse / f"{folder_name(step)}.json"


def _inside(folder: Path) -> list[Path]:
    """Return what of a folder may be written to by its name: folders, and links to whatever."""
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if entry.is_symlink() or entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


class RunPaths(NamedTuple):
    """The places of one run."""

    root: Path

    @property
    def record(self) -> Path:
        """The run's record."""
        return self.root / "run.json"

    @property
    def provenance(self) -> Path:
        """What the run was started from."""
        return self.root / "provenance.json"

    @property
    def reused(self) -> Path:
        """The records of steps that were reused before any step started."""
        return self.root / "reused.jsonl"

    @property
    def lock(self) -> Path:
        """The empty file that the run's runner has locked while it lives."""
        return self.root / "runner.lock"

    @property
    def parent(self) -> Path:
        """Records of the steps on their parent, the pipeline's run."""
        return self.root / "parent"

    @property
    def steps(self) -> Path:
        """The folder of the steps."""
        return self.root / "steps"

    def step(self, key: str) -> StepPaths:
        """Return the places of one step."""
        return _step_paths(self.root, key)


@dataclass(frozen=True)
class StepPaths:
    """The places of one step of one run."""

    root: Path

    @property
    def of_run(self) -> RunPaths:
        """The places of its run."""
        return RunPaths(self.root.parent.parent)

    @property
    def record(self) -> Path:
        """The step's record."""
        return self.root / "record.json"

    @cached_property
    def context(self) -> Path:
        """The description of the run for the step's process."""
        return self.root / "context.json"

    @property
    def log(self) -> Path:
        """All that the step's processes print, as bytes."""
        return self.root / "log.txt"

    @cached_property
    def work(self) -> Path:
        """The working directory, a staged copy of the snapshot."""
        return self.root / "work"

    @cached_property
    def artifacts(self) -> Path:
        """The files that belong to the step's run: uploads, `outputs/`, `logs/`."""
        return self.root / "artifacts"

    @cached_property
    def temporary(self) -> Path:
        """Downloads and mounts of the step without a given path; deleted when the step has ended."""
        return self.root / "temporary"

    @property
    def results(self) -> tuple[Path, Path]:
        """The folders of its outputs and its other files, which `size` in its record counts."""
        return self.root / "outputs", self.artifacts

    def output(self, name: str) -> Path:
        """Return the folder of an output."""
        return self.root / f"outputs/{name}"


@lru_cache
def _run_paths(root: Path, run_id: str) -> RunPaths:
    return RunPaths(root / f"runs/{folder_name(run_id)}")


@lru_cache(maxsize=10_000)
def _step_paths(root: Path, key: str) -> StepPaths:
    return StepPaths(root / f"steps/{folder_name(key)}")


@lru_cache(maxsize=10_000)
def folder_name(key: str) -> str:
    """Return the name of a step's folder: its key, cut where a file system would not take it.

    Keys that differ only by case or punctuation never meet in one pipeline (wiring refuses them).
    """
    name = re.sub(r"[^\w.-]", "_", key)
    if not name.strip("."):  # which would be another folder
        name = "_" * max(1, len(name))
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    return f"{name.encode()[:_LONGEST_NAME].decode(errors='ignore')}-{digest}"

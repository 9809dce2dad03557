"""A step's snapshot: its script, what the script imports from the project, and what `include` adds."""

from azml_tasks.snapshot.build import (
    Locate,
    SnapshotBuilder,
    build_snapshot,
    located_problems,
    step_with_words,
    take_snapshots,
    with_words,
)
from azml_tasks.snapshot.files import hash_file, without_repeats
from azml_tasks.snapshot.hints import id_hint, missing_hint, missing_module, module_hint, package_hint
from azml_tasks.snapshot.imports import READ_AT_IMPORT
from azml_tasks.snapshot.snapshot import FileSet, Snapshot, SnapshotError, SnapshotProblem

__all__ = [
    "READ_AT_IMPORT",
    "FileSet",
    "Locate",
    "Snapshot",
    "SnapshotBuilder",
    "SnapshotError",
    "SnapshotProblem",
    "build_snapshot",
    "hash_file",
    "id_hint",
    "located_problems",
    "missing_hint",
    "missing_module",
    "module_hint",
    "package_hint",
    "step_with_words",
    "take_snapshots",
    "with_words",
    "without_repeats",
]

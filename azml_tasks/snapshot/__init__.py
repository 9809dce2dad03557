"""A step's snapshot: its script, what the script imports from the project, and what `include` adds."""

from azml_tasks.snapshot.build import SnapshotBuilder, build_snapshot, hash_file
from azml_tasks.snapshot.hint import missing_hint, module_hint
from azml_tasks.snapshot.imports import READ_AT_IMPORT
from azml_tasks.snapshot.include import without_repeats
from azml_tasks.snapshot.package_hint import missing_module, package_hint
from azml_tasks.snapshot.snapshot import Finding, Snapshot, SnapshotError
from azml_tasks.snapshot.take import Locate, step_with_words, take_snapshots, with_words

__all__ = [
    "READ_AT_IMPORT",
    "Finding",
    "Locate",
    "Snapshot",
    "SnapshotBuilder",
    "SnapshotError",
    "build_snapshot",
    "hash_file",
    "missing_hint",
    "missing_module",
    "module_hint",
    "package_hint",
    "step_with_words",
    "take_snapshots",
    "with_words",
    "without_repeats",
]

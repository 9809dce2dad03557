"""What a snapshot would contain, for a person to read: steps with the same files together, folders as a tree."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from azml_tasks.errors import Problem
from azml_tasks.plan import StepPlan
from azml_tasks.secrets import secrets_found
from azml_tasks.snapshot.build import SnapshotBuilder
from azml_tasks.snapshot.snapshot import MAX_FILES, MOST, FileSet
from azml_tasks.text import size_text

_WIDTH = 80
# A folder with more files is one line, unless all are wanted.
_MOST_IN_FOLDER = 20
_MOST_LARGEST = 3
# A file with fewer bytes needs no line for the largest ones.
_LARGE = 10**6
# Files in which people write settings. Data are not searched, which takes long and finds ids and hashes.
_TEXTS = frozenset(
    (
        *("", ".cfg", ".conf", ".env", ".ini", ".ipynb", ".json", ".properties", ".ps1", ".py", ".r", ".sh", ".sql"),
        *(".toml", ".txt", ".xml", ".yaml", ".yml"),
    )
)
_MOST_READ = 250_000
_MOST_SECRETS = 20


@dataclass(frozen=True)
class SharedSnapshot:
    """The steps that have the same files, and these files."""

    steps: tuple[str, ...]
    contents: FileSet


def collect_snapshots(builder: SnapshotBuilder, steps: Iterable[StepPlan]) -> list[SharedSnapshot]:
    """Return the files of the steps' snapshots, those with the same files together; problems are kept in them."""
    groups: dict[object, SharedSnapshot] = {}
    for key, step in ((planned.key, planned.step) for planned in steps):
        whole = step.snapshot == "directory"
        found = builder.collect(step.script_directory, step.script_name, step.include, whole)
        files = key if found.findings else tuple(sorted(found.files.items()))
        if files not in groups:
            groups[files] = SharedSnapshot((key,), found)
            continue
        shared = groups[files]
        reasons = {**shared.contents.reasons, found.script: "the script"}
        groups[files] = SharedSnapshot((*shared.steps, key), shared.contents._replace(reasons=reasons))
    return list(groups.values())


def snapshot_lines(shared: SharedSnapshot, project: str, every_file: bool = False) -> Iterator[str]:
    """Yield the lines that show a snapshot, none of them wider than a terminal of 80 columns.

    Folders with many files are one line each, unless `every_file`.
    """
    sizes = shared.contents.sizes
    files = "1 file" if len(sizes) == 1 else f"{len(sizes):,} files"
    yield f"{', '.join(shared.steps)}:"
    yield f"  {files}, {size_text(sum(sizes.values()))} (at most {MAX_FILES:,} files, {MOST})"
    rows = list(_rows(shared.contents, project, every_file))
    width = min(max((len(row.name) for row in rows), default=0), 44)
    for row in rows:
        name = _cut(row.name, width)
        line = f"  {name:<{width}}  {row.size:>8}  {row.reason}".rstrip()
        if len(line) <= _WIDTH:
            yield line
        else:
            yield f"  {name:<{width}}  {row.size:>8}"
            yield f"      {_cut(row.reason, _WIDTH - 6)}"
    largest = [path for path in sorted(sizes, key=lambda path: (-sizes[path], path)) if sizes[path] >= _LARGE]
    if largest and len(sizes) > 1:
        yield "  largest files:"
        for path in largest[:_MOST_LARGEST]:
            yield f"    {_cut(path, 64):<64}  {size_text(sizes[path]):>8}"


@dataclass(frozen=True)
class _Row:
    """A line of the tree: a file, or a folder."""

    name: str
    size: str = ""
    reason: str = ""


def _rows(contents: FileSet, project: str, every_file: bool) -> Iterator[_Row]:
    """Yield the tree: files before folders, each in the order of their names."""
    below: Mapping[str, list[str]] = _files_below(contents.sizes)
    waiting: list[tuple[str, str]] = [("", "")]
    while waiting:
        folder, indent = waiting.pop()
        if folder:
            name = f"{indent[2:]}{folder.rstrip('/').rpartition('/')[2]}/"
            files = below[folder]
            if len(files) > _MOST_IN_FOLDER and not every_file:
                yield _folder_row(f"{name} ({len(files):,} files)", files, contents)
                continue
            yield _Row(name)
        inner = [path for path in below[folder] if "/" not in path[len(folder) :]]
        for path in inner:
            yield _Row(
                f"{indent}{path[len(folder) :]}", size_text(contents.sizes[path]), _reason(path, contents, project)
            )
        folders = sorted({f"{folder}{path[len(folder) :].partition('/')[0]}/" for path in below[folder]} & below.keys())
        waiting += [(one, f"{indent}  ") for one in reversed(folders)]


def _files_below(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return the files below each folder, by its path with a slash; the root is empty."""
    below = defaultdict(list)
    for path in sorted(paths):
        parts = path.split("/")
        for end in range(len(parts)):
            below["".join(f"{part}/" for part in parts[:end])].append(path)
    return below


def _folder_row(name: str, files: Sequence[str], contents: FileSet) -> _Row:
    reasons = Counter(contents.reasons[path] for path in files)
    (reason, _), *others = reasons.most_common()
    more = f" and {len(others)} more" if others else ""
    return _Row(name, size_text(sum(contents.sizes[path] for path in files)), f"{reason}{more}")


def _reason(path: str, contents: FileSet, project: str) -> str:
    """Return why a file is in the snapshot, and its path in the project if that cannot be seen from its place."""
    source = os.path.relpath(contents.files[path], project).replace(os.sep, "/")
    script = os.path.relpath(contents.files.get(contents.script, project), project).replace(os.sep, "/")
    beside = f"{script.removesuffix(contents.script)}{path}"
    return contents.reasons[path] if source in (path, beside) else f"{contents.reasons[path]} (from {source})"


def _cut(text: str, most: int) -> str:
    """Return the text without its middle if it is longer than `most`."""
    if len(text) <= most:
        return text
    end = (most - 3) * 2 // 3
    return f"{text[: most - 3 - end]}...{text[-end:]}"


def secrets_in_files(snapshots: Iterable[SharedSnapshot], project: str) -> Iterator[Problem]:
    """Yield remarks on texts in the files that have the form of a secret, with their lines; never the text itself."""
    paths = dict.fromkeys(path for shared in snapshots for path in shared.contents.files.values())
    for path in paths:
        if os.path.splitext(path)[1].lower() not in _TEXTS:
            continue
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read(_MOST_READ)
        except OSError:
            continue
        places = {(text.count("\n", 0, start) + 1, kind) for kind, start, _ in secrets_found(text)}
        shown = os.path.relpath(path, project).replace(os.sep, "/")
        for line, kind in sorted(places)[:_MOST_SECRETS]:
            remedy = "read it with run.get_secret" if path.endswith(".py") else "remove it"
            yield Problem(shown, line, f"looks like {kind}, which would be uploaded; {remedy}")

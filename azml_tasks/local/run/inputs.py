"""Prepare the inputs of a step: copies of downloads, variables with their paths, and read-only paths."""

from __future__ import annotations

import glob
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from azml_tasks.local.reuse.reads import InputMissingError
from azml_tasks.local.step.arguments import fixed_part, is_no_pattern
from azml_tasks.local.store.paths import ProjectPaths, StepPaths
from azml_tasks.plan.plan import DatasetInput
from azml_tasks.snapshot import READ_AT_IMPORT, without_repeats
from azml_tasks.standin.azml_local.formats.copies import LARGE, StoppedError, copy_file, size_of
from azml_tasks.standin.azml_local.formats.surroundings import is_of_system
from azml_tasks.text import size_text

if TYPE_CHECKING:
    from azml_tasks.plan import StepPlan

# The stand-in reads it (azml_local/guard.py): `-`, or `=` if no link is in it, and a path that is read-only, or `+` and
# one in it that is not.
_LIST = "read_only"
# Levels of folders that are looked at one by one, each by a call of its own.
_DEEP = 100
# The kernel guards at most this many files of a pattern one by one.
_MOST_MOUNTS = 200
# Variables that programs and libraries look at, which an input of the same name must not replace.
_TAKEN = re.compile(
    r"(PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|IFS|ENV|CDPATH|TERM|TZ|LANG|LANGUAGE|DISPLAY|HOSTNAME|TEMP|TMP|TMPDIR|"
    r"SYSTEMROOT|COMSPEC|PATHEXT|WINDIR|CI|EDITOR|PAGER|VIRTUAL_ENV|(http|https|ftp|no|all)_proxy|.*_PROXY|.*_HOME|"
    r"(PYTHON|LD_|DYLD_|LC_|BASH|XDG_|SSL_|AZML_|AZUREML_|AZURE_|MLFLOW_|MPL|CUDA_|CONDA_|GIT_|PIP_|MSI_).*|.*_CA_BUNDLE)"
)


class Guard(NamedTuple):
    """Read-only paths of a step, writable folders in them, and parent folders that stay in place.

    `read_only` has their real paths, too, the others are real paths. `linked` are those of the read-only paths that
    links in an input lead to.
    """

    read_only: Mapping[str, str]
    writable: tuple[str, ...]
    in_place: tuple[str, ...]
    one_by_one: frozenset[str] = frozenset()
    linked: frozenset[str] = frozenset()

    def write(self, places: StepPaths) -> None:
        """Write the list for the Python processes of the step.

        Raises OSError.
        """
        entries = [f"{'=' if path == real else '-'}{path}" for path, real in self.read_only.items()]
        entries += [f"+{path}" for path in self.writable]
        (places.root / _LIST).write_bytes(b"\0".join(map(os.fsencode, entries)))

    def for_kernel(self) -> Mapping[str, Sequence[str]] | None:
        """Return the list for the fork server; None if there is nothing to guard."""
        read_only = [path for path in self.read_only if path not in self.linked]
        linked = sorted(self.linked)
        if len(read_only) + len(linked) > _MOST_MOUNTS:
            linked = []
        if len(read_only) > _MOST_MOUNTS:
            read_only = [path for path in read_only if path not in self.one_by_one]
        if not read_only:
            return None
        real = self.read_only
        return {
            "read_only": [real[path] for path in read_only],
            "linked": [real[path] for path in linked],
            "writable": self.writable,
            "in_place": self.in_place,
        }


def guard_of(sources: Iterable[Source], mounted: Iterable[str], layout: ProjectPaths, places: StepPaths) -> Guard:
    """Return what the step must not change: the data of its inputs, and where they are `mounted`."""
    sources = list(sources)
    singly = {path for source in sources if source.is_pattern for path in source.files}
    whole = [source.path for source in sources if not source.is_pattern]
    read_only = [path for path in dict.fromkeys([*whole, *mounted, *sorted(singly)]) if os.path.exists(path)]
    linked = frozenset(_linked(whole, layout.project)).difference(read_only)
    state = (layout.models, layout.datastores, layout.root / "datasets", layout.root / "mlruns")
    in_place = {above for path in read_only for above in _between(path, layout)}
    known: dict[str, str] = {}
    return Guard(
        read_only={path: _real(path, known) for path in (*read_only, *sorted(linked))},
        writable=tuple(_real(str(path), known) for path in (places.root, places.of_run.parent, *state)),
        in_place=tuple(_real(path, known) for path in sorted(in_place)),
        one_by_one=frozenset(singly),
        linked=linked,
    )


def _real(path: str, known: dict[str, str]) -> str:
    """Return the real path of an absolute one; `known` has those of the folders that were looked at."""
    above, name = os.path.split(path)
    if not above.strip(os.sep) or name in ("", ".", "..") or above.count(os.sep) > _DEEP or sys.platform == "win32":
        return os.path.realpath(path)
    if above not in known:
        known[above] = _real(above, known)
    place = os.path.join(known[above], name)
    return os.path.realpath(place) if os.path.islink(place) else place


def _linked(folders: Sequence[str], project: Path) -> Iterator[str]:
    """Yield where links below these folders lead to, except to what contains the project or where programs write."""
    waiting = [*folders]
    known: set[str] = set()
    busy: list[str] = []
    while waiting:
        for entry in _entries_of(waiting.pop()):
            if not entry.is_symlink():
                waiting += [entry.path] if entry.is_dir() else []
                continue
            if not busy:  # Only now, because most inputs have no links.
                busy = [os.path.realpath(place) for place in (project, os.path.expanduser("~"), tempfile.gettempdir())]
                known.update(map(os.path.realpath, folders))
            target = os.path.realpath(entry.path)
            contains = any(f"{place}{os.sep}".startswith(os.path.join(target, "")) for place in busy)
            if target in known or contains or is_of_system(target) or not os.path.exists(target):
                continue
            known.add(target)
            waiting.append(target)
            yield target


def _entries_of(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _between(path: str, layout: ProjectPaths) -> Iterator[str]:
    """Yield the parent folders of a path in the project, except those written by runs."""
    project, runs = os.path.join(layout.project, ""), os.path.join(layout.root, "")
    # The root folder ends with a separator, and is its own parent.
    while (path := os.path.dirname(path)) != project and path.startswith(project):
        if f"{path}{os.sep}".startswith(runs):
            return
        yield path


class Source(NamedTuple):
    """The location of an input's data: `path` is a file, a folder, or a pattern that matches `files` in `base`."""

    path: str
    is_pattern: bool = False
    base: str = ""
    files: tuple[str, ...] = ()


def source_of(path: Path, project: Path) -> Source:
    """Return what is at a dataset's `local_path`, or in the folder of an output."""
    if is_no_pattern(path):
        return Source(str(path))
    pattern = without_repeats(os.path.relpath(path, project))
    found = sorted(set(glob.glob(pattern, root_dir=project, recursive=True)))
    files = (os.path.normpath(project / name) for name in found)
    return Source(str(path), True, str(fixed_part(path)), tuple(file for file in files if os.path.isfile(file)))


class Download:
    """Copies a dataset's data for a step; `skipped` is a folder to exclude.

    `say` is called for large copies, `is_wanted` now and then to decide whether to continue.
    """

    def __init__(self, skipped: Path, say: Callable[[str], None], is_wanted: Callable[[], bool]) -> None:
        self._skipped = os.fspath(skipped)
        self._say = say
        self._is_wanted = is_wanted

    def copy(self, source: Source, target: str, reader: str) -> None:
        """Copy what is at the source to a new file or folder.

        Raises OSError, StoppedError.
        """
        os.makedirs(target if source.is_pattern else os.path.dirname(target), exist_ok=True)
        pairs = list(_pairs(source, target, self._skipped))
        size = size_of(path for path, _ in pairs)
        if size >= LARGE:
            self._say(f"{reader}: copying {size_text(size)}")
        for path, copy in pairs:
            if not self._is_wanted():
                raise StoppedError
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            copy_file(path, copy, self._is_wanted)


def deliver_inputs(
    plan: StepPlan, paths: Mapping[str, str], sources: Mapping[str, Source], download: Download
) -> list[str]:
    """Copy downloads to `paths`, link the files of mounted patterns there; return the folders of links.

    Raises InputMissingError if something cannot be read, or the disk is full; StoppedError if stopped.
    """
    mounted = []
    for item in plan.inputs:
        if not isinstance(item, DatasetInput) or item.mode == "direct":
            continue
        target, source = paths[item.name], sources[item.name]
        try:
            if item.mode == "download":
                download.copy(source, target, f"'{plan.key}' downloads the dataset '{item.dataset}'")
            elif source.is_pattern:
                _link(source, target)
                mounted.append(target)
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputMissingError(f"dataset '{item.dataset}' cannot be copied for it: {reason}") from error
    return mounted


def _link(source: Source, target: str) -> None:
    os.makedirs(target, exist_ok=True)
    for path, link in _pairs(source, target, ""):
        os.makedirs(os.path.dirname(link), exist_ok=True)
        try:
            os.symlink(path, link)
        except OSError:
            if sys.platform != "win32":
                raise
            copy_file(path, link)  # Without the right to make links.


def _pairs(source: Source, target: str, skipped: str) -> Iterator[tuple[str, str]]:
    """Yield the source's files, each with its place below `target`; links are followed, but not in circles."""
    if source.is_pattern:
        yield from ((path, os.path.join(target, os.path.relpath(path, source.base))) for path in source.files)
    elif os.path.isfile(source.path):
        yield source.path, target
    else:
        yield from _files_below(source.path, target, skipped)


def _files_below(folder: str, target: str, skipped: str) -> Iterator[tuple[str, str]]:
    waiting: list[tuple[str, str, frozenset[tuple[int, int]]]] = [(folder, target, frozenset())]
    while waiting:
        folder, target, above = waiting.pop()
        status = os.stat(folder)
        here = (status.st_dev, status.st_ino)
        if here in above:
            continue
        os.makedirs(target, exist_ok=True)  # Empty ones count, too.
        for name in sorted(os.listdir(folder)):
            path, place = os.path.join(folder, name), os.path.join(target, name)
            if path == skipped:
                continue
            if os.path.isdir(path):
                waiting.append((path, place, above | {here}))
            elif os.path.isfile(path):
                yield path, place


def variables_for(paths: Mapping[str, str], outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that SDK v1 sets for mounted and downloaded inputs, folders and outputs.

    Beside `AZUREML_DATAREFERENCE_<name>`, `AZURE_ML_INPUT_<name>` and `AZURE_ML_OUTPUT_<name>` that is the plain
    name (azureml-core, DatasetContextManager._update_env_var_for_single_file), but for one that programs look at.
    """
    variables: dict[str, str] = {}
    for prefix, named in (("AZURE_ML_INPUT", paths), ("AZURE_ML_OUTPUT", outputs)):
        for name, path in named.items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                continue
            variables[f"{prefix}_{name}"] = variables[f"AZUREML_DATAREFERENCE_{name}"] = path
            known = name.upper() if sys.platform == "win32" else name
            if not _TAKEN.fullmatch(known) and not known.startswith(READ_AT_IMPORT):
                variables[name] = path
    return variables

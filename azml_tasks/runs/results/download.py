"""Write the files of runs to a folder: names that lead out of it are refused, and other files are never replaced."""

from __future__ import annotations

import errno
import filecmp
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from azml_tasks.errors import ServiceError, UsageError

# What Windows does not accept in names, or takes for something else.
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*\x00-\x1f]|[. ]$|^(con|prn|aux|nul|(com|lpt)\d)(\.|$)', re.IGNORECASE)
# Of a file that is gone, or that this login may not read; the others may be there.
_NOT_GIVEN = (403, 404, 410)
# Errors about the name of a file.
_NAMES = (errno.ENAMETOOLONG, errno.EILSEQ)


def without_folders(names: Iterable[str]) -> list[str]:
    """Return names of blobs in order, without those of folders: some storage has an empty blob for each folder."""
    names = sorted(names)
    folders = {name[:place] for name in names for place, letter in enumerate(name) if letter == "/"}
    return [name for name in names if name not in folders and not name.endswith("/")]


def downloading(step: str, name: str) -> str:
    """Return how an error about a file begins."""
    return f"downloading {step}/{name}" if step else f"downloading {name}"


@dataclass(frozen=True)
class StoredFile:
    """A file of a run. `step` is empty for the run's own files; `name` has slashes between its parts.

    `save` writes the content to a path that does not exist; it raises OSError if that is not possible.
    """

    step: str
    name: str
    save: Callable[[Path], None] = field(repr=False, compare=False)

    @property
    def path(self) -> str:
        """The name below the folder of a download: `train/outputs/model.pkl`."""
        # A label on Azure ML may have any character.
        folder = re.sub(r"[^\w. -]", "_", self.step)
        return f"{folder}/{self.name}" if folder else self.name


@dataclass
class Counts:
    """The files of a step that were written, and their size in bytes."""

    files: int = 0
    size: int = 0


class Download:
    """A download to a folder, and what became of each file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.written: dict[str, Counts] = {}
        """By step; the run's own files are under an empty name."""
        self.same = 0
        self.kept: list[str] = []
        """The files that were there with another content."""
        self.refused: list[str] = []
        """The names that would lead out of the folder, or that this system does not have."""
        self.failed: dict[str, str] = {}
        """The files that Azure does not have or does not let this login read, and what it says."""

    def put(self, file: StoredFile) -> None:
        """Write a file, unless it is there.

        Raises UsageError if the folder cannot be written, and ServiceError if Azure does not respond.
        """
        target = self.target_of(file)
        if target is None:
            self.refused.append(file.path)
            return
        partial = target.with_name(f".{os.getpid()}.partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            # A file is where a folder should be; if it is that of the download itself, nothing can be written.
            if not self._folder.is_dir():
                raise UsageError(f"cannot write {target}: {error.strerror}") from None
            self.kept.append(file.path)
            return
        except OSError as error:
            self._refuse(file, target, error)
            return
        try:
            file.save(partial)
            self._place(file, partial, target)
        except OSError as error:
            self._refuse(file, target, error)
        except ServiceError as error:
            if error.status not in _NOT_GIVEN:
                raise
            self.failed[file.path] = str(error)
        finally:
            partial.unlink(missing_ok=True)

    def _refuse(self, file: StoredFile, target: Path, error: OSError) -> None:
        """Note a file whose name the system does not have. Raises UsageError for other errors."""
        if error.errno not in _NAMES:
            raise UsageError(f"cannot write {target}: {error.strerror or error}") from None
        self.refused.append(file.path)

    def _place(self, file: StoredFile, partial: Path, target: Path) -> None:
        if target.exists() or target.is_symlink():
            if target.is_file() and filecmp.cmp(partial, target, shallow=False):
                self.same += 1
            else:
                self.kept.append(file.path)
            return
        size = partial.stat().st_size
        partial.rename(target)
        counts = self.written.setdefault(file.step, Counts())
        counts.files += 1
        counts.size += size

    def target_of(self, file: StoredFile) -> Path | None:
        """Return where a file is written; None if its name leads out of the folder or cannot be a name here."""
        parts = [part for part in re.split(r"[/\\]", file.path) if part != "."]
        is_bad = any(part in ("", "..") or "\0" in part for part in parts)
        if is_bad or (os.name == "nt" and any(map(_NOT_ON_WINDOWS.search, parts))):
            return None
        target = self._folder.joinpath(*parts)
        # Where a link in the folder may lead elsewhere.
        is_inside = os.path.realpath(target).startswith(os.path.join(os.path.realpath(self._folder), ""))
        return target if is_inside else None

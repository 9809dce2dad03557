"""Where a step's script lies, or what its user may have meant."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from azml_tasks.errors import Problem, did_you_mean
from azml_tasks.snapshot.ignore import files_under
from azml_tasks.snapshot.include import is_inside
from azml_tasks.snapshot.links import RealPaths
from azml_tasks.snapshot.modules import Located
from azml_tasks.snapshot.snapshot import Finding

# Enough for every project by hand; a tree with more is not worth the wait for a hint.
_LOOKED_AT = 20_000


@dataclass(frozen=True)
class Script:
    """A script by the names that pipeline.yaml gives it.

    `project` is an absolute path, and `import_folders` are those folders in it that Python imports from anyway. With
    `suggests`, what may have been meant by a wrong name is looked for.
    """

    project: str
    directory_name: str
    name: str
    import_folders: tuple[str, ...] = ()
    suggests: bool = True

    @cached_property
    def directory(self) -> str:
        """The absolute path of script_directory, the root of the snapshot."""
        return os.path.normpath(os.path.join(self.project, self.directory_name))

    @cached_property
    def file(self) -> Located:
        """The script and its place in the snapshot."""
        path = os.path.normpath(os.path.join(self.directory, self.name))
        return Located(path, os.path.relpath(path, self.directory).replace(os.sep, "/"))

    @cached_property
    def import_path(self) -> tuple[Located, ...]:
        """The folders in which its modules are looked for: its own, and those whose content lies at the root."""
        own = Located(os.path.dirname(self.file.path), os.path.dirname(self.file.place))
        return tuple(dict.fromkeys((own, *map(Located, self.folders))))

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders whose content lies at the snapshot's root: itself, the project's, and the further ones."""
        return tuple(dict.fromkeys((self.directory, self.project, *self.import_folders)))

    def shown(self, path: str | None = None) -> str:
        """Return a path, by default the script's, as messages give it: relative to the project."""
        return os.path.relpath(path or self.file.path, self.project).replace(os.sep, "/")

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with the two names."""
        real_paths = RealPaths(self.project)
        if not is_inside(self.directory_name):
            message = f"the script directory '{self.directory_name}' lies outside the project"
            yield self._finding("script_directory", self.directory_name, message)
        elif not os.path.isdir(self.directory):
            meant = did_you_mean(self.directory_name, _folders_of(self.project)) if self.suggests else ""
            message = f"there is no such script directory{meant}"
            yield self._finding("script_directory", self.shown(self.directory), message)
        elif real_paths.inside(self.directory) is None:
            message = f"the script directory '{self.directory_name}' leads out of the project by a link"
            yield self._finding("script_directory", self.shown(self.directory), message)
        elif not is_inside(self.name):
            where = "the project" if self.directory == self.project else f"its directory '{self.directory_name}'"
            yield self._finding("script_name", self.name, f"the script lies outside {where}")
        elif not os.path.isfile(self.file.path):
            yield self._finding("script_name", self.shown(), f"there is no such script{self._meant()}")
        elif real_paths.inside(self.file.path) is None:
            yield self._finding("script_name", self.shown(), "the script leads out of the project by a link")

    def _finding(self, key: str, file: str, message: str) -> Finding:
        return Finding((key,), Problem(file, 0, message))

    def _meant(self) -> str:
        if not self.suggests:
            return ""
        # Compared without the suffix, which would make any two short names alike.
        known = {
            os.path.relpath(path, self.directory).replace(os.sep, "/").removesuffix(".py"): path
            for path in _scripts_under(self.directory)
        }
        close = did_you_mean(self.name.removesuffix(".py"), known)
        if close:
            return close.replace("'?", ".py'?")
        name = os.path.basename(self.name)
        same = next((path for path in _scripts_under(self.project) if os.path.basename(path) == name), None)
        return f"; did you mean '{self.shown(same)}'?" if same else ""


def _folders_of(project: str) -> list[str]:
    return [entry.name for entry in os.scandir(project) if entry.is_dir() and not entry.name.startswith(".")]


def _scripts_under(folder: str) -> Iterator[str]:
    for count, path in enumerate(files_under(folder)):
        if count > _LOOKED_AT:
            return
        hidden = any(part.startswith(".") for part in os.path.relpath(path, folder).split(os.sep))
        if path.endswith(".py") and not hidden:
            yield path

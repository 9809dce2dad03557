"""Where the files of a project lie when links are followed."""

from __future__ import annotations

import os


class RealPaths:
    """The real paths below a project, whose own folder may be reached by a link; each folder is looked up once."""

    def __init__(self, project: str) -> None:
        self.project = os.path.realpath(project)
        self._folders: dict[str, str] = {}

    def of(self, path: str) -> str:
        """Return the real path of an absolute path."""
        folder, name = os.path.split(path)
        if os.path.islink(path) or os.path.isdir(path):  # of folders also Windows' junctions
            return os.path.realpath(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return os.path.join(self._folders[folder], name)

    def inside(self, path: str) -> str | None:
        """Return the real path as posix relative to the project, or None when it lies outside."""
        real = self.of(path)
        if real != self.project and not real.startswith(os.path.join(self.project, "")):
            return None
        return os.path.relpath(real, self.project).replace(os.sep, "/")

    def exit(self, path: str) -> str:
        """Return the outermost link, or what lies there, by which a path that lies outside leaves the project."""
        while self.inside(folder := os.path.dirname(path)) is None and folder != path:
            path = folder
        return path


def leads_out(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bool:
    """Say whether a path, which need not be there, lies outside of a folder when links are followed."""
    real, root = os.path.realpath(path), os.path.realpath(folder)
    return real != root and not real.startswith(os.path.join(root, ""))

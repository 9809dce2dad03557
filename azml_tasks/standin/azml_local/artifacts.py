"""The files of a run: those that the script uploads, and those it writes under outputs/ and logs/."""

from __future__ import annotations

import io
import os
import posixpath

from .errors import AzureMLAggregatedException, AzureMLException, UserErrorException

# The folders of the working directory that belong to the run without being uploaded.
_COLLECTED = ("outputs", "logs")

_IMAGES = (  # the first bytes of the kinds of image that the SDK takes
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"MM", "tiff"),
    (b"II", "tiff"),
    (b"\x76\x2f\x31\x01", "exr"),
    (b"P1", "pbm"),
    (b"P2", "pgm"),
    (b"P3", "ppm"),
    (b"P4", "pbm"),
    (b"P5", "pgm"),
    (b"P6", "ppm"),
)


class Artifacts:
    """The files of one run, in a folder; `working_dir` is set for the run of the step itself.

    `added` is called with the name of each file that is added.
    """

    def __init__(self, folder: str, working_dir: str | None = None, added=None) -> None:
        self.folder = folder
        self._added = added
        self._working_dir = working_dir

    def names(self) -> list[str]:
        """Return the names of the run's files, in order, with `/` between folders."""
        names = set(_files(self.folder))
        for collected in _COLLECTED if self._working_dir else ():
            root = os.path.join(self._working_dir, collected)
            names |= {f"{collected}/{name}" for name in _files(root)}
        return sorted(names)

    def find(self, name: str) -> str | None:
        """Return the path of a file or folder of the run, if there is one of this name."""
        name = clean(name)
        path = os.path.join(self.folder, *name.split("/"))
        if not os.path.exists(path) and self._working_dir and name.split("/")[0] in _COLLECTED:
            path = os.path.join(self._working_dir, *name.split("/"))
        return path if os.path.exists(path) else None

    def is_uploaded(self, name: str) -> bool:
        """Say whether the run has a file or folder of this name that is not merely among those collected at its end."""
        return os.path.exists(os.path.join(self.folder, *clean(name).split("/")))

    def put(self, name: str, source) -> str:
        """Add a file from a path or a binary stream; a name is used once. Returns where it is."""
        if not isinstance(source, (str, io.IOBase)):
            raise UserErrorException(f"a file to upload is a path (str) or an open file, not a {type(source).__name__}")
        if not isinstance(source, str):
            return self._write(name, source)
        with open(os.path.abspath(source), "rb") as stream:
            return self._write(name, stream)

    def _write(self, name: str, stream) -> str:
        target = os.path.join(self.folder, *clean(name).split("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            with open(target, "xb") as file:
                _copy(stream, file)
        except FileExistsError:
            raise AzureMLAggregatedException([f"ResourceConflict: the run already has a file {name!r}"]) from None
        if self._added is not None:
            self._added(clean(name))
        return target

    def get(self, name: str, path: str) -> None:
        """Copy a file of the run to a path; into it, under its own name, when that is a folder."""
        import shutil

        source = self.find(name)
        if source is None or os.path.isdir(source):
            raise UserErrorException(f"the run has no file {name!r}; it has: {', '.join(self.names()) or 'none'}")
        if os.path.isdir(path):
            path = os.path.join(path, posixpath.basename(clean(name)))
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        shutil.copyfile(source, path)


def clean(name: str) -> str:
    """Return a file's name within a run: `/` between folders, nothing that leads out."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise UserErrorException(f"{name!r} is no name for a file of a run")
    return "/".join(parts)


def folder_files(path: str) -> list[str]:
    """Return the paths of the files under a folder, as the SDK walks it."""
    if not os.path.isdir(path):
        raise UserErrorException(f"cannot upload {path!r}: it is not a folder")
    return [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]


def check_image(path: str) -> None:
    """Raise unless the file is an image of a kind that the SDK takes."""
    with open(path, "rb") as file:
        head = file.read(32)
    is_image = any(head.startswith(magic) for magic, _ in _IMAGES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
    if not is_image:
        raise AzureMLException(f"{path!r} is not an image; save it as PNG or JPEG first")


def _files(folder: str) -> list[str]:
    return [
        os.path.relpath(os.path.join(parent, name), folder).replace(os.sep, "/")
        for parent, _, names in os.walk(folder)
        for name in names
    ]


def _copy(stream, file) -> None:
    while chunk := stream.read(1 << 20):
        file.write(chunk if isinstance(chunk, bytes) else chunk.encode())


def download_files(
    artifacts: Artifacts, prefix: str | None, directory: str | None, paths: list | None, append_prefix: bool
) -> None:
    """Copy a run's files to a folder, by default the current one, or each to a path of its own."""
    start = f"{clean(prefix)}/" if prefix else ""
    names = [name for name in artifacts.names() if name.startswith(start)]
    if prefix and not names:
        raise UserErrorException(
            f"the run has no file under {prefix!r}; it has: {', '.join(artifacts.names()) or 'none'}"
        )
    targets = list(paths or ())
    if len(targets) != len(names) or len(set(targets)) != len(targets):
        targets = names
        if directory is not None and not append_prefix:
            targets = [name[len(start) :] for name in names]
    for name, target in zip(names, targets):  # noqa: B905 - there is a target for each name
        artifacts.get(name, os.path.join(directory or "", target))


def download_logs(artifacts: Artifacts, destination: str | None) -> list[str]:
    """Copy what the run has under logs/ to a folder, by default assets/; returns the copies' paths."""
    destination = destination or "assets"
    if os.path.exists(destination) and not os.path.isdir(destination):
        raise UserErrorException(f"{destination} exists and is not a folder")
    os.makedirs(destination, exist_ok=True)
    copies = []
    for name in artifacts.names():
        if name.startswith("logs/"):
            copies.append(os.path.join(destination, name))
            artifacts.get(name, copies[-1])
    return copies

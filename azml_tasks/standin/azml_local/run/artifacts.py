"""The files of a run: those that the script uploads, and those it writes under outputs/ and logs/."""

from __future__ import annotations

import io
import os
import posixpath

from ..errors import AzureMLAggregatedException, AzureMLException, UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import BinaryIO, Protocol

    from ..data.abstract import AbstractDataset
    from ..protocols import SomeRun
    from ..workspace.model import Model

    class _HasArtifacts(Protocol):
        @property
        def artifacts(self) -> Artifacts: ...


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

    def __init__(
        self, folder: str, working_dir: str | None = None, added: Callable[[str], object] | None = None
    ) -> None:
        self.folder = folder
        self._added = added
        self._working_dir = working_dir

    def names(self) -> list[str]:
        """Return the names of the run's files, in order, with `/` between folders."""
        names = set(_files(self.folder))
        if self._working_dir:
            for collected in _COLLECTED:
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
        """Return whether the run has a file or folder of this name that is not merely among those collected at its
        end."""
        return os.path.exists(os.path.join(self.folder, *clean(name).split("/")))

    def put(self, name: str, source: str | BinaryIO) -> str:
        """Add a file from a path or a binary stream; a name is used once. Returns where it is."""
        if not isinstance(source, (str, io.IOBase)):
            raise UserErrorException(
                f"a file to upload must be a path (str) or an open file, not {type(source).__name__}"
            )
        if not isinstance(source, str):
            return self._write(name, source)
        with open(os.path.abspath(source), "rb") as stream:
            return self._write(name, stream)

    def _write(self, name: str, stream: BinaryIO) -> str:
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
        raise UserErrorException(f"{name!r} is not a valid file name in a run")
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


def _copy(stream: BinaryIO, file: BinaryIO) -> None:
    while chunk := stream.read(1 << 20):
        file.write(chunk if isinstance(chunk, bytes) else chunk.encode())


def download_files(
    artifacts: Artifacts, prefix: str | None, directory: str | None, paths: Sequence[str] | None, append_prefix: bool
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
    """Copy the run's logs/ to a folder, by default assets/; returns the paths of the copies."""
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


class ArtifactMethods:
    """The part of a run that keeps files."""

    _folder: _HasArtifacts

    def upload_file(self, name: str, path_or_stream: str | BinaryIO, datastore_name: str | None = None) -> None:
        """Add a file to the run; its name must be new."""
        self._folder.artifacts.put(name, path_or_stream)

    def upload_folder(self, name: str, path: str, datastore_name: str | None = None) -> None:
        """Add a folder's files to the run, under a name."""

        for file in folder_files(path):
            self._folder.artifacts.put(name + file[len(path) :], file)

    def upload_files(
        self,
        names: Sequence[str],
        paths: Sequence[str],
        return_artifacts: bool = False,
        timeout_seconds: float | None = None,
        datastore_name: str | None = None,
    ) -> None:
        """Add several files to the run."""
        if len(names) != len(paths):
            raise TypeError(f"names and paths must have the same length: got {len(names)} names and {len(paths)} paths")
        for name, path in zip(names, paths):  # noqa: B905 - their lengths were just compared
            self._folder.artifacts.put(name, path)

    def get_file_names(self) -> list[str]:
        """Return the names of the run's files."""
        return self._folder.artifacts.names()

    def download_file(self, name: str, output_file_path: str | None = None, _validate_checksum: bool = False) -> None:
        """Copy a file of the run to a path, by default to its own name in the current folder."""
        import os

        self._folder.artifacts.get(name, output_file_path or os.path.basename(name))

    def download_files(
        self,
        prefix: str | None = None,
        output_directory: str | None = None,
        output_paths: Sequence[str] | None = None,
        batch_size: int = 100,
        append_prefix: bool = True,
        timeout_seconds: float | None = None,
    ) -> None:
        """Copy the run's files, or those under a prefix, to a folder."""

        download_files(self._folder.artifacts, prefix, output_directory, output_paths, append_prefix)

    def get_all_logs(self, destination: str | None = None) -> list[str]:
        """Copy the run's logs to a folder; returns their paths."""

        return download_logs(self._folder.artifacts, destination)

    def get_snapshot_id(self: SomeRun) -> str | None:
        """Return the id of the run's snapshot; a local run has none."""
        return self.get_properties().get("ContentSnapshotId")

    def register_model(  # noqa: PLR0913, PLR0917 - the SDK's signature
        self: SomeRun,
        model_name: str,
        model_path: str | None = None,
        tags: Mapping[str, object] | None = None,
        properties: Mapping[str, object] | None = None,
        model_framework: str | None = None,
        model_framework_version: str | None = None,
        description: str | None = None,
        datasets: Iterable[tuple[str, AbstractDataset]] | None = None,
        sample_input_dataset: AbstractDataset | None = None,
        sample_output_dataset: AbstractDataset | None = None,
        resource_configuration: object = None,
        **kwargs: object,
    ) -> Model:
        """Register a file or folder of the run as a model; the path defaults to the model's name."""
        from ..workspace.model import register_from_run

        return register_from_run(
            self,
            model_name,
            model_path,
            tags=tags,
            properties=properties,
            model_framework=model_framework,
            model_framework_version=model_framework_version,
            description=description,
            datasets=datasets,
            sample_input_dataset=sample_input_dataset,
            sample_output_dataset=sample_output_dataset,
            resource_configuration=resource_configuration,
        )

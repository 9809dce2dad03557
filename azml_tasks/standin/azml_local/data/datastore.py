"""Datastores: on this machine each is a folder."""

from __future__ import annotations

import os
import posixpath
import sys

from .. import guard
from ..context import Context, did_you_mean, require_context
from ..errors import UserErrorException, is_in_job, refuses
from ..formats import copies
from ..reads import fact
from . import blobs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..protocols import SomeWorkspace

_DEFAULT = "workspaceblobstore"
# Exists in every workspace.
_OF_EVERY_WORKSPACE = (_DEFAULT, "workspacefilestore", "workspaceartifactstore", "workspaceworkingdirectory")


@refuses(
    "register_azure_blob_container",
    "register_azure_file_share",
    "register_azure_data_lake",
    "register_azure_data_lake_gen2",
    "register_azure_sql_database",
    "register_azure_postgre_sql",
    "register_azure_my_sql",
    "register_dbfs",
    "register_hdfs",
)
class Datastore:
    """Looks datastores up by name."""

    def __new__(cls, workspace: SomeWorkspace, name: str | None = None) -> AzureBlobDatastore:  # type: ignore[misc]
        """Return the datastore of a name, or the default one; never an instance of this class."""
        return Datastore.get_default(workspace) if name is None else Datastore.get(workspace, name)

    def __init__(self, workspace: SomeWorkspace, name: str | None = None) -> None:
        """Accept the SDK's arguments; `__new__` has created another object."""

    @staticmethod
    def get(workspace: SomeWorkspace, datastore_name: str) -> AzureBlobDatastore:
        """Return the datastore of a name that pipeline.yaml declares or every workspace has."""
        context = require_context("a Datastore")
        fact(f"datastores/{datastore_name}")
        known = [*context.datastores, *_OF_EVERY_WORKSPACE]
        # A job has no list of those of the workspace.
        if datastore_name not in known and not is_in_job():
            raise UserErrorException(
                f"no datastore {datastore_name!r}: it is not declared in pipeline.yaml"
                f"{did_you_mean(datastore_name, known)}"
            )
        described = context.datastores.get(datastore_name, {})
        return AzureBlobDatastore(
            workspace,
            datastore_name,
            described.get("container_name") or "local",
            described.get("account_name") or "local",
            _root=root_of(context, datastore_name),
        )

    @staticmethod
    def get_default(workspace: SomeWorkspace) -> AzureBlobDatastore:
        """Return the workspace's default datastore."""
        return Datastore.get(workspace, _DEFAULT)


def root_of(context: Context, name: str) -> str:
    """Return the folder of uploads to a datastore."""
    described = context.datastores.get(name, {})
    return described.get("root") or os.path.join(context.state_dir, "datastores", name)


def datastores(workspace: SomeWorkspace) -> dict[str, AzureBlobDatastore]:
    """Return the declared datastores and the default one, by name."""
    fact("datastores")
    names = {*require_context("workspace.datastores").datastores, _DEFAULT}
    return {name: Datastore.get(workspace, name) for name in sorted(names)}


@refuses("set_as_default", "unregister", "as_mount", "as_download", "as_upload")
class AzureBlobDatastore:
    """A datastore whose blobs are the files of a folder."""

    def __init__(self, workspace: SomeWorkspace, name: str, container_name: str, account_name: str, _root: str) -> None:
        self.workspace = workspace
        self.name = name
        self.datastore_type = "AzureBlob"
        self.container_name = container_name
        self.account_name = account_name
        self.protocol = "https"
        self.endpoint = "core.windows.net"
        self.credential_type = "None"
        self.sas_token = None
        self.account_key = None
        self.root = _root

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> DataReference:
        """Return a reference to a path of the datastore."""
        return DataReference(self, data_reference_name, path)

    def _check_is_here(self, verb: str) -> None:
        """Raise in a job of Azure ML v2, which has no other data than its inputs and outputs."""
        if is_in_job():
            remedy = (
                "use an output folder with `destination`"
                if verb == "write to"
                else "declare the data as a dataset, and list it in input_datasets"
            )
            raise UserErrorException(
                f"a script cannot {verb} the datastore {self.name!r} in a job on Azure ML v2; {remedy}"
            )

    def upload(
        self, src_dir: str, target_path: str | None = None, overwrite: bool = False, show_progress: bool = True
    ) -> DataReference:
        """Copy a folder's files into the datastore; those that are there stay unless overwrite."""
        self._check_is_here("write to")
        src_dir = src_dir.rstrip("/\\")
        if not os.path.isdir(src_dir):
            raise UserErrorException(f"cannot upload {src_dir!r}: it is not a folder")
        files = [os.path.join(folder, name) for folder, _, names in os.walk(src_dir) for name in names]
        return self._upload(files, src_dir, target_path, overwrite, show_progress)

    def upload_files(
        self,
        files: Sequence[str],
        relative_root: str | None = None,
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> DataReference:
        """Copy files into the datastore, under the names they have from `relative_root` on."""
        self._check_is_here("write to")
        for file in files:
            if not os.path.isfile(file):
                raise UserErrorException(f"cannot upload {file!r}: it is not a file")
            if relative_root is not None and relative_root != "/" and relative_root not in file:
                raise UserErrorException(f"cannot upload {file!r}: it is not in relative_root {relative_root!r}")
        root = relative_root or os.path.commonpath([os.path.dirname(os.path.abspath(file)) for file in files])
        return self._upload(files, root, target_path, overwrite, show_progress)

    def download(
        self, target_path: str, prefix: str | None = None, overwrite: bool = False, show_progress: bool = True
    ) -> int:
        """Copy the files whose names start with the prefix to a folder; returns how many were copied."""
        self._check_is_here("read")
        count = 0
        for blob, source in blobs.blobs(self.name, self.root, "").items():
            target = os.path.join(target_path, *blob.split("/"))
            if not blob.startswith(prefix or "") or (os.path.exists(target) and not overwrite):
                continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            copies.copy_file(source, target)
            count += 1
        return count

    def local_path(self, path: str | None) -> str:
        """Return where a path of the datastore is on this machine. Raises when it leads out of the datastore."""
        self._check_is_here("read")
        cleaned = posixpath.normpath((path or "").replace("\\", "/").lstrip("/") or ".")
        if cleaned == ".." or cleaned.startswith("../"):
            raise UserErrorException(f"the path {path!r} is outside the datastore {self.name!r}")
        return os.path.normpath(os.path.join(self.root, cleaned))

    def _upload(
        self, files: Sequence[str], root: str, target_path: str | None, overwrite: bool, show_progress: bool
    ) -> DataReference:
        import re
        import shutil

        # The SDK cuts leading slashes and dots off a target path.
        target_path = re.sub(r"^(\.*[/\\])*", "", target_path or "")
        count = 0
        for file in files:
            relative = file.lstrip("/") if root == "/" else os.path.relpath(file, root)
            target = self.local_path(posixpath.join(target_path, relative.replace(os.sep, "/")))
            if os.path.exists(target) and not overwrite:
                continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(file, target)
            count += 1
        if show_progress:
            print(f"Uploaded {count} files", file=sys.stderr)
        return DataReference(self, path_on_datastore=target_path)

    def __repr__(self) -> str:
        return f"AzureBlobDatastore(name={self.name!r}, container_name={self.container_name!r})"


class DataReference:
    """A path of a datastore."""

    def __init__(
        self,
        datastore: AzureBlobDatastore,
        data_reference_name: str | None = None,
        path_on_datastore: str | None = None,
        mode: str = "mount",
        path_on_compute: str | None = None,
        overwrite: bool = False,
    ) -> None:
        self.datastore = datastore
        self.data_reference_name = data_reference_name or datastore.name
        self.path_on_datastore = path_on_datastore
        self.mode = mode
        self.path_on_compute = path_on_compute
        self.overwrite = overwrite

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> DataReference:
        """Return a reference to a path below this one."""
        joined = posixpath.join(self.path_on_datastore or "", path or "")
        return DataReference(self.datastore, data_reference_name, joined or None)

    def as_mount(self) -> DataReference:
        """Return itself: on this machine the files are there."""
        return self

    def as_download(self, path_on_compute: str | None = None, overwrite: bool = False) -> DataReference:
        """Return itself: on this machine the files are there."""
        return self

    def as_upload(self, path_on_compute: str | None = None, overwrite: bool = False) -> DataReference:
        """Return itself: on this machine the files are there."""
        return self

    def __str__(self) -> str:
        own = self.datastore.local_path(self.path_on_datastore)
        declared = None if os.path.exists(own) else blobs.place(self.datastore.name, self.path_on_datastore)
        if declared is None:
            return own
        guard.protect([declared])
        return declared

    __repr__ = __str__


class DataPath:
    """A path in a datastore, for the creation of datasets."""

    def __init__(
        self, datastore: AzureBlobDatastore | None = None, path_on_datastore: str | None = None, name: str | None = None
    ) -> None:
        if datastore is None:
            raise ValueError("a DataPath needs a datastore")
        self._datastore = datastore
        self._path_on_datastore = path_on_datastore
        self._name = name or datastore.name

    @property
    def datastore_name(self) -> str:
        """The datastore's name."""
        return self._datastore.name

    @property
    def path_on_datastore(self) -> str | None:
        """The path in the datastore."""
        return self._path_on_datastore

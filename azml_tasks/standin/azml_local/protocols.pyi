"""What modules of the stand-in expect of each other, for type checkers alone: no module imports this file at run time.

A module is given what is built above it, such as the workspace of a dataset. The protocols here describe these.
"""

from collections.abc import Mapping
from os import PathLike
from types import FrameType
from typing import Any, Protocol, TypeAlias

from typing_extensions import Self as Self

Json: TypeAlias = dict[str, Any]
"""The object of a JSON file or line."""

Frame: TypeAlias = FrameType | None
"""The frame of a caller; None at the end of the stack."""

AnyPath: TypeAlias = str | bytes | PathLike[str] | PathLike[bytes]
PathOrNumber: TypeAlias = AnyPath | int
"""A path, or the number of an open file."""

Args: TypeAlias = tuple[Any, ...]
"""The arguments of an audit event."""

PairsWanted: TypeAlias = str | Mapping[str, object] | None
"""Tags or properties that a run must have: a key, or keys and their values."""

class SomeWorkspace(Protocol):
    """A workspace."""

    @property
    def name(self) -> str | None: ...

class SomeExperiment(Protocol):
    """An experiment."""

    _name: str
    @property
    def name(self) -> str: ...
    @property
    def workspace(self) -> SomeWorkspace: ...

class SomeArtifacts(Protocol):
    """The files of a run."""

    def find(self, name: str) -> str | None: ...
    def is_uploaded(self, name: str) -> bool: ...

class SomeFolder(Protocol):
    """The folder of a run."""

    path: str
    kind: str
    @property
    def artifacts(self) -> SomeArtifacts: ...
    @property
    def known(self) -> Json: ...
    def file(self, name: str) -> str: ...

class SomeRun(Protocol):
    """A run."""

    @property
    def _folder(self) -> SomeFolder: ...
    @property
    def id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def experiment(self) -> SomeExperiment: ...
    def get_file_names(self) -> list[str]: ...
    def get_properties(self) -> dict[str, str | None]: ...

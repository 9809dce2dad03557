"""Artifacts of runs: files in the workspace's own storage, by run and path."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from .state import State, Workspace

CONTAINER = "azureml"
ORIGIN = "ExperimentRun"
LOG = "user_logs/std_log.txt"
"""Where a step's output goes, as the present runtime names it (`azureml/core/run.py:_get_common_runtime_logs`)."""


def put(state: State, workspace: Workspace, container: str, path: str, content: bytes, origin: str = ORIGIN) -> None:
    """Write an artifact; `container` is the run's ('dcid.<run id>')."""
    state.storage.put(workspace.account, CONTAINER, f"{origin}/{container}/{path}", content)


def find(
    state: State, workspace: Workspace, container: str, prefix: str = "", origin: str = ORIGIN
) -> Iterator[tuple[str, bytes]]:
    """Give path and content of the artifacts whose path starts so."""
    folder = f"{origin}/{container}/"
    for path, blob in state.storage.find(workspace.account, CONTAINER, folder + prefix):
        yield path.removeprefix(folder), blob.content


def address(workspace: Workspace, container: str, path: str, origin: str = ORIGIN) -> str:
    """Give the signed address of an artifact, to read from and write to."""
    host = f"{workspace.account}.blob.core.windows.net"
    return f"https://{host}/{CONTAINER}/{quote(f'{origin}/{container}/{path}')}?sv=2021-08-06&sig=stand-in"

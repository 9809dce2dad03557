"""Where the SDK's native reader (rslex) takes a datastore to lie.

It asks once for each datastore and remembers the answer as long as its process lives, whatever becomes of the
datastore. Tests share a process and give the same name to different places, so the reader is told a storage account
that stands for the datastore by its name; requests to it are turned to where the datastore lies in the present test.
Within a test it stays what it was when the reader asked or first read, as with Azure.
"""

from __future__ import annotations

import dataclasses
import hashlib

from .message import Request
from .state import Document, State, Workspace

AGENT = "rslex"
CONTAINER = "datastore"

Key = tuple[tuple[str, str, str], str]
"""A workspace's key and a datastore's name."""


class NativeReader:
    """Hand out accounts that stand for datastores; they stay the same from test to test."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}

    def stand_in(self, state: State, workspace: Workspace, name: str, document: Document) -> Document:
        """Give the datastore's document as the native reader is to see it."""
        account = "native" + hashlib.sha256(repr((workspace.key, name)).encode()).hexdigest()[:18]
        self._keys[account] = (workspace.key, name)
        section = document["azureStorageSection"]
        state.native[account] = (section["accountName"], section["containerName"])
        return {
            **document,
            "azureStorageSection": {**section, "accountName": account, "containerName": CONTAINER},
        }

    def turn(self, state: State, request: Request) -> Request:
        """Turn a request to such an account to where the datastore lies."""
        account, dot, domain = request.host.partition(".")
        if account not in self._keys:
            return request
        if account not in state.native:
            key, name = self._keys[account]
            workspace = state.workspaces.get(key)
            store = workspace.datastores.get(name) if workspace else None
            if store is None:
                return request
            state.native[account] = (store.account, store.container)
        real, container = state.native[account]
        path = request.path.replace(f"/{CONTAINER}", f"/{container}", 1)
        return dataclasses.replace(request, host=real + dot + domain, path=path)

"""Storage accounts: containers of blobs, held in memory."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate


@dataclass(frozen=True)
class Blob:
    """The content of a blob and what is asked about it."""

    content: bytes
    kind: str = "application/octet-stream"
    type: str = "BlockBlob"
    metadata: tuple[tuple[str, str], ...] = ()
    modified: str = field(default_factory=lambda: formatdate(usegmt=True))

    @property
    def md5(self) -> str:
        return b64encode(hashlib.md5(self.content, usedforsecurity=False).digest()).decode()

    @property
    def etag(self) -> str:
        return '"0x' + hashlib.sha256(self.content).hexdigest()[:16].upper() + '"'


Container = dict[str, Blob]


@dataclass
class Storage:
    """Accounts by name; within one, containers by name; within one, blobs by path."""

    accounts: dict[str, dict[str, Container]] = field(default_factory=dict)

    def add_container(self, account: str, container: str) -> Container:
        """Make sure that a container is there."""
        return self.accounts.setdefault(account, {}).setdefault(container, {})

    def container(self, account: str, container: str) -> Container | None:
        return self.accounts.get(account, {}).get(container)

    def put(self, account: str, container: str, path: str, content: bytes) -> None:
        """Write a blob; makes account and container as needed."""
        self.add_container(account, container)[path] = Blob(content)

    def read(self, account: str, container: str, path: str) -> bytes:
        """Read a blob; raises KeyError where there is none."""
        return self.accounts[account][container][path].content

    def find(self, account: str, container: str, prefix: str = "") -> Iterator[tuple[str, Blob]]:
        """Give the blobs whose path starts so, in order."""
        for path, blob in sorted((self.container(account, container) or {}).items()):
            if path.startswith(prefix):
                yield path, blob

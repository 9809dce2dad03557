"""Snapshots: files of a step, uploaded once and known by their hash (`azureml/_restclient/snapshots_client.py`)."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.service.call import Call, missing
from tests.service.message import Answer, Refusal, reply
from tests.service.routing import REGION, routes
from tests.service.state import Document, Snapshot, Workspace

CONTAINER = "snapshots"
NOTHING = "00000000-0000-0000-0000-000000000000"
MAX_BYTES = 300 * 1024 * 1024


@routes.on("GET", REGION, "/content/v1.0{ws}/snapshots/latest/metadata")
def get_latest(call: Call) -> Any:
    """Give the newest snapshot's tree; without one an empty tree."""
    if not call.workspace.snapshots:
        return {"id": NOTHING, "root": {}}
    latest = list(call.workspace.snapshots.values())[-1]
    return {"id": latest.id, "root": latest.tree}


@routes.on("POST", REGION, "/content/v2.0{ws}/snapshots/getblob")
def get_upload_addresses(call: Call) -> Any:
    """Say where each file is to be put."""
    account = call.workspace.account
    call.state.storage.add_container(account, CONTAINER)
    folder = call.workspace.identifiers.new("upload")
    base = f"https://{account}.blob.core.windows.net/{CONTAINER}/{folder}"
    return {
        "fileNodes": [
            {"fullName": name, "blobUri": f"{base}/{hashlib.sha256(name.encode()).hexdigest()}?sig=stand-in"}
            for name in call.json["FileNames"]
        ]
    }


@routes.on("POST", REGION, "/content/v2.0{ws}/snapshots/{identifier}")
def create_snapshot(call: Call, identifier: str) -> Any:
    """Keep the tree with its files: those sent now, the others from the parent snapshot.

    Refuses a file that is in neither, and one whose content has not the hash that the tree says.
    """
    body = call.json
    sent = {node["FullName"]: _uploaded(call, node["BlobUri"]) for node in body["FileRevisionList"]["FileNodes"]}
    parent = call.workspace.snapshots.get(body["ParentSnapshotId"])
    known: Mapping[str, bytes] = parent.files if parent else {}
    files = {}
    for path, node in _files(body["DirTreeNode"]):
        content = sent.get(path, known.get(path))
        if content is None:
            raise Refusal(400, "BadArgument", f"The file {path} was not uploaded and the parent has none.")
        if hashlib.sha512(content + node["name"].encode() + b"File").hexdigest() != node["hash"]:
            raise Refusal(400, "BadArgument", f"The content of {path} is not what its hash says.")
        files[path] = content
    if sum(map(len, files.values())) > MAX_BYTES:
        raise Refusal(400, "SnapshotTooLarge", "The snapshot is larger than 300 MB.")
    snapshot = Snapshot(identifier, files, body["DirTreeNode"], body.get("Properties") or {})
    call.workspace.snapshots[identifier] = snapshot
    return {"id": identifier}


@routes.on("POST", REGION, "/content/v2.0{ws}/snapshots/{identifier}/zip")
def zip_snapshot(call: Call, identifier: str) -> Answer:
    """Say where the snapshot can be had as a ZIP file."""
    snapshot = _find(call.workspace, identifier)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in snapshot.files.items():
            archive.writestr(path, content)
    call.state.storage.put(call.workspace.account, CONTAINER, f"{identifier}.zip", buffer.getvalue())
    address = f"https://{call.workspace.account}.blob.core.windows.net/{CONTAINER}/{identifier}.zip?sig=stand-in"
    return reply({"zipSasUri": address})


def _find(workspace: Workspace, identifier: str) -> Snapshot:
    if identifier not in workspace.snapshots:
        raise missing(f"Snapshot {identifier}")
    return workspace.snapshots[identifier]


def _uploaded(call: Call, address: str) -> bytes:
    parts = urlsplit(address)
    _, container, path = unquote(parts.path).split("/", 2)
    try:
        return call.state.storage.read(parts.netloc.partition(".")[0], container, path)
    except KeyError:
        raise Refusal(400, "BadArgument", f"Nothing was put at {address}") from None


def _files(node: Document, folder: str = "") -> Iterator[tuple[str, Document]]:
    for child in node["children"].values():
        path = folder + child["name"]
        if child["type"] == "File":
            yield path, child
        else:
            yield from _files(child, path + "/")

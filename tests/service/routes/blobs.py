"""Blob storage: `<account>.blob.core.windows.net/<container>/<path>`."""

from __future__ import annotations

import dataclasses
import re
from base64 import b64decode
from typing import NoReturn
from xml.etree import ElementTree as Xml

from tests.service.call import Call
from tests.service.message import Answer, Refusal
from tests.service.routing import ANY_STORAGE, routes
from tests.service.storage import Blob, Container

BLOB = "/{container}/{path:path}"
_VERSION = {"x-ms-version": "2021-08-06", "x-ms-request-id": "00000000-0000-0000-0000-000000000000"}


@routes.on("GET", ANY_STORAGE, "/{container}", public=True)
@routes.on("HEAD", ANY_STORAGE, "/{container}", public=True)
def get_container(call: Call, container: str) -> Answer:
    blobs = _container(call, container)
    if call.request.query.get("comp") != "list":
        return Answer(200, b"", {**_VERSION, "ETag": '"0x1"', "x-ms-lease-state": "available"})
    return Answer(200, _listing(call, container, blobs), {**_VERSION, "Content-Type": "application/xml"})


@routes.on("PUT", ANY_STORAGE, "/{container}", public=True)
def create_container(call: Call, container: str) -> Answer:
    if call.state.storage.container(_account(call), container) is not None:
        _refuse(409, "ContainerAlreadyExists")
    call.state.storage.add_container(_account(call), container)
    return Answer(201, b"", _VERSION)


@routes.on("HEAD", ANY_STORAGE, BLOB, public=True)
def head_blob(call: Call, container: str, path: str) -> Answer:
    blob = _blob(call, container, path)
    return Answer(200, b"", {**_headers(blob), "Content-Length": str(len(blob.content))})


@routes.on("GET", ANY_STORAGE, BLOB, public=True)
def get_blob(call: Call, container: str, path: str) -> Answer:
    blob = _blob(call, container, path)
    wanted = call.request.headers.get("x-ms-range") or call.request.headers.get("range")
    span = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
    if span is None:
        return Answer(200, blob.content, _headers(blob))
    size = len(blob.content)
    first, last = int(span[1]), min(int(span[2] or size - 1), size - 1)
    if first >= size:
        _refuse(416, "InvalidRange")
    headers = {**_headers(blob), "Content-Range": f"bytes {first}-{last}/{size}"}
    return Answer(206, blob.content[first : last + 1], headers)


@routes.on("PUT", ANY_STORAGE, BLOB, public=True)
def put_blob(call: Call, container: str, path: str) -> Answer:
    """Write a blob, one of its blocks, or the list of blocks that makes it whole; or add to one."""
    blobs = _container(call, container)
    what, body = call.request.query.get("comp"), call.request.body
    if what == "appendblock":
        return _append(call, blobs, path)
    if what == "block":
        blobs[_block_name(path, call.request.query["blockid"])] = Blob(body, kind="block")
        return Answer(201, b"", _VERSION)
    if what == "blocklist":
        names = [element.text or "" for element in Xml.fromstring(body)]
        body = b"".join(blobs.pop(_block_name(path, name)).content for name in names)
    elif what not in (None, "metadata"):
        call.service.broken.append(f"blob operation not known: {what} {call.request.path}")
        _refuse(400, "UnsupportedQueryParameter")
    if call.request.headers.get("if-none-match") == "*" and path in blobs:
        _refuse(409, "BlobAlreadyExists")
    if what == "metadata":
        body = _blob(call, container, path).content
    kind = call.request.headers.get("x-ms-blob-type", "BlockBlob")
    blobs[path] = Blob(body, _kind(call), kind, _metadata(call))
    headers = {**_VERSION, "ETag": blobs[path].etag, "Last-Modified": blobs[path].modified}
    return Answer(200 if what == "metadata" else 201, b"", headers)


def _append(call: Call, blobs: Container, path: str) -> Answer:
    """Add to an append blob, whose end must be where the client takes it to be."""
    blob = blobs.get(path)
    if blob is None:
        _refuse(404, "BlobNotFound")
    offset = len(blob.content)
    if int(call.request.headers.get("x-ms-blob-condition-appendpos", offset)) != offset:
        _refuse(412, "AppendPositionConditionNotMet")
    blobs[path] = dataclasses.replace(blob, content=blob.content + call.request.body)
    headers = {"x-ms-blob-append-offset": str(offset), "x-ms-blob-committed-block-count": "1"}
    return Answer(201, b"", {**_headers(blobs[path]), **headers})


@routes.on("DELETE", ANY_STORAGE, BLOB, public=True)
def delete_blob(call: Call, container: str, path: str) -> Answer:
    _blob(call, container, path)
    del _container(call, container)[path]
    return Answer(202, b"", _VERSION)


def _account(call: Call) -> str:
    return call.request.host.partition(".")[0]


def _container(call: Call, name: str) -> Container:
    container = call.state.storage.container(_account(call), name)
    if container is None:
        _refuse(404, "ContainerNotFound")
    return container


def _blob(call: Call, container: str, path: str) -> Blob:
    blob = _container(call, container).get(path)
    if blob is None:
        _refuse(404, "BlobNotFound")
    return blob


def _refuse(status: int, code: str) -> NoReturn:
    refusal = Refusal(status, code, "")
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    refusal.answer = Answer(
        status, body.encode(), {**_VERSION, "x-ms-error-code": code, "Content-Type": "application/xml"}
    )
    raise refusal


def _headers(blob: Blob) -> dict[str, str]:
    return {
        **_VERSION,
        **{f"x-ms-meta-{name}": value for name, value in blob.metadata},
        "Content-Type": blob.kind,
        "Content-MD5": blob.md5,
        "ETag": blob.etag,
        "Last-Modified": blob.modified,
        "Accept-Ranges": "bytes",
        "x-ms-blob-type": blob.type,
        "x-ms-creation-time": blob.modified,
        "x-ms-lease-status": "unlocked",
        "x-ms-lease-state": "available",
        "x-ms-server-encrypted": "true",
    }


def _kind(call: Call) -> str:
    headers = call.request.headers
    return headers.get("x-ms-blob-content-type") or headers.get("content-type") or "application/octet-stream"


def _metadata(call: Call) -> tuple[tuple[str, str], ...]:
    prefix = "x-ms-meta-"
    headers = call.request.headers.items()
    return tuple((name.removeprefix(prefix), value) for name, value in headers if name.startswith(prefix))


def _block_name(path: str, identifier: str) -> str:
    """Name an uncommitted block so that no listing shows it (NUL is in no blob's name)."""
    return f"\0{path}\0{b64decode(identifier).hex()}"


def _listing(call: Call, name: str, blobs: Container) -> bytes:
    query = call.request.query
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    root = Xml.Element("EnumerationResults", ServiceEndpoint=f"https://{call.request.host}/", ContainerName=name)
    Xml.SubElement(root, "Prefix").text = prefix
    found = Xml.SubElement(root, "Blobs")
    folders: set[str] = set()
    for path, blob in sorted(blobs.items()):
        if not path.startswith(prefix) or path.startswith("\0"):
            continue
        head, slash, _ = path[len(prefix) :].partition(delimiter) if delimiter else (path, "", "")
        if not slash:
            _list_blob(found, path, blob)
        elif (folder := prefix + head + slash) not in folders:
            folders.add(folder)
            Xml.SubElement(Xml.SubElement(found, "BlobPrefix"), "Name").text = folder
    Xml.SubElement(root, "NextMarker")
    return b'<?xml version="1.0" encoding="utf-8"?>' + Xml.tostring(root)


def _list_blob(parent: Xml.Element, path: str, blob: Blob) -> None:
    element = Xml.SubElement(parent, "Blob")
    Xml.SubElement(element, "Name").text = path
    properties = Xml.SubElement(element, "Properties")
    for key, value in {
        "Creation-Time": blob.modified,
        "Last-Modified": blob.modified,
        "Etag": blob.etag.strip('"'),
        "Content-Length": str(len(blob.content)),
        "Content-Type": blob.kind,
        "Content-Encoding": "",
        "Content-Language": "",
        "Content-MD5": blob.md5,
        "Cache-Control": "",
        "Content-Disposition": "",
        "BlobType": blob.type,
        "AccessTier": "Hot",
        "AccessTierInferred": "true",
        "LeaseStatus": "unlocked",
        "LeaseState": "available",
        "ServerEncrypted": "true",
    }.items():
        Xml.SubElement(properties, key).text = value
    metadata = Xml.SubElement(element, "Metadata")
    for key, value in blob.metadata:
        Xml.SubElement(metadata, key).text = value
    Xml.SubElement(element, "OrMetadata")

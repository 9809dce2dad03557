"""A package index on loopback, with tiny packages that are made here."""

from __future__ import annotations

import hashlib
import http.server
import io
import re
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class PackageIndex:
    """The files of an index, by the names of their packages; `address` is what pip is given."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.address = ""

    def add(self, name: str, version: str, requires: Sequence[str] = (), tag: str = "py3-none-any") -> None:
        """Add a wheel of a package without modules."""
        stem = f"{name.replace('-', '_')}-{version}"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += "".join(f"Requires-Dist: {one}\n" for one in requires)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr(f"{stem}.dist-info/METADATA", metadata)
            wheel = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n"
            archive.writestr(f"{stem}.dist-info/WHEEL", wheel)
            archive.writestr(f"{stem}.dist-info/RECORD", "")
        self.files.setdefault(name, {})[f"{stem}-{tag}.whl"] = content.getvalue()

    def add_source_that_does_not_build(self, name: str, version: str) -> None:
        """Add a source distribution alone, whose build fails."""
        stem = f"{name.replace('-', '_')}-{version}"
        files = {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
            "backend.py": "raise RuntimeError('this needs the libraries of the image')\n",
        }
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            for path, text in files.items():
                member = tarfile.TarInfo(f"{stem}/{path}")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
        self.files.setdefault(name, {})[f"{stem}.tar.gz"] = content.getvalue()

    def page(self, path: str) -> tuple[str, bytes] | None:
        """Return the type and content of a page or file of the index; None if there is none."""
        if found := re.fullmatch(r"/simple/([\w.-]+)/", path):
            files = self.files.get(found[1])
            if files is None:
                return None
            links = (
                f'<a href="/files/{found[1]}/{file}#sha256={hashlib.sha256(content).hexdigest()}">{file}</a>\n'
                for file, content in files.items()
            )
            return "text/html", f"<!DOCTYPE html><html><body>\n{''.join(links)}</body></html>".encode()
        if found := re.fullmatch(r"/files/([\w.-]+)/([^/]+)", path):
            content = self.files.get(found[1], {}).get(found[2])
            return None if content is None else ("application/octet-stream", content)
        return None


@contextmanager
def served(index: PackageIndex) -> Iterator[PackageIndex]:
    """Serve an index in the block."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = index.page(self.path.partition("?")[0])
            kind, content = found or ("text/plain", b"")
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815 - the name that the server looks for

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    index.address = f"http://127.0.0.1:{server.server_port}/simple/"
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()

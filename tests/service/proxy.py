"""The server on loopback: an HTTPS proxy that ends TLS itself and hands each request over."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from urllib.parse import parse_qsl, unquote, urlsplit

from .authority import Authority
from .message import Answer, Request

Responder = Callable[[Request], "Answer | None"]
IDLE_SECONDS = 30


class Proxy:
    """Serve `respond` on a port of loopback until closed; None as an answer drops the connection."""

    def __init__(self, authority: Authority, respond: Responder) -> None:
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.authority = authority
        self._server.respond = respond
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="azure-stand-in", daemon=True
        )
        self._thread.start()

    @property
    def respond(self) -> Responder:
        """What answers the requests."""
        return self._server.respond

    @respond.setter
    def respond(self, respond: Responder) -> None:
        self._server.respond = respond

    @property
    def address(self) -> str:
        """The address for HTTPS_PROXY."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop, with every connection."""
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    authority: Authority
    respond: Responder

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def close_connections(self) -> None:
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):  # the client may have closed it meanwhile
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about clients that go away; what a handler raises is reported by the service."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS
    server: _Server
    _host = ""

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.server.closed(self.connection)

    def handle(self) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):  # the client went away
            super().handle()

    def do_CONNECT(self) -> None:
        """Answer a tunnel's request and stand at its other end ourselves."""
        self._host = self.path.rpartition(":")[0].lower()
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        plain = self.connection
        context = self.server.authority.context(self._host)
        try:
            self.connection = context.wrap_socket(plain, server_side=True)
        finally:
            self.server.closed(plain)
        self.server.opened(self.connection)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb")
        self.close_connection = False

    def _serve(self) -> None:
        answer = self.server.respond(self._request())
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name in answer.headers):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815 - http.server's names

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        return Request(
            method=self.command,
            host=self._host or (parts.hostname or "loopback"),
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._body(),
        )

    def _body(self) -> bytes:
        # A client behind a proxy sends headers and body apart and waits for the first to be
        # acknowledged (urllib3 leaves Nagle's algorithm on for proxies): 40 ms unless said so.
        if hasattr(socket, "TCP_QUICKACK"):
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _chunks(self) -> list[bytes]:
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return chunks

    def log_message(self, *_: object) -> None:
        """Say nothing on standard error: requests are recorded."""

"""The HTTP server on loopback that MLflow in the steps logs to."""

from __future__ import annotations

import json
import re
import secrets
import threading
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from azml_tasks.local.tracking.errors import TrackingError
from azml_tasks.local.tracking.routes import answer
from azml_tasks.local.tracking.step import StepTracking

_HOST = "127.0.0.1"
# The start of every address's secret part; the stand-in for azureml recognizes its own server by it.
_MARK = "azml-"
_MOST_SENT = 64 << 20
_CLIENT = re.compile(r"mlflow-python-client/([\w.]+)")


class TrackingServer:
    """A server whose threads end with this process. Each step has an address of its own, with a secret in it.

    Raises OSError if no port can be opened.
    """

    def __init__(self) -> None:
        self._steps: dict[str, StepTracking] = {}
        self._server = _Server((_HOST, 0), _Handler)
        self._server.steps = self._steps
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="mlflow", daemon=True).start()

    def address_for(self, step: StepTracking) -> str:
        """Return the tracking URI of a step."""
        secret = f"{_MARK}{secrets.token_urlsafe(24)}"
        self._steps[secret] = step
        return f"http://{_HOST}:{self._server.server_address[1]}/{secret}"

    def close(self) -> None:
        """Refuse all calls, and free the port."""
        for step in self._steps.values():
            step.end()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    steps: dict[str, StepTracking]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore that a client has gone: a killed step, say."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _handle(self) -> None:
        try:
            status, body = 200, self._answered()
        except TrackingError as error:
            status, body = error.status, {"error_code": error.code, "message": str(error)}
        except OSError as error:
            message = f"the step's record cannot be written: {error.strerror}: {error.filename}"
            status, body = 400, {"error_code": "INTERNAL_ERROR", "message": message}
        except Exception:
            # As an answer that MLflow does not repeat; the traceback is then in the step's log.
            status, body = 400, {"error_code": "INTERNAL_ERROR", "message": traceback.format_exc()}
        self._send(status, body)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _handle  # noqa: N815 - the names that the base class calls

    def _answered(self) -> dict[str, Any]:
        stated = self.headers.get("Content-Length") or "0"
        if not (stated.isascii() and stated.isdecimal()) or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise TrackingError("the request does not say its length")
        length = int(stated) if len(stated) < 20 else _MOST_SENT + 1
        if length > _MOST_SENT:
            self.close_connection = True
            raise TrackingError("the request is too large", "INVALID_PARAMETER_VALUE", 413)
        data = self.rfile.read(length)
        url = urlsplit(self.path)
        secret, _, path = url.path.lstrip("/").partition("/")
        step = self.server.steps.get(secret)
        if step is None:
            raise TrackingError("this is the tracking server of another run", "PERMISSION_DENIED", 403)
        values: Any = {name: found[0] if len(found) == 1 else found for name, found in parse_qs(url.query).items()}
        if data:
            try:
                sent = json.loads(data)
            except (ValueError, RecursionError):
                raise TrackingError("the request is not JSON") from None
            if not isinstance(sent, dict):
                raise TrackingError("the request is not a JSON object")
            values = {**values, **sent}
        client = _CLIENT.search(self.headers.get("User-Agent") or "")
        return answer(step, self.command, f"/{path}", values, client[1] if client else "")

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
            f"{'Connection: close' + chr(13) + chr(10) if self.close_connection else ''}\r\n"
        )
        # In one write: a second one would wait for the client's acknowledgement.
        self.wfile.write(head.encode() + data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing: standard error is the runner's."""

"""Call a tracking server of MLflow by its REST interface, without the mlflow package."""

from __future__ import annotations

import base64
import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

from azml_tasks.errors import ServiceError, UsageError

_API = "/api/2.0/mlflow/"
_FILES = "/api/2.0/mlflow-artifacts/artifacts/"
_SECONDS = 60
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class RefusedError(Exception):
    """The server refused a call; `code` is one of MLflow's error codes."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class TrackingClient:
    """A connection to the server at `uri`, with the login in it or in MLflow's variables.

    Raises UsageError if the address is not one of a server.
    """

    def __init__(self, uri: str, environment: Mapping[str, str] = os.environ) -> None:
        try:
            parts = urlsplit(uri.strip())
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if parts.scheme not in ("http", "https") or not host:
            raise UsageError(
                "--mlflow must be the address of a tracking server, such as http://127.0.0.1:5000; for a folder or a "
                "database, start one: `mlflow server --backend-store-uri ...`"
            )
        place = f"[{host}]" if ":" in host else host
        self.address = urlunsplit((parts.scheme, f"{place}:{port}" if port else place, parts.path.rstrip("/"), "", ""))
        """The address without the login."""
        self._headers = _login(parts.username, parts.password, environment)
        # A proxy does not reach this machine, and a redirect would pass the login on.
        direct = [urllib.request.ProxyHandler({})] if host in _LOOPBACK else []
        self._opener = urllib.request.build_opener(_NoRedirects, *direct)

    def call(self, method: str, path: str, **values: Any) -> dict[str, Any]:
        """Return the answer to a call. Raises RefusedError, and ServiceError if it is not one of MLflow's."""
        url, data = f"{self.address}{_API}{path}", None
        if method == "GET":
            url += f"?{urlencode(values)}"
        else:
            data = json.dumps(values, allow_nan=False).encode()
        try:
            found = json.loads(self._send(method, url, data, "application/json"))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self._another()
        return found

    def text_in(self, answer: Any, *keys: str) -> str:
        """Return a text or a number in an answer. Raises ServiceError if there is none."""
        for key in keys:
            answer = answer.get(key) if isinstance(answer, dict) else None
        if not isinstance(answer, (str, int)):
            raise self._another()
        return str(answer)

    def list_in(self, answer: Mapping[str, Any], key: str) -> list[Any]:
        """Return a list in an answer; MLflow leaves out an empty one. Raises ServiceError if it is something else."""
        found = answer.get(key, [])
        if not isinstance(found, list):
            raise self._another()
        return found

    def _another(self) -> ServiceError:
        return ServiceError(f"{self.address} does not answer as a tracking server of MLflow does")

    def upload(self, root: str, name: str, file: Path) -> None:
        """Send a file to the artifacts of a run; `root` is what `files_root` returned. Raises as `call`, OSError."""
        with file.open("rb") as data:
            self._send("PUT", f"{self.address}{_FILES}{quote(f'{root}/{name}')}", data, "application/octet-stream")

    def files_root(self, artifact_uri: str) -> str | None:
        """Return the folder of a run's artifacts on the server; None if it does not take files itself."""
        own = f"{self.address}{_FILES}"
        if artifact_uri.startswith(own):
            return unquote(artifact_uri.removeprefix(own)).rstrip("/")
        parts = urlsplit(artifact_uri)
        is_own = parts.scheme == "mlflow-artifacts" and parts.netloc in ("", urlsplit(self.address).netloc)
        return parts.path.strip("/") if is_own else None

    def _send(self, method: str, url: str, data: bytes | BinaryIO | None, kind: str) -> bytes:
        headers = {**self._headers, "Content-Type": kind}
        if data is not None and not isinstance(data, bytes):
            headers["Content-Length"] = str(os.fstat(data.fileno()).st_size)
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - http or https
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                found: bytes = answer.read()
                return found
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise ServiceError(
                f"{self.address} cannot be reached: {getattr(reason, 'strerror', None) or reason}"
            ) from None

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        try:
            found = json.loads(error.read())
        except (ValueError, OSError, http.client.HTTPException):
            found = None
        if isinstance(found, dict) and "error_code" in found:
            return RefusedError(str(found.get("message", "")), str(found["error_code"]))
        if error.code in (401, 403):
            return ServiceError(
                f"{self.address} refused the login ({error.code}): set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            )
        return ServiceError(f"{self.address} answered with status {error.code}")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Treat a redirect as an error."""


def _login(user: str | None, password: str | None, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the header of the login in an address, else of the variables that MLflow reads."""
    if user is None and password is None:
        user, password = (environment.get(f"MLFLOW_TRACKING_{name}") for name in ("USERNAME", "PASSWORD"))
    else:
        user, password = unquote(user or ""), unquote(password or "")
    if user:
        pair = base64.b64encode(f"{user}:{password or ''}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    token = environment.get("MLFLOW_TRACKING_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}

"""The run's MLflow tracking server, as the runner names it to this process (see local/tracking/)."""

from __future__ import annotations

import os

_VARIABLE = "MLFLOW_TRACKING_URI"
_HOST = "127.0.0.1"
# Only the runner's server has such an address.
_START, _MARK = f"http://{_HOST}:", "/azml-"

_address = ""
_port = 0
_says_import = False


def begin() -> None:
    """Note the address, which the script may change in the environment."""
    global _address, _port, _says_import  # noqa: PLW0603 - one a process
    uri = os.environ.get(_VARIABLE) or ""
    _says_import = not uri
    _address, _port = "", 0
    if uri.startswith(_START) and _MARK in uri:
        port = uri[len(_START) :].partition("/")[0]
        if port.isdecimal():
            _address, _port = uri, int(port)


def address() -> str:
    """Return the server's address; empty where the step has none."""
    return _address


def is_own(address: tuple[object, ...]) -> bool:
    """Return whether a connection is one to the server."""
    return _port != 0 and address[:2] == (_HOST, _port)


def note_import() -> None:
    """Print a note when a library imports mlflow in a step without a server, whose files do not name it."""
    global _says_import  # noqa: PLW0603
    if _says_import:
        _says_import = False
        from .remarks import say

        say(
            "a library imports mlflow, which none of the step's files names: what it logs is not recorded; "
            "add `import mlflow` to the script",
            "azml-tasks: ",
        )

"""Where the project's files come from: what git knows of them, told to Azure with each snapshot."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

_SECONDS = 10
# A login in the address of a repository: `https://user:token@host/...`.
_LOGIN = re.compile(r"(?<=://)[^/@]+@")


@contextlib.contextmanager
def told_origin(directory: Path) -> Iterator[None]:
    """Tell the SDK, for as long as the block runs, of the repository that holds the directory.

    It would ask git itself, but in the folder of the staged files. The variables are the SDK's own
    (azureml-core, git_tracking_info_provider.py); those that are set already stay.
    """
    known = {name: value for name, value in _origin(directory).items() if value and name not in os.environ}
    os.environ.update(known)
    try:
        yield
    finally:
        for name in known:
            os.environ.pop(name, None)


def _origin(directory: Path) -> dict[str, str]:
    commit = _git(directory, "rev-parse", "HEAD")
    if not commit:
        return {}
    return {
        "AZUREML_GIT_COMMIT": commit,
        "AZUREML_GIT_BRANCH": _git(directory, "symbolic-ref", "--short", "HEAD"),
        "AZUREML_GIT_REPOSITORY_URI": _LOGIN.sub("", _git(directory, "config", "--get", "remote.origin.url")),
        "AZUREML_GIT_DIRTY": str(bool(_git(directory, "status", "--porcelain", "."))),
    }


def _git(directory: Path, *arguments: str) -> str:
    """Return what git answers; empty when it is not there, or knows nothing."""
    command = ["git", "-C", str(directory), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout.strip()

"""The package indexes that pip is configured for, in the words of uv, which does not read pip's settings."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.machinery import PathFinder

_OWN = ("UV_INDEX", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX")


def index_options(environment: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return options and variables for uv; none if uv has indexes of its own.

    Addresses, which may hold a login, are in variables: command lines are visible to other users of the machine.
    """
    if any(environment.get(name) for name in _OWN):
        return [], {}
    settings = _pip_settings(tuple(sorted(environment.items())))
    variables = {
        "UV_DEFAULT_INDEX": settings.get("index-url", ""),
        "UV_INDEX": " ".join(settings.get("extra-index-url", "").split()),
        "UV_FIND_LINKS": ",".join(settings.get("find-links", "").split()),
        "UV_INSECURE_HOST": " ".join(settings.get("trusted-host", "").split()),
        "SSL_CERT_FILE": "" if environment.get("SSL_CERT_FILE") else settings.get("cert", ""),
    }
    options = ["--no-index"] if settings.get("no-index", "").lower() in ("1", "true", "yes", "on") else []
    return options, {name: value for name, value in variables.items() if value}


@cache
def _pip_settings(environment: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return pip's settings for `pip install`, from its files and variables; none without pip."""
    # Not by importlib.util, where a finder of setuptools warns if distutils was imported.
    if PathFinder.find_spec("pip") is None:
        return {}
    command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    done = subprocess.run(command, env=dict(environment), check=False, capture_output=True, text=True, errors="replace")
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in done.stdout.splitlines() if done.returncode == 0 else ():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in found:
            try:
                found[section][key] = str(ast.literal_eval(value))
            except (ValueError, SyntaxError):
                continue
    # Later ones win, as in pip.
    return {**found["global"], **found["install"], **found[":env:"]}

"""Distributions: normalised names, installed versions, the Pythons they need, and how to install the Azure SDK."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

# The oldest Python that we support.
OLDEST_PYTHON = (3, 10)
# The newest Python that Microsoft publishes the SDK v1 for; pip falls back to a release of 2019 on later ones.
SDK_PYTHON = (3, 11)
# The oldest release of the SDK that we support.
OLDEST_SDK = (1, 61)
# The oldest release of Microsoft's client for Azure ML v2 that we support.
OLDEST_CLIENT = (1, 35)
# The name in a requirement, after conda's channel.
_NAME = r"(?:\S+::)?([A-Za-z0-9][A-Za-z0-9._-]*)(?=[\s\[<>=!~;@(]|$)"


def distributions_in(folders: Iterable[str]) -> dict[str, str]:
    """Return the versions of the distributions in these folders, by normalised names; the first folder wins."""
    found: dict[str, str] = {}
    for folder in folders:
        try:
            names = os.listdir(folder or os.curdir)
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info"):
                distribution, _, version = name.removesuffix(".dist-info").partition("-")
                found.setdefault(normal_name(distribution), version)
    return found


def normal_name(name: str) -> str:
    """Return the normalised name of a distribution: `Scikit_Learn` becomes `scikit-learn`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required_name(requirement: str) -> str | None:
    """Return the normalised name of the distribution that a requirement of pip or conda names, if it names one."""
    found = re.match(_NAME, requirement.lstrip())
    return normal_name(found[1]) if found else None


def install_command(*extras: str) -> str:
    """Return the command that installs the packages of extras: with the project's own in the current folder if it has
    them, else ours."""
    # Python 3.10 has no TOML parser.
    stated = r"^\[project\.optional-dependencies\]\s*$(?:\n(?!\[).*)*?\n%s\s*="
    try:
        text = Path("pyproject.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    has_extras = all(re.search(stated % re.escape(extra), text, re.MULTILINE) for extra in extras)
    package = '-e ".[{}]"' if has_extras else '"azml-tasks[{}]"'
    return f"pip install {package.format(','.join(extras))}"

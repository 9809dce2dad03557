"""Which distributions are installed, read from the names of their metadata folders.

`importlib.metadata` opens a file of every one, which a run that reuses everything would feel.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable


def distributions_in(folders: Iterable[str]) -> dict[str, str]:
    """Return the versions of what is installed in these folders, by normal names; the first folder wins."""
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
    """Return a distribution's name as all its spellings are compared: `Scikit_Learn` is `scikit-learn`."""
    return re.sub(r"[-_.]+", "-", name).lower()

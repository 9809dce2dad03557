"""Folders for files that a script has made without saying where."""

from __future__ import annotations

import os

from .context import current


def for_this_step() -> str:
    """Return a new folder that goes when the step has ended: for mounts and downloads."""
    return _new("temporary")


def for_a_dataset() -> str:
    """Return a new folder that stays with the step's run, since a dataset in it may be registered."""
    return _new("datasets")


def _new(name: str) -> str:
    import tempfile

    context = current()
    if context is not None:
        parent = os.path.join(context.step_dir, name)
        os.makedirs(parent, exist_ok=True)
        return tempfile.mkdtemp(prefix="", dir=parent)
    import atexit
    import shutil

    path = tempfile.mkdtemp(prefix="azml-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path

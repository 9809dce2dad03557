"""What editors need in a project's `.azml`: the schema of pipeline.yaml, and `azureml` as local steps import it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

PACKAGED_SCHEMA = Path(__file__).with_name("pipeline.schema.json")
# Where the first line of a generated pipeline.yaml points the editor to.
SCHEMA_FILE = Path(".azml", "pipeline.schema.json")
# Where the settings of a generated project point the editor to. Scripts that are started by hand find `azureml` there
# with PYTHONPATH=.azml/python.
PYTHON_FOLDER = Path(".azml", "python")
_STANDIN = Path(__file__).parents[1] / "standin"
_MARK = "copied-from.txt"
# Started by Python in each process of a step, which is none of the editor's and of scripts started by hand.
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "sitecustomize.py")


def write_editor_files(directory: Path) -> None:
    """Write what editors need to the project's `.azml`, unless it is up to date."""
    write_schema(directory)
    copy_standin(directory)


def write_schema(directory: Path) -> None:
    """Write the schema to the project's `.azml`, unless it is up to date."""
    from azml_tasks.snapshot.files import leads_out

    file = directory / SCHEMA_FILE
    schema = PACKAGED_SCHEMA.read_bytes()
    # The schema is optional: folders that are read-only or links are skipped.
    with contextlib.suppress(OSError):
        if leads_out(file.parent, directory) or (file.is_file() and file.read_bytes() == schema):
            return
        file.parent.mkdir(exist_ok=True)
        # Atomically; this also replaces a link.
        descriptor, partial = tempfile.mkstemp(".partial", dir=file.parent)
        try:
            with open(descriptor, "wb") as opened:
                opened.write(schema)
            os.chmod(partial, 0o644)
            os.replace(partial, file)
        except OSError:
            os.unlink(partial)
            raise


def copy_standin(directory: Path) -> None:
    """Copy the stand-in for `azureml` to the project's `.azml/python`, unless that is a copy of this release.

    A copy, because a link would lead out of the project, and end with the virtual environment that it leads to.
    """
    from azml_tasks.snapshot.files import leads_out

    folder = directory / PYTHON_FOLDER
    # The copy is optional: folders that are read-only or links are skipped.
    with contextlib.suppress(OSError):
        if leads_out(folder.parent, directory) or folder.is_symlink():
            return
        wanted = _signature()
        mark = folder / _MARK
        if mark.is_file() and mark.read_bytes() == wanted:
            return
        folder.parent.mkdir(exist_ok=True)
        partial = Path(tempfile.mkdtemp(".partial", dir=folder.parent))
        try:
            for name in ("azureml", "azml_local"):
                shutil.copytree(_STANDIN / name, partial / name, ignore=_LEFT_OUT)
            (partial / _MARK).write_bytes(wanted)
            partial.chmod(0o755)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _signature() -> bytes:
    """Return a text that is another one for each release, and for each place it is installed in."""
    total = hashlib.sha256()
    for folder, folders, names in os.walk(_STANDIN):
        folders[:] = sorted(set(folders) - {"__pycache__"})
        for name in sorted(names):
            status = os.stat(os.path.join(folder, name))
            total.update(os.fsencode(f"{folder}/{name} {status.st_size} {status.st_mtime_ns}\n"))
    return os.fsencode(f"{_STANDIN}\n{total.hexdigest()}\n")

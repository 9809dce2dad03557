"""The file of the JSON schema, as the package carries it and as a project holds it for editors."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

PACKAGED = Path(__file__).with_name("pipeline.schema.json")
# Where the first line of a generated pipeline.yaml points the editor to.
SCHEMA_FILE = Path(".azml", "pipeline.schema.json")


def write_schema(directory: Path) -> None:
    """Put the schema into the project's `.azml`, unless it lies there already."""
    from azml_tasks.snapshot.links import leads_out

    file = directory / SCHEMA_FILE
    schema = PACKAGED.read_bytes()
    # A convenience of editors: a folder that cannot be written, or that a link leads to, does without.
    with contextlib.suppress(OSError):
        if leads_out(file.parent, directory) or (file.is_file() and file.read_bytes() == schema):
            return
        file.parent.mkdir(exist_ok=True)
        # In one move, which replaces a link that may lie there.
        descriptor, partial = tempfile.mkstemp(".partial", dir=file.parent)
        with open(descriptor, "wb") as opened:
            opened.write(schema)
        os.chmod(partial, 0o644)
        os.replace(partial, file)

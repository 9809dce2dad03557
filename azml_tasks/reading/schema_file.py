"""The file of the JSON schema, as the package carries it and as a project holds it for editors."""

from __future__ import annotations

import contextlib
from pathlib import Path

PACKAGED = Path(__file__).with_name("pipeline.schema.json")
# Where the first line of a generated pipeline.yaml points the editor to.
SCHEMA_FILE = Path(".azml", "pipeline.schema.json")


def write_schema(directory: Path) -> None:
    """Put the schema into the project's `.azml`, unless it lies there already."""
    file = directory / SCHEMA_FILE
    schema = PACKAGED.read_bytes()
    # A convenience of editors: a folder that cannot be written does without.
    with contextlib.suppress(OSError):
        if file.is_file() and file.read_bytes() == schema:
            return
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(schema)

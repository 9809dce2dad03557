"""How much a snapshot may hold.

Source: azureml-core, _restclient/constants.py, SNAPSHOT_MAX_FILES and SNAPSHOT_MAX_SIZE_BYTES.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

MAX_FILES = 2000
MAX_BYTES = 300 * 1024 * 1024
_NAMED = 3


def over_the_limits(sizes: Mapping[str, int]) -> list[str]:
    """Say in a sentence each how a snapshot is too large; `sizes` maps its files to bytes."""
    sentences = []
    if len(sizes) > MAX_FILES:
        folders = Counter(path.partition("/")[0] + "/" for path in sizes if "/" in path).most_common(_NAMED)
        most = ", ".join(f"{folder} ({count:,})" for folder, count in folders)
        sentences.append(
            f"its snapshot has {len(sizes):,} files and Azure ML takes {MAX_FILES:,}"
            + (f"; most lie in {most}" if most else "")
        )
    total = sum(sizes.values())
    if total > MAX_BYTES:
        largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:_NAMED]
        named = ", ".join(f"{path} ({_megabytes(sizes[path])})" for path in largest)
        sentences.append(
            f"its snapshot has {_megabytes(total)} and Azure ML takes {_megabytes(MAX_BYTES)}; the largest: {named}"
        )
    return sentences


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:,.1f}".removesuffix(".0") + " MB"

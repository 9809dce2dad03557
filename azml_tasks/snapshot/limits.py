"""The limits of Azure ML on a snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from azml_tasks.text import size_text

MAX_FILES = 2000
MAX_BYTES = 300 * 1024 * 1024
MOST = f"{MAX_BYTES // 10**6} MB"
"""The limit as text; rounded down, so that what is over the limit is also more as text."""
_NAMED = 3


def over_the_limits(sizes: Mapping[str, int]) -> list[str]:
    """Return messages if a snapshot is too large; `sizes` maps its files to bytes."""
    sentences = []
    if len(sizes) > MAX_FILES:
        folders = Counter(path.partition("/")[0] + "/" for path in sizes if "/" in path).most_common(_NAMED)
        most = ", ".join(f"{folder} ({count:,})" for folder, count in folders)
        sentences.append(
            f"its snapshot has {len(sizes):,} files, but Azure ML allows {MAX_FILES:,}"
            + (f"; most are in {most}" if most else "")
        )
    total = sum(sizes.values())
    if total > MAX_BYTES:
        largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:_NAMED]
        named = ", ".join(f"{path} ({size_text(sizes[path])})" for path in largest)
        sentences.append(
            f"its snapshot has {size_text(total)}, but Azure ML allows {MOST} (300 MiB); the largest: {named}"
        )
    return sentences

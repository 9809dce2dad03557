"""The limits of Azure ML on a snapshot, and sizes as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

MAX_FILES = 2000
MAX_BYTES = 300 * 1024 * 1024
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
        named = ", ".join(f"{path} ({_megabytes(sizes[path])})" for path in largest)
        sentences.append(
            f"its snapshot has {_megabytes(total)}, but Azure ML allows {_megabytes(MAX_BYTES)}; the largest: {named}"
        )
    return sentences


def size_text(size: int) -> str:
    """Return a number of bytes as text: `812 B`, `1.2 KB`, `34 MB`."""
    if size < 1024:
        return f"{size} B"
    if size < 1024 * 1024:
        return f"{size / 1024:,.1f}".removesuffix(".0") + " KB"
    return _megabytes(size)


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:,.1f}".removesuffix(".0") + " MB"

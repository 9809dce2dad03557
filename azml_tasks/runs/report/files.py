"""Files and pictures of a run on the page, with links to where they are."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from azml_tasks.runs.details import RunFile
from azml_tasks.runs.report.texts import Budget
from azml_tasks.text import size_text

_IMAGES = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
    b"RIFF": "image/webp",
}
_LARGEST_IMAGE = 2_000_000


@dataclass(frozen=True)
class Picture:
    """An image of the run; `data` is a URL, empty if the image is not in the page."""

    name: str
    data: str
    note: str
    link: str


@dataclass(frozen=True)
class FileView:
    """A file: its name, size and address, relative to the page."""

    name: str
    size: str
    link: str


class FileViews:
    """Makes views of files for a page in `folder`, as far as `left` has room."""

    def __init__(self, folder: Path, left: Budget) -> None:
        self._folder = folder
        self._left = left

    def picture(self, name: str, file: RunFile | None) -> Picture:
        """Return an image of the run, in the page if it is small."""
        if file is None:
            return Picture(name, "", "the file is missing", "")
        link = self.link(file.place)
        data = file.read(min(_LARGEST_IMAGE, self._left.images)) if self._left.images > 0 else None
        if data is None:
            return Picture(name, "", "too large to be in this page", link)
        kind = next((kind for start, kind in _IMAGES.items() if data.startswith(start)), None)
        if kind is None:
            return Picture(name, "", "not an image that browsers show", link)
        self._left.images -= len(data)
        return Picture(name, f"data:{kind};base64,{base64.b64encode(data).decode()}", "", link)

    def listed(self, files: Sequence[RunFile]) -> tuple[list[FileView], int]:
        """Return the first files, and how many more there are."""
        kept = list(files)[: max(2, min(len(files), self._left.files, 40))]
        self._left.files = max(0, self._left.files - len(kept))
        views = [
            FileView(file.name, size_text(file.size) if file.size is not None else "", self.link(file.place))
            for file in kept
        ]
        return views, len(files) - len(kept)

    def link(self, place: str) -> str:
        """Return the address of a file as seen from the page's folder; empty for what a browser should not open."""
        if not place:
            return ""
        if "://" in place:
            return web(place)
        relative = os.path.relpath(place, self._folder).replace(os.sep, "/")
        return quote((relative if relative.startswith("../") else f"./{relative}").encode("utf-8", "surrogateescape"))


def web(url: str) -> str:
    """Return an address if a browser should open it, else an empty text."""
    return url if url.startswith(("https://", "http://")) else ""

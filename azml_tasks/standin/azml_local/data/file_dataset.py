"""File datasets: files as they are."""

from __future__ import annotations

import os
import sys

from .. import guard, reads
from ..errors import UserErrorException, refuses
from ..formats import copies
from . import sources
from .abstract import AbstractDataset, checked_count, checked_percentage, checked_probability, checked_seed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    pass


@refuses("as_mount", "as_download", "as_hdfs", "as_cache", "hydrate", "file_metadata", "filter")
class FileDataset(AbstractDataset):
    """Files in a folder, and which of them."""

    def to_path(self) -> list[str]:
        """Return the files' names, `/` first, as they are below the dataset's folder."""
        return ["/" + relative.replace(os.sep, "/") for _, relative in self._pairs()]

    def download(
        self, target_path: str | None = None, overwrite: bool = False, ignore_not_found: bool = False
    ) -> list[str]:
        """Copy the files to a folder, by default a temporary one; returns their paths."""
        target_path = os.path.abspath(target_path or sources.for_this_step())
        pairs = [(source, os.path.join(target_path, relative)) for source, relative in self._pairs()]
        for _, copy in pairs:
            if os.path.exists(copy) and not overwrite:
                raise UserErrorException(f"{copy} already exists; pass overwrite=True or another target_path")
        size = copies.size_of(source for source, _ in pairs)
        if size >= copies.LARGE:
            print(f"downloading a dataset: copying {copies.size_text(size)}", file=sys.stderr)
        for source, copy in pairs:
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            copies.copy_file(source, copy)
        return [copy for _, copy in pairs]

    def mount(self, mount_point: str | None = None, **kwargs: object) -> MountContext:
        """Return a context in which the files are at the mount point, by default a temporary folder."""
        return MountContext(self._pairs(), mount_point)

    def take(self, count: int) -> FileDataset:
        """Keep the first files."""
        return self._with("take", checked_count(count, int))

    def skip(self, count: int) -> FileDataset:
        """Leave out the first files."""
        return self._with("skip", checked_count(count))

    def take_sample(self, probability: float, seed: int | None = None) -> FileDataset:
        """Keep each file with a probability."""
        return self._with("sample", checked_probability(probability), checked_seed(seed), True)

    def random_split(self, percentage: float, seed: int | None = None) -> tuple[FileDataset, FileDataset]:
        """Return two datasets: about this share of the files, and the others."""
        seed, percentage = checked_seed(seed), checked_percentage(percentage)
        return self._with("sample", percentage, seed, True), self._with("sample", percentage, seed, False)

    def _pairs(self) -> list[tuple[str, str]]:
        """Return the files' paths, each with its path below the dataset's folder."""
        pairs = sources.pairs(self._definition["paths"])
        for name, *arguments in self._definition.get("steps", []):
            pairs = _STEPS[name](pairs, *arguments)
        return pairs


class MountContext:
    """Files that are at a folder while the context is open."""

    def __init__(self, pairs: list[tuple[str, str]], mount_point: str | None) -> None:
        self._pairs = pairs
        self.mount_point = os.path.abspath(mount_point or sources.for_this_step())
        self._links: list[str] = []
        self._guarded: list[str] = []

    def start(self) -> None:
        """Put the files there, as links where the system has them."""
        if os.path.isdir(self.mount_point) and os.listdir(self.mount_point):
            raise UserErrorException(f"the mount point {self.mount_point} is not empty")
        self._guarded = guard.protect(source for source, _ in self._pairs)
        for source, relative in self._pairs:
            reads.file(os.path.abspath(source))
            link = os.path.join(self.mount_point, relative)
            os.makedirs(os.path.dirname(link), exist_ok=True)
            try:
                os.symlink(os.path.abspath(source), link)
            except OSError:  # Windows, without the right to make links
                copies.copy_file(source, link)
            self._links.append(link)
        # On Azure nothing can be created there either.
        self._guarded += guard.protect([self.mount_point])

    def stop(self) -> None:
        """Take the files away from there."""
        guard.release(self._guarded)
        while self._links:
            os.unlink(self._links.pop())

    def __enter__(self) -> MountContext:
        self.start()
        return self

    def __exit__(self, *exc_details: object) -> None:
        self.stop()


def _sample(pairs: list[tuple[str, str]], probability: float, seed: int, kept: bool) -> list[tuple[str, str]]:
    import random

    chance = random.Random(seed)  # noqa: S311 - a sample, no secret
    return [pair for pair in pairs if (chance.random() < probability) == kept]


_STEPS: dict[str, Callable[..., list[tuple[str, str]]]] = {
    "take": lambda pairs, count: pairs[:count],
    "skip": lambda pairs, count: pairs[count:],
    "sample": _sample,
}

"""The common base of tabular and file datasets."""

from __future__ import annotations

import json
import numbers

from ..errors import UserErrorException, refuses
from . import sources
from .catalog import Registration, definition_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from typing import Any

    from ..protocols import Json, Self, SomeWorkspace
    from . import catalog


@refuses("as_named_input", "get_partition_key_values")
class AbstractDataset:
    """A dataset: the location of its files, how to read them, and operations on its rows or files.

    `_definition` contains only JSON values, so that a derived dataset can also be registered.
    """

    def __init__(self) -> None:
        if type(self) is AbstractDataset:
            raise UserErrorException("use Dataset.Tabular or Dataset.File")
        self._definition: Json = {}
        self._registration: Registration | None = None

    @classmethod
    def _create(cls, definition: Json, registration: Registration | None = None) -> Self:
        dataset = cls()
        dataset._definition = definition
        dataset._registration = registration
        return dataset

    def _with(self, *step: object) -> Self:
        """Return this dataset with one more operation; the result is not registered."""
        from ..records import plain

        steps = [*self._definition.get("steps", []), plain(step)]
        return self._create({**self._definition, "steps": steps})

    def _files(self) -> list[str]:
        return sources.existing(self._definition["paths"])

    @property
    def id(self) -> str | None:
        """The dataset's id; None if it is neither registered nor an input."""
        if self._registration is None:
            return None
        return self._registration.id or definition_id(self._definition)

    @property
    def name(self) -> str | None:
        """The registered name, or None."""
        return self._registration.name if self._registration else None

    @property
    def version(self) -> int | None:
        """The registered version, or None."""
        return self._registration.version if self._registration else None

    @property
    def description(self) -> str | None:
        """The registered description, or None."""
        return self._registration.description if self._registration else None

    @property
    def tags(self) -> dict[str, Any] | None:
        """The registered tags, or None."""
        return self._registration.tags if self._registration else None

    @property
    def data_changed_time(self) -> datetime:
        """When the newest of the files was changed, in UTC."""
        import os
        from datetime import datetime, timezone

        return datetime.fromtimestamp(max(map(os.path.getmtime, self._files())), timezone.utc)

    @property
    def partition_keys(self) -> list[str]:
        """No keys: a local run reads no partition format."""
        return []

    @staticmethod
    def get_by_name(workspace: SomeWorkspace, name: str, version: int | str = "latest", **kwargs: object) -> Any:
        """Return a dataset by its name, and version."""
        from . import catalog, lineage

        return lineage.refer_to(catalog.get_by_name(workspace, name, version))

    @staticmethod
    def get_by_id(workspace: SomeWorkspace, id: str, **kwargs: object) -> Any:  # noqa: A002
        """Return a dataset by its id, such as the one a dataset argument holds."""
        from . import catalog, lineage

        return lineage.refer_to(catalog.get_by_id(workspace, id))

    @staticmethod
    def get_all(workspace: SomeWorkspace) -> catalog.Datasets:
        """Return the datasets by name."""
        from . import catalog

        return catalog.Datasets(workspace)

    def register(
        self,
        workspace: SomeWorkspace,
        name: str,
        description: str | None = None,
        tags: Mapping[str, object] | None = None,
        create_new_version: bool = False,
    ) -> Any:
        """Register the dataset in this project; a later step finds it by its name."""
        from . import catalog

        return catalog.register(self, workspace, name, description, tags, create_new_version)

    def update(self, description: str | None = None, tags: Mapping[str, object] | None = None) -> Self:
        """Change the registered description and tags."""
        from . import catalog

        return catalog.update(self, description=description, tags=tags)

    def add_tags(self, tags: Mapping[str, object] | None = None) -> Self:
        """Add registered tags; a key that has another value is refused."""
        from . import catalog

        known = self.tags or {}
        taken = [key for key, value in (tags or {}).items() if known.get(key, value) != value]
        if taken:
            raise UserErrorException(f"the dataset already has other values for the tags {', '.join(taken)}")
        return catalog.update(self, tags={**known, **(tags or {})})

    def remove_tags(self, tags: Iterable[str] | None = None) -> Self:
        """Remove registered tags by their keys."""
        from . import catalog

        return catalog.update(self, tags={k: v for k, v in (self.tags or {}).items() if k not in (tags or ())})

    def unregister_all_versions(self) -> None:
        """Forget the dataset's versions; one that pipeline.yaml declares stays."""
        from . import catalog

        catalog.unregister(self)
        self._registration = None

    def __repr__(self) -> str:
        content: Json = {"source": self._definition.get("paths"), "definition": self._definition.get("steps", [])}
        if self._registration:
            content["registration"] = {"id": self.id, "name": self.name, "version": self.version}
        return f"{type(self).__name__}\n{json.dumps(content, indent=2, default=str)}"


def checked_count(count: int, kind: type[Any] = numbers.Integral) -> int:
    """Return a number of rows or files, which the SDK wants to be a whole one; `take` no other than Python's own."""
    is_number = isinstance(count, kind) and not isinstance(count, bool)
    if not is_number or count < 0:
        raise ValueError("count must be a positive integer")
    return count


def checked_probability(probability: float) -> float:
    """Return a probability, which the SDK wants to be a float."""
    if isinstance(probability, numbers.Integral) or not isinstance(probability, numbers.Real):
        raise ValueError("probability must be a float, such as 0.5")
    return probability


def checked_percentage(percentage: float) -> float:
    """Return the share of a split, from 0 to 1."""
    if percentage < 0.0 or percentage > 1.0:
        raise ValueError("percentage must be a number between 0.0 and 1.0.")
    return percentage


def checked_seed(seed: int | None) -> int:
    """Return the seed; without one, a seed derived from the dataset, so that two splits match."""
    if seed is None:
        import random

        return random.randrange(2**31)  # noqa: S311 - a sample, no secret
    if not isinstance(seed, numbers.Integral) or seed < 0:
        raise UserErrorException(f"seed must be a positive integer, not {seed!r}")
    return seed

"""What tabular and file datasets have in common, and the class that looks them up."""

from __future__ import annotations

import json
import numbers

from . import sources
from .errors import UserErrorException
from .refusals import refuses

_NAMESPACE = "7d0d7f4c-3c0f-5a8e-9d5a-6a1f0c9be7a1"


class Registration:
    """Under which name and version a dataset is known."""

    def __init__(self, workspace, saved_id, name=None, version=None, description=None, tags=None) -> None:
        self.workspace = workspace
        self.id = saved_id
        self.name = name
        self.version = version
        self.description = description
        self.tags = dict(tags or {})


@refuses("as_named_input", "get_partition_key_values")
class AbstractDataset:
    """A dataset: where its files lie, how they are read, and what is done with its rows or files.

    `_definition` holds nothing but what JSON holds, so that a derived dataset can be registered too.
    """

    def __init__(self):
        if type(self) is AbstractDataset:
            raise UserErrorException("a dataset is tabular or of files; use Dataset.Tabular or Dataset.File")
        self._definition: dict = {}
        self._registration: Registration | None = None

    @classmethod
    def _create(cls, definition: dict, registration: Registration | None = None):
        dataset = cls()
        dataset._definition = definition
        dataset._registration = registration
        return dataset

    def _with(self, *step):
        """Return this dataset with one more thing done to its rows or files; it is no registered one."""
        from .records import plain

        steps = [*self._definition.get("steps", []), plain(step)]
        return self._create({**self._definition, "steps": steps})

    def _files(self) -> list[str]:
        return sources.existing(self._definition["paths"])

    @property
    def id(self):
        """The dataset's id; None for one that is neither registered nor an input."""
        if self._registration is None:
            return None
        return self._registration.id or definition_id(self._definition)

    @property
    def name(self):
        """The registered name, or None."""
        return self._registration.name if self._registration else None

    @property
    def version(self):
        """The registered version, or None."""
        return self._registration.version if self._registration else None

    @property
    def description(self):
        """The registered description, or None."""
        return self._registration.description if self._registration else None

    @property
    def tags(self):
        """The registered tags, or None."""
        return self._registration.tags if self._registration else None

    @property
    def data_changed_time(self):
        """When the newest of the files was changed, in UTC."""
        import os
        from datetime import datetime, timezone

        return datetime.fromtimestamp(max(map(os.path.getmtime, self._files())), timezone.utc)

    @property
    def partition_keys(self):
        """No keys: a local run reads no partition format."""
        return []

    @staticmethod
    def get_by_name(workspace, name, version="latest", **kwargs):
        """Return a dataset by its name, and version."""
        from . import catalog, lineage

        return lineage.refer_to(catalog.get_by_name(workspace, name, version))

    @staticmethod
    def get_by_id(workspace, id, **kwargs):  # noqa: A002
        """Return a dataset by its id, such as the one a dataset argument holds."""
        from . import catalog, lineage

        return lineage.refer_to(catalog.get_by_id(workspace, id))

    @staticmethod
    def get_all(workspace):
        """Return the datasets by name."""
        from . import catalog

        return catalog.Datasets(workspace)

    def register(self, workspace, name, description=None, tags=None, create_new_version=False):
        """Register the dataset in this project; a later step finds it by its name."""
        from . import catalog

        return catalog.register(self, workspace, name, description, tags, create_new_version)

    def update(self, description=None, tags=None):
        """Change the registered description and tags."""
        from . import catalog

        return catalog.update(self, description=description, tags=tags)

    def add_tags(self, tags=None):
        """Add registered tags; a key that has another value is refused."""
        from . import catalog

        known = self.tags or {}
        taken = [key for key, value in (tags or {}).items() if known.get(key, value) != value]
        if taken:
            raise UserErrorException(f"the dataset has other values already for the tags {', '.join(taken)}")
        return catalog.update(self, tags={**known, **(tags or {})})

    def remove_tags(self, tags=None):
        """Remove registered tags by their keys."""
        from . import catalog

        return catalog.update(self, tags={k: v for k, v in (self.tags or {}).items() if k not in (tags or ())})

    def unregister_all_versions(self):
        """Forget the dataset's versions; one that pipeline.yaml declares stays."""
        from . import catalog

        catalog.unregister(self)
        self._registration = None

    def __repr__(self):
        content: dict = {"source": self._definition.get("paths"), "definition": self._definition.get("steps", [])}
        if self._registration:
            content["registration"] = {"id": self.id, "name": self.name, "version": self.version}
        return f"{type(self).__name__}\n{json.dumps(content, indent=2, default=str)}"


def checked_count(count, kind=numbers.Integral):
    """Return a number of rows or files, which the SDK wants to be a whole one; `take` no other than Python's own."""
    if not isinstance(count, kind) or isinstance(count, bool) or count < 0:
        raise ValueError("count must be a positive integer")
    return count


def checked_probability(probability):
    """Return a probability, which the SDK wants to be a float."""
    if isinstance(probability, numbers.Integral) or not isinstance(probability, numbers.Real):
        raise ValueError("probability must be a float, such as 0.5")
    return probability


def checked_percentage(percentage):
    """Return the share of a split, from 0 to 1."""
    if percentage < 0.0 or percentage > 1.0:
        raise ValueError("percentage must be a number between 0.0 and 1.0.")
    return percentage


def checked_seed(seed):
    """Return the seed; one of its own for a dataset whose script gave none, so that two splits fit together."""
    if seed is None:
        import random

        return random.randrange(2**31)  # noqa: S311 - a sample, no secret
    if not isinstance(seed, numbers.Integral) or seed < 0:
        raise UserErrorException(f"seed must be a positive integer, not {seed!r}")
    return seed


def definition_id(definition: dict) -> str:
    """Return the id of what a dataset is made of: the same for the same files, reading and steps."""
    import uuid

    return str(uuid.uuid5(uuid.UUID(_NAMESPACE), json.dumps(definition, sort_keys=True, default=str)))


class _Factory:
    """A factory that is imported when it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance, owner):
        from . import factory

        return getattr(factory, self._name)


@refuses("get", "from_sql_query", "from_excel_files", "from_pandas_dataframe", "auto_read_files")
class Dataset:
    """Makes datasets and looks them up."""

    Tabular = _Factory("TabularDatasetFactory")
    File = _Factory("FileDatasetFactory")
    get_by_name = staticmethod(AbstractDataset.get_by_name)
    get_by_id = staticmethod(AbstractDataset.get_by_id)
    get_all = staticmethod(AbstractDataset.get_all)

    class Scenario:
        """What a model was used with a dataset for."""

        TRAINING = "training"
        VALIDATION = "validation"
        INFERENCING = "inferencing"

"""The experiment that a local run belongs to."""

from __future__ import annotations

from ..errors import refuses
from ..names import provided
from ..reads import fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from ..protocols import Json, SomeRun, SomeWorkspace


@refuses("submit", "archive", "reactivate", "from_directory", "delete")
class Experiment:
    """An experiment: a name that groups runs."""

    def __init__(
        self,
        workspace: SomeWorkspace,
        name: str,
        _skip_name_validation: bool = False,
        _id: object = None,
        _archived_time: object = None,
        _create_in_cloud: object = True,
        _experiment_dto: object = None,
        **kwargs: object,
    ) -> None:
        self._workspace = workspace
        self._name = name

    @property
    def name(self) -> str:
        """The experiment's name."""
        fact("experiment")
        return self._name

    @property
    def id(self) -> str:
        """The experiment's id; its name, on this machine."""
        return self.name

    @property
    def workspace(self) -> SomeWorkspace:
        """The workspace that the experiment is in."""
        return self._workspace

    @property
    def archived_time(self) -> None:
        """None: a local experiment is never archived."""
        return

    @property
    def tags(self) -> dict[str, object]:
        """The experiment's tags, of this process."""
        return dict(_tags.get(self._name, {}))

    def tag(self, key: str, value: object = None) -> None:
        """Set a tag."""
        self.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags."""
        _tags.setdefault(self._name, {}).update(tags)

    def remove_tags(self, tags: str | Iterable[str]) -> None:
        """Remove tags by their keys."""
        for key in [tags] if isinstance(tags, str) else tags:
            _tags.get(self._name, {}).pop(key, None)

    def refresh(self) -> None:
        """Do nothing: there is no service."""

    def start_logging(self, *args: Any, **kwargs: Any) -> Any:
        """Start a run of its own inside this step: a child of the step's run."""
        return (
            provided("Run")
            .get_context()
            .child_run(name=args[0] if args else kwargs.get("name"), outputs=kwargs.get("outputs"))
        )

    def get_runs(
        self,
        type: str | None = None,  # noqa: A002
        tags: Mapping[str, object] | None = None,
        properties: Mapping[str, object] | None = None,
        include_children: bool = False,
    ) -> Iterator[SomeRun]:
        """Yield the pipeline runs of this project in this experiment, the newest first."""
        runs: Iterator[SomeRun] = provided("Run").list(
            self, type=type, tags=tags, properties=properties, include_children=include_children
        )
        return runs

    def get_portal_url(self) -> str:
        """Return where the runs are recorded, as a URL."""
        from pathlib import Path

        from ..context import require_context

        return Path(require_context("experiment.get_portal_url").runs_dir).absolute().as_uri()

    @staticmethod
    def list(
        workspace: SomeWorkspace, experiment_name: str | None = None, view_type: str = "ActiveOnly", tags: object = None
    ) -> list[Experiment]:
        """Return the experiments of this project: the one that runs."""
        from ..context import require_context

        name = require_context("Experiment.list").experiment
        fact("experiment")
        return [Experiment(workspace, name)] if experiment_name in (None, name) else []

    def __repr__(self) -> str:
        return f"Experiment(Name: {self.name},\nWorkspace: {self._workspace.name})"


_tags: dict[str, Json] = {}

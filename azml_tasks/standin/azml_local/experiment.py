"""The experiment that a local run belongs to."""

from __future__ import annotations

from .reads import fact
from .refusals import refuses


@refuses("submit", "archive", "reactivate", "from_directory", "delete")
class Experiment:
    """An experiment: a name that groups runs."""

    def __init__(
        self,
        workspace,
        name,
        _skip_name_validation=False,
        _id=None,
        _archived_time=None,
        _create_in_cloud=True,
        _experiment_dto=None,
        **kwargs,
    ):
        self._workspace = workspace
        self._name = name

    @property
    def name(self):
        """The experiment's name."""
        fact("experiment")
        return self._name

    @property
    def id(self):
        """The experiment's id; its name, on this machine."""
        return self.name

    @property
    def workspace(self):
        """The workspace that the experiment is in."""
        return self._workspace

    @property
    def archived_time(self):
        """None: a local experiment is not archived."""
        return

    @property
    def tags(self):
        """The experiment's tags, of this process."""
        return dict(_tags.get(self._name, {}))

    def tag(self, key, value=None):
        """Set a tag."""
        self.set_tags({key: value})

    def set_tags(self, tags):
        """Set tags."""
        _tags.setdefault(self._name, {}).update(tags)

    def remove_tags(self, tags):
        """Remove tags by their keys."""
        for key in [tags] if isinstance(tags, str) else tags:
            _tags.get(self._name, {}).pop(key, None)

    def refresh(self):
        """Do nothing: there is no service to ask."""

    def start_logging(self, *args, **kwargs):
        """Start a run of its own inside this step: a child of the step's run."""
        from .run import Run

        return Run.get_context().child_run(name=args[0] if args else kwargs.get("name"), outputs=kwargs.get("outputs"))

    def get_runs(self, type=None, tags=None, properties=None, include_children=False):  # noqa: A002
        """Yield the pipeline runs of this project in this experiment, the newest first."""
        from .run import Run

        return Run.list(self, type=type, tags=tags, properties=properties, include_children=include_children)

    def get_portal_url(self):
        """Return where the runs are recorded, as a URL."""
        from pathlib import Path

        from .context import here

        return Path(here("experiment.get_portal_url").runs_dir).absolute().as_uri()

    @staticmethod
    def list(workspace, experiment_name=None, view_type="ActiveOnly", tags=None):
        """Return the experiments of this project: the one that runs."""
        from .context import here

        name = here("Experiment.list").experiment
        fact("experiment")
        return [Experiment(workspace, name)] if experiment_name in (None, name) else []

    def __repr__(self):
        return f"Experiment(Name: {self.name},\nWorkspace: {self._workspace.name})"


_tags: dict[str, dict] = {}

"""The run that a script gets from `Run.get_context()`, its parent and its children.

Signatures and behaviour are those of azureml-core 1.61, core/run.py; a local run records to files.
"""

from __future__ import annotations

import sys

from .context import current, here
from .filing import Filing
from .reads import fact
from .recording import Recording
from .refusals import refuses


@refuses(
    "submit_child",
    "list_by_compute",
    "take_snapshot",
    "restore_snapshot",
    "wait_for_completion",
    "clean",
    "add_type_provider",
)
class Run(Recording, Filing):
    """A run of this project: this step's, the pipeline's, another step's or a child."""

    def __init__(self, experiment, run_id, outputs=None, **kwargs):
        folder = kwargs.get("_folder")
        if folder is None:
            from . import folders

            folder = folders.find(here("a Run"), run_id)
        self._folder = folder
        self._experiment = experiment
        self._run_id = folder.run_id
        self._root_run_id = here("a Run").run_id

    @classmethod
    def get_context(cls, allow_offline=True, used_for_context_manager=False, **kwargs):
        """Return the run of the step that this process runs; outside of a run, what the SDK returns there."""
        context = current()
        if context is None:
            from .offline import offline_run

            return offline_run(allow_offline, **kwargs)
        if context.step_run_id not in _contexts:
            _contexts[context.step_run_id] = _of_step(context)
        return _contexts[context.step_run_id]

    @classmethod
    def get_submitted_run(cls, **kwargs):
        """Return the run of the step that this process runs; raises outside of a run."""
        return cls.get_context(allow_offline=False, **kwargs)

    @staticmethod
    def get(workspace, run_id):
        """Return a run of this project by its id."""
        return _of_id(run_id)

    @staticmethod
    def list(
        experiment,
        type=None,  # noqa: A002
        tags=None,
        properties=None,
        status=None,
        include_children=False,
        _rehydrate_runs=True,
    ):
        """Yield the pipeline runs of this project in an experiment, the newest first."""
        from . import folders

        context = here("Run.list")
        for path in folders.pipeline_runs(context, experiment.name):
            run = _run(context, experiment, folders.of_pipeline(context, path))
            for found in [run, *(run.get_children(recursive=True) if include_children else ())]:
                if _matches(found, tags, properties, type, status):
                    yield found

    # Who it is

    @property
    def id(self):
        """The run's id; never one of an offline run."""
        return self._run_id

    @property
    def name(self):
        """The step's name; for a child `parent>child`."""
        fact("step_name")
        return self._folder.name

    @property
    def display_name(self):
        """The name that is shown."""
        return self._described().get("display_name", self.name)

    @display_name.setter
    def display_name(self, display_name):
        self._describe(display_name=display_name)

    @property
    def description(self):
        """The run's description, or None."""
        return self._described().get("description")

    @description.setter
    def description(self, description):
        self._describe(description=description)

    @property
    def type(self):
        """The kind of run: azureml.StepRun, azureml.PipelineRun, azureml.scriptrun for a child."""
        return self._folder.kind

    @property
    def number(self):
        """The run's number; local runs are not counted."""
        return 1

    @property
    def experiment(self):
        """The experiment that the pipeline runs in."""
        return self._experiment

    @property
    def parent(self):
        """The pipeline's run for a step, the step's for its child, None for the pipeline's."""
        above = self._folder.parent
        return above and _run(here("run.parent"), self._experiment, above)

    @property
    def status(self):
        """Running, or what the run said of itself: Completed, Failed, Canceled."""
        return self._folder.status

    def get_status(self):
        """Return the run's status."""
        return self.status

    def get_detailed_status(self):
        """Return the run's status, in the SDK's shape."""
        return {"status": self.status, "details": None}

    def get_details(self):
        """Return what is known of the run, in the SDK's shape."""
        from .details import details

        return details(self)

    def get_details_with_logs(self):
        """Return the details; a log is on the runner's side and has no text yet."""
        return self.get_details()

    def get_environment(self):
        """Return the step's environment, as the SDK's class."""
        from .sdk import attribute

        fact("environment_name")
        return attribute("azureml.core", "Environment")(name=here("run.get_environment").environment_name)

    def get_portal_url(self):
        """Return where the run is recorded, as a URL."""
        from pathlib import Path

        return Path(self._folder.path).absolute().as_uri()

    # Secrets

    def get_secret(self, name):
        """Return a secret from the environment or .env."""
        from .secrets import Keyvault

        return Keyvault(self._experiment.workspace).get_secret(name)

    def get_secrets(self, secrets):
        """Return secrets by name; None for one that is not there."""
        from .secrets import Keyvault

        return Keyvault(self._experiment.workspace).get_secrets(secrets)

    # Children

    def child_run(self, name=None, run_id=None, outputs=None):
        """Start a child run."""
        import os

        self._check_takes_children()

        if outputs:
            for folder in [outputs] if isinstance(outputs, str) else outputs:
                os.makedirs(folder, exist_ok=True)
        return Run(self._experiment, None, _folder=self._folder.make_child(name, run_id))

    def create_children(self, count=None, tag_key=None, tag_values=None):
        """Start several child runs, each with a tag: its number, or one of the values."""
        from .details import children_tags

        self._check_takes_children()
        children = []
        for tags in children_tags(count, tag_key, tag_values):
            child = self.child_run()
            child.set_tags(tags)
            children.append(child)
        return children

    def get_children(
        self,
        recursive=False,
        tags=None,
        properties=None,
        type=None,  # noqa: A002
        status=None,
        _rehydrate_runs=True,
    ):
        """Yield the child runs: a pipeline's steps, a step's children."""
        import os

        from . import folders

        context = here("run.get_children")
        is_pipeline = self._folder.kind == "azureml.PipelineRun"
        run_dir = os.path.dirname(self._folder.path)
        found = folders.of_steps(context, run_dir) if is_pipeline else self._folder.children()
        for folder in found:
            run = _run(context, self._experiment, folder)
            if _matches(run, tags, properties, type, status):
                yield run
            if recursive:
                yield from run.get_children(True, tags, properties, type, status)

    # How it ends

    def start(self):
        """Do nothing: a run is started when it is made."""

    def flush(self, timeout_seconds=300):
        """Do nothing: what is recorded is written at once."""

    def complete(self, _set_status=True):
        """Say that the run is done; the process goes on."""
        self._end("Completed")

    def fail(self, error_details=None, error_code=None, _set_status=True):
        """Say that the run failed, and why; the process goes on."""
        from .details import error

        self._end("Failed", error=error(error_details, error_code))

    def cancel(self):
        """Cancel the run; the pipeline's, with all its steps."""
        self._end("Canceled")

    def __enter__(self):
        return self

    def __exit__(self, exit_type, value, traceback):
        if exit_type is None or (exit_type is SystemExit and not value.code):
            self.complete()
        else:
            self.fail(value)

    def __repr__(self):
        return (
            f"Run(Experiment: {self._experiment.name},\nId: {self._run_id},\n"
            f"Type: {self._folder.kind},\nStatus: {self.status})"
        )

    def _end(self, status: str, **more: object) -> None:
        from . import records

        file = self._folder.file("status.json")
        # What failed or was cancelled stays so, as it does for the service.
        if records.load(file).get("status") not in ("Failed", "Canceled"):
            records.write(file, {"status": status, "time": records.now(), **more})

    def _check_takes_children(self) -> None:
        if self._folder.kind == "azureml.PipelineRun":
            raise NotImplementedError(
                "a pipeline's run takes no child run; Run.get_context().child_run() starts one of the step's own run"
            )

    def _described(self) -> dict:
        from . import records

        return records.load(self._folder.file("description.json"))

    def _describe(self, **more: object) -> None:
        from . import records

        records.write(self._folder.file("description.json"), {**self._described(), **more})
        self._folder.note({"file": "description.json", "described": more})


class _SubmittedRun(Run):
    """The run of the step that this process runs."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._inputs = None
        self._outputs = None

    def complete(self):
        """Say that the step is done; the process goes on."""
        super().complete()

    def fail(self, error_details=None, error_code=None):
        """Say that the step failed, and why; the process goes on."""
        super().fail(error_details, error_code)

    def cancel(self):
        """Do nothing but say so: on Azure a step cannot cancel itself either."""
        print(
            "run.cancel() does nothing for a submitted run; run.parent.cancel() cancels the pipeline", file=sys.stderr
        )

    @property
    def input_datasets(self):
        """The step's inputs by name: a dataset, or the path of one that is mounted or downloaded."""
        if self._inputs is None:
            from .inputs import input_datasets

            self._inputs = input_datasets(here("run.input_datasets"), self._experiment.workspace)
        return self._inputs

    @property
    def output_datasets(self):
        """The folders that the step writes, by name."""
        if self._outputs is None:
            from .inputs import output_datasets

            self._outputs = output_datasets(here("run.output_datasets"))
        return self._outputs

    def __exit__(self, *args):
        self.complete()


def get_run(experiment, run_id, rehydrate=True, clean_up=True):
    """Return a run of this project by its id."""
    return _of_id(run_id)


_contexts: dict[str, _SubmittedRun] = {}


def _of_step(context) -> _SubmittedRun:
    from . import folders
    from .experiment import Experiment
    from .workspace import Workspace

    experiment = Experiment(Workspace._of(context), context.experiment)
    return _SubmittedRun(experiment, context.step_run_id, _folder=folders.of_step(context))


def _of_id(run_id: str) -> Run:
    from . import folders

    context = here("a run")
    return _run(context, Run.get_context().experiment, folders.find(context, run_id))


def _run(context, experiment, folder) -> Run:
    if folder.path == context.step_dir:
        return Run.get_context()
    if "azureml.pipeline.core" in sys.modules:  # which has classes of its own
        from .pipeline_run import of_folder

        return of_folder(experiment, folder)
    return Run(experiment, None, _folder=folder)


def _matches(run, tags, properties, kind, status) -> bool:
    return (
        _has(run.get_tags(), tags)
        and _has(run.get_properties() if properties else {}, properties)
        and kind in (None, run.type)
        and status in (None, run.status)
    )


def _has(pairs: dict, wanted) -> bool:
    """Say whether the pairs hold what is wanted: a key, or a dict of keys and values."""
    if not wanted:
        return True
    if isinstance(wanted, str):
        return wanted in pairs
    return all(pairs.get(key) == value for key, value in wanted.items())


__all__ = ["Run", "get_run"]

"""The run that a script gets from `Run.get_context()`, its parent and its children.

Signatures and behaviour are those of azureml-core 1.61, core/run.py; a local run records to files.
"""

from __future__ import annotations

import sys

from ..context import current, require_context
from ..errors import is_in_job, refusal, refuses
from ..names import provided
from ..reads import fact
from .artifacts import ArtifactMethods
from .recording import LoggingMethods

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable, Iterator
    from typing import Any

    from ..context import Context
    from ..data.catalog import Named
    from ..protocols import Json, PairsWanted
    from ..workspace.experiment import Experiment
    from .folders import Folder


@refuses(
    "submit_child",
    "list_by_compute",
    "take_snapshot",
    "restore_snapshot",
    "wait_for_completion",
    "clean",
    "add_type_provider",
)
class Run(LoggingMethods, ArtifactMethods):
    """A run of this project: this step's, the pipeline's, another step's or a child."""

    _folder: Folder

    def __init__(self, experiment: Experiment, run_id: str | None, outputs: object = None, **kwargs: Any) -> None:
        folder = kwargs.get("_folder")
        if folder is None:
            from . import folders

            folder = folders.find(require_context("a Run"), run_id)
        self._folder = folder
        self._experiment = experiment
        self._run_id = folder.run_id
        self._root_run_id = require_context("a Run").run_id

    @classmethod
    def get_context(
        cls, allow_offline: bool = True, used_for_context_manager: bool = False, **kwargs: Any
    ) -> _SubmittedRun:
        """Return the run of this process's step; outside a run, the SDK's offline run (editors see the former)."""
        context = current()
        if context is None:
            from .offline import offline_run

            run: Any = offline_run(allow_offline, **kwargs)
            return run  # type: ignore[no-any-return]
        if context.step_run_id not in _contexts:
            _contexts[context.step_run_id] = _of_step(context)
        return _contexts[context.step_run_id]

    @classmethod
    def get_submitted_run(cls, **kwargs: Any) -> _SubmittedRun:
        """Return the run of the step that this process runs; raises outside of a run."""
        return cls.get_context(allow_offline=False, **kwargs)

    @staticmethod
    def get(workspace: object, run_id: str) -> Run:
        """Return a run of this project by its id."""
        return _of_id(run_id)

    @staticmethod
    def list(
        experiment: Experiment,
        type: str | None = None,  # noqa: A002
        tags: PairsWanted | None = None,
        properties: PairsWanted | None = None,
        status: str | None = None,
        include_children: bool = False,
        _rehydrate_runs: bool = True,
    ) -> Iterator[Run]:
        """Yield the pipeline runs of this project in an experiment, the newest first."""
        from . import folders

        context = require_context("Run.list")
        if is_in_job():
            raise refusal("Run.list")
        for path in folders.pipeline_runs(context, experiment.name):
            run = _run(context, experiment, folders.of_pipeline(context, path))
            for found in [run, *(run.get_children(recursive=True) if include_children else ())]:
                if _matches(found, tags, properties, type, status):
                    yield found

    # Who it is

    @property
    def id(self) -> str:
        """The run's id; never one of an offline run."""
        return self._run_id

    @property
    def name(self) -> str:
        """The step's name; for a child `parent>child`."""
        fact("step_name")
        return self._folder.name

    @property
    def display_name(self) -> str:
        """The name that is shown."""
        return str(self._described().get("display_name", self.name))

    @display_name.setter
    def display_name(self, display_name: str) -> None:
        self._describe(display_name=display_name)

    @property
    def description(self) -> str | None:
        """The run's description, or None."""
        return self._described().get("description")

    @description.setter
    def description(self, description: str) -> None:
        self._describe(description=description)

    @property
    def type(self) -> str:
        """The kind of run: azureml.StepRun, azureml.PipelineRun, azureml.scriptrun for a child."""
        return self._folder.kind

    @property
    def number(self) -> int:
        """The run's number; local runs are not counted."""
        return 1

    @property
    def experiment(self) -> Experiment:
        """The experiment that the pipeline runs in."""
        return self._experiment

    @property
    def parent(self) -> Run:
        """The pipeline's run for a step, the step's for its child; None for the pipeline's, seldom needed."""
        above = self._folder.parent
        found: Any = None if above is None else _run(require_context("run.parent"), self._experiment, above)
        return found  # type: ignore[no-any-return]

    @property
    def status(self) -> str:
        """Running, or the status set by the run: Completed, Failed, Canceled."""
        return self._folder.status

    def get_status(self) -> str:
        """Return the run's status."""
        return self.status

    def get_detailed_status(self) -> dict[str, str | None]:
        """Return the run's status, in the SDK's shape."""
        return {"status": self.status, "details": None}

    def get_details(self) -> Json:
        """Return the run's details, like the SDK."""
        from .folders import details

        return details(self)

    def get_details_with_logs(self) -> Json:
        """Return the details; a log is on the runner's side and has no text yet."""
        return self.get_details()

    def get_environment(self) -> Any:
        """Return the step's environment, as the SDK's class."""
        from ..sdk.finder import attribute

        fact("environment_name")
        return attribute("azureml.core", "Environment")(name=require_context("run.get_environment").environment_name)

    def get_portal_url(self) -> str:
        """Return where the run is recorded, as a URL."""
        from pathlib import Path

        if is_in_job():
            from .folders import portal_url

            return portal_url(self._run_id)
        return Path(self._folder.path).absolute().as_uri()

    # Secrets

    def get_secret(self, name: str) -> str:
        """Return a secret from the environment or .env."""
        from ..secrets import Keyvault

        return Keyvault(self._experiment.workspace).get_secret(name)

    def get_secrets(self, secrets: Iterable[str]) -> dict[str, str | None]:
        """Return secrets by name; None for a missing one."""
        from ..secrets import Keyvault

        return Keyvault(self._experiment.workspace).get_secrets(secrets)

    # Children

    def child_run(
        self, name: str | None = None, run_id: str | None = None, outputs: str | Iterable[str] | None = None
    ) -> Run:
        """Start a child run."""
        import os

        self._check_takes_children()

        if outputs:
            for folder in [outputs] if isinstance(outputs, str) else outputs:
                os.makedirs(folder, exist_ok=True)
        return Run(self._experiment, None, _folder=self._folder.make_child(name, run_id))

    def create_children(
        self, count: int | None = None, tag_key: str | None = None, tag_values: Iterable[object] | None = None
    ) -> builtins.list[Run]:
        """Start several child runs, each with a tag: its number, or one of the values."""
        from .folders import children_tags

        self._check_takes_children()
        children = []
        for tags in children_tags(count, tag_key, tag_values):
            child = self.child_run()
            child.set_tags(tags)
            children.append(child)
        return children

    def get_children(
        self,
        recursive: bool = False,
        tags: PairsWanted | None = None,
        properties: PairsWanted | None = None,
        type: str | None = None,  # noqa: A002
        status: str | None = None,
        _rehydrate_runs: bool = True,
    ) -> Iterator[Run]:
        """Yield the child runs: a pipeline's steps, a step's children."""
        import os

        from . import folders

        context = require_context("run.get_children")
        folders.check_readable(self._folder, "get_children")
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

    def start(self) -> None:
        """Do nothing: a run is started when it is created."""

    def flush(self, timeout_seconds: float = 300) -> None:
        """Do nothing: records are written immediately."""

    def complete(self, _set_status: bool = True) -> None:
        """Describe that the run is done; the process continues."""
        self._end("Completed")

    def fail(
        self, error_details: str | BaseException | None = None, error_code: object = None, _set_status: bool = True
    ) -> None:
        """Describe that the run failed, and why; the process continues."""
        from .folders import error

        self._end("Failed", error=error(error_details, error_code))

    def cancel(self) -> None:
        """Cancel the run; the pipeline's, with all its steps."""
        self._end("Canceled")

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, exit_type: builtins.type[BaseException] | None, value: BaseException | None, traceback: object
    ) -> None:
        if exit_type is None or (exit_type is SystemExit and not getattr(value, "code", None)):
            self.complete()
        else:
            Run.fail(self, value)

    def __repr__(self) -> str:
        return (
            f"Run(Experiment: {self._experiment.name},\nId: {self._run_id},\n"
            f"Type: {self._folder.kind},\nStatus: {self.status})"
        )

    def _end(self, status: str, **more: object) -> None:
        from .. import records

        file = self._folder.file("status.json")
        # A failed or cancelled run stays so, like in the service.
        if records.load(file).get("status") not in ("Failed", "Canceled"):
            records.write(file, {"status": status, "time": records.now(), **more})

    def _check_takes_children(self) -> None:
        if self._folder.kind == "azureml.PipelineRun":
            raise NotImplementedError(
                "a pipeline's run cannot have child runs of its own; use Run.get_context().child_run() to start one "
                "for the step"
            )

    def _described(self) -> Json:
        from .. import records

        return records.load(self._folder.file("description.json"))

    def _describe(self, **more: object) -> None:
        from .. import records

        records.write(self._folder.file("description.json"), {**self._described(), **more})
        self._folder.note({"file": "description.json", "described": more})


class _SubmittedRun(Run):
    """The run of the step that this process runs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._inputs: Named | None = None
        self._outputs: Named | None = None

    def complete(self) -> None:  # type: ignore[override] # as in the SDK
        """Describe that the step is done; the process continues."""
        super().complete()

    def fail(  # type: ignore[override] # as in the SDK
        self, error_details: str | BaseException | None = None, error_code: object = None
    ) -> None:
        """Record why the step failed, with a note: on Azure, too, the exit status of the script alone decides."""
        super().fail(error_details, error_code)
        from .. import records, remarks

        said = f": {records.writable(str(error_details))}" if error_details else ""
        remarks.say(f"run.fail() does not make the step fail{said}; end the script with an error, too")

    def cancel(self) -> None:
        """Only print a note: on Azure a step cannot cancel itself either."""
        from .. import remarks

        remarks.say("run.cancel() does nothing for a submitted run; run.parent.cancel() cancels the pipeline")

    @property
    def input_datasets(self) -> Named:
        """The step's inputs by name: a dataset, or the path of one that is mounted or downloaded."""
        if self._inputs is None:
            from ..data.catalog import input_datasets

            self._inputs = input_datasets(require_context("run.input_datasets"), self._experiment.workspace)
        return self._inputs

    @property
    def output_datasets(self) -> Named:
        """The folders that the step writes, by name."""
        if self._outputs is None:
            from ..data.catalog import output_datasets

            self._outputs = output_datasets(require_context("run.output_datasets"))
        return self._outputs

    def __exit__(self, *args: object) -> None:
        self.complete()


def get_run(experiment: object, run_id: str, rehydrate: bool = True, clean_up: bool = True) -> Run:
    """Return a run of this project by its id."""
    return _of_id(run_id)


_contexts: dict[str, _SubmittedRun] = {}


def _of_step(context: Context) -> _SubmittedRun:
    from ..workspace.experiment import Experiment
    from ..workspace.workspace import Workspace
    from . import folders

    experiment = Experiment(Workspace._of(context), context.experiment)
    return _SubmittedRun(experiment, context.step_run_id, _folder=folders.of_step(context))


def _of_id(run_id: str) -> Run:
    from . import folders

    context = require_context("a run")
    return _run(context, Run.get_context().experiment, folders.find(context, run_id))


def _run(context: Context, experiment: Experiment, folder: Folder) -> Run:
    if folder.path == context.step_dir:
        return Run.get_context()
    if "azureml.pipeline.core" in sys.modules:  # which has classes of its own
        run: Run = provided("PipelineRun")._of_folder(experiment, folder)
        return run
    return Run(experiment, None, _folder=folder)


def _matches(run: Run, tags: PairsWanted, properties: PairsWanted, kind: str | None, status: str | None) -> bool:
    return (
        _has(run.get_tags(), tags)
        and _has(run.get_properties() if properties else {}, properties)
        and kind in (None, run.type)
        and status in (None, run.status)
    )


def _has(pairs: Json, wanted: PairsWanted) -> bool:
    """Return whether the pairs contain the wanted key, or dict of keys and values."""
    if not wanted:
        return True
    if isinstance(wanted, str):
        return wanted in pairs
    return all(pairs.get(key) == value for key, value in wanted.items())


__all__ = ["Run", "get_run"]

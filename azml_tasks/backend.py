"""The interface of the backends, which the tasks use.

A task loads the project, takes its backend from `tasks/project.py`, and calls it here; it never checks which one it
has. What a backend does not offer raises UnsupportedError with the sentence to print. Creating a backend opens nothing,
and each method imports what it needs when it is used. It is one long file, because it is one contract.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, TypeAlias

from azml_tasks.errors import AzmlError, ProjectError

if TYPE_CHECKING:
    from azml_tasks.checks.doctor import Finding
    from azml_tasks.errors import Problem
    from azml_tasks.model.schedule import Schedule
    from azml_tasks.reading import Project
    from azml_tasks.runs.changes.differences import Difference, Reason
    from azml_tasks.runs.details import RunDetails
    from azml_tasks.runs.origin import Origin
    from azml_tasks.runs.records import Event, Listener, Pruned, RunRecord, StepRecord
    from azml_tasks.runs.results.download import StoredFile
    from azml_tasks.runs.results.registered import Asset, AssetKind
    from azml_tasks.schedule.recurrence import Clock

Run: TypeAlias = "RunRecord[StepRecord]"
Kind = Literal["environment", "datastore", "dataset", "compute"]
VersionState = Literal["default", "active", "disabled"]
Outcome = Literal["created", "updated", "unchanged", "removed"]
KINDS: tuple[Kind, ...] = ("environment", "datastore", "dataset", "compute")
# A run is looked for among so many first, because a service has them in pages.
_FEW_RUNS = 50
# Outcomes of a change that leave everything as it was.
_AS_BEFORE = ("unchanged", "checked", "already enabled", "already disabled")


class UnsupportedError(AzmlError):
    """The backend does not offer this; the text says what to do instead."""


class RunRequest(NamedTuple):
    """What the flags of a run say; `settings` are those of `--set`.

    `debugger` is `pdb` or `debugpy:PORT`, and empty for none.
    """

    settings: tuple[str, ...] = ()
    experiment: str | None = None
    from_step: str | None = None
    only: str | None = None
    force: bool = False
    wait: bool = True
    debugger: str = ""


class StepForecast(NamedTuple):
    """What a run would do with a step; `may run` depends on what the steps before it will write."""

    key: str
    verdict: Literal["runs", "may run", "reused", "fails", "skipped"]
    reason: Reason


class Forecast(NamedTuple):
    """What a run would do with its steps; `notes` are those of the run, and say what is not certain."""

    steps: tuple[StepForecast, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """What was done to one thing; with `dry`, what would be done. Its text is the line that is printed.

    `kind` is the noun in the text: one of KINDS, `schedule`, or `version` of a published pipeline, whose name says it.
    `checked` is the outcome of a thing that was only looked at; `detail` then is what was found. `differences` are
    those between what there was and what there is to be.
    """

    kind: str
    name: str
    outcome: str
    detail: str = ""
    dry: bool = False
    notes: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def is_made(self) -> bool:
        """Whether anything changes."""
        return self.outcome not in _AS_BEFORE

    @property
    def headline(self) -> str:
        """Its text without the differences."""
        subject = self.name if self.kind == "version" else f"{self.kind} {self.name}"
        if self.outcome == "checked":
            return f"{subject}: {self.detail}"
        return f"{subject}: {self.done}" + (f" ({self.detail})" if self.detail else "")

    @property
    def done(self) -> str:
        """The outcome, as `would be created` if it is dry."""
        return f"would be {self.outcome}" if self.dry and self.is_made else self.outcome

    def __str__(self) -> str:
        if not self.differences:
            return self.headline
        from azml_tasks.runs.changes.differences import in_one_line

        return f"{self.headline}: {in_one_line(self.differences)}"


@dataclass(frozen=True, kw_only=True)
class Publication(Change):
    """A version of the pipeline that was published; `url` takes the POST that runs the endpoint's default."""

    kind: str = "version"
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class ScheduleChange(Change):
    """A schedule that was created, updated or disabled."""

    kind: str = "schedule"

    def next_time(self, now: datetime) -> datetime | None:
        """Return when it runs next, in its time zone, if that is known; `now` has a tzinfo."""
        return None


class Pace(NamedTuple):
    """How often to look, in seconds: soon after something has changed, less and less often after that."""

    first: float = 1.0
    longest: float = 15.0
    growth: float = 1.3

    def waits(self) -> Iterator[float]:
        """Yield how long to wait before each next look."""
        wait = self.first
        while True:
            yield wait
            wait = min(self.longest, wait * self.growth)


class Watch(NamedTuple):
    """How a run is followed: by which listener, how often to look, and who decides on Ctrl-C whether to cancel the run.

    Between two looks the listener gets a Tick every `tick` seconds.
    """

    listener: Listener = lambda event: None
    pace: Pace = Pace()
    asks_to_cancel: Callable[[], bool] | None = None
    tick: float | None = None


class StepLog(NamedTuple):
    """The log of a step of a run, in pieces; without any, the step has no log, or `is_deleted` is set."""

    step: StepRecord
    pieces: Iterable[str]
    is_deleted: bool = False


class Exported(NamedTuple):
    """A run on a tracking server of MLflow, at `url`; if it was sent now, with so many steps and files."""

    run_id: str
    url: str
    is_new: bool = True
    steps: int = 0
    files: int = 0


class PublishedVersion(NamedTuple):
    """A published version; `url` takes the POST that runs this version."""

    version: str
    state: VersionState
    description: str
    id: str
    url: str


class PublishedPipeline(NamedTuple):
    """What is published as `name`, the default version first; `url` is that of the endpoint, empty without one.

    `place` says where the versions are, if they have no endpoint.
    """

    name: str
    url: str
    versions: Sequence[PublishedVersion]
    place: str = ""


class PublishedRun(NamedTuple):
    """A run of a published version; `record` is None if it was not started."""

    name: str
    version: str
    record: Run | None


@dataclass(frozen=True)
class ScheduleRow:
    """A row of the list of schedules; `words` say when it runs, `runs` what. `next` is None if no time is known.

    `start` is what its intervals are counted from, in its time zone and without a tzinfo, if that is known.
    """

    name: str
    id: str
    state: Literal["enabled", "disabled", "broken"]
    words: str
    runs: str
    next: datetime | None
    start: datetime | None


class Replaced(NamedTuple):
    """The enabled schedule of another target that a new schedule replaces, and what its intervals are counted from."""

    target: str
    start: datetime | None


class RedundantSchedule(NamedTuple):
    """An active schedule that should not be active, and why; of a duplicate, the id of the schedule that stays on."""

    row: ScheduleRow
    reason: str
    kept: str = ""


class DueRun(NamedTuple):
    """A run that is due.

    `at` has the schedule's time zone (UTC for a blob). `missed` is the first of the times that passed since the run
    before, if any did. `blob` is the changed file's path in the datastore.
    """

    at: datetime
    missed: datetime | None = None
    blob: str | None = None


class FinishedRun(NamedTuple):
    """A run that was due, and its record; `failure` says why it did not complete, empty if it did."""

    due: DueRun
    record: Run
    failure: str = ""


class Fact(NamedTuple):
    """Something that the backend assumes of its service, and what was seen."""

    text: str
    assumed: str
    seen: str

    @property
    def differs(self) -> bool:
        """Whether it is not as it is assumed."""
        return self.assumed != self.seen


class Trial(abc.ABC):
    """A trial of what the backend assumes of its service: it makes things of an own name, looks, and removes them."""

    name: str
    compute: str

    @abc.abstractmethod
    def run(self, show: Callable[[Fact], None]) -> None:
        """Make the things, show what is seen, and remove them.

        Raises Interrupted on Ctrl-C, and AzmlError if something fails, with the names of what is left.
        """


class Runs(abc.ABC):
    """The runs of a project."""

    experiment: str = ""
    """The experiment that is listed if none is given; empty for all."""
    tracking_server: str = "ws.get_mlflow_tracking_uri()"
    """What returns the address of the workspace's tracking server of MLflow."""

    def unreadable(self) -> str:
        """Return a sentence on the runs that `list`, `find` and `logs` left out last, since they cannot be read."""
        return ""

    @abc.abstractmethod
    def list(self, experiment: str = "", most: int | None = None) -> Sequence[Run]:
        """Return the runs of an experiment, the newest first; with `most`, at least so many if there are."""

    @abc.abstractmethod
    def find(self, wanted: str | None = None) -> Run:
        """Return the newest run, or the one whose id begins with `wanted`.

        Raises UsageError if `wanted` matches no run or several, and RunError if there are no runs.
        """

    def newest(self) -> Run:
        """Return the newest run without a debugger; if there is none, the newest. Raises what `find` raises."""
        found = self.find()
        for most in (_FEW_RUNS, None) if found.origin.is_debugged else ():
            for other in self.list("", most):
                if not other.origin.is_debugged:
                    return self.find(other.id)
        return found

    @abc.abstractmethod
    def details(self, record: Run, *, with_logs: bool = False) -> RunDetails:
        """Return everything that is known of a run, with its files and metrics; of the logs only `with_logs`."""

    def before(self, record: Run) -> Run | None:
        """Return the run of the same experiment that was started before this one without a debugger, if any."""
        for most in (_FEW_RUNS, None):
            others = self.list(record.experiment, most)
            ids = [other.id for other in others]
            start = ids.index(record.id) + 1 if record.id in ids else len(ids)
            for other in others[start:]:
                if not other.origin.is_debugged:
                    return self.find(other.id)
        return None

    def with_steps(self, records: Sequence[Run]) -> Sequence[Run]:
        """Return the listed runs with their steps and metrics, if `list` leaves them out."""
        return records

    @abc.abstractmethod
    def logs(self, wanted: str | None = None, step: str | None = None) -> Iterator[StepLog]:
        """Yield the logs of a run's steps, or that of one step.

        Raises what `find` raises, and UsageError if the run has no such step.
        """

    @abc.abstractmethod
    def follow_logs(self, wanted: str | None = None, step: str | None = None) -> Iterator[Event]:
        """Yield what the steps of a run print, or one step, until they have ended, and how each of them ended.

        Raises what `logs` raises.
        """

    @abc.abstractmethod
    def files(self, record: Run, step: str | None, say: Callable[[str], None]) -> Iterator[StoredFile]:
        """Yield the files of a run, or of one step, each ready to be written; `say` gets what is left out.

        Raises UsageError if the run has no such step.
        """

    def export(
        self, records: Iterable[Run], uri: str, secrets: Iterable[str], say: Callable[[str], None]
    ) -> Iterator[Exported]:
        """Send runs that have ended to the tracking server of MLflow at `uri`, and yield each when it is there.

        Nothing of `secrets` is sent; `say` gets what is left out. Raises UsageError and ServiceError.
        """
        raise UnsupportedError(
            "only local runs are exported; the runs in a workspace are on its own tracking server of MLflow: "
            f"{self.tracking_server}"
        )

    @abc.abstractmethod
    def registered(self, kind: AssetKind, *, every_version: bool = False) -> Sequence[Asset]:
        """Return the registered models or datasets: the latest version of each, or all."""

    @abc.abstractmethod
    def cancel(self, wanted: str | None = None) -> Run:
        """Cancel a run and return its record.

        Raises what `find` raises, and RunError if the run is over.
        """

    @abc.abstractmethod
    def cancelling(self, record: Run) -> str:
        """Return what to print of a run that is being cancelled."""

    def prune(self, keep: int, size: int | None = None, *, dry: bool) -> Pruned:
        """Delete all but the newest runs and what they need, and old versions of their models.

        With a size, no more than needed for the project's records to hold so many bytes.
        """
        raise UnsupportedError("runs can only be deleted on this machine")


class Published(abc.ABC):
    """The published versions of a project's pipeline."""

    @abc.abstractmethod
    def list(self) -> PublishedPipeline:
        """Return the published versions."""

    @abc.abstractmethod
    def run(self, request: RunRequest, version: str | None = None, *, dry: bool = False) -> PublishedRun:
        """Start a run of a version, by default the endpoint's; the request's settings override published values."""


class Schedules:
    """The schedules of a project's pipeline. Here are the answers of a backend that stores none."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def list(self, *, everything: bool = False) -> Sequence[ScheduleRow]:
        """Return the schedules of the pipeline, or all of the workspace, those that are on first."""
        raise self._not_stored()

    def pause(self, name: str, *, dry: bool) -> Sequence[Change]:
        """Disable the pipeline's schedule, or that of the name."""
        raise self._not_stored()

    def resume(self, name: str, *, dry: bool) -> Sequence[Change]:
        """Enable the pipeline's schedule, or that of the name, as it was."""
        raise self._not_stored()

    def redundant(self, *, everything: bool = False) -> Sequence[RedundantSchedule]:
        """Return the active schedules that duplicate another, run nothing, or run an outdated version."""
        raise self._not_stored()

    def disable(self, found: Iterable[RedundantSchedule]) -> Sequence[RedundantSchedule]:
        """Disable redundant schedules, and return those that were."""
        raise self._not_stored()

    @property
    def name(self) -> str:
        """The name in Azure of the schedule of pipeline.yaml."""
        raise self._not_stored()

    def replaced(self) -> str:
        """Return the target whose schedule that of the pipeline replaces, until `end_replacement`; else nothing."""
        return ""

    def end_replacement(self) -> None:
        """Note that the schedule that was to be replaced is disabled."""

    def check_foreground(self) -> None:
        """Raise UnsupportedError if `run` is not for this backend."""
        raise self._not_in_foreground()

    def run(self, schedule: Schedule, clock: Clock, most: int | None, watch: Watch) -> Iterator[DueRun | FinishedRun]:
        """Run the pipeline when it is due, and yield each run before it starts and when it is over.

        Ends after `most` runs, if given, and when a run is cancelled.
        """
        raise self._not_in_foreground()

    def _not_in_foreground(self) -> UnsupportedError:
        return UnsupportedError(
            "schedules.run is for the backend local, because Azure ML runs its schedules itself; start a run now with "
            "`invoke published.run`"
        )

    def _not_stored(self) -> UnsupportedError:
        return UnsupportedError(
            f"the backend {self._project.pipeline.backend} does not store schedules; show the next times with "
            "`invoke schedules.preview`, run them in the foreground with `invoke schedules.run`, or select a target "
            "with backend azure or azure-v2: --target NAME"
        )


class Backend(abc.ABC):
    """One way of running a project's pipeline."""

    name: ClassVar[str]
    """Its name in pipeline.yaml."""
    successor: ClassVar[str] = ""
    """The backend that `migrate` moves a schedule of this one to; empty if it cannot be moved."""
    publishes: ClassVar[bool] = True
    """Whether it publishes pipelines and stores schedules."""
    after_interrupt: ClassVar[str] = ""
    """What may have been done when `run` is interrupted, and how to go on; empty if `run` deals with it itself."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.progress: Callable[[str], None] = lambda line: None
        """Called now and then while large files are read, outside of runs."""

    @classmethod
    def runs_in(cls, folder: Path) -> Runs | None:
        """Return the runs of the project in a folder, whatever is wrong with its file; None if they need the file."""
        return None

    @abc.abstractmethod
    def headline(self) -> str:
        """Return the first line that `run` prints: where the pipeline runs."""

    def problems(self) -> Sequence[Problem]:
        """Return what this backend needs of the file and does not find in it; variables may be unset."""
        return ()

    def dataset_problems(self, names: Iterable[str]) -> Sequence[Problem]:
        """Return what prevents a run from reading these datasets, as far as the file shows."""
        return ()

    def notes(self) -> Sequence[Problem]:
        """Return what of the file will not work in every use of this backend."""
        return ()

    def steps_in_this_python(self) -> Collection[str]:
        """Return the keys of the steps that a run starts in the Python of this command, as far as that is known."""
        return ()

    def check(self) -> None:
        """Raise ProjectError if this backend cannot run the pipeline as the file is."""
        problems = self.problems()
        if problems:
            raise ProjectError(problems)

    def check_request(self, request: RunRequest) -> None:
        """Raise OverrideError if a setting does not fit the file, and UnsupportedError for what a run cannot do."""
        self._project.with_settings(request.settings)

    def origin(self, request: RunRequest) -> Origin:
        """Return the target, command and settings of a run, for its record, without secrets."""
        changes: tuple[str, ...] = ()
        if request.settings:
            from azml_tasks.reading.overrides import shown_settings

            changes = shown_settings(request.settings)
        flags = {
            "--target": self._project.target,
            "--from-step": request.from_step,
            "--only": request.only,
            "--experiment": request.experiment,
        }
        words = [word for name, value in flags.items() if value for word in (name, value)]
        words += [word for change in changes for word in ("--set", change)]
        words += [*(["--force"] if request.force else []), *([] if request.wait else ["--no-wait"])]
        name, _, port = request.debugger.partition(":")
        words += [f"--{name}", *filter(None, [port])] if name else []
        from azml_tasks.runs.origin import Origin

        return Origin(self._project.target or "", ("invoke", "run", *words), changes)

    @abc.abstractmethod
    def examine(self) -> Iterator[Finding]:
        """Yield what this machine or the workspace lacks, for `doctor`."""

    @abc.abstractmethod
    def forecast(self, request: RunRequest, pending: Collection[Change] = ()) -> Forecast:
        """Return what a run would do with each step, and change nothing; `pending` are changes that are made before."""

    @abc.abstractmethod
    def run(self, request: RunRequest, watch: Watch) -> Run:
        """Run the pipeline and return the record of the run.

        Raises RunError if the run fails or is cancelled.
        """

    def trial(self, say: Callable[[str], None]) -> Trial:
        """Return a trial of what the backend assumes of its service; `say` gets lines on what is done."""
        raise UnsupportedError("--try runs a small pipeline on Azure ML v2; select a target with `backend: azure-v2`")

    @abc.abstractmethod
    def register(
        self, kinds: Collection[Kind], *, upload: bool, dry: bool, say: Callable[[str], None]
    ) -> Iterator[Change]:
        """Register what the file declares of these kinds, and yield each change when it is made.

        `say` gets lines on what is done meanwhile. Raises UnsupportedError if the backend has no use for the kinds.
        """

    @abc.abstractmethod
    def unregister_datastore(self, name: str, *, dry: bool) -> Change:
        """Remove a datastore from the workspace."""

    def publish(self, *, prune: bool, dry: bool) -> Iterator[Change]:
        """Publish the pipeline if it changed; yield its Publication, then the versions that `prune` disables."""
        raise self._not_published()

    def schedule(self, *, run_now: bool, dry: bool) -> tuple[Publication | None, ScheduleChange]:
        """Create or update the schedule, publishing the pipeline first if it changed, and return both changes.

        `run_now` says that a run is to be started next, which a disabled schedule refuses with AzmlError.
        """
        raise UnsupportedError(
            f"the backend {self._project.pipeline.backend} does not store schedules; run this one with "
            "`invoke schedules.run`"
        )

    def replace_schedule(self, replaced: Replaced) -> tuple[Publication | None, ScheduleChange]:
        """Do what `schedule` does, and note with the schedule which one it replaces: both are enabled then."""
        raise UnsupportedError(f"the backend {self._project.pipeline.backend} does not replace other schedules")

    def missing(self) -> Sequence[str]:
        """Return a sentence for each thing that the file names, does not declare, and the workspace does not have."""
        return ()

    @property
    def published(self) -> Published:
        """The published versions."""
        raise self._not_published()

    @property
    @abc.abstractmethod
    def schedules(self) -> Schedules:
        """The schedules."""

    @property
    @abc.abstractmethod
    def runs(self) -> Runs:
        """The runs."""

    def _not_published(self) -> UnsupportedError:
        return UnsupportedError(
            f"the backend {self._project.pipeline.backend} cannot publish pipelines; select a target with backend "
            "azure or azure-v2: --target NAME"
        )

"""Prepare a local run: selected steps, snapshots and shared state."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from azml_tasks.errors import ProjectError, RunError, UsageError
from azml_tasks.local.step.arguments import fixed_arguments
from azml_tasks.local.step.environment import base_environment
from azml_tasks.local.store.contents import HashCache
from azml_tasks.local.store.files import read_json
from azml_tasks.local.store.objects import FileChangedError, ObjectStore
from azml_tasks.local.store.paths import ProjectPaths, folder_name
from azml_tasks.local.store.process import ProcessIdentity, held
from azml_tasks.local.store.records import LocalRunRecord, LocalStepRecord
from azml_tasks.local.store.results import Result, Results
from azml_tasks.local.store.runs import (
    ReusedRecords,
    clear_unfinished,
    mark_finished,
    mark_unfinished,
    new_run,
    refuse_links,
)
from azml_tasks.plan.plan import DatasetInput, FolderInput
from azml_tasks.runs.origin import Origin, settings_of
from azml_tasks.secrets import is_secret, known_secrets, made_up_secrets, secret_or_copy_in
from azml_tasks.snapshot import Locate, Snapshot, SnapshotBuilder, take_snapshots
from azml_tasks.snapshot.snapshot import is_installed
from azml_tasks.text import did_you_mean, listed, shortened, what_there_is

if TYPE_CHECKING:
    from azml_tasks.local.environments import VirtualEnvironment
    from azml_tasks.local.tracking.tracking import Tracking
    from azml_tasks.plan import Output, Plan, StepPlan
    from azml_tasks.runs.records import RunStatus

# Values of AZML_LOCAL_GUARD: how the kernel protects inputs, or that only Python does.
_GUARDS = ("mounts", "landlock", "python")


def _check_guard(guard: str) -> None:
    """Raise UsageError for an unknown value: what it was to protect would not be protected."""
    if guard and guard not in _GUARDS:
        raise UsageError(
            f"AZML_LOCAL_GUARD must be {listed(_GUARDS, 'or')}, not '{shortened(guard)}'{did_you_mean(guard, _GUARDS)}"
        )


_MOST_TRIES = 3


class Selection(NamedTuple):
    """The keys of the steps that may run, in order, and of those whose last result is used.

    `forced` are the steps that run even if they could be reused, because of the flag `by`.
    """

    steps: tuple[str, ...]
    given: tuple[str, ...] = ()
    forced: frozenset[str] = frozenset()
    by: str = "--force"


def select(plan: Plan, from_step: str | None = None, only: str | None = None, force: bool = False) -> Selection:
    """Return the steps selected by `--from-step`, `--only` and `--force`.

    Raises UsageError for an unknown step.
    """
    keys = tuple(step.key for step in plan.steps)
    if from_step and only:
        raise UsageError("use either --from-step or --only, not both")
    asked = from_step or only
    if asked is None:
        return Selection(keys, forced=frozenset(keys if force else ()))
    if asked not in keys:
        several = asked.replace(",", " ").split()
        known = [step for step in several if step in keys]
        if len(several) > 1 and known and (known == several or "," in asked):
            flag, first = "--only" if only else "--from-step", min(known, key=keys.index)
            ways = ["run once for each of them"] if only or not _runs_all(plan, first, known) else []
            ways += [f"use --from-step {first}"] if _runs_all(plan, first, known) else []
            raise UsageError(f"{flag} takes one step, not {listed(several)}; {', or '.join(ways)}")
        raise UsageError(f"the pipeline has no step '{asked}'{what_there_is(asked, keys)}")
    flag = "--only" if only else "--from-step"
    chosen = {asked} if only else {asked, *plan.downstream(asked)}
    steps = tuple(key for key in keys if key in chosen)
    needed = {above for key in steps for above in plan[key].upstream} - chosen
    return Selection(steps, tuple(key for key in keys if key in needed), frozenset(steps), flag)


def _runs_all(plan: Plan, first: str, keys: Iterable[str]) -> bool:
    return {first, *plan.downstream(first)}.issuperset(keys)


@dataclass(frozen=True)
class LocalRun:
    """Everything that the steps of one run share; `outer` are the variables of the process that runs it.

    `given` are the steps whose last results are used, `remarks` are sentences to show when it starts.
    """

    layout: ProjectPaths
    plan: Plan
    run: LocalRunRecord
    results: Results
    virtual_environments: Mapping[str, VirtualEnvironment]
    outer: Mapping[str, str] = field(repr=False)
    warm: bool = True
    memo: dict[object, object] = field(default_factory=dict, repr=False, compare=False)
    """What is asked once a run, since no step changes it."""
    variables: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Answers on variables, for the steps that have none of their own."""
    selection: Selection = field(default=Selection(()))
    snapshots: Mapping[str, Snapshot] = field(default_factory=dict, repr=False)
    given: Mapping[str, LocalStepRecord] = field(default_factory=dict, repr=False)
    remarks: Sequence[str] = ()

    @classmethod
    def prepare(
        cls,
        plan: Plan,
        layout: ProjectPaths,
        selection: Selection,
        experiment: str | None,
        parameters: Mapping[str, Any],
        origin: Origin,
        located: Locate | None,
        say: Callable[[str], None],
    ) -> LocalRun:
        """Return a new run whose record is not yet written, with its folder, and all that its steps share.

        `say` is called now and then while large files are read. Raises LinkError, ProjectError, UsageError, RunError,
        OSError.
        """
        refuse_links(layout)
        _check_guard(os.environ.get("AZML_LOCAL_GUARD", ""))
        results = Results(layout, HashCache(layout.hashes))
        results.contents.pace.say = say
        given = existing_results(plan, selection, results)
        snapshots, notes = keep_snapshots(plan, selection.steps, layout, results, located)
        virtual, remarks = virtual_environments(plan, layout)
        with contextlib.suppress(OSError):
            clear_unfinished(layout)
        run = new_run(layout, experiment or plan.pipeline.experiment, parameters)
        run = replace(run, origin=origin, settings=settings_of(plan))
        warm = os.environ.get("AZML_LOCAL_PROCESS") != "spawn"
        shared = (layout, plan, run, results, virtual, dict(os.environ), warm)
        return cls(*shared, selection=selection, snapshots=snapshots, given=given, remarks=notes + remarks)

    @classmethod
    def imagine(
        cls,
        plan: Plan,
        layout: ProjectPaths,
        selection: Selection,
        experiment: str | None,
        parameters: Mapping[str, Any],
        origin: Origin,
        located: Locate | None,
    ) -> LocalRun:
        """Return the run that `prepare` would, without a folder, for a forecast.

        Raises ProjectError, UsageError, RunError, OSError.
        """
        experiment = experiment or plan.pipeline.experiment
        places = layout.run("next")
        run = LocalRunRecord("next", experiment, "running", 0.0, parameters=parameters, places=places, origin=origin)
        results = Results(layout, HashCache(layout.hashes))
        given = existing_results(plan, selection, results)
        snapshots, notes = build_snapshots(plan, selection.steps, layout, results, located)
        virtual, remarks = virtual_environments(plan, layout)
        shared = (layout, plan, run, results, virtual, dict(os.environ))
        return cls(*shared, selection=selection, snapshots=snapshots, given=given, remarks=notes + remarks)

    @cached_property
    def reused(self) -> ReusedRecords:
        """The records of the reused steps."""
        return ReusedRecords(self.run.places)

    @cached_property
    def environment(self) -> dict[str, str]:
        """The environment of every step before its own variables."""
        return base_environment(self.plan.pipeline, self.layout.project, self.outer)

    @cached_property
    def step_names(self) -> dict[str, str]:
        """The names of steps by their folders, of those whose folders are named otherwise."""
        named = ((folder_name(key), step.step_name or key) for key, step in self.plan.pipeline.steps.items())
        return {folder: name for folder, name in named if folder != name}

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Those of the variables of the process that runs it which no step sees without asking for them."""
        return {name: value for name, value in self.outer.items() if is_secret(name, value)}

    @cached_property
    def known_secrets(self) -> list[str]:
        """The values that no record may contain: the secrets among the variables of this process and of .env."""
        return known_secrets(self._variables)

    @cached_property
    def _variables(self) -> Mapping[str, str]:
        from azml_tasks.reading.values import read_variables

        try:
            return read_variables(self.layout.project)
        except ProjectError:
            return self.outer

    def hold_secret(self, texts: Iterable[str]) -> bool:
        """Return whether texts that are to be stored contain a secret, by its form or its value."""
        return secret_or_copy_in("\n".join(texts), made_up_secrets(self._variables)) is not None

    @cached_property
    def tracking(self) -> Tracking:
        """What its steps log with MLflow."""
        from azml_tasks.local.tracking.tracking import Tracking

        return Tracking(self.layout, self.run.experiment, self.outer, lambda: self.known_secrets)

    @property
    def contents(self) -> HashCache:
        """The hashes of files."""
        return self.results.contents

    @cached_property
    def objects(self) -> ObjectStore:
        """The contents of snapshots."""
        return ObjectStore(self.layout.objects)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run, so that others can see that it is running, and end its tracking server."""
        with held(self.run.places), contextlib.ExitStack() as opened:
            opened.callback(lambda: self.tracking.close() if "tracking" in vars(self) else None)
            yield

    def save(
        self, status: RunStatus, keys: Iterable[str], records: Mapping[str, LocalStepRecord], **values: Any
    ) -> LocalRunRecord:
        """Write the run's record with these steps, and return it.

        Raises OSError.
        """
        steps = (records.get(key) or LocalStepRecord(key, places=self.run.places.step(key)) for key in keys)
        run = replace(self.run, status=status, steps=tuple(steps), **values)
        self.reused.write()
        run.save()
        return run

    def start(self, keys: Iterable[str], records: Mapping[str, LocalStepRecord]) -> LocalRunRecord:
        """Write the records of the run, which this process runs from now on, and of the steps that are known.

        Raises OSError.
        """
        run = self.save("running", keys, records, process=ProcessIdentity.own())
        for record in records.values():
            self.save_step(record)
        return run

    def save_step(self, record: LocalStepRecord) -> None:
        """Write the record of a step.

        Raises OSError.
        """
        if record.status == "reused":
            self.reused.add(record)
        else:
            record.save(self.run.places)

    def save_reused(self) -> None:
        """Write the records of reused steps that are not written yet; raises OSError."""
        self.reused.write()

    def skipped(self, key: str, reason: str) -> LocalStepRecord:
        """Return the record of a step that is not started."""
        return LocalStepRecord(key, "skipped", reason, places=self.run.places.step(key), producer=self.run.id)

    def was_cancelled_by_script(self) -> bool:
        """Return whether a script has cancelled the pipeline's run, which is how it says not to go on."""
        said = read_json(self.run.places.parent / "status.json")
        return said is not None and said.get("status") == "Canceled"

    def begin(self) -> None:
        """Note that steps may change files, and leave copies of their inputs, should the runner be killed.

        Raises OSError.
        """
        self.contents.recent.end()
        mark_unfinished(self.run.places)
        self.reused.give_files()

    def end(self) -> None:
        """Write what later runs need to be fast, once all steps are over."""
        with contextlib.suppress(OSError):  # Without it the next run hashes again.
            self.contents.save()
            self.results.store.tidy()
            mark_finished(self.run.places)


def existing_results(plan: Plan, selection: Selection, results: Results) -> dict[str, LocalStepRecord]:
    """Return the records of the steps whose last results are used.

    Raises RunError if a required one has no valid result, and UsageError if a result has no output that is read,
    because pipeline.yaml has changed.
    """
    found = {}
    for key in selection.given:
        read = _outputs_read(plan, selection, key)
        result = results.of(key).latest
        stale = results.stale_reason(result) if result else "it has no earlier result"
        if result and not stale:
            _check_outputs(result, read)
            reason = f"not selected; its result of {result.run_id} is used"
            found[key] = LocalStepRecord(
                key, "reused", reason, places=result.places, outputs=result.outputs, producer=result.run_id
            )
        elif read:
            reader = next(iter(read.values()))
            raise RunError(f"step '{reader}' reads the output of '{key}', but {stale}: {_remedy(key)}")
    return found


def _outputs_read(plan: Plan, selection: Selection, key: str) -> dict[Output, str]:
    """Return the outputs of a step that the chosen steps read, each with the first that does."""
    read: dict[Output, str] = {}
    for step in map(plan.__getitem__, selection.steps):
        for item in step.inputs:
            if not isinstance(item, DatasetInput) and item.output.step == key:
                read.setdefault(item.output, step.key)
    return read


def _check_outputs(result: Result, read: Mapping[Output, str]) -> None:
    missing = [output for output in read if output.name not in result.outputs]
    if missing:
        key, reader = missing[0].step, read[missing[0]]
        names = listed(output.argument for output in missing)
        raise UsageError(
            f"step '{reader}' reads {names} of '{key}', which is not in its result of {result.run_id}: run '{key}' "
            f"again first; {_remedy(key)}"
        )


def _remedy(key: str) -> str:
    return f"run everything with `invoke run`, or start there with `--from-step {key}`"


def keep_snapshots(
    plan: Plan, steps: Sequence[str], layout: ProjectPaths, results: Results, located: Locate | None = None
) -> tuple[dict[str, Snapshot], list[str]]:
    """Return what `build_snapshots` does, the contents of the snapshots kept, so that later edits do not reach the run.

    Raises ProjectError with everything that is wrong with any of them, RunError, OSError.
    """
    for _ in range(_MOST_TRIES):
        snapshots, notes = build_snapshots(plan, steps, layout, results, located, remember=True)
        objects = ObjectStore(layout.objects)
        try:
            for snapshot in snapshots.values():
                objects.keep(snapshot)
        except FileChangedError as error:
            changed = str(error)
        else:
            return snapshots, notes
    raise RunError(f"{changed} keeps changing; its files must not change while a run starts")


def virtual_environments(plan: Plan, layout: ProjectPaths) -> tuple[dict[str, VirtualEnvironment], list[str]]:
    """Return those that steps run in, by the names of their environments, and sentences on those that they do not."""
    if not layout.environments.is_dir():
        return {}, []
    from azml_tasks.local.environments import OutdatedError, in_use

    found, remarks = {}, []
    for name in plan.pipeline.environments:
        try:
            virtual = in_use(layout, plan, name)
        except OutdatedError as error:
            remarks.append(str(error))
            continue
        if virtual is not None:
            found[name] = virtual
    return found, remarks


def build_snapshots(
    plan: Plan,
    steps: Sequence[str],
    layout: ProjectPaths,
    results: Results,
    located: Locate | None = None,
    *,
    remember: bool = False,
) -> tuple[dict[str, Snapshot], list[str]]:
    """Return the snapshots of the steps, and notes on what new and changed steps pass to their scripts.

    `located` is as `take_snapshots` takes it. With `remember`, what is found in their files is stored in the project,
    and not looked for again.

    Raises ProjectError with everything that is wrong with any of them.
    """
    builder = SnapshotBuilder(layout.project, results.contents.hash_file)
    chosen = [plan[key] for key in steps]
    snapshots = take_snapshots(builder, chosen, located)
    if remember:
        builder.remember(complete=len(chosen) == len(plan.steps))
    if located:
        _check_data(plan, chosen, layout, located)
    parameters = plan.pipeline.pipeline_parameters
    unproven = [step for step in chosen if not _has_completed(step, snapshots.get(step.key), results, parameters)]
    if not unproven:
        return snapshots, []
    from azml_tasks.checks.contract import check_contracts

    notes = check_contracts(unproven, snapshots, builder, located, parameters, remember=remember)
    secrets = _secrets(plan, {step.key for step in unproven}, located)
    return snapshots, [*secrets, *notes, *_absent(plan, unproven, snapshots, builder, layout, located)]


def _absent(
    plan: Plan,
    steps: Iterable[StepPlan],
    snapshots: Mapping[str, Snapshot],
    builder: SnapshotBuilder,
    layout: ProjectPaths,
    located: Locate | None,
) -> Iterable[str]:
    """Return notes on packages that these steps need and that are not installed in the Python that they run in."""
    reads_tables = any(not isinstance(item, FolderInput) for step in plan.steps for item in step.inputs)
    if located is None or not (
        any(snapshots[step.key].absent for step in steps) or (reads_tables and not is_installed("pyarrow"))
    ):
        return ()
    from azml_tasks.checks.imports import absent_notes

    here = steps_in_this_python(plan, layout)
    found = absent_notes(plan, (step for step in steps if step.key in here), snapshots, builder, located)
    return map(str, found)


def steps_in_this_python(plan: Plan, layout: ProjectPaths) -> frozenset[str]:
    """Return the keys of the steps that run in no virtual environment. Raises ProjectError for a wrong conda file."""
    virtual, _ = virtual_environments(plan, layout)
    return frozenset(step.key for step in plan.steps if plan.pipeline.env_of(step.step) not in virtual)


def _secrets(plan: Plan, steps: Collection[str], located: Locate | None) -> Iterator[str]:
    """Yield notes on the values in these steps that look like secrets by their names; the run will store them."""
    from azml_tasks.reading.values import secret_notes

    for note in secret_notes(plan.pipeline):
        if located and note.path[0] == "steps" and note.path[1] in steps:
            yield str(located(note.path, note.message))


def _check_data(plan: Plan, steps: Iterable[StepPlan], layout: ProjectPaths, located: Locate) -> None:
    """Raise ProjectError for data that steps read and that do not exist, unless a step before may write them."""
    read = dict.fromkeys(item.dataset for step in steps for item in step.inputs if isinstance(item, DatasetInput))
    places = {name: plan.pipeline.datasets[name].local_path or "" for name in read if name in plan.pipeline.datasets}
    gone = [
        name
        for name, place in places.items()
        if "*" not in place and layout.root.name not in place.split("/") and not (layout.project / place).exists()
    ]
    if gone:
        from azml_tasks.checks.data import missing_data

        problems = list(missing_data(plan.pipeline, layout.project, located, gone))
        if problems:
            raise ProjectError(problems)


def _has_completed(step: StepPlan, snapshot: Snapshot | None, results: Results, parameters: Mapping[str, Any]) -> bool:
    """Return whether the step completed with these files and arguments, which its script therefore accepts."""
    known = results.of(step.key).last_definition
    if known is None or snapshot is None:
        return False
    is_same_code = (known["script"], known["files"]) == (snapshot.script, snapshot.hashes)
    return is_same_code and bool(known["argv"] == fixed_arguments(step, parameters))

"""One step of a run: dependencies, process, results."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from azml_tasks.local.reuse.decide import Decision, NewResult, Reuse
from azml_tasks.local.reuse.reads import InputMissingError
from azml_tasks.local.run.failure import exit_message, log_tail, shown_part, traceback_hint, with_source_paths
from azml_tasks.local.run.inputs import Download, Guard, deliver_inputs, guard_of, source_of, variables_for
from azml_tasks.local.run.outputs import DestinationError, deliver
from azml_tasks.local.run.processes import ProcessExit, ProcessSpec
from azml_tasks.local.step.arguments import StepArguments, StepFolders, local_path, resolve_arguments
from azml_tasks.local.step.context import context_of, step_run_id
from azml_tasks.local.step.environment import HEAVY, Mentions, variables_of
from azml_tasks.local.step.local_run import LocalRun
from azml_tasks.local.store.files import merge_tree, remove_tree, tree_size, write_json
from azml_tasks.local.store.long_reads import slow_property
from azml_tasks.local.store.objects import FileChangedError
from azml_tasks.local.store.paths import StepPaths
from azml_tasks.local.store.records import LocalStepRecord
from azml_tasks.local.store.results import Fingerprint, Result
from azml_tasks.plan.plan import DatasetInput
from azml_tasks.runs.changes.differences import Difference
from azml_tasks.secrets import redact
from azml_tasks.snapshot import READ_AT_IMPORT, Snapshot, step_with_words
from azml_tasks.snapshot.hints import data_hint, id_hint, missing_hint, package_hint
from azml_tasks.text import listed

if TYPE_CHECKING:
    from azml_tasks.local.environments import VirtualEnvironment
    from azml_tasks.plan import StepPlan
    from azml_tasks.snapshot.hints import Place

# The folders of the working directory that belong to the run; as on Azure, they are there when the script starts.
_COLLECTED = ("outputs", "logs")
# Variables that an interpreter or a library reads once, so that a process which is warm already would miss them.
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "TZ", *READ_AT_IMPORT)


class Stopped(NamedTuple):
    """Why a step was stopped, and its final status."""

    status: Literal["failed", "cancelled"]
    message: str


class StepRun:
    """One step of one run, from the decision to its record.

    `records` are the records of the pipeline's steps, including those upstream.
    """

    def __init__(
        self, site: LocalRun, plan: StepPlan, snapshot: Snapshot, records: Mapping[str, LocalStepRecord]
    ) -> None:
        self._site = site
        self._plan = self.plan = step_with_words(plan, snapshot)
        self._snapshot = snapshot
        self._upstream = {key: records[key] for key in plan.upstream if key in records}
        self._reuse = Reuse(site, self._plan, snapshot, records)
        self.remarks: list[str] = []
        """Sentences about how it ran, once it is finished."""

    @cached_property
    def _places(self) -> StepPaths:
        return self._site.run.places.step(self._plan.key)  # Only of a step that runs.

    @property
    def _virtual(self) -> VirtualEnvironment | None:
        return self._reuse.virtual

    @property
    def fingerprint(self) -> Fingerprint:
        """What the step's result depends on.

        Raises InputMissingError, OSError.
        """
        return self._reuse.fingerprint

    def differences(self, result: Result, now: Fingerprint) -> list[Difference]:
        """Return how an earlier result differs from one with a fingerprint, but for what it read of other steps' runs.

        Raises OSError.
        """
        return self._reuse.differences(result, now, of_other_steps=False)

    def foresee(self) -> Decision:
        """Return what is known of the decision before the steps that it depends on have run.

        Raises InputMissingError, OSError.
        """
        return self._reuse.foresee()

    def decide(self, forced: bool) -> Decision:
        """Return whether an earlier result of the step can be reused, and change nothing.

        Raises InputMissingError, OSError.
        """
        return self._reuse.decide(forced)

    def launch(
        self, say: Callable[[str], None] = lambda text: None, is_wanted: Callable[[], bool] = lambda: True
    ) -> ProcessSpec:
        """Prepare the step's folders and files and return the process to start.

        `say` is called for large copies, `is_wanted` to decide whether to continue. Raises InputMissingError, OSError,
        StoppedError.
        """
        site, places = self._site, self._places
        self._reuse.inputs.check_kept()
        self.fingerprint  # noqa: B018 - computed before the step runs, because its inputs may change while it runs
        self._stage()
        given = self._give()
        mentions = Mentions.of_staged(self._snapshot, places.work, given.argv)
        # Before the outputs, so that a process that lists the step's folder to delete it and finds them finds this,
        # too.
        write_json(places.context, context_of(site, self._plan, given))
        for folder in given.outputs.values():
            Path(folder).mkdir(parents=True, exist_ok=True)
        guard = self._give_inputs(given, Download(site.layout.root, say, is_wanted))
        script = places.work / self._snapshot.script
        path = tuple(dict.fromkeys((str(script.parent), str(places.work))))
        variables = variables_of(site.plan.pipeline, self._plan.step)
        own = variables_for(given.paths, given.outputs)
        environment = {**site.environment, **own, **variables, "AZML_RUN_CONTEXT": str(places.context)}
        environment |= mentions.secrets(site.outer)
        # Python puts the script's own folder first by itself, unless it must not.
        given_path = path if environment.get("PYTHONSAFEPATH") else path[1:]
        environment["PYTHONPATH"] = os.pathsep.join(
            [
                *(_as_entry(folder, places.work) for folder in given_path),
                site.environment["PYTHONPATH"],
                *filter(None, [variables.get("PYTHONPATH")]),
            ]
        )
        if self._snapshot.uses_mlflow:
            key, label = self._plan.key, self._plan.label
            environment = site.tracking.environment_of(key, label, places, environment, variables)
        return ProcessSpec(
            id=self._plan.key,
            python=str(self._virtual.python) if self._virtual else sys.executable,
            argv=(os.path.normpath(self._snapshot.script), *given.argv),
            cwd=str(places.work),
            environment=environment,
            path=path,
            log=str(places.log),
            warm=site.warm and self._virtual is None and not any(name.startswith(_READ_AT_START) for name in variables),
            imports_first=HEAVY if self._snapshot.tunes else (),
            guard=guard.for_kernel(),
        )

    def _give_inputs(self, given: StepArguments, download: Download) -> Guard:
        """Copy what the step downloads, and list what is read-only for it.

        Raises InputMissingError, OSError, StoppedError.
        """
        layout, pipeline = self._site.layout, self._site.plan.pipeline
        sources = {}
        for item in self._plan.inputs:
            if isinstance(item, DatasetInput):
                path = local_path(pipeline.datasets[item.dataset], layout.project)
            else:
                path = self._upstream[item.output.step].places.output(item.output.name)
            sources[item.name] = source_of(path, layout.project)
        mounted = deliver_inputs(self._plan, given.paths, sources, download)
        guard = guard_of(sources.values(), mounted, layout, self._places)
        if guard.read_only:
            guard.write(self._places)
        return guard

    def started(self, reason: object) -> LocalStepRecord:
        """Return the record of the step as it starts."""
        return LocalStepRecord(
            key=self._plan.key,
            places=self._places,
            status="running",
            reason=str(reason),
            started=time.time(),
            argv=(self._snapshot.script, *self._give().argv),
            producer=self._site.run.id,
        )

    def reuse(self, result: Result, reason: object) -> LocalStepRecord:
        """Reuse a result, record it as the step's last one, and return the step's record.

        Its outputs are delivered again, as the destination may have changed. Raises DestinationError, OSError.
        """
        try:
            deliver(self._plan, result.places, self._site.layout, f"{result.run_id}_{result.places.root.name}")
            self._reuse.stand_in(result)
        finally:
            if result.registered or any(one.destination or one.register_on_complete for one in self._plan.outputs):
                self._site.contents.look_again()
        return self.record_of(result, reason)

    def record_of(self, result: Result, reason: object) -> LocalStepRecord:
        """Return the record of the step with a reused result."""
        return LocalStepRecord(
            key=self._plan.key,
            places=result.places,
            status="reused",
            reason=str(reason),
            outputs=result.outputs,
            producer=result.run_id,
        )

    @slow_property
    def outputs(self) -> Mapping[str, str]:
        """The digests of its outputs by name once its process has ended, empty for one that cannot be read."""
        digest = self._site.results.digest_output
        return {output.name: digest(self._places, output.name) for output in self._plan.outputs}

    def finish(self, record: LocalStepRecord, ended: ProcessExit, stopped: Stopped | None = None) -> LocalStepRecord:
        """Collect the step's results and return its final record.

        Raises OSError.
        """
        record = replace(record, finished=record.finished or ended.at, exit_code=ended.exit_code)
        if self._snapshot.uses_mlflow:
            self.remarks += self._site.tracking.end(self._plan.key)
        self.clear()
        try:
            _collect(self._places)
        except PermissionError as error:
            message = f"its outputs cannot be collected: {error.strerror}: {error.filename}"
            return replace(record, status="failed", message=message)
        record = self._ended(record, ended, stopped)
        changed = "" if record.ok else self._reuse.inputs.changes(data_alone=True)
        if changed and changed not in record.message:
            # Also report changed data, because it is the user's.
            record = replace(record, message=f"{record.message}; {changed}")
        return replace(record, size=sum(map(tree_size, self._places.results)))

    def clear(self) -> None:
        """Delete what the step downloaded and mounted."""
        with contextlib.suppress(OSError):
            remove_tree(self._places.temporary)

    def _ended(self, record: LocalStepRecord, ended: ProcessExit, stopped: Stopped | None) -> LocalStepRecord:
        """Return the final record of the step, by how its process ended."""
        if stopped:
            # Regardless of its exit status: a stopped script has not finished its work, even if it exits with 0.
            return replace(record, status=stopped.status, message=stopped.message)
        if not self._places.context.exists():
            return replace(record, status="failed", message="its folder in .azml was deleted while it ran")
        if ended.exit_code is None:
            return replace(record, status="failed", message=f"could not start: {ended.message}")
        if ended.exit_code != 0:
            return self._failed(record, ended.exit_code)
        # Not what the script says of itself: run.fail() of a submitted run sets no status on Azure either
        # (azureml-core, _SubmittedRun.fail).
        return self._completed(record)

    def _completed(self, record: LocalStepRecord) -> LocalStepRecord:
        """Return the record of a step whose process ended well, if its outputs are as they should be."""
        with contextlib.suppress(OSError):
            remove_tree(self._places.work)
        gone = [output.argument for output in self._plan.outputs if not self.outputs[output.name]]
        if gone:
            message = f"its output {listed(gone)} was deleted or cannot be read"
            return replace(record, status="failed", message=message)
        changes = self._reuse.inputs.changes()
        if changes:
            # Before its outputs are used.
            return replace(record, status="failed", message=changes)
        try:
            deliver(self._plan, self._places, self._site.layout, step_run_id(self._site.run, self._plan))
        except DestinationError as error:
            return replace(record, status="failed", message=str(error))
        return replace(record, status="completed", outputs=self.outputs)

    def prepare_result(self, record: LocalStepRecord, ahead: Mapping[str, list[str]]) -> NewResult:
        """Look at what the step read, before the next steps may change it, and return its result for later runs.

        `ahead` are additional dependencies of a forked step.

        Raises OSError.
        """
        return self._reuse.prepare_result(record, ahead)

    def _failed(self, record: LocalStepRecord, exit_code: int) -> LocalStepRecord:
        project = self._site.layout.project
        tail = log_tail(self._places.log)
        shown = with_source_paths(shown_part(tail), self._places.work, self._snapshot.files, project)
        step, pipeline = self._plan.step, self._site.plan.pipeline
        place: Place = "virtual" if self._virtual else "here"

        def lacking(module: str, meant: str | None) -> str | None:
            # The log may contain another error that was handled.
            return package_hint(module, pipeline, step, place, meant) if f"'{module}'" in shown else None

        data = partial(data_hint, plan=self._plan, pipeline=pipeline, project=project)
        hint = missing_hint(tail, self._snapshot, project, step.script_directory, self._places.work, lacking, data)
        hint = hint or id_hint(shown, self._plan, pipeline) or traceback_hint(shown, self._plan.key)
        shown = redact(shown, self._site.known_secrets)
        return replace(record, status="failed", message=exit_message(exit_code), detail=shown, hint=hint)

    def _stage(self) -> None:
        try:
            self._site.objects.stage(self._snapshot, self._places.work)
        except FileChangedError as error:
            changed = os.path.relpath(str(error), self._site.layout.project)
            message = f"{changed} was changed after the run began, and its copy in .azml was deleted"
            raise InputMissingError(message) from None
        for name in _COLLECTED:
            with contextlib.suppress(FileExistsError):  # The snapshot may have a file of that name.
                (self._places.work / name).mkdir()

    def _give(self) -> StepArguments:
        written = {
            (key, name): record.places.output(name) for key, record in self._upstream.items() for name in record.outputs
        }
        own = {output.name: self._places.output(output.name) for output in self._plan.outputs}
        folders = StepFolders(self._site.layout.project, written, own, self._places.temporary)
        return resolve_arguments(self._plan, self._site.plan.pipeline, self._site.run.parameters, folders)


def _as_entry(folder: str, work: Path) -> str:
    """Return a folder in a form that PYTHONPATH can contain: relative to the working directory if its path contains the
    separator."""
    return os.path.relpath(folder, work) if os.pathsep in folder else folder


def _collect(places: StepPaths) -> None:
    """Move what the script wrote under outputs/ and logs/ to the files of its run.

    Raises OSError.
    """
    for name in _COLLECTED:
        source, target = places.work / name, places.artifacts / name
        # The target of a link is not part of the run.
        if source.is_dir() and not source.is_symlink() and not _is_empty(source):
            target.parent.mkdir(parents=True, exist_ok=True)
            merge_tree(source, target)


def _is_empty(folder: Path) -> bool:
    try:
        return not os.listdir(folder)
    except PermissionError:
        return False  # Perhaps: it is moved as a whole.

"""One step of a run: what it depends on, how it is started, what it leaves behind."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from azml_tasks.errors import listed
from azml_tasks.local.arguments import Folders, Given, give, local_path
from azml_tasks.local.context import context_of, step_run_id
from azml_tasks.local.destinations import DestinationError, deliver
from azml_tasks.local.environment import variables_of
from azml_tasks.local.failure import exit_message, log_tail, read_only_hint, shown_part, with_source_paths
from azml_tasks.local.files import merge_tree, remove_tree, write_json
from azml_tasks.local.layout import StepPlaces
from azml_tasks.local.mentions import Mentions
from azml_tasks.local.preload import HEAVY
from azml_tasks.local.processes import Ended, Launch
from azml_tasks.local.record import StepRecord
from azml_tasks.local.reuse.contents import ChangedError
from azml_tasks.local.reuse.decide import Decision, Reuse
from azml_tasks.local.reuse.reads import InputMissingError
from azml_tasks.local.reuse.results import Fingerprint, Result
from azml_tasks.local.run.inputs import Download, Guard, deliver_inputs, guard_of, source_of, variables_for
from azml_tasks.local.site import Site
from azml_tasks.snapshot import READ_AT_IMPORT, Snapshot, missing_hint, package_hint, step_with_words
from azml_tasks.wiring.tokens import DatasetInput

if TYPE_CHECKING:
    from azml_tasks.local.virtual_environment import VirtualEnvironment
    from azml_tasks.snapshot.package_hint import Place
    from azml_tasks.wiring import StepPlan

# The folders of the working directory that belong to the run; as on Azure, they are there when the script starts.
_COLLECTED = ("outputs", "logs")
# Variables that an interpreter or a library reads once, so that a process which is warm already would miss them.
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "TZ", *READ_AT_IMPORT)


@dataclass(frozen=True)
class Stopped:
    """Why a step was stopped, and what that makes of it."""

    status: Literal["failed", "cancelled"]
    message: str


class Attempt:
    """One step of one run, from the decision to its record.

    `records` holds what is known of the pipeline's steps, those that it follows among them.
    """

    def __init__(self, site: Site, plan: StepPlan, snapshot: Snapshot, records: Mapping[str, StepRecord]) -> None:
        self._site = site
        self._plan = self.plan = step_with_words(plan, snapshot)
        self._snapshot = snapshot
        self._upstream = {key: records[key] for key in plan.upstream if key in records}
        self._reuse = Reuse(site, self._plan, snapshot, records)
        self._places = site.run.places.step(plan.key)

    @property
    def _virtual(self) -> VirtualEnvironment | None:
        return self._reuse.virtual

    @property
    def fingerprint(self) -> Fingerprint:
        """What the step's result depends on.

        Raises InputMissingError, OSError.
        """
        return self._reuse.fingerprint

    def decide(self, forced: bool) -> Decision:
        """Say whether an earlier result of the step stands in, and change nothing.

        Raises InputMissingError, OSError.
        """
        return self._reuse.decide(forced)

    def launch(
        self, say: Callable[[str], None] = lambda text: None, is_wanted: Callable[[], bool] = lambda: True
    ) -> Launch:
        """Prepare the step's folders and files and return the process to start.

        `say` is told of copies that take a while, `is_wanted` asked meanwhile whether to go on.

        Raises InputMissingError, OSError, StoppedError.
        """
        site, places = self._site, self._places
        self._reuse.inputs.check_kept()
        self.fingerprint  # noqa: B018 - taken before the step runs, since its inputs may change while it does
        self._stage()
        given = self._give()
        mentions = Mentions.of_staged(self._snapshot, places.work, given.argv)
        # Before the outputs, so that whoever lists the step's folder to delete it and finds them finds this, too.
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
        # Python puts the script's own folder first by itself, unless it is told not to.
        given_path = path if environment.get("PYTHONSAFEPATH") else path[1:]
        environment["PYTHONPATH"] = os.pathsep.join(
            [
                *(_as_entry(folder, places.work) for folder in given_path),
                site.environment["PYTHONPATH"],
                *filter(None, [variables.get("PYTHONPATH")]),
            ]
        )
        return Launch(
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

    def _give_inputs(self, given: Given, download: Download) -> Guard:
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

    def started(self, reason: str) -> StepRecord:
        """Return the record of the step as it starts."""
        return StepRecord(
            key=self._plan.key,
            places=self._places,
            status="running",
            reason=reason,
            started=time.time(),
            argv=(self._snapshot.script, *self._give().argv),
            producer=self._site.run.id,
        )

    def reuse(self, result: Result, reason: str) -> StepRecord:
        """Let that result stand in, note that the step last had it, and return the step's record.

        Its outputs are delivered again, since the file may say another place by now, or the copies be gone.

        Raises DestinationError, OSError.
        """
        deliver(self._plan, result.places, self._site.layout, f"{result.run_id}_{result.places.root.name}")
        self._reuse.stand_in(result)
        return self.record_of(result, reason)

    def record_of(self, result: Result, reason: str) -> StepRecord:
        """Return the record of the step when that result stands in."""
        return StepRecord(
            key=self._plan.key,
            places=result.places,
            status="reused",
            reason=reason,
            outputs=result.outputs,
            producer=result.run_id,
        )

    def finish(self, record: StepRecord, ended: Ended, stopped: Stopped | None = None) -> StepRecord:
        """Collect what the step left and return its final record.

        Raises OSError.
        """
        record = replace(record, finished=time.time(), exit_code=ended.exit_code)
        self.clear()
        try:
            _collect(self._places)
        except PermissionError as error:
            message = f"what it left cannot be collected: {error.strerror}: {error.filename}"
            return replace(record, status="failed", message=message)
        record = self._ended(record, ended, stopped)
        damage = "" if record.ok else self._reuse.inputs.changes(data_alone=True)
        if damage and damage not in record.message:
            # Whatever else went wrong, the data are the user's own.
            record = replace(record, message=f"{record.message}; {damage}")
        return record

    def clear(self) -> None:
        """Delete what the step downloaded and mounted."""
        with contextlib.suppress(OSError):
            remove_tree(self._places.temporary)

    def _ended(self, record: StepRecord, ended: Ended, stopped: Stopped | None) -> StepRecord:
        """Return the final record of the step, by how its process ended."""
        if stopped:
            # Whatever its exit status: a script that ends well when it is told to stop has not done its work.
            return replace(record, status=stopped.status, message=stopped.message)
        if not self._places.context.exists():
            return replace(record, status="failed", message="its folder in .azml was deleted while it ran")
        if ended.exit_code is None:
            return replace(record, status="failed", message=f"it could not be started: {ended.message}")
        if ended.exit_code != 0:
            return self._failed(record, ended.exit_code)
        # Not what the script says of itself: run.fail() of a submitted run sets no status on Azure either
        # (azureml-core, _SubmittedRun.fail).
        return self._completed(record)

    def _completed(self, record: StepRecord) -> StepRecord:
        """Return the record of a step whose process ended well, if its outputs are as they should be."""
        with contextlib.suppress(OSError):
            remove_tree(self._places.work)
        digest = self._site.results.digest_output
        outputs = {output.name: digest(self._places, output.name) for output in self._plan.outputs}
        gone = [output.argument for output in self._plan.outputs if not outputs[output.name]]
        if gone:
            message = f"what it was given as {listed(gone)} is gone or cannot be read"
            return replace(record, status="failed", message=message)
        changes = self._reuse.inputs.changes()
        if changes:
            # Before anything is made of what it wrote.
            return replace(record, status="failed", message=changes)
        try:
            deliver(self._plan, self._places, self._site.layout, step_run_id(self._site.run, self._plan))
        except DestinationError as error:
            return replace(record, status="failed", message=str(error))
        return replace(record, status="completed", outputs=outputs)

    def keep(self, record: StepRecord, ahead: Mapping[str, list[str]]) -> None:
        """Let later runs reuse what the step left, if it completed and nothing that it read changed meanwhile.

        `ahead` is what a forked step depends on beside what it recorded.

        Raises OSError.
        """
        self._reuse.keep(record, ahead)

    def _failed(self, record: StepRecord, exit_code: int) -> StepRecord:
        project = self._site.layout.project
        tail = log_tail(self._places.log)
        shown = with_source_paths(shown_part(tail), self._places.work, self._snapshot.files, project)
        step, pipeline = self._plan.step, self._site.plan.pipeline
        place: Place = "virtual" if self._virtual else "here"

        def lacking(module: str, meant: str | None) -> str | None:
            # The log may tell of another error that was dealt with.
            return package_hint(module, pipeline, step, place, meant) if f"'{module}'" in shown else None

        hint = missing_hint(tail, self._snapshot, project, step.script_directory, self._places.work, lacking)
        hint = hint or read_only_hint(shown)
        return replace(record, status="failed", message=exit_message(exit_code), detail=shown, hint=hint)

    def _stage(self) -> None:
        try:
            self._site.objects.stage(self._snapshot, self._places.work)
        except ChangedError as error:
            changed = os.path.relpath(str(error), self._site.layout.project)
            message = f"{changed} was changed after the run began, and the copy of it in .azml deleted"
            raise InputMissingError(message) from None
        for name in _COLLECTED:
            with contextlib.suppress(FileExistsError):  # The snapshot may have a file of that name.
                (self._places.work / name).mkdir()

    def _give(self) -> Given:
        written = {
            (key, name): record.places.output(name) for key, record in self._upstream.items() for name in record.outputs
        }
        own = {output.name: self._places.output(output.name) for output in self._plan.outputs}
        folders = Folders(self._site.layout.project, written, own, self._places.temporary)
        return give(self._plan, self._site.plan.pipeline, self._site.run.parameters, folders)


def _as_entry(folder: str, work: Path) -> str:
    """Return a folder as PYTHONPATH can hold it: from the working directory where its own path would be split there."""
    return os.path.relpath(folder, work) if os.pathsep in folder else folder


def _collect(places: StepPlaces) -> None:
    """Move what the script wrote under outputs/ and logs/ to the files of its run.

    Raises OSError.
    """
    for name in _COLLECTED:
        source, target = places.work / name, places.artifacts / name
        # What a link leads to belongs to somebody else.
        if source.is_dir() and not source.is_symlink() and not _is_empty(source):
            target.parent.mkdir(parents=True, exist_ok=True)
            merge_tree(source, target)


def _is_empty(folder: Path) -> bool:
    try:
        return not os.listdir(folder)
    except PermissionError:
        return False  # Perhaps: it is moved as a whole.

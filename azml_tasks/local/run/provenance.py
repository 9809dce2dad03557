"""Compare the earlier results that a run uses with the current project."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from azml_tasks.errors import ProjectError
from azml_tasks.local.reuse.reads import InputMissingError
from azml_tasks.local.run.step_run import StepRun
from azml_tasks.local.step.arguments import fixed_arguments
from azml_tasks.local.step.local_run import LocalRun
from azml_tasks.local.store.questions import OF_RUNS
from azml_tasks.local.store.records import LocalRunRecord, LocalStepRecord, read_run
from azml_tasks.local.store.results import Fingerprint, Result
from azml_tasks.runs.changes.differences import ABSENT, Difference, in_one_line
from azml_tasks.runs.changes.settings import SETTINGS
from azml_tasks.runs.origin import Origin
from azml_tasks.snapshot import Snapshot, SnapshotBuilder, take_snapshots
from azml_tasks.text import listed

if TYPE_CHECKING:
    from azml_tasks.plan import StepPlan

_MOST = 3
_Given = Mapping[str, LocalStepRecord]


def with_differences(site: LocalRun, given: _Given) -> dict[str, LocalStepRecord]:
    """Return the records of the steps whose last results are used, with the differences in their reasons."""
    provenance = _Provenance(site, given)
    return {key: replace(record, reason=provenance.reason(record)) for key, record in given.items()}


def with_their_settings(site: LocalRun) -> LocalRun:
    """Return the run whose record has, for each step whose last result is used, the settings that it was made with."""
    settings = dict(site.run.settings)
    runs = {producer: read_run(site.layout.run(producer)) for producer in {one.producer for one in site.given.values()}}
    for key, record in site.given.items():
        made = runs[record.producer]
        if made is not None:
            settings.pop(key, None)
            settings.update({key: made.settings[key]} if key in made.settings else {})
    return replace(site, run=replace(site.run, settings=settings))


class _Provenance:
    """The origin of the last results of steps; `given` are the steps whose results the run uses."""

    def __init__(self, site: LocalRun, given: _Given) -> None:
        self._site = site
        self._given = given
        self._builder = SnapshotBuilder(site.layout.project, site.contents.hash_file)
        self._runs: dict[str, LocalRunRecord | None] = {}
        self._found: dict[str, list[str]] = {}
        # Steps, and the runs that read their results, where neither they nor those before them differ.
        self._same: set[tuple[str, str]] = set()

    def reason(self, record: LocalStepRecord) -> str:
        """Return why the last result of a step is used, and how it differs from the current file."""
        key = record.key
        result = self._site.results.of(key).latest
        if result is None:
            return record.reason
        run = self._run(result.run_id)
        found = [*self._differences(key, result), *self._ending(key, run)]
        if found:
            return _sentence(result, found)
        earlier = self._earlier(key, result.run_id)
        return f"result of {result.run_id}, made from {earlier}" if earlier else record.reason

    def _run(self, run_id: str) -> LocalRunRecord | None:
        if run_id not in self._runs:
            self._runs[run_id] = read_run(self._site.layout.run(run_id))
        return self._runs[run_id]

    def _earlier(self, key: str, run_id: str) -> str:
        """Describe how the nearest upstream result of a step, in that run, differs from the current file.

        Those of `given` have their own line. Replaced ones are ignored.
        """
        waiting = deque((above, run_id) for above in self._site.plan[key].upstream)
        seen = set(self._same)
        while waiting:
            key, reader = waiting.popleft()
            result = self._site.results.of(key).latest
            is_seen = (key, reader) in seen
            seen.add((key, reader))
            if is_seen or key in self._given or not result or self._producers(reader).get(key) != result.run_id:
                continue
            found = self._differences(key, result)
            if found:
                return f"{key}: {_sentence(result, found)}"
            waiting.extend((above, result.run_id) for above in self._site.plan[key].upstream)
        self._same = seen
        return ""

    def _producers(self, run_id: str) -> dict[str, str]:
        run = self._run(run_id)
        return {step.key: step.producer for step in run.steps} if run else {}

    def _differences(self, key: str, result: Result) -> list[str]:
        if key not in self._found:
            self._found[key] = list(self._compared(self._site.plan[key], result))
        return self._found[key]

    def _compared(self, step: StepPlan, result: Result) -> Iterator[str]:
        try:
            snapshot = take_snapshots(self._builder, [step])[step.key]
        except (ProjectError, OSError) as error:
            yield self._unreadable(step, error)
            return
        attempt, today, gone = self._today(step, snapshot, result)
        found = [one for one in attempt.differences(result, today) if one.kind != OF_RUNS]
        changes = [one for one in found if one.kind in SETTINGS and not one.sentence]
        run = self._run(result.run_id)
        if changes:
            yield from _change_texts(changes, self._site.run.origin, run.origin if run else Origin())
        others = [one for one in found if one not in changes]
        if others:
            yield f"since then {in_one_line(others)}"
        if gone:
            yield gone

    def _unreadable(self, step: StepPlan, error: ProjectError | OSError) -> str:
        script = self._site.layout.project / os.path.join(step.step.script_directory, step.step.script_name)
        if isinstance(error, ProjectError) and script.is_file():
            return f"its files cannot be read now: {error.problems[0]}"
        return "its script cannot be read now"

    def _today(self, step: StepPlan, snapshot: Snapshot, result: Result) -> tuple[StepRun, Fingerprint, str]:
        """Return what a current result would depend on; if unknown, what the earlier one depends on.

        The text describes missing data.
        """
        site = self._site
        upstream = {key: record for key in step.upstream if (record := self._given.get(key) or _last(site, key))}
        attempt = StepRun(site, step, snapshot, upstream)
        gone = ""
        # A result of another release depends on other things of the machine.
        if result.reads is not None and all(key in upstream for key in step.upstream):
            try:
                return attempt, attempt.fingerprint, ""
            except InputMissingError as error:
                gone = str(error)
            except (KeyError, OSError):
                pass
        argv = fixed_arguments(attempt.plan, site.run.parameters)
        files = dict(snapshot.hashes)
        return attempt, replace(result.fingerprint, script=snapshot.script, files=files, argv=argv), gone

    def _ending(self, key: str, run: LocalRunRecord | None) -> Iterator[str]:
        unkept = self._site.results.of(key).why_unkept
        if unkept:
            yield unkept
        if run and run.id != self._site.run.id and run.status != "completed":
            yield f"that run {run.ending}"


def _sentence(result: Result, found: list[str]) -> str:
    made = ", " if found[0].startswith("made") else "; "
    return f"result of {result.run_id}{made}{'; '.join(found)}"


def _last(site: LocalRun, key: str) -> LocalStepRecord | None:
    result = site.results.of(key).latest
    if result is None:
        return None
    return LocalStepRecord(key, "reused", places=result.places, outputs=result.outputs, producer=result.run_id)


def _change_texts(changes: list[Difference], now: Origin, before: Origin) -> Iterator[str]:
    more = f" and {len(changes) - _MOST} more" if len(changes) > _MOST else ""
    some = changes[:_MOST]
    yield f"made with {listed(_with_value(change, change.before, change.texts()[0]) for change in some)}{more}"
    set_now = [change for change in some if change.is_of(now.set_names)]
    alone = len(some) == 1
    for source, group in (("pipeline.yaml", [c for c in some if c not in set_now]), ("--set", set_now)):
        if group:
            yield f"{source} has {listed(_new_value(change, alone) for change in group)}"
    was_set = [change.name for change in some if change.is_of(before.set_names)]
    if was_set:
        yield f"{listed(was_set)} came from --set"
    if before.target and now.target != before.target:
        yield f"that run used the target {before.target}"


def _new_value(change: Difference, alone: bool) -> str:
    """Return the value of today; without its name where it is the only change."""
    text = change.texts()[1]
    if not alone:
        return _with_value(change, change.now, text)
    return "none" if change.now is ABSENT else text or change.name


def _with_value(change: Difference, value: object, text: str) -> str:
    if value is ABSENT:
        return f"no {change.name}"
    return f"{change.name}={text}" if text else change.name

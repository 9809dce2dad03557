"""Run the steps in parallel, each as soon as those before it have completed."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import FrameType
from typing import Any

from azml_tasks.local.attempt import Attempt, Stopped
from azml_tasks.local.destinations import DestinationError
from azml_tasks.local.files import read_json
from azml_tasks.local.preload import Preload, modules_to_preload
from azml_tasks.local.process import ProcessIdentity
from azml_tasks.local.processes import Ended, Processes
from azml_tasks.local.record import RunRecord, StepRecord
from azml_tasks.local.reuse.reads import InputMissingError
from azml_tasks.local.reuse.replay import replay
from azml_tasks.local.runner_lock import held
from azml_tasks.local.runs import mark_finished, mark_unfinished
from azml_tasks.local.selection import Selection
from azml_tasks.local.site import Site
from azml_tasks.runs.events import (
    Listener,
    Remark,
    RunFinished,
    RunStarted,
    RunStopping,
    StepFinished,
    StepReused,
    StepSkipped,
    StepStarted,
    Tick,
)
from azml_tasks.runs.records import RunStatus
from azml_tasks.snapshot import Snapshot
from azml_tasks.standin.azml_local.formats.copies import StoppedError
from azml_tasks.wiring.tokens import FolderInput

_PATIENCE_WITH_US = 3
# How often (seconds) to look whether a script has cancelled the run.
_LOOK_EVERY = 0.5
_SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
if sys.platform != "win32":
    _SIGNALS[signal.SIGHUP] = "the end of its terminal"
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


class Scheduler:
    """One run while it goes on.

    `records` holds what is known of each step, `waiting` those that may still start, `missing` how many others each
    of them waits for, `running` the attempts under way, and `halt` says why nothing more is started, if so.
    """

    def __init__(
        self,
        site: Site,
        snapshots: Mapping[str, Snapshot],
        given: Mapping[str, StepRecord],
        selection: Selection,
        processes: Processes,
        tell: Listener,
    ) -> None:
        self.site = site
        self.snapshots = snapshots
        self.forced = selection.forced
        self.processes = processes
        self.tell = tell
        self.records = dict(given)
        chosen = {*selection.steps, *given}
        self.keys = tuple(step.key for step in site.plan.steps if step.key in chosen)
        self.waiting = dict.fromkeys(selection.steps)
        self.missing = {key: sum(a in self.waiting for a in site.plan[key].upstream) for key in self.waiting}
        self.following: dict[str, list[str]] = {step.key: [] for step in site.plan.steps}
        for key in selection.steps:
            for above in site.plan[key].upstream:
                self.following[above].append(key)
        self.ready = deque(key for key in selection.steps if not self.missing[key])
        self.running: dict[str, tuple[Attempt, StepRecord]] = {}
        self.stopped: dict[str, Stopped] = {}
        self.deadlines: dict[str, float] = {}
        self.grace = 0.0
        self.halt = ""
        self.interrupts: list[str] = []
        self.stopping = False
        self.ticked = time.monotonic()
        self.is_warm = False

    def run(self, jobs: int, tick: float | None, grace: float, remarks: Iterable[str]) -> RunRecord:
        """Run everything to its end, so many steps at once."""
        with held(self.site.run.places):
            return self._run(jobs, tick, grace, remarks)

    def _run(self, jobs: int, tick: float | None, grace: float, remarks: Iterable[str]) -> RunRecord:
        self.grace = grace
        run = self._save_run("running", process=ProcessIdentity.own())
        for record in self.records.values():
            record.save(run.places)
            replay(record.places, run.places)
        self.tell(RunStarted(run, tuple(self.waiting), tuple(self.records.values())))
        for remark in remarks:
            self._remark(remark)
        try:
            with self._signals_caught():
                self._loop(jobs, tick)
        except BaseException:
            # Without the process that runs it the record is that of an interrupted run, however long this one lives.
            with contextlib.suppress(OSError):
                self._save_run("running")
            raise
        good = all(record.ok for record in self.records.values())
        status: RunStatus = "completed" if good else "cancelled" if self.interrupts else "failed"
        stopped_by = self.interrupts[0] if status == "cancelled" else ""
        run = self._save_run(status, finished=time.time(), stopped_by=stopped_by)
        with contextlib.suppress(OSError):  # Without it the next run hashes again.
            self.site.contents.save()
            self.site.results.store.tidy()
            mark_finished(run.places)
        self.tell(RunFinished(run))
        return run

    def _save_run(self, status: RunStatus, **values: Any) -> RunRecord:
        known = (self.records.get(key) or StepRecord(key, places=self.site.run.places.step(key)) for key in self.keys)
        run = replace(self.site.run, status=status, steps=tuple(known), **values)
        run.save()
        return run

    # The loop

    def _loop(self, jobs: int, tick: float | None) -> None:
        while self.waiting or self.running:
            while self.ready and not self.halt and len(self.running) < jobs:
                self._begin(self.ready.popleft())
                self._mind_interrupts()
            if self.halt:
                self._skip_the_rest()
            if self.running:
                ended = self.processes.wait(self._patience(tick))
                self._mind_the_scripts()
                for process in ended:
                    self._end(process)
                self._enforce_deadlines()
                if tick is not None and time.monotonic() - self.ticked >= tick:
                    self.ticked = time.monotonic()
                    self.tell(Tick())
            self._mind_interrupts()

    def _patience(self, tick: float | None) -> float:
        """Return how many seconds may pass before something has to be looked at."""
        times = [deadline - time.monotonic() for deadline in self.deadlines.values()]
        return max(0.0, min([*times, tick or _LOOK_EVERY, _LOOK_EVERY]))

    # One step

    def _begin(self, key: str) -> None:
        """Reuse the step's earlier result, or start it."""
        plan = self.site.plan[key]
        attempt = Attempt(self.site, plan, self.snapshots[key], self.records)
        try:
            decision = attempt.decide(key in self.forced)
            if decision.result is not None:
                self._settle(attempt.reuse(decision.result, decision.reason))
                return
            if not self.is_warm:
                mark_unfinished(self.site.run.places)
            launch = attempt.launch(self._remark, lambda: not self.interrupts)
        except (InputMissingError, DestinationError) as error:
            attempt.clear()
            self._settle(replace(attempt.started(""), status="failed", message=str(error), finished=time.time()))
            return
        except StoppedError:
            attempt.clear()
            message = f"it was stopped by {self.interrupts[0]}"
            self._settle(replace(attempt.started(""), status="cancelled", message=message, finished=time.time()))
            return
        record = attempt.started(decision.reason)
        record.save(self.site.run.places)
        if not self.is_warm:
            self.is_warm = True
            self.processes.preload(self._preload())
        self.processes.start(launch)
        del self.waiting[key]
        self.running[key] = (attempt, record)
        if plan.step.max_run_duration_seconds is not None:
            self.deadlines[key] = time.monotonic() + plan.step.max_run_duration_seconds
        self.tell(StepStarted(record))

    def _remark(self, text: str) -> None:
        self.tell(Remark(text))

    def _preload(self) -> Preload:
        inputs = (item for key in self.waiting for item in self.site.plan[key].inputs)
        reads_data = any(not isinstance(item, FolderInput) for item in inputs)
        return modules_to_preload((self.snapshots[key] for key in self.waiting), reads_data)

    def _end(self, process: Ended) -> None:
        attempt, record = self.running.pop(process.id)
        self.deadlines.pop(process.id, None)
        record = attempt.finish(record, process, self.stopped.pop(process.id, None))
        self._settle(record)
        attempt.keep(record, self.processes.ahead)

    def _settle(self, record: StepRecord) -> None:
        """Write a step's final record, and let go or skip what follows."""
        self.waiting.pop(record.key, None)
        self.records[record.key] = record
        record.save(self.site.run.places)
        if record.status == "skipped":
            self.tell(StepSkipped(record))
        elif record.status == "reused":
            self.tell(StepReused(record))
        else:
            self.tell(StepFinished(record))
        if record.ok:
            for key in self.following[record.key]:
                self.missing[key] -= 1
                if not self.missing[key]:
                    self.ready.append(key)
        elif self.site.plan.pipeline.continue_on_step_failure:
            for key in self.following[record.key]:
                if key in self.waiting:
                    self._skip(key, f"it follows '{record.key}', which did not complete")
        elif not self.halt:
            self.halt = f"'{record.key}' failed"

    def _skip(self, key: str, reason: str) -> None:
        places = self.site.run.places.step(key)
        self._settle(StepRecord(key, "skipped", reason, places=places, producer=self.site.run.id))

    def _skip_the_rest(self) -> None:
        for key in tuple(self.waiting):
            self._skip(key, self.halt)

    # Stopping

    def _enforce_deadlines(self) -> None:
        """Stop steps that have run too long, and kill those that were told to stop and did not."""
        now = time.monotonic()
        for key in [key for key, deadline in self.deadlines.items() if deadline <= now]:
            if key in self.stopped:
                del self.deadlines[key]
                self._signal(key, _KILL)
            else:
                limit = self.site.plan[key].step.max_run_duration_seconds
                self._stop(key, Stopped("failed", f"it was stopped after {limit} s, its max_run_duration_seconds"))

    def _stop(self, key: str, why: Stopped) -> None:
        self.stopped[key] = why
        self.deadlines[key] = time.monotonic() + self.grace
        self._signal(key, signal.SIGTERM)

    def _signal(self, key: str, number: int) -> None:
        self.processes.signal(key, number)

    def _mind_the_scripts(self) -> None:
        """Stop everything when a script has cancelled the pipeline's run, which is how it says not to go on."""
        if not self.interrupts:
            said = read_json(self.site.run.places.parent / "status.json")
            if said is not None and said.get("status") == "Canceled":
                self.interrupts.append("run.parent.cancel()")
                self._mind_interrupts()

    def _mind_interrupts(self) -> None:
        """Stop everything when Ctrl-C was pressed, and kill it when it was pressed again."""
        if not self.interrupts:
            return
        if not self.stopping:
            self.stopping = True
            self.halt = f"the run was stopped by {self.interrupts[0]}"
            self.tell(RunStopping(self.halt))
            for key in self.running:
                self._stop(key, Stopped("cancelled", f"it was stopped by {self.interrupts[0]}"))
        elif len(self.interrupts) > 1:
            for key in self.running:
                self._signal(key, _KILL)

    @contextlib.contextmanager
    def _signals_caught(self) -> Iterator[None]:
        """Note Ctrl-C and the like instead of being ended by them; a third Ctrl-C ends the runner itself."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: FrameType | None) -> None:
            self.interrupts.append(_SIGNALS[signal.Signals(number)])
            self.processes.wake()
            if len(self.interrupts) >= _PATIENCE_WITH_US:
                raise KeyboardInterrupt

        # What is ignored stays so: `nohup invoke run` is to outlive its terminal.
        heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, note) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

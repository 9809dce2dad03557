"""Run the steps in parallel, each as soon as those before it have completed."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import FrameType

from azml_tasks.local.reuse.decide import Decision, NewResult
from azml_tasks.local.reuse.reads import InputMissingError
from azml_tasks.local.reuse.replay import register_again, replay
from azml_tasks.local.run.outputs import DestinationError, sharing_of
from azml_tasks.local.run.processes import Processes, ProcessExit
from azml_tasks.local.run.step_run import StepRun, Stopped
from azml_tasks.local.step.local_run import LocalRun
from azml_tasks.local.store.long_reads import LongWork
from azml_tasks.local.store.records import LocalRunRecord, LocalStepRecord
from azml_tasks.plan.plan import FolderInput
from azml_tasks.runs.records import (
    Listener,
    Remark,
    RunFinished,
    RunStarted,
    RunStatus,
    RunStopping,
    StepStarted,
    Tick,
    end_of,
)
from azml_tasks.standin.azml_local.formats.copies import StoppedError

_PATIENCE_WITH_US = 3
# For how long (seconds) files of steps that have ended are still read after Ctrl-C.
_LAST_READS = 1.0
# How often (seconds) to look whether a script has cancelled the run.
_LOOK_EVERY = 0.5
_SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
if sys.platform != "win32":
    _SIGNALS[signal.SIGHUP] = "SIGHUP (terminal closed)"
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


class Scheduler:
    """One run while it continues.

    `records` holds what is known of each step, `waiting` those that may still start, `missing` how many others each
    of them waits for, `running` the attempts under way, and `halt` says why nothing more is started, if so.
    """

    def __init__(self, site: LocalRun, processes: Processes, tell: Listener) -> None:
        selection, given = site.selection, site.given
        self.site = site
        self.snapshots = site.snapshots
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
        self.running: dict[str, tuple[StepRun, LocalStepRecord]] = {}
        self.ended: deque[tuple[LocalStepRecord, NewResult]] = deque()
        self.stopped: dict[str, Stopped] = {}
        self.deadlines: dict[str, float] = {}
        self.halt = ""
        self.interrupts: list[str] = []
        self.stopping = False
        self.ticked = time.monotonic()
        self.is_warm = False
        self.last_read = 0.0
        self.thread = threading.current_thread()
        self.said: deque[str] = deque()
        self.work = LongWork(site.contents.pace, processes.wake)
        site.contents.pace.say = self._say

    def run(self, jobs: int, tick: float | None, grace: float) -> LocalRunRecord:
        """Run everything to its end, so many steps at once."""
        with self.site.held():
            return self._run(jobs, tick, grace)

    def _run(self, jobs: int, tick: float | None, grace: float) -> LocalRunRecord:
        self.grace = grace
        run = self.site.start(self.keys, self.records)
        for key, record in self.records.items():
            replay(record.places, run.places)
            register_again(self.site.results.of(key).latest, self.site.layout, self.site.contents)
        self.tell(RunStarted(run, tuple(self.waiting), tuple(self.records.values())))
        for remark in self.site.remarks:
            self._remark(remark)
        try:
            with self._signals_caught():
                self._loop(jobs, tick)
        except BaseException:
            # Without the process that runs it the record is that of an interrupted run, however long this one lives.
            with contextlib.suppress(OSError):
                self.site.save("running", self.keys, self.records)
            raise
        finally:
            self.work.close()
        good = all(record.ok for record in self.records.values())
        status: RunStatus = "completed" if good else "cancelled" if self.interrupts else "failed"
        stopped_by = self.interrupts[0] if status == "cancelled" else ""
        run = self.site.save(status, self.keys, self.records, finished=time.time(), stopped_by=stopped_by)
        self.site.end()
        self.tell(RunFinished(run))
        return run

    # The loop

    def _loop(self, jobs: int, tick: float | None) -> None:
        while self.waiting or self.running or self.ended or self.work.is_busy:
            while self.ready and not self.halt and len(self.running) + self.work.pending < jobs:
                self._begin(self.ready.popleft())
                self._mind_interrupts()
            for key in tuple(self.waiting) if self.halt else ():
                self._skip(key, self.halt)
            self._keep_results()
            if self.running or self.work.is_busy:
                self.site.save_reused()
                ended = self.processes.wait(self._patience(tick))
                self._mind_the_scripts()
                for process in ended:
                    self._end(process)
                self.work.settle()
                self._tell_what_threads_said()
                self._enforce_deadlines()
                if tick is not None and time.monotonic() - self.ticked >= tick:
                    self.ticked = time.monotonic()
                    self.tell(Tick())
            self._mind_interrupts()

    def _may_read(self) -> bool:
        """Return whether the files of a step that has ended are still read: after Ctrl-C only what takes no time."""
        if self.interrupts and not self.last_read:
            self.last_read = time.monotonic() + _LAST_READS
        return not self.last_read or time.monotonic() < self.last_read

    def _say(self, text: str) -> None:
        """Report what is read, in the main thread."""
        if threading.current_thread() is self.thread:
            self._remark(text)
        else:
            self.said.append(text)
            self.processes.wake()

    def _tell_what_threads_said(self) -> None:
        while self.said:
            self._remark(self.said.popleft())

    def _patience(self, tick: float | None) -> float:
        """Return how many seconds may pass before something has to be looked at."""
        times = [deadline - time.monotonic() for deadline in self.deadlines.values()]
        return max(0.0, min([*times, tick or _LOOK_EVERY, _LOOK_EVERY]))

    # One step

    def _begin(self, key: str) -> None:
        """Decide whether the step's earlier result is reused or the step started."""
        attempt = StepRun(self.site, self.site.plan[key], self.snapshots[key], self.records)
        if self.is_warm:
            self.site.contents.look_again()

        def decide() -> Decision:
            decision = attempt.decide(key in self.forced)
            if decision.result is None:
                attempt.fingerprint  # noqa: B018 - here, because reading the data for it may take long
            return decision

        self.work.do(
            decide,
            lambda decided: self._launch(attempt, decided),
            lambda: key in self.waiting and not self.interrupts,
            at_once=self.processes.debugs,
        )

    def _launch(self, attempt: StepRun, decided: Callable[[], Decision]) -> None:
        plan, key = attempt.plan, attempt.plan.key
        if key not in self.waiting:
            return  # Skipped in the meantime.
        try:
            decision = decided()
            if decision.result is not None:
                self._settle(attempt.reuse(decision.result, decision.reason))
                return
            if not self.is_warm:
                self.site.begin()
            launch = attempt.launch(self._remark, lambda: not self.interrupts)
        except (InputMissingError, DestinationError) as error:
            attempt.clear()
            self._settle(replace(attempt.started(""), status="failed", message=str(error), finished=time.time()))
            return
        except StoppedError:
            attempt.clear()
            message = f"stopped by {self.interrupts[0]}"
            self._settle(replace(attempt.started(""), status="cancelled", message=message, finished=time.time()))
            return
        record = attempt.started(decision.reason)
        self.site.save_step(record)
        if not self.is_warm:
            self.is_warm = True
            inputs = (item for key in self.waiting for item in self.site.plan[key].inputs)
            reads_data = any(not isinstance(item, FolderInput) for item in inputs)
            self.processes.warm_up([self.snapshots[key] for key in self.waiting], reads_data)
        self.processes.start(launch)
        del self.waiting[key]
        self.running[key] = (attempt, record)
        if plan.step.max_run_duration_seconds is not None and not self.processes.debugs:
            self.deadlines[key] = time.monotonic() + plan.step.max_run_duration_seconds
        self.tell(StepStarted(record))

    def _remark(self, text: str) -> None:
        self.tell(Remark(text))

    def _end(self, process: ProcessExit) -> None:
        attempt, record = self.running.pop(process.id)
        self.deadlines.pop(process.id, None)
        stopped = self.stopped.pop(process.id, None)
        if stopped or process.exit_code != 0:
            self._finish(attempt, attempt.finish(record, process, stopped))
            return

        def finish(read: Callable[[], object]) -> None:
            stopped = None
            try:
                with contextlib.suppress(OSError):  # It is raised again.
                    read()
            except StoppedError:
                stopped = Stopped("cancelled", f"stopped by {self.interrupts[0]}")
            self._finish(attempt, attempt.finish(record, process, stopped))

        self.work.do(lambda: attempt.outputs, finish, self._may_read, at_once=self.processes.debugs)

    def _finish(self, attempt: StepRun, record: LocalStepRecord) -> None:
        for remark in attempt.remarks:
            self._remark(remark)
        self._settle(record)
        if not self.processes.debugs:
            with self.work.limited(self._may_read):
                self.ended.append((record, attempt.prepare_result(record, self.processes.ahead)))

    def _keep_results(self) -> None:
        """Store the results of steps that have ended, while those after them run already."""
        while self.ended:
            record, result = self.ended.popleft()
            self.work.do(result.read, partial(self._keep, record, result), self._may_read)

    def _keep(self, record: LocalStepRecord, result: NewResult, read: Callable[[], None]) -> None:
        sharing = sharing_of(record, self.site) if record.outputs else None
        with self.work.limited(self._may_read):
            read()
            result.store()
        if sharing:
            self.work.do_aside(sharing, lambda: not self.interrupts)

    def _settle(self, record: LocalStepRecord) -> None:
        """Write a step's final record, and start or skip the steps after it."""
        self.waiting.pop(record.key, None)
        self.records[record.key] = record
        self.site.save_step(record)
        self.tell(end_of(record))
        if record.ok:
            for key in self.following[record.key]:
                self.missing[key] -= 1
                if not self.missing[key]:
                    self.ready.append(key)
        elif self.site.plan.pipeline.continue_on_step_failure:
            for key in self.following[record.key]:
                if key in self.waiting:
                    self._skip(key, f"it depends on '{record.key}', which did not complete")
        elif not self.halt:
            self.halt = f"'{record.key}' failed"

    def _skip(self, key: str, reason: str) -> None:
        self._settle(self.site.skipped(key, reason))

    # Stopping

    def _enforce_deadlines(self) -> None:
        """Stop steps that exceed their time limit, and kill those that did not stop in time."""
        now = time.monotonic()
        for key in [key for key, deadline in self.deadlines.items() if deadline <= now]:
            if key in self.stopped:
                del self.deadlines[key]
                self.processes.signal(key, _KILL)
            else:
                limit = self.site.plan[key].step.max_run_duration_seconds
                self._stop(key, Stopped("failed", f"stopped after {limit} s (max_run_duration_seconds)"))

    def _stop(self, key: str, why: Stopped) -> None:
        self.stopped[key] = why
        self.deadlines[key] = time.monotonic() + self.grace
        self.processes.signal(key, signal.SIGTERM)

    def _mind_the_scripts(self) -> None:
        """Stop everything if a script has cancelled the pipeline's run."""
        if not self.interrupts and self.site.was_cancelled_by_script():
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
                self._stop(key, Stopped("cancelled", f"stopped by {self.interrupts[0]}"))
        elif len(self.interrupts) > 1:
            for key in self.running:
                self.processes.signal(key, _KILL)

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

        # Ignored signals stay ignored: `nohup invoke run` must outlive its terminal.
        heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, note) for number in heeded}
        if self.processes.debugs and signal.SIGINT in before:
            # Ctrl-C is for the debugger, which has the same terminal.
            signal.signal(signal.SIGINT, lambda *_: None)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

"""Decide whether an earlier result of a step is reused, and store new results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from azml_tasks.local.reuse.answers import Answers
from azml_tasks.local.reuse.compare import Comparison
from azml_tasks.local.reuse.reads import Inputs
from azml_tasks.local.reuse.replay import keep_what_it_did, lost_registration, register_again, replay
from azml_tasks.local.reuse.shared import Shared
from azml_tasks.local.step.arguments import fixed_arguments
from azml_tasks.local.step.environment import definition_of
from azml_tasks.local.step.local_run import LocalRun
from azml_tasks.local.store.long_reads import slow_property
from azml_tasks.local.store.questions import OF_FILES, OF_OTHER_STEPS, OF_RUNS, describe_change
from azml_tasks.local.store.records import LocalStepRecord
from azml_tasks.local.store.results import Fingerprint, Result
from azml_tasks.plan.plan import DatasetInput
from azml_tasks.runs.changes.differences import Difference, Reason, stated_difference
from azml_tasks.snapshot import Snapshot
from azml_tasks.text import listed

if TYPE_CHECKING:
    from azml_tasks.local.environments import VirtualEnvironment
    from azml_tasks.local.reuse.trace import Trace
    from azml_tasks.local.store.paths import StepPaths
    from azml_tasks.plan import StepPlan

_OF_ANOTHER_RELEASE = Reason("unkept", "its earlier result is from another release of azml-tasks")
# Kinds of questions whose answers a step may change that has yet to run; secrets may be in .env.
_CHANGEABLE = OF_FILES | OF_OTHER_STEPS | {"secret"}


class Decision(NamedTuple):
    """Whether an earlier result of a step is reused, and the reason."""

    result: Result | None
    reason: Reason


class NewResult(NamedTuple):
    """The result of a step that has ended: `read` may take long, and be called in a thread; `store` reads the rest.

    Both raise OSError and StoppedError.
    """

    read: Callable[[], None] = lambda: None
    store: Callable[[], None] = lambda: None


class Reuse:
    """Reuse for one step of one run; `records` are those of the steps."""

    def __init__(
        self,
        site: LocalRun,
        plan: StepPlan,
        snapshot: Snapshot,
        records: Mapping[str, LocalStepRecord],
    ) -> None:
        self._site = site
        self._plan = plan
        self._snapshot = snapshot
        self._upstream = {key: records[key] for key in plan.upstream if key in records}
        self.inputs = Inputs(site, plan, self._upstream)
        self._answers = Answers(site, plan, snapshot, records)

    @cached_property
    def _places(self) -> StepPaths:
        return self._site.run.places.step(self._plan.key)

    @property
    def virtual(self) -> VirtualEnvironment | None:
        """The virtual environment that the step runs in, if it has one."""
        return self._site.virtual_environments.get(self._site.plan.pipeline.env_of(self._plan.step) or "")

    @slow_property
    def fingerprint(self) -> Fingerprint:
        """What the step's result depends on, as far as known before the step runs.

        Raises InputMissingError, OSError.
        """
        return self._fingerprint(self.inputs.described())

    def _fingerprint(self, inputs: Mapping[str, Mapping[str, Any]]) -> Fingerprint:
        pipeline = self._site.plan.pipeline
        return Fingerprint(
            script=self._snapshot.script,
            files=dict(self._snapshot.hashes),
            argv=fixed_arguments(self._plan, self._site.run.parameters),
            inputs=inputs,
            environment=definition_of(pipeline, self._plan.step, self._site.layout.project, self.virtual),
        )

    @cached_property
    def _shared(self) -> Shared:
        return Shared(self._site, self.virtual, self._answers.start)

    def decide(self, forced: bool) -> Decision:
        """Return whether an earlier result of the step can be reused, and change nothing.

        Raises InputMissingError, OSError.
        """
        known = self._site.results.of(self._plan.key)
        if forced:
            return Decision(None, Reason("requested", f"{self._site.selection.by} was given"))
        if self._plan.step.allow_reuse is False:
            return Decision(None, Reason("always", "allow_reuse is false"))
        newest = None
        for found in known.find(self.fingerprint.digest):
            if not self._stale_reason(found) and next(self._changed_reads(found), None) is None:
                unchecked = f"; not checked: {', '.join(found.unchecked)}" if found.unchecked else ""
                return Decision(found, Reason("same", f"reused from {found.run_id}{unchecked}"))
            newest = newest or found
        if known.why_unkept:
            return Decision(None, Reason("unkept", known.why_unkept))
        return Decision(None, self._why_not(newest or known.latest))

    def _why_not(self, result: Result | None) -> Reason:
        """Return why a result is not reused."""
        if result is None:
            return Reason("new", "no earlier result")
        if result.reads is None:
            return _OF_ANOTHER_RELEASE
        is_same = result.fingerprint.digest == self.fingerprint.digest
        damage = self._stale_reason(result) if is_same else None
        if damage:
            return Reason("damaged", damage)
        found = self.differences(result)
        if found and all(one.kind == OF_RUNS for one in found):
            return Reason("always", differences=tuple(found))
        return Reason.of_changes(found) if found else _OF_ANOTHER_RELEASE

    def foresee(self) -> Decision:
        """Return what is known of the decision before steps that it depends on have run; it may be reused if they give
        the same.

        Raises InputMissingError, OSError.
        """
        known = self._site.results.of(self._plan.key)
        latest = known.latest
        if latest is None or latest.reads is None:
            return Decision(None, self._why_not(latest))
        now = self._fingerprint_as_in(latest)
        reason = Reason.of_changes(self.differences(latest, now, of_other_steps=False))
        for result in known.all:
            changed = self._changed_reads(result, left_out=_CHANGEABLE)
            if _is_same_definition(result.fingerprint, now) and next(changed, None) is None:
                return Decision(latest, reason)
        return Decision(None, Reason("unkept", known.why_unkept) if known.why_unkept else reason)

    def _fingerprint_as_in(self, result: Result) -> Fingerprint:
        """Return the fingerprint with the outputs that steps wrote for an earlier result.

        Raises InputMissingError, OSError.
        """
        read = {item.name for item in self._plan.inputs if not isinstance(item, DatasetInput)}
        earlier = {name: value for name, value in result.fingerprint.inputs.items() if name in read}
        return self._fingerprint({**earlier, **self.inputs.described(of_steps=False)})

    def differences(
        self, result: Result, now: Fingerprint | None = None, of_other_steps: bool = True
    ) -> list[Difference]:
        """Return how an earlier result differs from a new one, as far as that is known before the step runs.

        `now` is the fingerprint of a new one. Without `of_other_steps`, what the step read of other steps' runs is left
        out. Raises InputMissingError, OSError.
        """
        comparison = Comparison(self._site.plan.pipeline, self._plan, self._snapshot, self._site.layout.project)
        found = comparison.differences(result.fingerprint, now or self.fingerprint)
        if result.reads is not None:
            named = {(one.kind, one.name) for one in found}
            # Data that a step reads as its input are also files that it read.
            data = comparison.places_of_data(found)
            found += (
                one
                for one in self._changed_reads(result, frozenset() if of_other_steps else OF_OTHER_STEPS)
                if (one.kind, one.name) not in named and not f"{one.name}/".startswith(data)
            )
        return found

    def _stale_reason(self, result: Result) -> str | None:
        """Return why the files of a result cannot be reused; None if they can."""
        missing = [output.argument for output in self._plan.outputs if output.name not in result.outputs]
        if missing:
            return f"its earlier result has no {listed(missing)}"
        if lost := lost_registration(result.places, result.registered, self._site.layout):
            return f"the record of what it registered is damaged ({self._site.layout.root.name}/{lost})"
        return self._site.results.stale_reason(result)

    def _changed_reads(self, result: Result, left_out: frozenset[str] = frozenset()) -> Iterator[Difference]:
        """Yield what changed among everything that the step read, each once, but for the kinds left out."""
        for digest in result.sets:
            found = self._shared.difference(digest)
            if found:
                yield stated_difference(found, "installation")
        has_other_key = any(map(self._shared.has_other_key, result.sets))
        said: set[str] = set()
        for question, answer in (result.reads or {}).items():
            if left_out and question.partition(":")[0] in left_out:
                continue
            if has_other_key and self._answers.is_keyed(question):
                continue
            now = self._answers.answer(question)
            if now != answer:
                change = describe_change(question, answer, now)
                # Names, sizes and times of the files in a folder are different questions, and one change.
                if str(change) not in said:
                    said.add(str(change))
                    yield change

    def stand_in(self, result: Result) -> None:
        """Repeat the step's effects besides its outputs, and record the result as its last one.

        Raises OSError.
        """
        site = self._site
        if result.on_parent:
            replay(result.places, site.run.places)
        register_again(result, site.layout, site.contents)
        site.results.of(self._plan.key).record_latest(result)

    def _add_tracking(self, trace: Trace) -> None:
        """Add what the step has read of other steps' MLflow runs."""
        from azml_tasks.local.reuse.recorded import signature

        tracking = self._site.tracking.of(self._plan.key)
        if tracking is not None:
            for path in tracking.looked:
                trace.files.setdefault(path, signature(path))
            trace.has_searched_runs = tracking.has_searched

    def prepare_result(self, record: LocalStepRecord, ahead: Mapping[str, list[str]]) -> NewResult:
        """Look at what the step read and did, and return its result, which is then read and stored.

        That may be done when the steps after it run already: all that is still read are files that the step only read,
        if they still look as they did then. A result is not reused if something that the step read changed in the
        meantime. `ahead` are additional dependencies of a forked step.

        Raises OSError.
        """
        # Not needed by a run in which nothing runs.
        from azml_tasks.local.reuse.recorded import Recorded
        from azml_tasks.local.reuse.trace import read_trace, remove_trace

        if record.status != "completed":
            remove_trace(self._places.root)
            return NewResult()
        results = self._site.results.of(self._plan.key)
        trace = read_trace(self._places.root)
        remove_trace(self._places.root)
        why = "its inputs changed while it last ran" if self.inputs.were_written() else ""
        if trace is None or why:
            why = why or "its last run has no record of what it read"
            return NewResult(store=lambda: results.put_unkept(self._result(record), why))
        if self._snapshot.uses_mlflow:
            self._add_tracking(trace)
        recorded = Recorded(self._site, self._plan, self._snapshot, self._upstream, trace, self._answers)
        questions = recorded.questions()
        later = recorded.checked_files()
        reads = {question: "" if question in later else self._answers.answer(question) for question in questions}
        unread = [question for question in questions if question in later]
        changed = recorded.changed_meanwhile()
        digest, shared = self._shared.describe(trace, ahead if trace.is_forked else {})
        registered = keep_what_it_did(self._places, self._site.run.places, self._site.layout)

        def read() -> None:
            while unread:
                reads[unread[-1]] = self._answers.answer(unread[-1])
                unread.pop()

        def store() -> None:
            read()
            why = changed or recorded.changed_file()
            why = f"{why} changed while it last ran" if why else ""
            reads_secrets = trace.secrets or any(question.endswith(".env") for question in questions)
            if not why and reads_secrets and self._site.hold_secret(questions):
                why = "it read a path that contains a secret, which is never stored"
            result = self._result(record)
            if why:
                results.put_unkept(result, why)
                return
            result = result._replace(
                reads=reads,
                sets=(digest,),
                unchecked=tuple(recorded.unchecked()),
                registered=tuple(registered),
                on_parent=(self._places.root / "on_parent.jsonl").exists(),
            )
            results.record_latest(result, {digest: shared})

        return NewResult(read, store)

    def _result(self, record: LocalStepRecord) -> Result:
        """Return the result of the step without what it read."""
        return Result(
            run_id=self._site.run.id,
            places=self._places,
            fingerprint=self.fingerprint,
            outputs=record.outputs,
            artifacts=self._site.results.digest(self._places.artifacts),
        )


def _is_same_definition(one: Fingerprint, other: Fingerprint) -> bool:
    """Return whether two fingerprints differ in inputs alone."""
    return (one.script, one.files, one.argv, one.environment) == (
        other.script,
        other.files,
        other.argv,
        other.environment,
    )

"""Decide whether an earlier result of a step stands in, and keep the result that a step leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from azml_tasks.errors import listed
from azml_tasks.local.arguments import fixed_arguments
from azml_tasks.local.environment import definition_of
from azml_tasks.local.record import StepRecord
from azml_tasks.local.reuse.answers import Answers
from azml_tasks.local.reuse.questions import describe_change
from azml_tasks.local.reuse.reads import Inputs
from azml_tasks.local.reuse.recorded import Recorded
from azml_tasks.local.reuse.replay import keep_what_it_did, register_again, replay
from azml_tasks.local.reuse.results import Fingerprint, Result, differences
from azml_tasks.local.reuse.shared import Shared
from azml_tasks.local.reuse.trace import read_trace, remove_trace
from azml_tasks.local.site import Site
from azml_tasks.snapshot import Snapshot

if TYPE_CHECKING:
    from azml_tasks.local.virtual_environment import VirtualEnvironment
    from azml_tasks.wiring import StepPlan

_OF_ANOTHER_RELEASE = "its earlier result is of another release of azml-tasks"


@dataclass(frozen=True)
class Decision:
    """Whether an earlier result stands in for a step, and why or why not."""

    result: Result | None
    reason: str


class Reuse:
    """The reuse of one step of one run; `records` holds what is known of each step."""

    def __init__(self, site: Site, plan: StepPlan, snapshot: Snapshot, records: Mapping[str, StepRecord]) -> None:
        self._site = site
        self._plan = plan
        self._snapshot = snapshot
        self._upstream = {key: records[key] for key in plan.upstream if key in records}
        self.inputs = Inputs(site, plan, self._upstream)
        self._answers = Answers(site, plan, snapshot, records)
        self._places = site.run.places.step(plan.key)

    @property
    def virtual(self) -> VirtualEnvironment | None:
        """The virtual environment that the step runs in, if it has one."""
        return self._site.virtual_environments.get(self._site.plan.pipeline.env_of(self._plan.step) or "")

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What the step's result depends on, as far as it is known before the step runs.

        Raises InputMissingError, OSError.
        """
        pipeline = self._site.plan.pipeline
        return Fingerprint(
            script=self._snapshot.script,
            files=dict(self._snapshot.hashes),
            argv=fixed_arguments(self._plan, self._site.run.parameters),
            inputs=self.inputs.described(),
            environment=definition_of(pipeline, self._plan.step, self._site.layout.project, self.virtual),
        )

    @cached_property
    def _shared(self) -> Shared:
        return Shared(self._site, self.virtual, self._answers.start)

    def decide(self, forced: bool) -> Decision:
        """Say whether an earlier result of the step stands in, and change nothing.

        Raises InputMissingError, OSError.
        """
        known = self._site.results.of(self._plan.key)
        if forced:
            return Decision(None, "it was asked for")
        if self._plan.step.allow_reuse is False:
            return Decision(None, "allow_reuse is false")
        reason = ""
        for found in known.find(self.fingerprint.digest):
            damage = self._damage(found) or self._difference(found)
            if not damage:
                unchecked = f"; not checked: {', '.join(found.unchecked)}" if found.unchecked else ""
                return Decision(found, f"reused from {found.run_id}{unchecked}")
            reason = reason or damage
        return Decision(None, known.why_unkept or reason or self._what_changed(known.latest))

    def _what_changed(self, latest: Result | None) -> str:
        if latest is None:
            return "it has no finished result yet"
        if latest.reads is None:
            return _OF_ANOTHER_RELEASE
        return differences(latest.fingerprint, self.fingerprint) or _OF_ANOTHER_RELEASE

    def _damage(self, result: Result) -> str | None:
        """Say why a result with the step's fingerprint cannot stand in; None when it can."""
        missing = [output.argument for output in self._plan.outputs if output.name not in result.outputs]
        if missing:
            return f"its earlier result does not have {listed(missing)}"
        return self._site.results.damage(result)

    def _difference(self, result: Result) -> str:
        """Say what of all that the step read is no longer as it was; empty when everything is."""
        for digest in result.sets:
            difference = self._shared.difference(digest)
            if difference:
                return difference
        for question, answer in (result.reads or {}).items():
            now = self._answers.answer(question)
            if now != answer:
                return describe_change(question, answer, now)
        return ""

    def stand_in(self, result: Result) -> None:
        """Do again what the step did besides its outputs, and note that the step last had that result.

        Raises OSError.
        """
        site = self._site
        if result.on_parent:
            replay(result.places, site.run.places)
        register_again(result.places, result.registered, site.layout, site.contents)
        site.results.of(self._plan.key).put_first(result)

    def keep(self, record: StepRecord, ahead: Mapping[str, list[str]]) -> None:
        """Let later runs reuse what the step left, if it completed and nothing that it read changed meanwhile.

        `ahead` is what a forked step depends on beside what it recorded.

        Raises OSError.
        """
        if record.status != "completed":
            return
        results = self._site.results.of(self._plan.key)
        if self.inputs.were_written():
            results.put_unkept("its inputs changed while it last ran")
            return
        trace = read_trace(self._places.root)
        remove_trace(self._places.root)
        if trace is None:
            results.put_unkept("its last run left no record of what it read")
            return
        recorded = Recorded(self._site, self._plan, self._snapshot, self._upstream, trace, self._answers)
        changed = recorded.changed_meanwhile()
        if changed:
            results.put_unkept(f"{changed} changed while it last ran")
            return
        if trace.is_forked:
            trace.variables |= {*ahead.get("env", ())}
        digest, shared = self._shared.describe(trace, ahead if trace.is_forked else {})
        registered = keep_what_it_did(self._places, self._site.run.places, self._site.layout)
        result = Result(
            run_id=self._site.run.id,
            places=self._places,
            fingerprint=self.fingerprint,
            outputs=record.outputs,
            artifacts=self._site.results.digest(self._places.artifacts),
            reads={question: self._answers.answer(question) for question in recorded.questions()},
            sets=(digest,),
            unchecked=tuple(recorded.unchecked()),
            registered=tuple(registered),
            on_parent=(self._places.root / "on_parent.jsonl").exists(),
        )
        results.put_first(result, {digest: shared})

"""Decide whether an earlier result of a step stands in, and keep the result that a step leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from azml_tasks.errors import listed
from azml_tasks.local.arguments import fixed_arguments
from azml_tasks.local.environment import definition_of, variables_of
from azml_tasks.local.facts import Facts
from azml_tasks.local.mentions import Mentions, noted_reads
from azml_tasks.local.record import StepRecord
from azml_tasks.local.reuse.reads import Inputs
from azml_tasks.local.reuse.results import Fingerprint, Result, differences
from azml_tasks.local.site import Site
from azml_tasks.snapshot import Snapshot
from azml_tasks.wiring.tokens import DatasetInput

if TYPE_CHECKING:
    from azml_tasks.local.virtual_environment import VirtualEnvironment
    from azml_tasks.wiring import StepPlan


@dataclass(frozen=True)
class Decision:
    """Whether an earlier result stands in for a step, and why or why not."""

    result: Result | None
    reason: str


class Reuse:
    """The reuse of one step of one run; `upstream` holds the records of the steps that it follows."""

    def __init__(self, site: Site, plan: StepPlan, snapshot: Snapshot, upstream: Mapping[str, StepRecord]) -> None:
        self.inputs = Inputs(site, plan, upstream)
        self._site = site
        self._plan = plan
        self._snapshot = snapshot
        self._upstream = upstream
        self._places = site.run.places.step(plan.key)
        self._read_beside: dict[str, str] = {}
        self._looked_up: dict[str, str] = {}

    @property
    def virtual(self) -> VirtualEnvironment | None:
        """The virtual environment that the step runs in, if it has one."""
        return self._site.virtual_environments.get(self._site.plan.pipeline.env_of(self._plan.step) or "")

    @property
    def _facts(self) -> Facts:
        pipeline = self._site.plan.pipeline
        variables = {**self._site.environment, **variables_of(pipeline, self._plan.step)}
        return Facts(pipeline, variables, self._upstream)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What the step's result depends on.

        Raises InputMissingError, OSError.
        """
        pipeline = self._site.plan.pipeline
        reads_from = {item.output.step for item in self._plan.inputs if not isinstance(item, DatasetInput)}
        return Fingerprint(
            script=self._snapshot.script,
            files=dict(self._snapshot.hashes),
            argv=fixed_arguments(self._plan, self._site.run.parameters),
            inputs=self.inputs.described(),
            environment=definition_of(pipeline, self._plan.step, self._site.layout.project, self.virtual),
            after={key: record.producer for key, record in sorted(self._upstream.items()) if key not in reads_from},
        )

    def decide(self, forced: bool) -> Decision:
        """Say whether an earlier result of the step stands in, and change nothing.

        Raises InputMissingError, OSError.
        """
        known = self._site.results.of(self._plan.key)
        if forced:
            return Decision(None, "it was asked for")
        if self._plan.step.allow_reuse is False:
            return Decision(None, "allow_reuse is false")
        found = known.find(self.fingerprint.digest)
        damage = self._damage(found) if found else None
        if damage:
            return Decision(None, damage)
        if found:
            return Decision(found, f"reused from {found.run_id}")
        latest = known.latest
        if latest is None:
            return Decision(None, "it has no finished result yet")
        changes = differences(latest.fingerprint, self.fingerprint)
        return Decision(None, changes or "its earlier result is of another release of azml-tasks")

    def _damage(self, result: Result) -> str | None:
        """Say why a result with the step's fingerprint cannot stand in; None when it can."""
        missing = [output.argument for output in self._plan.outputs if output.name not in result.outputs]
        if missing:
            return f"its earlier result does not have {listed(missing)}"
        return self._site.results.damage(result, self._facts)

    def begin(self, mentions: Mentions) -> None:
        """Note what the step may look up beside its inputs, as it is before the step starts."""
        site = self._site
        self._read_beside = site.results.observe(mentions.places(site.plan.pipeline, site.layout))
        self._looked_up = {name: self._facts.digest(name) for name in mentions.facts()}

    def keep(self, record: StepRecord) -> None:
        """Let later runs reuse what the step left, if it completed and its inputs are still what it read.

        Raises OSError.
        """
        if record.status != "completed" or not self.inputs.are(self.fingerprint.inputs):
            return
        results = self._site.results
        observed = results.observe({*self._read_beside, *noted_reads(self._places, self._site.layout)})
        if any(observed[place] != digest for place, digest in self._read_beside.items() if not self._may_write(place)):
            return
        result = Result(
            run_id=self._site.run.id,
            places=self._places,
            fingerprint=self.fingerprint,
            outputs=record.outputs,
            artifacts=results.digest(self._places.artifacts),
            observed={**observed, **self._looked_up},
        )
        results.of(self._plan.key).put_first(result)

    def _may_write(self, place: str) -> bool:
        """Say whether a script may have changed by itself what lies there, as by registering a model."""
        return self._site.layout.root in (self._site.layout.project / place).parents

"""The `migrate` task: compare a target on Azure ML v1 with one on v2, and move the schedule.

The schedule of v2 is created first, with a note of the target whose schedule it replaces; the note is removed when that
one is disabled. So a move that was cut off is recognized on every machine, and one of the two is always enabled.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from invoke import Context, Exit

from azml_tasks.tasks.project import backend_of, is_dry, load, project_file
from azml_tasks.tasks.task import agreed, interruptible, task, with_target
from azml_tasks.text import printable

if TYPE_CHECKING:
    from azml_tasks.backend import Backend, ScheduleRow
    from azml_tasks.reading import Project
    from azml_tasks.tasks.blocks import Block

# What `register` would do with something, as the state that it is in.
_STATES = {"created": "missing", "updated": "differs from the file"}


class Side(NamedTuple):
    """A target of the project, and its backend."""

    project: Project
    backend: Backend

    @property
    def target(self) -> str:
        """Its name."""
        return self.project.target or ""

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Add the target to the commands in the errors of the block."""
        from azml_tasks.errors import AzmlError, NotInstalledError
        from azml_tasks.packages import install_command

        try:
            yield
        except NotInstalledError as error:
            install = install_command("azure", "azure-v2")
            both = f"on Python 3.10 or 3.11 they can be installed together: {install}"
            raise NotInstalledError(f"{error}\n`invoke migrate` needs the packages of v1 and v2; {both}") from None
        except AzmlError as error:
            raise AzmlError(with_target(str(error), self.target)) from error

    def schedules(self) -> Sequence[ScheduleRow]:
        """Return the schedules of the pipeline."""
        with self.errors():
            return self.backend.schedules.list() if self.project.pipeline.schedule else ()

    def is_own(self, row: ScheduleRow) -> bool:
        """Return whether a schedule is that of the file."""
        return row.name == self.backend.schedules.name

    def enabled(self, rows: Sequence[ScheduleRow] | None = None) -> ScheduleRow | None:
        """Return the schedule in the file, if it is enabled in Azure."""
        rows = self.schedules() if rows is None else rows
        return next((row for row in rows if row.state == "enabled" and self.is_own(row)), None)

    def replaced(self) -> str:
        """Return the target whose schedule that of this one replaces, as long as this is not complete."""
        with self.errors():
            return self.backend.schedules.replaced() if self.project.pipeline.schedule else ""

    def state(self, rows: Sequence[ScheduleRow]) -> str:
        """Return the state of the schedule in the file."""
        own = [row.state for row in rows if self.is_own(row)]
        return "enabled" if "enabled" in own else own[0] if own else "none"

    def published(self) -> str:
        """Return the version of the pipeline that its schedule runs."""
        with self.errors():
            versions = self.backend.published.list().versions
        return next((version.version for version in versions if version.state == "default"), "none")

    @property
    def place(self) -> tuple[str, ...]:
        """The workspace and the name of the schedule."""
        pipeline = self.project.pipeline
        named = (pipeline.subscription_id, pipeline.resource_group, pipeline.ws_name, self.backend.schedules.name)
        return tuple(str(name).lower() for name in named)


@task(
    help={
        "from": "Target with the backend azure (SDK v1); its schedule is disabled.",
        "to": "Target with the backend azure-v2; its schedule is created.",
        "yes": "Move the schedule without confirmation.",
    }
)
def migrate(context: Context, from_: str = "", to: str = "", yes: bool = False) -> None:
    """Compare a target on Azure ML v1 with one on v2, and move its schedule to v2."""
    source, dest = _sides(context, from_, to)
    print(f"from  {source.backend.headline()}\nto    {dest.backend.headline()}", flush=True)
    before, after = source.schedules(), dest.schedules()
    blocks = _compare(source, dest, before, after)
    print("\nmove")
    move = Move(source, dest, source.enabled(before), dest.enabled(after), dest.replaced(), blocks)
    refusal = move.refusal()
    if refusal:
        print(f"  {refusal}")
    elif is_dry(context):
        print("\n".join(f"  {line}" for line in move.preview()))
    elif yes or not move.started or agreed(move.question(), "to move the schedule"):
        advice = f"the schedule may be enabled on both targets; run `{move.command}` to complete the move"
        with interruptible(advice):
            move.make()
    else:
        raise Exit("nothing changed", code=1)


def _sides(context: Context, from_: str, to: str) -> tuple[Side, Side]:
    """Return both sides. Raises UsageError if the schedule of one cannot be moved to the other, and ProjectError."""
    from azml_tasks.errors import UsageError
    from azml_tasks.reading import stated_backends

    stated = stated_backends(project_file(context))
    if to not in stated and "azure-v2" not in stated.values():
        new = f"{from_ or 'prod'}-v2"
        raise UsageError(
            f"pipeline.yaml has no target with backend azure-v2; add one under targets, such as "
            f"`{new}: {{backend: azure-v2}}`, and select it with --to {new}"
        )
    if not from_ or not to:
        raise UsageError(
            "name two targets of pipeline.yaml: --from one with backend azure, --to one with backend azure-v2"
        )
    loaded = (load(context, target, with_files=True) for target in (from_, to))
    source, dest = (Side(project, backend_of(project)) for project in loaded)
    first, second = source.backend, dest.backend
    if not first.successor:
        raise UsageError(f"--from: the backend of '{from_}' is {first.name}; it must be azure")
    if second.name != first.successor:
        raise UsageError(f"--to: the backend of '{to}' is {second.name}; it must be {first.successor}")
    return source, dest


def _compare(source: Side, dest: Side, before: Sequence[ScheduleRow], after: Sequence[ScheduleRow]) -> list[Block]:
    """Print what exists where, what v2 lacks, and what `plan` prints for v2; return the blocks of `plan`."""
    from azml_tasks.backend import KINDS
    from azml_tasks.tasks.blocks import limits_block, register_block
    from azml_tasks.tasks.plan import print_block, workspace_blocks

    with source.errors():
        registered = register_block(source.backend, KINDS, task=f"register ({source.target})")
    with dest.errors():
        planned = list(workspace_blocks(dest.project, dest.backend))
    rows = [("", source.target, dest.target), *_rows(registered, planned[0])]
    rows.append(("published pipeline", source.published(), dest.published()))
    rows.append(("schedule", source.state(before), dest.state(after)))
    widths = [max(len(row[place]) for row in rows) for place in (0, 1)]
    print()
    for what, here, there in rows:
        print(printable(f"{what:<{widths[0]}}  {here:<{widths[1]}}  {there}"))
    limits = limits_block(dest.project, dest.backend)
    limits.said += [
        f"the schedule '{row.name}' of {source.target} runs this pipeline, but is not in the file; it stays enabled"
        for row in before
        if row.state == "enabled" and not source.is_own(row)
    ]
    if not (limits.said or limits.error):
        limits.sentence = "everything in pipeline.yaml"
    if registered.error:
        registered.changes.clear()
        print_block(registered, (), source.target)
    if source.enabled(before):
        planned[-1].more = ()  # its times go on as on v1
    for place, block in enumerate(shown := [limits, *planned]):
        print_block(block, shown[:place], dest.target)
    return planned


def _rows(before: Block, after: Block) -> Iterator[tuple[str, str, str]]:
    """Yield what the file declares, and its state on both sides: what `register` would do with it."""
    states: list[dict[str, str]] = []
    for block in (before, after):
        found = {}
        for change in block.changes:
            version = change.detail.partition(" ->")[0] if change.detail.startswith("version ") else ""
            state = _STATES.get(change.outcome, "registered")
            found[f"{change.kind} {change.name}"] = f"{state} ({version})" if version else state
        states.append(found)
    for what in dict.fromkeys(name for found in states for name in found):
        here, there = (found.get(what, "see below") for found in states)
        yield what, here, there


class Move(NamedTuple):
    """The move of the schedule: what is enabled before it, of which target v2 notes that it replaces its schedule, and
    what `plan` prints for v2."""

    source: Side
    dest: Side
    started: ScheduleRow | None
    replacement: ScheduleRow | None
    noted: str
    planned: Sequence[Block]

    @property
    def command(self) -> str:
        return f"invoke migrate --from {self.source.target} --to {self.dest.target}"

    @property
    def is_resumed(self) -> bool:
        """Whether v2 has taken over already, and only v1 is left to do."""
        return bool(self.noted and self.replacement)

    def refusal(self) -> str:
        """Return why there is nothing to move, if so. Raises AzmlError if the schedule cannot be moved."""
        from azml_tasks.errors import UsageError

        source, dest = self.source, self.dest
        if not dest.project.pipeline.schedule:
            return f"nothing to move: {dest.project.file.name} has no `schedule`"
        if self.noted and self.noted != source.target:
            raise UsageError(
                f"the schedule of {dest.target} replaces that of {self.noted}, which is not complete; first run "
                f"`invoke migrate --from {self.noted} --to {dest.target}`"
            )
        if self.is_resumed:
            return ""
        if self.started:
            self._check()
            return ""
        if self.replacement:
            return f"nothing to move: the schedule is enabled on {dest.target} and not on {source.target}"
        create = f"create that of {dest.target} with `invoke schedule --target {dest.target}`"
        return f"nothing to move: the schedule is not enabled on {source.target}; {create}"

    def _check(self) -> None:
        """Raise AzmlError if the schedule would not run the pipeline on v2."""
        from azml_tasks.errors import AzmlError

        dest, project = self.dest, self.dest.project
        declared = project.pipeline.schedule
        if declared and not declared.enabled:
            message = f"the schedule is disabled on {dest.target}; remove `enabled: false` to move it"
            raise AzmlError(str(project.problem(("schedule", "enabled"), message)))
        for block in self.planned:
            if block.error and block.task != "register":
                task = f"`invoke {block.task} --target {dest.target}`"
                raise AzmlError(f"the schedule is not moved, because {task} would fail")
        needed = [
            f"  the {change.kind} '{change.name}' is missing"
            for change in self.planned[0].changes
            if change.kind in ("datastore", "compute") and change.outcome == "created"
        ]
        with dest.errors():
            needed += [f"  {sentence}" for sentence in dest.backend.missing()]
        if needed:
            why = f"the schedule is not moved, because its runs on {dest.target} would fail:"
            remedy = f"run `invoke register --target {dest.target}` to create what pipeline.yaml declares"
            raise AzmlError("\n".join([why, *needed, remedy]))

    def question(self) -> str:
        """Return what to ask before `make`."""
        disable = f"isable the schedule on {self.source.target}"
        return f"D{disable}?" if self.is_resumed else f"Enable the schedule on {self.dest.target}, and d{disable}?"

    def preview(self) -> Iterator[str]:
        """Yield what `make` would do."""
        if not self.is_resumed:
            done = "updated" if self.replacement else "created"
            yield f"the schedule would be {done} on {self.dest.target}{self._next()}"
        if self.started:
            yield f"the schedule would be disabled on {self.source.target}"
        else:
            yield f"the schedule is disabled on {self.source.target} already; the move would be complete"

    def _start(self) -> datetime | None:
        """Return what the intervals of v1 are counted from, if v2 can count from it."""
        asked = [side.project.pipeline.schedule for side in (self.source, self.dest)]
        zones = {one.time_zone for one in asked if one}
        return self.started.start if self.started and len(zones) == 1 else None

    def _next(self) -> str:
        """Return when the schedule runs next on v2."""
        from azml_tasks.schedule.describe import time_text
        from azml_tasks.schedule.recurrence import fire_times

        asked, start = self.dest.project.pipeline.schedule, self._start()
        assert asked
        if asked.start is None and start:
            asked = asked.model_copy(update={"start_time": start.isoformat()})
        times = fire_times(asked, after=datetime.now(timezone.utc), count=1)
        return f", next {time_text(times[0])}" if times else ""

    def make(self) -> None:
        """Enable the schedule on v2, then disable that on v1. Raises AzmlError, with what is enabled."""
        from azml_tasks.backend import Replaced
        from azml_tasks.errors import AzmlError

        source, dest = self.source, self.dest
        state = f"the schedule is enabled on {source.target}, and possibly on {dest.target}"
        try:
            if self.started and not self.is_resumed:
                with dest.errors():
                    changes = dest.backend.replace_schedule(Replaced(source.target, self._start()))
                for change in filter(None, changes):
                    print("\n".join([f"  {change}", *(f"  note: {note}" for note in change.notes)]), flush=True)
            if dest.enabled() is None:
                raise AzmlError(f"the schedule of {dest.target} was not enabled")
            if self.started:
                state = f"the schedule is enabled on {source.target} and {dest.target}"
                print(f"  {state}", flush=True)
                with source.errors():
                    source.backend.schedules.pause("", dry=False)
            state = f"the schedule is enabled on {dest.target} only"
            with dest.errors():
                dest.backend.schedules.end_replacement()
        except AzmlError as error:
            raise AzmlError(f"{error}\n{state}; run `{self.command}` to complete the move") from error
        print(f"  {state}")
        asked = source.project.pipeline.schedule
        if asked and asked.enabled:
            again = f"until then, `invoke schedule --target {source.target}` enables it again"
            print(f"  note: set `schedule: {{enabled: false}}` in the target {source.target}; {again}")

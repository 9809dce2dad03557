"""What a command would do: the block that `plan` prints for it, and the command itself with --dry."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from azml_tasks.errors import AzmlError, ProjectError
from azml_tasks.text import printable

if TYPE_CHECKING:
    from azml_tasks.backend import Backend, Change, Forecast, Kind, RunRequest, StepForecast
    from azml_tasks.reading import Project
    from azml_tasks.runs.changes.differences import Difference

_WIDTH = 80
# Of a line of a block, which `plan` indents.
_INNER = _WIDTH - 2
# The version of what `plan --json` prints.
JSON_VERSION = 1
_WORDS = {"runs": "RUN", "may run": "MAY RUN", "reused": "REUSE", "fails": "FAIL", "skipped": "SKIP"}
_VERDICTS = {"runs": "run", "may run": "may run", "reused": "reuse", "fails": "fail", "skipped": "skip"}
_MOST_DIFFERENCES = 12
_LONGEST_KEY = 24
# How many of the next times are shown where the backend stores no schedules.
_TIMES = 5


@dataclass
class Block:
    """What the task of that name would do.

    `sentence` says why it would do nothing, `is_offered` whether the backend offers it at all; `error` is why it
    cannot, or not completely. `said` are lines before the changes, `more` and `closing` lines before and after the
    notes.
    """

    task: str
    changes: list[Change] = field(default_factory=list)
    steps: Sequence[StepForecast] = ()
    said: list[str] = field(default_factory=list)
    sentence: str = ""
    is_offered: bool = True
    more: Sequence[str] = ()
    notes: Sequence[str] = ()
    closing: str = ""
    error: AzmlError | None = None

    @property
    def would_change(self) -> bool:
        """Whether the task would change something; steps that always run are none."""
        return any(change.is_made for change in self.changes) or any(map(_is_change, self.steps))

    def lines(self) -> Iterator[str]:
        """Yield the lines that the task prints with --dry."""
        yield from self.said
        for change in self.changes:
            yield change.headline
            yield from (f"  {line}" for line in _lines_of(change.differences))
            yield from (f"note: {note}" for note in change.notes if not self.more)
        yield from _table(self.steps)
        if self.sentence:
            yield self.sentence
        yield from self.more
        # Below the times, if there are any.
        yield from (f"note: {note}" for change in self.changes for note in change.notes if self.more)
        yield from (f"note: {note}" for note in self.notes)
        if self.closing:
            yield self.closing

    def indented(self) -> Iterator[str]:
        """Yield the lines as `plan` prints them: indented, and none longer than 80 characters if its words allow it."""
        for line in self.lines():
            yield from _fitted(f"  {line}")

    def show(self) -> None:
        """Print the lines, the notes in lines of 80 characters.

        Raises the error, if there is one, and UnsupportedError if the backend has nothing in its place.
        """
        from azml_tasks.backend import UnsupportedError

        if not self.is_offered and not self.more:
            raise UnsupportedError(self.sentence)
        for line in self.lines():
            print(*(_fitted(line) if line.startswith("note: ") else [printable(line)]), sep="\n", flush=True)
        if self.error:
            raise self.error

    def to_json(self) -> dict[str, Any]:
        """Return it as `plan --json` prints it."""
        return {
            "task": self.task,
            "would_change": self.would_change,
            "changes": [_change_json(change) for change in self.changes],
            "steps": [_step_json(step) for step in self.steps],
            "sentence": self.sentence,
            "notes": list(self.notes),
            "error": str(self.error) if self.error else None,
        }


def _is_change(step: StepForecast) -> bool:
    """Return whether a step runs for another reason than that it always does, or that one before it does."""
    cause = step.reason.cause
    if step.verdict == "reused" or cause == "always":
        return False
    return cause != "upstream" or bool(step.reason.differences)


def _lines_of(differences: Sequence[Difference]) -> Iterator[str]:
    shown = differences if len(differences) <= _MOST_DIFFERENCES else differences[: _MOST_DIFFERENCES - 1]
    yield from map(str, shown)
    if len(differences) > len(shown):
        yield f"and {len(differences) - len(shown)} more"


def _table(steps: Sequence[StepForecast]) -> Iterator[str]:
    """Yield a line for each step, with further lines for further differences."""
    if not steps:
        return
    longest = min(_LONGEST_KEY, max(len(step.key) for step in steps))
    widest = max(len(_WORDS[step.verdict]) for step in steps)
    indent = " " * (longest + widest + 4)
    for step in steps:
        head = f"{step.key:<{longest}}  {_WORDS[step.verdict]:<{widest}}  "
        reason = step.reason
        texts = [reason.sentence.removeprefix("reused ")] if reason.sentence else []
        texts += _lines_of(reason.differences)
        for place, text in enumerate(texts or [""]):
            if not place and len(head) > len(indent):
                yield head.rstrip()
                head = indent
            yield from wrapped(text, indent if place else head, indent, _INNER)


def _fitted(line: str) -> list[str]:
    """Return a line, in several with its indentation if it is too long."""
    text = line.lstrip()
    indent = line[: len(line) - len(text)]
    return [printable(line)] if len(line) <= _WIDTH else wrapped(text, indent, indent)


def wrapped(text: str, first: str = "", others: str = "  ", width: int = _WIDTH) -> list[str]:
    """Return a text in lines of that many characters, which begin with `first` and `others`; words are not cut."""
    lines = textwrap.wrap(
        printable(text),
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [first.rstrip()]


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "name": change.name,
        "outcome": change.outcome,
        "detail": change.detail,
        "differences": [one.to_json() for one in change.differences],
        "notes": list(change.notes),
        "text": change.headline,
    }


def _step_json(step: StepForecast) -> dict[str, Any]:
    return {
        "step": step.key,
        "verdict": _VERDICTS[step.verdict],
        "cause": step.reason.cause,
        "reason": str(step.reason),
        "differences": [one.to_json() for one in step.reason.differences],
    }


def _collected(block: Block, fill: Callable[[], None]) -> Block:
    """Fill a block; what the backend does not offer becomes its sentence, and an error its error."""
    from azml_tasks.backend import UnsupportedError
    from azml_tasks.errors import LoginError, NotInstalledError

    try:
        fill()
    except (LoginError, NotInstalledError):
        raise
    except UnsupportedError as error:
        block.sentence, block.is_offered = str(error), False
    except AzmlError as error:
        block.error = error
    return block


def limits_block(project: Project, backend: Backend) -> Block:
    """Return what the backend cannot do, does differently, or needs for this file, by the lines of the file."""
    block = Block("limits")

    def fill() -> None:
        block.said += [str(problem) for problem in (*project.notes, *backend.notes())]
        problems = backend.problems()
        block.error = ProjectError(problems) if problems else None

    return _collected(block, fill)


def register_block(backend: Backend, kinds: Collection[Kind], upload: bool = False, task: str = "register") -> Block:
    """Return what a task that registers these kinds would do."""
    block = Block(task)

    def fill() -> None:
        for change in backend.register(kinds, upload=upload, dry=True, say=block.said.append):
            block.changes.append(change)
        if not block.changes:
            block.sentence = "nothing to register in pipeline.yaml"

    return _collected(block, fill)


def publish_block(backend: Backend, prune: bool = False) -> Block:
    """Return what `publish` would do."""
    block = Block("publish")
    return _collected(block, lambda: block.changes.extend(backend.publish(prune=prune, dry=True)))


def schedule_block(project: Project, backend: Backend, run_now: bool = False, with_version: bool = True) -> Block:
    """Return what `schedule` would do; `with_version` includes the version that it would publish."""
    block = Block("schedule")

    def fill() -> None:
        published, done = backend.schedule(run_now=run_now, dry=True)
        if published and with_version:
            block.changes.append(published)
        block.changes.append(done)
        block.more = [*schedule_times(project, done.next_time(datetime.now(timezone.utc)))]
        if run_now:
            block.closing = "would start a run now"

    if _collected(block, fill).sentence:
        block.more = [*preview_lines(project, _TIMES)]
        if run_now:
            name = project.pipeline.backend
            block.said.append(f"note: --run-now is ignored with the backend {name}; start a run with `invoke run`")
    return block


def run_block(backend: Backend, request: RunRequest, pending: Collection[Change] = ()) -> Block:
    """Return what `run` would do; `pending` are changes that are made before."""
    block = Block("run")

    def fill() -> None:
        backend.check()
        found: Forecast = backend.forecast(request, pending)
        block.steps, block.notes = found.steps, found.notes

    return _collected(block, fill)


def schedule_times(project: Project, following: datetime | None) -> Iterator[str]:
    """Yield a line on when the schedule of the file runs, unless it is disabled."""
    from azml_tasks.schedule.checks import declared_schedule
    from azml_tasks.schedule.describe import describe, time_text

    asked = declared_schedule(project)
    if asked.enabled:
        yield f"  {describe(asked)}" + (f"; next {time_text(following)}" if following else "")


def preview_lines(project: Project, count: int) -> Iterator[str]:
    """Yield the next times of the schedule of the file, in its time zone and in UTC. Raises ProjectError."""
    from azml_tasks.schedule.checks import declared_schedule
    from azml_tasks.schedule.describe import describe, preview, time_text

    asked = declared_schedule(project)
    shown = preview(asked, datetime.now(timezone.utc), count)
    yield describe(asked)
    for moment, remark in shown.times:
        in_utc = "" if moment.tzname() == "UTC" else f"  {time_text(moment.astimezone(timezone.utc))}"
        yield f"  {time_text(moment)}{in_utc}{f'  ({remark})' if remark else ''}"
    yield from (f"note: {note}" for note in shown.notes)

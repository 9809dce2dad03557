"""The records of local runs, written so that a kill at any moment leaves them readable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, get_args

from azml_tasks.local.files import read_json, read_lines, write_json
from azml_tasks.local.layout import RunPlaces, StepPlaces, folder_name
from azml_tasks.local.process import ProcessIdentity
from azml_tasks.local.runner_lock import is_held
from azml_tasks.runs import records

VERSION = 1
# The seconds since the epoch that a date of four digits in its year has.
_LAST_SECOND = 253_402_300_799


class _DamagedError(Exception):
    """A record holds something else than what was written."""


def _is_time(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value is None or (is_number and 0 <= value <= _LAST_SECOND)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _are_pairs(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


_Kinds = Mapping[str, Callable[[Any], bool]]
_RUN: _Kinds = {
    "experiment": _is_text,
    "status": lambda value: value in get_args(records.RunStatus),
    "started": lambda value: value is not None and _is_time(value),
    "finished": _is_time,
    "parameters": lambda value: isinstance(value, dict),
    "steps": _are_texts,
    "process": lambda value: value is None or isinstance(value, dict),
}
# Which releases before 0.4.0 did not write.
_RUN_SINCE: _Kinds = {
    "settings": lambda value: isinstance(value, dict),
    "target": _is_text,
    "command": _are_texts,
    "set": _are_texts,
}
_STEP: _Kinds = {
    **dict.fromkeys(("reason", "message", "detail", "hint", "producer"), _is_text),
    "status": lambda value: value in get_args(records.StepStatus),
    "started": _is_time,
    "finished": _is_time,
    "exit_code": lambda value: value is None or type(value) is int,
    "argv": _are_texts,
    "outputs": _are_pairs,
}


def _fits(values: Mapping[str, Any], kinds: _Kinds) -> bool:
    """Say whether a record has what it was written with, each of its type: anybody may have changed it since."""
    return all(key in values and fits(values[key]) for key, fits in kinds.items())


def _is_metric(line: Mapping[str, Any]) -> bool:
    is_series = line.get("kind") == "list"
    return isinstance(line.get("name"), str) and "value" in line and (not is_series or isinstance(line["value"], list))


@dataclass(frozen=True)
class StepRecord(records.StepRecord):
    """One step of a local run.

    `detail` is the end of its log when it failed, and `hint` what may mend it. `exit_code` is negative when a signal
    ended it. `producer` is its own run unless it was reused, and `places` is where its results lie. `outputs` maps the
    finished output folders to the digests of their contents.
    """

    places: StepPlaces = field(kw_only=True)
    detail: str = ""
    hint: str = ""
    exit_code: int | None = None
    argv: tuple[str, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)

    def metrics(self) -> list[dict[str, Any]]:
        """Return what the script logged, in its order; lines that are not metrics are left out."""
        return [line for line in read_lines(self.places.root / "metrics.jsonl") if _is_metric(line)]

    def save(self, run: RunPlaces) -> None:
        """Write the record of the step in that run.

        Raises OSError.
        """
        values = {
            "version": VERSION,
            "key": self.key,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "detail": self.detail,
            "hint": self.hint,
            "started": self.started,
            "finished": self.finished,
            "exit_code": self.exit_code,
            "argv": self.argv,
            "outputs": dict(self.outputs),
            "producer": self.producer,
        }
        write_json(run.step(self.key).record, values)


@dataclass(frozen=True)
class Origin:
    """What a run was started with: its target and its command, without secrets.

    `changes` are what `--set` was given.
    """

    target: str = ""
    command: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def set_names(self) -> frozenset[str]:
        """The names that `--set` was given values for."""
        return frozenset(change.partition("=")[0] for change in self.changes)


@dataclass(frozen=True)
class RunRecord(records.RunRecord[StepRecord]):
    """One local run; `process` is its runner. `stopped_by` says what stopped it (`Ctrl-C`), empty when nothing did.

    `settings` maps the steps that have a step_config to it, as it was after `--set`.
    """

    places: RunPlaces = field(kw_only=True)
    origin: Origin = Origin()
    settings: Mapping[str, Any] = field(default_factory=dict)
    process: ProcessIdentity | None = None
    stopped_by: str = ""

    where: ClassVar[str] = "on this machine"

    def metrics(self) -> list[dict[str, Any]]:
        """Return what the steps logged on their parent, in its order."""
        return read_lines(self.places.parent / "metrics.jsonl")

    def origin_lines(self) -> list[str]:
        """Return lines that tell what it was started with, where that is not what the file says."""
        target = [f"target {self.origin.target}"] if self.origin.target else []
        return [*target, *(f"set {change}" for change in self.origin.changes)]

    def recorded_tags(self) -> Mapping[str, str | None]:
        """Return the tags that the steps set on their parent."""
        tags: dict[str, str | None] = {}
        for record in read_lines(self.places.parent / "tags.jsonl"):
            tags.pop(str(record.get("key")), None)
            if not record.get("removed"):
                tags[str(record.get("key"))] = record.get("value")
        return tags

    @property
    def has_runner_here(self) -> bool:
        """Whether its runner is a process that lives and can be told something."""
        return self.process is not None and self.process.is_alive()

    def save(self) -> None:
        """Write the run's own record; the steps keep theirs.

        Raises OSError.
        """
        values = {
            "version": VERSION,
            "id": self.id,
            "experiment": self.experiment,
            "status": self.status,
            "started": self.started,
            "finished": self.finished,
            "parameters": dict(self.parameters),
            "settings": dict(self.settings),
            "target": self.origin.target,
            "command": self.origin.command,
            "set": self.origin.changes,
            "steps": [step.key for step in self.steps],
            "process": self.process and {"pid": self.process.pid, "started": self.process.started},
            "stopped_by": self.stopped_by,
        }
        write_json(self.places.record, values)


def read_run(places: RunPlaces) -> RunRecord | None:
    """Return the record of a run; None when the folder holds none that can be read, by this release or this user.

    A run whose runner is gone before its end is `interrupted`, and so are the steps that it was running.
    """
    try:
        values = read_json(places.record)
        if values is None or values.get("version") != VERSION or not _fits(values, _RUN):
            return None
        if not all(fits(values[key]) for key, fits in _RUN_SINCE.items() if key in values):
            return None
        record = RunRecord(
            # Not the record's own word, since what is pruned goes by it.
            id=places.root.name,
            places=places,
            experiment=values["experiment"],
            status=values["status"],
            started=values["started"],
            steps=tuple(_read_step(key, places) for key in values["steps"]),
            finished=values["finished"],
            parameters=values["parameters"],
            settings=values.get("settings", {}),
            origin=Origin(values.get("target", ""), tuple(values.get("command", ())), tuple(values.get("set", ()))),
            process=ProcessIdentity.from_json(values["process"]),
            stopped_by=str(values.get("stopped_by", "")),
        )
    except (_DamagedError, OSError):
        return None
    if record.status != "running" or record.has_runner_here or is_held(places):
        return record
    if read_json(places.record) != values:
        return read_run(places)  # It came to its end in this moment.
    steps = tuple(_interrupted(step) for step in record.steps)
    return replace(record, status="interrupted", steps=steps, finished=_last_sign(record))


def _read_step(key: str, run: RunPlaces) -> StepRecord:
    place = run.step(key).record
    values = read_json(place)
    if values is None and not place.exists():
        return StepRecord(key, places=run.step(key))
    if values is not None and values.get("version") != VERSION:
        return StepRecord(key, places=run.step(key))
    if values is None or not _fits(values, _STEP):
        raise _DamagedError
    # Whatever the record has there, one of the runs of this project.
    producer = RunPlaces(run.root.parent / folder_name(values["producer"])) if values["producer"] else run
    return StepRecord(
        key=key,
        places=producer.step(key),
        status=values["status"],
        reason=values["reason"],
        message=values["message"],
        detail=values["detail"],
        hint=values["hint"],
        started=values["started"],
        finished=values["finished"],
        exit_code=values["exit_code"],
        argv=tuple(values["argv"]),
        outputs=values["outputs"],
        producer=values["producer"],
    )


def _interrupted(step: StepRecord) -> StepRecord:
    return replace(step, status="interrupted") if step.status == "running" else step


def _last_sign(record: RunRecord) -> float | None:
    """Return the last time that the records of an interrupted run tell of."""
    times = [time for step in record.steps for time in (step.started, step.finished) if time]
    return max(times, default=record.started)

"""The records of local runs, written so that a kill at any moment leaves them readable."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, get_args

from azml_tasks.local.store.files import open_file, read_json, read_lines, write_json
from azml_tasks.local.store.paths import RunPaths, StepPaths, folder_name
from azml_tasks.local.store.process import ProcessIdentity, is_held
from azml_tasks.runs import records
from azml_tasks.runs.origin import Origin, Provenance

VERSION = 1
# The seconds since the epoch that a date of four digits in its year has.
_LAST_SECOND = 253_402_300_799
# How much of a log (bytes) is read for its last line.
_END_OF_LOG = 4096


class _DamagedError(Exception):
    """A record has unexpected content."""


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
    """Return whether a record has all values with their types: it may have been edited."""
    return all(key in values and fits(values[key]) for key, fits in kinds.items())


def _is_metric(line: Mapping[str, Any]) -> bool:
    is_series = line.get("kind") == "list"
    return isinstance(line.get("name"), str) and "value" in line and (not is_series or isinstance(line["value"], list))


def _metrics_in(folder: Path) -> list[dict[str, Any]]:
    metrics = [line for line in read_lines(f"{folder}/metrics.jsonl") if _is_metric(line)]
    are_numbers = all(isinstance(line["value"], (int, float)) for line in metrics)
    return metrics if are_numbers else records.shown_metrics(metrics)


def _pairs_in(file: Path) -> dict[str, Any]:
    """Return the keys and values in a file of records, of which the last counts, without secrets.

    The script reads them back from the file, as it wrote them.
    """
    pairs: dict[str, Any] = {}
    for record in read_lines(file):
        pairs.pop(str(record.get("key")), None)
        if not record.get("removed"):
            pairs[str(record.get("key"))] = record.get("value")
    return records.shown_pairs(pairs)


def _children_in(folder: Path, above: str) -> Iterator[records.ChildRun]:
    """Yield the child runs in a run's folder, and theirs."""
    for place in sorted(folder.glob("children/[0-9]*"), key=lambda place: (len(place.name), place.name)):
        described = read_json(place / "run.json") or {}
        own = str(described.get("name", "")).rpartition(">")[2] or place.name
        name = f"{above}>{own}"
        pairs = (_pairs_in(place / file) for file in ("params.jsonl", "tags.jsonl"))
        yield records.ChildRun(name, _metrics_in(place), *pairs)
        yield from _children_in(place, name)


@dataclass(frozen=True)
class LocalStepRecord(records.StepRecord):
    """One step of a local run.

    `detail` is the end of its log if it failed, and `hint` a suggestion. `exit_code` is negative when a signal ended
    it. `producer` is its own run unless it was reused, and `places` are the paths of its results. `outputs` maps the
    finished output folders to the digests of their contents. `size` is that of its outputs and other files, in bytes.
    """

    places: StepPaths = field(kw_only=True)
    detail: str = ""
    hint: str = ""
    exit_code: int | None = None
    argv: tuple[str, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None

    def metrics(self) -> list[dict[str, Any]]:
        """Return what the script logged, in its order; lines that are not metrics are left out."""
        return _metrics_in(self.places.root)

    def parameters(self) -> Mapping[str, str]:
        return _pairs_in(self.places.root / "params.jsonl")

    def recorded_tags(self) -> Mapping[str, str | None]:
        return _pairs_in(self.places.root / "tags.jsonl")

    def children(self) -> Sequence[records.ChildRun]:
        return tuple(_children_in(self.places.root, self.key))

    def last_line(self) -> str:
        """Return the last line of its log so far; of a progress bar, its last state."""
        try:
            with open_file(self.places.log) as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - _END_OF_LOG))
                said = log.read(_END_OF_LOG).decode("utf-8", "replace")
        except OSError:
            return ""
        lines = said.replace("\r", "\n").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def save(self, run: RunPaths) -> None:
        """Write the record of the step in that run.

        Raises OSError.
        """
        write_json(run.step(self.key).record, self.values())

    def values(self) -> dict[str, Any]:
        """Return the record as JSON has it."""
        values: dict[str, Any] = {
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
        if self.size is not None:
            values["size"] = self.size
        return values


@dataclass(frozen=True)
class LocalRunRecord(records.RunRecord[LocalStepRecord]):
    """One local run; `process` is its runner. `stopped_by` says what stopped it (`Ctrl-C`), empty when nothing did."""

    places: RunPaths = field(kw_only=True)
    process: ProcessIdentity | None = None
    stopped_by: str = ""

    where: ClassVar[str] = "on this machine"

    def metrics(self) -> list[dict[str, Any]]:
        """Return the metrics of the steps on their parent, in order."""
        return _metrics_in(self.places.parent)

    def provenance(self) -> Provenance:
        """Return what it was started from, as far as it was recorded."""
        return Provenance.from_json(read_json(self.places.provenance))

    def recorded_tags(self) -> Mapping[str, str | None]:
        """Return the tags that the steps set on their parent."""
        return _pairs_in(self.places.parent / "tags.jsonl")

    @property
    def has_runner_here(self) -> bool:
        """Whether its runner is alive and can be signalled."""
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


def read_run(places: RunPaths) -> LocalRunRecord | None:
    """Return the record of a run; None if the folder has none that this release and user can read.

    A run whose runner has died is `interrupted`, and so are its running steps.
    """
    try:
        values = read_json(places.record)
        if values is None or values.get("version") != VERSION or not _fits(values, _RUN):
            return None
        if not all(fits(values[key]) for key, fits in _RUN_SINCE.items() if key in values):
            return None
        record = LocalRunRecord(
            # Not the record's own word, since what is pruned goes by it.
            id=places.root.name,
            places=places,
            experiment=values["experiment"],
            status=values["status"],
            started=values["started"],
            steps=tuple(_read_steps(values["steps"], places)),
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


def _read_steps(keys: Iterable[str], run: RunPaths) -> Iterator[LocalStepRecord]:
    reused = {line.get("key"): line for line in read_lines(run.reused)}
    for key in keys:
        yield _read_step(key, run, reused.get(key))


def _read_step(key: str, run: RunPaths, reused: Mapping[str, Any] | None) -> LocalStepRecord:
    place = run.step(key).record
    values = reused or read_json(place)
    if values is None and not place.exists():
        return LocalStepRecord(key, places=run.step(key))
    if values is not None and values.get("version") != VERSION:
        return LocalStepRecord(key, places=run.step(key))
    if values is None or not _fits(values, _STEP):
        raise _DamagedError
    # Whatever the record has there, one of the runs of this project.
    producer = RunPaths(run.root.parent / folder_name(values["producer"])) if values["producer"] else run
    return LocalStepRecord(
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
        size=values["size"] if isinstance(values.get("size"), int) else None,
    )


def _interrupted(step: LocalStepRecord) -> LocalStepRecord:
    return replace(step, status="interrupted") if step.status == "running" else step


def _last_sign(record: LocalRunRecord) -> float | None:
    """Return the last time in the records of an interrupted run."""
    times = [time for step in record.steps for time in (step.started, step.finished) if time]
    return max(times, default=record.started)

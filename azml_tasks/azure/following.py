"""Follow a run on Azure: the events between two looks at it, the waits between them, and the logs of its steps."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from azml_tasks.azure.errors import translating_errors
from azml_tasks.azure.records import AzureRunRecord, AzureStepRecord
from azml_tasks.backend import Watch
from azml_tasks.errors import LoginError, RunError, ServiceError
from azml_tasks.model import Pipeline, Step
from azml_tasks.runs.records import (
    GOING_ON,
    Event,
    StepFinished,
    StepOutput,
    StepReused,
    StepSkipped,
    StepStarted,
    StepWaiting,
    Tick,
    shown_metrics,
    skipped_text,
)
from azml_tasks.snapshot import Snapshot, missing_module, module_hint, package_hint

# The first log of a step is its script's output; the others are about the machine.
_SCRIPTS_OWN = ("user_logs/std_log.txt", "user_logs/std_log_0.txt", "azureml-logs/70_driver_log.txt")
_SECONDS = 60
_AT_ONCE = 8
_OK, _PARTIAL, _NOTHING_THERE = 200, 206, 416

LogFiles = Callable[[str], Mapping[str, str]]
"""Returns the addresses of the logs of a step's run by their names."""
# How many lines of the log of a failed step are shown.
LAST_LINES = 30
_ENDED = ("completed", "failed", "cancelled")


def pause(seconds: float, watch: Watch) -> None:
    end = time.monotonic() + seconds
    while watch.tick is not None and end - time.monotonic() > watch.tick:
        time.sleep(watch.tick)
        watch.listener(Tick())
    time.sleep(max(0, end - time.monotonic()))


def changes(before: tuple[AzureStepRecord, ...], after: tuple[AzureStepRecord, ...]) -> Iterator[Event]:
    """Yield the events between two states of the same steps."""
    for old, new in zip(before, after, strict=True):
        if (old.status, old.reason) == (new.status, new.reason):
            continue
        if new.status == "waiting":
            yield StepWaiting(new)
        elif new.status == "running":
            yield StepStarted(new)
        elif new.status == "reused":
            yield StepReused(new)
        elif new.status == "skipped":
            yield StepSkipped(new)
        else:
            yield StepFinished(new)


def with_output(
    events: Iterable[Event],
    before: tuple[AzureStepRecord, ...],
    after: tuple[AzureStepRecord, ...],
    new_text: Callable[[AzureStepRecord], str],
) -> Iterator[Event]:
    """Yield the events between two states of the same steps, and what the steps printed in between.

    `new_text` returns what a step has printed since the last call, which comes before its end. A step that was never
    seen running is left out, which saves its requests.
    """
    pending = {
        new.key: new
        for old, new in zip(before, after, strict=True)
        if new.run_id and (new.status == "running" or (old.status == "running" and new.status in _ENDED))
    }

    def output(step: AzureStepRecord) -> Iterator[Event]:
        text = new_text(step)
        if text:
            yield StepOutput(step, text)

    for event in events:
        if isinstance(event, StepFinished) and event.step.key in pending:
            yield from output(pending.pop(event.step.key))
        yield event
    for step in pending.values():
        yield from output(step)


def left_out(step: AzureStepRecord) -> AzureStepRecord:
    return replace(step, status="skipped", reason="") if step.status == "waiting" else step


def summed_up(record: AzureRunRecord, ask: Callable[[str], Mapping[str, Any]]) -> AzureRunRecord:
    """Return the record of a run that has ended, if it completed with its metrics.

    `ask` returns MLflow's answer to `runs/get`. This is one request for each step, with the last value of each metric:
    whole series, lists and tables would take one for each metric. Without an answer, the summary has no metrics.
    """
    try:
        with translating_errors("reading the metrics"):
            completed = record.status == "completed"
            return (
                with_metrics(record, lambda run_id: map(metric_of, last_values(ask(run_id)))) if completed else record
            )
    except (LoginError, ServiceError):
        return record


def with_metrics(record: AzureRunRecord, logged_by: Callable[[str], Iterable[Mapping[str, Any]]]) -> AzureRunRecord:
    """Return the record with the metrics of the run and its steps; `logged_by` returns those of a run by its id."""

    def logged(run_id: str) -> tuple[Mapping[str, Any], ...]:
        return tuple(shown_metrics(logged_by(run_id))) if run_id else ()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        own, *others = pool.map(logged, [record.id, *(step.run_id for step in record.steps)])
    steps = (replace(step, logged=found) for step, found in zip(record.steps, others, strict=True))
    return replace(record, logged=own, steps=tuple(steps))


def last_values(answer: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """Return the last value of each metric in MLflow's answer to `runs/get`."""
    found: Sequence[dict[str, Any]] = ((answer.get("run") or {}).get("data") or {}).get("metrics") or []
    return found


def metric_of(last: Mapping[str, Any]) -> dict[str, Any]:
    """Return the last value of a metric of MLflow as a record."""
    return {"name": last["key"], "kind": "scalar", "value": as_logged([last["value"]])[0]}


def as_logged(values: list[Any]) -> list[Any]:
    """Return values as they were probably logged: MLflow stores every number as a float."""
    is_whole = all(isinstance(value, float) and value.is_integer() for value in values)
    return [int(value) for value in values] if is_whole else values


def goes_on(identifier: str) -> str:
    return (
        f"the run {identifier} continues: show it with `invoke runs.show --run {identifier}`, stop it with `invoke "
        f"runs.cancel --run {identifier}`"
    )


def interrupted(identifier: str, asks_to_cancel: Callable[[], bool] | None, cancel: Callable[[], object]) -> RunError:
    """Return the end of following a run on Ctrl-C: it goes on, or is cancelled if the user agrees."""
    if asks_to_cancel is not None and asks_to_cancel():
        with translating_errors(f"cancelling the run {identifier}"):
            cancel()
        return RunError(f"cancelling the run {identifier}")
    return RunError(f"stopped following; {goes_on(identifier)}")


def ending_of(record: AzureRunRecord, failed: Sequence[str]) -> str:
    """Describe the end of a run that did not complete, and how to continue; `failed` are the texts of failed steps."""
    ended = "" if failed else f"the run {record.id} {record.ending}"
    logs = f"full logs: `invoke runs.logs --run {record.id}`" if failed else ""
    return "\n".join(filter(None, [*failed, ended, skipped_text(record), logs, GOING_ON, record.url]))


def hint(ending: str, step: Step, pipeline: Pipeline, snapshot: Snapshot, directory: Path) -> str | None:
    def lacking(module: str, meant: str | None) -> str | None:
        return package_hint(module, pipeline, step, "cluster", meant)

    module = missing_module(ending)
    return module_hint(module[1], snapshot, directory, step.script_directory, lacking) if module else None


def log_text(files: Mapping[str, str]) -> tuple[str, str]:
    """Return the name and the text of the main one of these logs, whose values are addresses."""
    import requests

    name = _scripts_own(files) or max(files, default=None)
    if name is None:
        return "", ""
    response = requests.get(files[name], timeout=_SECONDS)
    response.raise_for_status()
    return name, response.content.decode("utf-8", "replace")


def _scripts_own(files: Mapping[str, str]) -> str | None:
    return next((name for name in _SCRIPTS_OWN if name in files), None)


@dataclass
class _Log:
    """How far the log of a step has been read; `url` is its address, once it is known."""

    url: str = ""
    read: int = 0
    decode: Any = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace").decode)


class StepLogs:
    """The logs of steps while they run.

    What cannot be read now is read later, and no error ends a run that is followed: the requests for its status report
    those that matter.
    """

    def __init__(self, files: LogFiles) -> None:
        self._files = files
        self._logs: dict[str, _Log] = {}

    def new_text(self, run_id: str) -> str:
        """Return what the script of a step has printed since the last call; `run_id` is the step's run."""
        try:
            with translating_errors("reading the log"):
                return self._new_text(run_id)
        except (LoginError, ServiceError):
            return ""

    def _new_text(self, run_id: str) -> str:
        log = self._logs.setdefault(run_id, _Log())
        if not log.url:
            files = self._files(run_id)
            # The logs of the machine come first, so that another one than the script's must not be taken.
            log.url = files.get(_scripts_own(files) or "", "")
        return str(log.decode(_more(log))) if log.url else ""


def _more(log: _Log) -> bytes:
    """Return the bytes of a log that were not read yet.

    A storage account answers a range behind the end with 416, and may answer any range with the whole
    (https://learn.microsoft.com/rest/api/storageservices/get-blob).
    """
    import requests

    headers = {"Range": f"bytes={log.read}-"} if log.read else {}
    response = requests.get(log.url, headers=headers, timeout=_SECONDS)
    if response.status_code == _NOTHING_THERE:
        return b""
    if response.status_code not in (_OK, _PARTIAL):
        log.url = ""  # It may have expired; the next call requests a new one.
        return b""
    new = response.content[log.read :] if response.status_code == _OK else response.content
    log.read += len(new)
    return new

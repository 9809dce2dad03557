"""Hand what a script records to the job while it runs: metrics, tags, child runs and files."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import threading
import time

from .models import Models, register_outputs
from .tracking import RefusedError, Tracking, say
from .values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .context import Step

    Json = dict[str, Any]

# How often the records are looked at (seconds).
_INTERVAL = 1.0
# What one request may hold: values and tags together, values of one metric, tags.
_MOST, _MOST_OF_ONE, _MOST_TAGS = 1000, 250, 100
# The answers to a request of which a part may be accepted.
_OF_A_PART = (400, 413, 422)
_COLLECTED = ("outputs", "logs")
# A file that nobody has written to for so long is copied (seconds).
_SETTLED = 3.0
_STATUSES = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED"}


class Lines:
    """The records of a file that grows, each once."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._place = 0

    def __iter__(self) -> Iterator[Json]:
        try:
            with open(self._path, "rb") as file:
                file.seek(self._place)
                data = file.read()
        except OSError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._place += len(whole)
        for line in whole.splitlines():
            try:
                record = json.loads(line.decode())
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record


class RunRecords:
    """The folder of a run, and the id by which the server knows the run; children have none before they are made."""

    def __init__(self, folder: str, run_id: str | None, place: str = "") -> None:
        self.folder = folder
        self.run_id = run_id
        self.place = place
        self.values = Values()
        self.is_refused = False
        self._files = [Lines(os.path.join(folder, f"{name}.jsonl")) for name in ("metrics", "tags", "properties")]

    def read(self) -> None:
        """Take what is new."""
        metrics, *pairs = self._files
        for record in metrics:
            self.values.add(record)
        for file in pairs:
            for record in file:
                self.values.add_pair(record)

    def children(self) -> Iterator[str]:
        """Yield the folders of the child runs."""
        folder = os.path.join(self.folder, "children")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        yield from (os.path.join(folder, name) for name in sorted(filter(str.isdecimal, names), key=int))


class Forwarder:
    """A thread that hands over what a step records, until the step has ended and all is sent, or time is up."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._tracking = Tracking()
        self._runs = [RunRecords(step.folder, step.run_id)]
        if step.parent_id != step.run_id:
            self._runs.append(RunRecords(step.parent_folder, step.parent_id, "parent"))
        self._known: set[str] = set()
        self._said: set[str] = set()
        self._placed: set[str] = set()
        self._models = Models(step, self._tracking)
        self._is_successful = False
        self._ended = threading.Event()
        self._is_over = not self._tracking.is_there
        self._lost = 0
        self._reason = "MLFLOW_TRACKING_URI is not set in this job"
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def finish(self, seconds: float, *, is_successful: bool) -> None:
        """Wait until all is sent, at most this long, and say what is not; outputs are registered after success."""
        self._is_successful = is_successful
        self._ended.set()
        self._tracking.close(seconds)
        self._thread.join(seconds + 5)
        if self._thread.is_alive():
            say("gave up waiting for the tracking server; part of what the script logged is not recorded")
        elif self._lost:
            say(f"{self._lost:,} logged value{'s' if self._lost > 1 else ''} not recorded: {self._reason}")

    def _work(self) -> None:
        """Nothing that goes wrong here reaches the script."""
        try:
            while not self._ended.wait(_INTERVAL):
                self._pass()
            self._pass(is_last=True)
            if self._is_successful:
                register_outputs(self._step, self._tracking)
        except Exception as error:
            say(f"stopped recording what the script logs: {type(error).__name__}: {error}")

    def _pass(self, is_last: bool = False) -> None:
        for run in list(self._runs):
            self._find_children(run)
        for run in self._runs:
            self._place_files(run, is_last)
            run.read()
            self._send(run)
        if is_last:
            self._models.register()
            for run in self._runs:
                if run.place not in ("", "parent"):
                    self._end_child(run)

    # Values and tags

    def _send(self, run: RunRecords) -> None:
        values = run.values
        while values.metrics or values.tags:
            tags = values.take_tags(_MOST_TAGS)
            metrics = values.take_metrics(_MOST - len(tags), _MOST_OF_ONE)
            self._send_batch(run, metrics, tags)
        for key in values.take_removed():
            self._remove_tag(run, key)

    def _remove_tag(self, run: RunRecords, key: str) -> None:
        if run.run_id is None or self._is_over or run.is_refused:
            return
        try:
            self._tracking.send("runs/delete-tag", {"run_id": run.run_id, "key": key})
        except RefusedError as error:
            say(f"tag {key!r} is not removed: {error}")

    def _send_batch(self, run: RunRecords, metrics: list[Json], tags: list[Json]) -> None:
        """Send values; of those that are refused, all that are not."""
        count = len(metrics) + len(tags)
        if run.run_id is None or self._is_over or run.is_refused:
            self._lost += count
            return
        try:
            self._tracking.send("runs/log-batch", {"run_id": run.run_id, "metrics": metrics, "tags": tags})
        except RefusedError as error:
            if error.status in _OF_A_PART and count > 1:
                # Tags apart from values, then halves.
                half, other = (0, len(tags)) if metrics and tags else (len(metrics) // 2, len(tags) // 2)
                self._send_batch(run, metrics[:half], tags[:other])
                self._send_batch(run, metrics[half:], tags[other:])
                return
            if count == 1 and error.status not in (0, 401, 403, 404):
                self._say_refused((metrics or tags)[0]["key"], error)
                return
            # The others of this run would be refused as well.
            run.is_refused = error.status in (401, 403, 404)
            self._lose(count, error)

    def _say_refused(self, key: str, error: RefusedError) -> None:
        if key not in self._said:
            self._said.add(key)
            say(f"{key!r} is not recorded: {error}")

    def _lose(self, count: int, error: RefusedError) -> None:
        self._lost += count
        self._reason = str(error)
        self._is_over = self._is_over or not error.status

    def _ask(self, route: str, values: Json, count: int) -> Json:
        if self._is_over or values.get("run_id", "") is None:
            self._lost += count
            return {}
        try:
            return self._tracking.send(route, values)
        except RefusedError as error:
            self._lose(count, error)
            return {}

    # Child runs

    def _find_children(self, run: RunRecords) -> None:
        for folder in run.children():
            described = _loaded(os.path.join(folder, "run.json"))
            if folder in self._known or "name" not in described:
                continue
            self._known.add(folder)
            name = str(described["name"]).rpartition(">")[2] or os.path.basename(folder)
            place = "/".join([*([run.place] if run.place else []), "children", os.path.basename(folder)])
            child = RunRecords(folder, self._made(run, name), place)
            self._runs.append(child)
            self._find_children(child)

    def _made(self, above: RunRecords, name: str) -> str | None:
        """Return the id of a new child run."""
        if above.run_id is None:
            return None
        own = self._ask("runs/get", {"run_id": above.run_id}, 0).get("run", {}).get("info", {})
        tags = [{"key": "mlflow.parentRunId", "value": above.run_id}, {"key": "mlflow.runName", "value": name}]
        values = {
            "experiment_id": own.get("experiment_id") or os.environ.get("AZUREML_EXPERIMENT_ID", ""),
            "start_time": int(time.time() * 1000),
            "run_name": name,
            "tags": tags,
        }
        made = self._ask("runs/create", values, 0).get("run", {}).get("info", {})
        found = made.get("run_id") or made.get("run_uuid")
        return str(found) if found else None

    def _end_child(self, run: RunRecords) -> None:
        said = _loaded(os.path.join(run.folder, "status.json")).get("status")
        values = {
            "run_id": run.run_id,
            "status": _STATUSES.get(str(said), "FINISHED"),
            "end_time": int(time.time() * 1000),
        }
        if run.run_id is not None:
            self._ask("runs/update", values, 0)

    # Files

    def _place_files(self, run: RunRecords, is_last: bool) -> None:
        """Put what the script uploads and logs as files into outputs/, which the job keeps."""
        root = os.path.join(run.folder, "artifacts")
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                if is_last or path not in self._placed:
                    target = _target(root, path, run.place)
                    if _place(path, target, path in self._placed, is_last):
                        self._placed.add(path)


def _target(root: str, path: str, place: str) -> str:
    """Return where a file of a run goes, as a path in the folder of the job."""
    name = os.path.relpath(path, root)
    if not place and name.split(os.sep)[0] in _COLLECTED and os.sep in name:
        return name
    return os.path.join("outputs", *place.split("/"), name)


def _place(path: str, target: str, is_placed: bool, is_last: bool) -> bool:
    """Put a file at its target; return whether it is there. One that `is_placed` may have grown since."""
    try:
        if os.path.exists(target):
            if os.path.samefile(path, target):
                return True
            if not is_last or filecmp.cmp(path, target, shallow=False):
                return is_last
            if not is_placed:
                say(f"{target} is not what the script uploaded by this name; the file in outputs/ is kept")
                return True
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            os.link(path, target)
        except OSError:  # on another disk
            if not is_last and time.time() - os.path.getmtime(path) < _SETTLED:
                return False
            shutil.copyfile(path, target)
    except OSError as error:
        if is_last:
            say(f"{target} is not recorded: {error.strerror}")
        return False
    return True


def _loaded(path: str) -> Json:
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

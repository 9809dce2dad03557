"""Try what is assumed of Azure ML v2 in a workspace: make small things of an own name, look, and delete them.

The name of each thing starts with `azml-try-` and a number of this trial. Data assets, environments, components and
jobs cannot be deleted, so they are archived.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from azml_tasks.azure.errors import status_of, translating_errors
from azml_tasks.azure.records import AzureRunRecord
from azml_tasks.azure.v2.assets import environment_differences, latest_version, register_environment
from azml_tasks.azure.v2.client.connection import Client, found_or_none
from azml_tasks.azure.v2.data import RUN, opened_container, secret_of
from azml_tasks.azure.v2.documents import NEEDED_TO_PUBLISH, PIPELINE, Documents, documents
from azml_tasks.azure.v2.jobs import run
from azml_tasks.azure.v2.publish import list_versions, publish, run_published, to_publish
from azml_tasks.azure.v2.runs import cancel_job, find_run, list_runs, step_log
from azml_tasks.azure.v2.schedules import reconcile, schedule_name
from azml_tasks.backend import Fact, Pace, RunRequest, Trial, Watch
from azml_tasks.errors import AzmlError, Interrupted, ServiceError
from azml_tasks.export.assets import DEFAULT_IMAGE
from azml_tasks.export.document import plain_document
from azml_tasks.reading import Project, load_project
from azml_tasks.runs.origin import Origin
from azml_tasks.runs.records import Event, RunStarted, StepFinished, StepReused, StepStarted

_FILE = "azml_try.txt"
_FIRST = f"""\
import argparse
from pathlib import Path

from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--config")
parser.add_argument("--output-folder")
folder = Path(parser.parse_args().output_folder)
(folder / "{_FILE}").write_text("tried")
run = Run.get_context()
run.log("azml_try", 0.5)
run.tag("azml_try", "tagged")
run.parent.log("azml_try_parent", 2.0)
"""
_SECOND = f"""\
import argparse
from pathlib import Path

from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--input-folder")
text = Path(parser.parse_args().input_folder, "{_FILE}").read_text()
Run.get_context().log("azml_try_read", float(len(text)))
"""
# Far enough that no run starts, and in the form that the file has it.
_START = "2099-01-01T06:00:00"


@dataclass(frozen=True)
class _Made:
    """Something that was made, and what deletes or archives it; `command` does that by hand."""

    what: str
    remove: Callable[[], object]
    command: str


class AzureTrial(Trial):
    """A trial in a workspace, on the compute of the first step of the file."""

    def __init__(self, project: Project, client: Client, say: Callable[[str], None], pace: Pace | None = None) -> None:
        self._client = client
        self._given = project
        self._say = say
        self._pace = pace or Pace()
        self._made: list[_Made] = []
        self._runs: set[str] = set()
        self.name = f"azml-try-{uuid.uuid4().hex[:8]}"
        self.compute = str(project.pipeline.compute_of(project.plan.steps[0].step))

    def run(self, show: Callable[[Fact], None]) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="azml-try-") as folder:
                for fact in self._facts(Path(folder)):
                    show(fact)
        except KeyboardInterrupt:
            raise self._interrupted() from None
        except AzmlError as error:
            if isinstance(error.__context__, KeyboardInterrupt):  # while a run was sent or followed
                raise self._interrupted() from None
            self._remove()
            if self._made:
                raise ServiceError(f"{error}\n{self._left()}") from None
            raise
        except Exception:  # a bug
            self._remove()
            self._say(self._left())
            raise
        self._remove()
        if self._made:
            raise ServiceError(self._left())

    def _interrupted(self) -> Interrupted:
        """Return the error after Ctrl-C, with the names of what could not be removed."""
        self._say("interrupted; removing what was made (Ctrl-C again leaves it)")
        self._remove()
        return Interrupted(self._left() or "interrupted; what the trial made was removed")

    def _remove(self) -> None:
        """Remove what was made, the newest first; what cannot be removed stays in the list."""
        try:
            for one in reversed(self._made.copy()):
                with contextlib.suppress(AzmlError):
                    self._client.call(f"removing {one.what}", one.remove)
                    self._made.remove(one)
        except KeyboardInterrupt:
            raise Interrupted(self._left()) from None

    def _left(self) -> str:
        """Return what is left, a line each with the command that removes it; empty if nothing is."""
        lines = [f"  {one.what}: {one.command}" for one in reversed(self._made)]
        return "\n".join(["left in the workspace:", *lines]) if lines else ""

    def _makes(self, what: str, remove: Callable[[], object], command: str) -> None:
        """Note what is made next, so that it is removed whatever happens."""
        if all(one.what != what for one in self._made):
            self._made.append(_Made(what, remove, command))

    # The parts of the trial

    def _facts(self, folder: Path) -> Iterator[Fact]:
        project = self._project(folder)
        yield from self._environment(project)
        started = time.monotonic()
        record = self._run(project)
        self._say(f"the run took {time.monotonic() - started:,.0f} s")
        yield from self._of_run(project, record)
        yield from self._of_output(record)
        again = self._run(project)
        reused = [step.status for step in again.steps]
        yield Fact("an unchanged run is reused", "reused, reused", ", ".join(reused))
        yield self._same_code(record, again)
        yield self._job_again(project, record)
        yield self._cancelled_again(record)
        yield from self._of_v1()
        with documents(to_publish(project), NEEDED_TO_PUBLISH) as found:
            yield from self._published(found)
            yield from self._scheduled(found)

    def _project(self, folder: Path) -> Project:
        pipeline = self._given.pipeline
        output = {"--output-folder": {"register_on_complete": self.name}}
        stated = {
            "backend": "azure-v2",
            "ws_name": pipeline.ws_name,
            "resource_group": pipeline.resource_group,
            "subscription_id": pipeline.subscription_id,
            "experiment_name": self.name,
            "env_name": self.name,
            "compute_name": self.compute,
            "environments": {self.name: {"base_image": DEFAULT_IMAGE}},
            "steps": {
                "first": {"script_name": "first.py", "step_config": {"tried": self.name}, "output_folders": output},
                "second": {"script_name": "second.py"},
            },
            "publish": {"name": self.name},
            "schedule": {"name": self.name, "frequency": "Day", "start_time": _START},
        }
        (folder / "pipeline.yaml").write_bytes(plain_document(stated))
        (folder / "first.py").write_text(_FIRST, encoding="utf-8")
        (folder / "second.py").write_text(_SECOND, encoding="utf-8")
        return load_project(folder / "pipeline.yaml")

    def _environment(self, project: Project) -> Iterator[Fact]:
        """Register one with packages, whose image is built only when it is used, and read it."""
        from azure.ai.ml import load_environment

        name = f"{self.name}-packages"
        pipeline = project.pipeline
        packages = type(pipeline.environments[self.name])(pip_packages=("pandas",), python_version="3.11")
        changed = pipeline.model_copy(update={"environments": {**pipeline.environments, name: packages}})
        self._archived("environment", name)
        with documents(replace(project, pipeline=changed)) as found:
            register_environment(self._client, found, name)
            there = latest_version(self._client, "reading the environment", self._client.ml.environments, name)
            wanted = self._client.call("reading it", lambda: load_environment(found.file("environments", name)))
            seen = "not found"
            if there is not None:
                there.tags = {}
                seen = "; ".join(map(str, environment_differences(there, wanted, ""))) or "as it was sent"
        yield Fact("environments return their conda file", "as it was sent", seen)

    def _run(self, project: Project) -> AzureRunRecord:
        def listen(event: Event) -> None:
            if isinstance(event, RunStarted):
                self._runs.add(event.run.id)
                self._say(f"run {event.run.id}: {getattr(event.run, 'url', '')}")
            elif isinstance(event, (StepStarted, StepFinished, StepReused)):
                self._say(f"step {event.step.key}: {event.step.status}")

        self._archived("environment", self.name)
        self._archived("data", self.name)
        self._runs_are_removed()
        return run(project, self._client, RunRequest(), Watch(listen, self._pace), Origin())

    def _runs_are_removed(self) -> None:
        client = self._client

        def remove() -> None:
            with contextlib.suppress(*([ServiceError] if self._runs else [])):
                # Also a run that was sent when Ctrl-C came.
                self._runs |= {one.id for one in list_runs(client, self.name, None)}
            for identifier in self._runs:
                cancel_job(client, identifier)
                client.ml.jobs.archive(identifier)

        cancelling = f"invoke runs.cancel, and hide the experiment {self.name} in the studio"
        self._makes(f"the runs of the experiment {self.name}", remove, cancelling)

    def _archived(self, kind: str, name: str) -> None:
        operations: Mapping[str, Any] = {
            "environment": self._client.ml.environments,
            "data": self._client.ml.data,
            "component": self._client.ml.components,
        }

        def remove() -> None:
            for one in found_or_none(lambda: list(operations[kind].list(name))) or ():
                operations[kind].archive(name, version=str(one.version))

        what = f"the {'data asset' if kind == 'data' else kind} {name}"
        self._makes(what, remove, f"az ml {kind} archive --name {name}")

    def _of_run(self, project: Project, record: AzureRunRecord) -> Iterator[Fact]:
        client, history = self._client, self._client.history
        with translating_errors("reading the run"):
            children = history.children(record.id)
            names = {"first", "second"}
            by_name = {str(child.get("name")) for child in children} == names
            labels = {str(child.get("displayName")) for child in children} == names
            seen = "by the job" if by_name else "by the label" if labels else "by something else"
            yield Fact("the run history names a step", "by the job", seen)
            listed = any(one.id == record.id for one in list_runs(client, self.name))
            yield Fact("lists of runs have the run", "yes", _yes(listed))
            found = find_run(client, self.name, record.id, project.plan)
            kept = found.settings.get("first") == {"tried": self.name}
            yield Fact("properties of a job are kept", "yes", _yes(kept))
            logged = {step.key: {str(one["name"]) for one in step.logged} for step in found.steps}
            own = "azml_try" in logged.get("first", ())
            yield Fact("what a script logs is a metric of its step", "yes", _yes(own))
            parent = "azml_try_parent" in {str(one["name"]) for one in found.logged}
            yield Fact("what it logs to its parent is a metric of the run", "yes", _yes(parent))
            read = "azml_try_read" in logged.get("second", ())
            yield Fact("a step reads the folder of another", "yes", _yes(read))

    def _of_output(self, record: AzureRunRecord) -> Iterator[Fact]:
        client = self._client
        first = next(step for step in record.steps if step.key == "first")
        with translating_errors("reading the log"):
            log = step_log(client, first.run_id)[1]
        by_job = "is registered as the data asset" in log
        refusal = next((line for line in log.splitlines() if "the output is not registered" in line), "no")
        yield Fact("a job may register its output", "yes", "yes" if by_job else refusal)
        asset = latest_version(client, "reading the data asset", client.ml.data, self.name)
        path = str(asset.path) if asset is not None else ""
        is_own = asset is not None and (asset.tags or {}).get(RUN) == first.run_id
        seen = _yes(is_own and client.call("looking for the output", partial(self._has_file, path)))
        yield Fact("the registered output has the step's files", "yes", seen if seen == "yes" else f"no: {path}")
        with translating_errors("looking for the data asset"):
            is_dataset = client.history.has_v1_dataset(self.name)
        yield Fact("data assets are datasets of v1", "no", _yes(is_dataset))

    def _has_file(self, path: str) -> bool:
        """Return whether a folder of a datastore has the file that the first step wrote."""
        store_name, _, place = path.partition("datastores/")[2].partition("/paths/")
        store = self._client.ml.datastores.get(store_name, include_secrets=True)
        with opened_container(self._client, store, secret_of(store)) as container:
            return bool(container.get_blob_client(f"{place.rstrip('/')}/{_FILE}").exists())

    def _same_code(self, record: AzureRunRecord, again: AzureRunRecord) -> Fact:
        def components(identifier: str) -> dict[str, str]:
            job = self._client.ml.jobs.get(identifier)
            return {name: str(getattr(node, "component", "")) for name, node in job.jobs.items()}

        both = [self._client.call("reading the job", partial(components, one.id)) for one in (record, again)]
        return Fact("unchanged code is found by its hash", "yes", _yes(both[0] == both[1]))

    def _job_again(self, project: Project, record: AzureRunRecord) -> Fact:
        """Send the first job a second time, under its name."""
        from azure.ai.ml import load_job

        def send(found: Documents) -> str:
            job = load_job(found.folder / PIPELINE)
            job.name, job.experiment_name = record.id, self.name
            try:
                self._client.ml.jobs.create_or_update(job)
            except Exception as error:
                if status_of(error) is None:
                    raise
                return f"refused ({status_of(error)})"
            return "accepted"

        with documents(project) as found:
            seen = self._client.call("sending the job again", partial(send, found))
        with translating_errors("listing the runs"):
            count = sum(one.id == record.id for one in list_runs(self._client, self.name))
        return Fact("the same job sent twice", "accepted, 1 run", f"{seen}, {count} run{'' if count == 1 else 's'}")

    def _cancelled_again(self, record: AzureRunRecord) -> Fact:
        def cancel() -> str:
            try:
                self._client.ml.jobs.begin_cancel(record.id, polling=False)
            except Exception as error:
                if status_of(error) is None:
                    raise
                return f"refused ({status_of(error)})"
            return "accepted"

        seen = self._client.call("cancelling a finished run", cancel)
        return Fact("cancelling a finished run", "refused (400)", seen)

    def _of_v1(self) -> Iterator[Fact]:
        with translating_errors("looking for a dataset of v1"):
            there = self._client.history.has_v1_dataset(f"{self.name}-none")
        yield Fact("a dataset of v1 that does not exist is not found", "yes", _yes(not there))

    def _published(self, found: Documents) -> Iterator[Fact]:
        client, name = self._client, self.name.replace("-", "_")
        self._archived("component", name)
        version = publish(client, found).version
        latest = list_versions(client, name).versions
        seen = next((one.version for one in latest if one.state == "default"), "none")
        yield Fact("a component is published with its data and values", version, seen)
        _, record = run_published(client, found.project, RunRequest(), None, dry=False)
        assert record is not None
        self._runs.add(record.id)
        self._say(f"run {record.id} of the published pipeline")
        client.call("cancelling it", lambda: cancel_job(client, record.id))
        with translating_errors("reading the run"):
            status = (client.history.run(record.id) or {}).get("status")
        yield Fact("a published pipeline runs", "yes", _yes(status is not None))

    def _scheduled(self, found: Documents) -> Iterator[Fact]:
        client, name = self._client, schedule_name(found.project)

        def remove() -> None:
            if found_or_none(lambda: client.ml.schedules.get(name)) is not None:
                with contextlib.suppress(Exception):  # of one that is disabled
                    client.ml.schedules.begin_disable(name).result()
                client.ml.schedules.begin_delete(name).result()

        commands = f"az ml schedule disable --name {name} && az ml schedule delete --name {name}"
        self._makes(f"the schedule {name}", remove, commands)
        started = time.monotonic()
        reconcile(client, found, publish(client, found))
        seconds = time.monotonic() - started
        yield Fact("a schedule is made in", "less than 60 s", "less than 60 s" if seconds < 60 else f"{seconds:,.0f} s")
        there = client.call("reading the schedule", lambda: client.ml.schedules.get(name))
        start = str(there.trigger.start_time)
        is_kept = start.replace("T", " ").startswith(_START.replace("T", " "))
        yield Fact("start_time is kept", _START, _START if is_kept else start)

        def replaced() -> bool:
            return bool(client.ml.schedules.begin_create_or_update(client.ml.schedules.get(name)).result().is_enabled)

        yield Fact("a replaced schedule stays enabled", "yes", _yes(client.call("replacing the schedule", replaced)))

        def deleted() -> str:
            try:
                client.ml.schedules.begin_delete(name).result()
            except Exception as error:
                if status_of(error) is None:
                    raise
                return f"refused ({status_of(error)})"
            return "accepted"

        yield Fact("deleting an enabled schedule", "refused (400)", client.call("deleting the schedule", deleted))


def _yes(value: object) -> str:
    return "yes" if value else "no"

"""Really run the scripts of a submitted job, each from its uploaded code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.service import artifacts
from tests.service.environment import variables
from tests.service.execution import COLLECTED, LIMIT_SECONDS, LOOK_SECONDS, run_variables
from tests.service.run_state import COMPLETED, ENDED, FAILED, Run
from tests.service.state import Document, Workspace

from . import progress
from .state import Job

if TYPE_CHECKING:
    from .service import ServiceV2

_PLACEHOLDER = re.compile(r"\$\{\{(inputs|outputs)\.([^.}]+)\}\}")
_PARENT = re.compile(r"\$\{\{parent\.(?:inputs\.([^.}]+)|jobs\.([^.}]+)\.outputs\.([^.}]+))\}\}")
_STORE = re.compile(r"azureml://(?:.*/)?datastores/([^/]+)/paths/(.*)")


def execute(service: ServiceV2, workspace: Workspace, job: Job) -> None:
    """Run all steps of a job in order."""
    with service.lock:
        progress.start_ready(service, workspace, job)
    while True:
        with service.lock:
            going = [name for name, one in job.runs.items() if workspace.runs[one].status not in ENDED]
        if not going:
            return
        for name in going:
            with tempfile.TemporaryDirectory(prefix="azure-v2-step-") as folder:
                _Step(service, workspace, job, name, Path(folder)).execute()


class _Step:
    """One step on its node."""

    def __init__(self, service: ServiceV2, workspace: Workspace, job: Job, name: str, folder: Path) -> None:
        self._service, self._workspace, self._job, self._name = service, workspace, job, name
        self._node = job.steps[name]
        self._spec = progress.component_of(service, self._node)
        self._record: Run = workspace.runs[job.runs[name]]
        self._code, self._data, self._home = folder / "wd", folder / "data", folder / "home"
        self._log = folder / "log.txt"
        self._outputs: dict[str, Path] = {}

    def execute(self) -> None:
        with self._service.lock:
            self._place_code()
            command = self._command()
        status = self._run(command)
        with self._service.lock:
            if self._record.status in ENDED:  # cancelled meanwhile
                return
            self._collect()
            message = None if status == 0 else f"Execution failed. User process exited with status code {status}."
            result = COMPLETED if status == 0 else FAILED
            log = self._log.read_bytes()
            progress.end_step(self._service, self._workspace, self._job, self._name, result, message, log)

    def _place_code(self) -> None:
        _, name, _, version = self._spec["code"].removeprefix("azureml:").rsplit("/", 3)
        uri = self._service.v2.assets["codes"][name][version]["properties"]["codeUri"]
        account, container, prefix = re.fullmatch(
            r"https://([^.]+)\.blob\.core\.windows\.net(?::443)?/([^/]+)/?(.*)", uri
        ).groups()  # type: ignore[union-attr]
        for path, blob in self._service.state.storage.find(account, container, prefix):
            _write(self._code / path.removeprefix(prefix).lstrip("/"), blob.content)

    def _command(self) -> str:
        def value(match: re.Match[str]) -> str:
            if match[1] == "outputs":
                return str(self._output(match[2]))
            return self._input(match[2])

        for name in self._spec.get("outputs") or {}:
            self._output(name)
        return _PLACEHOLDER.sub(value, self._spec["command"])

    def _output(self, name: str) -> Path:
        folder = self._data / "outputs" / name
        folder.mkdir(parents=True, exist_ok=True)
        self._outputs[name] = folder
        return folder

    def _input(self, name: str) -> str:
        given = self._node["inputs"][name]
        value, mode = self._value(given)
        if not isinstance(value, str):
            return str(value)
        match = _STORE.fullmatch(value)
        if match is None or mode == "Direct":
            return value
        store = self._workspace.datastores[match[1]]
        return self._download(store.account, store.container, match[2], self._data / "inputs" / name)

    def _value(self, given: Document) -> tuple[str, str]:
        """Return the value of an input and its mode: a text or an address."""
        text = given.get("value") or given.get("uri")
        match = _PARENT.fullmatch(str(text))
        mode = given.get("mode") or ""
        if match is None:
            return self._address(str(text)), mode
        if match[1]:
            inner = self._job.properties["inputs"][match[1]]
            text = inner.get("value") if "value" in inner else inner.get("uri")
            return self._address(str(text)), mode or inner.get("mode") or ""
        writer = self._workspace.runs[self._job.runs[match[2]]]
        made_by = writer.properties.get("azureml.reusedrunid", writer.id)
        return self._service.results[f"{made_by}/{match[3]}"], mode

    def _address(self, text: str) -> str:
        """Return the address of a data asset, other texts as they are."""
        asset = re.search(r"/data/([^/]+)/versions/([^/]+)$", text)
        if asset is None:
            return text
        return str(self._service.v2.assets["data"][asset[1]][asset[2]]["properties"]["dataUri"])

    def _download(self, account: str, container: str, path: str, folder: Path) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        prefix = path.rstrip("/")
        for name, blob in self._service.state.storage.find(account, container, prefix):
            if name == prefix:
                _write(folder / Path(name).name, blob.content)
                return str(folder / Path(name).name)
            if name.startswith(f"{prefix}/") or not prefix:
                _write(folder / name.removeprefix(prefix).lstrip("/"), blob.content)
        return str(folder)

    def _run(self, command: str) -> int:
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                ["/bin/bash", "-c", command],
                cwd=self._code,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            end = time.monotonic() + LIMIT_SECONDS
            while True:
                try:
                    return process.wait(LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    with self._service.lock:
                        self._service.write_log(self._record, self._log.read_bytes())
                    if self._record.status in ENDED or time.monotonic() > end:
                        process.kill()

    def _environment(self) -> dict[str, str]:
        bin_folder = self._home / "bin"
        bin_folder.mkdir(parents=True, exist_ok=True)
        python = bin_folder / "python"
        if not python.exists():
            python.write_text(f'#!/bin/sh\nexec "{self._service.python or sys.executable}" "$@"\n')
            python.chmod(0o755)
        own = self._node.get("environment_variables") or {}
        return {
            **{name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ},
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            **{
                name: value
                for name, value in variables(self._service, self._home).items()
                if not name.startswith("AZUREML_SERVICE_PRINCIPAL")
            },
            **run_variables(self._workspace, self._record),
            **{name: str(value) for name, value in own.items()},
        }

    def _collect(self) -> None:
        """Send outputs to their places, and what lies in `outputs` and `logs` to the run's artifacts."""
        for name, folder in self._outputs.items():
            # Also if the step has failed (azure-sdk-for-python#32578).
            self._register(name)
            stated = ((self._node.get("outputs") or {}).get(name) or {}).get("uri")
            address = self._placed(stated, name)
            self._service.results[f"{self._record.id}/{name}"] = address
            match = _STORE.fullmatch(address)
            assert match
            store = self._workspace.datastores[match[1]]
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    place = f"{match[2].rstrip('/')}/{path.relative_to(folder).as_posix()}"
                    self._service.state.storage.put(store.account, store.container, place, path.read_bytes())
        for name in COLLECTED:
            for path in sorted((self._code / name).rglob("*")):
                if path.is_file():
                    place = f"{name}/{path.relative_to(self._code / name).as_posix()}"
                    container = self._record.container
                    artifacts.put(self._service.state, self._workspace, container, place, path.read_bytes())

    def _register(self, name: str) -> None:
        node = (self._node.get("outputs") or {}).get(name) or {}
        if node.get("name"):
            versions = self._service.v2.assets["data"].setdefault(node["name"], {})
            address = self._placed(node.get("uri"), name)
            body = {"dataType": "uri_folder", "dataUri": address, "tags": {}}
            versions[str(len(versions) + 1)] = {"properties": body, "created": "2026-01-05T08:00:00.0000000Z"}

    def _placed(self, stated: str | None, name: str) -> str:
        if not stated:
            return f"azureml://datastores/workspaceblobstore/paths/azureml/{self._record.id}/{name}/"
        return stated.replace("${{name}}", self._record.id).replace("${{output_name}}", name)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)

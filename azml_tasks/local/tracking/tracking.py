"""The tracking of a local run's steps; nothing is started before the first step that uses MLflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from azml_tasks.local.store.paths import ProjectPaths, StepPaths
from azml_tasks.local.tracking.step import DEFAULT_EXPERIMENT, StepTracking
from azml_tasks.secrets import HIDDEN, holds_secret, redact

if TYPE_CHECKING:
    from azml_tasks.local.tracking.server import TrackingServer

URI = "MLFLOW_TRACKING_URI"
# With one of these azureml-mlflow takes the process for a job on Azure ML, and sends its token there.
_OF_A_JOB = ("AZUREML_RUN_ID", "AZUREML_RUN_TOKEN", "MLFLOW_TRACKING_TOKEN")
# Which would name another run or experiment than this one.
_OF_ANOTHER = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")
# The first MLflow whose models Azure ML v1 refuses.
_FIRST_REFUSED = (2, 17)


class Tracking:
    """The tracking server of a run, and what its steps log there; `outer` are the variables of this process,
    `secrets` returns what is hidden in what they log."""

    def __init__(
        self, layout: ProjectPaths, experiment: str, outer: Mapping[str, str], secrets: Callable[[], list[str]]
    ) -> None:
        self._layout = layout
        self._outer = outer
        self._secrets = secrets
        self._experiments = {DEFAULT_EXPERIMENT: experiment}
        self._steps: dict[str, StepTracking] = {}
        self._server: TrackingServer | None = None

    def environment_of(
        self, key: str, label: str, places: StepPaths, environment: Mapping[str, str], own: Mapping[str, str]
    ) -> dict[str, str]:
        """Return the environment of a step that uses MLflow; `own` are its variables in the file.

        Where the user has set a tracking URI, that is the only change. Raises OSError.
        """
        uri = environment.get(URI) or self._outer.get(URI)
        if uri:
            return {**environment, URI: uri}
        if self._server is None:
            from azml_tasks.local.tracking.server import TrackingServer

            self._server = TrackingServer()
        step = StepTracking(self._layout, places, label, self._experiments, self._hide)
        step.run.artifacts.mkdir(parents=True, exist_ok=True)
        self._steps[key] = step
        return with_tracking(environment, self._server.address_for(step), step.run.run_id, own)

    def of(self, key: str) -> StepTracking | None:
        """Return the tracking of a step that this process has started."""
        return self._steps.get(key)

    def end(self, key: str) -> list[str]:
        """Refuse what a step still sends, and return remarks on what it has logged."""
        step = self._steps.get(key)
        if step is None:
            return []
        step.end()
        return [_about_models(key, step.models_by)] if _is_refused(step.models_by) else []

    def close(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.close()

    def _hide(self, name: str, value: str) -> str:
        """Return a value as the record may have it."""
        return HIDDEN if holds_secret(name, value) else redact(value, self._secrets())


def _is_refused(version: str) -> bool:
    numbers = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    return tuple(numbers) >= _FIRST_REFUSED


def _about_models(key: str, version: str) -> str:
    return (
        f"step '{key}' logs a model with MLflow {version}; on Azure ML this fails with 404 (logged-models) for MLflow "
        "2.17 and later: use autolog(log_models=False), or save_model with log_artifacts and "
        "azureml.core.Model.register, or an older mlflow"
    )


def with_tracking(environment: Mapping[str, str], uri: str, run_id: str, own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a step that logs to the server; `own` are the variables of the step in the file."""
    kept = {
        name: value
        for name, value in environment.items()
        if name not in _OF_A_JOB and (name not in _OF_ANOTHER or name in own)
    }
    kept |= {URI: uri, "MLFLOW_RUN_ID": run_id}
    kept.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # Of pages that this server does not have.
    kept.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = _with_loopback(environment.get("no_proxy") or environment.get("NO_PROXY") or "")
    return kept


def _with_loopback(hosts: str) -> str:
    """Return the hosts that are not reached through a proxy, with this machine."""
    listed = [host.strip() for host in hosts.split(",") if host.strip()]
    return hosts if "*" in listed or "127.0.0.1" in listed else ",".join([*listed, "127.0.0.1", "localhost"])

"""What a forecast says of a run is what the run then does, for generated pipelines and changes, and a second forecast
names only steps that always run."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from azml_tasks.backend import RunRequest, StepForecast, Watch
from azml_tasks.errors import RunError
from azml_tasks.local.backend import LocalBackend
from azml_tasks.reading import load_project
from azml_tasks.runs.records import RunStarted, StepFinished, StepReused
from tests.foretold import Generated

pytestmark = pytest.mark.processes

HEADING = """\
backend: local
experiment_name: foretold
env_name: e
environments: {e: {pip_packages: [PACKAGES]}}
datasets: {customers: {local_path: data/customers.csv}}
"""
CASES, CHANGES = 2, 5
MANY_CASES = 30


def backend_of(folder: Path) -> LocalBackend:
    return LocalBackend(load_project(folder / "pipeline.yaml", variables={}))


def foretold(folder: Path, request: RunRequest) -> dict[str, StepForecast]:
    backend = backend_of(folder)
    backend.check_request(request)
    return {step.key: step for step in backend.forecast(request).steps}


def done(folder: Path, request: RunRequest) -> dict[str, tuple[str, str]]:
    """Run, and return the status and the reason of each step."""
    events = []
    backend_of(folder).run(request, Watch(events.append))
    given = next(event.given for event in events if isinstance(event, RunStarted))
    steps = [*given, *(event.step for event in events if isinstance(event, (StepFinished, StepReused)))]
    return {step.key: (step.status, step.reason) for step in steps}


def agrees(said: dict[str, StepForecast], made: Generated, key: str, status: str, reason: str) -> bool:
    """Return whether a step did what was said of it, for the reason that was said."""
    forecast = said[key]
    if forecast.verdict == "may run":
        return status in ("completed", "reused")
    if status != {"runs": "completed", "reused": "reused"}[forecast.verdict]:
        return False
    above = (*made.steps[key].before, *made.steps[key].after)
    # What steps before it write is known to the run alone.
    is_known = all(said[one].verdict == "reused" for one in above if one in said)
    return reason == str(forecast.reason) or (forecast.reason.cause == "changed" and not is_known)


def request_of(made: Generated) -> RunRequest:
    chance, kind = made.chance, made.chance.random()
    name = chance.choice(list(made.steps))
    if kind < 0.6:
        return RunRequest()
    if kind < 0.7:
        return RunRequest(force=True)
    if kind < 0.8:
        return RunRequest(settings=(f"{name}.v={chance.randint(0, 3)}",))
    return RunRequest(only=name) if kind < 0.9 else RunRequest(from_step=name)


def test_what_is_foretold_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chance: random.Random, slow: bool
) -> None:
    for case in range(MANY_CASES if slow else CASES):
        folder = tmp_path / str(case)
        made = Generated(folder, chance, HEADING)
        history = []
        for _ in range(CHANGES):
            monkeypatch.setenv("FORETOLD", str(made.variable))
            request = request_of(made)
            history.append(request)
            try:
                said = foretold(folder, request)
            except RunError as error:  # a step before the selected one has no result yet
                with pytest.raises(RunError, match=str(error)[:20]):
                    done(folder, request)
                history.append(made.change())
                continue
            happened = done(folder, request)

            assert said.keys() == happened.keys(), history
            wrong = {key: (said[key], happened[key]) for key in said if not agrees(said, made, key, *happened[key])}
            assert wrong == {}, history
            if request == RunRequest():
                again = foretold(folder, request)
                assert {key for key, step in again.items() if step.verdict != "reused"} <= made.always(), history
                causes = {step.reason.cause for step in again.values() if step.verdict != "reused"}
                assert causes <= {"always", "upstream"}, again
            history.append(made.change())

"""`invoke schedule` and the tasks that look after schedules, on Azure: what they print and do."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest

from tests.azure.connections import forget_connections
from tests.tasks.azure_tasks import FILE
from tests.tasks.conftest import Answer, Invoke

STEP = "steps: {train: {script_name: train.py, allow_reuse: false}}\n"
YEARLY = "schedule: {frequency: Month, interval: 12, start_time: 2090-01-02T06:30:00, time_zone: Europe/Paris}\n"
WORDS = "every 12 months at 06:30"


@pytest.fixture
def churn(azure: Any, invoke: Invoke) -> Invoke:
    forget_connections()
    azure.add_environment("env")
    azure.add_compute("cpu")
    azure.add_datastore("raw")
    invoke.write("train.py", "print('trained')\n")
    invoke.write("pipeline.yaml", FILE + STEP + YEARLY + "targets: {dev: {schedule: {enabled: false}}}\n")
    return invoke


def doubled(azure: Any) -> str:
    """Double the first schedule, as a second `Schedule.create` does, and return the id of the older one."""
    first = next(iter(azure.schedules.values()))
    twin = type(first)("twin", first.name, None, first.endpoint, first.recurrence, None, first.submission)
    azure.schedules[twin.id] = twin
    return str(first.id)


def test_scheduling_publishes_and_reports_when_it_runs_and_again_that_nothing_changed(
    azure: Any,
    churn: Invoke,
) -> None:
    first = churn("schedule")
    again = churn("schedule")

    (published,) = azure.published.values()
    when = f"  {WORDS}, Europe/Paris; next Mon 2090-01-02 06:30 CET\n"
    assert first == Answer(
        f"churn {published.version}: published, with a new endpoint\nschedule churn: created\n{when}", "", 0
    )
    assert again == Answer(f"churn {published.version}: unchanged\nschedule churn: unchanged\n{when}", "", 0)
    assert len(azure.schedules) == 1
    assert azure.submitted == []


def test_a_target_switches_it_off_and_a_dry_run_only_reports_it(azure: Any, churn: Invoke) -> None:
    assert churn("--dry", "schedule").out.splitlines()[1] == "schedule churn: would be created"
    churn("schedule")
    off = "note: the file has `enabled: false`\n"

    assert churn("--dry", "schedule", "--target", "dev").out == f"schedule churn: would be disabled\n{off}"
    assert [item.active for item in azure.schedules.values()] == [True]
    assert churn("schedule", "--target", "dev").out == f"schedule churn: disabled\n{off}"
    assert [item.active for item in azure.schedules.values()] == [False]


def test_run_now_starts_a_run_besides(azure: Any, churn: Invoke) -> None:
    assert churn("--dry", "schedule", "--run-now").out.splitlines()[-1] == "would start a run now"
    assert azure.submitted == []

    out = churn("schedule", "--run-now").out

    (run,) = azure.submitted
    (published,) = azure.published.values()
    assert out.splitlines()[3] == f"run {run.id} of {published.version}, experiment trial"
    assert (run.published, run.experiment) == (published.id, "trial")
    assert churn("schedule", "--run-now", "--target", "dev").err == (
        "--run-now: the schedule is disabled (`enabled: false`); start a run with `invoke published.run --target dev`\n"
    )


def test_a_blob_schedule_reports_what_it_does_not_do(azure: Any, churn: Invoke) -> None:
    churn.write("pipeline.yaml", FILE + STEP + "schedule: {on_blob_change: {datastore_name: raw}}\n")
    assert churn("schedule").out.splitlines()[1:] == [
        "schedule churn: created",
        "  when a blob in raw is added or changed, checked every 5 minutes",
        "note: each blob that is added or changed starts its own run: ten blobs start ten runs",
        "note: only blobs directly in the root of the container are detected, not in subfolders",
        "note: the datastore 'raw' needs an account key and must not be in a virtual network",
    ]


def test_list_shows_all_states(azure: Any, churn: Invoke) -> None:
    assert churn("schedules.list") == Answer("", "no schedules yet; create one with `invoke schedule`\n", 1)
    churn("schedule")
    doubled(azure)
    azure.schedules["twin"].active = False
    (first, _) = azure.schedules

    assert churn("schedules.list").out == (
        f"enabled   churn: {WORDS}, Romance Standard Time; next Mon 2090-01-02 06:30 CET; runs churn ({first})\n"
        f"disabled  churn: {WORDS}, Romance Standard Time; runs churn (twin)\n"
    )


def test_list_shows_those_of_other_pipelines_when_asked(azure: Any, churn: Invoke) -> None:
    churn("schedule")
    churn.write("pipeline.yaml", FILE.replace("{name: churn", "{name: other") + STEP + YEARLY)
    churn("schedule")

    assert re.findall(r"enabled +(\w+):", churn("schedules.list").out) == ["other"]
    assert re.findall(r"enabled +(\w+):", churn("schedules.list", "--all").out) == ["churn", "other"]


def test_pause_and_resume(azure: Any, churn: Invoke) -> None:
    churn("schedule")
    assert churn("--dry", "schedules.pause").out.splitlines()[0] == "schedule churn: would be disabled"
    assert [churn("schedules.pause").out for _ in range(2)] == [
        "schedule churn: disabled\n"
        "enable it with `invoke schedules.resume`, or keep it disabled with `enabled: false` in pipeline.yaml\n",
        "schedule churn: already disabled\n",
    ]
    assert [item.active for item in azure.schedules.values()] == [False]
    assert churn("--dry", "schedules.resume").out == "schedule churn: would be enabled\n"
    assert [churn("schedules.resume").out for _ in range(2)] == [
        "schedule churn: enabled\n",
        "schedule churn: already enabled\n",
    ]
    assert [item.active for item in azure.schedules.values()] == [True]


def test_prune_shows_duplicates_and_requires_yes_without_a_terminal(azure: Any, churn: Invoke) -> None:
    churn("schedule")
    older = doubled(azure)
    date = azure.schedules[older].created[:16].replace("T", " ")
    found = f"churn (twin): duplicates {older}, created on {date}\n"

    assert churn("--dry", "schedules.prune").out == f"{found}1 schedule would be disabled\n"
    assert churn("schedules.prune") == Answer(
        found,
        "nothing changed: cannot ask for confirmation in CI or without a terminal; use --yes to disable them\n",
        2,
    )
    assert [item.active for item in azure.schedules.values()] == [True, True]

    assert churn("schedules.prune", "--yes").out == f"{found}1 schedule disabled\n"
    assert {item.id: item.active for item in azure.schedules.values()} == {older: True, "twin": False}
    assert churn("schedules.prune").out == "no duplicate, orphaned or outdated schedules\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "on"), [("y\n", 1), ("\n", 2), ("no\n", 2)])
def test_prune_requests_confirmation_at_a_terminal(
    azure: Any,
    churn: Invoke,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    on: int,
) -> None:
    churn("schedule")
    doubled(azure)
    monkeypatch.delenv("CI")
    monkeypatch.setattr("sys.stdin", Terminal(answer))

    done = churn("schedules.prune")

    assert "Disable 1 schedule? [y/N] " in done.out
    assert (done.err, done.status) == (("", 0) if on == 1 else ("nothing changed\n", 1))
    assert sum(item.active for item in azure.schedules.values()) == on

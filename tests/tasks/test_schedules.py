"""`invoke schedule` and the tasks that look after schedules, on this machine: no Azure is asked."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest

from azml_tasks.backend import DueRun, FinishedRun, Watch
from azml_tasks.local.backend import LocalSchedules
from azml_tasks.reading import load_project
from azml_tasks.schedule.describe import describe, preview
from azml_tasks.tasks.schedules import run_in_foreground
from tests.docs.blocks import blocks_in
from tests.local.test_schedule import MovedClock
from tests.tasks.conftest import Answer, Invoke

STEPS = "backend: local\nsteps: {train: {script_name: train.py}}\n"
DAILY = "schedule: {frequency: Day, time_of_day: 02:30, time_zone: Europe/Paris, start_time: 2090-03-25T02:30:00}\n"
DAILY_OUT = """\
every day at 02:30, Europe/Paris
  Sun 2090-03-26 03:30 CEST  Sun 2090-03-26 01:30 UTC  (the clocks go forward, so the scheduled time does not exist)
  Mon 2090-03-27 02:30 CEST  Mon 2090-03-27 00:30 UTC
  Tue 2090-03-28 02:30 CEST  Tue 2090-03-28 00:30 UTC
note: Azure ML's name for Europe/Paris is 'Romance Standard Time'
note: Azure ML skips the run at start_time (2090-03-25 02:30)
"""


def test_preview_shows_the_next_times_in_the_files_zone_and_in_utc_and_what_azure_leaves_out(invoke: Invoke) -> None:
    invoke.write("pipeline.yaml", STEPS + DAILY)
    assert invoke("schedules.preview", "--count", "3") == Answer(DAILY_OUT, "", 0)


def test_preview_prints_what_the_page_on_scheduling_shows(invoke: Invoke) -> None:
    file = blocks_in("yaml", "docs/scheduling.md")[0]
    command, _, shown = blocks_in("console", "docs/scheduling.md")[0].text.partition("\n")
    invoke.write("pipeline.yaml", file.text)
    assert invoke(*command.split()[2:]) == Answer(shown, "", 0)


def test_preview_needs_no_azure_on_the_azure_backend(invoke: Invoke) -> None:
    invoke.write("pipeline.yaml", STEPS.replace("local", "azure") + DAILY)
    assert invoke("schedules.preview", "--count", "3").out == DAILY_OUT


def test_run_now_has_no_meaning_here(invoke: Invoke) -> None:
    invoke.write("pipeline.yaml", STEPS + DAILY)
    assert invoke("schedule", "--run-now").out.splitlines()[:2] == [
        "note: --run-now is ignored with the backend local; start a run with `invoke run`",
        "the backend local does not store schedules; run this one with `invoke schedules.run`:",
    ]


def test_preview_of_a_target_without_a_start_counts_from_now(invoke: Invoke) -> None:
    weekly = "schedule: {frequency: Week, week_days: [Monday], time_of_day: 06:00}\n"
    invoke.write("pipeline.yaml", STEPS + weekly + "targets: {dev: {schedule: {enabled: false}}}\n")

    lines = invoke("schedules.preview", "--count", "2", "--target", "dev").out.splitlines()

    assert lines[0] == "every week on Monday at 06:00, UTC"
    times = [datetime.strptime(line, "  %a %Y-%m-%d %H:%M UTC").replace(tzinfo=timezone.utc) for line in lines[1:3]]
    now = datetime.now(timezone.utc)
    assert timedelta(0) < times[0] - now <= timedelta(days=7)
    assert [(time.weekday(), time.hour, time.minute) for time in times] == [(0, 6, 0)] * 2
    assert times[1] - times[0] == timedelta(days=7)
    assert lines[3:] == [
        "note: `enabled: false` keeps it disabled",
        "note: without start_time, these are the times of a new schedule; an existing schedule keeps its start time",
    ]


def test_a_blob_schedule_has_no_times_but_limits(invoke: Invoke) -> None:
    invoke.write("pipeline.yaml", STEPS + "schedule: {on_blob_change: {datastore_name: raw, path_on_datastore: in}}\n")
    assert invoke("schedules.preview").out == (
        "when a blob in raw/in is added or changed, checked every 5 minutes\n"
        "note: each blob that is added or changed starts its own run: ten blobs start ten runs\n"
        "note: only blobs directly in 'in' are detected, not in subfolders\n"
        "note: the datastore 'raw' needs an account key and must not be in a virtual network\n"
    )


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("frequency: Minute", "every minute, UTC"),
        ("frequency: Hour, interval: 6", "every 6 hours, UTC"),
        ("frequency: Day, hours: [17, 9], minutes: [30, 0]", "every day at 09:00, 09:30, 17:00 and 17:30, UTC"),
        ("frequency: Week, interval: 2, start_time: 2030-01-07T08:15:00", "every 2 weeks at 08:15, UTC"),
        ("frequency: Month, start_time: 2030-01-07T08:15:00", "every month at 08:15, UTC"),
        (
            "frequency: Week, week_days: [Friday, Monday], time_of_day: 7:05, time_zone: Asia/Tokyo",
            "every week on Monday and Friday at 07:05, Asia/Tokyo",
        ),
        (
            "on_blob_change: {datastore_name: raw, polling_interval: 1}",
            "when a blob in raw is added or changed, checked every minute",
        ),
    ],
)  # fmt: skip
def test_a_schedule_in_words(invoke: Invoke, keys: str, words: str) -> None:
    project = load_project(invoke.write("pipeline.yaml", f"{STEPS}schedule: {{{keys}}}\n"), variables={})
    assert project.pipeline.schedule is not None
    assert describe(project.pipeline.schedule) == words


def test_a_time_that_comes_twice_runs_the_first_time_round(invoke: Invoke) -> None:
    project = load_project(
        invoke.write("pipeline.yaml", STEPS + DAILY.replace("2090-03-25", "2030-01-01")), variables={}
    )
    assert project.pipeline.schedule is not None

    shown = preview(project.pipeline.schedule, datetime(2030, 10, 26, 12, tzinfo=timezone.utc), 2)

    assert [(str(moment), remark) for moment, remark in shown.times] == [
        ("2030-10-27 02:30:00+02:00", "the clocks go back, so this time occurs twice; it runs only once"),
        ("2030-10-28 02:30:00+01:00", ""),
    ]


def test_on_this_machine_schedule_previews_and_reports_it(invoke: Invoke) -> None:
    invoke.write("pipeline.yaml", STEPS + DAILY)
    assert invoke("schedule").out.startswith(
        "the backend local does not store schedules; run this one with `invoke schedules.run`:\n"
        "every day at 02:30, Europe/Paris\n"
        "  Sun 2090-03-26 03:30 CEST"
    )


@pytest.mark.parametrize("task", ["list", "pause", "resume", "prune"])
def test_what_has_no_meaning_here_is_refused_with_its_reason(invoke: Invoke, task: str) -> None:
    invoke.write("pipeline.yaml", STEPS + DAILY)
    assert invoke(f"schedules.{task}") == Answer(
        "",
        "the backend local does not store schedules; show the next times with `invoke schedules.preview`, run them "
        "in the foreground with `invoke schedules.run`, or select a target with backend azure or azure-v2: "
        "--target NAME\n",
        2,
    )


def test_azure_runs_its_schedules_by_itself(invoke: Invoke) -> None:
    invoke.write("pipeline.yaml", STEPS.replace("local", "azure") + DAILY)
    assert invoke("schedules.run").err == (
        "schedules.run is for the backend local, because Azure ML runs its schedules itself; start a run now with "
        "`invoke published.run`\n"
    )


@pytest.mark.parametrize("task", ["schedule", "schedules.preview", "schedules.run"])
def test_without_a_schedule_every_task_names_what_to_add(invoke: Invoke, task: str) -> None:
    invoke.write("pipeline.yaml", STEPS)
    assert invoke(task) == Answer(
        "",
        "pipeline.yaml: has no schedule: add `schedule: {frequency: Week, interval: 2}`, or on_blob_change\n",
        2,
    )


def test_validate_reports_what_a_blob_schedule_does_not_do_and_needs(invoke: Invoke) -> None:
    invoke.write("train.py", "")
    key = 'account_key: "${KEY}"'
    text = f"""\
        backend: local
        pipeline_parameters: {{blob: none}}
        steps: {{train: {{script_name: train.py}}}}
        datastores: {{raw: {{container_name: raw, account_name: churnstore, {key}}}}}
        schedule:
          on_blob_change:
            datastore_name: raw
            data_path_parameter_name: blob
        """
    invoke.write("pipeline.yaml", text)
    assert invoke("validate", "--strict") == Answer(
        "pipeline.yaml: note: each blob that is added or changed starts its own run: ten blobs start ten runs\n"
        "pipeline.yaml: note: only blobs directly in the root of the container are detected, not in subfolders\n"
        "pipeline.yaml: note: the datastore 'raw' needs an account key and must not be in a virtual network\n"
        "pipeline.yaml is valid: 1 step.\n",
        "",
        0,
    )

    invoke.write("pipeline.yaml", text.replace(f", {key}", "").replace("name: blob", "name: blub"))
    sentences = (
        "pipeline.yaml:7: a schedule can only watch a datastore with an account_key, but 'raw' has none\n"
        "pipeline.yaml:8: 'blub' is not in pipeline_parameters, so the path of the changed blob cannot be passed; "
        "did you mean 'blob'?\n"
    )
    assert invoke("validate") == Answer("", sentences, 2)
    assert invoke("schedule") == Answer("", sentences, 2)


def test_a_dry_run_in_the_foreground_shows_when_it_would_run(invoke: Invoke) -> None:
    invoke.write("pipeline.yaml", STEPS + DAILY)
    assert invoke("--dry", "schedules.run", "--most", "3").out == (
        "would run the pipeline in the foreground:\n" + DAILY_OUT
    )


def events(invoke: Invoke, clock: MovedClock, most: int) -> list[str]:
    """Run in the foreground by a clock that is moved, and tell what came."""
    project = load_project(invoke.folder / "pipeline.yaml", variables={})
    assert project.pipeline.schedule is not None
    told = []
    for event in LocalSchedules(project).run(project.pipeline.schedule, clock, most, Watch()):
        if isinstance(event, DueRun):
            told.append(f"{event.at:%d %H:%M} {event.blob or ''}".rstrip())
        else:
            assert isinstance(event, FinishedRun)
            told.append(event.record.status)
    return told


def test_in_the_foreground_the_pipeline_runs_whenever_it_is_due_also_after_a_failure(invoke: Invoke) -> None:
    invoke.write("train.py", "import pathlib, sys\nsys.exit(3)\n")
    invoke.write("pipeline.yaml", STEPS + "schedule: {frequency: Day, time_of_day: 18:30}\n")

    assert events(invoke, MovedClock("2026-01-07T10:07:33"), 2) == ["07 18:30", "failed", "08 18:30", "failed"]


def test_a_changed_file_under_the_datastores_folder_starts_a_run_with_its_path(invoke: Invoke) -> None:
    invoke.write("train.py", "import sys\nprint('blob', sys.argv[1])\n")
    invoke.write(
        "pipeline.yaml",
        """\
        backend: local
        pipeline_parameters: {blob: none}
        steps: {train: {script_name: train.py, arguments: ["${{ parameters.blob }}"]}}
        schedule: {on_blob_change: {datastore_name: raw, path_on_datastore: in, data_path_parameter_name: blob}}
        """,
    )
    clock = MovedClock(
        "2026-01-07T10:00:00",
        {"2026-01-07T10:01:00": lambda: invoke.write(".azml/datastores/raw/in/new.csv", "a\n1\n")},
    )

    assert events(invoke, clock, 1) == ["07 10:05 in/new.csv", "completed"]
    logs = [file.read_text(encoding="utf-8") for file in invoke.folder.glob(".azml/runs/*/steps/train/log.txt")]
    assert logs == ["blob in/new.csv\n"]


def test_the_foreground_reports_what_was_due_and_what_became_of_it(
    invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke.write("train.py", "print('trained')\n")
    file = invoke.write("pipeline.yaml", STEPS + "schedule: {frequency: Minute, start_time: 2026-01-01T00:00:00}\n")

    run_in_foreground(load_project(file, variables={}), MovedClock("2026-01-07T10:07:33"), most=1)

    out = capsys.readouterr().out
    assert re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", re.sub(r"after \d+(\.\d+)? s", "after TIME", out)) == (
        "every minute, UTC; stop with Ctrl-C\n"
        "next run: Wed 2026-01-07 10:08 UTC\n"
        "Wed 2026-01-07 10:08 UTC: starting a run\n"
        "run RUN of experiment pipeline: 1 step on this machine\n"
        "train: started; no earlier result\n"
        "train: completed after TIME\n"
        "run RUN completed after TIME\n"
        "details: `invoke runs.show --run RUN`\n"
        "as a page: `invoke runs.report --open --run RUN`\n"
    )


def test_the_foreground_reports_the_next_time_after_each_run_but_the_last(
    invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke.write("train.py", "print('trained')\n")
    file = invoke.write("pipeline.yaml", STEPS + "schedule: {frequency: Hour, interval: 2}\n")

    run_in_foreground(load_project(file, variables={}), MovedClock("2026-01-07T10:07:33"), most=2)

    told = capsys.readouterr().out.splitlines()
    assert [line for line in told if "UTC" in line] == [
        "every 2 hours, UTC; stop with Ctrl-C",
        "next run: Wed 2026-01-07 12:08 UTC",
        "Wed 2026-01-07 12:08 UTC: starting a run",
        "next run: Wed 2026-01-07 14:08 UTC",
        "Wed 2026-01-07 14:08 UTC: starting a run",
    ]

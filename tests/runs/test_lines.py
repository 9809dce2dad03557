"""The line of each event, of a run on this machine and of one on Azure."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest

from azml_tasks.azure.v1.runs import runs as azure
from azml_tasks.local.store import records as local
from azml_tasks.runs.progress import LiveProgress, Progress
from azml_tasks.runs.records import (
    Remark,
    RunFinished,
    RunStarted,
    RunStopping,
    StepFinished,
    StepReused,
    StepSkipped,
    StepStarted,
    StepWaiting,
    Tick,
)

URL = "https://ml.azure.com/runs/abc"
RUN = azure.AzureRunRecord("abc", "churn", "completed", started=100, finished=190, url=URL)
HERE = local.LocalRunRecord("20260102-0304-0506", "churn", "failed", started=100, finished=101.5, places=None)
STEP = azure.AzureStepRecord("train", started=100, finished=104)


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (RunStarted(RUN, ("a", "b")), f"run abc of experiment churn: 2 steps on Azure ML\n{URL}\n"),
        (RunStarted(HERE, ("a",)), "run 20260102-0304-0506 of experiment churn: 1 step on this machine\n"),
        (
            RunStarted(HERE, ("a",), (replace(STEP, status="reused", reason="not asked for; its result is taken"),)),
            "run 20260102-0304-0506 of experiment churn: 1 step on this machine\n"
            "train: not asked for; its result is taken\n",
        ),
        (Remark("the dataset is large"), "note: the dataset is large\n"),
        (StepWaiting(replace(STEP, reason="Azure ML status: Queued")), "train: waiting; Azure ML status: Queued\n"),
        (StepWaiting(STEP), "train: waiting\n"),
        (StepStarted(STEP), "train: started\n"),
        (StepStarted(replace(STEP, reason="its script changed")), "train: started; its script changed\n"),
        (StepReused(replace(STEP, status="reused", reason="reused from xyz")), "train: reused from xyz\n"),
        (StepFinished(replace(STEP, status="completed")), "train: completed after 4.0 s\n"),
        (StepFinished(replace(STEP, status="failed", message="boom")), "train: failed after 4.0 s: boom\n"),
        (StepFinished(azure.AzureStepRecord("train", "cancelled")), "train: cancelled\n"),
        (StepSkipped(replace(STEP, status="skipped")), "train: skipped\n"),
        (StepSkipped(replace(STEP, status="skipped", reason="'a' failed")), "train: skipped; 'a' failed\n"),
        (
            RunStopping("the run was stopped by Ctrl-C"),
            "the run was stopped by Ctrl-C; waiting for the running steps to end\n",
        ),
        (Tick(), ""),
        (
            RunFinished(RUN),
            "run abc completed after 1 min 30 s\ndetails: `invoke runs.show --run abc`\n"
            "as a page: `invoke runs.report --open --run abc`\n",
        ),
        (RunFinished(HERE), "run 20260102-0304-0506 failed after 1.5 s\n"),
    ],
)
def test_each_event_has_its_lines(event, lines):
    stream = io.StringIO()
    Progress(stream)(event)
    assert stream.getvalue() == lines


def test_on_a_terminal_the_page_of_a_run_is_above_the_live_lines():
    stream = io.StringIO()
    show = LiveProgress(stream)
    for event in (RunStarted(RUN, ("train",)), StepWaiting(STEP), StepStarted(STEP), Tick()):
        show(event)
    assert stream.getvalue().splitlines()[:3] == [
        "run abc of experiment churn: 1 step on Azure ML",
        URL,
        "train: waiting",
    ]
    assert re.search(r"train +\d\.\d+ s  $", stream.getvalue())


@pytest.mark.parametrize(
    ("status", "over", "ending"),
    [
        ("waiting", False, "has not finished"),
        ("running", False, "has not finished"),
        ("completed", True, "completed"),
        ("failed", True, "failed"),
        ("cancelled", True, "was cancelled"),
        ("interrupted", True, "was interrupted"),
    ],
)
def test_a_record_shows_whether_its_run_is_over_and_how_it_ended(status, over, ending):
    run = replace(RUN, status=status)
    assert (run.is_over, run.ending) == (over, ending)

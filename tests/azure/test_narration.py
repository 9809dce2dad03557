"""What a run on Azure is told as, from Azure's own words on; all without the SDK."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import islice

import pytest

from azml_tasks.azure.events import (
    RunFinished,
    RunStarted,
    StepFinished,
    StepReused,
    StepSkipped,
    StepStarted,
    StepWaiting,
)
from azml_tasks.azure.narration import line_of, narrate
from azml_tasks.azure.progress import changes
from azml_tasks.azure.records import RunRecord, StepRecord, run_status, step_status
from azml_tasks.azure.watch import Pace

RUN = RunRecord("abc", "churn", "completed", "https://ml.azure.com/runs/abc", started=100, finished=190)
STEP = StepRecord("train", started=100, finished=104)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            RunStarted(RUN, ("a", "b")),
            "run abc of experiment churn: 2 steps on Azure ML\nhttps://ml.azure.com/runs/abc",
        ),
        (RunStarted(RUN, ("a",)), "run abc of experiment churn: 1 step on Azure ML\nhttps://ml.azure.com/runs/abc"),
        (StepWaiting(replace(STEP, reason="Azure ML says Queued")), "train: waiting; Azure ML says Queued"),
        (StepWaiting(STEP), "train: waiting"),
        (StepStarted(STEP), "train: started"),
        (StepReused(replace(STEP, reason="reused from xyz")), "train: reused from xyz"),
        (StepFinished(replace(STEP, status="completed")), "train: completed after 4.0 s"),
        (StepFinished(replace(STEP, status="failed", message="boom")), "train: failed after 4.0 s: boom"),
        (StepFinished(StepRecord("train", "cancelled")), "train: cancelled"),
        (StepSkipped(STEP), "train: skipped"),
        (RunFinished(RUN), "run abc completed after 1 min 30 s"),
    ],
)
def test_each_event_has_its_line(event, line):
    assert line_of(event) == line


def test_a_reader_who_leaves_does_not_end_the_run():
    class Left(io.StringIO):
        encoding = "ascii"

        def write(self, text: str) -> int:
            raise BrokenPipeError

    narrate(StepStarted(STEP), Left())


def test_letters_that_the_terminal_lacks_are_replaced():
    terminal = io.TextIOWrapper(io.BytesIO(), "ascii", newline="\n")
    narrate(StepStarted(StepRecord("étape")), terminal)

    assert terminal.buffer.getvalue() == b"?tape: started\n"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("NotStarted", "waiting"),
        ("Queued", "waiting"),
        ("Preparing", "waiting"),
        ("Running", "running"),
        ("Finalizing", "running"),
        ("Completed", "completed"),
        ("Finished", "completed"),
        ("Failed", "failed"),
        ("Canceled", "cancelled"),
        ("0", "waiting"),
        ("1", "running"),
        ("2", "failed"),
        ("3", "completed"),
        ("4", "cancelled"),
    ],
)
def test_azures_words_and_numbers_for_a_run_become_ours(word, status):
    assert run_status(word) == status


@pytest.mark.parametrize(
    ("word", "producer", "status"),
    [
        ("NotStarted", "", ("waiting", "")),
        ("Queued", "", ("waiting", "Azure ML says Queued")),
        ("PartiallyExecuted", "", ("waiting", "Azure ML says PartiallyExecuted")),
        ("Running", "", ("running", "")),
        ("Finished", "", ("completed", "")),
        ("Finished", "xyz", ("reused", "reused from xyz")),
        ("Failed", "xyz", ("failed", "")),
        ("Bypassed", "", ("skipped", "")),
        ("1", "", ("waiting", "Azure ML says Queued")),
        ("2", "", ("running", "")),
        ("3", "", ("failed", "")),
        ("4", "xyz", ("reused", "reused from xyz")),
        ("5", "", ("cancelled", "")),
        ("7", "", ("skipped", "")),
    ],
)
def test_azures_words_and_numbers_for_a_step_become_ours(word, producer, status):
    assert step_status(word, producer) == status


def test_what_changed_between_two_looks_is_told_in_the_order_of_the_steps():
    before = tuple(StepRecord(key) for key in "abcdefg")
    after = (
        StepRecord("a", "waiting", "Queued"),
        StepRecord("b", "running"),
        StepRecord("c", "reused"),
        StepRecord("d", "completed"),
        StepRecord("e", "skipped"),
        StepRecord("f", "cancelled"),
        StepRecord("g", "waiting", message="not told"),
    )

    told = [StepWaiting, StepStarted, StepReused, StepFinished, StepSkipped, StepFinished]
    assert list(changes(before, after)) == [event(step) for event, step in zip(told, after, strict=False)]
    assert list(changes(after, after)) == []


def test_looks_become_rarer_up_to_a_longest_wait():
    assert list(islice(Pace(first=1, longest=3, growth=2).waits(), 4)) == [1, 2, 3, 3]

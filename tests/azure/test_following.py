"""What is made of Azure's own words for a run, and of two looks at it; all without the SDK."""

from __future__ import annotations

from itertools import islice

import pytest

from azml_tasks.azure.following import changes
from azml_tasks.azure.records import AzureStepRecord, run_status, step_status
from azml_tasks.backend import Pace
from azml_tasks.runs.records import StepFinished, StepReused, StepSkipped, StepStarted, StepWaiting


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
        ("Queued", "", ("waiting", "Azure ML status: Queued")),
        ("PartiallyExecuted", "", ("waiting", "Azure ML status: PartiallyExecuted")),
        ("Running", "", ("running", "")),
        ("Finished", "", ("completed", "")),
        ("Finished", "xyz", ("reused", "reused from xyz")),
        ("Failed", "xyz", ("failed", "")),
        ("Bypassed", "", ("skipped", "")),
        ("1", "", ("waiting", "Azure ML status: Queued")),
        ("2", "", ("running", "")),
        ("3", "", ("failed", "")),
        ("4", "xyz", ("reused", "reused from xyz")),
        ("5", "", ("cancelled", "")),
        ("7", "", ("skipped", "")),
    ],
)
def test_azures_words_and_numbers_for_a_step_become_ours(word, producer, status):
    assert step_status(word, producer) == status


def test_what_changed_between_two_looks_is_reported_in_the_order_of_the_steps():
    before = tuple(AzureStepRecord(key) for key in "abcdefg")
    after = (
        AzureStepRecord("a", "waiting", "Queued"),
        AzureStepRecord("b", "running"),
        AzureStepRecord("c", "reused"),
        AzureStepRecord("d", "completed"),
        AzureStepRecord("e", "skipped"),
        AzureStepRecord("f", "cancelled"),
        AzureStepRecord("g", "waiting", message="not told"),
    )

    told = [StepWaiting, StepStarted, StepReused, StepFinished, StepSkipped, StepFinished]
    assert list(changes(before, after)) == [event(step) for event, step in zip(told, after, strict=False)]
    assert list(changes(after, after)) == []


def test_looks_become_rarer_up_to_a_longest_wait():
    assert list(islice(Pace(first=1, longest=3, growth=2).waits(), 4)) == [1, 2, 3, 3]

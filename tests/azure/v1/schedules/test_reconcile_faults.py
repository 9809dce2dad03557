"""A fault in the middle of whatever is done with a schedule: one is on afterwards, and two never are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK needs Python 3.11 or earlier")

from azml_tasks.azure.v1.client.retry import RetryPolicy, retrying
from azml_tasks.azure.v1.schedules.manage import pause, resume
from azml_tasks.azure.v1.schedules.reconcile import schedule
from azml_tasks.errors import AzmlError, ServiceError
from tests.azure.foreign import FOREIGN
from tests.azure.scheduling import BLOB, NAMED, NOW, Counting, kept, project
from tests.azure.workspace import stocked

pytestmark = pytest.mark.thorough


@pytest.fixture
def ws(azure: Any) -> Any:
    ws = stocked(azure)
    azure.add_datastore("churn_blob")
    azure.requests = Counting(azure)
    return ws


FAULTS = {
    "503": {"status": 503},
    "429": {"status": 429, "retry_after": 0},
    "500": {"status": 500},
    "dropped": {"status": 0},
    "500 after it took effect": {"status": 500, "before_effect": False},
    "dropped after it took effect": {"status": 0, "before_effect": False},
}
FAULTS |= {
    answer: FOREIGN[answer] for answer in ("null", "a page", "a page after it took effect", "half of the answer")
}


def begun(folder: Path, ws: Any, text: str) -> None:
    schedule(project(folder, text), ws, now=NOW)


# What is done, after what, and the kind of schedule that is on then.
ACTS: dict[str, tuple[list[str], Callable[[Path, Any], object], str]] = {
    "created": ([], lambda folder, ws: begun(folder, ws, "{frequency: Day}"), "Recurrence"),
    "created twice": (["{frequency: Day}"], lambda folder, ws: begun(folder, ws, "{frequency: Day}"), "Recurrence"),
    "changed": (["{frequency: Day}"], lambda folder, ws: begun(folder, ws, "{frequency: Hour}"), "Recurrence"),
    "paused and resumed": (
        ["{frequency: Day}"],
        lambda folder, ws: [act(project(folder, "{frequency: Day}"), ws) for act in (pause, resume)],
        "Recurrence",
    ),
    "replaced by a blob schedule": (["{frequency: Day}"], lambda folder, ws: begun(folder, ws, BLOB), "DataStore"),
    "and back": (["{frequency: Day}", BLOB], lambda folder, ws: begun(folder, ws, "{frequency: Day}"), "Recurrence"),
    "in another experiment": (
        ["{frequency: Day}"],
        lambda folder, ws: schedule(project(folder, "{frequency: Day}", NAMED.replace("trial", "other")), ws),
        "Recurrence",
    ),
}  # fmt: skip
ROUTES = [
    ("GET", "/Schedules$"),
    ("GET", "/Schedules/[-0-9a-f]+$"),
    ("PUT", "/Schedules/[-0-9a-f]+$"),
    ("POST", "/Schedules/Create$"),
    ("GET", "/Pipelines$"),
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("act", ACTS)
def test_a_passing_fault_on_every_request_leaves_one_on(azure, ws, tmp_path, act, fault):
    before, do, kind = ACTS[act]
    for text in before:
        begun(tmp_path, ws, text)
    azure.requests = Counting(azure)
    for method, path in ROUTES:
        azure.fail(method, path, **fault)

    with retrying(RetryPolicy(wait=0.01)):
        do(tmp_path, ws)

    assert [item.kind for item in azure.schedules.values() if item.active] == [kind]
    assert max(azure.requests.on) == 1
    assert azure.submitted == []


# In what is done, the request that fails for good, and how many like it go well before.
BROKEN = [
    ("created", "POST", 0),
    ("changed", "PUT", 0),
    ("paused and resumed", "PUT", 0),
    ("paused and resumed", "PUT", 1),
    ("replaced by a blob schedule", "PUT", 0),
    ("replaced by a blob schedule", "POST", 0),
    ("and back", "PUT", 0),
    ("and back", "PUT", 1),
    ("in another experiment", "POST", 0),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("before_effect", [True, False], ids=["before it took effect", "after it took effect"])
@pytest.mark.parametrize(("act", "method", "skip"), BROKEN)
def test_a_lasting_fault_in_the_middle_never_leaves_two_and_is_healed_by_doing_it_again(
    azure, ws, tmp_path, act, method, skip, before_effect
):
    before, do, kind = ACTS[act]
    for text in before:
        begun(tmp_path, ws, text)
    azure.requests = Counting(azure)
    faults = [
        azure.fail(method, "/Schedules/", status=500, times=99, skip=skip, before_effect=before_effect),
        # Else the look after a POST would tell what became of it.
        azure.fail("GET", "/Schedules$", status=500, times=99, skip=2),
    ]
    with retrying(RetryPolicy(tries=2, wait=0.01)), pytest.raises(AzmlError):
        do(tmp_path, ws)
    assert max(azure.requests.on) <= 1

    for fault in faults:
        fault.times = 0
    do(tmp_path, ws)

    assert [item.kind for item in azure.schedules.values() if item.active] == [kind]
    assert max(azure.requests.on) == 1
    assert azure.submitted == []


@pytest.mark.parametrize("act", ["replaced by a blob schedule", "in another experiment"])
def test_when_the_new_one_cannot_be_made_the_one_before_is_on_again(azure, ws, tmp_path, act):
    before, do, _ = ACTS[act]
    for text in before:
        begun(tmp_path, ws, text)
    was = kept(azure)
    azure.fail("POST", "/Schedules/Create$", status=400)

    with pytest.raises(ServiceError) as caught:
        do(tmp_path, ws)

    assert str(caught.value) == (
        "scheduling 'churn' failed: Refused with 400.\nThe earlier schedule 'churn' is enabled again."
    )
    assert kept(azure) == was


def test_when_it_is_unknown_what_is_on_the_sentence_reports_it_with_a_remedy(azure, ws, tmp_path):
    begun(tmp_path, ws, "{frequency: Day}")
    azure.fail("POST", "/Schedules/Create$", status=400)
    azure.fail("GET", "/Schedules$", status=500, times=99, skip=1)

    with retrying(RetryPolicy(tries=2, wait=0.01)), pytest.raises(ServiceError) as caught:
        begun(tmp_path, ws, BLOB)

    assert str(caught.value) == (
        "scheduling 'churn' failed: Refused with 400.\n"
        "Possibly no schedule 'churn' is enabled now; run `invoke schedule` to fix it."
    )

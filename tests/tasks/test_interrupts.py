"""Ctrl-C and SIGTERM in the tasks that write: a sentence, exit status 1, and the next command completes it."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from azml_tasks.errors import Interrupted, Terminated
from azml_tasks.tasks.task import interruptible
from tests.tasks.azure_tasks import FILE
from tests.tasks.conftest import Answer, Invoke

FILES = FILE + (
    "steps: {train: {script_name: train.py, allow_reuse: false}}\n"
    "environments: {own: {pip_packages: [pandas]}}\n"
    "datastores: {raw: {container_name: raw, account_name: churnstore}}\n"
    "schedule: {frequency: Day}\n"
)


@pytest.fixture
def churn(azure: Any, invoke: Invoke) -> Invoke:
    from tests.azure.connections import forget_connections

    forget_connections()
    azure.add_environment("env")
    azure.add_compute("cpu")
    invoke.write("train.py", "print('trained')\n")
    invoke.write("pipeline.yaml", FILES)
    return invoke


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """Heed Ctrl-C, which a shell has its background jobs ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


PUBLISHED = [["publish"]]
SCHEDULED = [["schedule"]]
# What is done after what, what is said when it is interrupted, and what shows that doing it again completes it.
TASKS: dict[str, tuple[list[list[str]], str, Callable[[Any], object]]] = {
    "publish": (
        [],
        "the pipeline may already be published, and unused versions disabled; run `invoke publish` to complete it, or "
        "`invoke published.list` to see the versions",
        lambda azure: [item.active for item in azure.published.values()] == [True] and len(azure.endpoints) == 1,
    ),
    "schedule": (
        [],
        "the pipeline may be published and its schedule changed; run `invoke schedule` to complete it, or "
        "`invoke schedules.list` to see the schedules",
        lambda azure: [item.active for item in azure.schedules.values()] == [True],
    ),
    "register": (
        [],
        "the changes above were made, and the next may have been made; run `invoke register` to complete them",
        lambda azure: list(azure.environments["own"]) == ["1"] and "raw" in azure.datastores,
    ),
    "register-env": (
        [],
        "the changes above were made, and the next may have been made; run `invoke register-env` to complete them",
        lambda azure: list(azure.environments["own"]) == ["1"],
    ),
    "unregister-datastore raw": (
        [["register-datastore"]],
        "the datastore may be unregistered; run `invoke unregister-datastore raw` to complete it, or "
        "`invoke register-datastore` to register the datastores of pipeline.yaml again",
        lambda azure: "raw" not in azure.datastores,
    ),
    "published.run": (
        PUBLISHED,
        "a run may have started: check with `invoke runs.list`, cancel it with `invoke runs.cancel`, or start one with "
        "`invoke published.run`",
        lambda azure: len(azure.submitted) in (1, 2),
    ),
    "schedules.pause": (
        SCHEDULED,
        "the schedule may be disabled; complete it with `invoke schedules.pause`, or undo it with "
        "`invoke schedules.resume`",
        lambda azure: [item.active for item in azure.schedules.values()] == [False],
    ),
    "schedules.resume": (
        [*SCHEDULED, ["schedules.pause"]],
        "the schedule may be enabled; complete it with `invoke schedules.resume`, or undo it with "
        "`invoke schedules.pause`",
        lambda azure: [item.active for item in azure.schedules.values()] == [True],
    ),
    "schedules.prune --yes": (
        SCHEDULED,
        "some schedules may be disabled; see them with `invoke schedules.list`, or complete it with "
        "`invoke schedules.prune`",
        lambda azure: [item.active for item in azure.schedules.values()] == [True],
    ),
    "run --no-wait": (
        [],
        "environments may have been registered; run `invoke runs.list` to see whether a run has started, or "
        "`invoke run` to start one",
        lambda azure: len(azure.submitted) in (1, 2),
    ),
}
QUICK = ("schedule", "register", "schedules.pause", "run --no-wait")
SENDING = (
    "interrupted while submitting the pipeline; check with `invoke runs.list` whether a run started, and stop it "
    "with `invoke runs.cancel`\n"
)


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", TASKS)
def test_an_interrupt_reports_what_may_be_done_and_the_next_command_completes_it(
    azure: Any, churn: Invoke, words: str, number: signal.Signals, slow: bool
) -> None:
    before, said, is_complete = TASKS[words]
    if not slow and words not in (QUICK if number == signal.SIGINT else ("publish",)):
        pytest.skip("others are tried, all of them with both signals with --level slow")
    for command in before:
        churn(*command)
    seed = int(os.environ.get("AZML_TEST_SEED") or random.SystemRandom().randrange(10**6))
    print(f"AZML_TEST_SEED={seed}")
    struck = Interrupting(random.Random(seed).randrange(12), number)
    azure.around = struck

    answer = churn(*words.split())

    azure.around = Interrupting(-1, number)
    if struck.is_done:
        assert (answer.status, answer.err) in [(1, f"interrupted; {said}\n"), (1, SENDING)]
    assert churn(*words.split()).status == 0
    assert is_complete(azure)


class Interrupting:
    """Send a signal to this process before the request at a place, counted from 0."""

    def __init__(self, place: int, number: signal.Signals) -> None:
        self.is_done = False
        self._left, self._number = place, number

    def __call__(self, request: Any) -> Interrupting:
        return self

    def __enter__(self) -> None:
        if self._left == 0:
            self.is_done = True
            os.kill(os.getpid(), self._number)
        self._left -= 1

    def __exit__(self, *_: object) -> None:
        pass


def test_sigterm_is_an_interrupt_within_the_block_alone() -> None:
    with pytest.raises(Interrupted, match=r"^interrupted; look$"), interruptible("look"):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_of_sigterm_that_is_there_stays() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with interruptible("look"):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


LOCAL = "backend: local\nsteps:\n  train: {script_name: train.py}\n"


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, Terminated])
def test_a_step_is_added_whole_or_not_at_all(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, interrupt: type[BaseException]
) -> None:
    file = invoke.write("pipeline.yaml", LOCAL)
    invoke.write("train.py", "")

    def interrupted(*_: object) -> None:
        raise interrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", interrupted)
        answer = invoke("new-step", "score")
    assert (answer.status, answer.err) == (
        1,
        "interrupted; step 'score' is added completely or not at all; to add it, run `invoke new-step score`\n",
    )
    assert (file.read_text(), sorted(path.name for path in invoke.folder.iterdir())) == (
        LOCAL,
        ["pipeline.yaml", "train.py"],
    )
    assert invoke("new-step", "score").status == 0
    assert "score" in file.read_text()


def test_an_export_that_is_cut_short_is_completed_by_the_next(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    invoke.write(
        "pipeline.yaml",
        "env_name: own\ncompute_name: cpu\nenvironments: {own: {pip_packages: [pandas]}}\n"
        "computes: {cpu: {vm_size: STANDARD_DS3_V2}}\nsteps: {train: {script_name: train.py}}\n",
    )
    invoke.write("train.py", "print(1)\n")
    replace, calls = os.replace, []

    def third_is_interrupted(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        replace(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", third_is_interrupted)
        answer = invoke("export-v2")
    assert (answer.status, answer.err) == (
        1,
        "interrupted; some of the files may be written; run `invoke export-v2` to complete them\n",
    )
    again = invoke("export-v2")
    assert again.status == 0
    assert "kept" not in again.out


@pytest.mark.parametrize("words", [("plan",), ("runs.list",), ("validate",)])
def test_ctrl_c_in_a_task_that_changes_nothing_is_said(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    invoke.write("pipeline.yaml", LOCAL)
    invoke.write("train.py", "")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("azml_tasks.reading.find_file", interrupted)

    assert invoke(*words) == Answer("", "interrupted\n", 1)

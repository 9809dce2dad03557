"""The file of results after kills in the middle of a write: what was whole stays, and the next write goes on."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from azml_tasks.local.store import results_file as store_module
from azml_tasks.local.store.results_file import Store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

SETS = {"s1": {"env:A": "1"}, "s2": {"env:B": "é"}}


def store(folder: Path) -> Store:
    """Return the file's store, as a process that begins now reads it."""
    return Store(folder / "reuse.jsonl", lambda values: True)


def result(number: int) -> dict[str, Any]:
    """Return the values of a result that differs from the others."""
    return {"digest": str(number), "reads": {}, "sets": ["s1", "s2"]}


def known(folder: Path) -> dict[str, list[str]]:
    """Return the digests of the results that another process finds, the newest first, of each step."""
    return {step: [values["digest"] for values in found] for step, found in store(folder).results.items()}


def killed(work: Callable[[], None]) -> None:
    """Do some work in a process that kills itself meanwhile."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)  # It was not killed.
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


def killed_after(size: int, work: Callable[[], None]) -> None:
    """Do some work in a process that is killed once it has written so many bytes to a file by its number."""
    write = os.write

    def cut(descriptor: int, text: bytes) -> int:
        write(descriptor, text[:size])
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    def with_cut() -> None:
        os.write = cut
        work()

    killed(with_cut)


def killed_at(call: str, work: Callable[[], None]) -> None:
    """Do some work in a process that is killed where it calls a function of os."""

    def with_kill() -> None:
        setattr(os, call, lambda *args: os.kill(os.getpid(), signal.SIGKILL))
        work()

    killed(with_kill)


@pytest.mark.thorough
def test_a_write_that_is_killed_at_any_byte_loses_only_its_own_result(tmp_path: Path) -> None:
    store(tmp_path).put("first", result(1), SETS)
    before = (tmp_path / "reuse.jsonl").read_bytes()
    store(tmp_path).put("second", result(2), {"s3": {"env:C": "3"}})
    whole = (tmp_path / "reuse.jsonl").read_bytes()

    for size in range(len(whole) - len(before)):
        (tmp_path / "reuse.jsonl").write_bytes(before)
        killed_after(size, lambda: store(tmp_path).put("second", result(2), {"s3": {"env:C": "3"}}))
        found = known(tmp_path)
        assert found == {"first": ["1"], **({"second": ["2"]} if "second" in found else {})}
        store(tmp_path).put("second", result(3), {"s3": {"env:C": "3"}})

        assert known(tmp_path)["second"][0] == "3"
        assert known(tmp_path)["first"] == ["1"]
        assert store(tmp_path).answers("s3") == {"env:C": "3"}


@pytest.mark.thorough
def test_the_first_write_of_all_may_be_killed_too(tmp_path: Path) -> None:
    for size in range(60):
        (tmp_path / "reuse.jsonl").unlink(missing_ok=True)
        killed_after(size, lambda: store(tmp_path).put("first", result(1), {}))
        assert known(tmp_path) == {}

        store(tmp_path).put("first", result(2), SETS)
        assert known(tmp_path) == {"first": ["2"]}
        assert store(tmp_path).answers("s2") == SETS["s2"]


@pytest.mark.parametrize("call", ["replace", "close"])  # before the new file takes the place of the old one, and after
def test_a_file_that_is_being_written_again_is_the_old_one_until_it_is_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(store_module, "_MANY", 3)
    for number in range(1, 80):
        store(tmp_path).put("first", result(number), SETS)
    before, size = known(tmp_path), (tmp_path / "reuse.jsonl").stat().st_size

    killed_at(call, lambda: store(tmp_path).tidy())
    assert known(tmp_path) == before
    assert ((tmp_path / "reuse.jsonl").stat().st_size == size) is (call == "replace")

    store(tmp_path).put("second", result(90), {"s4": {}})
    store(tmp_path).tidy()

    assert known(tmp_path) == {**before, "second": ["90"]}
    assert (tmp_path / "reuse.jsonl").stat().st_size < size
    assert store(tmp_path).answers("s1") == SETS["s1"]

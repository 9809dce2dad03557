"""Records stay readable whatever happens to the process that writes them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from azml_tasks.standin.azml_local import records
from tests.standin.step import Step


def test_what_json_cannot_hold_is_written_by_name(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"

    records.append(str(file), {"value": [float("nan"), float("inf"), float("-inf"), 1.5], "é": "\u2028\n"})

    assert [json.loads(line, parse_constant=pytest.fail) for line in file.read_text().split("\n")[:-1]] == [
        {"value": ["NaN", "Infinity", "-Infinity", 1.5], "é": "\u2028\n"}
    ]


def test_a_line_that_was_cut_off_is_left_out_and_the_next_one_whole(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"name": "whole"}\n{"name": "cut')

    records.append(str(file), {"name": "next"})

    assert records.read(str(file)) == [{"name": "whole"}, {"name": "next"}]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_forked_children_and_threads_do_not_mix_their_lines(step: Step) -> None:
    step.run("""
        import os, threading
        from azureml.core import Run

        run = Run.get_context()
        def log(who):
            for number in range(200):
                run.log(who, f"{number} " + "x" * 300)
        children = []
        for child in range(3):
            pid = os.fork()
            if pid == 0:
                log(f"child{child}")
                os._exit(0)
            children.append(pid)
        threads = [threading.Thread(target=log, args=(f"thread{n}",)) for n in range(2)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        [os.waitpid(pid, 0) for pid in children]
    """)

    logged: dict[str, list[int]] = {}
    for record in step.records():
        logged.setdefault(record["name"], []).append(int(record["value"].split()[0]))
    assert logged == {name: list(range(200)) for name in ("child0", "child1", "child2", "thread0", "thread1")}


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_script_leaves_what_it_had_recorded(step: Step) -> None:
    step.run(
        """
        import os, signal
        from azureml.core import Run

        run = Run.get_context()
        run.log("loss", 1)
        run.tag("kind", "first")
        os.chdir("/")
        run.log("loss", 2)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        succeeds=False,
    )

    assert [record["value"] for record in step.records()] == [1, 2]
    assert step.records("tags.jsonl") == [{"key": "kind", "value": "first"}]


def test_a_file_that_is_replaced_is_the_old_one_until_it_is_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    records.write(str(file), {"status": "Running"})

    with pytest.raises(TypeError):
        records.write(str(file), {"status": None, 1: object.__new__(Unprintable)})

    assert records.load(str(file)) == {"status": "Running"}
    assert os.listdir(tmp_path) == ["status.json"]


class Unprintable:
    """What has no text."""

    def __str__(self) -> str:
        raise TypeError("no text")


def test_a_secret_is_in_no_record(step: Step) -> None:
    step.write(".env", "DB_KEY=s3cr3t/value\nPIN=7\n")
    step.run("""
        from azureml.core import Run

        run = Run.get_context()
        key, pin = run.get_secret("db-key"), run.get_secret("pin")
        run.log("url", f"sql://user:{key}@host")
        run.tag("key", key)
        run.log("pin", pin)
        run.log("seven is also in 17", "17")
        run.parent.add_properties({key: "x"})
        run.fail(f"cannot log in with {key}")
    """)

    written = [path for path in step.run_dir.rglob("*.json*") if path.name != "context.json"]
    assert {path.name for path in written} >= {"metrics.jsonl", "tags.jsonl", "properties.jsonl", "status.json"}
    assert not [path for path in written if "s3cr3t" in path.read_text()]
    assert [record["value"] for record in step.records()] == ["sql://user:***@host", "***", "17"]
    assert os.listdir(step.run_dir / "parent") == ["properties.jsonl"]

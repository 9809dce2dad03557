"""A step under a debugger: it has the terminal, and its result is not stored."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from azml_tasks import list_runs
from azml_tasks.local.run.debugging import DebuggedProcess, Debugger
from azml_tasks.local.runs import find_run
from azml_tasks.terminal import can_be_read

SCRIPT = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--config")
parser.add_argument("--input-folder")
config = parser.parse_args().config
limit = 3
print("ran with", config)
"""


@pytest.fixture
def churn(tmp_path: Path) -> Path:
    (tmp_path / "one.py").write_text("import sys; print(len(sys.argv))")
    (tmp_path / "two.py").write_text(SCRIPT)
    (tmp_path / "tasks.py").write_text("from azml_tasks.tasks import namespace\n")
    (tmp_path / "pipeline.yaml").write_text(
        "backend: local\nsteps:\n  one: {script_name: one.py}\n  two: {script_name: two.py, step_config: {lr: 1}}\n"
    )
    return tmp_path


def invoke(folder: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "invoke", *words]
    environment = {**os.environ, "CI": "1"}
    return subprocess.run(
        command, cwd=folder, input=typed, capture_output=True, text=True, check=False, timeout=120, env=environment
    )


def test_pdb_stops_in_the_step_with_its_arguments_and_the_result_is_not_stored(churn):
    invoke(churn, "run")

    answer = invoke(churn, "run", "--only", "two", "--pdb", typed="b 8\nc\np limit * 7\np config\nq\n")

    assert answer.returncode == 0, answer.stderr
    assert "(Pdb) 21\n" in answer.stdout
    assert "(Pdb) '{\"lr\": 1}'\n" in answer.stdout
    assert answer.stdout.endswith("\nstep 'two' ran under a debugger: its result is not reused\n")
    record = find_run(churn)
    assert record.origin.command == ("invoke", "run", "--only", "two", "--pdb")
    assert record["two"].places.log.read_text() == (
        "(this step ran under a debugger; its output was printed on the terminal)\n"
    )
    # What is reused is the result of the first run, not that of the debugged one.
    assert invoke(churn, "--dry", "run").stdout.splitlines()[1:] == [
        f"{key}  REUSE  from {find_run(churn, record['one'].producer).id}" for key in ("one", "two")
    ]


def test_pdb_with_nothing_to_read_is_refused_before_a_run_is_recorded(churn):
    invoke(churn, "run")
    first = find_run(churn).id

    answer = invoke(churn, "run", "--only", "two", "--pdb")

    assert (answer.returncode, answer.stderr) == (
        2,
        "--pdb needs a terminal: standard input is empty; with an editor, use --debugpy PORT\n",
    )
    assert find_run(churn).id == first


def test_a_program_can_read_from_pipes_and_files_with_something_left(tmp_path):
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.write_text("")
    full.write_text("q\n")
    read_end, write_end = os.pipe()
    with empty.open() as nothing, full.open() as something, open(read_end) as pipe, open(os.devnull) as null:
        assert [can_be_read(stream) for stream in (nothing, something, null, None)] == [False, True, False, False]
        assert can_be_read(pipe)  # the other end may still write
        os.write(write_end, b"q\n")
        os.close(write_end)
        assert can_be_read(pipe)
        os.read(read_end, 2)
        assert not can_be_read(pipe)


def test_a_breakpoint_without_a_debugger_is_explained(churn):
    (churn / "two.py").write_text("breakpoint()\nprint(1)\n")

    answer = invoke(churn, "run")

    assert "\na step has no terminal for a breakpoint; stop there with `invoke run --only two --pdb`\n" in answer.stderr


def test_a_debugged_run_is_marked_and_left_out_of_defaults(churn):
    first, second = (find_run(churn).id for _ in range(2) if invoke(churn, "run", "--force"))
    invoke(churn, "run", "--only", "two", "--pdb", typed="c\nq\n")
    debugged = find_run(churn).id

    def ids(*words: str) -> list[str]:
        return [run["id"] for run in json.loads(invoke(churn, "runs.compare", "--json", *words).stdout)["runs"]]

    lines = invoke(churn, "runs.list").stdout.splitlines()
    assert [line.split("  ")[:2] for line in lines[1:]] == [
        [debugged, "completed, debugged"],
        [second, "completed"],
        [first, "completed"],
    ]
    assert f"run {debugged} of experiment pipeline: completed, debugged, " in invoke(churn, "runs.show").stdout
    assert ids() == [first, second]
    assert ids("--run", debugged) == [second, debugged]
    assert invoke(churn, "runs.report").stdout.strip() == os.path.join(".azml", "reports", f"{second}.html")
    assert invoke(churn, "runs.download").stdout.splitlines()[-1] == f"wrote 2 files to downloads/{second}"
    assert list_runs(churn)[0]["debugged"]


def test_a_debugged_run_is_shown_if_there_is_no_other(churn):
    (churn / "pipeline.yaml").write_text("backend: local\nsteps:\n  two: {script_name: two.py}\n")
    invoke(churn, "run", "--only", "two", "--pdb", typed="c\nq\n")

    assert find_run(churn).id in invoke(churn, "runs.report").stdout


def test_pdb_shows_where_a_script_failed(churn):
    (churn / "two.py").write_text(SCRIPT + "limit / 0\n")
    invoke(churn, "run")

    answer = invoke(churn, "run", "--only", "two", "--pdb", typed="c\np limit\nq\n")

    assert "ZeroDivisionError" in answer.stderr
    assert "(Pdb) 3\n" in answer.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--pdb"], "--pdb and --debugpy need --only STEP: a debugger runs one step"),
        (["--pdb", "--from-step", "two"], "--pdb and --debugpy need --only STEP: a debugger runs one step"),
        (["--only", "two", "--pdb", "--debugpy", "5678"], "use either --pdb or --debugpy, not both"),
        (["--only", "two", "--debugpy", "x"], "--debugpy must be a whole number, 1 or more, not 'x'"),
        (["--only", "two", "--debugpy", "70000"], "--debugpy must be a port, 65535 at most, not 70000"),
    ],
)
def test_flags_that_do_not_fit_are_refused(churn, words, sentence):
    answer = invoke(churn, "run", *words)

    assert (answer.stderr, answer.returncode) == (sentence + "\n", 2)


def test_a_missing_debugpy_is_reported_with_the_command_that_installs_it(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)

    assert Debugger(5678).missing(str(python)) == (
        f"debugpy is not installed; install it with `{python} -m pip install debugpy`"
    )


def test_debugpy_waits_for_an_editor_on_this_machine_alone():
    command = Debugger(5678).command("python")

    assert command == ["python", "-m", "debugpy", "--listen", "127.0.0.1:5678", "--wait-for-client"]


def test_without_a_process_there_is_nothing_to_wait_for():
    process = DebuggedProcess(Debugger())
    process.close()

    assert process.wait(0) == []

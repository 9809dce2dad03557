"""A call of the system that fails at any moment of a run costs that run at the most: the next one is right.

The n-th call of the runner, or of the process that starts its steps, fails in the C library (see faulty_calls.c); with
--level slow for every n.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from azml_tasks.local.runs import find_run, list_runs
from tests.local.conftest import PASS_ALONG, Project, linux
from tests.local.runners import INVOKE, TASKS

SOURCE = Path(__file__).with_name("faulty_calls.c")
COMPILER = shutil.which("cc") or shutil.which("gcc")
ERRORS = (errno.EIO, errno.ENOSPC, errno.EMFILE, errno.EINTR)
SAMPLED = 40

pytestmark = [
    linux,
    pytest.mark.thorough,
    pytest.mark.always,
    pytest.mark.skipif(COMPILER is None, reason="no C compiler to build the library that makes calls fail"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert COMPILER is not None
    built = tmp_path_factory.mktemp("faulty") / "faulty.so"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", built, SOURCE, "-ldl"], check=True)
    return built


@pytest.fixture
def pipeline(project: Project) -> Project:
    project.write({**TASKS, "data/x.csv": "a,b\n1,2\n", "common.py": "x = 1\n"})
    return project.pipeline(
        """
        datasets: {customers: {datastore_name: store, path: x.csv, local_path: data/x.csv}}
        steps:
          one: {script_name: one.py, input_datasets: {--data: customers}}
          two: {script_name: two.py, output_folders: {--output-folder: {register_on_complete: twos}}}
          three: {script_name: three.py}
        """,
        one=PASS_ALONG + "run.input_datasets['customers'].to_pandas_dataframe()\nrun.log('rows', 1)\n",
        two="import common\n" + PASS_ALONG + "run.parent.log('from_two', 2)\n",
        three=PASS_ALONG,
    )


def invoke(project: Project, *words: str, variables: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*INVOKE, *words],
        cwd=project.folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def clear(project: Project, again: bool) -> None:
    """Leave what a first run left, one script changed since, or nothing."""
    shutil.rmtree(project.folder / ".azml", ignore_errors=True)
    if again:
        shutil.copytree(project.folder.parent / "after the first run", project.folder / ".azml", symlinks=True)


def check(project: Project, done: subprocess.CompletedProcess[str]) -> None:
    """Make sure that the faulty run ended well or with a sentence, and that the next one is right."""
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    assert done.returncode in (0, 1, 2), done.stdout + done.stderr
    assert done.returncode == 0 or done.stderr.strip() or "failed" in done.stdout
    list_runs(project.folder)
    clean = invoke(project, "run")
    assert clean.returncode == 0, clean.stdout + clean.stderr
    run = find_run(project.folder)
    assert project.log(run, "three") == "read: one two \n"
    assert "from_two" in (run.places.parent / "metrics.jsonl").read_text()


@pytest.mark.parametrize("again", [False, True], ids=["first run", "second run"])
@pytest.mark.parametrize("process", ["invoke run", "server.py"])
def test_a_failed_call_costs_one_run_at_the_most(pipeline, library, tmp_path, process, again, slow):
    assert invoke(pipeline, "run").returncode == 0
    shutil.copytree(pipeline.folder / ".azml", tmp_path / "after the first run", symlinks=True)
    pipeline.write({"common.py": "x = 2\n"})
    counted = tmp_path / "count"
    variables = {
        "LD_PRELOAD": str(library),
        "FAULT_PROCESS": process,
        "FAULT_FOLDER": str(pipeline.folder),
        "FAULT_COUNT": str(counted),
        "FAULT_AT": "0",
        "FAULT_ERROR": "0",
    }
    clear(pipeline, again)
    assert invoke(pipeline, "run", variables=variables).returncode == 0
    calls = int(counted.read_text())
    assert calls > 1

    tries = [(at, error) for at in range(1, calls + 1) for error in ERRORS]
    if not slow:
        tries = sample(tries, SAMPLED // 4)
    for at, error in tries:
        clear(pipeline, again)
        done = invoke(pipeline, "run", variables={**variables, "FAULT_AT": str(at), "FAULT_ERROR": str(error)})
        print(f"call {at} of {calls}, {errno.errorcode[error]}: {done.returncode} {done.stderr.strip()[-200:]}")
        check(pipeline, done)


def sample(tries: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Return some of them, spread evenly, the same ones each time."""
    return tries[:: max(1, len(tries) // most)]

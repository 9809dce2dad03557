"""The script runs as it would alone: arguments, exit status, signals, variables, output."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import findpython
import pytest

from tests.launcher.test_logging import HEAD


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("pass", 0),
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('no')", 1),
        ("1 / 0", 1),
        ("import os; os._exit(77)", 77),
        ("exec('syntax error')", 1),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("import os; os.kill(os.getpid(), 15)", -signal.SIGTERM),
    ],
)
def test_the_exit_status_is_the_script_s(script, status, job, server):
    assert job(script).run(server).returncode == status


def test_values_logged_before_a_failure_are_recorded(job, server):
    done = job(HEAD + 'run.log("loss", 0.5)\nraise ValueError("no")\n').run(server)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ValueError: no"
    assert server.step.metrics == {"loss": [(0, 0.5)]}


WAITING = (
    HEAD
    + """
import signal, sys, time

def stop(number, frame):
    run.log("stopped", number)
    sys.exit(5)

signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
print("ready")
time.sleep(60)
"""
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_on_and_what_the_script_then_logs_is_recorded(number, job, server):
    process = job(WAITING).start(server)
    assert process.stdout.readline() == "ready\n"

    process.send_signal(number)
    _, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (5, "")
    assert server.step.metrics == {"stopped": [(0, float(number))]}


def test_a_step_that_is_stopped_does_not_wait_long_for_the_server(job):
    process = job(WAITING).start(MLFLOW_TRACKING_URI="http://127.0.0.1:9/x")
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)

    assert process.returncode == 5
    assert time.monotonic() - started < 25


def test_output_is_not_buffered_and_stays_where_the_script_writes_it(job, server, tmp_path):
    go = tmp_path / "go"
    waits = f"while not os.path.exists({str(go)!r}):\n    time.sleep(0.01)\n"
    process = job('import os, sys, time\nprint("a")\nprint("b", file=sys.stderr)\n' + waits).start(server)

    assert process.stdout.readline() == "a\n"
    go.touch()
    process.communicate()


def test_the_stand_in_is_on_the_path_of_the_script_alone(job, server):
    script = """
import os, subprocess, sys
import azureml.core
print(azureml.core.__file__.startswith(os.environ["TMPDIR"]))
print(sys.path[0] == os.getcwd(), sys.argv[0])
print(os.environ["PYTHONPATH"].split(os.pathsep)[1:])
print([name for name in sys.modules if name.startswith("azml_local.reads.hook")])
print(sorted(os.listdir()))
"""
    made = job(script)

    done = made.run(server, PYTHONPATH="/mine")

    assert done.stdout.splitlines() == [
        "True",
        "True train.py",
        "['/mine']",
        "[]",
        "['azml_step', 'logs', 'outputs', 'train.py']",
    ]
    # And nothing is left.
    assert [path.name for path in made.folder.parent.iterdir()] == ["train"]


def test_processes_that_the_script_starts_log_to_the_same_run(job, server):
    script = """
import multiprocessing

def work(number):
    from azureml.core import Run
    Run.get_context().log("number", number)

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(work, range(4))
"""
    done = job(script).run(server)

    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(value for _, value in server.step.metrics["number"]) == [0, 1, 2, 3]


def test_a_command_without_a_script_is_refused(job):
    made = job("pass")

    done = subprocess.run(
        [sys.executable, "azml_step", "--in", "a=b"], cwd=made.folder, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (
        1,
        "azml-tasks: expected --in NAME=PATH, --out NAME=PATH, -- and a script\n",
    )


def test_a_script_that_logs_with_mlflow_too_logs_to_the_same_run(job, server):
    pytest.importorskip("mlflow")
    script = """
import mlflow

mlflow.start_run()
mlflow.log_metric("theirs", 2, step=3)
mlflow.log_param("lr", 0.1)
mlflow.set_tag("kind", "forest")
run.log("ours", 1)
"""

    done = job(HEAD + script).run(server)

    assert done.returncode == 0, done.stderr
    assert server.step.metrics == {"theirs": [(3, 2.0)], "ours": [(0, 1.0)]}
    assert (server.step.params, server.step.tags["kind"]) == ({"lr": "0.1"}, "forest")


OLD = """
from azureml.core import Dataset, Datastore, Experiment, Keyvault, Model, Run, Workspace
from azureml.data import FileDataset, TabularDataset
from azureml.pipeline.core import PipelineRun, StepRun

run = Run.get_context()
run.log("a", 1)
run.child_run("c").log("b", 2)
print(run.get_metrics(), run.input_datasets, run.get_details()["runId"])
"""


def test_a_job_may_have_an_older_python_than_a_local_run(job, server):
    python = findpython.find("3.9")
    if python is None:
        pytest.skip("there is no Python 3.9")

    process = job(OLD).start(server, python=str(python.executable))

    out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (0, "{'a': 1} {} step\n", "")
    assert server.step.metrics == {"a": [(0, 1.0)]}

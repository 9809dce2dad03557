"""Whatever a script does to its process, its run goes on and says what happened."""

from __future__ import annotations

import subprocess
import threading

import pytest

from azml_tasks.errors import RunError
from azml_tasks.local.run import processes
from azml_tasks.local.runs import find_run
from tests.local.conftest import PASS_ALONG, linux
from tests.local.runners import ends


@pytest.mark.parametrize(
    ("script", "status", "exit_code", "log"),
    [
        ("print('é'); import sys; print('err', file=sys.stderr)", "completed", 0, "é\nerr\n".encode()),
        ("import os; os.write(1, b'\\xff\\xfe\\x00\\n')", "completed", 0, b"\xff\xfe\x00\n"),
        ("raise SystemExit", "completed", 0, b""),
        ("raise SystemExit(3)", "failed", 3, b""),
        ("raise SystemExit(-1)", "failed", 255, b""),
        ("raise SystemExit('a reason')", "failed", 1, b"a reason\n"),
        ("import sys; sys.exit(True)", "failed", 1, b""),
        ("import os; os._exit(4)", "failed", 4, b""),
        ("import os; os._exit(0)", "completed", 0, b""),
        ("import os; os.abort()", "failed", -6, b""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "failed", -9, b""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "failed", -15, b""),
        ("import os; os.chdir('/'); open('/dev/null').close()", "completed", 0, b""),
        ("import sys; print('a'); sys.stdout.close(); sys.stderr.close()", "completed", 0, b"a\n"),
        ("import os; print('a'); os.close(1); os.close(2)", "completed", 0, b"a\n"),
        ("import os; print('a'); os.closerange(0, 4096)", "completed", 0, b"a\n"),
        ("import sys; sys.stdout = sys.stderr = None; print('a')", "completed", 0, b""),
        ("import os, shutil; shutil.rmtree(os.getcwd()); print('a')", "completed", 0, b"a\n"),
        ("import atexit; atexit.register(print, 'at exit'); print('a')", "completed", 0, b"a\nat exit\n"),
        ("import sys; print(repr(sys.stdin.read()), sys.stdout.isatty())", "completed", 0, b"'' False\n"),
        (
            "import os; os.rmdir('outputs'); file = open('outputs', 'w'); file.write('x'); print('a', end='')",
            "completed",
            0,
            b"a",
        ),
        ("import os; print(os.getpid() == os.getpgid(0) == os.getsid(0))", "completed", 0, b"True\n"),
        ("import signal; print(signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL)", "completed", 0, b"True\n"),
        ("import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:3])", "completed", 0, b"[0, 1, 2]\n"),
    ],
)
def test_what_a_script_does_to_its_process(project, way, script, status, exit_code, log):
    run = project.line(a=script).run(**way)

    assert (run["a"].status, run["a"].exit_code) == (status, exit_code)
    assert run["a"].places.log.read_bytes() == log


def test_independent_steps_run_at_the_same_time(project, way, tmp_path):
    """Each waits for the other's sign, so one after the other neither would end."""
    meet = """
        import os, sys, time
        mine, other = sys.argv[1:]
        open(mine, "w").close()
        deadline = time.monotonic() + 30
        while not os.path.exists(other):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    """
    a, b = tmp_path / "a", tmp_path / "b"
    project.pipeline(
        f"""
        steps:
          left: {{script_name: meet.py, arguments: ['{a}', '{b}'], output_folders: []}}
          right: {{script_name: meet.py, input_folders: {{}}, arguments: ['{b}', '{a}']}}
        """,
        meet=meet,
    )

    assert project.run(jobs=2, **way).status == "completed"


def test_no_more_steps_than_jobs_run_at_the_same_time(project, way, tmp_path):
    alone = f"""
        import os, time
        os.mkdir({str(tmp_path / "only me")!r})
        time.sleep(0.05)
        os.rmdir({str(tmp_path / "only me")!r})
    """
    steps = "\n".join(f"  s{n}: {{script_name: alone.py, input_folders: {{}}}}" for n in range(4))
    project.pipeline(f"steps:\n{steps}", alone=alone)

    assert project.run(jobs=1, **way).status == "completed"


def test_the_same_pipeline_gives_the_same_results_either_way(project, way):
    run = project.line(one=PASS_ALONG, two=PASS_ALONG, three=PASS_ALONG).run(**way)

    assert project.log(run, "three") == "read: one two \n"


def test_a_variable_that_python_reads_at_its_start_is_obeyed(project, way):
    project.pipeline(
        "steps: {a: {script_name: a.py, environment_variables: {PYTHONOPTIMIZE: '1', PYTHONPATH: /nowhere}}}",
        a="""
            import sys
            print(sys.flags.optimize, "/nowhere" in sys.path)
            from azureml.core import Run
            Run.get_context().id
        """,
    )

    assert project.log(project.run(**way), "a") == "1 True\n"


@linux
def test_the_fork_server_that_is_killed_is_reported_and_takes_its_steps_along(project, tmp_path):
    pid = tmp_path / "pid"
    project.line(
        a=f"""
            import os, signal, time
            open({str(pid)!r}, "w").write(str(os.getpid()))
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(600)
        """
    )

    with pytest.raises(RunError) as caught:
        project.run()

    assert str(caught.value).startswith("the process that starts the steps ended; possibly out of memory")
    assert ends(pid.read_text())
    run = find_run(project.folder)
    assert (run.status, run["a"].status) == ("interrupted", "interrupted")


def test_a_run_may_be_started_from_another_thread(project, way):
    project.line(one=PASS_ALONG, two=PASS_ALONG)
    found = []
    thread = threading.Thread(target=lambda: found.append(project.run(**way)))
    thread.start()
    thread.join()

    assert [run.status for run in found] == ["completed"]


@linux
def test_a_run_in_which_nothing_runs_starts_no_process(project, monkeypatch):
    started = []
    start = subprocess.Popen
    monkeypatch.setattr(
        processes.subprocess, "Popen", lambda words, **rest: [started.append(words), start(words, **rest)][1]
    )
    project.write({"data.txt": "1"})
    project.line(a="print(open('../../../../../../data.txt').read())")

    def servers() -> int:
        started.clear()
        project.run()
        return sum("server.py" in str(word) for words in started for word in words)

    assert servers() == 1
    assert servers() == 0
    project.write({"data.txt": "2"})
    assert servers() == 1, "it is started when a step turns out to run"
    project.write({"a.py": "print(3)"})
    assert servers() == 1
    assert project.log(find_run(project.folder), "a") == "3\n"

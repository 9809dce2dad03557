"""Whatever a script does to its process, its run goes on and says what happened."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from azml_tasks.errors import RunError
from azml_tasks.local.processes import Subprocesses
from tests.local.conftest import PASS_ALONG

linux = pytest.mark.skipif(sys.platform != "linux", reason="the fork server is for Linux")


def ends(pid: str) -> bool:
    """Say whether the process ends; a signal takes its time."""
    deadline = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_running(pid)


def is_running(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.fixture(params=[pytest.param("warm", marks=linux), pytest.param("cold", marks=linux), "subprocesses"])
def way(request, monkeypatch) -> dict:
    """The options of a run for each way of starting a process."""
    if request.param == "cold":
        monkeypatch.setenv("AZML_LOCAL_PROCESS", "spawn")
    return {"processes": Subprocesses()} if request.param == "subprocesses" else {}


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
        ("import atexit; atexit.register(print, 'at exit'); print('a')", "completed", 0, b"a\nat exit\n"),
        ("import sys; print(repr(sys.stdin.read()), sys.stdout.isatty())", "completed", 0, b"'' False\n"),
        ("file = open('outputs', 'w'); file.write('x'); print('a', end='')", "completed", 0, b"a"),
        ("import os; print(os.getpid() == os.getpgid(0) == os.getsid(0))", "completed", 0, b"True\n"),
        ("import signal; print(signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL)", "completed", 0, b"True\n"),
        ("import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:3])", "completed", 0, b"[0, 1, 2]\n"),
    ],
)
def test_what_a_script_does_to_its_process(project, way, script, status, exit_code, log):
    run = project.line(a=script).run(**way)

    assert (run["a"].status, run["a"].exit_code) == (status, exit_code)
    assert run["a"].places.log.read_bytes() == log


INTROSPECTION = """
    import atexit, json, os, sys, threading, multiprocessing.process
    found = {
        "argv": sys.argv,
        "orig_argv": sys.orig_argv,
        "executable": sys.executable,
        "cwd": os.getcwd(),
        "path": sys.path,
        "names": sorted(globals()),
        "values": [__name__, __file__, repr(__spec__), __package__, __doc__],
        "loader": [type(__loader__).__name__, __loader__.name, __loader__.path],
        "builtins": repr(__builtins__),
        "main": sys.modules["__main__"].__dict__ is globals(),
        "flags": repr(sys.flags),
        "thread": threading.current_thread() is threading.main_thread(),
        "threads": threading.active_count(),
        "streams": [[s.encoding, s.errors, s.line_buffering, s.write_through] for s in (sys.stdout, sys.stderr)],
        "limits": [sys.getrecursionlimit(), sys.dont_write_bytecode],
        "environment": {k: v for k, v in os.environ.items() if k != "_"},
        "origin": multiprocessing.process.ORIGINAL_DIR,
        "handles": [sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__],
    }
    json.dump(found, open(sys.argv[1], "w"))
"""


@linux
def test_a_warm_script_finds_what_python_script_py_would_give_it(project, tmp_path):
    out = tmp_path / "found.json"
    project.pipeline(f"steps: {{a: {{script_name: a.py, arguments: ['{out}', 'b c']}}}}", a=INTROSPECTION)
    run = project.run()
    assert run.status == "completed", run["a"].detail
    warm = json.loads(out.read_text())
    work = run["a"].places.work
    work.mkdir()
    (work / "a.py").write_text(textwrap.dedent(INTROSPECTION))

    plain_run = [sys.executable, "a.py", out, "b c"]
    subprocess.run(
        plain_run, cwd=work, env=warm["environment"], stdin=subprocess.DEVNULL, capture_output=True, check=True
    )

    plain = json.loads(out.read_text())
    assert warm == plain


@linux
@pytest.mark.parametrize(
    "script",
    [
        "def f():\n    raise ValueError('x')\nf()",
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('a') from e",
        "import no_such_module",
        "raise KeyboardInterrupt",
        "import sys\nsys.excepthook = lambda *a: print('hook', a[0])\nraise ValueError",
        "import threading\ndef f():\n    raise OSError(1, 'x')\nt = threading.Thread(target=f)\nt.start()\nt.join()",
        "class A:\n    def __del__(self): print('deleted')\na = A()\nprint('end')",
        "import atexit\natexit.register(lambda: 1 / 0)",
        "import threading as t\nt.Thread(target=lambda: print(t.main_thread().join())).start()\nprint('end')",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nprint('end')",
        "def f(n): return f(n + 1)\ntry:\n    f(0)\nexcept RecursionError:\n    print('deep')",
        "import warnings\nwarnings.warn('careful')\nwarnings.warn('old', DeprecationWarning)",
        "import logging\nlogging.warning('w')\nlogging.getLogger().error('e')",
        "import pickle\nclass A: x = 1\nprint(pickle.loads(pickle.dumps(A())).x, pickle.dumps(A)[:40])",
        "from __future__ import annotations\nx: int = 1\nprint(__annotations__)",
        "x: int = 1\nprint(__annotations__)",
        "import inspect\ndef f(): pass\nprint(inspect.getsource(f))",
        "import multiprocessing as m\nif __name__ == '__main__':\n"
        "    with m.get_context('spawn').Pool(1) as p: print(p.map(abs, [-1]))",
        "import multiprocessing as m\nif __name__ == '__main__':\n"
        "    with m.get_context('fork').Pool(2) as p: print(p.map(abs, [-1]))",
        "import concurrent.futures as c\nwith c.ProcessPoolExecutor(1) as p: print(list(p.map(abs, [-3])))",
        "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True).stdout)",
        "import sys\nprint(input())",
        "import zipfile\nz = zipfile.ZipFile('z.zip', 'w')\nz.writestr('a', 'b')\nimport atexit, os\nprint('x')",
        "import tempfile, os\nd = tempfile.TemporaryDirectory()\nprint(os.path.isdir(d.name))",
        "import asyncio\nasync def f(): return 3\nprint(asyncio.run(f()))",
        "import signal\nprint(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGPIPE))",
        "import sys\nprint('json' in dir(), __debug__, sys.flags.utf8_mode)",
        "import gc\nprint(gc.isenabled(), gc.get_threshold())\nl = []\nl.append(l)\ndel l\nprint(gc.collect() > 0)",
    ],
)
def test_a_warm_script_prints_and_ends_as_python_script_py_does(project, script):
    run = project.pipeline("steps: {a: {script_name: a.py}}").write({"a.py": script}).run()
    warm = run["a"]
    work = warm.places.work
    work.mkdir(exist_ok=True)
    (work / "a.py").write_text(script)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}

    with open(project.folder / "log", "wb") as log:
        plain = subprocess.run(
            [sys.executable, "a.py"],
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
        )

    expected = without_addresses((project.folder / "log").read_text())
    assert (without_addresses(warm.places.log.read_text()), warm.exit_code) == (expected, plain.returncode)


def without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x", text)


@linux
def test_files_that_were_never_closed_are_written(project):
    project.line(
        a="""
            import csv, gzip, sys, threading, time, zipfile
            folder = sys.argv[2]
            text = open(folder + "/text", "w")
            text.write("x")
            def keep():
                inner = open(folder + "/inner", "w")
                inner.write("y")
                keep.inner = inner
            keep()
            archive = zipfile.ZipFile(folder + "/archive.zip", "w")
            archive.writestr("name", "z")
            packed = gzip.open(folder + "/packed.gz", "wt")
            packed.write("p")
        """,
        b="""
            import gzip, sys, zipfile
            folder = sys.argv[2]
            print(open(folder + "/text").read(), open(folder + "/inner").read())
            print(zipfile.ZipFile(folder + "/archive.zip").read("name"), gzip.open(folder + "/packed.gz").read())
        """,
    )

    run = project.run()

    assert project.log(run, "b") == "x y\nb'z' b'p'\n"


@linux
def test_files_that_were_never_closed_are_written_beside_a_thread_that_never_ends(project):
    project.line(
        a="""
            import sys, threading, time
            threading.Thread(target=lambda: [time.sleep(0.001) for _ in iter(int, 1)], daemon=True).start()
            text = open(sys.argv[2] + "/text", "w")
            text.write("x")
        """,
        b="import sys\nprint(open(sys.argv[2] + '/text').read())",
    )

    run = project.run()

    assert (project.log(run, "a"), project.log(run, "b")) == ("", "x\n")


@linux
def test_a_project_file_that_hides_a_module_of_the_standard_library_does_so_here_too(project):
    project.write({"json.py": "name = 'of the project'", "argparse.py": "name = 'of the project, too'"})
    script = "import json, argparse\nprint(json.name, argparse.name)"

    run = project.line(a=script, b=script).run()

    assert project.log(run, "a") == "of the project of the project, too\n"


@linux
def test_steps_do_not_see_each_others_modules_and_variables(project):
    project.write({"one/shared.py": "x = 1", "two/shared.py": "x = 2"})
    script = "import os, shared\nprint(shared.x, os.environ.pop('LEFT', None))\nos.environ['LEFT'] = '1'"
    project.write({"one/a.py": script, "two/a.py": script})
    project.pipeline(
        """
        steps:
          a: {script_name: a.py, script_directory: one}
          b: {script_name: a.py, script_directory: two}
        """
    )

    run = project.run()

    assert [project.log(run, step) for step in "ab"] == ["1 None\n", "2 None\n"]


def test_children_that_a_step_leaves_behind_end_with_it(project, way, tmp_path):
    beat = tmp_path / "beat"
    project.line(
        a=f"""
            import os, sys, time
            if os.fork() == 0:
                while True:
                    open({str(beat)!r}, "a").write("x")
                    time.sleep(0.01)
            while not os.path.exists({str(beat)!r}):
                time.sleep(0.01)
        """
    )

    assert project.run(**way).status == "completed"

    time.sleep(0.1)
    size = beat.stat().st_size
    time.sleep(0.2)
    assert beat.stat().st_size == size


@linux
def test_a_daemon_that_leaves_its_session_ends_with_the_run(project, tmp_path):
    pid = tmp_path / "pid"
    project.line(
        a=f"""
            import os, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    open({str(pid)!r}, "w").write(str(os.getpid()))
                    time.sleep(600)
                os._exit(0)
            while not os.path.exists({str(pid)!r}) or not open({str(pid)!r}).read():
                time.sleep(0.01)
        """
    )

    project.run()

    assert ends(pid.read_text())


def test_a_large_log_goes_to_the_disk(project, way):
    run = project.line(a="import os\nline = b'x' * 999 + b'\\n'\nfor _ in range(20_000): os.write(1, line)").run(**way)

    assert run["a"].places.log.stat().st_size == 20_000_000


def test_a_step_that_takes_too_long_is_stopped(project, way):
    project.pipeline(
        """
        continue_on_step_failure: true
        steps:
          gentle: {script_name: gentle.py, max_run_duration_seconds: 1}
          quick: {script_name: quick.py, input_folders: {}, max_run_duration_seconds: 100}
        """,
        gentle="import time; time.sleep(600)",
        quick="",
    )

    run = project.run(**way)

    assert run["gentle"].message == "it was stopped after 1 s, its max_run_duration_seconds"
    assert project.statuses(run) == {"gentle": "failed", "quick": "completed"}
    assert run["gentle"].seconds < 60


def test_a_step_that_does_not_end_when_told_is_killed(project, way):
    project.pipeline(
        "steps: {stubborn: {script_name: stubborn.py, max_run_duration_seconds: 1}}",
        stubborn="import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
    )

    run = project.run(grace=0.3, **way)

    assert (run["stubborn"].status, run["stubborn"].exit_code) == ("failed", -9)


def test_a_script_that_ends_well_when_told_to_stop_has_still_not_done_its_work(project, way):
    project.pipeline(
        "steps: {a: {script_name: a.py, max_run_duration_seconds: 1}}",
        a="import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(0))\ntime.sleep(600)",
    )

    run = project.run(**way)

    assert (run["a"].status, run["a"].exit_code) == ("failed", 0)


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

    assert str(caught.value).startswith("the process that starts the steps ended, perhaps for want of memory")
    assert ends(pid.read_text())


def test_a_run_may_be_started_from_another_thread(project, way):
    project.line(one=PASS_ALONG, two=PASS_ALONG)
    found = []
    thread = threading.Thread(target=lambda: found.append(project.run(**way)))
    thread.start()
    thread.join()

    assert [run.status for run in found] == ["completed"]

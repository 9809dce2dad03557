"""A script that is run by a process which is warm already sees no difference to `python script.py`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap

import pytest

from azml_tasks.local.run.processes import ForkServer, ProcessExit, ProcessSpec
from azml_tasks.local.step.environment import STANDIN, Preload
from tests.local.conftest import linux

pytestmark = linux


# A stream as many scripts put in the place of sys.stdout.
TEE = """
import atexit, sys
atexit.register(print, "at exit")
class Tee:
    def __init__(self, name): self.file = open(name, "w")
    def write(self, text): self.file.write(text), sys.__stderr__.write(text)
    def flush(self): pass
sys.stdout = Tee("train.log")
print("printed")
"""
SIGNALLED = """
import atexit, os, signal, sys, threading, time
atexit.register(print, "at exit")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
def signal_late():
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)
"""
OWN_MODULE = """
import os, sys
def show(text): print(text, os.sep, _name)
_name = "private"
class A:
    def __del__(self): show("deleted")
a = A()
"""

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
        "number": threading.main_thread().native_id == os.getpid(),
        "streams": [[s.encoding, s.errors, s.line_buffering, s.write_through] for s in (sys.stdout, sys.stderr)],
        "limits": [sys.getrecursionlimit(), sys.dont_write_bytecode],
        "environment": {k: v for k, v in os.environ.items() if k != "_"},
        "origin": multiprocessing.process.ORIGINAL_DIR,
        "handles": [sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__],
    }
    json.dump(found, open(sys.argv[1], "w"))
"""


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
        "import os\nos.close(1)\nprint('b')",
        "import os\nos.close(2)\nraise ValueError",
        "import os\nos.closerange(0, 3)\nprint('b')\nraise ValueError",
        "import sys\nsys.stdout.close()\nprint('b')",
        "import zipfile\nz = zipfile.ZipFile('z.zip', 'w')\nz.writestr('a', 'b')\nimport atexit, os\nprint('x')",
        "import tempfile, os\nd = tempfile.TemporaryDirectory()\nprint(os.path.isdir(d.name))",
        "import asyncio\nasync def f(): return 3\nprint(asyncio.run(f()))",
        "import signal\nprint(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGPIPE))",
        "import sys\nprint('json' in dir(), __debug__, sys.flags.utf8_mode)",
        "import gc\nprint(gc.isenabled(), gc.get_threshold())\nl = []\nl.append(l)\ndel l\nprint(gc.collect() > 0)",
        TEE,
        TEE + "Tee.flush = lambda self: sys.exit(3)",
        TEE + "Tee.flush = lambda self: 1 / 0\nsys.exit(3)",
        TEE + "Tee.flush = lambda self: 1 / 0\nsys.stderr, sys.stdout = sys.stdout, sys.__stdout__",
        TEE + "del Tee.flush",
        TEE + "Tee.closed = property(lambda self: 1 / 0)\nraise ValueError",
        "import sys\nsys.stdout = open(1, 'w', closefd=False)\nprint('first')\n1 / 0",
        "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.detach())\nprint('a')",
        "import sys\ndel sys.stdout, sys.stderr",
        "import atexit, sys\natexit.register(print, 'a')\nsys.excepthook = lambda *a: sys.exit(3)\nraise ValueError",
        "import sys\nsys.excepthook = lambda *a: sys.exit('done')\nraise KeyboardInterrupt",
        "import sys\ndef f(*a): print(sys.exc_info()); raise KeyError(1)\nsys.excepthook = f\nraise ValueError(2)",
        "import sys\nsys.excepthook = lambda *a: 1 / 0\nraise KeyboardInterrupt",
        "import sys\nsys.excepthook = None\nraise ValueError",
        "import sys\ndel sys.excepthook\nraise ValueError",
        "import atexit, sys\natexit.register(lambda: print(repr(sys.last_value)))\nraise ValueError",
        "class E(Exception):\n    def __setattr__(self, *a): 1 / 0\n    with_traceback = None\nraise E",
        "class E(KeyboardInterrupt): pass\nraise E",
        "class E(SystemExit): code = property(lambda self: 1 / 0)\nraise E('a')",
        "import sys\nsys.exit(-1)",
        "import sys\nsys.stderr = None\nsys.exit('text')",
        SIGNALLED + "threading.Thread(target=signal_late).start()",
        SIGNALLED + "atexit.register(lambda: (signal_late(), print('not reached')))",
        SIGNALLED + "class A:\n    def __del__(self): signal_late(), print('not reached')\na = A()",
        "import threading\ndef f(): raise ValueError\nthreading._shutdown = f",
        "import sys, threading\ndef f(): 1 / 0\nthreading._shutdown = f\n"
        "sys.unraisablehook = lambda a: print(a.exc_type, a.err_msg, a.object)",
        "import sys\nsys.modules['threading'] = 3",
        OWN_MODULE,
        "import json\nclass A:\n    def __del__(self): print('deleted')\na = A()\njson.main = lambda: a",
        OWN_MODULE + "sys.modules.clear()",
        OWN_MODULE + "globals()[1] = 2",
        OWN_MODULE + "import builtins\nbuiltins.a = a\ndel a\nbuiltins.print = None",
        OWN_MODULE + "import types\nclass M(types.ModuleType):\n"
        "    def __getattribute__(self, name): 1 / 0\nsys.modules['m'] = M('m')",
        OWN_MODULE + "class M:\n    def __getattr__(self, name): 1 / 0\nsys.modules['m'] = M()",
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


@pytest.mark.parametrize("kept", ["", "import json; json.kept = keep"])
def test_files_that_were_never_closed_are_written(project, kept):
    project.line(
        a=f"""
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
            {kept}
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


@pytest.mark.parametrize(
    "keeping",
    [
        "class Tee:\n"
        "    closed = False\n"
        "    def __init__(self): self.write = file.write\n"
        "    def flush(self): pass\n"
        "sys.stdout = Tee()\ndel file\nprint('x', end='')",
        "import builtins\nbuiltins.kept = file\nfile.write('x')",
        "sys.kept = file\nfile.write('x')",
        "import functools, json\njson.kept = functools.partial(print, file=file)\njson.kept('x', end='')",
        "def kept(): return file\nclass A: kept = staticmethod(kept)\nfile.write('x')",
    ],
)
def test_a_file_is_written_that_something_else_than_a_variable_keeps_open(project, keeping):
    project.line(
        a="import sys\nfile = open(sys.argv[2] + '/text', 'w')\n" + keeping,
        b="import sys\nprint(open(sys.argv[2] + '/text').read())",
    )

    run = project.run()

    assert (run.status, project.log(run, "a"), project.log(run, "b")) == ("completed", "", "x\n")


def test_a_script_that_is_gone_before_it_is_read_could_not_be_started(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(STANDIN)}
    server = ForkServer(environment)
    server.preload(Preload())

    server.start(
        ProcessSpec("a", sys.executable, ("a.py",), str(tmp_path), environment, (), str(tmp_path / "log"), True)
    )
    ended = []
    while not ended:
        ended = server.wait(30)
    server.close()

    said = f"the step could not be started: [Errno 2] No such file or directory: '{tmp_path}/a.py'\n"
    assert (ended, (tmp_path / "log").read_text()) == ([ProcessExit("a", 70)], said)


def test_a_project_file_that_hides_a_module_of_the_standard_library_does_so_here_too(project):
    project.write({"json.py": "name = 'of the project'", "argparse.py": "name = 'of the project, too'"})
    script = "import json, argparse\nprint(json.name, argparse.name)"

    run = project.line(a=script, b=script).run()

    assert project.log(run, "a") == "of the project of the project, too\n"


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


@pytest.mark.parametrize("process", ["", "spawn"])
def test_a_step_finds_the_project_s_modules_where_python_does_not_look_beside_the_script(project, monkeypatch, process):
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    monkeypatch.setenv("AZML_LOCAL_PROCESS", process)
    project.write({"below/own.py": "name = 'own'"})
    script = "import os, sys, own\nprint(own.name, list(dict.fromkeys(map(os.path.basename, sys.path[:3])))[:2])"
    project.pipeline("steps: {a: {script_name: below/a.py}}").write({"below/a.py": script})

    run = project.run()

    assert project.log(run, "a") == "own ['below', 'work']\n", run["a"].detail

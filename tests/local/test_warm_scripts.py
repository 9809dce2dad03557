"""A script that is run by a process which is warm already sees no difference to `python script.py`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap

import pytest

from tests.local.conftest import linux

pytestmark = linux


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

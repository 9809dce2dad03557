"""A step runs again when anything that it read has changed, however it read it; else it is reused.

Each change is made between two runs; before that an unchanged run must reuse every step.
"""

# ruff: noqa: E501
from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.local.conftest import BEGINNING, Project

if sys.platform != "linux":
    pytest.skip("measured on Linux", allow_module_level=True)

Act = Callable[[Path], None]


@dataclass(frozen=True)
class Change:
    """Files of the folder `beside`, a script `a.py` that finds it as BESIDE, what is changed there, and how it is told.

    `steps` is the pipeline, with further scripts in `scripts`. Without a reason the change must not count.
    """

    name: str
    script: str
    change: Act = lambda folder: None
    reason: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    changed_variables: Mapping[str, str | None] = field(default_factory=dict)
    steps: str = "steps: {a: {script_name: a.py}}\n"
    scripts: Mapping[str, str] = field(default_factory=dict)
    step: str = "a"


def write(name: str, text: str) -> Act:
    def act(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return act


def retarget(name: str, target: str) -> Act:
    def act(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to(folder / target)

    return act


def program(name: str) -> Act:
    def act(folder: Path) -> None:
        (folder / name).write_text("#!/bin/sh\necho two\n")
        (folder / name).chmod(0o755)

    return act


def touch(name: str) -> Act:
    return lambda folder: os.utime(folder / name, (2e9, 2e9))


X = {"x.txt": "1"}
TWO = "steps: {a: {script_name: a.py}, b: {script_name: b.py}}\n"
CONFIGURED = "steps: {a: {script_name: a.py, step_config: {v: 1}}, b: {script_name: b.py}}\n"


def reads(name: str, script: str, reason: str = "BESIDE/x.txt changed", change: Act | None = None, **more) -> Change:
    """Return a change of the file x.txt."""
    return Change(name, script, change or write("x.txt", "2"), reason, more.pop("files", X), **more)


FILES = [
    reads("open", "print(open(f'{BESIDE}/x.txt').read())"),
    reads("pathlib", "from pathlib import Path\nprint(Path(BESIDE, 'x.txt').read_text())"),
    reads("os.open", "print(os.read(os.open(f'{BESIDE}/x.txt', os.O_RDONLY), 9))"),
    reads("io.FileIO", "import io\nprint(io.FileIO(f'{BESIDE}/x.txt').readall())"),
    reads("bytes as its path", "print(open(os.fsencode(f'{BESIDE}/x.txt')).read())"),
    reads("from a folder that was changed to", "os.chdir(BESIDE)\nprint(open('x.txt').read())"),
    reads("from the working directory upwards", "print(open(os.path.relpath(f'{BESIDE}/x.txt')).read())"),
    reads(
        "by a folder's descriptor",
        "d = os.open(BESIDE, os.O_RDONLY)\nprint(os.read(os.open('x.txt', os.O_RDONLY, dir_fd=d), 9))",
    ),
    reads(
        "the size by a folder's descriptor",
        "d = os.open(BESIDE, os.O_RDONLY)\nprint(os.stat('x.txt', dir_fd=d).st_size)",
        change=write("x.txt", "11"),
    ),
    reads(
        "the time by the file's descriptor",
        "f = open(f'{BESIDE}/x.txt')\nprint(os.fstat(f.fileno()).st_mtime)",
        "the time of BESIDE/x.txt changed",
        touch("x.txt"),
    ),
    reads(
        "whether a program may be run",
        "import shutil\nprint(shutil.which('x.txt', path=BESIDE))",
        change=lambda folder: (folder / "x.txt").chmod(0o755),
    ),
    reads(
        "mmap",
        "import mmap\nf = open(f'{BESIDE}/x.txt', 'rb')\nprint(mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)[:])",
    ),
    reads("shutil.copy", "import shutil\nshutil.copy(f'{BESIDE}/x.txt', 'copy')"),
    reads("linecache", "import linecache\nprint(linecache.getline(f'{BESIDE}/x.txt', 1))"),
    reads("fileinput", "import fileinput\nprint(list(fileinput.input([f'{BESIDE}/x.txt'])))"),
    reads("runpy", "import runpy\nrunpy.run_path(f'{BESIDE}/x.txt')"),
    reads("exec", "exec(compile(open(f'{BESIDE}/x.txt').read(), 'x', 'exec'))"),
    reads(
        "configparser",
        "import configparser\nconfigparser.ConfigParser().read(f'{BESIDE}/x.txt')",
        files={"x.txt": "[a]\nb=1"},
        change=write("x.txt", "[a]\nb=2"),
    ),
    reads(
        "configparser without the file",
        "import configparser\nconfigparser.ConfigParser().read(f'{BESIDE}/y.txt')",
        "BESIDE/y.txt added",
        write("y.txt", "[a]\nb=2"),
    ),
    reads(
        "a thread",
        "import threading\nt = threading.Thread(target=lambda: print(open(f'{BESIDE}/x.txt').read()))\nt.start(); t.join()",
    ),
    reads(
        "a pool of threads",
        "from concurrent.futures import ThreadPoolExecutor as P\nfrom pathlib import Path\nprint(list(P(2).map(Path.read_text, [Path(BESIDE, 'x.txt')])))",
    ),
    reads("os.fork", "if os.fork() == 0:\n    open(f'{BESIDE}/x.txt').read()\n    os._exit(0)\nos.wait()"),
    reads(
        "a fork that is killed",
        "import signal, time\nr, w = os.pipe()\np = os.fork()\nif p == 0:\n    open(f'{BESIDE}/x.txt').read(); os.write(w, b'x'); time.sleep(60)\nos.read(r, 1); os.kill(p, signal.SIGKILL); os.wait()",
    ),
    reads(
        "multiprocessing by fork",
        "import multiprocessing as m\nif __name__ == '__main__':\n    with m.get_context('fork').Pool(2) as p: print(p.map(len, map(open, [])))\n    q = m.get_context('fork').Process(target=lambda: open(f'{BESIDE}/x.txt').read())\n    q.start(); q.join()",
    ),
    reads(
        "multiprocessing by spawn",
        "import multiprocessing as m\nfrom pathlib import Path\nif __name__ == '__main__':\n    with m.get_context('spawn').Pool(1) as p: print(p.map(Path.read_text, [Path(BESIDE, 'x.txt')]))",
    ),
    reads(
        "a Python child",
        "import subprocess\nsubprocess.run([sys.executable, '-c', f'print(open({BESIDE!r} + \"/x.txt\").read())'], check=True)",
    ),
    reads(
        "exec of itself",
        "if len(sys.argv) < 9:\n    os.execv(sys.executable, [sys.executable, __file__, *'123456789'])\nprint(open(f'{BESIDE}/x.txt').read())",
    ),
    reads("os._exit at the end", "print(open(f'{BESIDE}/x.txt').read(), flush=True)\nos._exit(0)"),
    reads(
        "sqlite3",
        "import sqlite3\nprint(sqlite3.connect(f'{BESIDE}/d').execute('select x from t').fetchall())",
        "BESIDE/d changed",
        lambda folder: _database(folder, 2),
        files={},
    ),
    reads(
        "shelve",
        "import shelve\nprint(dict(shelve.open(f'{BESIDE}/s', 'r')))",
        "BESIDE/s",
        lambda folder: _shelf(folder, 2),
        files={},
    ),
    reads(
        "a zip file",
        "import zipfile\nprint(zipfile.ZipFile(f'{BESIDE}/z.zip').read('x'))",
        "BESIDE/z.zip changed",
        lambda folder: _zip(folder, "x", "2"),
        files={},
    ),
    reads(
        "zipimport",
        "sys.path.insert(0, f'{BESIDE}/z.zip')\nimport zipped\nprint(zipped.X)",
        "BESIDE/z.zip changed",
        lambda folder: _zip(folder, "zipped.py", "X = 2"),
        files={},
    ),
    reads(
        "through a link that is retargeted",
        "print(open(f'{BESIDE}/link').read())",
        "BESIDE/link changed",
        retarget("link", "y.txt"),
        files={"x.txt": "1", "y.txt": "2", "->link": "x.txt"},
    ),
    reads(
        "os.readlink",
        "print(os.readlink(f'{BESIDE}/link'))",
        "BESIDE/link changed",
        retarget("link", "y.txt"),
        files={"x.txt": "1", "y.txt": "1", "->link": "x.txt"},
    ),
    *(
        reads(
            f"{name} of a file that becomes a link",
            f"print({name}(f'{{BESIDE}}/x.txt'))",
            "BESIDE/x.txt changed",
            retarget("x.txt", "y.txt"),
            files={"x.txt": "1", "y.txt": "1"},
        )
        for name in ("os.path.islink", "os.path.realpath", "os.lstat")
    ),
    reads(
        "through a second link",
        "print(open(f'{BESIDE}/link').read())",
        "BESIDE/link changed",
        files={"x.txt": "1", "->link": "x.txt"},
    ),
    reads(
        "a memory of pandas",
        "import pandas\nprint(pandas.read_csv(f'{BESIDE}/x.txt'))",
        files={"x.txt": "a\n1\n"},
        change=write("x.txt", "a\n2\n"),
    ),
    reads(
        "a counter that it raises itself",
        "f = open(f'{BESIDE}/x.txt', 'r+'); n = int(f.read()); f.seek(0); f.write(str(n + 1)); f.close()",
        change=write("x.txt", "9"),
    ),
    reads(
        "a ledger that it adds to",
        "open(f'{BESIDE}/x.txt', 'a').write('1'); print(open(f'{BESIDE}/x.txt').read())",
        change=write("x.txt", "9"),
    ),
    reads(
        "by a name that stands in the text alone",
        "import pyarrow.csv\nprint(pyarrow.csv.read_csv('BESIDE/x.txt'))",
        files={"x.txt": "a\n1\n"},
        change=write("x.txt", "a\n2\n"),
    ),
    reads("by a program", "import subprocess\nsubprocess.run(['cat', f'{BESIDE}/x.txt'], check=True)"),
    reads("through a link that it makes", "os.symlink(BESIDE, 'link')\nprint(open('link/x.txt').read())"),
    reads(
        "through a link that it deletes", "os.symlink(f'{BESIDE}/x.txt', 'x')\nprint(open('x').read())\nos.remove('x')"
    ),
    reads(
        "through a link of its parent process",
        "import subprocess\nos.symlink(BESIDE, 'link')\nsubprocess.run([sys.executable, '-c', 'open(\"link/x.txt\").read()'], check=True)",
    ),
    reads(
        "through a hard link that it makes",
        "os.path.exists('x') or os.link(f'{BESIDE}/x.txt', 'x')\nprint(open('x').read())\nos.remove('x')",
    ),
    reads(
        "by a variable in a shell's command", "os.environ['B'] = BESIDE\nos.system('cat $B/x.txt')", "BESIDE changed"
    ),
    reads(
        "by a variable for a program",
        "import subprocess\nsubprocess.run('cat $P', shell=True, env={**os.environ, 'P': f'{BESIDE}/x.txt'})",
    ),
    reads(
        "in the code of another Python",
        "import subprocess\nsubprocess.run([sys.executable, '-I', '-c', f'open(\"{BESIDE}/x.txt\").read()'], check=True)",
    ),
    reads(
        "a file that a program does not find",
        "import subprocess\nsubprocess.run(['test', '-e', f'{BESIDE}/y.txt'])",
        "BESIDE/y.txt added",
        write("y.txt", ""),
    ),
    reads(
        "by a pattern in the folder of a command",
        "import subprocess\nsubprocess.run('ls *.txt', shell=True, cwd=BESIDE)",
        "BESIDE changed",
        write("y.txt", ""),
    ),
    reads(
        "by a pattern in a shell's command",
        "os.system(f'cat {BESIDE}/*.txt')",
        "BESIDE changed",
    ),
    reads("by a shell", "os.system(f'cat {BESIDE}/x.txt')"),
]
FOLDERS = [
    reads("os.listdir", "print(os.listdir(BESIDE))", "the files in BESIDE changed", write("y.txt", "")),
    reads(
        "os.walk",
        "print(list(os.walk(BESIDE)))",
        "the files in BESIDE/sub changed",
        write("sub/y.txt", ""),
        files={"sub/x.txt": ""},
    ),
    reads(
        "glob",
        "import glob\nprint(glob.glob(f'{BESIDE}/**/*.txt', recursive=True))",
        "the files in BESIDE/sub changed",
        write("sub/y.txt", ""),
        files={"sub/x.txt": ""},
    ),
    reads(
        "pathlib.glob",
        "from pathlib import Path\nprint(list(Path(BESIDE).rglob('*.txt')))",
        "the files in BESIDE/sub changed",
        write("sub/y.txt", ""),
        files={"sub/x.txt": ""},
    ),
    reads(
        "the newest by its time",
        "import glob\nprint(max(glob.glob(f'{BESIDE}/*'), key=os.path.getmtime))",
        "the time of BESIDE/x.txt changed",
        touch("x.txt"),
        files={"x.txt": "", "y.txt": ""},
    ),
    reads(
        "the newest by pathlib",
        "from pathlib import Path\nprint(max(Path(BESIDE).iterdir(), key=lambda p: p.stat().st_mtime))",
        "the time of BESIDE/x.txt changed",
        touch("x.txt"),
        files={"x.txt": "", "y.txt": ""},
    ),
    reads(
        "the newest by os.scandir",
        "print(max(os.scandir(BESIDE), key=lambda e: e.stat().st_mtime).name)",
        "the files in BESIDE changed",
        touch("x.txt"),
        files={"x.txt": "", "y.txt": ""},
    ),
    reads(
        "the mode by os.scandir",
        "print([e.stat().st_mode for e in os.scandir(BESIDE)])",
        "the files in BESIDE changed",
        lambda folder: (folder / "x.txt").chmod(0o600),
    ),
    reads(
        "a link by os.scandir",
        "print([e.name for e in os.scandir(BESIDE) if e.is_symlink()])",
        "the files in BESIDE changed",
        lambda folder: (
            (folder / "x.txt").rename(folder.parent / "x.txt")
            and (folder / "x.txt").symlink_to(folder.parent / "x.txt")
        ),
    ),
    reads("the names of files whose size changes", "print(os.listdir(BESIDE))", "", write("x.txt", "22")),
    reads(
        "a file that it writes if there is none",
        "p = f'{BESIDE}/y.txt'\nprint(open(p).read() if os.path.exists(p) else open(p, 'w').write('1'))",
        "BESIDE/y.txt changed",
        write("y.txt", "2"),
    ),
    reads(
        "a log that it begins if there is none",
        "p = f'{BESIDE}/y.txt'\nprint(os.path.exists(p), file=open(p, 'a'))",
        "",
        write("y.txt", "another line"),
    ),
    reads("os.path.exists", "print(os.path.exists(f'{BESIDE}/y.txt'))", "BESIDE/y.txt added", write("y.txt", "")),
    reads(
        "Path.is_file",
        "from pathlib import Path\nprint(Path(BESIDE, 'x.txt').is_file())",
        "BESIDE/x.txt removed",
        lambda folder: (folder / "x.txt").unlink(),
    ),
    reads("os.access", "print(os.access(f'{BESIDE}/y.txt', os.R_OK))", "BESIDE/y.txt added", write("y.txt", "")),
    reads("the size of a file", "print(os.path.getsize(f'{BESIDE}/x.txt'))", change=write("x.txt", "22")),
    reads("the size by os.stat", "print(os.stat(f'{BESIDE}/x.txt').st_size)", change=write("x.txt", "22")),
    reads(
        "a file that is opened in vain",
        "try:\n    open(f'{BESIDE}/y.txt')\nexcept OSError:\n    print('none')",
        "BESIDE/y.txt added",
        write("y.txt", ""),
    ),
    reads(
        "many files",
        "print([open(f'{BESIDE}/{n}').read() for n in range(300)])",
        "the files in BESIDE changed",
        write("7", "x"),
        files={str(n): "" for n in range(300)},
    ),
]
MODULES = [
    Change(
        "a module of the path that is extended",
        "sys.path.insert(0, BESIDE)\nimport om\nprint(om.X)",
        write("om.py", "X = 2\n"),
        "BESIDE/om.py changed",
        {"om.py": "X = 1\n"},
    ),
    Change(
        "a module that hides another of the path that is extended",
        "sys.path[:0] = [f'{BESIDE}/one', f'{BESIDE}/two']\nimport om\nprint(om.X)",
        write("one/om.py", "X = 2\n"),
        "module BESIDE/one/om was added",
        {"two/om.py": "X = 1\n", "one/z": ""},
    ),
    Change(
        "a module that is not in the path that is extended",
        "import importlib.util\nsys.path.append(BESIDE)\nprint(importlib.util.find_spec('om'))",
        write("om.py", ""),
        "module BESIDE/om was added",
        {"z": ""},
    ),
    Change(
        "a module that is only looked for, and removed",
        "import importlib.util\nsys.path.append(BESIDE)\nprint(importlib.util.find_spec('om'))",
        lambda folder: (folder / "om.py").unlink(),
        "module BESIDE/om was removed",
        {"om.py": ""},
    ),
    Change(
        "a package that hides a module beside it",
        "sys.path.append(BESIDE)\nimport om\nprint(om.X)",
        write("om/__init__.py", "X = 2\n"),
        "module BESIDE/om changed",
        {"om.py": "X = 1\n"},
    ),
    Change(
        "a package that hides a module of another package",
        "sys.path.append(BESIDE)\nimport pk.om\nprint(pk.om.X)",
        write("pk/om/__init__.py", "X = 2\n"),
        "module BESIDE/pk/om changed",
        {"pk/__init__.py": "", "pk/om.py": "X = 1\n"},
    ),
    Change(
        "a package that hides a module of PYTHONPATH",
        "import om\nprint(om.X)",
        write("om/__init__.py", "X = 2\n"),
        "module BESIDE/om changed",
        {"om.py": "X = 1\n"},
        {"PYTHONPATH": "BESIDE"},
    ),
    Change(
        "a module in a folder that it makes",
        "import tempfile\nfolder = tempfile.mkdtemp()\nopen(f'{folder}/om.py', 'w').close()\n"
        "sys.path.append(folder)\nimport om",
        files=X,
    ),
    Change(
        "another module of the path that is extended",
        "sys.path.append(BESIDE)\nimport om",
        write("other.py", ""),
        "",
        {"om.py": ""},
    ),
    Change(
        "a module of PYTHONPATH",
        "import om\nprint(om.X)",
        write("om.py", "X = 2\n"),
        "BESIDE/om.py changed",
        {"om.py": "X = 1\n"},
        {"PYTHONPATH": "BESIDE"},
    ),
    Change(
        "a module that hides another",
        "import om\nprint(om.X)",
        write("one/om.py", "X = 2\n"),
        "module om was found in another folder",
        {"two/om.py": "X = 1\n", "one/z": ""},
        {"PYTHONPATH": "BESIDE/one:BESIDE/two"},
    ),
    Change(
        "a module that was not there",
        "try:\n    import om\nexcept ImportError:\n    print('none')",
        write("om.py", "X = 2\n"),
        "module om was added",
        {"z": ""},
        {"PYTHONPATH": "BESIDE"},
    ),
    Change(
        "importlib.util.find_spec",
        "import importlib.util\nprint(importlib.util.find_spec('om'))",
        write("om.py", "X = 2\n"),
        "module om was added",
        {"z": ""},
        {"PYTHONPATH": "BESIDE"},
    ),
    Change(
        "a module of a package that was not there",
        "import pk\ntry:\n    import pk.om\nexcept ImportError:\n    print('none')",
        write("pk/om.py", "X = 2\n"),
        "module BESIDE/pk/om was added",
        {"pk/__init__.py": ""},
        {"PYTHONPATH": "BESIDE"},
    ),
    Change(
        "importlib.import_module",
        "import importlib\nprint(importlib.import_module('pk.om').X)",
        write("pk/om.py", "X = 2\n"),
        "BESIDE/pk/om.py changed",
        {"pk/__init__.py": "", "pk/om.py": "X = 1\n"},
        {"PYTHONPATH": "BESIDE"},
    ),
    Change(
        "whether a package has a file",
        "import tool\nprint(os.path.exists(os.path.join(os.path.dirname(tool.__file__), 'data.txt')))",
        write("site-packages/tool/data.txt", ""),
        "package tool changed",
        {"site-packages/tool/__init__.py": ""},
        {"PYTHONPATH": "BESIDE/site-packages"},
    ),
    Change(
        "a version that a package asks for",
        "import tool",
        write("site-packages/other-1.dist-info/METADATA", "Name: other\nVersion: 2\n"),
        "BESIDE/site-packages/other-1.dist-info/METADATA changed",
        {
            "site-packages/tool/__init__.py": "import importlib.metadata\nX = importlib.metadata.version('other')\n",
            "site-packages/other-1.dist-info/METADATA": "Name: other\nVersion: 1\n",
        },
        {"PYTHONPATH": "BESIDE/site-packages"},
    ),
    Change(
        "a file that a package reads in C",
        "import tool\ntool.read(os.path.join(BESIDE, 'x.txt'))",
        write("x.txt", "2"),
        "BESIDE/x.txt changed",
        {"x.txt": "1", "site-packages/tool/__init__.py": "import os\nread = lambda path: os.path.expanduser(path)\n"},
        {"PYTHONPATH": "BESIDE/site-packages"},
    ),
    Change(
        "a file that a package writes in C",
        "import tool\ntool.write(os.path.join(BESIDE, 'y.txt'))",
        write("y.txt", "3"),
        "BESIDE/y.txt changed",
        {
            "x.txt": "1",
            "site-packages/tool/__init__.py": "import os, subprocess\ndef write(path):\n"
            "    os.path.exists(os.path.expanduser(path))\n    subprocess.run(['sh', '-c', 'echo 1 > \"$0\"', path])\n",
        },
        {"PYTHONPATH": "BESIDE/site-packages"},
    ),
    Change(
        "a plugin of an installed package, which lists its own folder",
        "import tool\nprint(tool.FOUND)",
        write("site-packages/tool/plug.py", ""),
        "the files in BESIDE/site-packages/tool changed",
        {
            "site-packages/tool/__init__.py": "import pkgutil\nFOUND = [m.name for m in pkgutil.iter_modules(__path__)]\n"
        },
        {"PYTHONPATH": "BESIDE/site-packages"},
    ),
    Change(
        "importlib.resources",
        "import importlib.resources, pk\nprint(importlib.resources.files(pk).joinpath('d.txt').read_text())",
        write("pk/d.txt", "2"),
        "BESIDE/pk/d.txt changed",
        {"pk/__init__.py": "", "pk/d.txt": "1"},
        {"PYTHONPATH": "BESIDE"},
    ),
    Change(
        "another module of PYTHONPATH",
        "import om\nprint(om.X)",
        write("other.py", ""),
        "",
        {"om.py": "X = 1\n"},
        {"PYTHONPATH": "BESIDE"},
    ),
    Change(
        "a touched module", "import om\nprint(om.X)", touch("om.py"), "", {"om.py": "X = 1\n"}, {"PYTHONPATH": "BESIDE"}
    ),
]


ITERATES = "import os\nFOUND = [k for k in os.environ if k.lower() == 'alpha']\n"


def variable(
    name: str,
    script: str,
    reason: str = "variable ALPHA changed",
    new: str | None = "2",
    old: str | None = "1",
    key: str = "ALPHA",
) -> Change:
    """Return a change of a variable."""
    return Change(
        name, script, reason=reason, variables={} if old is None else {key: old}, changed_variables={key: new}
    )


VARIABLES = [
    variable("os.environ", "print(os.environ['ALPHA'])"),
    variable("an alias", "e = os.environ\nprint(e.get('ALPHA'))"),
    variable("os.getenv", "from os import getenv as g\nprint(g('ALPHA'))"),
    variable("os.environb", "print(os.environb[b'ALPHA'])"),
    variable("whether it is set", "print('ALPHA' in os.environ)", new=None),
    variable("a variable that appears", "print(os.environ.get('ALPHA'))", old=None),
    variable("os.path.expandvars", "print(os.path.expandvars('$ALPHA'))"),
    variable("string.Template", "import string\nprint(string.Template('$ALPHA').substitute(os.environ))"),
    variable("del", "try:\n    del os.environ['ALPHA']\nexcept KeyError:\n    print('none')", old=None),
    variable("the proxies of urllib", "import urllib.request\nprint(urllib.request.getproxies())", ""),
    variable("setdefault", "print(os.environ.setdefault('ALPHA', '3'))"),
    variable("pop", "print(os.environ.pop('ALPHA', None))"),
    variable(
        "all of them",
        "print({k: v for k, v in os.environ.items() if k.startswith('ALP')})",
        "environment variables changed (it reads all of them)",
    ),
    variable("a copy", "print(os.environ.copy().get('ALPHA'))", "environment variables changed (it reads all of them)"),
    variable("dict", "print(dict(os.environ).get('ALPHA'))", "environment variables changed (it reads all of them)"),
    variable(
        "a worker",
        "import multiprocessing as m\nif __name__ == '__main__':\n    with m.get_context('spawn').Pool(1) as p: print(p.map(os.getenv, ['ALPHA']))",
    ),
    variable(
        "a Python child",
        "import subprocess\nsubprocess.run([sys.executable, '-c', 'import os; print(os.environ[\"ALPHA\"])'], check=True)",
    ),
    variable(
        "a program",
        "import subprocess\nsubprocess.run(['env'], check=True)",
        "environment variables changed (it reads all of them)",
    ),
    variable(
        "os.path.expanduser",
        "print(os.path.expanduser('~'))",
        "variable HOME changed",
        new="/nowhere",
        old="/elsewhere",
        key="HOME",
    ),
    variable(
        "tempfile.gettempdir",
        "import tempfile\nprint(tempfile.gettempdir())",
        "variable TMPDIR changed",
        new="/var/tmp",
        old="/tmp",
        key="TMPDIR",
    ),
    variable(
        "the time zone", "import time\nprint(time.tzname)", "variable TZ changed", new="Asia/Tokyo", old="UTC", key="TZ"
    ),
    variable("the seed of hashes", "print(hash('x'))", "variable PYTHONHASHSEED changed", key="PYTHONHASHSEED"),
    variable(
        "the locale",
        "import locale\nprint(locale.setlocale(locale.LC_ALL, ''))",
        "variable LC_ALL changed",
        new="C.UTF-8",
        old="C",
        key="LC_ALL",
    ),
    variable(
        "the size of the terminal by name",
        "print(os.environ.get('COLUMNS'))",
        "variable COLUMNS changed",
        key="COLUMNS",
    ),
    variable("how many there are", "print(len(os.environ))", "environment variables changed", new=None),
    variable(
        "one whose name begins like ours",
        "print(os.environ['AZML_MODE'])",
        "variable AZML_MODE changed",
        key="AZML_MODE",
    ),
    variable("the user's name", "import getpass\nprint(getpass.getuser())", "variable LOGNAME changed", key="LOGNAME"),
    Change(
        "settings that a library finds among all",
        "import pydantic_settings\nprint(pydantic_settings.FOUND)",
        reason="environment variables changed",
        files={"site-packages/pydantic_settings.py": ITERATES},
        variables={"PYTHONPATH": "BESIDE/site-packages"},
        changed_variables={"ALPHA": "2"},
    ),
    Change(
        "a variable of a library's own, which it finds among all",
        "import progress\nprint(progress.FOUND)",
        reason="variables PROGRESS_... changed",
        files={"site-packages/progress.py": ITERATES},
        variables={"PYTHONPATH": "BESIDE/site-packages"},
        changed_variables={"PROGRESS_COLOR": "2"},
    ),
    Change(
        "another library that goes through all",
        "import progress\nprint(progress.FOUND)",
        files={"site-packages/progress.py": ITERATES},
        variables={"PYTHONPATH": "BESIDE/site-packages"},
        changed_variables={"ALPHA": "2"},
    ),
    variable("one that it sets itself", "os.environ['ALPHA'] = '3'\nprint(os.environ['ALPHA'])", ""),
    variable("one that it does not read", "print(os.environ.get('BETA'))", ""),
    variable(
        "the size of the terminal for the help of a parser",
        "import argparse\nargparse.ArgumentParser().format_help()",
        "",
        key="COLUMNS",
    ),
]
SEARCHED = {"PATH": "BESIDE:/usr/bin:/bin"}
PROGRAMS = [
    Change(
        "variables of another session before a program",
        "import subprocess\nsubprocess.run(['true'], check=True)",
        variables={
            "INVOCATION_ID": "1",
            "WSL_INTEROP": "1",
            "KITTY_PID": "1",
            "SESSION_MANAGER": "1",
            "DIRENV_DIFF": "1",
        },
        changed_variables={
            "INVOCATION_ID": "2",
            "WSL_INTEROP": None,
            "KITTY_PID": "2",
            "SESSION_MANAGER": "2",
            "DIRENV_DIFF": "2",
        },
    ),
    reads(
        "an argument of a shell's command",
        "import subprocess\nsubprocess.run(['sh', '-c', 'cat ${1#--in=}', 'sh', f'--in={BESIDE}/x.txt'], check=True)",
    ),
    Change(
        "a program that is found earlier in PATH",
        "import subprocess\nprint(subprocess.check_output(['basename', 'a/b']))",
        program("basename"),
        "BESIDE/basename added",
        X,
        SEARCHED,
    ),
    Change(
        "a program of a shell's command that is found earlier in PATH",
        "os.system('true && basename a/b | cat')",
        program("basename"),
        "BESIDE/basename added",
        X,
        SEARCHED,
    ),
    Change(
        "a program by os.execvp",
        "os.execvp('basename', ['basename', 'a/b'])",
        program("basename"),
        "BESIDE/basename added",
        X,
        SEARCHED,
    ),
    Change(
        "another program in a folder of PATH",
        "import subprocess\nprint(subprocess.check_output(['basename', 'a/b']))",
        program("dirname"),
        "",
        X,
        SEARCHED,
    ),
    Change(
        "a program that is given the project's folder",
        "import subprocess\nsubprocess.run(['ls', os.environ['PROJECT']], check=True)",
        variables={"PROJECT": "BESIDE/../a pröject"},
    ),
]
RECORDED = [
    Change(
        "a metric of the step before",
        "run.log('m', args.config['v'])",
        reason="what step 'a' recorded changed",
        steps=CONFIGURED,
        step="b",
        scripts={"b": "print([r.get_metrics() for r in run.parent.get_children() if r.name == 'a'])"},
    ),
    Change(
        "a tag of the step before",
        "run.tag('t', args.config['v'])",
        reason="what step 'a' recorded changed",
        steps=CONFIGURED,
        step="b",
        scripts={"b": "print([r.get_tags() for r in run.parent.get_children() if r.name == 'a'])"},
    ),
    Change(
        "a child of the step before",
        "run.child_run(name='c').log('m', args.config['v'])",
        reason="what step 'a' recorded changed",
        steps=CONFIGURED,
        step="b",
        scripts={"b": "print(run.parent.get_metrics(recursive=True))"},
    ),
    Change(
        "children that there were none of",
        "if args.config['v'] == 2: run.child_run(name='c')",
        reason="what step 'a' recorded changed",
        steps=CONFIGURED,
        step="b",
        scripts={"b": "print(len(list(run.parent.get_children(recursive=True))))"},
    ),
    Change(
        "a metric on the parent",
        "run.parent.log('m', args.config['v'])",
        reason="what earlier steps recorded on the pipeline run changed",
        steps=CONFIGURED,
        step="b",
        scripts={"b": "print(run.parent.get_metrics())"},
    ),
    Change(
        "a tag on the parent",
        "run.parent.tag('t', str(args.config['v']))",
        reason="what earlier steps recorded on the pipeline run changed",
        steps=CONFIGURED,
        step="b",
        scripts={"b": "print(run.parent.get_tags())"},
    ),
    Change(
        "a file of the step before",
        "open('f', 'w').write(str(args.config['v']))\nrun.upload_file('f', 'f')",
        reason="what step 'a' recorded changed",
        steps=CONFIGURED,
        step="b",
        scripts={
            "b": "r = next(r for r in run.parent.get_children() if r.name == 'a')\nr.download_file('f', 'got')\nprint(open('got').read())"
        },
    ),
    Change(
        "the latest model",
        "open('f', 'w').write(str(args.config['v']))\nrun.upload_file('f', 'f')\nrun.register_model('m', 'f')",
        reason="the registered models changed",
        steps=CONFIGURED,
        step="b",
        scripts={
            "b": "from azureml.core import Model\nprint(open(Model(run.experiment.workspace, 'm').download()).read())"
        },
    ),
    Change(
        "a metric that it does not read",
        "run.log('m', args.config['v'])",
        steps=CONFIGURED,
        step="b",
        scripts={"b": "print(run.id)"},
    ),
    Change(
        "a metric of a step that it does not follow",
        "run.log('m', args.config['v'])",
        steps="steps:\n  a: {script_name: a.py, step_config: {v: 1}, output_folders: []}\n  b: {script_name: b.py, input_folders: {}}\n",
        step="b",
        scripts={"b": "print([r.get_metrics() for r in run.parent.get_children() if r.name == 'b'])"},
    ),
]


def _database(folder: Path, value: int) -> None:
    import sqlite3

    connection = sqlite3.connect(folder / "d")
    connection.execute("drop table if exists t")
    connection.execute("create table t (x)")
    connection.execute("insert into t values (?)", (value,))
    connection.commit()
    connection.close()


def _shelf(folder: Path, value: int) -> None:
    import shelve

    with shelve.open(str(folder / "s")) as shelf:
        shelf["x"] = value


def _zip(folder: Path, name: str, text: str) -> None:
    import zipfile

    with zipfile.ZipFile(folder / "z.zip", "w") as archive:
        archive.writestr(name, text)


PREPARE: dict[str, Act] = {
    "sqlite3": lambda folder: _database(folder, 1),
    "shelve": lambda folder: _shelf(folder, 1),
    "a zip file": lambda folder: _zip(folder, "x", "1"),
    "zipimport": lambda folder: _zip(folder, "zipped.py", "X = 1"),
}


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    folder = tmp_path / "beside"
    folder.mkdir()
    return folder


def check(change: Change, project: Project, beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the project, run it unchanged, make the change, and run it again."""
    for name, text in change.files.items():
        if name.startswith("->"):
            (beside / name[2:]).symlink_to(beside / text)
        else:
            write(name, text)(beside)
    PREPARE.get(change.name, lambda folder: None)(beside)
    for variables in (change.variables,):
        for name, value in variables.items():
            monkeypatch.setenv(name, value.replace("BESIDE", str(beside)))
    start = f"{BEGINNING}import os, sys\nBESIDE = os.path.join({str(beside.parent)!r}, 'beside')\n"
    scripts = {"a": change.script, **change.scripts}
    project.pipeline(
        change.steps, **{key: start + text.replace("'BESIDE/", f"'{beside}/") for key, text in scripts.items()}
    )
    first = project.run()
    assert first.status == "completed", [project.log(first, key) for key in scripts]
    again = project.run()
    assert {reason for reason in project.reasons(again).values() if not reason.startswith("reused from")} == set()

    change.change(beside)
    for name, value in change.changed_variables.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    if "v: 1" in change.steps:
        project.pipeline(change.steps.replace("v: 1", "v: 2"))
    run = project.run()

    reason = change.reason.replace("BESIDE", str(beside))
    if reason:
        assert run[change.step].reason.startswith(reason)
        assert project.statuses(project.run()) == dict.fromkeys(scripts, "reused")
    else:
        assert run[change.step].status == "reused"


EVERY = [*FILES, *FOLDERS, *MODULES, *VARIABLES, *PROGRAMS, *RECORDED]
SOME = [
    change
    for change in EVERY
    if change.name
    in (
        "open",
        "a Python child",
        "os.listdir",
        "a module of PYTHONPATH",
        "os.environ",
        "os.fork",
        "pathlib",
        "Path.is_file",
        "a metric on the parent",
    )
]


@pytest.mark.thorough
@pytest.mark.parametrize("place", ["", "/.azml", "/"])
def test_a_script_that_names_the_folder_of_its_project_is_reused(project, place):
    project.pipeline("steps: {a: {script_name: a.py}}\n", a=f"PROJECT = {str(project.folder) + place!r}\n")
    project.run()

    assert project.run()["a"].status == "reused"


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no such folder")
def test_a_file_in_shared_memory_is_one_like_any_other(project):
    with tempfile.NamedTemporaryFile("w", dir="/dev/shm") as file:
        project.pipeline(
            "steps: {a: {script_name: a.py}}\n", a=f"print(open('/dev/shm/' + {Path(file.name).name!r}).read())"
        )
        project.run()
        assert project.run()["a"].status == "reused"
        file.write("2")
        file.flush()

        assert project.run()["a"].reason == f"{file.name} changed"


@pytest.mark.parametrize("change", SOME, ids=lambda change: change.name)
def test_a_change_of_what_a_step_read(change, project, beside, monkeypatch):
    check(change, project, beside, monkeypatch)


@pytest.mark.sampled(2)
@pytest.mark.thorough
@pytest.mark.parametrize("change", [change for change in EVERY if change not in SOME], ids=lambda change: change.name)
def test_any_change_of_what_a_step_read(change, project, beside, monkeypatch):
    check(change, project, beside, monkeypatch)


@pytest.mark.sampled(4)
@pytest.mark.thorough
@pytest.mark.parametrize("change", EVERY, ids=lambda change: change.name)
def test_any_change_of_what_a_step_read_in_a_new_interpreter(change, project, beside, monkeypatch):
    monkeypatch.setenv("AZML_LOCAL_PROCESS", "spawn")
    check(change, project, beside, monkeypatch)


def test_what_a_failed_step_read_is_not_kept(project):
    project.pipeline("steps: {a: {script_name: a.py}}\n", a="open('a.py').read()\nraise SystemExit(3)\n")

    run = project.run()

    assert run["a"].status == "failed"
    assert list(run["a"].places.root.glob("reads*")) == []

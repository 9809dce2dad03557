"""Scripts that take what they are passed, or whose arguments cannot be told from their source: nothing is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from azml_tasks.checks.files import check_project
from azml_tasks.reading import load_project

PIPELINE = """\
backend: local
steps:
  s:
    script_name: s.py
    step_config: {lr: 1}
    arguments: {--name: value, --count: 3}
    output_folders: []
"""
PARSER = "import argparse\np = argparse.ArgumentParser()\n"
BUILD = """\
import argparse
def build():
    p = argparse.ArgumentParser()
    p.add_argument("--config"); p.add_argument("--name"); p.add_argument("--count", type=int)
    return p
"""
WRONG = 'p.add_argument("--other", required=True)\n'


def findings(folder: Path, script: str, files: dict[str, str]) -> list[str]:
    for name, text in {"s.py": script, "pipeline.yaml": PIPELINE, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    report = check_project(load_project(folder / "pipeline.yaml", variables={}))
    # These scripts do nothing with what they are passed.
    return [text for text in map(str, (*report.problems, *report.notes)) if "declares and never uses" not in text]


TAKES_ALL = {
    "a function": BUILD + "build().parse_args()\n",
    "another module": "from lib.args import build\nbuild().parse_args()\n",
    "a module by its name": "import lib.args as a\nargs = vars(a.build().parse_args())\n",
    "a relative import": "from lib import build\nbuild().parse_args()\n",
    "a loop": PARSER + 'for n in ["config", "name", "count"]:\n    p.add_argument("--" + n)\np.parse_args()\n',
    "a loop over pairs": PARSER
    + 'for n, t in {"config": str, "name": str, "count": int}.items():\n    p.add_argument(f"--{n}", type=t)\n'
    + "p.parse_args()\n",
    "a loop over names that only a run knows": PARSER
    + 'import os\nfor n in os.environ["NAMES"].split():\n    p.add_argument(n)\np.parse_args()\n',
    "names that are not literal": PARSER + "from settings import NAMES\np.add_argument(*NAMES)\np.parse_args()\n",
    "options that are not literal": PARSER
    + "import json\nOPTIONS = json.load(open('o'))\nfor n in ('--config', '--name', '--count'):\n"
    + "    p.add_argument(n, **OPTIONS)\np.parse_args()\n",
    "parents": BUILD + "argparse.ArgumentParser(parents=[build()], add_help=False).parse_args()\n",
    "choices that come later": PARSER
    + "CHOICES = ['a']\np.add_argument('--name', choices=CHOICES)\nCHOICES.append('value')\n"
    + "p.add_argument('--config')\np.add_argument('--count')\np.parse_args()\n",
    "parents from elsewhere": "import argparse\nfrom other import base\n"
    "argparse.ArgumentParser(parents=[base]).parse_args()\n",
    "groups": PARSER
    + 'g = p.add_argument_group("g")\ng.add_argument("--config")\nm = g.add_mutually_exclusive_group()\n'
    + 'm.add_argument("--name")\nq = p.add_argument_group("h").add_argument\n'
    + 'q("--count")\np.parse_args()\n',
    "unknown arguments left alone": PARSER + "args, rest = p.parse_known_args()\n",
    "a list of its own": PARSER + WRONG + 'p.parse_args(["--other", "1"])\n',
    "an empty list": PARSER + "p.parse_args([])\n",
    "a list from elsewhere": PARSER + WRONG + "import shlex, os\np.parse_args(shlex.split(os.environ['ARGS']))\n",
    "a default of the function": PARSER + WRONG + "def main(argv=()):\n    return p.parse_args(argv)\nmain()\n",
    "subcommands": PARSER + 's = p.add_subparsers()\ns.add_parser("a").add_argument("--config")\np.parse_args()\n',
    "sys.argv edited": "import sys\nsys.argv = sys.argv[:1]\n" + PARSER + "p.parse_args()\n",
    "sys.argv edited in place": "import sys\ndel sys.argv[1:]\n" + PARSER + "p.parse_args()\n",
    "sys.argv edited by a function": "import sys\nfrom tools import clean\nclean(sys.argv)\n"
    + PARSER
    + "p.parse_args()\n",
    "argv by another name": "from sys import argv\nargv[1:] = []\n" + PARSER + "p.parse_args()\n",
    "sys.argv set by its name": "import sys\nsetattr(sys, 'argv', sys.argv[:1])\n" + PARSER + "p.parse_args()\n",
    "sys.argv patched": "import sys\nfrom unittest.mock import patch\n"
    + PARSER
    + "with patch.object(sys, 'argv', ['s.py']):\n    p.parse_args()\n",
    "sys.argv patched by its full name": "from unittest.mock import patch\n"
    + PARSER
    + "with patch('sys.argv', ['s.py']):\n    p.parse_args()\n",
    "sys.argv by its name": "import sys\nargv = getattr(sys, 'argv')\nargv[1:] = []\n" + PARSER + "p.parse_args()\n",
    "functions that a decorator collects": PARSER
    + "ADD = []\ndef adds(f):\n    ADD.append(f)\n    return f\n"
    + "@adds\ndef one(q):\n    q.add_argument('--config')\nfor add in ADD:\n    add(p)\np.parse_args()\n",
    "arguments added by exec": PARSER + "exec(open('more.py').read())\np.parse_args()\n",
    "arguments added through globals()": PARSER + "globals()['p'].add_argument('--config')\np.parse_args()\n",
    "other prefixes": "import argparse\np = argparse.ArgumentParser(prefix_chars='+')\np.parse_args()\n",
    "arguments from files": "import argparse\np = argparse.ArgumentParser(fromfile_prefix_chars='@')\np.parse_args()\n",
    "options of the parser from elsewhere": "import argparse, o\np = argparse.ArgumentParser(**o.OPTIONS)\n"
    "p.parse_args()\n",
    "set_defaults": BUILD + "p = build()\np.set_defaults(name='x')\np.parse_args()\n",
    "an action that sets another attribute": BUILD
    + "class Load(argparse.Action):\n    def __call__(self, parser, namespace, values, option=None):\n"
    + "        setattr(namespace, 'loaded', values)\n"
    + "p = build()\np.add_argument('--more', action=Load)\nprint(p.parse_args().loaded)\n",
    "a condition": PARSER + "import os\nif os.environ.get('X'):\n    p.parse_args()\n",
    "a conditional expression": PARSER + "import os\na = p.parse_args() if os.environ.get('X') else None\n",
    "a conditional argument": BUILD
    + "import os\np = build()\nif os.name == os.sep:\n    p.add_argument('--more')\np.parse_args()\n",
    "an argument in either branch": PARSER
    + "import os\nif os.environ.get('X'):\n    p.add_argument('--config', type=int)\n"
    + "else:\n    p.add_argument('--config', required=True)\np.add_argument('--name')\np.add_argument('--count')\n"
    + "p.parse_args()\n",
    "a parser in either branch": "import argparse, os\nif os.environ.get('X'):\n    p = argparse.ArgumentParser()\n"
    "else:\n    p = argparse.ArgumentParser('other')\np.parse_args()\n",
    "an end before": PARSER + "import os, sys\nif os.environ.get('X'):\n    sys.exit()\np.parse_args()\n",
    "a return before": PARSER
    + "import os\ndef main():\n    if os.environ.get('X'):\n        return\n    p.parse_args()\nmain()\n",
    "a certain end before": PARSER + "raise SystemExit(0)\np.parse_args()\n",
    "a caught exit": PARSER + "try:\n    p.parse_args()\nexcept SystemExit:\n    pass\n",
    "any error caught": PARSER + "try:\n    p.parse_args()\nexcept:\n    pass\n",
    "a suppressed exit": PARSER + "import contextlib\nwith contextlib.suppress(SystemExit):\n    p.parse_args()\n",
    "an error before, which is caught": PARSER
    + "import work\ntry:\n    work.start()\n    p.parse_args()\nexcept Exception:\n    print('no')\n",
    "a return in finally": PARSER
    + "def main():\n    try:\n        p.parse_args()\n    finally:\n        return 1\nmain()\n",
    "errors that do not end it": "import argparse\np = argparse.ArgumentParser(exit_on_error=False)\np.parse_args()\n",
    "a replaced error": PARSER + "p.error = print\np.parse_args()\n",
    "a subclass": "import argparse\nclass P(argparse.ArgumentParser):\n    def error(self, m): pass\n"
    "P().parse_args()\n",
    "a class that adds": PARSER
    + "class A:\n    def add(self):\n        p.add_argument('--config')\nA().add()\np.parse_args()\n",
    "a decorated function that adds": PARSER
    + "import functools\n@functools.cache\ndef add():\n    p.add_argument('--config')\nadd()\np.parse_args()\n",
    "a lambda that adds": PARSER + "f = lambda: p.add_argument('--config')\nf()\np.parse_args()\n",
    "a comprehension that adds": PARSER + "import names\n[p.add_argument(n) for n in names.ALL]\np.parse_args()\n",
    "a library that adds": PARSER + "import lightning\np = lightning.add_args(p)\np.parse_args()\n",
    "a library that calls": PARSER + "import lightning\ndef add(q):\n    p.add_argument('--config')\n"
    "lightning.each(add)\np.parse_args()\n",
    "an alias of the method": PARSER + "add = p.add_argument\nadd('--config')\np.parse_args()\n",
    "a parser in a list": PARSER
    + "all_of_them = []\nall_of_them.append(p)\nimport w\nw.fill(all_of_them)\np.parse_args()\n",
    "an action that is changed": BUILD
    + "p = build()\na = p.add_argument('--more', required=True)\na.required = False\n"
    "p.parse_args()\n",
    "an action of its own": BUILD
    + "p = build()\nfrom a import A\np.add_argument('--flag', action=A)\np.parse_args()\n",
    "everything that follows": PARSER + "p.add_argument('rest', nargs=argparse.REMAINDER)\np.parse_args()\n",
    "two parsers, the second for the rest": PARSER
    + "args, rest = p.parse_known_args()\nq = argparse.ArgumentParser()\nq.add_argument('--config')\n"
    "q.parse_args(rest)\n",
    "a module of that name in the project": "import shadow\nfrom shadow import argparse\n"
    + "argparse.ArgumentParser().parse_args()\n",
    "the name of an import that may fail": "try:\n    from other import argparse\nexcept ImportError:\n"
    "    import argparse\n"
    "p = argparse.ArgumentParser()\np.parse_args()\n",
    "not the main module": "import library\n",
    "intermixed": PARSER + "p.parse_intermixed_args()\n",
    "never called": PARSER + "def main():\n    p.parse_args()\n",
    "asynchronous": PARSER + "import asyncio\nasync def main():\n    p.parse_args()\nasyncio.run(main())\n",
    "a generator": PARSER + "def main():\n    yield p.parse_args()\nmain()\n",
    "click": "import click\n@click.command()\n@click.option('--other', required=True)\ndef main(other): pass\nmain()\n",
    "typer": "import typer\ndef main(other: str): pass\ntyper.run(main)\n",
    "fire": "import fire\ndef main(other): pass\nfire.Fire(main)\n",
    "hydra": "import hydra\n@hydra.main(config_path='c')\ndef main(cfg): pass\nmain()\n",
    "absl": "from absl import app, flags\nflags.DEFINE_string('x', None, '')\ndef main(a): pass\napp.run(main)\n",
    "jsonargparse": "from jsonargparse import ArgumentParser\np = ArgumentParser()\np.parse_args()\n",
    "configargparse": "import configargparse as argparse\np = argparse.ArgumentParser()\np.parse_args()\n",
    "transformers": "from transformers import HfArgumentParser\nHfArgumentParser(()).parse_args_into_dataclasses()\n",
    "tap": "from tap import Tap\nclass A(Tap):\n    other: str\nA().parse_args()\n",
    "simple-parsing": "from simple_parsing import ArgumentParser\np = ArgumentParser()\np.parse_args()\n",
    "no parser": "import sys\nprint(sys.argv)\n",
    "a parser that argparse does not take": PARSER + "p.add_argument('--a')\np.add_argument('--a')\np.parse_args()\n",
    "endless": PARSER
    + "def f():\n    return f()\nf()\np.add_argument('--config', nargs='*', type=f)\np.parse_known_args()\n",
}
FILES = {
    "lib/__init__.py": "from .args import build\n",
    "lib/args.py": BUILD,
    "shadow/__init__.py": "",
    "shadow/argparse.py": "class ArgumentParser:\n    def parse_args(self): pass\n",
    "library.py": "import argparse\np = argparse.ArgumentParser()\nif __name__ == '__main__':\n    p.parse_args()\n",
}


@pytest.mark.parametrize("script", TAKES_ALL.values(), ids=TAKES_ALL)
def test_no_remark_on(tmp_path, script):
    assert findings(tmp_path, script, FILES) == []


def test_a_parser_takes_the_help_of_its_parent(tmp_path):
    pipeline = "backend: local\nsteps:\n  s: {script_name: s.py, arguments: [--help]}\n"
    script = (
        "import argparse\nb = argparse.ArgumentParser()\n"
        "argparse.ArgumentParser(parents=[b], add_help=False).parse_args()\n"
    )

    assert findings(tmp_path, script, {"pipeline.yaml": pipeline}) == []

"""Runs whose steps end in every way, and what is shown of them."""

from __future__ import annotations

from collections.abc import Iterator

from tests.outputs.command import Command, invoke

_THREE = """\
backend: local
steps:
  first: {script_name: first.py}
  second: {script_name: second.py}
  third: {script_name: third.py}
"""
_COPY = """\
import argparse, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--input-folder", type=pathlib.Path)
parser.add_argument("--output-folder", type=pathlib.Path)
args = parser.parse_args()
text = (args.input_folder / "way.txt").read_text() if args.input_folder else ""
if args.output_folder:
    args.output_folder.mkdir(parents=True, exist_ok=True)
    (args.output_folder / "way.txt").write_text(text + pathlib.Path(__file__).stem + " ")
print("read", text)
"""
_RUN = "from azureml.core import Run\nrun = Run.get_context()\n"
SCRIPTS = {
    "raises": "def inner():\n    raise ValueError('no such column: age')\n\n\nprint('started')\ninner()\n",
    "exits with a number": "import sys\nprint('bye', file=sys.stderr)\nsys.exit(3)\n",
    "exits with a sentence": "import sys\nsys.exit('no rows are left')\n",
    "exits well": "import sys\nsys.exit(0)\n",
    "is killed": "import os, signal\nprint('soon', flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n",
    "lacks a package": "import no_such_package\n",
    "lacks a module of the project": "import cleaning\n",
    "has a syntax error": "def broken(:\n    pass\n",
    "asks for an unknown argument": (
        "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--age', required=True)\n"
        "parser.parse_args()\n"
    ),
    "reads what is not there": "open('nothing/here.csv')\n",
    "fails by its run": f"{_RUN}run.fail('no data today')\n",
    "completes by its run": f"{_RUN}run.complete()\n",
    "cancels its run": f"{_RUN}run.cancel()\nimport time\ntime.sleep(5)\n",
    "logs and tags": (
        f"{_RUN}run.log('rows', 3)\nrun.log('score', 0.5)\nrun.log_list('ages', [1, 2, 3])\n"
        "run.log_row('row', x=1, y=2)\n"
        "run.log_table('table', {'a': [1, 2], 'b': [3, 4]})\nrun.tag('stage', 'done')\nrun.parent.log('all', 1)\n"
        "import os\nos.makedirs('outputs', exist_ok=True)\nopen('outputs/model.txt', 'w').write('m')\n"
    ),
    "asks for what the stand-in lacks": f"{_RUN}run.experiment.workspace.webservices\n",
    "misspells what the SDK has": f"{_RUN}run.get_metric()\n",
    "asks for an unknown dataset": (
        "from azureml.core import Dataset, Run\n"
        "Dataset.get_by_name(Run.get_context().experiment.workspace, 'customer')\n"
    ),
    "prints without end of line": "print('ää\\u2028 \\x1b[31mred\\x1b[0m', end='')\n",
    "prints nothing": "",
}
_DATA = """\
backend: local
pipeline_parameters: {alpha: 0.5}
steps:
  train:
    script_name: train.py
    input_datasets: {--customers: customers}
    arguments: {--alpha: "${{ parameters.alpha }}", --mode: fast}
    environment_variables: {MODE: fast}
    PLACE
datasets:
  customers: {datastore_name: churn_blob, path: customers.csv, local_path: data/customers.csv}
"""
_READS = """\
import argparse
from azureml.core import Run
parser = argparse.ArgumentParser()
parser.add_argument("--customers")
parser.add_argument("--alpha", type=float)
parser.add_argument("--mode")
parser.add_argument("--output-folder")
args = parser.parse_args()
print(args.alpha, args.mode)
print(Run.get_context().input_datasets["customers"].to_pandas_dataframe())
"""


def commands() -> Iterator[Command]:
    yield from _in_the_middle()
    yield invoke("validate", files={"lib/cleaning.py": ""})
    pipeline = "backend: local\nsteps: {train: {script_name: train.py}}\n"
    for what, script in SCRIPTS.items():
        yield invoke(
            "run --force", files={"pipeline.yaml": pipeline, "train.py": script}, about=f"a script that {what}"
        )
        yield invoke("runs.logs --step train")
    yield invoke("runs.show", files={"train.py": SCRIPTS["logs and tags"]})
    yield invoke("run --force")
    yield invoke("runs.show")
    yield from _with_data()
    yield from _with_damage()


def _in_the_middle() -> Iterator[Command]:
    scripts = {f"{name}.py": _COPY for name in ("first", "third")}
    yield invoke("run", files={"pipeline.yaml": _THREE, **scripts, "second.py": SCRIPTS["raises"]})
    yield invoke("runs.show")
    yield invoke("runs.logs")
    yield invoke("--dry run")
    yield invoke("run --only third")
    yield invoke("run", files={"second.py": _COPY})
    yield invoke("run --only third")
    yield invoke("runs.logs --step third")
    yield invoke("run", files={"third.py": None})
    yield invoke("--dry run")
    yield invoke("run", files={"third.py": _COPY.replace('print("read', 'print("has read')})
    yield invoke("--dry run --from-step second", files={"first.py": _COPY + "# changed\n"})


def _with_data() -> Iterator[Command]:
    files = {
        "pipeline.yaml": _DATA.replace("PLACE", ""),
        "train.py": _READS,
        "data/customers.csv": "id,age\n1,30\n2,40\n",
    }
    yield invoke("run", files=files)
    yield invoke("run")
    yield invoke("runs.logs --step train")
    yield invoke("run --set alpha=0.75")
    yield invoke("run --set alpha=much")
    yield invoke("run --set alhpa=1")
    yield invoke("--dry run", files={"data/customers.csv": "id,age\n1,31\n"})
    yield invoke("run")
    yield invoke("run", files={"data/customers.csv": None})
    yield invoke("run", files={"data/customers.csv": "id,age\n1,31,5,6\n"})
    limited = _DATA.replace("PLACE", "max_run_duration_seconds: 1")
    slow = "import time\nprint('begun', flush=True)\ntime.sleep(60)\n"
    yield invoke("run", files={"pipeline.yaml": limited, "data/customers.csv": "id,age\n1,31\n", "train.py": slow})
    yield invoke("runs.show")
    writes = "import argparse\nopen('PROJECT', 'a')\n".replace("PROJECT", "../../../../../data/customers.csv")
    yield invoke("run", files={"train.py": writes})


def _with_damage() -> Iterator[Command]:
    """Yield commands over records that are damaged."""
    yield invoke("runs.list", files={".azml/runs/20200101-000000-abcd/run.json": "{"})
    yield invoke("runs.show --run 20200101-000000-abcd")
    yield invoke("runs.prune --keep 1")
    yield invoke("run", files={".azml/reuse.jsonl": "not a log\n", "train.py": "print(1)\n"})
    yield invoke("run", files={".azml": None})
    yield invoke("run", files={".azml": None, "train.py": "print(2)\n"})

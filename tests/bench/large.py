"""Files of many steps: `invoke validate` against a bare parse by PyYAML's C loader, and of their scripts by `ast`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.pairs import Command, Timer
from tests.bench.projects import WITH_RUN

PARSE = "import yaml; yaml.load(open('pipeline.yaml'), yaml.CSafeLoader)"
# Written out as people write a step that has much to say.
STEP = """\
  {name}:
    script_name: {name}.py
    script_directory: steps
    step_name: Step {number} of the large pipeline
    step_config:
      lr: 2.0e-5
      epochs: 10
      batch_size: 16
      layers: [64, 32, 16]
      optimizer:
        name: adam
        beta_1: 0.9
        beta_2: 0.999
    input_folders:
      --input-folder: {before}
    arguments:
      --alpha: 0.5
      --mode: fast
      --seed: {number}
    environment_variables:
      OMP_NUM_THREADS: "1"
      LOG_LEVEL: info
    allow_reuse: true
    max_run_duration_seconds: 3600
"""

# A short script that takes it.
_PARSE = "args = parser.parse_args()"
_SHORT = WITH_RUN.replace(
    _PARSE, "".join(f"parser.add_argument('--{name}')\n" for name in ("config", "alpha", "mode", "seed")) + _PARSE
)
PARSE_SCRIPTS = "import ast, glob; [ast.parse(open(name).read()) for name in glob.glob('steps/*.py')]"
# A script of 300 lines, in the manner of real ones: functions on frames, then a parser.
_FUNCTION = """

def stage_{place}(frame: pd.DataFrame, *, low=float({place}), high: float = {number}.5, names=("a", "b")):
    \"\"\"Return the rows of a stage, cleaned and scaled.\"\"\"
    found = frame.copy()
    for name in names:
        if name not in found.columns:
            logger.warning("column %s is missing in stage {place}", name)
            continue
        column = found[name].astype(float)
        found[name] = np.where((column > low) & (column < high), column, np.nan)
        found[f"{{name}}_scaled"] = (column - column.mean()) / (column.std() or 1.0)
    try:
        found = found.dropna(subset=[name for name in names if name in found])
    except KeyError as error:
        raise ValueError(f"stage {place}: {{error}}") from error
    groups = {{key: len(part) for key, part in found.groupby("id")}} if "id" in found else {{}}
    run.log("rows_{place}", len(found))
    run.log("groups_{place}", sum(groups.values()))
    return found.sort_values(by=list(names)[:1]).reset_index(drop=True)
"""
_HEAD = """\
import argparse
import json
import logging
import os

import numpy as np
import pandas as pd
from azureml.core import Run
from sklearn.linear_model import LogisticRegression

logger = logging.getLogger("step {number}")
run = Run.get_context()
"""
_MAIN = """

def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=json.loads)
    parser.add_argument("--input-folder")
    parser.add_argument("--output-folder")
    parser.add_argument("--alpha", type=float, default=0.1)
    parser.add_argument("--mode", choices=["fast", "slow"])
    parser.add_argument("--seed", type=int)
    args = parser.parse_args()
    np.random.seed(args.seed)
    frame = pd.read_csv(os.path.join(args.input_folder or "data", "rows.csv"))
    for stage in ({stages}):
        frame = stage(frame, high=args.alpha * args.config["epochs"])
    model = LogisticRegression(C=args.config["lr"], solver=args.config["optimizer"]["name"])
    model.fit(frame[["a"]], frame["b"])
    print(args.mode, args.config["batch_size"], args.config["layers"])
    if args.output_folder:
        os.makedirs(args.output_folder, exist_ok=True)
        frame.to_csv(os.path.join(args.output_folder, "rows.csv"), index=False)


if __name__ == "__main__":
    main()
"""


def script_of_300_lines(number: int) -> str:
    """Return a script that takes what STEP passes."""
    functions = "".join(_FUNCTION.format(place=place, number=number) for place in range(12))
    stages = ", ".join(f"stage_{place}" for place in range(12))
    return _HEAD.format(number=number) + functions + _MAIN.format(stages=stages)


def figures(timer: Timer) -> Iterator[object]:
    """Compare at 1,000 steps, then 3,000 steps with 1,000 to see how the cost grows."""
    with tempfile.TemporaryDirectory() as folder:
        thousand, more = _project(Path(folder, "1000"), 1000), _project(Path(folder, "3000"), 3000)
        ours = Command("1,000 steps", (sys.executable, "-m", "invoke", "validate"), thousand)
        parse = Command("PyYAML's C loader", (sys.executable, "-c", PARSE), thousand)
        yield timer.compare("invoke validate, 1,000 steps", ours, parse, goal=3.0)
        larger = Command("3,000 steps", (sys.executable, "-m", "invoke", "validate"), more)
        yield timer.compare("invoke validate, 3,000 steps", larger, ours, goal=3.0, runs=3)
        scripts = _project(Path(folder, "scripts"), 200, script_of_300_lines)
        validate = (sys.executable, "-m", "invoke", "validate")
        trees = Command("ast.parse of them", (sys.executable, "-c", PARSE_SCRIPTS), scripts)
        first = Command("200 scripts of 300 lines", validate, scripts, before=_forget)
        yield timer.compare("validate, 200 steps of 300 lines, CPU", first, trees, cpu=True)
        again = Command("the same, unchanged", validate, scripts)
        yield timer.compare("validate, 200 steps of 300 lines, again, CPU", again, trees, cpu=True)


def _forget(project: Path) -> None:
    (project / ".azml" / "checks.json").unlink(missing_ok=True)


def _project(folder: Path, steps: int, script: Callable[[int], str] = lambda number: _SHORT) -> Path:
    """Write a project of steps in a line, each with a script of its own."""
    (folder / "steps").mkdir(parents=True)
    (folder / "tasks.py").write_text("from azml_tasks.tasks import namespace\n")
    lines = ["backend: local\nsteps:\n"]
    for number in range(steps):
        name = f"s{number:04}"
        (folder / "steps" / f"{name}.py").write_text(script(number))
        step = STEP.format(name=name, number=number, before=f"s{number - 1:04}")
        lines.append(step.replace("\n      --input-folder: s-001", " {}"))
    (folder / "pipeline.yaml").write_text("".join(lines))
    return folder

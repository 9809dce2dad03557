"""A file of 1,000 steps: `invoke validate` against a bare parse by PyYAML's C loader, whole processes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
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


def figures(timer: Timer) -> Iterator[object]:
    """Compare at 1,000 steps, then 3,000 steps with 1,000 to see how the cost grows."""
    with tempfile.TemporaryDirectory() as folder:
        thousand, more = _project(Path(folder, "1000"), 1000), _project(Path(folder, "3000"), 3000)
        ours = Command("1,000 steps", (sys.executable, "-m", "invoke", "validate"), thousand)
        parse = Command("PyYAML's C loader", (sys.executable, "-c", PARSE), thousand)
        yield timer.compare("invoke validate, 1,000 steps", ours, parse, goal=3.0)
        larger = Command("3,000 steps", (sys.executable, "-m", "invoke", "validate"), more)
        yield timer.compare("invoke validate, 3,000 steps", larger, ours, goal=3.0, runs=3)


def _project(folder: Path, steps: int) -> Path:
    """Write a project of steps in a line, each with a script of its own."""
    (folder / "steps").mkdir(parents=True)
    (folder / "tasks.py").write_text("from azml_tasks.tasks import namespace\n")
    lines = ["backend: local\nsteps:\n"]
    for number in range(steps):
        name = f"s{number:04}"
        (folder / "steps" / f"{name}.py").write_text(WITH_RUN)
        step = STEP.format(name=name, number=number, before=f"s{number - 1:04}")
        lines.append(step.replace("\n      --input-folder: s-001", " {}"))
    (folder / "pipeline.yaml").write_text("".join(lines))
    return folder

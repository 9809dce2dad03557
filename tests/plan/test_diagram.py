from __future__ import annotations

import pytest

from azml_tasks.model import Pipeline
from azml_tasks.plan import Plan, build_plan
from azml_tasks.plan.diagram import as_mermaid, as_text


def planned(steps: dict[str, dict]) -> Plan:
    return build_plan(
        Pipeline.model_validate({"steps": {key: {"script_name": "x.py", **step} for key, step in steps.items()}})
    )


FAN = {
    "prepare": {
        "step_name": 'Prepare "it"',
        "output_folders": ["--train-folder", "--test-folder", "--kept"],
        "input_datasets": {"--new-data": "customers", "prices": "all_prices"},
    },
    "small": {"input_folders": {"--in": "prepare/--train-folder"}},
    "large": {
        "input_folders": {},
        "input_datasets": {"features": {"step": "prepare", "output": "--train-folder"}, "--again": "customers"},
    },
    "choose": {
        "input_folders": {"--small": "small", "--large": "large", "--test": "prepare/--test-folder"},
        "run_after": ["prepare", "small"],
    },
    "clean": {"input_folders": {}, "output_folders": [], "run_after": ["choose", "large"]},
}


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ({"a": {}}, "a"),
        (
            {"a": {}, "b": {}, "c": {}},
            """\
a
  --output-folder -> b
b
  --input-folder  <- a --output-folder
  --output-folder -> c
c
  --input-folder <- b --output-folder""",
        ),
        (
            FAN,
            """\
prepare (Prepare "it")
  --new-data                   <- customers (dataset)
  run.input_datasets['prices'] <- all_prices (dataset)
  --train-folder               -> small, large
  --test-folder                -> choose
  --kept                       -> (kept)
small
  --in            <- prepare --train-folder
  --output-folder -> choose
large
  run.input_datasets['features'] <- prepare --train-folder
  --again                        <- customers (dataset)
  --output-folder                -> choose
choose
  --small         <- small --output-folder
  --large         <- large --output-folder
  --test          <- prepare --test-folder
  --output-folder -> (kept)
clean
  after <- choose
  after <- large""",
        ),
    ],
)
def test_a_plan_as_text(steps, text):
    assert as_text(planned(steps)) == text


def test_a_plan_as_mermaid():
    assert (
        as_mermaid(planned(FAN))
        == """\
flowchart TD
  data0[("customers")]
  data1[("all_prices")]
  step0["Prepare #quot;it#quot;"]
  step1["small"]
  step2["large"]
  step3["choose"]
  step4["clean"]
  data0 -->|"--new-data"| step0
  data1 -->|"run.input_datasets['prices']"| step0
  step0 -->|"--in"| step1
  step0 -->|"run.input_datasets['features']"| step2
  data0 -->|"--again"| step2
  step1 -->|"--small"| step3
  step2 -->|"--large"| step3
  step0 -->|"--test"| step3
  step3 -.-> step4
  step2 -.-> step4"""
    )

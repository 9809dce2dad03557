"""The page for programs of SDK v1: its pipeline.yaml runs, with scripts as the page has them."""

from __future__ import annotations

import pytest

from tests.docs.blocks import blocks_in
from tests.tasks.conftest import Invoke, invoke

__all__ = ["invoke"]

PREPARE = """
import argparse, os
from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--out")
table = Run.get_context().input_datasets["orders"].to_pandas_dataframe()
table.to_csv(os.path.join(parser.parse_args().out, "orders.csv"), index=False)
"""
TRAIN = """
import argparse, os
from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--data")
parser.add_argument("--alpha", type=float)
args = parser.parse_args()
lines = open(os.path.join(args.data, "orders.csv")).read().splitlines()
Run.get_context().log("weighted", args.alpha * (len(lines) - 1))
"""


@pytest.mark.processes
def test_the_pipeline_of_the_page_is_valid_and_runs(invoke: Invoke) -> None:
    invoke.write("pipeline.yaml", blocks_in("yaml", "docs/from-sdk-v1.md")[0].text)
    invoke.write("src/prepare.py", PREPARE)
    invoke.write("src/train.py", TRAIN)
    invoke.write("data/orders.csv", "amount,customer\n1,a\n2,b\n3,c\n")
    invoke.write("environment.yml", "dependencies:\n  - python=3.10\n  - pip:\n    - pandas\n")

    assert invoke("validate", "--strict").status == 0
    answer = invoke("run")

    assert answer.status == 0, answer.err
    assert "  train: weighted = 1.5\n" in answer.out

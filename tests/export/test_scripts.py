"""What is found of SDK v1 in a script, by line."""

from __future__ import annotations

from textwrap import dedent

import pytest

from azml_tasks.export.scripts import Use, uses_of


def found(source: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(use.name, use.lines) for use in uses_of(dedent(source).encode())]


def test_what_a_script_uses_of_its_run():
    source = """\
        from azureml.core import Run
        run = Run.get_context()
        table = run.input_datasets["a"].to_pandas_dataframe()
        run.log("rows", len(table))
        run.log("columns", 3)
        key = run.get_secret("key")
        run.parent.log("rows", 1)
        with run.child_run("inner") as child:
            child.log_image("plot", plot=plt)
        run.complete()
    """

    assert found(source) == [
        ("run.input_datasets", (3,)),
        ("run.log", (4, 5, 7)),
        ("run.get_secret", (6,)),
        ("run.parent", (7,)),
        ("run.child_run", (8,)),
        ("run.log_image", (9,)),
        ("run.complete", (10,)),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "from azureml.core import Run\nRun.get_context().log('a', 1)",
        "import azureml.core\nazureml.core.Run.get_context().log('a', 1)",
        "from azureml.core import Run as R\nme = R.get_context(allow_offline=False); me.log('a', 1)",
        "class A:\n def b(self): self.run = Run.get_context(); self.run.log('a', 1)",
        "if (r := Run.get_context()) is not None:\n r.log('a', 1)",
        "# a helper\ndef report(run): run.log('a', 1)",
    ],
)
def test_a_run_by_whatever_name(source):
    assert found(source) == [("run.log", (2,))]


@pytest.mark.parametrize(
    "source",
    [
        "import math\nmath.log(2)",
        "import numpy as np\nnp.log(2)",
        "import logging\nlogger = logging.getLogger()\nlogger.log(10, 'a')",
        "from pathlib import Path\nPath('.').parent.joinpath('a')",
        "run = 1\nprint(run)",
        "from models import Model\nModel.register()",
        "from azureml.core import Run\nrun = Run.get_context()",
        "this is no Python",
        "\0",
    ],
)
def test_what_is_not_the_sdk_s(source):
    assert found(source) == []


def test_classes_of_the_sdk_by_whatever_name():
    source = """\
        from azureml.core import Dataset as Data, Run, Workspace
        from azureml.core.model import Model
        import azureml.core
        Data.get_by_name(Workspace.from_config(), "a")
        Model.register(None, "a", "b")
        azureml.core.Datastore.get(None, "a")
    """

    assert found(source) == [("Dataset", (4,)), ("Workspace", (4,)), ("Model", (5,)), ("Datastore", (6,))]


def test_what_has_no_counterpart_of_its_own_is_named_all_the_same():
    source = """\
        from azureml.core import Run
        from azureml.train.hyperdrive import HyperDriveConfig
        run = Run.get_context()
        print(run.number)
    """

    assert [str(use.sentence) for use in uses_of(dedent(source).encode())] == [
        "azureml.train.hyperdrive.HyperDriveConfig is SDK v1: in v2, use MLflow and azure-ai-ml",
        "run.number is SDK v1: in v2, use MLflow and azure-ai-ml",
    ]


def test_the_sentence_names_the_further_lines():
    remedy = "in v2, use mlflow.log_metric(name, value)"

    assert Use("run.log", (3,)).sentence == f"run.log is SDK v1: {remedy}"
    assert Use("run.log", (3, 5)).sentence == f"run.log is SDK v1 (also on line 5): {remedy}"
    assert Use("run.log", (3, 5, 9)).sentence == f"run.log is SDK v1 (also on lines 5 and 9): {remedy}"

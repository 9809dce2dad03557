"""What a script logs is recorded, and read back, as the SDK does."""

from __future__ import annotations

import json
import math

import pytest

from azml_tasks.standin.azml_local.errors import AzureMLException, UserErrorException
from azml_tasks.standin.azml_local.run import metrics
from tests.standin.step import Step


def test_each_way_of_logging_leaves_a_record(step: Step) -> None:
    step.run("""
        from azureml.core import Run

        run = Run.get_context()
        run.log("loss", 0.5, description="per batch", step=3)
        run.log("name", "adam")
        run.log_list("scores", [1, 2.5])
        run.log_row("curve", x=1, y="a")
        run.log_table("table", {"a": [1, 2], "b": [True, None]})
        run.log_confusion_matrix("matrix", {"schema_type": "confusion_matrix"})
        run.log_accuracy_table("accuracy", '{"schema_type": "accuracy_table"}')
        run.log_residuals("residuals", {})
        run.log_predictions("predictions", {})
    """)

    assert step.records() == [
        {"name": "loss", "kind": "scalar", "value": 0.5, "type": "double", "step": 3, "description": "per batch"},
        {"name": "name", "kind": "scalar", "value": "adam", "type": "string"},
        {"name": "scores", "kind": "list", "value": [1, 2.5], "type": "double"},
        {"name": "curve", "kind": "row", "value": {"x": 1, "y": "a"}, "type": {"x": "int", "y": "string"}},
        {
            "name": "table",
            "kind": "table",
            "value": {"a": [1, 2], "b": [True, None]},
            "type": {"a": "int", "b": "bool"},
        },
        {"name": "matrix", "kind": "confusion_matrix", "value": "matrix"},
        {"name": "accuracy", "kind": "accuracy_table", "value": "accuracy"},
        {"name": "residuals", "kind": "residuals", "value": "residuals"},
        {"name": "predictions", "kind": "predictions", "value": "predictions"},
    ]
    assert json.loads((step.folder / "artifacts/accuracy").read_text()) == {"schema_type": "accuracy_table"}


def test_get_metrics_folds_what_was_logged(step: Step) -> None:
    script = """
        import json
        from azureml.core import Run

        run = Run.get_context()
        run.log("once", 1)
        run.log("twice", 1); run.log("twice", 2.5)
        run.log("nan", float("nan")); run.log("nan", float("-inf"))
        run.log_list("one", [7])
        run.log_list("list", [1, 2]); run.log_list("list", [3])
        run.log_row("row", x=1, y=2)
        run.log_row("rows", x=1); run.log_row("rows", x=2)
        run.log_table("table", {"a": [1, 2]}); run.log_table("table", {"a": [3, 4]})
        run.log_residuals("file", {"a": 1})
        metrics = run.get_metrics()
        assert run.get_metrics("once") == {"once": 1}
        assert run.get_metrics("file", populate=True)["file"].convert_to_object() == {"a": 1}
        print(json.dumps({name: repr(value) for name, value in metrics.items()}))
    """

    assert step.answers(script) == {
        "once": "1",
        "twice": "[1, 2.5]",
        "nan": "[nan, -inf]",
        "one": "7",
        "list": "[1, 2, 3]",
        "row": "{'x': 1, 'y': 2}",
        "rows": "{'x': [1, 2]}",
        "table": "{'a': [1, 2, 3, 4]}",
        "file": "'aml://artifactId/ExperimentRun/dcid.churn-7_train/file'",
    }


@pytest.mark.parametrize(
    ("value", "recorded", "kind"),
    [
        (1, 1, "int"),
        (True, True, "bool"),
        (None, None, "none"),
        (math.inf, math.inf, "double"),
        ((1, 2), "(1, 2)", "string"),
        ({"a": 1}, "{'a': 1}", "string"),
        (b"x", "b'x'", "string"),
    ],
)
def test_a_scalar_of_another_kind_is_recorded_as_its_repr(value: object, recorded: object, kind: str) -> None:
    assert metrics.scalar("m", value) == {"name": "m", "kind": "scalar", "value": recorded, "type": kind}


def test_numpy_scalars_are_numbers() -> None:
    numpy = pytest.importorskip("numpy")

    recorded = [metrics.scalar("m", value)["value"] for value in (numpy.float32(0.5), numpy.int8(3), numpy.bool_(True))]

    assert [(type(value), value) for value in recorded] == [(float, 0.5), (int, 3), (bool, True)]


def test_a_numpy_integer_that_azure_records_as_text_is_a_number_and_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    numpy = pytest.importorskip("numpy")

    recorded = [metrics.scalar("rows", numpy.int64(5)), metrics.scalar("rows", numpy.int64(6))]

    assert [record["value"] for record in recorded] == [5, 6]
    assert capsys.readouterr().err == "run.log('rows'): Azure records a numpy.int64 as text; log int(...)\n"


REFUSED = {
    "a list": (
        lambda: metrics.scalar("m", [1]),
        UserErrorException,
        "run.log does not accept a list; use run.log_list",
    ),
    "a generator": (
        lambda: metrics.scalar("m", (i for i in ())),
        UserErrorException,
        "run.log does not accept a list; use run.log_list",
    ),
    "an empty list": (
        lambda: metrics.listed("m", []),
        UserErrorException,
        "run.log_list('m') cannot log an empty list",
    ),
    "a list in a list": (
        lambda: metrics.listed("m", [[1]]),
        AzureMLException,
        "run.log_list('m') accepts float, str, bool, None and int, not list",
    ),
    "a number too large": (
        lambda: metrics.listed("m", [10**200]),
        AzureMLException,
        "run.log_list('m') accepts numbers of at most 64 bytes",
    ),
    "a list in a row": (
        lambda: metrics.row("m", {"a": [1]}),
        AzureMLException,
        "run.log_row('m') needs one value per column; 'a' is a list",
    ),
    "uneven columns": (
        lambda: metrics.table("m", {"a": [1, 2], "b": [1]}),
        AzureMLException,
        "run.log_table('m') needs columns of equal length: 'a' has 2, 'b' has 1",
    ),
    "no table": (
        lambda: metrics.table("m", [1]),
        AzureMLException,
        "run.log_table('m') requires a dict of columns, not list",
    ),
    "no column": (
        lambda: metrics.table("m", {}),
        UserErrorException,
        "run.log_table('m') cannot log a table without columns",
    ),
    "no JSON": (
        lambda: metrics.document("residuals", "m", "{"),
        UserErrorException,
        "run.log_residuals('m') requires a dict or JSON; this text is not JSON",
    ),
}


@pytest.mark.parametrize(("log", "error", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_sdk_refuses_is_refused_in_a_sentence(log, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as raised:
        log()

    assert str(raised.value) == sentence


def test_log_image_keeps_a_file_and_a_plot(step: Step) -> None:
    (step.work / "roc.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    printed = step.run("""
        from azureml.core import Run
        from azureml.exceptions import AzureMLException

        class Plot:
            def savefig(self, stream, format):
                stream.write(b"drawn as " + format.encode())

        run = Run.get_context()
        run.log_image("ROC", path="roc.png")
        run.log_image("loss", plot=Plot())
        run.log_image("loss", plot=Plot())
        open("text.png", "w").write("no image")
        for arguments in ({"path": "text.png"}, {}, {"plot": 3}):
            try:
                run.log_image("x", **arguments)
            except AzureMLException as error:
                print(error)
    """)

    names = [record["value"] for record in step.records()]
    assert names[0] == "roc.png"
    assert all(name.startswith("loss_") and name.endswith(".png") for name in names[1:])
    assert [(step.folder / "artifacts" / name).read_bytes() for name in names] == [
        b"\x89PNG\r\n\x1a\nrest",
        b"drawn as png",
        b"drawn as png",
    ]
    assert printed.splitlines() == [
        "'text.png' is not an image; save it as PNG or JPEG first",
        "run.log_image requires either path or plot",
        "plot in run.log_image must be a matplotlib plot or figure",
    ]


def test_the_sdk_makes_the_same_of_a_value() -> None:
    real = pytest.importorskip("azureml.core._metrics", reason="the SDK is not installed")
    numpy = pytest.importorskip("numpy")
    values = [1, 1.5, True, None, "x", (1, 2), {"a": 1}, numpy.float64(2.5), numpy.float32(0.5), numpy.int16(4)]

    theirs = [real.Metric.get_converted_value_and_type_v2(value) for value in values]
    ours = [(record["value"], record["type"]) for record in (metrics.scalar("m", value) for value in values)]

    assert ours == theirs

"""What works as in the SDK, is refused as there, or is said on standard error, since only Azure refuses it."""

from __future__ import annotations

import json

import pytest

from tests.standin.step import CUSTOMERS_ID, Step

IMPORTS = "import json, os, sys\nfrom azureml.core import Dataset, Model, Run\nrun = Run.get_context()\n"


def said(step: Step, script: str) -> list[str]:
    """Return the lines that a script prints."""
    return step.run(IMPORTS + script).splitlines()


# Registering and children


def test_a_model_that_is_registered_before_its_upload_is_registered_and_said_once(step: Step) -> None:
    lines = said(
        step,
        """
os.makedirs("outputs/folder")
for name in ("model.pkl", "folder/a.bin"):
    open("outputs/" + name, "w").write("m")
for name in ("outputs/model.pkl", "outputs/model.pkl", "outputs/folder"):
    print(run.register_model("m", name).version)
""",
    )

    assert lines == [
        "run.register_model('m'): outputs/model.pkl is not uploaded yet, and Azure ML only finds uploaded files "
        "(ModelPathNotFoundException); first call run.upload_file('outputs/model.pkl', 'outputs/model.pkl')",
        "1",
        "2",
        "3",
    ]


def test_a_model_that_is_registered_after_its_upload_is_registered_without_a_word(step: Step) -> None:
    lines = said(
        step,
        """
os.makedirs("outputs")
open("outputs/model.pkl", "w").write("m")
run.upload_file("outputs/model.pkl", "outputs/model.pkl")
run.upload_folder("kept", "outputs")
print(run.register_model("m", "outputs/model.pkl").version, run.register_model("n", "kept").version)
""",
    )

    assert lines == ["1 1"]


@pytest.mark.parametrize("start", ["child_run('x')", "create_children(2)"])
def test_the_pipelines_run_takes_no_child_run(step: Step, start: str) -> None:
    lines = said(
        step,
        f"""
try:
    run.parent.{start}
except NotImplementedError as error:
    print(error)
print([child.id for child in run.parent.get_children()])
""",
    )

    assert lines == [
        "a pipeline's run cannot have child runs of its own; use Run.get_context().child_run() to start one for the "
        "step",
        "['churn-7_train']",
    ]


# Limits that only the service knows


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            "for i in range(60): run.tag(f't{i}', i)",
            "the run has 51 tags, but Azure ML's limit is 50",
        ),
        (
            "run.set_tags({'k' * 101: 'v', 'l' * 101: 'v'})",
            "the run's tags: a name is longer than Azure ML's limit of 100 characters",
        ),
        (
            "run.add_properties({'k': 'v' * 1001})",
            "the run's properties: the value of 'k' is longer than Azure ML's limit of 1,000 characters",
        ),
        (
            "run.add_properties({'k': 'a'}); run.add_properties({'k': 'b'})",
            "run.add_properties: 'k' already has another value, and Azure ML does not change properties",
        ),
        (
            "for i in range(60): run.log(f'm{i}', i)",
            "the run logs more than 50 names, Azure ML's limit; log rows instead",
        ),
        (
            "run.log_row('r', **{f'c{i}': i for i in range(16)})",
            "the metric 'r' has 16 columns, but Azure ML's limit is 15",
        ),
        (
            "run.log('text', 'x' * 256)",
            "the metric 'text': a name or text is longer than Azure ML's limit of 255 characters",
        ),
    ],
)
def test_what_is_more_than_the_service_takes_is_recorded_and_said_once(step: Step, script: str, sentence: str) -> None:
    assert said(step, script) == [sentence]


def test_what_the_service_takes_is_recorded_without_a_word(step: Step) -> None:
    lines = said(
        step,
        """
for i in range(50):
    run.log(f"m{i}", i)
    run.log(f"m{i}", i)
    run.tag("k" * 50 + str(i), "v" * 1000)
run.add_properties({"k": 5})
run.add_properties({"k": "5", "l": None})
run.log_row("m0", **{f"c{i}": "x" * 255 for i in range(15)})
run.log_table("m1", {f"c{i}": ["x" * 255] * 20 for i in range(15)})
run.log_list("m2", list(range(300)))
""",
    )

    assert lines == []


# What a run reads


@pytest.mark.thorough
def test_the_details_of_a_run_name_its_input_datasets_in_the_sdks_shape(step: Step) -> None:
    step.context["datasets"]["files"] = {
        **step.context["datasets"]["customers"],
        "id": "11112222-0000-4222-8333-444455556666",
        "type": "file",
        "mode": "mount",
    }
    step.context["inputs"] = {
        "customers": {"kind": "dataset", "dataset": "customers"},
        "raw": {"kind": "dataset", "dataset": "files", "path": str(step.project / "data/customers.csv")},
        "train_input_folder": {"kind": "folder", "path": str(step.project / "made/merged")},
    }
    lines = said(
        step,
        """
before = run.get_details()["inputDatasets"]
print(len(before), before[0]["dataset"].to_pandas_dataframe().shape, before[0]["dataset"].name)
print(json.dumps([item["consumptionDetails"] for item in before]))
print(before[2]["dataset"].to_path(), type(before[1]["dataset"]).__name__)
Dataset.get_by_name(run.experiment.workspace, "customers")
print(run.get_details()["inputDatasets"][3]["consumptionDetails"])
print(str(run.parent.get_details()["inputDatasets"]), run.get_details()["inputDatasets"] != before)
print(str(before).startswith("[{'dataset': {'id': '"))
""",
    )

    raw = str(step.project / "data/customers.csv")
    assert lines[0] == "3 (3, 4) customers"
    assert json.loads(lines[1]) == [
        {"type": "RunInput", "inputName": "customers", "mechanism": "Direct"},
        {"type": "RunInput", "inputName": "raw", "mechanism": "Mount", "pathOnCompute": raw},
        {
            "type": "RunInput",
            "inputName": "train_input_folder",
            "mechanism": "Mount",
            "pathOnCompute": str(step.project / "made/merged"),
        },
    ]
    assert lines[2:] == ["['/part.csv'] FileDataset", "{'type': 'Reference'}", "[] True", "True"]
    assert CUSTOMERS_ID in step.run(IMPORTS + "print(run.get_details()['inputDatasets'])")


# numpy


def test_numpy_is_recorded_as_the_plain_value(step: Step) -> None:
    pytest.importorskip("numpy")
    lines = said(
        step,
        """
import numpy as np
run.log("loss", np.float32(0.5), step=np.int64(3))
run.log_list("values", np.array([0.5, 1.5]))
run.log_list("flags", [np.bool_(True), np.int32(2), np.str_("x"), np.longdouble(1.5)])
run.log_row("row", a=np.float64(0.25), b=np.int16(7))
run.log_table("table", {"a": [np.float32(0.5), np.float32(1.5)], "b": [np.uint8(1), None]})
run.tag(np.str_("tag"), np.int64(5))
run.add_properties({"p": np.float64(0.5), "q": np.bool_(False)})
print(json.dumps([run.get_metrics(), run.get_tags(), run.get_properties()["p"], run.get_properties()["q"]]))
""",
    )

    metrics, tags, *properties = json.loads(lines[0])
    assert metrics == {
        "loss": 0.5,
        "values": [0.5, 1.5],
        "flags": [True, 2, "x", metrics["flags"][3]],
        "row": {"a": 0.25, "b": 7},
        "table": {"a": [0.5, 1.5], "b": [1, None]},
    }
    assert metrics["flags"][3] in ("1.5", "np.longdouble('1.5')")
    assert (tags, properties) == ({"tag": "5"}, ["0.5", "False"])
    assert step.records()[0]["step"] == 3


@pytest.mark.thorough
def test_numpy_in_what_is_done_with_a_dataset_can_be_registered(step: Step) -> None:
    pytest.importorskip("pandas")
    lines = said(
        step,
        """
import numpy as np
table = run.input_datasets["customers"]
made = table.skip(np.int64(0)).filter(table["age"] > np.float64(35)).keep_columns(list(np.array(["id", "name"])))
made.take_sample(np.float32(1), np.int64(3)).register(run.experiment.workspace, "sampled")
made.register(run.experiment.workspace, "older", tags={"rows": np.int64(1), "share": 0.5})
again = Dataset.get_by_name(run.experiment.workspace, "older")
print(again.to_pandas_dataframe().values.tolist(), again.tags)
""",
    )

    assert lines == ["[[2, 'Bob']] {'rows': '1', 'share': '0.5'}"]


# Refused by the SDK itself (azureml-core 1.61, azureml-dataprep 5.5)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("call", "refusal"),
    [
        ("take(-1)", "ValueError: count must be a positive integer"),
        ("take('a')", "ValueError: count must be a positive integer"),
        ("take(1.5)", "ValueError: count must be a positive integer"),
        ("take(True)", "ValueError: count must be a positive integer"),
        ("skip(-1)", "ValueError: count must be a positive integer"),
        ("take_sample(1)", "ValueError: probability must be a float, such as 0.5"),
        ("take_sample('x')", "ValueError: probability must be a float, such as 0.5"),
        ("random_split(1.5)", "ValueError: percentage must be a number between 0.0 and 1.0."),
        ("random_split(0.5, 'a')", "UserErrorException: seed must be a positive integer, not 'a'"),
    ],
)
def test_what_the_sdk_refuses_of_rows_and_files_is_refused(step: Step, call: str, refusal: str) -> None:
    lines = said(
        step,
        f"""
table = run.input_datasets["customers"]
files = Dataset.File.from_files((run.experiment.workspace.get_default_datastore(), "x"), validate=False)
for dataset in (table, files):
    try:
        dataset.{call}
    except Exception as error:
        print(f"{{type(error).__name__}}: {{error}}")
""",
    )

    assert lines == [refusal] * 2


def test_columns_are_a_name_or_a_list_of_names(step: Step) -> None:
    lines = said(
        step,
        """
table = run.input_datasets["customers"]
for columns in (("id", "name"), 5, {"id"}):
    for method in (table.keep_columns, table.drop_columns):
        try:
            method(columns)
        except ValueError as error:
            print(error)
""",
    )

    kinds = ["tuple", "tuple", "int", "int", "set", "set"]
    assert lines == [f"columns must be a name or a list of names, not {kind}" for kind in kinds]

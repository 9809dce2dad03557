"""What scripts of published v1 pipelines call, in a step that really runs."""

from __future__ import annotations

from pathlib import Path

from .example import open_workspace, prepare_workspace
from .service import Service

SCRIPT = """\
import os
from azureml.core import Dataset, Model, Run

run = Run.get_context()
ws = run.experiment.workspace
assert not run.id.startswith("OfflineRun")

assert Dataset.get_by_name(ws, "customers").to_pandas_dataframe().shape == (3, 2)
assert ws.datasets["customers"].keep_columns(["age"]).take(2).to_pandas_dataframe().shape == (2, 1)

with open("x.txt", "w") as file:
    file.write("hello")
store = ws.get_default_datastore()
store.upload_files(["x.txt"], target_path="up", show_progress=False)
assert store.download("down", prefix="up", show_progress=False) == 1

os.makedirs("outputs/folder")
os.rename("x.txt", "outputs/folder/model.txt")
run.upload_file("outputs/one.txt", "outputs/folder/model.txt")
run.upload_folder("outputs/uploaded", "outputs/folder")
run.download_file("outputs/one.txt", "again.txt")
assert run.register_model("churn", model_path="outputs/one.txt", tags={"stage": "dev"}).version == 1
assert Model.register(ws, model_path="outputs/folder", model_name="churn").version == 2
assert [(model.name, model.version) for model in Model.list(ws, name="churn")] == [("churn", 2), ("churn", 1)]
assert Model(ws, "churn", version=1).tags == {"stage": "dev"}
assert open(Model(ws, "churn", version=1).download("model")).read() == "hello"

run.log_row("row", a=1, b=2)
run.log_row("row", a=3, b=4)
with run.child_run("child") as child:
    child.log("loss", 0.5)
assert [item.name for item in run.get_children()] == ["everything>child"]
run.flush()
assert run.get_metrics() == {"row": {"a": [1, 3], "b": [2, 4]}}
run.set_tags({"a": "1", "b": "2"})
run.remove_tags(["a"])
run.add_properties({"colour": "blue"})
run.parent.tag("seen", "yes")
assert run.get_secret("password") == "s3cret"
assert ws.get_default_keyvault().get_secret("password") == "s3cret"
assert run.get_environment().name == "churn-env"
run.fail(error_details="not so bad")
"""


def test_everything_that_scripts_call_works(azure: Service, tmp_path: Path) -> None:
    from azureml.core import Environment, Experiment, RunConfiguration
    from azureml.pipeline.core import Pipeline
    from azureml.pipeline.steps import PythonScriptStep

    prepare_workspace(azure)
    azure.secrets["password"] = "s3cret"
    ws = open_workspace()
    (tmp_path / "everything.py").write_text(SCRIPT)
    settings = RunConfiguration()
    settings.environment = Environment.get(ws, "churn-env")
    step = PythonScriptStep(
        name="everything",
        script_name="everything.py",
        source_directory=str(tmp_path),
        compute_target="cpu-cluster",
        runconfig=settings,
    )
    azure.on_submit = "execute"
    run = Experiment(ws, "churn").submit(Pipeline(ws, steps=[step]))
    azure.settle()
    record = azure.step_runs()["everything"]
    assert record.status == "Completed", azure.artifacts(record)["user_logs/std_log.txt"].decode()
    assert sorted(path for path in azure.artifacts(record) if path.startswith("outputs/")) == [
        "outputs/folder/model.txt",
        "outputs/one.txt",
        "outputs/uploaded/model.txt",
    ]
    assert [(model.name, model.version) for model in azure.models] == [("churn", 1), ("churn", 2)]
    assert azure.runs[run.id].tags == {"seen": "yes"}
    assert (record.tags.get("a"), record.tags["b"], record.properties["colour"]) == (None, "2", "blue")
    assert record.error["error"]["message"] == "not so bad"
    child = next(item for item in azure.runs.values() if item.parent == record.id)
    assert (child.status, child.metrics["loss"].values) == ("Completed", [0.5])

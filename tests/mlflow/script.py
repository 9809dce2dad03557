"""A script with the calls of MLflow that scripts make; it runs under MLflow alone and as a step, untouched.

With scikit-learn, pandas and matplotlib, and mlflow or mlflow-skinny of 2.x or 3.x.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import mlflow
import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.tracking import MlflowClient
from sklearn.linear_model import LogisticRegression

parser = argparse.ArgumentParser()
parser.add_argument("--result", help="file for the ids of the runs and what the script has read back")
parser.add_argument("--models", default="yes", help="no: log none")
arguments = parser.parse_args()
result_file = arguments.result
client = MlflowClient()
read_back = {}

# The run's own values
run = mlflow.start_run()
run_id = run.info.run_id
mlflow.log_param("lr", 0.1)
mlflow.log_params({"epochs": 3, "note": "zwölf", "options": {"a": [1, None]}, "long": "x" * 500})
started = time.perf_counter()
for step in range(20):
    mlflow.log_metric("loss", 1 / (step + 1), step=step)
milliseconds = (time.perf_counter() - started) / 20 * 1000
mlflow.log_metric("single", 5)
mlflow.log_metrics({"precision": 0.25, "recall": 0.125}, step=2)
mlflow.log_metric("nothing", float("nan"))
mlflow.log_metric("endless", float("-inf"))
mlflow.set_tag("stage", "proof")
mlflow.set_tags({"team": "a", "gone": "soon", "number": 7})
mlflow.delete_tag("gone")
client.log_metric(run_id, "timed", 1.5, timestamp=1_700_000_000_123, step=9)
client.log_batch(
    run_id,
    metrics=[mlflow.entities.Metric("batch", value, 1_700_000_000_000 + value, value) for value in range(300)],
    params=[mlflow.entities.Param(f"p{number}", str(number)) for number in range(50)],
    tags=[mlflow.entities.RunTag("batched", "yes")],
)

# Files
mlflow.log_text("hello\n", "notes/hello.txt")
mlflow.log_dict({"a": 1, "b": [1, 2]}, "config/config.json")
mlflow.log_dict({"a": 1}, "config/config.yaml")
figure, axes = plt.subplots()
axes.plot([1, 2, 3])
mlflow.log_figure(figure, "figures/line.png")
# MLflow 3 looks for models wherever it lists a folder, and azureml-mlflow replaces no file: both fail on Azure ML.
table = "tables/table.json" if arguments.models == "yes" else "table.json"
mlflow.log_table({"x": [1, 2], "y": ["a", "b"]}, table)
mlflow.log_table({"x": [3], "y": ["c"]}, table if arguments.models == "yes" else "table2.json")
mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), "image.png")
with tempfile.TemporaryDirectory() as folder:
    for name in ("one.txt", "ünicode name.txt"):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(name)
    mlflow.log_artifact(os.path.join(folder, "one.txt"))
    mlflow.log_artifact(os.path.join(folder, "one.txt"), artifact_path="deep/er")
    mlflow.log_artifacts(folder, artifact_path="all")
frame = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0] * 5, "z": range(20), "y": [0, 0, 1, 1] * 5})
mlflow.log_input(mlflow.data.from_pandas(frame, name="frame"), context="training")

# Models, which Azure ML does not have the calls for
if arguments.models == "yes":
    model = LogisticRegression().fit(frame[["x", "z"]], frame["y"])
    name = {"name": "model"} if int(mlflow.__version__.split(".")[0]) > 2 else {"artifact_path": "model"}
    mlflow.sklearn.log_model(model, **name, input_example=frame[["x", "z"]].head(2), serialization_format="cloudpickle")

    class Twice(mlflow.pyfunc.PythonModel):
        """A model without a flavour of its own."""

        def predict(self, context, model_input, params=None):
            """Return twice the input."""
            return model_input * 2

    mlflow.pyfunc.log_model(python_model=Twice(), **dict.fromkeys(name, "twice"))
    loaded = mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
    read_back["predictions"] = [int(value) for value in loaded.predict(frame[["x", "z"]])]
    read_back["twice"] = (
        mlflow.pyfunc.load_model(f"runs:/{run_id}/twice").predict(pd.DataFrame({"x": [2]}))["x"].tolist()
    )

# Reading back
found = client.get_run(run_id)
read_back["loss"] = [[metric.step, metric.value] for metric in client.get_metric_history(run_id, "loss")]
read_back["timed"] = [[m.timestamp, m.step, m.value] for m in client.get_metric_history(run_id, "timed")]
read_back["status"] = found.info.status
read_back["inputs"] = [item.dataset.name for item in found.inputs.dataset_inputs]
with open(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="config/config.json")) as file:
    read_back["config"] = json.load(file)
folder = "all" if arguments.models == "yes" else None
read_back["listed"] = sorted(item.path for item in client.list_artifacts(run_id, folder))
try:
    mlflow.log_param("lr", 0.2)
except mlflow.exceptions.MlflowException as error:
    read_back["refused"] = str(error).replace(run_id, "RUN").removeprefix("INVALID_PARAMETER_VALUE: ").split("\n")[0]
    read_back["code"] = error.error_code

# Nested runs
children = []
for depth in (2, 3):
    with mlflow.start_run(run_name=f"depth {depth}", nested=True, tags={"kind": "child"}) as child:
        children.append(child.info.run_id)
        mlflow.log_param("depth", depth)
        mlflow.log_metric("score", depth / 10)
        mlflow.log_text(str(depth), "depth.txt")
        client.set_tag(child.info.run_id, "seen", "yes")
order = {"filter_string": f"tags.mlflow.parentRunId = '{run_id}'", "order_by": ["metrics.score DESC"]}
best = client.search_runs([run.info.experiment_id], max_results=1, **order)
read_back["best"] = best[0].data.params
read_back["names"] = [run.info.run_name for run in client.search_runs([run.info.experiment_id], **order)]
mlflow.end_run()

# The step's own run once more, a further run, and autolog
with mlflow.start_run(run_id=run_id):
    mlflow.log_metric("resumed", 1)
mlflow.sklearn.autolog(log_input_examples=True, log_models=arguments.models == "yes")
with mlflow.start_run(run_name="autolog", description="fitted by itself") as further:
    LogisticRegression(C=0.5).fit(frame[["x", "z"]], frame["y"])
    children.append(further.info.run_id)
read_back["ended"] = client.get_run(further.info.run_id).info.status

with open(result_file or os.devnull, "w", encoding="utf-8") as file:
    values = {"run": run_id, "children": children, "read back": read_back, "milliseconds": milliseconds}
    json.dump(values, file)

"""An example pipeline of three steps, built with the real SDK, whose scripts really run.

`prepare` reads a registered table, `train` reads its folder and a pipeline parameter, `evaluate` reads the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .names import GROUP, SUBSCRIPTION, WORKSPACE

if TYPE_CHECKING:
    from .service import Service

CUSTOMERS = b"id,age\n1,30\n2,40\n3,50\n"

SCRIPTS = {
    "prepare": """\
import argparse, json, os
from azureml.core import Run

run = Run.get_context()
parser = argparse.ArgumentParser()
parser.add_argument("--config", type=json.loads)
parser.add_argument("--new-data")
parser.add_argument("--output-folder")
args = parser.parse_args()
frame = run.input_datasets["customers"].to_pandas_dataframe()
frame = frame[frame["age"] >= args.config["min_age"]]
os.makedirs(args.output_folder, exist_ok=True)
frame.to_csv(os.path.join(args.output_folder, "customers.csv"), index=False)
run.log("rows", len(frame))
print("prepared", len(frame), "rows")
run.complete()
""",
    "train": """\
import argparse, json, os
from azureml.core import Run

run = Run.get_context()
parser = argparse.ArgumentParser()
parser.add_argument("--alpha", type=float)
parser.add_argument("--input-folder")
parser.add_argument("--output-folder")
args = parser.parse_args()
with open(os.path.join(args.input_folder, "customers.csv")) as file:
    ages = [int(line.split(",")[1]) for line in file.read().split()[1:]]
model = {"alpha": args.alpha, "mean": sum(ages) / len(ages)}
os.makedirs(args.output_folder, exist_ok=True)
with open(os.path.join(args.output_folder, "model.json"), "w") as file:
    json.dump(model, file)
os.makedirs("outputs", exist_ok=True)
with open("outputs/model.json", "w") as file:
    json.dump(model, file)
run.log("mean", model["mean"])
run.complete()
""",
    "evaluate": """\
import argparse, json, os
from azureml.core import Run

run = Run.get_context()
parser = argparse.ArgumentParser()
parser.add_argument("--input-folder")
args = parser.parse_args()
with open(os.path.join(args.input_folder, "model.json")) as file:
    model = json.load(file)
for step in range(3):
    run.log("score", model["alpha"] * step)
run.log_list("ages", [1, 2])
run.parent.log("score", model["mean"])
run.tag("stage", "evaluated")
run.complete()
""",
}


def open_workspace() -> Any:
    """Open the workspace that the stand-in has after `reset`."""
    from azureml.core import Workspace

    return Workspace.get(WORKSPACE, subscription_id=SUBSCRIPTION, resource_group=GROUP)


def prepare_workspace(azure: Service) -> None:
    """Register what the example needs: datastore, dataset, compute, environment."""
    azure.put_blob("churnstore", "raw", "customers.csv", CUSTOMERS)
    azure.add_datastore("churn_blob", "raw", "churnstore")
    azure.add_table("customers", "churn_blob", "customers.csv", {"id": "int", "age": "int"})
    azure.add_compute("cpu-cluster")
    azure.add_environment("churn-env")


def build_pipeline(ws: Any, folder: Path, *, shared: bool = False, allow_reuse: bool = True) -> Any:
    """Build the pipeline; the scripts are written under `folder`, each in a folder of its own.

    `shared` puts them all into one, which is one snapshot: the SDK takes a quarter of a second for each.
    """
    from azureml.core import Dataset, Datastore, Environment, RunConfiguration
    from azureml.data import OutputFileDatasetConfig
    from azureml.pipeline.core import Pipeline, PipelineParameter
    from azureml.pipeline.steps import PythonScriptStep

    settings = RunConfiguration()
    settings.environment = Environment.get(ws, "churn-env")
    table = Dataset.get_by_name(ws, "customers").as_named_input("customers")
    prepared = OutputFileDatasetConfig(name="prepare_output_folder")
    trained = OutputFileDatasetConfig(
        name="train_output_folder", destination=(Datastore.get(ws, "churn_blob"), "models/{run-id}")
    )
    arguments = {
        "prepare": ["--config", '{"min_age": 35}', "--new-data", table, "--output-folder", prepared],
        "train": [
            "--alpha",
            PipelineParameter("alpha", 0.5),
            "--input-folder",
            prepared.as_input("train_input_folder"),
            "--output-folder",
            trained,
        ],
        "evaluate": ["--input-folder", trained.as_input("evaluate_input_folder")],
    }
    steps = []
    for name, script in SCRIPTS.items():
        source = folder if shared else folder / name
        source.mkdir(parents=True, exist_ok=True)
        (source / f"{name}.py").write_text(script, encoding="utf-8")
        steps.append(
            PythonScriptStep(
                name=name,
                script_name=f"{name}.py",
                source_directory=str(source),
                arguments=arguments[name],
                compute_target="cpu-cluster",
                runconfig=settings,
                allow_reuse=allow_reuse,
            )
        )
    return Pipeline(ws, steps=steps)

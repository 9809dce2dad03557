"""A short script with a call of each kind, whose requests `record.py` records."""

import mlflow
import mlflow.pyfunc
from mlflow.tracking import MlflowClient

client = MlflowClient()
run = mlflow.start_run()
run_id, experiment_id = run.info.run_id, run.info.experiment_id
mlflow.log_param("lr", 0.1)
mlflow.log_params({"epochs": 3, "note": "zwölf"})
mlflow.log_metric("loss", 0.5, step=1)
mlflow.log_metric("nothing", float("nan"))
mlflow.log_metrics({"precision": 0.25, "recall": float("inf")}, step=2)
mlflow.set_tag("stage", "proof")
mlflow.set_tags({"team": "a", "gone": "soon"})
mlflow.delete_tag("gone")
client.log_batch(run_id, metrics=[mlflow.entities.Metric("batch", 1, 1_700_000_000_123, 7)])
client.get_metric_history(run_id, "loss")
mlflow.log_text("hello", "hello.txt")
with mlflow.start_run(run_name="child", nested=True):
    mlflow.log_metric("score", 0.75)
client.search_runs([experiment_id], f"tags.mlflow.parentRunId = '{run_id}'", order_by=["metrics.score DESC"])
client.get_experiment(experiment_id)
client.get_experiment_by_name("churn")
other = client.create_experiment("other")
client.search_experiments(filter_string="name = 'other'")


def double(model_input: list[float]) -> list[float]:
    """Return twice the input."""
    return [2 * value for value in model_input]


name = {"name": "model"} if int(mlflow.__version__.split(".")[0]) > 2 else {"artifact_path": "model"}
mlflow.pyfunc.log_model(python_model=double, **name, pip_requirements=["mlflow"])
mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
mlflow.end_run()
further = mlflow.start_run()
mlflow.end_run("FAILED")
client.delete_run(further.info.run_id)

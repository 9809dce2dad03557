"""The calls of MLflow's REST interface that steps can make, of MLflow 2 and 3."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from azml_tasks.local.tracking import search
from azml_tasks.local.tracking.errors import TrackingError, does_not_exist, refused
from azml_tasks.local.tracking.models import change_model, delete_model, make_model, models_of
from azml_tasks.local.tracking.runs import TrackedRun
from azml_tasks.local.tracking.step import StepTracking

Values = dict[str, Any]
Route = Callable[[StepTracking, Values], Values]

_PREFIX = re.compile(r"/(?:ajax-)?api/\d\.\d/mlflow/")
_MODEL = re.compile(r"logged-models/(m-\w+)(?:/(params|tags)(?:/(.+))?)?")
_REGISTRY = "use azureml.core.Model.register to register a model"
_TRACES = "traces and what belongs to them are not recorded"
# The first parts of what local runs do not have, each with why.
_REFUSED = {
    **dict.fromkeys(("registered-models", "model-versions"), ("the model registry of MLflow is", _REGISTRY)),
    **dict.fromkeys(
        ("traces", "assessments", "scorers", "datasets", "issues", "label-schemas", "review-queues", "prompts"),
        ("traces and evaluation data of MLflow are", _TRACES),
    ),
}
_MOST_FOUND = 1000
_MOST_MODELS = 50


def answer(step: StepTracking, method: str, path: str, values: Values, client: str) -> Values:
    """Return the answer to a call. Raises TrackingError, OSError.

    `client` is the version of MLflow that calls.
    """
    found = _PREFIX.match(path)
    name = path[found.end() :].strip("/") if found else path
    with step.lock:
        if step.is_over:
            raise TrackingError("the step has ended", "PERMISSION_DENIED", 403)
        route = _ROUTES.get((method, name))
        if route is not None:
            if (method, name) in (("POST", "logged-models"), ("POST", "runs/log-model")):
                step.models_by = client
            return route(step, values)
        model = _MODEL.fullmatch(name)
        if model is not None:
            return _of_model(step, method, model, values)
    what = _REFUSED.get(name.partition("/")[0])
    if what is not None or "trace" in name:
        raise refused(*(what or _REFUSED["traces"]))
    raise TrackingError(f"local runs do not have {method} {path}", "ENDPOINT_NOT_FOUND", 404)


# Runs


def _create_run(step: StepTracking, values: Values) -> Values:
    return {"run": step.make_run(values).as_json()}


def _get_run(step: StepTracking, values: Values) -> Values:
    return {"run": step.any_run(_run_id(values)).as_json()}


def _update_run(step: StepTracking, values: Values) -> Values:
    run = step.own(_run_id(values))
    run.update(values)
    return {"run_info": run.info()}


def _delete_run(step: StepTracking, values: Values) -> Values:
    return _set_stage(step, values, "deleted")


def _restore_run(step: StepTracking, values: Values) -> Values:
    return _set_stage(step, values, "active")


def _set_stage(step: StepTracking, values: Values, stage: str) -> Values:
    run = step.own(_run_id(values))
    if run.is_step:
        raise TrackingError(f"run '{run.run_id}' is that of the running step and cannot be {stage}")
    run.set_stage(stage)
    return {}


def _log_metric(step: StepTracking, values: Values) -> Values:
    _log_metrics(step, step.own(_run_id(values)), [values])
    return {}


def _log_metrics(step: StepTracking, run: TrackedRun, metrics: list[Values]) -> None:
    of_models = [metric for metric in metrics if metric.get("model_id")]
    # MLflow 3 sends the run's metrics once more for each model that is logged.
    known = run.metric_keys() if of_models else set()
    run.log_metrics([m for m in metrics if not m.get("model_id") or run.metric_key(m) not in known])
    for metric in of_models:
        owner, model = step.own_model(str(metric["model_id"]))
        change_model(owner, model, metrics=[{**metric, "run_id": run.run_id}])


def _log_param(step: StepTracking, values: Values) -> Values:
    step.own(_run_id(values)).log_params([values])
    return {}


def _set_tag(step: StepTracking, values: Values) -> Values:
    step.own(_run_id(values)).set_tags([values])
    return {}


def _delete_tag(step: StepTracking, values: Values) -> Values:
    step.own(_run_id(values)).delete_tag(str(values.get("key")))
    return {}


def _log_batch(step: StepTracking, values: Values) -> Values:
    run = step.own(_run_id(values))
    # First, since it is the part that can be refused.
    run.log_params(_listed(values, "params"), in_batch=True)
    _log_metrics(step, run, _listed(values, "metrics"))
    run.set_tags(_listed(values, "tags"))
    return {}


def _log_inputs(step: StepTracking, values: Values) -> Values:
    run = step.own(_run_id(values))
    run.log_inputs(_listed(values, "datasets"))
    run.log_models("input", _listed(values, "models"))
    return {}


def _log_outputs(step: StepTracking, values: Values) -> Values:
    step.own(_run_id(values)).log_models("output", _listed(values, "models"))
    return {}


def _log_model(step: StepTracking, values: Values) -> Values:
    step.own(_run_id(values)).record_model(str(values.get("model_json")))
    return {}


def _history(step: StepTracking, values: Values) -> Values:
    found = step.any_run(_run_id(values)).history(str(values.get("metric_key")))
    if not values.get("max_results"):
        return {"metrics": found}
    part, token = search.page(found, values, len(found) or 1)
    return {"metrics": part, **({"next_page_token": token} if token else {})}


_STAGES = {"DELETED_ONLY": ("deleted",), "ALL": ("active", "deleted")}


def _search_runs(step: StepTracking, values: Values) -> Values:
    wanted = {str(one) for one in _listed_texts(values, "experiment_ids")}
    stages = _STAGES.get(str(values.get("run_view_type")), ("active",))
    conditions = search.read_filter(str(values.get("filter") or ""))
    own = {step.run.run_id, *(run.run_id for run in step.run.children())}
    if not any(c.key == "mlflow.parentRunId" and c.operator == "=" and c.value in own for c in conditions):
        step.has_searched = True
    runs = [run.as_json() for run in step.all_runs() if run.experiment in wanted]
    runs = [run for run in runs if run["info"]["lifecycle_stage"] in stages]
    found = [run for run in runs if all(condition.holds(search.run_values(run)) for condition in conditions)]
    orders = [search.read_order(text) for text in _listed_texts(values, "order_by")]
    found = search.ordered(found, search.run_values, [*orders, ("attributes.start_time", False)])
    part, token = search.page(found, values, _MOST_FOUND)
    return {"runs": part, **({"next_page_token": token} if token else {})}


# Experiments: there is one, and those that the run's steps make


def _create_experiment(step: StepTracking, values: Values) -> Values:
    name = str(values.get("name") or "")
    if not name:
        raise TrackingError("Missing value for required parameter 'name'")
    if name in step.experiments.values():
        raise TrackingError(f"Experiment '{name}' already exists.", "RESOURCE_ALREADY_EXISTS")
    identifier = str(len(step.experiments))
    step.experiments[identifier] = name
    return {"experiment_id": identifier}


def _get_experiment(step: StepTracking, values: Values) -> Values:
    identifier = str(values.get("experiment_id"))
    if identifier not in step.experiments:
        raise does_not_exist(f"Experiment with id={identifier}")
    return {"experiment": _experiment(step, identifier)}


def _experiment_by_name(step: StepTracking, values: Values) -> Values:
    name = values.get("experiment_name")
    for identifier, known in step.experiments.items():
        if known == name:
            return {"experiment": _experiment(step, identifier)}
    raise does_not_exist(f"Experiment with name '{name}'")


def _search_experiments(step: StepTracking, values: Values) -> Values:
    found = [_experiment(step, identifier) for identifier in step.experiments]

    def values_of(experiment: Mapping[str, Any]) -> search.Values:
        return {"attributes": experiment, "tags": {}}

    found = search.matching(found, values_of, values.get("filter"))
    orders = [search.read_order(text) for text in _listed_texts(values, "order_by")]
    part, token = search.page(search.ordered(found, values_of, orders), values, _MOST_FOUND)
    return {"experiments": part, **({"next_page_token": token} if token else {})}


def _experiment(step: StepTracking, identifier: str) -> Values:
    return {
        "experiment_id": identifier,
        "name": step.experiments[identifier],
        "artifact_location": step.run.artifacts.absolute().as_uri(),
        "lifecycle_stage": "active",
        "creation_time": 0,
        "last_update_time": time.time_ns() // 1_000_000,
    }


# Models of MLflow 3


def _create_model(step: StepTracking, values: Values) -> Values:
    run = step.own(values["source_run_id"]) if values.get("source_run_id") else step.run
    return {"model": make_model(run, values)}


def _search_models(step: StepTracking, values: Values) -> Values:
    wanted = {str(one) for one in _listed_texts(values, "experiment_ids")}
    own = {step.run.run_id, *(run.run_id for run in step.run.children())}
    found = []
    for run in step.all_runs():
        models = [model for model in models_of(run) if run.experiment in wanted]
        if models and run.run_id not in own:
            step.looked.update(run.files)
            step.looked.update(str(run.folder / "models" / f"{model['info']['model_id']}.json") for model in models)
        found += models
    found = search.matching(found, search.model_values, values.get("filter"))
    orders = [(str(one.get("field_name")), one.get("ascending") is not False) for one in _listed(values, "order_by")]
    newest = ("attributes.creation_timestamp", False)
    part, token = search.page(search.ordered(found, search.model_values, [*orders, newest]), values, _MOST_MODELS)
    return {"models": part, **({"next_page_token": token} if token else {})}


def _of_model(step: StepTracking, method: str, path: re.Match[str], values: Values) -> Values:
    model_id, part, key = path.groups()
    if (method, part) == ("GET", None):
        return {"model": step.any_model(model_id)}
    run, model = step.own_model(model_id)
    if (method, part) == ("PATCH", None):
        return {"model": change_model(run, model, status=values.get("status", model["info"]["status"]))}
    if (method, part) == ("DELETE", None):
        delete_model(run, model)
    elif (method, part) == ("POST", "params"):
        change_model(run, model, params=_listed(values, "params"))
    elif (method, part, key) == ("PATCH", "tags", None):
        change_model(run, model, tags=_listed(values, "tags"))
    elif (method, part) == ("DELETE", "tags"):
        change_model(run, model, without_tag=key)
    else:
        raise TrackingError(f"local runs do not have {method} {path[0]}", "ENDPOINT_NOT_FOUND", 404)
    return {}


_ROUTES: Mapping[tuple[str, str], Route] = {
    ("POST", "runs/create"): _create_run,
    ("GET", "runs/get"): _get_run,
    ("POST", "runs/update"): _update_run,
    ("POST", "runs/delete"): _delete_run,
    ("POST", "runs/restore"): _restore_run,
    ("POST", "runs/search"): _search_runs,
    ("POST", "runs/log-metric"): _log_metric,
    ("POST", "runs/log-parameter"): _log_param,
    ("POST", "runs/log-batch"): _log_batch,
    ("POST", "runs/set-tag"): _set_tag,
    ("POST", "runs/delete-tag"): _delete_tag,
    ("POST", "runs/log-inputs"): _log_inputs,
    ("POST", "runs/outputs"): _log_outputs,
    ("POST", "runs/log-model"): _log_model,
    ("GET", "metrics/get-history"): _history,
    ("POST", "experiments/create"): _create_experiment,
    ("GET", "experiments/get"): _get_experiment,
    ("GET", "experiments/get-by-name"): _experiment_by_name,
    ("POST", "experiments/search"): _search_experiments,
    ("GET", "experiments/search"): _search_experiments,
    ("POST", "logged-models"): _create_model,
    ("POST", "logged-models/search"): _search_models,
}


def _run_id(values: Values) -> str:
    found = values.get("run_id") or values.get("run_uuid")
    if not found:
        raise TrackingError("Missing value for required parameter 'run_id'")
    return str(found)


def _listed(values: Values, name: str) -> list[Values]:
    found = values.get(name) or []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise TrackingError(f"Invalid value for parameter '{name}'")
    return found


def _listed_texts(values: Values, name: str) -> list[str]:
    found = values.get(name) or []
    return [str(item) for item in found] if isinstance(found, list) else [str(found)]

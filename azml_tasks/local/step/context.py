"""The description of its run that a step's process reads, in the form that the stand-in for azureml expects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azml_tasks.local.step.arguments import StepArguments, local_path
from azml_tasks.plan.plan import dataset_description

if TYPE_CHECKING:
    from azml_tasks.local.step.local_run import LocalRun
    from azml_tasks.local.store.paths import ProjectPaths
    from azml_tasks.local.store.records import LocalRunRecord
    from azml_tasks.model import Pipeline
    from azml_tasks.plan import StepPlan

VERSION = 1


def context_of(site: LocalRun, plan: StepPlan, given: StepArguments) -> dict[str, Any]:
    """Return the context of one step; paths are absolute."""
    run, pipeline, layout = site.run, site.plan.pipeline, site.layout
    places = run.places.step(plan.key)
    return {
        "version": VERSION,
        "run_id": run.id,
        "step": plan.key,
        "step_name": plan.label,
        "step_names": dict(site.step_names),
        "step_run_id": step_run_id(run, plan),
        "experiment": run.experiment,
        "tags": dict(pipeline.tags),
        "parameters": dict(run.parameters),
        "project_dir": str(layout.project),
        "run_dir": str(run.places.root),
        "step_dir": str(places.root),
        "artifacts_dir": str(places.artifacts),
        "models_dir": str(layout.models),
        "env_file": str(layout.project / ".env"),
        "workspace": {
            "name": pipeline.ws_name,
            "resource_group": pipeline.resource_group,
            "subscription_id": pipeline.subscription_id,
        },
        "environment_name": pipeline.env_of(plan.step),
        "compute_name": pipeline.compute_of(plan.step),
        "datastores": {
            name: {
                "container_name": store.container_name,
                "account_name": store.account_name,
                "root": str(layout.datastores / name),
            }
            for name, store in pipeline.datastores.items()
        },
        "datasets": {
            name: {**dataset_description(name, dataset), "local_path": str(local_path(dataset, layout.project))}
            for name, dataset in pipeline.datasets.items()
            if dataset.local_path is not None
        },
        "data_of_datastores": _data_of_datastores(pipeline, layout),
        "inputs": dict(given.inputs),
        "outputs": dict(given.outputs),
    }


def _data_of_datastores(pipeline: Pipeline, layout: ProjectPaths) -> dict[str, list[dict[str, Any]]]:
    """Return by datastores which of their paths the data of declared datasets stand for, and where these are."""
    found: dict[str, list[dict[str, Any]]] = {}
    for dataset in pipeline.datasets.values():
        if dataset.datastore_name and dataset.local_path is not None:
            described = {"paths": list(dataset.paths), "local_path": str(local_path(dataset, layout.project))}
            found.setdefault(dataset.datastore_name, []).append(described)
    return found


def step_run_id(run: LocalRunRecord, plan: StepPlan) -> str:
    """Return the id of the step's own run."""
    return f"{run.id}_{run.places.step(plan.key).root.name}"

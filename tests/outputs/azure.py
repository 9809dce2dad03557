"""The tasks on Azure ML, with the SDK against the stand-in of the service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.outputs.command import Command, invoke

_WEEKLY = "schedule: {frequency: Week, week_days: [Monday], time_of_day: '06:00', start_time: '2150-03-04T06:00:00'}"
_WATCHING = "schedule: {on_blob_change: {datastore_name: churn_blob, path_on_datastore: incoming}}"
_FILE = """\
ws_name: churn-ws
resource_group: churn-rg
subscription_id: 6f0cdd21-1111-4222-8333-944445555666
experiment_name: churn
env_name: churn-env
compute_name: cpu-cluster
pipeline_parameters: {alpha: 0.5}
publish: {name: churn, description: Weekly churn scores}
SCHEDULE
steps:
  prepare: {script_name: prepare.py, script_directory: steps, input_datasets: {--new-data: customers}}
  train:
    script_name: train.py
    script_directory: steps
    step_config: {lr: 2.0e-5}
    arguments: {--alpha: "${{ parameters.alpha }}"}
  evaluate: {script_name: evaluate.py, script_directory: steps}
environments: {churn-env: {pip_packages: [pandas]}}
datastores:
  churn_blob: {container_name: raw, account_name: churnstore, account_key: "${CHURN_KEY}"}
datasets:
  customers: {datastore_name: churn_blob, path: customers.csv, local_path: data/customers.csv}
computes: {cpu-cluster: {vm_size: STANDARD_DS3_V2, max_nodes: 2}}
targets:
  typo: {ws_name: chrun-ws}
  nowhere: {subscription_id: 6f0cdd21-1111-4222-8333-944445555667}
  cli: {auth: cli}
  off: {schedule: {enabled: false}}
""".replace("SCHEDULE", _WEEKLY)
_PROJECT = {
    "pipeline.yaml": _FILE,
    ".env": "CHURN_KEY=dG9wLXNlY3JldA==\n",
    "data/customers.csv": "id,age\n1,30\n2,40\n",
    **{f"steps/{name}.py": f"print({name!r})\n" for name in ("prepare", "train", "evaluate")},
}


def _with_container(service: Any) -> None:
    service.state.storage.add_container("churnstore", "raw")


def _holding(service: Any) -> None:
    service.on_submit = "hold"


def _executing(service: Any) -> None:
    service.on_submit = "execute"


def _finishing(service: Any) -> None:
    service.on_submit = "finish"


def runs() -> Iterator[Command]:
    """Yield registering, running, and looking at runs."""
    yield invoke("validate", files=_PROJECT, service=_with_container)
    yield invoke("doctor")
    for line in (
        "--dry register --upload",
        "register-csv",
        "register-env",
        "register-datastore",
        "register-csv",
        "register-compute",
        "register --upload",
        "register",
        "doctor",
        "run --target typo",
        "register --target nowhere",
        "doctor --target cli",
        "runs.list",
        "runs.show",
        "--dry run",
        "run",
        "run",
        "run --force",
        "run --set train.lr=0.1 --set alpha=0.75 --experiment trial",
        "run --set train.lrr=1",
        "run --only train",
        "runs.list",
        "runs.list --experiment trial",
        "runs.show",
        "runs.logs",
        "runs.logs --step train",
        "runs.logs --step trian",
    ):
        yield invoke(line)
    yield invoke("run --no-wait --force", service=_holding)
    yield invoke("--dry runs.cancel")
    yield invoke("runs.show")
    yield invoke("runs.cancel")
    yield invoke("runs.cancel")
    yield invoke(
        "run", files={"steps/train.py": "print('on')\nraise ValueError('no such column')\n"}, service=_executing
    )
    yield invoke("runs.show", service=_finishing)
    yield invoke(
        "run", files={"pipeline.yaml": _FILE.replace("compute_name: cpu-cluster", "compute_name: cpu-clustre")}
    )
    changed = _FILE.replace("[pandas]", "[pandas, scipy]").replace("max_nodes: 2", "max_nodes: 4")
    yield invoke("--dry register", files={"pipeline.yaml": changed})
    yield invoke("register")
    yield invoke("unregister-datastore churn_blob")
    yield invoke("unregister-datastore churn_blob")
    yield invoke("run", files={"steps/train.py": None})


def schedules() -> Iterator[Command]:
    """Yield publishing and scheduling."""
    yield invoke("register --upload", files=_PROJECT, service=_with_container)
    for line in (
        "published.list",
        "published.run",
        "schedules.list",
        "--dry publish",
        "publish",
        "publish",
        "published.list",
        "published.run",
        "published.run --set alpha=0.75 --experiment trial",
        "published.run --set train.lr=0.1",
        "published.run --version nothing",
        "--dry published.run",
        "--dry schedule",
        "schedule",
        "schedule",
        "schedule --run-now",
        "schedules.list",
        "schedules.list --all",
        "schedules.preview --count 3",
        "--dry schedules.pause",
        "schedules.pause",
        "schedules.pause",
        "schedules.resume",
        "schedules.resume",
        "schedules.pause --name nothing",
        "schedules.prune",
        "schedules.run",
        "schedule --target off",
        "schedule --target off --run-now",
        "schedules.list",
    ):
        yield invoke(line)
    yield invoke("schedule", files={"pipeline.yaml": _FILE.replace(_WEEKLY, _WATCHING)})
    yield invoke("schedules.list")
    yield invoke("schedule --run-now", files={"pipeline.yaml": _FILE})
    yield invoke("publish --prune", files={"steps/train.py": "print('changed')\n"})
    yield invoke("schedule")
    yield invoke("published.list")
    renamed = _FILE.replace("publish: {name: churn", "publish: {name: churn-two")
    yield invoke("schedule", files={"pipeline.yaml": renamed})
    yield invoke("schedules.prune")
    yield invoke("--dry schedules.prune --all")
    yield invoke("schedules.prune --all --yes")
    yield invoke("runs.list")
    yield invoke("--dry export-v2")
    yield invoke("export-v2")
    yield invoke("publish", files={"pipeline.yaml": _FILE.replace("env_name: churn-env", "env_name: chrun-env")})

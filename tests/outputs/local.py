"""Every task in its usual forms, in a project from the template that runs on this machine."""

from __future__ import annotations

from collections.abc import Iterator

from tests.outputs.command import Command, invoke

TASKS = """
doctor export-v2 graph lock new-step publish register register-compute register-csv register-datastore register-env run
schedule snapshot unregister-datastore validate published.list published.run runs.cancel runs.list runs.logs runs.prune
runs.show schedules.list schedules.pause schedules.preview schedules.prune schedules.resume schedules.run
"""
_WEEKLY = "{frequency: Week, week_days: [Monday], time_of_day: '06:00', start_time: '2150-03-04T06:00:00'}"


def commands() -> Iterator[Command]:
    yield invoke("--list")
    for task in TASKS.split():
        yield invoke(f"--help {task}")
    yield from _looking()
    yield from _running()
    yield from _looking_at_runs()
    yield from _adding()
    yield from _for_azure()
    yield from _registering()


def _looking() -> Iterator[Command]:
    for line in ("validate", "validate --strict", "--dry validate", "graph", "graph --mermaid", "doctor", "--dry run"):
        yield invoke(line)
    yield invoke("validate", folder="steps")
    yield invoke("runs.list")
    yield invoke("runs.show")
    yield invoke("runs.logs")
    yield invoke("runs.cancel")
    yield invoke("runs.prune")


def _running() -> Iterator[Command]:
    for line in (
        "run",
        "run",
        "--dry run",
        "--dry run --force",
        "run --force",
        "run --only train",
        "run --from-step train",
    ):
        yield invoke(line)
    yield invoke("--dry run --only evaluate")
    yield invoke("run --set prepare.max_rows=5 --experiment trial")
    yield invoke("run --no-wait")
    for line in (
        "run --set prepare.max_row=5",
        "run --set prepar.max_rows=5",
        "run --set max_rows=5",
        "run --set prepare.max_rows",
        "run --set",
        "run --only trian",
        "run --from-step trian",
        "run --only train --from-step train",
        "run --experiment 'not a name'",
        "run --target dev",
        "run --target prd",
        "run --nonsense",
        "run train",
        "rum",
        "run --target",
    ):
        yield invoke(line)


def _looking_at_runs() -> Iterator[Command]:
    for line in (
        "runs.list",
        "runs.list --most 2",
        "runs.list --most 0",
        "runs.list --most many",
        "runs.list --experiment trial",
        "runs.list --experiment none",
        "runs.show",
        "runs.show --run RUN1",
        "runs.show --run 2",
        "runs.show --run nothing",
        "runs.logs",
        "runs.logs --run RUN1 --step train",
        "runs.logs --step trian",
        "runs.cancel",
        "--dry runs.cancel",
        "--dry runs.prune --keep 2",
        "runs.prune --keep 2",
        "runs.prune --keep 0",
        "runs.prune --keep=-1",
        "runs.prune",
        "runs.list",
    ):
        yield invoke(line)


def _adding() -> Iterator[Command]:
    for line in (
        "--dry new-step report",
        "new-step report",
        "new-step report",
        "new-step early --after prepare --dataset customers",
        "new-step late --dataset unknown",
        "new-step other --after evalute",
        "new-step 'no name'",
        "new-step",
        "new-step --help",
        "graph",
        "validate",
    ):
        yield invoke(line)


def _for_azure() -> Iterator[Command]:
    for line in (
        "--dry export-v2",
        "export-v2",
        "export-v2",
        "schedule",
        "schedule --run-now",
        "schedules.list",
        "schedules.pause",
        "schedules.resume",
        "schedules.prune",
        "publish",
        "published.list",
        "published.run",
    ):
        yield invoke(line)
    with_schedule = "backend: local\nsteps: {train: {script_name: train.py, script_directory: steps}}\n"
    yield invoke("schedules.preview", files={"pipeline.yaml": f"{with_schedule}schedule: {_WEEKLY}\n"})
    for line in ("schedules.preview --count 3", "schedules.preview --count 0", "schedules.preview --count x"):
        yield invoke(line)
    yield invoke("schedule")
    yield invoke("--dry schedules.run")
    for schedule in (
        "{frequency: Day, hours: [6, 18], minutes: [0], start_time: '2150-03-04T06:00:00', time_zone: Europe/Berlin}",
        "{frequency: Month, interval: 1, start_time: '2150-01-31T06:00:00', time_zone: America/New_York}",
        "{frequency: Minute, interval: 90, start_time: '2150-01-31T06:00:00'}",
        "{on_blob_change: {datastore_name: churn_blob, path_on_datastore: incoming}}",
        "{frequency: Week, enabled: false, start_time: '2150-03-04T06:00:00'}",
    ):
        yield invoke("schedules.preview --count 4", files={"pipeline.yaml": f"{with_schedule}schedule: {schedule}\n"})
    yield invoke("schedules.preview", files={"pipeline.yaml": with_schedule})
    yield invoke("schedules.run --most 1")


def _registering() -> Iterator[Command]:
    for line in (
        "--dry register",
        "register",
        "register-env",
        "register-csv",
        "register-csv --upload",
        "register-datastore",
        "register-compute",
        "unregister-datastore churn_blob",
        "unregister-datastore",
    ):
        yield invoke(line)
    data = (
        "backend: local\nsteps: {train: {script_name: train.py, script_directory: steps}}\n"
        "datasets:\n  customers: {datastore_name: churn_blob, path: customers.csv, local_path: data/customers.csv}\n"
        "  typed: {datastore_name: churn_blob, path: n.csv, local_path: data/typed.csv, set_column_types: {n: int}}\n"
        "  gone: {datastore_name: churn_blob, path: gone.csv, local_path: data/gone.csv}\n"
    )
    yield invoke("register-csv", files={"pipeline.yaml": data, "data/typed.csv": "n,text\n1,a\nx,b\n"})
    yield invoke("validate")
    yield invoke("doctor")


_TARGETS = """\
backend: local
experiment_name: churn
steps:
  train: {script_name: train.py, step_config: {lr: 0.1}}
schedule: {frequency: Day, start_time: '2150-03-04T06:00:00'}
targets:
  small: {experiment_name: churn-small, steps: {train: {step_config: {lr: 0.5}}}}
  dev: {backend: azure, ws_name: churn-ws}
"""
_PRINT = "import sys\nprint(sys.argv[1:])\n"


def targets() -> Iterator[Command]:
    """Yield commands in a project whose targets differ, chosen in each of the ways that there are."""
    yield invoke("validate")
    yield invoke("run", files={"pipeline.yaml": _TARGETS, "train.py": _PRINT})
    yield invoke("run --target small")
    yield invoke("--dry run", variables={"INVOKE_AZML_TARGET": "small"})
    yield invoke("runs.list --target small")
    yield invoke("runs.show", variables={"INVOKE_AZML_TARGET": "small"})
    yield invoke("runs.logs --target small --step train")
    yield invoke("validate --target smal")
    yield invoke("validate --target dev")
    yield invoke("schedules.preview --count 2 --target small")
    yield invoke("runs.list --target dev")
    yield invoke("graph", files={"invoke.yaml": "azml: {target: smal}\n"})
    yield invoke("graph --target small")
    yield invoke("run", files={"invoke.yaml": "azml: {target: small}\n"})
    yield invoke("export-v2 --target dev")
    yield invoke("runs.prune --keep 1")
    yield invoke("run", files={"pipeline.yaml": f"{_TARGETS}  broken: {{backend: azur}}\n"})
    yield invoke("runs.list")

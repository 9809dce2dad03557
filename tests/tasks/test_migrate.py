"""`invoke migrate`: what it compares, and how it moves the schedule, with the packages of v1 and v2 together."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from tests.azure.connections import forget_connections
from tests.azure.v2.conftest import impatient
from tests.service.names import GROUP, SUBSCRIPTION, WORKSPACE
from tests.tasks.conftest import Answer, Invoke
from tests.tasks.test_interrupts import Interrupting, heeded

__all__ = ["heeded", "impatient"]

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK needs Python 3.11 or earlier")

PIPELINE = f"""\
backend: local
ws_name: {WORKSPACE}
resource_group: {GROUP}
subscription_id: {SUBSCRIPTION}
experiment_name: churn
env_name: churn-env
compute_name: cpu-cluster
steps:
  prepare: {{script_name: prepare.py, input_datasets: {{--new-data: customers}}}}
environments: {{churn-env: {{pip_packages: [pandas]}}}}
datastores: {{churn_blob: {{container_name: raw, account_name: churnstore}}}}
datasets: {{customers: {{datastore_name: churn_blob, path: customers.csv, set_column_types: {{id: long}}}}}}
computes: {{cpu-cluster: {{vm_size: STANDARD_D4DS_V4, max_nodes: 2}}}}
publish: {{name: churn}}
schedule: {{frequency: Week, interval: 2, week_days: [Monday], time_of_day: "06:00"}}
targets:
  prod: {{backend: azure}}
  v2: {{backend: azure-v2}}
  other: {{backend: azure-v2, ws_name: other-ws}}
  off: {{backend: azure-v2, schedule: {{enabled: false}}}}
  blob:
    backend: azure-v2
    schedule: {{frequency: null, interval: null, week_days: null, time_of_day: null,
      on_blob_change: {{datastore_name: churn_blob}}}}
"""
SCRIPT = """\
import argparse

from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--new-data")
parser.parse_args()
run = Run.get_context()
print(run.input_datasets["customers"].to_pandas_dataframe())
run.get_secret("KEY")
"""
MIGRATE = ("migrate", "--from", "prod", "--to", "v2")
COMMAND = "invoke migrate --from prod --to v2"
DONE = """\
  the schedule is enabled on prod and v2
  the schedule is enabled on v2 only
  note: set `schedule: {enabled: false}` in the target prod; until then, `invoke schedule --target prod` \
enables it again
"""


@pytest.fixture
def churn(azure_v2: Any, invoke: Invoke) -> Invoke:
    forget_connections()
    invoke.write("prepare.py", SCRIPT)
    invoke.write("pipeline.yaml", PIPELINE)
    return invoke


@pytest.fixture
def scheduled(azure_v2: Any, churn: Invoke) -> Invoke:
    """Return the project as it is in production on v1: registered, published and scheduled."""
    azure_v2.add_datastore("churn_blob", key=None)
    azure_v2.add_compute("cpu-cluster", "STANDARD_D4DS_V4")
    azure_v2.add_table("customers", "churn_blob", "customers.csv", {"id": "int"})
    assert churn("register-env", "--target", "prod").status == 0
    assert churn("schedule", "--target", "prod").status == 0
    return churn


def enabled(azure: Any) -> list[str]:
    """Return on which side the schedule is enabled."""
    on = ["v1" for item in azure.schedules.values() if item.active]
    return on + ["v2" for item in azure.schedules_v2.values() if item["isEnabled"]]


class Watching:
    """Record on which sides the schedule is enabled, after each request."""

    def __init__(self, azure: Any) -> None:
        self._azure = azure
        self.seen: list[list[str]] = []

    def __call__(self, request: Any) -> Watching:
        return self

    def __enter__(self) -> None:
        self.seen.append(enabled(self._azure))

    def __exit__(self, *_: object) -> None:
        self.__enter__()

    @property
    def states(self) -> list[str]:
        """The states in their order, each once."""
        found = ["+".join(one) for one in self.seen]
        return [one for place, one in enumerate(found) if place == 0 or one != found[place - 1]]


def move_of(answer: Answer) -> str:
    """Return what was printed about the move."""
    return answer.out.partition("\nmove\n")[2]


def test_both_targets_are_compared_and_nothing_is_written(azure_v2: Any, scheduled: Invoke) -> None:
    azure_v2.requests.clear()

    answer = scheduled("--dry", *MIGRATE)

    (published,) = azure_v2.published.values()
    out = re.sub(r"[0-9a-f]{12}", "VERSION", answer.out.replace(published.version, "VERSION"))
    assert re.sub(r"[A-Z]..( \d+){4}-\d\d-\d\d 06:00|Mon \S+ 06:00", "MONDAY", out) == (
        "from  pipeline.yaml in the workspace churn-ws (backend azure, target prod)\n"
        "to    pipeline.yaml in the workspace churn-ws (backend azure-v2, target v2)\n"
        "\n"
        "                       prod                    v2\n"
        "environment churn-env  registered (version 1)  missing\n"
        "datastore churn_blob   registered              registered\n"
        "dataset customers      registered (version 1)  see below\n"
        "compute cpu-cluster    registered              registered\n"
        "published pipeline     VERSION            none\n"
        "schedule               enabled                 none\n"
        "\n"
        "limits\n"
        "  pipeline.yaml:9: step 'prepare': its script reads a secret; set\n"
        "  AZML_KEY_VAULT_URL in environment_variables to the address of the key vault,\n"
        "  such as https://NAME.vault.azure.net\n"
        "  prepare.py:10: run.get_secret: in a job of v2, it reads the key vault whose\n"
        "  address is in the variable AZML_KEY_VAULT_URL (set it in\n"
        "  environment_variables), with the managed identity of the compute target, which\n"
        "  needs the role Key Vault Secrets User\n"
        "\n"
        "register\n"
        "  environment churn-env: would be created\n"
        "  datastore churn_blob: unchanged\n"
        "  compute cpu-cluster: unchanged\n"
        "  error: pipeline.yaml:12: the dataset 'customers' is not registered: v1 has a\n"
        "    dataset of this name in the workspace, and a v2 data asset of the same name\n"
        "    would break the v1 pipelines that read it, and could not be removed. Runs\n"
        "    read its files without it; to register it for others, rename the dataset,\n"
        "    for example to 'customers-v2'\n"
        "\n"
        "publish\n"
        "  churn VERSION: would be published\n"
        "\n"
        "schedule\n"
        "  schedule churn: would be created\n"
        "  note: it keeps these versions until `invoke schedule` is run again:\n"
        "  churn-env:new\n"
        "\n"
        "move\n"
        "  the schedule would be created on v2, next MONDAY UTC\n"
        "  the schedule would be disabled on prod\n"
    )
    writes = [record for record in azure_v2.requests if record.method in ("PUT", "PATCH", "DELETE")]
    assert (answer.status, answer.err, writes) == (0, "", [])
    assert enabled(azure_v2) == ["v1"]


def test_the_schedule_of_v2_is_enabled_before_that_of_v1_is_disabled(azure_v2: Any, scheduled: Invoke) -> None:
    (old,) = azure_v2.schedules.values()
    old.recurrence["StartTime"] = "2026-01-05T06:00:00"
    watching = azure_v2.around = Watching(azure_v2)

    answer = scheduled(*MIGRATE, "--yes")

    moved = move_of(answer)
    assert re.sub(r"[0-9a-f]{12}", "VERSION", moved) == (
        "  churn VERSION: published\n"
        "  schedule churn: created\n"
        "  note: it keeps these versions until `invoke schedule` is run again: churn-env:1\n" + DONE
    )
    assert (answer.status, answer.err) == (0, "")
    assert watching.states == ["v1", "v1+v2", "v2"]
    (new,) = azure_v2.schedules_v2.values()
    # Every second week goes on in the same weeks.
    assert new["trigger"]["startTime"].replace("T", " ") == "2026-01-05 06:00:00"
    assert "azml_tasks.replaces" not in new["tags"]
    times = [re.findall(r"next (.*?);", scheduled("schedules.list", "--target", name).out) for name in ("v2", "prod")]
    assert (len(times[0]), times[1]) == (1, [])
    assert times[0][0] in scheduled("schedule", "--target", "v2").out

    again = scheduled(*MIGRATE, "--yes")
    assert move_of(again) == "  nothing to move: the schedule is enabled on v2 and not on prod\n"
    assert enabled(azure_v2) == ["v2"]


def test_without_a_terminal_it_needs_yes(azure_v2: Any, scheduled: Invoke) -> None:
    answer = scheduled(*MIGRATE)

    assert (answer.status, answer.err) == (
        2,
        "nothing changed: cannot ask for confirmation in CI or without a terminal; use --yes to move the schedule\n",
    )
    assert enabled(azure_v2) == ["v1"]


OLD, NEW = "pipelines/v1.0/.*/Schedules/[^/]+$", "management.azure.com/.*/schedules/churn$"
# Each request of the move that changes something.
CUTS = {
    "at the environment": ("PUT", "/environments/churn-env/versions/1$", 0),
    "at the published version": ("PUT", "/components/churn/versions/", 0),
    "at the new schedule": ("PUT", NEW, 0),
    "when both are enabled": ("PUT", OLD, 0),
    "when the old one is disabled": ("PUT", NEW, 1),
}


class Cutting(Interrupting):
    """Send a signal to this process before a request."""

    def __init__(self, method: str, path: str, skip: int) -> None:
        super().__init__(skip, signal.SIGINT)
        self._method, self._path = method, path
        self.is_answered = threading.Event()

    def __call__(self, request: Any) -> Any:
        matches = request.method == self._method and re.search(self._path, request.host + request.path)
        return self if matches else contextlib.nullcontext()

    def __exit__(self, *_: object) -> None:
        if self.is_done:
            self.is_answered.set()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("cut", CUTS)
def test_a_move_that_is_cut_off_is_named_by_doctor_and_completed_by_the_next(
    azure_v2: Any, scheduled: Invoke, cut: str
) -> None:
    cutting = azure_v2.around = Cutting(*CUTS[cut])

    answer = scheduled(*MIGRATE, "--yes")

    assert cutting.is_answered.wait(20)
    assert (answer.status, answer.err) == (
        1,
        f"interrupted; the schedule may be enabled on both targets; run `{COMMAND}` to complete the move\n",
    )
    azure_v2.around = watching = Watching(azure_v2)
    was = enabled(azure_v2)
    assert was
    is_begun = any("azml_tasks.replaces" in schedule["tags"] for schedule in azure_v2.schedules_v2.values())
    for target in ("prod", "v2"):
        found = scheduled("doctor", "--target", target).out
        message = "the schedule is being moved from prod to v2, and may be enabled on both"
        assert (f"error {message}\n      -> {COMMAND}\n" in found) == is_begun
        assert found.count("is being moved from") == is_begun

    again = scheduled(*MIGRATE, "--yes")

    assert again.status == 0, again
    assert enabled(azure_v2) == ["v2"]
    assert all(watching.seen)
    assert len(azure_v2.schedules) == len(azure_v2.schedules_v2) == 1
    assert "being moved" not in scheduled("doctor", "--target", "v2").out
    assert "being moved" not in scheduled("doctor", "--target", "prod").out


class Killing:
    """Kill a process before a request."""

    process: subprocess.Popen[bytes]

    def __call__(self, request: Any) -> Any:
        if re.search(OLD, request.host + request.path) and request.method == "PUT":
            self.process.kill()
            self.process.wait()
        return contextlib.nullcontext()


def test_a_move_whose_process_is_killed_is_completed_by_the_next(azure_v2: Any, scheduled: Invoke) -> None:
    scheduled.write("tasks.py", "from azml_tasks.tasks import namespace\n")
    killing = azure_v2.around = Killing()
    command = [sys.executable, "-W", "ignore", "-m", "invoke", *MIGRATE, "--yes"]
    killing.process = subprocess.Popen(command, cwd=scheduled.folder, stdout=subprocess.DEVNULL)

    assert killing.process.wait(120) == -signal.SIGKILL
    azure_v2.around = watching = Watching(azure_v2)
    assert "v2" in enabled(azure_v2)
    assert f"-> {COMMAND}\n" in scheduled("doctor", "--target", "v2").out
    assert scheduled(*MIGRATE, "--yes").status == 0
    assert enabled(azure_v2) == ["v2"]
    assert all(watching.seen)


def test_a_move_that_azure_refuses_to_complete_says_that_both_are_enabled(azure_v2: Any, scheduled: Invoke) -> None:
    azure_v2.fail("PUT", OLD, status=403)

    answer = scheduled(*MIGRATE, "--yes")

    assert move_of(answer).splitlines()[-1] == "  the schedule is enabled on prod and v2"
    assert answer.status == 2
    assert answer.err.splitlines()[-1] == (
        f"the schedule is enabled on prod and v2; run `{COMMAND}` to complete the move"
    )
    assert enabled(azure_v2) == ["v1", "v2"]
    note = "note: it replaces the schedule of the target 'prod', which may still be enabled, too\n"
    assert note in scheduled("schedule", "--target", "v2").out
    assert move_of(scheduled("--dry", *MIGRATE)) == "  the schedule would be disabled on prod\n"
    assert move_of(scheduled(*MIGRATE, "--yes")) == DONE
    assert enabled(azure_v2) == ["v2"]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("skip", "state", "on"),
    [(0, "enabled on prod, and possibly on v2", ["v1"]), (1, "enabled on v2 only", ["v2"])],
)
def test_a_refusal_of_v2_says_what_is_enabled(
    azure_v2: Any, scheduled: Invoke, skip: int, state: str, on: list[str]
) -> None:
    azure_v2.fail("PUT", NEW, status=403, skip=skip)

    answer = scheduled(*MIGRATE, "--yes")

    assert answer.err.splitlines()[-1] == f"the schedule is {state}; run `{COMMAND}` to complete the move"
    assert enabled(azure_v2) == on
    assert scheduled(*MIGRATE, "--yes").status == 0
    assert enabled(azure_v2) == ["v2"]
    assert "azml_tasks.replaces" not in azure_v2.schedules_v2["churn"]["tags"]


@pytest.mark.parametrize("status", [0, 500])
def test_lost_answers_make_no_second_schedule(azure_v2: Any, scheduled: Invoke, status: int) -> None:
    for path in (NEW, OLD):
        azure_v2.fail("PUT", path, status=status, before_effect=False)

    assert scheduled(*MIGRATE, "--yes").status == 0

    assert enabled(azure_v2) == ["v2"]
    assert len(azure_v2.schedules) == len(azure_v2.schedules_v2) == 1


def test_a_schedule_that_somebody_enabled_on_both_is_found_and_moved(azure_v2: Any, scheduled: Invoke) -> None:
    scheduled("schedule", "--target", "v2")
    message = "error the schedule 'churn' is enabled on prod and v2\n"

    assert f"{message}      -> {COMMAND}\n" in scheduled("doctor", "--target", "prod").out
    assert move_of(scheduled("--dry", *MIGRATE)).splitlines()[1] == "  the schedule would be disabled on prod"
    assert scheduled(*MIGRATE, "--yes").status == 0
    assert enabled(azure_v2) == ["v2"]
    assert message not in scheduled("doctor", "--target", "prod").out


def test_nothing_is_moved_that_would_not_run(azure_v2: Any, scheduled: Invoke) -> None:
    del azure_v2.computes["cpu-cluster"]
    missing = scheduled(*MIGRATE, "--yes")
    azure_v2.add_compute("cpu-cluster", "STANDARD_D4DS_V4")
    off = scheduled(*MIGRATE[:-1], "off", "--yes")
    blob = scheduled(*MIGRATE[:-1], "blob", "--yes")

    assert (missing.status, missing.err) == (
        2,
        "the schedule is not moved, because its runs on v2 would fail:\n"
        "  the compute 'cpu-cluster' is missing\n"
        "run `invoke register --target v2` to create what pipeline.yaml declares\n",
    )
    assert re.fullmatch(
        r"pipeline.yaml:\d+: the schedule is disabled on off; remove `enabled: false` to move it\n", off.err
    )
    assert "\nlimits\n  pipeline.yaml:9: step 'prepare': its script reads a secret" in blob.out
    assert re.search(r"\n  error: pipeline.yaml:\d+: Azure ML v2 has no schedules on blob changes", blob.out)
    assert blob.err == "the schedule is not moved, because `invoke publish --target blob` would fail\n"
    assert enabled(azure_v2) == ["v1"]


def test_a_schedule_that_is_not_enabled_is_not_moved(azure_v2: Any, scheduled: Invoke) -> None:
    scheduled("schedules.pause", "--target", "prod")

    answer = scheduled(*MIGRATE, "--yes")

    assert move_of(answer) == (
        "  nothing to move: the schedule is not enabled on prod; create that of v2 with `invoke schedule --target v2`\n"
    )
    assert enabled(azure_v2) == []


def test_another_move_is_completed_first(azure_v2: Any, scheduled: Invoke) -> None:
    scheduled("schedule", "--target", "v2")
    azure_v2.schedules_v2["churn"]["tags"]["azml_tasks.replaces"] = "test"

    assert scheduled(*MIGRATE, "--yes").err == (
        "the schedule of v2 replaces that of test, which is not complete; first run "
        "`invoke migrate --from test --to v2`\n"
    )
    assert enabled(azure_v2) == ["v1", "v2"]


TWO = "name two targets of pipeline.yaml: --from one with backend azure, --to one with backend azure-v2"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--to v2", TWO),
        ("--from prod", TWO),
        ("--from v2 --to v2", "--from: the backend of 'v2' is azure-v2; it must be azure"),
        ("--from prod --to prod", "--to: the backend of 'prod' is azure; it must be azure-v2"),
    ],
)
def test_both_targets_are_required(churn: Invoke, words: str, sentence: str) -> None:
    answer = churn("migrate", *words.split())
    assert (answer.out, answer.err, answer.status) == ("", f"{sentence}\n", 2)


def test_a_file_without_a_target_for_v2(invoke: Invoke) -> None:
    invoke.write("a.py", "")
    invoke.write("pipeline.yaml", "steps:\n  a: {script_name: a.py}\ntargets:\n  prod: {backend: azure}\n")

    answer = invoke("migrate", "--from", "prod", "--to", "prod-v2")

    assert (answer.out, answer.status) == ("", 2)
    assert answer.err == (
        "pipeline.yaml has no target with backend azure-v2; add one under targets, such as "
        "`prod-v2: {backend: azure-v2}`, and select it with --to prod-v2\n"
    )


@pytest.mark.parametrize("has_extras", [False, True])
def test_a_missing_package_is_named_with_both(churn: Invoke, monkeypatch: pytest.MonkeyPatch, has_extras: bool) -> None:
    monkeypatch.setattr("azml_tasks.azure.v2.client.connection._is_there", lambda name: False)
    extras = "[project.optional-dependencies]\nazure = []\nazure-v2 = []\n"
    (churn.folder / "pyproject.toml").write_text(extras if has_extras else "")

    answer = churn(*MIGRATE)

    package = '-e ".[{}]"' if has_extras else '"azml-tasks[{}]"'
    assert answer.status == 2
    assert answer.err == (
        "Microsoft's client for Azure ML v2 (azure-ai-ml) is not installed: run pip install "
        f"{package.format('azure-v2')}\n"
        "`invoke migrate` needs the packages of v1 and v2; on Python 3.10 or 3.11 they can be installed together: pip "
        f"install {package.format('azure,azure-v2')}\n"
    )

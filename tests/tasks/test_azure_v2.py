"""The tasks on Azure ML v2: what they print, how they end, and what reaches the service."""

from __future__ import annotations

import re

import pytest

from tests.azure.v2.conftest import impatient
from tests.service.names import GROUP, SUBSCRIPTION, WORKSPACE

__all__ = ["impatient"]

PIPELINE = f"""\
backend: local
ws_name: {WORKSPACE}
resource_group: {GROUP}
subscription_id: {SUBSCRIPTION}
experiment_name: churn
env_name: churn-env
compute_name: cpu-cluster
steps:
  prepare: {{script_name: prepare.py, script_directory: steps, input_datasets: {{--new-data: customers}}}}
  train: {{script_name: train.py, script_directory: steps, step_config: {{lr: 2.0e-5}}}}
environments: {{churn-env: {{pip_packages: [pandas]}}}}
datastores:
  churn_blob: {{container_name: raw, account_name: churnstore, account_key: "${{CHURN_STORAGE_KEY}}"}}
datasets:
  customers: {{datastore_name: churn_blob, path: customers.csv, local_path: data/customers.csv}}
computes: {{cpu-cluster: {{vm_size: STANDARD_D4DS_V4, max_nodes: 2}}}}
publish: {{name: churn}}
schedule: {{frequency: Day, time_of_day: "06:00"}}
targets:
  v2: {{backend: azure-v2}}
  blob:
    backend: azure-v2
    schedule: {{frequency: null, time_of_day: null, on_blob_change: {{datastore_name: churn_blob}}}}
"""
V2 = ("--target", "v2")
SCRIPT = """\
import argparse

from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--new-data")
parser.add_argument("--output-folder")
parser.parse_args()
run = Run.get_context()
run.log("rows", len(run.input_datasets["customers"].to_pandas_dataframe()))
"""


@pytest.fixture
def churn(azure_v2, invoke):
    invoke.write("steps/prepare.py", SCRIPT)
    invoke.write("steps/train.py", "print('trained')\n")
    invoke.write("data/customers.csv", "id,age\n1,30\n2,40\n3,50\n")
    invoke.write(".env", "CHURN_STORAGE_KEY=dG9wLXNlY3JldA==\n")
    invoke.write("pipeline.yaml", PIPELINE)
    return invoke


@pytest.fixture
def registered(azure_v2, churn):
    assert churn("register", *V2, "--upload").status == 0
    azure_v2.on_submit = "execute"
    return churn


def test_a_run_is_followed_and_looked_at(azure_v2, registered):
    done = registered("run", *V2)
    shown = registered("runs.show", *V2)
    listed = registered("runs.list", *V2, "--metrics", "rows")
    logs = registered("runs.logs", *V2, "--step", "train")

    lines = done.out.splitlines()
    assert done.status == 0
    assert done.err == ""
    assert lines[0] == "pipeline.yaml in the workspace churn-ws (backend azure-v2, target v2)"
    assert any(re.match(r"prepare: completed", line) for line in lines)
    assert "rows" in shown.out
    assert re.search(r"rows = 3\n", shown.out)
    assert azure_v2.job.name[:8] in listed.out
    assert "trained" in logs.out


def test_a_run_reports_and_compares(azure_v2, registered):
    registered("run", *V2)

    report = registered("runs.report", *V2)

    assert report.status == 0
    page = next(registered.folder.rglob("*.html")).read_text(encoding="utf-8")
    assert "prepare" in page
    assert "rows" in page


def test_a_run_that_is_not_waited_for_is_cancelled(azure_v2, registered):
    azure_v2.on_submit = "hold"
    sent = registered("run", *V2, "--no-wait")
    cancelled = registered("runs.cancel", *V2)

    assert f"check its progress with `invoke runs.show --target v2 --run {azure_v2.job.name}`" in sent.out
    assert cancelled.status == 0
    assert azure_v2.workspace.runs[azure_v2.job.name].status == "Canceled"


def test_plan_shows_everything_and_changes_nothing(azure_v2, churn):
    azure_v2.requests.clear()

    plan = churn("plan", *V2)

    assert "environment churn-env: would be created" in plan.out
    assert re.search(r"churn [0-9a-f]{12}: would be published", plan.out)
    assert "schedule churn: would be created" in plan.out
    assert "prepare  MAY RUN" in plan.out
    assert plan.status == 0
    assert [record for record in azure_v2.requests if record.method in ("PUT", "PATCH", "DELETE")] == []


def test_publishing_scheduling_and_running_what_is_published(azure_v2, registered):
    published = registered("publish", *V2)
    scheduled = registered("schedule", *V2, "--run-now")
    listed = registered("schedules.list", *V2)
    versions = registered("published.list", *V2)

    version = published.out.split()[1].rstrip(":")
    assert published.out == f"churn {version}: published\n"
    assert f"churn {version}: unchanged" in scheduled.out
    assert "schedule churn: created" in scheduled.out
    assert "every day at 06:00, UTC; next " in scheduled.out
    assert "note: it keeps these versions until `invoke schedule` is run again: churn-env:1" in scheduled.out
    assert f"run {azure_v2.job.name} of {version}, experiment churn" in scheduled.out
    assert listed.out.startswith("enabled   churn: every day at 06:00, UTC; next ")
    assert versions.out.splitlines()[0] == "churn: a component of the workspace churn-ws"
    assert versions.out.splitlines()[1].split() == [version, "default"]


def test_validate_knows_the_rules_of_the_target(churn):
    sound = churn("validate", *V2)
    refused = churn("validate", "--target", "blob")

    assert sound.status == 0
    assert refused.status == 2
    assert re.search(r"pipeline.yaml:\d+: Azure ML v2 has no schedules on blob changes", refused.err + refused.out)


def test_doctor_suggests_what_to_register(azure_v2, churn):
    before = churn("doctor", *V2)
    churn("register", *V2, "--upload")
    after = churn("doctor", *V2)

    assert re.search(r"ok +Microsoft.s client for Azure ML v2: azure-ai-ml ", before.out)
    assert "-> invoke register-env --target v2" in before.out
    assert before.status == 2
    assert re.search(r"ok +the workspace .churn-ws. was opened", after.out)
    assert after.status == 0


def test_what_runs_elsewhere_is_refused_in_a_sentence(churn):
    for words, sentence in (
        (("run", *V2, "--only", "train"), "--from-step and --only work only in local runs"),
        (("run", *V2, "--only", "train", "--pdb"), "--pdb and --debugpy work only in local runs"),
        (("schedules.run", *V2), "schedules.run is for the backend local"),
    ):
        answer = churn(*words)
        assert answer.status == 2
        assert sentence in answer.err


@pytest.mark.parametrize(
    "words",
    [
        "plan",
        "register",
        "run",
        "publish",
        "published.list",
        "published.run",
        "schedule",
        "schedules.list",
        "schedules.pause",
        "schedules.prune",
        "models.list",
        "datasets.list",
    ],
)
def test_nothing_is_said_of_what_is_in_a_workspace_that_does_not_exist(churn, words):
    churn.write("pipeline.yaml", PIPELINE.replace(WORKSPACE, "chrun-ws"))
    there = f"which has '{WORKSPACE}'; did you mean '{WORKSPACE}'?"
    line = f"no workspace 'chrun-ws' in the resource group '{GROUP}', {there}"

    answer = churn(words, *V2)

    assert answer.status == 2
    assert line in " ".join(answer.out.split()) if words == "plan" else answer.err == f"{line}\n"


def test_a_download_goes_on_after_a_file_that_is_gone_and_ends_with_the_status_1(azure_v2, registered):
    registered("run", *V2)
    azure_v2.fail("GET", "blob.core.windows.net/.*/std_log.txt$", status=404, times=1)

    done = registered("runs.download", *V2, "--to", "got")
    again = registered("runs.download", *V2, "--to", "got")

    account = azure_v2.datastores["workspaceblobstore"].account
    assert (done.err, done.status) == (
        f"downloading prepare/user_logs/std_log.txt failed: {account}.blob.core.windows.net answered 404 Not Found.\n",
        1,
    )
    assert "train: 1 file" in done.out
    assert "prepare: 1 file" in again.out
    assert again.status == 0

"""The tasks on Azure ML: what they print, how they end, and what reaches the service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import pytest

from tests.azure.connections import forget_connections
from tests.service.names import GROUP, PASSWORD, SUBSCRIPTION, TENANT, WORKSPACE
from tests.tasks.conftest import Answer, Invoke

if TYPE_CHECKING:
    from tests.service.service import Service

KEY = "dG9wLXNlY3JldA=="
PIPELINE = f"""\
backend: local
ws_name: {WORKSPACE}
resource_group: {GROUP}
subscription_id: {SUBSCRIPTION}
experiment_name: churn
env_name: churn-env
compute_name: cpu-cluster
pipeline_parameters: {{alpha: 0.5}}
steps:
  prepare: {{script_name: prepare.py, script_directory: steps, input_datasets: {{--new-data: customers}}}}
  train:
    script_name: train.py
    script_directory: steps
    step_config: {{lr: 2.0e-5}}
    arguments: {{--alpha: "${{{{ parameters.alpha }}}}"}}
  evaluate: {{script_name: evaluate.py, script_directory: steps}}
environments: {{churn-env: {{pip_packages: [pandas]}}}}
datastores:
  churn_blob: {{container_name: raw, account_name: churnstore, account_key: "${{CHURN_STORAGE_KEY}}"}}
datasets:
  customers: {{datastore_name: churn_blob, path: customers.csv, local_path: data/customers.csv}}
computes: {{cpu-cluster: {{vm_size: STANDARD_DS3_V2, max_nodes: 2}}}}
targets:
  dev: {{backend: azure}}
  typo: {{backend: azure, ws_name: chrun-ws}}
  cli: {{backend: azure, auth: cli}}
"""
FIRST_LINE = "pipeline.yaml in the workspace churn-ws (backend azure, target dev)"
URL = (
    f"https://ml.azure.com/runs/RUN?wsid=/subscriptions/{SUBSCRIPTION}/resourcegroups/{GROUP}"
    f"/workspaces/{WORKSPACE}&tid={TENANT}"
)
DEV = ("--target", "dev")


@pytest.fixture
def churn(azure: Service, invoke: Invoke) -> Invoke:
    forget_connections()
    azure.state.storage.add_container("churnstore", "raw")
    for name in ("prepare", "train", "evaluate"):
        invoke.write(f"steps/{name}.py", f"print({name!r})\n")
    invoke.write("data/customers.csv", "id,age\n1,30\n2,40\n3,50\n")
    invoke.write(".env", f"CHURN_STORAGE_KEY={KEY}\n")
    invoke.write("pipeline.yaml", PIPELINE)
    return invoke


@pytest.fixture
def registered(azure: Service, churn: Invoke) -> Invoke:
    churn("register", *DEV, "--upload")
    azure.requests.clear()
    return churn


def told(azure: Service, text: str) -> list[str]:
    """Return the lines with what differs from run to run made the same."""
    for identifier in azure.runs:
        text = text.replace(identifier, "RUN")
    return re.sub(r"\d+(\.\d+)? s\b", "TIME", text).splitlines()


def written(azure: Service) -> list[str]:
    """Return what was asked of the service that changes something."""
    return [str(record) for record in azure.requests if record.method not in ("GET", "HEAD")]


def test_register_makes_what_the_file_declares_and_the_second_time_changes_nothing(azure, churn):
    dry = churn("--dry", "register", *DEV, "--upload")
    assert (written(azure)[1:], dry) == (
        [],  # but for the login
        Answer(
            "environment churn-env: would be created\n"
            "datastore churn_blob: would be created (raw in churnstore)\n"
            "dataset customers: would be created (1 file to upload)\n"
            "compute cpu-cluster: would be created (STANDARD_DS3_V2, 0 to 2 nodes)\n",
            "",
            0,
        ),
    )
    assert churn("register", *DEV, "--upload") == Answer(
        "environment churn-env: created (version 1)\n"
        "datastore churn_blob: created (raw in churnstore)\n"
        "dataset customers: created (1 file uploaded; version 1)\n"
        "compute cpu-cluster: created (STANDARD_DS3_V2, 0 to 2 nodes)\n",
        "",
        0,
    )
    azure.requests.clear()
    assert churn("register", *DEV) == Answer(
        "environment churn-env: unchanged (version 1)\n"
        "datastore churn_blob: unchanged\n"
        "dataset customers: unchanged (version 1)\n"
        "compute cpu-cluster: unchanged\n",
        "",
        0,
    )
    assert written(azure) == []


def test_each_part_is_registered_by_a_task_of_its_own(azure, churn):
    tasks = ("register-env", "register-datastore", "register-compute")
    assert [churn(task, *DEV).out.split(" (")[0] for task in tasks] == [
        "environment churn-env: created",
        "datastore churn_blob: created",
        "compute cpu-cluster: created",
    ]
    assert churn("unregister-datastore", "churn_blob", *DEV).out == "datastore churn_blob: removed\n"
    assert churn("unregister-datastore", "churn_blob", *DEV).out == (
        "datastore churn_blob: unchanged (it was not registered)\n"
    )


def test_register_csv_puts_the_file_into_its_datastore_when_asked_to(azure, churn):
    churn("register-datastore", *DEV)
    missing = churn("register-csv", *DEV)
    assert (missing.status, missing.err) == (
        2,
        "the dataset 'customers': there is nothing to read at customers.csv in the datastore 'churn_blob'; "
        "`invoke register-csv --target dev --upload` puts its local_path there\n",
    )
    assert churn("register-csv", *DEV, "--upload").out == "dataset customers: created (1 file uploaded; version 1)\n"

    churn.write("data/customers.csv", "id,age\n9,90\n")
    assert churn("--dry", "register-csv", *DEV, "--upload").out == (
        "dataset customers: would be updated (1 file to upload)\n"
    )
    assert azure.blob("churnstore", "raw", "customers.csv") == b"id,age\n1,30\n2,40\n3,50\n"
    assert churn("register-csv", *DEV, "--upload").out == "dataset customers: unchanged (1 file uploaded; version 1)\n"
    assert azure.blob("churnstore", "raw", "customers.csv") == b"id,age\n9,90\n"


def test_a_run_tells_of_its_steps_and_an_unchanged_one_reuses_them(azure, registered):
    first = registered("run", *DEV)
    again = registered("run", *DEV)

    assert (first.err, first.status) == ("", 0)
    assert told(azure, first.out) == [
        FIRST_LINE,
        "run RUN of experiment churn: 3 steps on Azure ML",
        URL,
        "prepare: completed after TIME",
        "train: completed after TIME",
        "evaluate: completed after TIME",
        "run RUN completed after TIME",
    ]
    assert told(azure, again.out)[3:] == [
        "prepare: reused from RUN",
        "train: reused from RUN",
        "evaluate: reused from RUN",
        "run RUN completed after TIME",
    ]
    assert [run.experiment for run in azure.submitted] == ["churn", "churn"]
    assert sorted(module.name for module in azure.modules.values()) == ["evaluate", "prepare", "train"]


def test_a_setting_travels_as_a_pipeline_parameter_and_makes_no_module(azure, registered):
    registered("run", *DEV)
    answer = registered("run", *DEV, "--set", "train.lr=0.1", "--set", "alpha=0.75", "--experiment", "trial")

    assert told(azure, answer.out)[3:6] == [
        "prepare: reused from RUN",
        "train: completed after TIME",
        "evaluate: completed after TIME",
    ]
    assert (azure.submitted[-1].parameters, azure.submitted[-1].experiment) == (
        {"train_config": '{"lr": 0.1}', "alpha": "0.75"},
        "trial",
    )
    assert len(azure.modules) == 3


def test_a_failing_script_ends_the_run_with_its_traceback_and_exit_status_1(azure, registered):
    azure.on_submit = "execute"
    registered.write("steps/train.py", "print('started')\nraise ValueError('no such column: age')\n")

    answer = registered("run", *DEV)

    assert answer.status == 1
    out = told(azure, answer.out)
    assert out[-3:] == ["train: failed after TIME", "evaluate: skipped", "run RUN failed after TIME"]
    first, *log, last, skipped, logs, again, url = told(azure, answer.err)
    assert first == (
        "step 'train' failed: Execution failed. User process 'python' exited with status code 1. "
        "Please check log file 'user_logs/std_log.txt' for error details."
    )
    assert (log[0], last) == ("  started", "  ValueError: no such column: age")
    assert (skipped, logs, again, url) == (
        "skipped: evaluate",
        "`invoke runs.logs --target dev --run RUN` prints all that its steps printed",
        "`invoke run --target dev` goes on from there: steps that have completed are reused",
        URL,
    )
    printed = registered("runs.logs", *DEV, "--step", "prepare")
    assert printed == Answer("prepare\n", "", 0)


def test_a_script_that_lacks_a_package_is_told_which_environment_is_to_have_it(azure, registered):
    azure.on_submit = "execute"
    registered.write("steps/train.py", "import no_such_package\n")

    err = told(azure, registered("run", *DEV).err)

    assert err[-6:-4] == [
        "  ModuleNotFoundError: No module named 'no_such_package'",
        "'no_such_package' is neither in the step's snapshot nor in its environment: add no_such_package to "
        "pip_packages of the environment 'churn-env'",
    ]


def test_a_module_of_the_project_is_never_to_be_installed_on_the_cluster(azure, registered):
    azure.on_submit = "execute"
    registered.write("lib/cleaning.py", "")
    registered.write("steps/train.py", "import cleaning\n")

    err = told(azure, registered("run", *DEV).err)

    assert err[-6:-4] == [
        "  ModuleNotFoundError: No module named 'cleaning'",
        "module 'cleaning' is in the project (lib/cleaning.py), but lib is not on the import path: "
        "set PYTHONPATH=lib, or import it as `lib.cleaning`",
    ]


def test_no_wait_returns_at_once_and_says_how_to_look_at_the_run(azure, registered):
    azure.on_submit = "hold"

    answer = registered("run", *DEV, "--no-wait")

    assert answer.status == 0
    assert told(azure, answer.out)[1:] == [
        "run RUN of experiment churn: 3 steps on Azure ML",
        URL,
        "`invoke runs.show --target dev --run RUN` shows how far it is",
    ]
    assert azure.runs[azure.submitted[-1].id].status == "Running"


def test_a_dry_run_names_the_steps_and_asks_azure_nothing(azure, registered):
    assert registered("--dry", "run", *DEV) == Answer(f"{FIRST_LINE}\nwould submit prepare, train, evaluate\n", "", 0)
    (registered.folder / "steps" / "train.py").unlink()
    assert registered("--dry", "run", *DEV) == Answer(
        f"{FIRST_LINE}\n",
        "pipeline.yaml:12: step 'train': steps/train.py: there is no such script\n",
        2,
    )
    assert list(azure.requests) == []


def test_runs_are_listed_shown_and_cancelled(azure, registered):
    registered("run", *DEV)
    azure.on_submit = "hold"
    registered("run", *DEV, "--no-wait", "--set", "train.lr=0.1")
    first, second = (run.id for run in azure.submitted)

    rows = [line.split() for line in registered("runs.list", *DEV).out.splitlines()]
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("RUN", "STATUS", "EXPERIMENT"),
        (second, "running", "churn"),
        (first, "completed", "churn"),
    ]
    shown = told(azure, registered("runs.show", *DEV).out)
    assert shown[0] == "run RUN of experiment churn: running, TIME"
    assert [re.sub(" +", " ", line) for line in shown[2:]] == [
        URL,
        'parameter train_config = {"lr": 0.1}',
        "parameter alpha = 0.5",
        "STEP STATUS TIME WHY",
        "prepare reused TIME reused from RUN",
        "train running TIME",
    ]
    assert registered("--dry", "runs.cancel", *DEV).out == f"would cancel {second}, which is running\n"
    assert registered("runs.cancel", *DEV).out == f"Azure ML was asked to cancel {second}\n"
    assert azure.runs[second].status == "Canceled"
    assert registered("runs.cancel", *DEV) == Answer("", f"the run {second} is over: it was cancelled\n", 1)
    assert registered("runs.logs", *DEV, "--run", first[:8], "--step", "train").out == (
        "Step train ran on the stand-in.\n"
    )


@pytest.mark.parametrize("task", ["runs.list", "runs.show", "runs.logs", "runs.cancel"])
def test_an_experiment_without_runs_says_what_makes_one(churn, task):
    answer = churn(task, *DEV)
    assert answer == Answer(
        "", "nothing has been run in the experiment 'churn' yet; `invoke run --target dev` does\n", 1
    )


@pytest.mark.parametrize("words", [["run"], ["register"], ["runs.list"], ["--dry", "register"]])
def test_a_mistyped_workspace_is_not_made_and_the_one_that_is_there_is_named(azure, churn, words):
    answer = churn(*words, "--target", "typo")

    assert (answer.err, answer.status) == (
        "there is no workspace 'chrun-ws' in the resource group 'churn-rg', which has 'churn-ws'; "
        "did you mean 'churn-ws'?\n",
        2,
    )
    assert [workspace.name for workspace in azure.state.workspaces.values()] == ["churn-ws"]


def test_what_the_workspace_lacks_is_named_before_anything_is_sent(azure, registered):
    registered.write("pipeline.yaml", PIPELINE.replace("compute_name: cpu-cluster", "compute_name: cpu-clustre"))

    answer = registered("run", *DEV)

    assert (answer.err, answer.status) == (
        "the workspace 'churn-ws' has no compute 'cpu-clustre'; did you mean 'cpu-cluster'?\n",
        2,
    )
    assert (azure.submitted, azure.modules) == ([], {})


def test_what_the_file_lacks_is_said_before_azure_is_asked(azure, churn, monkeypatch):
    churn.write("pipeline.yaml", PIPELINE.replace("compute_name: cpu-cluster\n", "").replace("ws_name: churn-ws\n", ""))
    needed = "has no compute: Azure needs compute_name, in the step or at the top of the file"
    for task in (["run"], ["--dry", "run"], ["validate"]):
        assert churn(*task, *DEV) == Answer(
            "" if task == ["validate"] else "pipeline.yaml on Azure ML (backend azure, target dev)\n",
            f"pipeline.yaml:8: step 'prepare' {needed}\n"
            f"pipeline.yaml:9: step 'train' {needed}\n"
            f"pipeline.yaml:14: step 'evaluate' {needed}\n"
            "pipeline.yaml:22: Azure needs ws_name, and the file has none\n",
            2,
        )
    churn.write("pipeline.yaml", PIPELINE.replace("churn-ws", "${WORKSPACE}", 1))
    monkeypatch.delenv("WORKSPACE", raising=False)
    assert churn("run", *DEV) == Answer(
        "pipeline.yaml on Azure ML (backend azure, target dev)\n",
        "pipeline.yaml:2: ws_name needs WORKSPACE; set it in the environment or in .env\n",
        2,
    )
    assert list(azure.requests) == []


def test_a_login_that_fails_says_what_was_tried_and_not_the_secret(azure, churn, monkeypatch):
    monkeypatch.setenv("AZUREML_SERVICE_PRINCIPAL_PASSWORD", "a-wrong-secret")

    answer = churn("run", *DEV)

    assert (answer.out, answer.status) == (f"{FIRST_LINE}\n", 2)
    assert answer.err == (
        "Azure was not shown who we are. Tried in this order:\n"
        "  service principal of AZUREML_SERVICE_PRINCIPAL_ID: "
        "Authentication failed: AADSTS7000215: Invalid client secret provided\n"
        "Set the variables of a service principal, or run `az login`; `auth:` in pipeline.yaml names one way.\n"
    )


def test_where_nobody_can_log_in_every_way_is_named_with_what_it_lacks(churn, monkeypatch):
    for name in ("TENANT_ID", "ID", "PASSWORD"):
        monkeypatch.delenv(f"AZUREML_SERVICE_PRINCIPAL_{name}")
    monkeypatch.setenv("PATH", str(churn.folder))  # there is no `az`

    answer = churn("register", *DEV)

    assert (answer.err.splitlines(), answer.status) == (
        [
            "Azure was not shown who we are. Tried in this order:",
            "  service principal: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are not set",
            "  federated identity: AZURE_TENANT_ID and AZURE_CLIENT_ID are not both set",
            "  managed identity: IDENTITY_ENDPOINT and MSI_ENDPOINT are not set",
            "  Azure CLI: Azure CLI not found on path",
            "  browser: CI is set, so nobody is asked",
            "Set the variables of a service principal, or run `az login`; `auth:` in pipeline.yaml names one way.",
        ],
        2,
    )


def test_no_secret_is_printed_recorded_or_sent_but_where_it_belongs(azure, churn):
    azure.failing["evaluate"] = "boom"
    commands = [
        ["register", "--upload"],
        ["run"],
        ["runs.list"],
        ["runs.show"],
        ["runs.logs"],
        ["doctor"],
    ]
    answers = [churn(*words, *DEV) for words in commands]

    assert [answer.status for answer in answers] == [0, 1, 0, 0, 0, 0]
    kept = [file.read_text() for file in (churn.folder / ".azml").rglob("*") if file.is_file()]
    for secret in (KEY, PASSWORD):
        assert [text for answer in answers for text in (answer.out, answer.err) if secret in text] == []
        assert [text for text in kept if secret in text] == []
    routes = {
        secret: {record.route for record in azure.requests if carries(record, secret)} for secret in (KEY, PASSWORD)
    }
    assert routes == {KEY: {"datastores.create_datastore"}, PASSWORD: {"login.issue_token"}}


def carries(record: Any, secret: str) -> bool:
    """Say whether a request holds a secret anywhere, as it is or as a form or an address would write it."""
    request = record.request
    text = f"{request.path} {request.query} {request.headers} {request.body.decode('utf-8', 'replace')}"
    return secret in text or quote_plus(secret) in text or quote(secret, safe="") in text

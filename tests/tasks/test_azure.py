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
computes: {{cpu-cluster: {{vm_size: STANDARD_D4DS_V4, max_nodes: 2}}}}
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


def comparable(azure: Service, text: str) -> list[str]:
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
            "compute cpu-cluster: would be created (STANDARD_D4DS_V4, 0 to 2 nodes)\n",
            "",
            0,
        ),
    )
    assert churn("register", *DEV, "--upload") == Answer(
        "environment churn-env: created (version 1)\n"
        "datastore churn_blob: created (raw in churnstore)\n"
        "dataset customers: created (1 file uploaded; version 1)\n"
        "compute cpu-cluster: created (STANDARD_D4DS_V4, 0 to 2 nodes)\n",
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
        "the dataset 'customers': no files at customers.csv in the datastore 'churn_blob'; "
        "upload its local_path with `invoke register-csv --target dev --upload`\n",
    )
    assert churn("register-csv", *DEV, "--upload").out == "dataset customers: created (1 file uploaded; version 1)\n"

    churn.write("data/customers.csv", "id,age\n9,90\n")
    assert churn("--dry", "register-csv", *DEV, "--upload").out == (
        "dataset customers: would be updated (1 file to upload)\n"
    )
    assert azure.blob("churnstore", "raw", "customers.csv") == b"id,age\n1,30\n2,40\n3,50\n"
    assert churn("register-csv", *DEV, "--upload").out == "dataset customers: unchanged (1 file uploaded; version 1)\n"
    assert azure.blob("churnstore", "raw", "customers.csv") == b"id,age\n9,90\n"


def test_a_run_reports_its_steps_and_an_unchanged_one_reuses_them(azure, registered):
    first = registered("run", *DEV)
    again = registered("run", *DEV)

    assert (first.err, first.status) == ("", 0)
    assert comparable(azure, first.out) == [
        FIRST_LINE,
        "run RUN of experiment churn: 3 steps on Azure ML",
        URL,
        "prepare: completed after TIME",
        "train: completed after TIME",
        "evaluate: completed after TIME",
        "run RUN completed after TIME",
        "details: `invoke runs.show --run RUN --target dev`",
        "as a page: `invoke runs.report --open --run RUN --target dev`",
    ]
    assert comparable(azure, again.out)[3:-2] == [
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

    assert comparable(azure, answer.out)[3:6] == [
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
    out = comparable(azure, answer.out)
    assert out[-3:] == ["train: failed after TIME", "evaluate: skipped", "run RUN failed after TIME"]
    first, *log, last, skipped, logs, again, url = comparable(azure, answer.err)
    assert first == (
        "step 'train' failed: Execution failed. User process 'python' exited with status code 1. "
        "Please check log file 'user_logs/std_log.txt' for error details."
    )
    assert (log[0], last) == ("  started", "  ValueError: no such column: age")
    assert (skipped, logs, again, url) == (
        "skipped: evaluate",
        "full logs: `invoke runs.logs --target dev --run RUN`",
        "Run `invoke run --target dev` again to continue; completed steps are reused",
        URL,
    )
    printed = registered("runs.logs", *DEV, "--step", "prepare")
    assert printed == Answer("prepare\n", "", 0)


def test_for_a_missing_package_the_environment_to_add_it_to_is_named(azure, registered):
    azure.on_submit = "execute"
    registered.write("steps/train.py", "import no_such_package\n")

    err = comparable(azure, registered("run", *DEV).err)

    assert err[-6:-4] == [
        "  ModuleNotFoundError: No module named 'no_such_package'",
        "'no_such_package' is neither in the step's snapshot nor in its environment: if it is yours, add "
        "no_such_package.py; if not, add no-such-package to pip_packages of the environment 'churn-env'",
    ]


def test_a_module_of_the_project_is_never_to_be_installed_on_the_cluster(azure, registered):
    azure.on_submit = "execute"
    registered.write("lib/cleaning.py", "")
    registered.write("steps/train.py", "import cleaning\n")

    err = comparable(azure, registered("run", *DEV).err)

    assert err[-6:-4] == [
        "  ModuleNotFoundError: No module named 'cleaning'",
        "module 'cleaning' is in the project (lib/cleaning.py), but lib is not on the import path: "
        "set PYTHONPATH=lib, or import it as `lib.cleaning`",
    ]


def test_no_wait_returns_at_once_and_explains_how_to_look_at_the_run(azure, registered):
    azure.on_submit = "hold"

    answer = registered("run", *DEV, "--no-wait")

    assert answer.status == 0
    assert comparable(azure, answer.out)[1:] == [
        "run RUN of experiment churn: 3 steps on Azure ML",
        URL,
        "check its progress with `invoke runs.show --target dev --run RUN`",
    ]
    assert azure.runs[azure.submitted[-1].id].status == "Running"


def test_a_dry_run_says_what_is_not_known_before_the_first_run_and_asks_azure_nothing(azure, registered):
    assert registered("--dry", "run", *DEV).out.splitlines() == [
        FIRST_LINE,
        "prepare   MAY RUN  not sent from this folder yet",
        "train     MAY RUN  not sent from this folder yet",
        "evaluate  MAY RUN  not sent from this folder yet",
        "note: no run has been sent from this folder yet; Azure ML reuses steps that were",
        "sent from elsewhere",
    ]
    (registered.folder / "steps" / "train.py").unlink()
    assert registered("--dry", "run", *DEV) == Answer(
        f"{FIRST_LINE}\n",
        "pipeline.yaml:12: step 'train': steps/train.py: the script does not exist\n",
        2,
    )
    assert list(azure.requests) == []


def test_a_plan_names_what_changed_since_the_last_run_and_changes_nothing(azure, registered):
    text = PIPELINE + "schedule: {frequency: Day, start_time: '2090-01-01T06:00:00'}\npublish: {name: churn}\n"
    registered.write("pipeline.yaml", text)
    for task in ("publish", "schedule", "run"):
        registered(task, *DEV)
    first = azure.submitted[-1].id
    step = {run.name: run.id for run in azure.runs.values() if run.parent == first}
    text = text.replace("[pandas]", "[pandas, numpy]").replace("lr: 2.0e-5", "lr: 0.2, password: hush-hush")
    text = text.replace("max_nodes: 2", "max_nodes: 4").replace("06:00:00", "07:00:00")
    registered.write("pipeline.yaml", text)
    azure.requests.clear()

    out = registered("plan", *DEV, "--set", "alpha=0.7").out

    version = re.search(r"churn ([0-9a-f]{12}): would be published", out)[1]
    before = re.search(r"instead of\s+([0-9a-f]{12})", out)[1]
    environment = "environment churn-env version 1 -> a new one"
    assert re.sub(r", \d{4}-\d\d-\d\d \d\d:\d\d$", ", TIME", out, flags=re.MULTILINE).splitlines() == [
        FIRST_LINE,
        "",
        "register",
        "  environment churn-env: would be updated (version 1 -> a new one)",
        "    pip package numpy added",
        "  datastore churn_blob: unchanged",
        "  dataset customers: unchanged (version 1)",
        "  compute cpu-cluster: would be updated",
        "    max_nodes 2 -> 4",
        "",
        "publish",
        f"  churn {version}: would be published, now the endpoint's default instead of",
        f"  {before}",
        "    prepare: environment churn-env changed",
        "    train: lr 2e-05 -> 0.2",
        "    train: password added (***)",
        "    train: environment churn-env changed",
        "    evaluate: environment churn-env changed",
        "",
        "schedule",
        "  schedule churn: would be updated",
        "    start 2090-01-01 06:00 -> 2090-01-01 07:00",
        "    every day at 07:00, UTC; next Sun 2090-01-01 07:00 UTC",
        "",
        "run",
        f"  prepare   RUN  {environment}",
        "                 pip package numpy added",
        "  train     RUN  lr 2e-05 -> 0.2",
        "                 password added (***)",
        "                 alpha 0.5 -> 0.7",
        f"                 {environment}",
        "                 pip package numpy added",
        f"  evaluate  RUN  {environment}",
        "                 pip package numpy added",
        "  note: forecast from what was last sent from this folder: run",
        f"  {first}, TIME",
        "  note: runs sent from elsewhere and deleted results are not known; Azure ML",
        "  decides when the run starts",
    ]
    assert written(azure) == []
    assert step  # the steps of the run that is compared with
    assert "hush" not in (registered.folder / ".azml/sent.jsonl").read_text()


def test_a_plan_says_which_steps_are_reused_and_why_others_run(azure, registered):
    azure.failing["evaluate"] = "boom"
    registered("run", *DEV)
    first = azure.submitted[-1].id
    step = {run.name: run.id for run in azure.runs.values() if run.parent == first}

    def rows(*words: str) -> list[str]:
        return registered("--dry", "run", *DEV, *words).out.splitlines()[1:4]

    assert rows() == [
        f"prepare   REUSE  from {step['prepare']}",
        f"train     REUSE  from {step['train']}",
        "evaluate  RUN    it did not complete in the last run",
    ]
    registered.write("steps/prepare.py", "print('edited')\n")
    assert rows() == [
        "prepare   RUN  steps/prepare.py changed",
        "train     RUN  it depends on prepare",
        "evaluate  RUN  it depends on train",
    ]
    assert rows("--force") == [f"{name:<8}  RUN  --force was given" for name in ("prepare", "train", "evaluate")]
    registered.write("steps/prepare.py", "print('prepare')\n")
    registered.write("pipeline.yaml", PIPELINE.replace("compute_name: cpu-cluster", "compute_name: other"))
    assert registered("--dry", "run", *DEV).err == "the workspace 'churn-ws' has no compute 'other'\n"


def test_a_damaged_record_of_what_was_sent_counts_as_none(azure, registered):
    registered("run", *DEV)
    for text in ("[]\n{", '{"version": 1, "id": 3}\n', "null\n"):
        registered.write(".azml/sent.jsonl", text)
        assert "MAY RUN  not sent from this folder yet" in registered("plan", *DEV).out


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
    shown = comparable(azure, registered("runs.show", *DEV).out)
    assert shown[0] == "run RUN of experiment churn: running, TIME"
    assert re.fullmatch(r"started .+ on .+", shown[1])
    assert [re.sub("(?<=.) +", " ", line) for line in shown[2:5]] == [
        URL,
        "target dev",
        "command invoke run --target dev --set train.lr=0.1 --no-wait",
    ]
    assert [re.sub("(?<=.) +", " ", line) for line in shown[6:]] == [
        'parameter train_config = {"lr": 0.1}',
        "parameter alpha = 0.5",
        "STEP STATUS TIME REASON",
        "prepare reused TIME from RUN",
        "train running TIME",
        "",
        "train",
        "  settings lr=0.1",
    ]
    assert registered("--dry", "runs.cancel", *DEV).out == f"would cancel {second}, which is running\n"
    assert registered("runs.cancel", *DEV).out == f"Cancelling run {second} on Azure ML\n"
    assert azure.runs[second].status == "Canceled"
    ended = Answer("", f"cannot cancel the run {second}: it has already ended (cancelled)\n", 1)
    assert registered("runs.cancel", *DEV) == registered("--dry", "runs.cancel", *DEV) == ended
    assert registered("runs.logs", *DEV, "--run", first[:8], "--step", "train").out == (
        "Step train ran on the stand-in.\n"
    )


@pytest.mark.parametrize("task", ["runs.list", "runs.show", "runs.logs", "runs.cancel"])
def test_an_experiment_without_runs_names_the_command_that_starts_one(churn, task):
    answer = churn(task, *DEV)
    assert answer == Answer("", "no runs in the experiment 'churn' yet; start one with `invoke run --target dev`\n", 1)


@pytest.mark.parametrize("words", [["run"], ["register"], ["runs.list"], ["--dry", "register"]])
def test_a_mistyped_workspace_is_not_made_and_the_one_that_is_there_is_named(azure, churn, words):
    answer = churn(*words, "--target", "typo")

    assert (answer.err, answer.status) == (
        "no workspace 'chrun-ws' in the resource group 'churn-rg', which has 'churn-ws'; did you mean 'churn-ws'?\n",
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


def test_what_is_missing_in_the_file_is_reported_before_any_request(azure, churn, monkeypatch):
    churn.write("pipeline.yaml", PIPELINE.replace("compute_name: cpu-cluster\n", "").replace("ws_name: churn-ws\n", ""))
    needed = "has no compute: Azure needs compute_name, in the step or at the top level"
    for task in (["run"], ["--dry", "run"], ["validate"]):
        assert churn(*task, *DEV) == Answer(
            "" if task == ["validate"] else "pipeline.yaml on Azure ML (backend azure, target dev)\n",
            f"pipeline.yaml:8: step 'prepare' {needed}\n"
            f"pipeline.yaml:9: step 'train' {needed}\n"
            f"pipeline.yaml:14: step 'evaluate' {needed}\n"
            "pipeline.yaml:22: Azure needs ws_name, which is not set in the file\n",
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


def test_a_login_that_fails_reports_what_was_tried_and_not_the_secret(azure, churn, monkeypatch):
    monkeypatch.setenv("AZUREML_SERVICE_PRINCIPAL_PASSWORD", "a-wrong-secret")

    answer = churn("run", *DEV)

    assert (answer.out, answer.status) == (f"{FIRST_LINE}\n", 2)
    assert answer.err == (
        "Could not log in to Azure. Tried, in order:\n"
        "  service principal of AZUREML_SERVICE_PRINCIPAL_ID: "
        "Authentication failed: AADSTS7000215: Invalid client secret provided\n"
        "Set the variables of a service principal or run `az login`; `auth:` in pipeline.yaml selects one method.\n"
    )


def test_without_a_login_every_method_is_named_with_what_is_missing(churn, monkeypatch):
    for name in ("TENANT_ID", "ID", "PASSWORD"):
        monkeypatch.delenv(f"AZUREML_SERVICE_PRINCIPAL_{name}")
    monkeypatch.setenv("PATH", str(churn.folder))  # there is no `az`

    answer = churn("register", *DEV)

    assert (answer.err.splitlines(), answer.status) == (
        [
            "Could not log in to Azure. Tried, in order:",
            "  service principal: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are not set",
            "  federated identity: AZURE_TENANT_ID and AZURE_CLIENT_ID are not both set",
            "  managed identity: IDENTITY_ENDPOINT and MSI_ENDPOINT are not set",
            "  Azure CLI: Azure CLI not found on path",
            "  browser: skipped: no interactive login when CI is set",
            "Set the variables of a service principal or run `az login`; `auth:` in pipeline.yaml selects one method.",
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

"""Steps that log with MLflow in local runs: their variables, their records, and reuse."""

from __future__ import annotations

import json
import signal
import socket
import sys
from pathlib import Path

import pytest

from azml_tasks.local.run.processes import Subprocesses
from azml_tasks.local.runs import find_run
from azml_tasks.runs.metrics import Metrics
from azml_tasks.runs.records import Remark
from azml_tasks.runs.summary import logged_lines
from tests.local.conftest import Project, linux
from tests.local.runners import comes_true

# What MLflow does, without MLflow: the word in this line is enough for a server.
MLFLOW = """\
import json, os, urllib.parse, urllib.request  # mlflow

def call(name, /, **values):
    uri = f"{os.environ['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/{name}"
    body = json.dumps(values).encode()
    if name.endswith("/get"):
        uri, body = f"{uri}?{urllib.parse.urlencode(values)}", None
    request = urllib.request.Request(uri, body, {"User-Agent": "mlflow-python-client/3.17.2"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)

RUN = os.environ["MLFLOW_RUN_ID"]
"""
LOGS = MLFLOW + "call('runs/log-metric', run_id=RUN, key='loss', value=0.5, timestamp=1)\n"
SHOW = "import json, os\nprint(json.dumps(dict(os.environ)))\n"


def lines(run, step: str) -> list[str]:
    record = run[step]
    return list(logged_lines(record, Metrics.of(record.metrics()), record.recorded_tags()))


def variables(project: Project, run, step: str) -> dict[str, str]:
    return json.loads(project.log(run, step).splitlines()[-1])


@pytest.mark.parametrize("way", ["warm", "spawn", "subprocesses"])
def test_what_a_step_logs_is_its_record_however_it_is_started(project: Project, monkeypatch, way: str):
    monkeypatch.setenv("AZML_LOCAL_PROCESS", way)
    script = LOGS + "call('runs/log-parameter', run_id=RUN, key='lr', value='0.1')\nprint(RUN, os.getcwd())\n"
    script += "from azureml.core import Run\nprint(Run.get_context().id, Run.get_context().get_metrics())\n"
    project.line(train=script, score=LOGS + "call('runs/set-tag', run_id=RUN, key='stage', value='end')\n")

    run = project.run(**({"processes": Subprocesses()} if way == "subprocesses" else {}))

    assert run.status == "completed", project.log(run, "train")
    assert lines(run, "train") == ["parameter lr = 0.1", "loss = 0.5"]
    assert lines(run, "score") == ["loss = 0.5", "tag stage = end"]
    assert project.log(run, "train").split("\n")[-2] == f"{run.id}_train {{'loss': 0.5}}"
    assert {path.name for path in project.folder.iterdir()} == {".azml", "pipeline.yaml", "train.py", "score.py"}


def test_steps_that_do_not_name_mlflow_have_no_server_and_no_variables(project: Project, monkeypatch):
    monkeypatch.setitem(sys.modules, "azml_tasks.local.tracking.server", None)
    project.line(train=SHOW)

    run = project.run()

    assert run.status == "completed"
    assert [name for name in variables(project, run, "train") if name.startswith("MLFLOW")] == []


@pytest.mark.parametrize(
    "script",
    [
        "import json, os, helper\nprint(json.dumps(dict(os.environ)))\n",
        "import json, os\nTrainingArguments = dict(report_to='MLflow')\nprint(json.dumps(dict(os.environ)))\n",
        "import json, os\nfrom importlib import import_module\ndef log():\n    import_module('mlflow')\n"
        "print(json.dumps(dict(os.environ)))\n",
        "import json, os\ndef log():\n    import transformers\nprint(json.dumps(dict(os.environ)))\n",
    ],
)
def test_mlflow_in_a_module_a_text_or_a_library_is_enough(project: Project, script: str):
    project.line(train=script).write({"helper.py": "def log():\n    import mlflow.sklearn\n"})

    found = variables(project, project.run(), "train")

    assert found["MLFLOW_TRACKING_URI"].startswith("http://127.0.0.1:")


def test_the_variables_name_the_run_and_nothing_that_makes_it_a_job_of_azure(project: Project, monkeypatch):
    monkeypatch.setenv("AZUREML_RUN_ID", "job")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "another")
    monkeypatch.setenv("MLFLOW_RUN_ID", "another")
    monkeypatch.setenv("NO_PROXY", "intranet")
    monkeypatch.delenv("no_proxy", raising=False)
    project.line(train="# mlflow\n" + SHOW)

    run = project.run()

    found = variables(project, run, "train")
    assert found["MLFLOW_RUN_ID"] == f"{run.id}_train"
    assert found["NO_PROXY"] == found["no_proxy"] == "intranet,127.0.0.1,localhost"
    assert found["MLFLOW_DISABLE_TELEMETRY"] == "true"
    names = ("AZUREML_RUN_ID", "AZUREML_RUN_TOKEN", "MLFLOW_TRACKING_TOKEN", "MLFLOW_EXPERIMENT_NAME")
    assert [name for name in names if name in found] == []


def test_the_user_s_own_address_wins_and_nothing_else_is_set(project: Project, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:5000")
    monkeypatch.delenv("NO_PROXY", raising=False)
    uri = "from azureml.core import Workspace\nprint(Workspace.from_config().get_mlflow_tracking_uri())\n"
    project.pipeline(
        """
        steps:
          train: {script_name: train.py}
          score: {script_name: score.py, environment_variables: {MLFLOW_TRACKING_URI: "file:///runs"}}
        """,
        train="# mlflow\n" + uri + SHOW,
        score="# mlflow\n" + SHOW,
    )

    run = project.run()

    found = variables(project, run, "train")
    of_mlflow = {name: value for name, value in found.items() if name.startswith("MLFLOW")}
    assert of_mlflow == {"MLFLOW_TRACKING_URI": "http://tracking.example:5000"}
    assert "127.0.0.1" not in found.get("NO_PROXY", "")
    assert project.log(run, "train").splitlines()[0] == "http://tracking.example:5000"
    assert variables(project, run, "score")["MLFLOW_TRACKING_URI"] == "file:///runs"


def test_the_workspace_has_the_server_s_address_also_after_the_script_has_changed_it(project: Project):
    script = """
        import os
        from azureml.core import Run
        uri = os.environ["MLFLOW_TRACKING_URI"]
        os.environ["MLFLOW_TRACKING_URI"] = "sqlite:///here.db"
        assert Run.get_context().experiment.workspace.get_mlflow_tracking_uri() == uri
    """
    project.line(train=script)

    assert project.run().status == "completed"


def test_the_server_ends_with_the_run(project: Project):
    project.line(train="# mlflow\n" + SHOW)

    run = project.run()

    uri = variables(project, run, "train")["MLFLOW_TRACKING_URI"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(uri.split(":")[2].split("/")[0])), timeout=5)


def test_steps_at_the_same_time_do_not_mix_what_they_log(project: Project):
    keys = [f"part{number}" for number in range(4)]
    text = "".join(
        f"  {key}: {{script_name: part.py, arguments: [{key}], output_folders: [], input_folders: {{}}}}\n"
        for key in keys
    )
    script = MLFLOW + (
        "import sys\nfor step in range(30):\n"
        "    call('runs/log-metric', run_id=RUN, key=sys.argv[1], value=step, step=step, timestamp=step)\n"
    )
    project.pipeline(f"steps:\n{text}", part=script)

    run = project.run(jobs=4)

    assert run.status == "completed"
    for key in keys:
        assert [(line["name"], line["value"]) for line in run[key].metrics()] == [(key, n) for n in range(30)]


def test_what_a_killed_step_has_logged_stays(project: Project):
    project.line(train=LOGS + "import signal\nos.kill(os.getpid(), signal.SIGKILL)\n")

    run = project.run()

    assert (run.status, lines(run, "train")) == ("failed", ["loss = 0.5"])


@linux
def test_ctrl_c_ends_the_server_and_keeps_what_was_logged(project: Project, start):
    project.line(train=LOGS + "import time\nprint('logged', flush=True)\ntime.sleep(60)\n")
    runner = start()

    def has_logged() -> bool:
        logs = project.folder.glob(".azml/runs/*/steps/train/log.txt")
        return any("logged" in log.read_text() for log in logs)

    assert comes_true(has_logged)
    runner.process.send_signal(signal.SIGINT)

    assert runner.wait() == 1
    assert runner.leaves_nothing()
    run = find_run(project.folder)
    assert (run.status, lines(run, "train")) == ("cancelled", ["loss = 0.5"])


# Reuse


def test_a_reused_step_has_its_metrics_again_and_is_not_unchecked_because_of_the_server(project: Project):
    project.line(train=LOGS)
    first = project.run()

    second = project.run()

    assert second["train"].reason == f"reused from {first.id}"
    assert lines(second, "train") == ["loss = 0.5"]


def test_a_step_that_also_reaches_another_server_is_unchecked(project: Project):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        project.line(train=LOGS + f"import socket\nsocket.create_connection(('127.0.0.1', {port})).close()\n")
        first = project.run()

        second = project.run()

    assert second["train"].reason == f"reused from {first.id}; not checked: network (127.0.0.1)"


def test_a_step_that_reads_another_s_run_runs_again_when_that_logs_something_else(project: Project):
    train = MLFLOW + "call('runs/log-metric', run_id=RUN, key='loss', value=0.5, timestamp=1)\n"
    score = MLFLOW + (
        "above = RUN.replace('score', 'train')\n"
        "print(call('runs/get', run_id=above)['run']['data']['metrics'][0]['value'])\n"
    )
    project.line(train=train, score=score)
    project.run()
    # The same with another time is no difference.
    project.write({"train.py": train.replace("timestamp=1", "timestamp=2")})
    second = project.run()
    project.write({"train.py": train.replace("0.5", "0.25")})
    third = project.run()

    assert project.statuses(second) == {"train": "completed", "score": "reused"}
    assert project.statuses(third) == {"train": "completed", "score": "completed"}
    assert project.log(third, "score").strip() == "0.25"
    assert third["score"].reason != "no earlier result"


def test_a_search_among_all_runs_is_said_to_be_unchecked(project: Project):
    project.line(train=LOGS + "call('runs/search', experiment_ids=['0'])\n")
    first = project.run()

    assert project.run()["train"].reason == f"reused from {first.id}; not checked: its search of MLflow runs"


# What is said


def test_a_model_of_a_late_mlflow_is_said_to_fail_on_azure_with_the_remedy(project: Project):
    project.line(train=MLFLOW + "call('logged-models', experiment_id='0', name='model', source_run_id=RUN)\n")

    run = project.run()

    assert run.status == "completed"
    assert [event.text for event in project.events if isinstance(event, Remark)] == [
        "step 'train' logs a model with MLflow 3.17.2; on Azure ML this fails with 404 (logged-models) for MLflow 2.17 "
        "and later: use autolog(log_models=False), or save_model with log_artifacts and azureml.core.Model.register, "
        "or an older mlflow"
    ]


def test_another_experiment_is_explained(project: Project):
    error = "Cannot start run with ID x because active experiment ID does not match environment run ID. Make sure"
    project.line(train=f"# mlflow\nraise RuntimeError('{error}')\n")

    assert project.run()["train"].hint == (
        "a step logs to the run's experiment, on Azure ML too: remove mlflow.set_experiment(), or set its name as "
        "experiment_name in pipeline.yaml"
    )


def test_a_library_that_imports_mlflow_in_a_step_that_does_not_name_it_is_noted(
    project: Project, monkeypatch, tmp_path_factory
):
    installed = tmp_path_factory.mktemp("installed")
    (installed / "mlflow.py").write_text("")
    (installed / "logs_somewhere.py").write_text("import mlflow\n")
    monkeypatch.setenv("PYTHONPATH", str(installed))
    project.line(train="import logs_somewhere\n")

    assert project.log(project.run(), "train") == (
        "azml-tasks: a library imports mlflow, which none of the step's files names: what it logs is not recorded; "
        "add `import mlflow` to the script\n"
    )


def test_no_secret_of_the_project_is_in_the_record(project: Project):
    secret = "Wq8vT2nLs9Xz4Rb7"
    script = LOGS + f"call('runs/set-tag', run_id=RUN, key='seen', value='x {secret} y')\n"
    script += f"call('runs/log-parameter', run_id=RUN, key='api_key', value='{secret}')\n"
    project.line(train=script).write({".env": f"SERVICE_PASSWORD={secret}\n"})

    run = project.run()

    assert lines(run, "train") == ["parameter api_key = ***", "loss = 0.5", "tag seen = x *** y"]
    written = [path for path in Path(run.places.root).rglob("*.jsonl") if secret in path.read_text()]
    assert written == []


def test_a_script_with_mlflow_itself(project: Project):
    pytest.importorskip("mlflow")
    project.line(
        train="""
        import mlflow
        mlflow.log_param("lr", 0.1)
        mlflow.log_metric("loss", 0.5, step=3)
        mlflow.log_text("hello", "hello.txt")
        with mlflow.start_run(nested=True, run_name="fold"):
            mlflow.log_metric("score", 0.75)
        """
    )

    run = project.run()

    assert lines(run, "train") == ["parameter lr = 0.1", "loss = 0.5", "train>fold: score = 0.75"]
    assert (run["train"].places.artifacts / "hello.txt").read_text() == "hello"

"""A tracking server that fails loses no value while there is time, and never fails the step."""

from __future__ import annotations

import random
import time

import pytest

from tests.launcher.test_logging import HEAD
from tests.launcher.tracking import TOKEN

LOG = HEAD + 'run.log("loss", 0.5)\nrun.tag("stage", "dev")\n'


@pytest.mark.parametrize("fault", [429, 500, 503, "drop", "cut"])
def test_a_request_that_fails_is_repeated(fault, job, server):
    server.faults = [fault, fault]

    done = job(LOG).run(server)

    assert (done.returncode, done.stderr) == (0, "")
    assert (server.step.metrics, server.step.tags) == ({"loss": [(0, 0.5)]}, {"stage": "dev"})
    assert [request.status for request in server.requests] == [0 if isinstance(fault, str) else fault] * 2 + [200]


@pytest.mark.parametrize("seed", range(2))
def test_faults_at_random_lose_and_double_nothing(seed, job, server):
    chance = random.Random(seed)
    kinds = [429, 500, 503, "drop", "cut", (429, 1)]
    server.faults = [fault for _ in range(8) for fault in (chance.choice(kinds), None)]
    script = """
for number in range(3000):
    run.log("loss", number)
    run.log(f"m{number % 7}", number)
    if number % 20 == 0:
        run.tag(f"t{number}", number)
    if number % 500 == 0:
        time.sleep(1)
"""

    done = job(f"import time\n{HEAD}{script}").run(server)

    assert (done.returncode, done.stderr) == (0, "")
    assert server.step.metrics["loss"] == [(number, float(number)) for number in range(3000)]
    for rest in range(7):
        values = [float(number) for number in range(rest, 3000, 7)]
        assert server.step.metrics[f"m{rest}"] == list(enumerate(values))
    assert server.step.tags == {f"t{number}": str(number) for number in range(0, 3000, 20)}


def test_a_retry_after_is_waited_for(job, server):
    server.faults = [(429, 4)]
    started = time.monotonic()

    done = job(LOG).run(server)

    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - started >= 4
    assert server.step.metrics == {"loss": [(0, 0.5)]}


def test_the_values_beside_one_that_is_refused_are_recorded(job, server):
    server.refused = {"bad", "worse"}
    script = """
for number in range(30):
    run.log(f"m{number}", number)
    run.log("bad", number)
run.tag("worse", "1")
run.tag("stage", "dev")
"""

    done = job(HEAD + script).run(server)

    assert (done.returncode, sorted(done.stderr.splitlines())) == (
        0,
        [
            "azml-tasks: 'bad' is not recorded: 400 cannot log bad",
            "azml-tasks: 'worse' is not recorded: 400 cannot log worse",
        ],
    )
    assert server.step.metrics == {f"m{number}": [(0, number)] for number in range(30)}
    assert server.step.tags == {"stage": "dev"}


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_everything_costs_one_line(status, job, server):
    server.faults = [status] * 100

    done = job(HEAD + 'for n in range(20):\n    run.log(f"m{n}", n)\n').run(server)

    assert done.returncode == 0
    assert done.stderr == f"azml-tasks: 20 logged values not recorded: {status} a fault\n"
    assert len(server.requests) == 1


def test_a_run_that_is_refused_keeps_no_other_from_being_recorded(job, server):
    del server.runs["root"]
    script = """
for number in range(3):
    run.parent.log("total", number)
    run.log("own", number)
    time.sleep(1.5)
"""

    done = job(f"import time\n{HEAD}{script}").run(server)

    assert done.returncode == 0
    assert done.stderr == "azml-tasks: 3 logged values not recorded: 404 no such run\n"
    assert server.step.metrics == {"own": [(0, 0.0), (1, 1.0), (2, 2.0)]}


def test_a_server_that_is_not_there_is_given_up_at_the_end(job):
    started = time.monotonic()

    done = job(LOG).run(MLFLOW_TRACKING_URI="http://127.0.0.1:9/x", AZML_STEP_PATIENCE="3")

    assert done.returncode == 0
    assert time.monotonic() - started < 15
    assert done.stderr.startswith("azml-tasks: 2 logged values not recorded: URLError: [Errno 111]")
    assert done.stderr.count("\n") == 1


def test_without_a_server_the_script_runs(job):
    done = job(LOG).run()

    assert (done.returncode, done.stderr) == (
        0,
        "azml-tasks: 2 logged values not recorded: MLFLOW_TRACKING_URI is not set in this job\n",
    )


def test_a_script_that_logs_nothing_makes_no_request(job, server):
    done = job("print('hello')\n").run(server)

    assert (done.returncode, done.stdout, done.stderr, server.requests) == (0, "hello\n", "", [])


def test_the_token_is_not_printed(job, server):
    server.answer = lambda route, values: (400, {"message": f"wrong token {TOKEN} for {route}"})

    done = job(HEAD + 'run.log("a", 1)\n').run(server)

    assert done.returncode == 0
    assert done.stderr == "azml-tasks: 'a' is not recorded: 400 wrong token *** for runs/log-batch\n"


@pytest.mark.parametrize("fault", ["drop", "cut", 500])
@pytest.mark.parametrize("place", range(3))
def test_a_model_is_registered_once(fault, place, job, server):
    server.faults = [None] * place + [fault]
    script = 'open("a.bin", "w").write("1")\nfrom azureml.core import Model\n'

    done = job(HEAD + script + 'Model.register(run.experiment.workspace, "a.bin", "net")\n').run(server)

    assert (done.returncode, done.stderr) == (0, "azml-tasks: model 'net' is registered as version 1\n")
    assert [model["name"] for model in server.models] == ["net"]


def test_a_model_that_is_not_registered_is_in_outputs_with_the_command_that_registers_it(job, server):
    server.faults = [403] * 10
    script = 'open("a.bin", "w").write("1")\nfrom azureml.core import Model\n'
    made = job(HEAD + script + 'Model.register(run.experiment.workspace, "a.bin", "net")\n')

    done = made.run(server)

    assert done.returncode == 0
    assert done.stderr == (
        "azml-tasks: model 'net' is not registered: 403 a fault; to register it, run `az ml model create --name net "
        "--type custom_model --path azureml://jobs/step/outputs/artifacts/paths/outputs/models/net/1/a.bin`\n"
    )
    assert (made.folder / "outputs/models/net/1/a.bin").read_text() == "1"


def test_an_address_of_azureml_is_one_of_https(tmp_path, monkeypatch):
    from azml_tasks.launcher.tracking import Tracking

    uri = "azureml://eastus.api.azureml.ms/mlflow/v1.0/subscriptions/s/workspaces/w?is-remote=True"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

    made = Tracking()
    assert (made._host, made._path) == ("https://eastus.api.azureml.ms", "/mlflow/v1.0/subscriptions/s/workspaces/w")

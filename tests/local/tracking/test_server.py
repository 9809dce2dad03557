"""The server itself: who may call, how it answers, and how it ends."""

from __future__ import annotations

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from azml_tasks.local.tracking.server import TrackingServer
from azml_tasks.local.tracking.step import StepTracking
from tests.local.tracking.steps import Client, step_in

RUN = "run_train"


def test_each_step_has_an_address_of_its_own_on_loopback(server: TrackingServer, tmp_path: Path):
    one, other = (server.address_for(step_in(tmp_path, key)) for key in ("train", "score"))

    assert one.rpartition("/")[0] == other.rpartition("/")[0]
    assert one.startswith("http://127.0.0.1:")
    assert len({one, other}) == 2
    Client(one).call("runs/log-parameter", run_id=RUN, key="lr", value="1")
    assert Client(other).send("POST", "/api/2.0/mlflow/runs/set-tag", {"run_id": RUN, "key": "a"})[0] == 403


def test_without_the_secret_nothing_is_answered(server: TrackingServer, step: StepTracking):
    uri = server.address_for(step)

    for address in (uri[:-1], uri.rpartition("/")[0]):
        status, answer = Client(address).send("GET", "/api/2.0/mlflow/runs/get", {"run_id": RUN})
        assert (status, answer["error_code"]) == (403, "PERMISSION_DENIED")


def test_an_answer_is_one_packet(server: TrackingServer, step: StepTracking):
    uri = server.address_for(step)
    port, path = int(uri.split(":")[2].split("/")[0]), "/" + uri.split("/", 3)[3]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET {path}/api/2.0/mlflow/runs/get?run_id={RUN} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head, _, body = connection.recv(65536).partition(b"\r\n\r\n")

    assert b"Content-Length: %d" % len(body) in head
    assert json.loads(body)["run"]["info"]["run_id"] == RUN


def test_what_is_not_json_is_refused_and_the_connection_goes_on(client: Client):
    for body in (b"{", b"[]", b"\xff", b"[" * 100_000):
        status, answer = client.send("POST", "/api/2.0/mlflow/runs/set-tag", body)
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    client.call("runs/get", run_id=RUN)


def test_a_client_that_goes_away_is_ignored(
    server: TrackingServer, step: StepTracking, capfd: pytest.CaptureFixture[str]
):
    uri = server.address_for(step)
    with socket.create_connection(("127.0.0.1", int(uri.split(":")[2].split("/")[0]))) as connection:
        connection.sendall(b"POST /x HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
    Client(uri).call("runs/get", run_id=RUN)

    assert capfd.readouterr().err == ""


def test_a_step_that_has_ended_logs_nothing_any_more(client: Client, step: StepTracking):
    step.end()

    status, answer = client.send("POST", "/api/2.0/mlflow/runs/log-metric", {"run_id": RUN, "key": "a", "value": 1})
    assert (status, answer["message"]) == (403, "the step has ended")
    assert not (step.places.root / "metrics.jsonl").exists()


def test_parallel_calls_of_several_connections_are_all_recorded_once(server: TrackingServer, step: StepTracking):
    uri = server.address_for(step)

    def log(number: int) -> None:
        client = Client(uri)
        for place in range(20):
            client.call("runs/log-metric", run_id=RUN, key="loss", value=number, timestamp=1, step=place)
            client.call("runs/log-parameter", run_id=RUN, key=f"p{place}", value="same")
        client.connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(log, range(8)))

    assert len(step.run.history("loss")) == 160
    assert len((step.places.root / "params.jsonl").read_text().splitlines()) == 20


def test_a_record_that_cannot_be_written_is_an_error_that_mlflow_does_not_repeat(client: Client, step: StepTracking):
    (step.places.root / "metrics.jsonl").mkdir()

    status, answer = client.send("POST", "/api/2.0/mlflow/runs/log-metric", {"run_id": RUN, "key": "a", "value": 1})

    assert (status, answer["error_code"]) == (400, "INTERNAL_ERROR")
    assert answer["message"].startswith("the step's record cannot be written: ")


def test_closing_it_frees_the_port_and_leaves_no_thread(tmp_path: Path):
    before = threading.active_count()
    server = TrackingServer()
    uri = server.address_for(step_in(tmp_path))
    server.close()

    with pytest.raises(ConnectionRefusedError):
        Client(uri).call("runs/get", run_id=RUN)
    assert threading.active_count() <= before + 1

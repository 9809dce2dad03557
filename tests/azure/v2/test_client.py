"""What each call of Microsoft's client is wrapped in: silence, patience, and errors of one line."""

from __future__ import annotations

import logging
import sys
import threading

import pytest

from azml_tasks.azure.errors import MissingError, translating_errors
from azml_tasks.azure.v2.client import connection as module
from azml_tasks.azure.v2.client import history
from azml_tasks.azure.v2.client.connection import connect
from azml_tasks.azure.v2.runs import find_run, list_runs
from azml_tasks.errors import LoginError, NotInstalledError, ServiceError
from tests.azure.v2.projects import WHERE, run, stocked, v2_project


@pytest.fixture
def client(azure_v2, tmp_path):
    return connect(v2_project(tmp_path))


def test_one_client_serves_the_whole_process(azure_v2, tmp_path):
    project = v2_project(tmp_path)

    assert connect(project) is connect(project)
    assert len(azure_v2.requests) == 0


def test_a_missing_client_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(module, "_is_imported", threading.Event())
    monkeypatch.setattr(module, "_is_there", lambda name: False)

    with pytest.raises(NotInstalledError, match=r"\(azure-ai-ml\) is not installed: run pip install"):
        module.require_client()


def test_nothing_of_the_client_reaches_the_terminal(azure_v2, tmp_path, capfd, caplog):
    stocked(azure_v2)
    caplog.set_level(logging.WARNING)

    run(v2_project(tmp_path))

    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_output_of_others_goes_on_after_a_failed_call(client, capsys):
    with pytest.raises(ServiceError):
        client.call("trying", lambda: client.ml.compute.get("none"))

    print("still here")
    print("and here", file=sys.stderr)
    assert capsys.readouterr() == ("still here\n", "and here\n")


def test_a_workspace_that_is_not_there_names_those_that_are(azure_v2, tmp_path):
    project = v2_project(tmp_path)
    text = (tmp_path / "pipeline.yaml").read_text().replace("churn-ws", "chrun-ws")
    (tmp_path / "pipeline.yaml").write_text(text)
    from azml_tasks.reading import load_project

    wrong = connect(load_project(project.file))

    with pytest.raises(MissingError, match=r"no workspace 'chrun-ws'.*which has 'churn-ws'; did you mean 'churn-ws'"):
        _ = wrong.history


def test_a_refused_login_says_what_was_tried(azure_v2, tmp_path, monkeypatch):
    monkeypatch.setenv("AZUREML_SERVICE_PRINCIPAL_PASSWORD", "wrong")
    wrong = connect(v2_project(tmp_path))

    with pytest.raises(LoginError, match="Could not log in to Azure"):
        _ = wrong.history


def test_a_page_of_the_client_becomes_one_line(client, tmp_path):
    def ask():
        from azure.ai.ml.entities import Data

        return client.ml.data.create_or_update(Data(name="d", version="1", type="uri_file", path=str(tmp_path / "no")))

    with pytest.raises(ServiceError) as raised:
        client.call("registering it", ask)

    text = str(raised.value)
    assert text.startswith("registering it failed: ")
    assert "File path does not match asset type uri_file" in text
    assert "\n" not in text
    assert "\x1b" not in text
    assert len(text) < 500


def test_a_document_that_the_client_refuses_is_a_sentence(client, tmp_path):
    from azure.ai.ml import load_environment

    (tmp_path / "wrong.yml").write_text("name: e\nimage: x\nbuild: 7\n")

    with pytest.raises(ServiceError, match="reading it failed: Validation for EnvironmentSchema failed"):
        client.call("reading it", lambda: load_environment(tmp_path / "wrong.yml"))


def test_an_expired_token_is_replaced_once(client, azure_v2):
    calls = []

    def ask():
        calls.append(1)
        return client.ml.workspaces.get("churn-ws").name

    client.call("a", ask)
    azure_v2.fail("GET", "/workspaces/churn-ws$", status=401)

    assert client.call("opening", ask) == "churn-ws"
    assert len(calls) == 3


def test_a_login_that_is_always_rejected_is_a_login_error(client, azure_v2):
    azure_v2.fail("GET", "/workspaces/churn-ws$", status=401, times=99)

    with pytest.raises(LoginError, match="opening the workspace"):
        _ = client.history


def test_an_outage_longer_than_the_client_waits_is_survived(client, azure_v2, monkeypatch):
    waited = []
    monkeypatch.setattr(module, "PATIENCE", module.RetryPolicy((0, 2, 8), waited.append))
    azure_v2.fail("GET", "/computes$", status=500, times=9)  # the client tries four times

    assert client.call("listing", lambda: list(client.ml.compute.list())) == []
    assert waited == [0, 2]


def test_an_outage_without_end_is_one_sentence(client, azure_v2):
    azure_v2.fail("GET", "/computes$", status=500, times=999)

    with pytest.raises(ServiceError, match=r"listing failed: The service failed\. Try again later"):
        client.call("listing", lambda: list(client.ml.compute.list()))


PAGE = b"<html><head><title>Blocked by ACME</title></head></html>"
ELSEWHERE = "possibly from a proxy, a gateway or a network's login page instead of Azure."


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (PAGE, "an HTML page ('Blocked by ACME')"),
        (b"", "an empty body"),
        (b'{"value": [', "truncated JSON"),
        (b"[]", "`[]` instead of an object"),
        (b"null", "`null` instead of an object"),
        (b"{}", "an object without"),
        (b'{"status": "online"}', "an object without"),
        (b'{"value": {}}', ""),
        (b'{"value": [{}]}', ""),
    ],
)
def test_an_answer_that_is_not_from_azure_is_one_sentence(client, azure_v2, monkeypatch, body, what):
    monkeypatch.setattr(history, "PAUSES", (0,))
    azure_v2.fail("GET", "/computes", status=200, body=body, times=99)
    azure_v2.fail("*", "/history/v1.0/", status=200, body=body, times=99)

    for doing, ask in (
        ("listing", lambda: list(client.ml.compute.list())),
        ("looking", lambda: client.ml.compute.get("x")),
        ("listing the runs", lambda: list_runs(client, "churn")),
        ("getting the run", lambda: find_run(client, "churn", "7" * 36, None)),
    ):
        with pytest.raises(ServiceError) as raised, translating_errors(doing):
            client.call(doing, ask)
        assert str(raised.value).startswith(f"{doing} failed: 200 OK and {what}")
        assert str(raised.value).endswith(f", {ELSEWHERE}")


@pytest.mark.parametrize("body", [PAGE, b"{}"])
def test_a_page_in_place_of_an_answer_makes_no_second_thing(client, azure_v2, tmp_path, monkeypatch, body):
    monkeypatch.setattr(history, "PAUSES", (0,))
    stocked(azure_v2)
    azure_v2.fail("PUT", "/jobs/", status=200, body=body, times=1)
    azure_v2.fail("GET", "/history/v1.0/.*/children$", status=200, body=body, times=1)
    azure_v2.fail("PUT", "/components/", status=201, body=body, times=1, before_effect=False)

    run(v2_project(tmp_path))

    assert len(azure_v2.jobs) == 1


def test_a_page_that_is_not_found_is_no_proof_that_v1_has_no_dataset(client, azure_v2):
    assert not client.history.has_v1_dataset("customers")
    azure_v2.fail("GET", "/datasets/query/name=", status=404, body=PAGE)

    with pytest.raises(ServiceError, match="404"), translating_errors("looking for a dataset of v1"):
        client.history.has_v1_dataset("customers")


def test_what_is_refused_for_good_is_not_tried_again(client, azure_v2):
    azure_v2.fail("GET", "/computes/x$", status=403, times=99)

    with pytest.raises(ServiceError, match="Ask the workspace's owner"):
        client.call("looking", lambda: client.ml.compute.get("x"))

    assert len(azure_v2.requests.matching("GET", "/computes/x$")) == 1


def test_an_unset_variable_of_the_workspace_is_named(azure_v2, tmp_path):
    text = WHERE.replace("ws_name: churn-ws", "ws_name: ${NOT_SET_HERE}")
    from azml_tasks.errors import ProjectError
    from tests.azure.projects import write_project

    project = write_project(tmp_path, text + "steps: {a: {script_name: a.py}}\n")

    with pytest.raises(ProjectError, match="NOT_SET_HERE"):
        connect(project)

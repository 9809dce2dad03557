"""Faults: what a client sees when the service fails, before or after a request took effect."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from .example import build_pipeline, open_workspace, prepare_workspace
from .service import Service


@pytest.fixture
def ws(azure: Service) -> Any:
    prepare_workspace(azure)
    ws = open_workspace()
    azure.requests.clear()
    return ws


def test_a_request_fails_as_often_as_requested(azure: Service, ws: Any) -> None:
    from azureml.core import Environment

    azure.fail("GET", "/environments/churn-env", status=503, times=2)
    for _ in range(2):
        with pytest.raises(Exception, match="Code: 503"):
            Environment.get(ws, "churn-env")
    assert Environment.get(ws, "churn-env").version == "1"
    assert [record.status for record in azure.requests.matching("GET", "/environments/")] == [503, 503, 200]


def test_the_sdk_tries_again_when_a_list_fails(azure: Service, ws: Any) -> None:
    azure.fail("GET", "/datastores$", status=503)
    assert "churn_blob" in ws.datastores
    assert [record.status for record in azure.requests.matching("GET", "/datastores$")] == [503, 200]


def test_a_retry_after_is_sent(azure: Service, ws: Any) -> None:
    import requests

    azure.fail("GET", "/environments/churn-env", status=429, retry_after=7)
    base = f"https://eastus.api.azureml.ms/environment/v1.0{azure.workspace.scope}"
    answer = requests.get(f"{base}/environments/churn-env", headers=ws._auth.get_authentication_header())
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


def test_a_lost_answer_leaves_the_effect(azure: Service, ws: Any) -> None:
    from azureml.core import Environment

    azure.fail("PUT", "/environments/other", status=500, before_effect=False)
    with pytest.raises(Exception, match="Code: 500"):
        Environment("other").register(ws)
    assert list(azure.environments["other"]) == ["1"]
    azure.fail("PUT", "/environments/third", status=500)
    with pytest.raises(Exception, match="Code: 500"):
        Environment("third").register(ws)
    assert "third" not in azure.environments


@pytest.mark.parametrize(("before_effect", "made"), [(True, 1), (False, 2)])
def test_the_sdk_posts_again_when_the_connection_breaks(
    azure: Service, ws: Any, tmp_path: Path, before_effect: bool, made: int
) -> None:
    """So a published pipeline is there twice when only the answer was lost."""
    pipeline = build_pipeline(ws, tmp_path, shared=True)
    azure.drop("POST", "/Pipelines/Create", before_effect=before_effect)
    pipeline.publish("churn", "", version="1")
    assert [record.status for record in azure.requests.matching("POST", "/Pipelines/Create")] == [0, 200]
    assert len(azure.published) == made


def test_a_connection_that_stays_broken_fails(azure: Service, ws: Any) -> None:
    from azureml.core import Environment

    azure.drop("GET", "/environments/churn-env")
    with pytest.raises(Exception, match=r"Connection|Remote end|EOF"):
        Environment.get(ws, "churn-env")


def test_later_requests_can_be_chosen(azure: Service, ws: Any) -> None:
    from azureml.core import Environment

    azure.fail("GET", "/environments/", skip=1)
    Environment.get(ws, "churn-env")
    with pytest.raises(Exception, match="Code: 503"):
        Environment.get(ws, "churn-env")


def test_an_unknown_route_fails_the_test_that_asked_it(azure: Service, ws: Any) -> None:
    import requests

    headers = ws._auth.get_authentication_header()
    assert requests.get("https://eastus.api.azureml.ms/nothing/here", headers=headers).status_code == 404
    with pytest.raises(AssertionError, match=r"unknown route: GET eastus.api.azureml.ms/nothing/here -> 404"):
        azure.verify()
    azure.unknown.clear()


def test_a_wrong_password_is_refused(azure: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZUREML_SERVICE_PRINCIPAL_PASSWORD", "wrong")
    with pytest.raises(Exception, match="Invalid client secret"):
        open_workspace()


def test_a_body_that_the_contract_does_not_allow_is_refused(azure: Service, ws: Any) -> None:
    import requests

    base = f"https://eastus.api.azureml.ms/pipelines/v1.0{azure.workspace.scope}"
    headers = ws._auth.get_authentication_header()
    answer = requests.post(f"{base}/Pipelines/Create", json={"Name": "x", "Naem": "y"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400,
        "The body is no PipelineCreationInfo: unknown key PipelineCreationInfo.Naem",
    )


def test_waiting_is_left_out_of_the_count(azure: Service, ws: Any, tmp_path: Path) -> None:
    from azureml.core import Experiment

    azure.on_submit = "hold"
    run = Experiment(ws, "churn").submit(build_pipeline(ws, tmp_path, shared=True))
    azure.requests.clear()
    started = time.monotonic()
    while time.monotonic() - started < 0.2:
        run.get_status()
    assert len(azure.requests) > 1
    assert azure.requests.without_polling().counts() == {}

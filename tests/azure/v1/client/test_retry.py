"""How a failing request is borne with: waits, limits, and what is never sent twice."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("azureml.core", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

import requests
from requests.adapters import HTTPAdapter

from azml_tasks.azure.auth import login
from azml_tasks.azure.v1.client.retry import RetryPolicy, retrying
from azml_tasks.errors import LoginError, ServiceError
from azml_tasks.model import Auth
from tests.service.service import Service

ADDRESS = "https://management.azure.com/metadata/endpoints"
SUBSCRIPTIONS = "https://management.azure.com/subscriptions"
ARM = "https://management.core.windows.net/"
THING = "https://eastus.api.azureml.ms/thing"


def test_the_waits_double_after_a_first_try_at_once(azure: Service) -> None:
    waits: list[float] = []
    azure.fail("GET", "/metadata/endpoints$", status=503, times=4)
    with retrying(RetryPolicy(wait=1, sleep=waits.append)):
        assert requests.get(ADDRESS).status_code == 200
    assert waits == [0, 1, 2, 4]


def test_retry_after_is_honoured(azure: Service) -> None:
    waits: list[float] = []
    azure.fail("GET", "/metadata/endpoints$", status=429, retry_after=17)
    with retrying(RetryPolicy(sleep=waits.append)):
        assert requests.get(ADDRESS).status_code == 200
    assert waits == [17]


def test_a_requested_wait_that_is_too_long_fails_at_once(azure: Service) -> None:
    azure.fail("GET", "/metadata/endpoints$", status=429, retry_after=3600)
    with retrying(RetryPolicy(longest_wait=60)), pytest.raises(ServiceError) as error:
        requests.get(ADDRESS)
    assert str(error.value) == (
        "GET https://management.azure.com/metadata/endpoints failed with 429 Too Many Requests: Too many requests; try "
        "again later.; Azure requests a wait of 3600 seconds"
    )


def test_patience_ends(azure: Service) -> None:
    azure.fail("GET", "/metadata/endpoints$", status=503, times=9)
    with retrying(RetryPolicy(tries=3, sleep=lambda seconds: None)), pytest.raises(ServiceError) as error:
        requests.get(ADDRESS + "?sig=secret")
    assert str(error.value) == (
        "GET https://management.azure.com/metadata/endpoints failed 3 times, the last time with 503 Service "
        "Unavailable: The service is not available at the moment."
    )
    assert len(azure.requests) == 3


def test_what_is_no_fault_is_not_repeated(azure: Service) -> None:
    azure.fail("GET", "/metadata/endpoints$", status=403)
    with retrying():
        assert requests.get(ADDRESS).status_code == 403
    assert len(azure.requests) == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [({"status": 500}, "500 Internal Server Error: The service failed."), ({"status": 0}, "a dropped connection")],
)
def test_a_post_that_may_have_made_something_and_cannot_be_looked_up_is_not_repeated(
    azure: Service, fault: dict[str, int], told: str
) -> None:
    azure.fail("POST", "/thing$", **fault)
    with retrying(RetryPolicy(sleep=lambda seconds: None)), pytest.raises(ServiceError) as error:
        requests.post(THING, json={})
    assert str(error.value) == (
        f"POST {THING} failed with {told}; it may have taken effect, so check before you try again"
    )
    assert len(azure.requests) == 1
    azure.unknown.clear()


@pytest.mark.parametrize("status", [429, 503])
def test_a_post_that_was_not_taken_is_repeated(azure: Service, status: int) -> None:
    azure.fail("POST", "/thing$", status=status)
    with retrying(RetryPolicy(sleep=lambda seconds: None)):
        assert requests.post(THING, json={"a": 1}).status_code == 404
    assert [(record.status, record.request.json()) for record in azure.requests] == [
        (status, {"a": 1}),
        (404, {"a": 1}),
    ]
    azure.unknown.clear()


def test_outside_the_block_requests_are_sent_as_before(azure: Service) -> None:
    session = requests.Session()
    own = session.get_adapter(ADDRESS)
    with retrying():
        assert session.get_adapter(ADDRESS) is not own
        with retrying():
            pass
        assert session.get_adapter(ADDRESS) is not own
        assert session.get_adapter("http://localhost") is session.adapters["http://"]
    assert session.get_adapter(ADDRESS) is own


def test_an_adapter_that_the_user_mounted_stays(azure: Service) -> None:
    class Refusing(requests.adapters.BaseAdapter):
        pass

    session = requests.Session()
    session.mount("https://", Refusing())
    with retrying():
        assert isinstance(session.get_adapter(ADDRESS), Refusing)
        assert not isinstance(session.get_adapter(ADDRESS), HTTPAdapter)


def test_connections_are_kept_from_one_session_to_the_next(azure: Service) -> None:
    azure.put_blob("churnstore", "raw", "a.txt", b"hello")
    used = []
    with retrying():
        for _ in range(3):
            response = requests.get("https://churnstore.blob.core.windows.net/raw/a.txt", stream=True)
            used.append(response.raw.connection)
            assert response.content == b"hello"
    assert used[0] is used[1] is used[2] is not None


PAGE = b"<html><head><title>Hotel\n  Wi-Fi</title></head></html>"
SCHEDULES = "https://eastus.api.azureml.ms/pipelines/v1.0/subscriptions/s/Schedules"


@pytest.mark.parametrize(
    ("body", "kind", "what"),
    [
        (b"", "application/json", "an empty body"),
        (b"  \n", "text/plain", "an empty body"),
        (b"null", "application/json", "`null` instead of a list"),
        (b"{}", "application/json", "`{}` instead of a list"),
        (b'{"message": "sign in"}', "application/json", "an object instead of a list"),
        (b"true", "application/json", "a boolean instead of a list"),
        (b"[null]", "application/json", "a list with `null` instead of an object"),
        (b'[{"Name": "churn"}]', "application/json", "a list with an object without 'Id'"),
        (b'[{"Id": "1", "Na', "application/json", "truncated JSON"),
        (b"\xff\xfe", "application/json", "a response that is not JSON: '\ufffd\ufffd'"),
        (b"upstream connect error", "text/plain", "a response that is not JSON: 'upstream connect error'"),
        (PAGE, "text/html", "an HTML page ('Hotel Wi-Fi')"),
        (PAGE, "application/json", "an HTML page ('Hotel Wi-Fi')"),
        (b"<!doctype html>", "", "an HTML page"),
    ],
)
def test_a_2xx_that_is_not_the_services_is_repeated_and_reported(
    azure: Service, body: bytes, kind: str, what: str
) -> None:
    azure.fail("GET", "/Schedules$", status=200, times=9, body=body, kind=kind)
    with retrying(RetryPolicy(tries=3, sleep=lambda seconds: None)), pytest.raises(ServiceError) as error:
        requests.get(SCHEDULES)
    assert str(error.value) == (
        f"GET {SCHEDULES} failed 3 times, the last time with 200 OK and {what}, possibly from a proxy, a gateway or "
        "a network's login page instead of Azure"
    )
    assert len(azure.requests) == 3
    azure.unknown.clear()


@pytest.mark.parametrize(
    ("method", "address", "status", "body"),
    [
        ("GET", SCHEDULES, 200, b"[]"),
        ("GET", SCHEDULES, 200, b'\xef\xbb\xbf[{"id": "1", "name": "churn"}]'),
        ("GET", f"{SCHEDULES}/1/runs/Last", 204, b""),
        ("GET", "https://eastus.api.azureml.ms/unknown", 200, b""),
        ("PUT", "https://eastus.api.azureml.ms/pipelines/v1.0/s/Pipelines/1/status", 200, b""),
        ("POST", "https://eastus.api.azureml.ms/datastore/v1.0/s/datastores", 200, b""),
        ("DELETE", "https://eastus.api.azureml.ms/datastore/v1.0/s/datastores/raw", 202, b""),
        ("POST", "https://eastus.api.azureml.ms/pipelines/v1.0/s/PipelineRuns/1/Graph/AllNodes/Status", 200, b"null"),
        ("GET", "https://churnstore.blob.core.windows.net/raw/half.json", 200, b'{"half'),
    ],
)
def test_what_the_service_may_answer_is_taken(
    azure: Service, method: str, address: str, status: int, body: bytes
) -> None:
    azure.fail(method, "", status=status, body=body)
    with retrying(RetryPolicy(sleep=lambda seconds: None)):
        answer = requests.request(method, address)
    assert (answer.status_code, answer.content, len(azure.requests)) == (status, body, 1)
    azure.unknown.clear()


@pytest.mark.parametrize(
    "location", ["http://wifi.hotel/login?to=x", "https://wifi.hotel/login", "http://management.azure.com/"]
)
def test_a_redirect_that_leads_away_is_no_answer(azure: Service, location: str) -> None:
    azure.fail("GET", "/endpoints$", status=302, times=9, body=PAGE, kind="text/html", headers={"Location": location})
    with retrying(RetryPolicy(tries=2, sleep=lambda seconds: None)), pytest.raises(ServiceError) as error:
        requests.get(ADDRESS)
    assert str(error.value) == (
        f"GET {ADDRESS} failed 2 times, the last time with 302 Found and a redirect to "
        f"{location.rpartition('/')[0].removesuffix('/')}, possibly from a proxy, a gateway or a network's login "
        "page instead of Azure"
    )


def test_a_redirect_within_the_service_is_followed(azure: Service) -> None:
    azure.fail("GET", "/elsewhere$", status=307, body=b"", headers={"Location": ADDRESS})
    with retrying(RetryPolicy(sleep=lambda seconds: None)):
        assert requests.get("https://eastus.management.azure.com/elsewhere").status_code == 200
    azure.unknown.clear()


def test_a_post_that_was_answered_by_something_else_and_cannot_be_looked_up_is_not_repeated(azure: Service) -> None:
    azure.fail("POST", "/thing$", status=200, body=PAGE, kind="text/html")
    with retrying(RetryPolicy(sleep=lambda seconds: None)), pytest.raises(ServiceError) as error:
        requests.post(THING, json={})
    assert str(error.value) == (
        f"POST {THING} failed with 200 OK and an HTML page ('Hotel Wi-Fi'), possibly from a proxy, a gateway or a "
        "network's login page instead of Azure; it may have taken effect, so check before you try again"
    )
    azure.unknown.clear()


def test_a_token_that_is_refused_twice_ends_with_one_sentence(azure: Service) -> None:
    tokens = login(Auth(), os.environ)
    azure.fail("GET", "/subscriptions$", status=401, times=9)
    with retrying(RetryPolicy(sleep=lambda seconds: None)), pytest.raises(LoginError) as error:
        requests.get(SUBSCRIPTIONS, headers={"Authorization": f"Bearer {tokens(ARM)}"})
    assert str(error.value) == (
        f"GET {SUBSCRIPTIONS} was rejected with 401 Unauthorized: Refused with 401., even with a new token; "
        "log in again, with `az login` or new credentials"
    )
    assert [record.status for record in azure.requests.matching("GET", "/subscriptions$")] == [401, 401]


def test_a_refusal_of_what_we_may_not_do_is_not_repeated_with_another_token(azure: Service) -> None:
    tokens = login(Auth(), os.environ)
    azure.fail("GET", "/subscriptions$", status=403)
    with retrying(RetryPolicy(sleep=lambda seconds: None)):
        assert requests.get(SUBSCRIPTIONS, headers={"Authorization": f"Bearer {tokens(ARM)}"}).status_code == 403
    assert len(azure.requests.matching("GET", "/subscriptions$")) == 1
    assert len(azure.requests.matching("POST", "/token$")) == 1


def test_a_token_of_another_login_is_not_replaced(azure: Service) -> None:
    login(Auth(), os.environ)(ARM)
    azure.fail("GET", "/subscriptions$", status=401)
    with retrying(RetryPolicy(sleep=lambda seconds: None)):
        assert requests.get(SUBSCRIPTIONS, headers={"Authorization": "Bearer another"}).status_code == 401
    assert len(azure.requests.matching("GET", "/subscriptions$")) == 1

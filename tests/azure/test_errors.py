"""Foreign errors as sentences."""

from __future__ import annotations

import pytest

pytest.importorskip("azureml.core", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

import requests
from azure.core.exceptions import ClientAuthenticationError
from azureml.exceptions import ComputeTargetException, UserErrorException

from azml_tasks.azure.errors import redacted, service_message, status_of, translating_errors
from azml_tasks.errors import AzmlError, LoginError, ServiceError


def refusal(status: int, text: str = "") -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    response._content = text.encode()
    return requests.HTTPError(f"{status} Client Error for url: https://x.blob.core.windows.net/a", response=response)


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (
            refusal(403, '{"error": {"code": "AuthorizationFailed", "message": "You may not."}}'),
            ServiceError,
            "reading x failed: You may not. "
            "Ask the workspace's owner for the role 'AzureML Data Scientist' or 'Contributor'.",
        ),
        (
            refusal(401, '{"error": {"message": "The token has expired"}}'),
            LoginError,
            "reading x failed: The token has expired. Log in again, with `az login` or new credentials.",
        ),
        (
            UserErrorException("The dataset is of no use"),
            ServiceError,
            "reading x failed: The dataset is of no use.",
        ),
        (
            ComputeTargetException(
                "Received bad response from Resource Provider:\nResponse Code: 409\nHeaders: {}\n"
                'Content: b\'{"error": {"message": "Being deleted"}}\''
            ),
            ServiceError,
            "reading x failed: Being deleted. Another operation is changing it; try again later.",
        ),
        (
            Exception('Error registering the environment definition. Code: 500\n: {"error": {"message": "Broken"}}'),
            ServiceError,
            "reading x failed: Broken. Try again later; https://azure.status.microsoft shows known outages.",
        ),
        (ClientAuthenticationError("no token"), LoginError, "reading x failed: no token."),
        (requests.ConnectionError(), ServiceError, "reading x failed: ConnectionError."),
    ],
)
def test_what_azure_refuses_is_one_sentence_with_what_to_do(
    error: Exception, kind: type[AzmlError], sentence: str
) -> None:
    with pytest.raises(AzmlError) as caught, translating_errors("reading x"):
        raise error
    assert (type(caught.value), str(caught.value)) == (kind, sentence)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (
            "HTTPSConnectionPool(host='x.azureml.ms', port=443): Max retries exceeded with url: /a?sig=b (Caused by "
            "NameResolutionError(\"HTTPSConnection(host='x.azureml.ms', port=443): Failed to resolve 'x.azureml.ms' "
            '([Errno -2] Name or service not known)"))',
            "the name 'x.azureml.ms' cannot be resolved; check the network connection.",
        ),
        (
            "<urllib3.connection.HTTPSConnection object at 0x7f>: Failed to establish a new connection: [Errno 111] "
            "Connection refused",
            "'y.azure.com' cannot be reached; check the network connection.",
        ),
        (
            "HTTPSConnectionPool(host='x.azureml.ms', port=443): Max retries exceeded with url: /a (Caused by "
            "ProxyError('Unable to connect to proxy', NewConnectionError(\"HTTPSConnection(host='127.0.0.1', port=9): "
            'Failed to establish a new connection: [Errno 111] Connection refused")))',
            "the proxy '127.0.0.1' cannot be reached; check HTTPS_PROXY.",
        ),
        (
            "('Unable to connect to proxy', OSError('Tunnel connection failed: 403 Forbidden'))",
            "the proxy refuses connections to 'y.azure.com' (403 Forbidden).",
        ),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)",
            "the certificate of 'y.azure.com' is not trusted (self-signed certificate); if a proxy replaces "
            "certificates, set REQUESTS_CA_BUNDLE to a file with its certificate.",
        ),
        (
            "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol (_ssl.c:1006)",
            "'y.azure.com' ended the secure connection; check HTTPS_PROXY, if it is set.",
        ),
        (
            "HTTPSConnectionPool(host='x.azureml.ms', port=443): Read timed out. (read timeout=120)",
            "'x.azureml.ms' did not respond in time; check the network connection.",
        ),
        (
            "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))",
            "'y.azure.com' closed the connection.",
        ),
    ],
)
def test_a_failed_connection_is_a_sentence_with_its_host(raw: str, sentence: str) -> None:
    request = requests.Request("GET", "https://y.azure.com/a?sig=b").prepare()
    for error in (
        requests.ConnectionError(raw, request=request),
        UserErrorException("it failed", inner_exception=requests.ConnectionError(raw, request=request)),
    ):
        with pytest.raises(ServiceError) as caught, translating_errors("reading x"):
            raise error
        assert str(caught.value) == f"reading x failed: {sentence}"


def test_words_of_the_service_are_not_taken_for_a_failed_connection() -> None:
    with (
        pytest.raises(ServiceError, match=r"^reading x failed: The operation timed out\."),
        translating_errors("reading x"),
    ):
        raise UserErrorException("The operation timed out.")


def test_an_answer_without_a_message_is_its_status_and_host_without_the_signature() -> None:
    answer = refusal(404)
    answer.response.url, answer.response.reason = "https://x.blob.core.windows.net/a?sig=b", "Not Found"
    with pytest.raises(ServiceError) as caught, translating_errors("reading x"):
        raise answer
    assert (str(caught.value), caught.value.status) == (
        "reading x failed: x.blob.core.windows.net answered 404 Not Found.",
        404,
    )


def test_an_error_of_ours_stays_even_when_the_sdk_wraps_it() -> None:
    ours = ServiceError("Azure did not answer")
    with pytest.raises(ServiceError) as caught, translating_errors("reading x"):
        raise UserErrorException("wrapped", inner_exception=ours)
    assert caught.value is ours


@pytest.mark.parametrize("bug", [KeyError("a"), TypeError("b"), RuntimeError("c"), Exception("d")])
def test_a_bug_keeps_its_traceback(bug: Exception) -> None:
    with pytest.raises(type(bug)) as caught, translating_errors("reading x"):
        raise bug
    assert caught.value is bug


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "https://a.blob.core.windows.net/c?sv=1&sig=aB%2F3D&se=2",
            "https://a.blob.core.windows.net/c?sv=1&sig=***&se=2",
        ),
        ("AccountName=a;AccountKey=abc==;EndpointSuffix=b", "AccountName=a;AccountKey=***;EndpointSuffix=b"),
        ("Authorization: Bearer eyJ0.eyJ1.c2ln", "Authorization: Bearer ***"),
        ("{'password': 'p@ss'}", "{'password': '***'}"),
        ("the key dG9wc2VjcmV0 is wrong", "the key *** is wrong"),
    ],
)
def test_nothing_that_opens_a_door_is_shown(text: str, shown: str) -> None:
    assert redacted(text, ["dG9wc2VjcmV0"]) == shown


def test_a_secret_that_azure_repeats_is_not_shown() -> None:
    with pytest.raises(ServiceError) as caught, translating_errors("registering x", ["dG9wc2VjcmV0"]):
        raise UserErrorException("the key dG9wc2VjcmV0 opens nothing")
    assert str(caught.value) == "registering x failed: the key *** opens nothing."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ('{"error": {"code": "A", "message": "one"}}', "one"),
        ('{"Error": {"Message": "two"}}', "two"),
        ('{"error": "invalid_client", "error_description": "three"}', "three"),
        ('Code: 404\n: {"error": {"message": "four"}} and more', "four"),
        ("five\n  and   six", "five and six"),
        ("<!DOCTYPE html>\n<html><title>Blocked by the proxy</title>{}", "an HTML page ('Blocked by the proxy')"),
        ("x" * 500, "x" * 397 + "..."),
    ],
)
def test_the_message_of_a_service_is_found_in_its_answer(answer: str, said: str) -> None:
    assert service_message(answer) == said


def test_the_status_is_found_where_the_sdk_put_it() -> None:
    assert status_of(refusal(418)) == 418
    assert status_of(Exception("Error retrieving the environment definition. Code: 404\n: ")) == 404
    assert status_of(UserErrorException("a", inner_exception=refusal(403))) == 403
    assert status_of(ValueError("404")) is None

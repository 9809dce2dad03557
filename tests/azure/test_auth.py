"""Which login is taken, and what is said when none works."""

from __future__ import annotations

import base64
import gc
import json
import os
import stat
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs

import pytest

pytest.importorskip("azureml.core", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError

from azml_tasks.azure.auth import LoginMethod, Tokens, login, renewed
from azml_tasks.azure.v1.client.retry import retrying
from azml_tasks.azure.v1.client.sdk import quiet
from azml_tasks.errors import LoginError
from azml_tasks.model import Auth
from tests.service.names import CLIENT, PASSWORD, TENANT
from tests.service.routes.login import token
from tests.service.service import Service

ARM = "https://management.core.windows.net/"
BOTH_SETS = {
    "AZURE": {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": PASSWORD},
    "AZUREML": {
        "AZUREML_SERVICE_PRINCIPAL_TENANT_ID": TENANT,
        "AZUREML_SERVICE_PRINCIPAL_ID": CLIENT,
        "AZUREML_SERVICE_PRINCIPAL_PASSWORD": PASSWORD,
    },
}
NOWHERE = {"PATH": "", "CI": "true"}


def claims(text: str) -> dict[str, object]:
    body = text.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


def posted(azure: Service) -> dict[str, str]:
    [record] = azure.requests.matching("POST", "oauth2/v2.0/token")
    return {name: values[0] for name, values in parse_qs(record.body.decode()).items()}


@pytest.mark.parametrize("names", BOTH_SETS)
def test_a_service_principal_logs_in_by_either_set_of_variables(azure: Service, names: str) -> None:
    given = login(Auth(), BOTH_SETS[names])(ARM)
    assert claims(given)["aud"] == ARM
    form = posted(azure)
    assert (form["client_id"], form["client_secret"], form["scope"]) == (CLIENT, PASSWORD, f"{ARM}/.default")


def test_the_tenant_of_the_file_counts(azure: Service) -> None:
    variables = {**BOTH_SETS["AZURE"], "AZURE_TENANT_ID": "11111111-0000-4000-8000-000000000000"}
    login(Auth(tenant_id=TENANT), variables)(ARM)
    [record] = azure.requests.matching("POST", "oauth2/v2.0/token")
    assert record.path == f"/{TENANT}/oauth2/v2.0/token"


def test_a_federated_identity_logs_in_by_its_token_file(azure: Service, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("proof-of-the-job")
    login(Auth(), {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_FEDERATED_TOKEN_FILE": str(file)})(ARM)
    form = posted(azure)
    assert (form["client_assertion"], form["client_id"]) == ("proof-of-the-job", CLIENT)


def test_a_github_job_sends_a_new_proof_for_each_token(azure: Service) -> None:
    azure.put_blob("github", "jobs", "identity", b'{"value": "proof-of-the-job"}')
    asked_at = "https://github.blob.core.windows.net/jobs/identity"
    job = {"ACTIONS_ID_TOKEN_REQUEST_URL": asked_at, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "job-token"}
    login(Auth(), {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, **job})(ARM)
    [question] = [record.request for record in azure.requests.matching("GET", "/jobs/identity")]
    assert question.query == {"audience": "api://AzureADTokenExchange"}
    assert question.headers["authorization"] == "Bearer job-token"
    assert posted(azure)["client_assertion"] == "proof-of-the-job"


def test_a_managed_identity_is_asked_where_the_environment_names_one(
    azure: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSI_ENDPOINT", f"{azure.proxy.address}/msi/token")
    monkeypatch.setenv("MSI_SECRET", "secret")
    assert claims(login(Auth(), {"MSI_ENDPOINT": "set"})(ARM))["aud"] == ARM.rstrip("/") + "/"
    assert [record.path for record in azure.requests] == ["/msi/token"]


def test_the_login_of_the_azure_cli_is_taken(azure: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = token(aud=ARM)
    answer = {"accessToken": given, "expires_on": int(time.time()) + 3600, "tokenType": "Bearer"}
    _command(tmp_path / "az", f"echo '{json.dumps(answer)}'; echo \"$@\" >> {tmp_path}/asked")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    tokens = login(Auth(tenant_id=TENANT), {})
    assert (tokens(ARM), tokens(ARM)) == (given, given)
    assert (tmp_path / "asked").read_text().splitlines() == [
        f"account get-access-token --output json --resource {ARM} --tenant {TENANT}"
    ]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_person_at_a_terminal_logs_in_with_a_browser(
    azure: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A browser in which somebody logs in at once: it goes back to where it came from, with a code.
    browser = tmp_path / "browser.py"
    browser.write_text(
        "import sys, urllib.parse as u, urllib.request as r\n"
        "q = dict(u.parse_qsl(u.urlsplit(sys.argv[1]).query))\n"
        "back = q['redirect_uri'] + '?' + u.urlencode({'code': q['nonce'], 'state': q['state']})\n"
        "r.build_opener(r.ProxyHandler({})).open(back).read()\n"
    )
    monkeypatch.setenv("BROWSER", f"{sys.executable} {browser} %s &")
    tokens = login(Auth(method="interactive"), {}, at_terminal=True)
    with quiet():
        given = tokens(ARM)
    assert claims(given)["aud"] == ARM
    assert tokens(ARM) == given
    assert posted(azure)["grant_type"] == "authorization_code"
    del tokens
    gc.collect()  # azure-identity leaves the socket open that the browser came back to


def test_a_method_of_the_file_is_the_only_one(azure: Service) -> None:
    with pytest.raises(LoginError) as error:
        login(Auth(method="service_principal"), {"MSI_ENDPOINT": "set"})(ARM)
    assert str(error.value) == (
        "Could not log in to Azure. Tried, in order:\n"
        "  service principal: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are not set\n"
        "  federated identity: AZURE_TENANT_ID and AZURE_CLIENT_ID are not both set\n"
        "Set the variables of a service principal or run `az login`; `auth:` in pipeline.yaml selects one method."
    )


def test_nothing_at_all_reports_everything_that_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LoginError) as error:
        login(Auth(), {"CI": "true", "AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT})(ARM)
    assert str(error.value) == (
        "Could not log in to Azure. Tried, in order:\n"
        "  service principal: AZURE_CLIENT_SECRET is not set\n"
        "  federated identity: neither AZURE_FEDERATED_TOKEN_FILE nor the identity of a GitHub or Azure Pipelines "
        "job is available\n"
        "  managed identity: IDENTITY_ENDPOINT and MSI_ENDPOINT are not set\n"
        "  Azure CLI: Azure CLI not found on path\n"
        "  browser: skipped: no interactive login when CI is set\n"
        "Set the variables of a service principal or run `az login`; `auth:` in pipeline.yaml selects one method."
    )


def test_a_wrong_secret_ends_the_search_and_is_not_shown(azure: Service) -> None:
    variables = {**BOTH_SETS["AZURE"], "AZURE_CLIENT_SECRET": "hunter2", "MSI_ENDPOINT": "set"}
    with pytest.raises(LoginError) as error, retrying():
        login(Auth(), variables)(ARM)
    assert str(error.value) == (
        "Could not log in to Azure. Tried, in order:\n"
        "  service principal of AZURE_CLIENT_ID: Authentication failed: AADSTS7000215: Invalid client secret provided\n"
        "Set the variables of a service principal or run `az login`; `auth:` in pipeline.yaml selects one method."
    )


@pytest.mark.parametrize(
    ("variables", "at_terminal", "why"),
    [
        ({"CI": "true"}, True, "skipped: no interactive login when CI is set"),
        ({"TF_BUILD": "True"}, True, "skipped: no interactive login when TF_BUILD is set"),
        ({}, False, "skipped: no terminal"),
    ],
)
def test_nobody_is_asked_in_ci_or_without_a_terminal(variables: dict[str, str], at_terminal: bool, why: str) -> None:
    with pytest.raises(LoginError) as error:
        login(Auth(method="interactive"), variables, at_terminal)(ARM)
    assert str(error.value).splitlines()[1] == f"  browser: {why}"


def test_a_github_job_without_permission_is_reported_with_its_name() -> None:
    variables = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "GITHUB_ACTIONS": "true"}
    with pytest.raises(LoginError) as error:
        login(Auth(method="service_principal"), variables)(ARM)
    assert str(error.value).splitlines()[2] == (
        "  federated identity: the workflow has no `permissions: id-token: write`"
    )


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Giving:
    """A credential whose tokens last ten minutes, or that refuses."""

    def __init__(self, clock: Clock, error: Exception | None = None) -> None:
        self.clock, self.error, self.asked = clock, error, 0

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        self.asked += 1
        if self.error:
            raise self.error
        return AccessToken(f"{scopes[0]} {self.asked}", int(self.clock.now) + 600)


def test_a_token_is_kept_until_five_minutes_before_it_ends() -> None:
    clock = Clock()
    credential = Giving(clock)
    tokens = Tokens([LoginMethod("w", lambda: credential)], clock)
    given = [tokens("a")]
    clock.now += 299
    given.append(tokens("a"))
    clock.now += 2
    given.append(tokens("a"))
    assert given == ["a/.default 1", "a/.default 1", "a/.default 2"]
    assert tokens("b") == "b/.default 3"


def test_the_way_that_worked_is_the_one_that_is_asked_again() -> None:
    clock = Clock()
    first, second = Giving(clock, CredentialUnavailableError("no")), Giving(clock)
    tokens = Tokens([LoginMethod("one", lambda: first), LoginMethod("two", lambda: second)], clock)
    tokens("a"), tokens("b")
    assert (first.asked, second.asked) == (1, 2)


def test_another_token_in_place_of_a_refused_one_is_of_a_new_credential_and_is_kept() -> None:
    clock = Clock()
    made: list[Giving] = []

    def make() -> Giving:
        made.append(Giving(clock))
        made[-1].asked = 10 * len(made)
        return made[-1]

    tokens = Tokens([LoginMethod("w", make)], clock)
    assert (tokens("a"), tokens("b")) == ("a/.default 11", "b/.default 12")
    assert tokens.renewed("a/.default 11") == "a/.default 21"
    assert tokens.renewed("a/.default 11") == "a/.default 21"  # asked by another thread, with the old one
    assert (tokens("a"), tokens("b")) == ("a/.default 21", "b/.default 22")
    assert tokens.renewed("of another login") is None
    assert len(made) == 2


@pytest.mark.parametrize("names", BOTH_SETS)
def test_each_refused_token_of_a_service_principal_is_replaced_by_another(azure: Service, names: str) -> None:
    tokens = login(Auth(), BOTH_SETS[names])
    given = tokens(ARM)
    assert renewed(given) == tokens(ARM) != given


def test_a_federated_identity_proves_itself_again_for_another_token(azure: Service, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("proof-of-the-job")
    job = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_FEDERATED_TOKEN_FILE": str(file)}
    tokens = login(Auth(), job)
    given = tokens(ARM)
    assert renewed(given) == tokens(ARM) != given
    assert len(azure.requests.matching("POST", "oauth2/v2.0/token")) == 2


def test_a_managed_identity_is_asked_again_for_another_token(azure: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSI_ENDPOINT", f"{azure.proxy.address}/msi/token")
    monkeypatch.setenv("MSI_SECRET", "secret")
    tokens = login(Auth(), {"MSI_ENDPOINT": "set"})
    given = tokens(ARM)
    assert renewed(given) == tokens(ARM) != given


def test_the_store_of_a_persons_login_is_asked_for_a_token_that_is_given_from_now_on() -> None:
    asked: list[object] = []

    class Storing(Giving):
        def get_token(self, *scopes: str, **options: object) -> AccessToken:
            asked.append(options)
            return super().get_token(*scopes)

    clock = Clock()
    tokens = Tokens([LoginMethod("browser", lambda: Storing(clock), keeps_tokens=True)], clock)
    tokens.renewed(tokens("a"))
    assert asked == [{}, {"claims": '{"access_token": {"nbf": {"essential": true, "value": "1000"}}}'}]


def test_what_github_answers_in_place_of_the_proof_is_reported(azure: Service) -> None:
    azure.put_blob("github", "jobs", "identity", b'{"message": "no"}')
    asked_at = "https://github.blob.core.windows.net/jobs/identity"
    job = {"ACTIONS_ID_TOKEN_REQUEST_URL": asked_at, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "job-token"}
    with pytest.raises(
        LoginError, match=r"\n  federated identity: the response of GitHub has no identity of the job\n"
    ):
        login(Auth(), {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, **job})(ARM)


def test_an_exclusive_login_method_that_is_refused_is_the_last() -> None:
    clock = Clock()
    refused, other = Giving(clock, ClientAuthenticationError("AADSTS1: no. Trace ID: 12")), Giving(clock)
    tokens = Tokens([LoginMethod("one", lambda: refused, exclusive=True), LoginMethod("two", lambda: other)], clock)
    with pytest.raises(LoginError, match=r"  one: AADSTS1: no\n"):
        tokens("a")
    assert other.asked == 0


def _command(file: Path, script: str) -> None:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


if sys.platform == "win32":
    pytestmark = pytest.mark.skip("the stand-in for `az` is a shell script")

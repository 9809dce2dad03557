"""Secrets of a key vault, through Microsoft's own packages and a vault on loopback."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launcher.test_logging import HEAD

pytest.importorskip("azure.keyvault.secrets")

from tests.service.authority import Authority
from tests.service.message import Answer, Request, reply
from tests.service.proxy import Proxy

HOST = "churn-kv.vault.azure.net"
SECRET = "correct horse battery staple"
CLIENT = "11111111-2222-3333-4444-555555555555"
CHALLENGE = 'Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net"'
READ = 'print(len(run.get_secret("db-key")))\nprint(run.get_secrets(["db-key", "none"])["none"])\n'


class Vault:
    """A vault, and the managed identity of a cluster; `status` is the answer to those that ask for secrets."""

    def __init__(self, folder: Path) -> None:
        self.status = 200
        self.identities: list[str] = []
        self._authority = Authority(folder)
        self.proxy = Proxy(self._authority, self._answer)

    @property
    def variables(self) -> dict[str, str]:
        """The variables of a job on a cluster with an identity, which reaches the vault."""
        return {
            "AZML_KEY_VAULT_URL": f"https://{HOST}",
            "DEFAULT_IDENTITY_CLIENT_ID": CLIENT,
            "MSI_ENDPOINT": f"{self.proxy.address}/msi/token",
            "MSI_SECRET": "x",
            "HTTPS_PROXY": self.proxy.address,
            "NO_PROXY": "127.0.0.1",
            "REQUESTS_CA_BUNDLE": str(self._authority.bundle),
        }

    def _answer(self, request: Request) -> Answer:
        if request.path == "/msi/token":
            self.identities.append(request.query.get("clientid", ""))
            return reply(
                {"access_token": "token-of-the-vault", "expires_on": str(int(time.time()) + 3600), "resource": "r"}
            )
        if request.headers.get("authorization") != "Bearer token-of-the-vault":
            return Answer(401, b"", {"WWW-Authenticate": CHALLENGE})
        if self.status != 200:
            return reply({"error": {"code": "Forbidden", "message": "no right"}}, self.status)
        name = request.path.split("/")[2]
        if name != "db-key":
            return reply({"error": {"code": "SecretNotFound", "message": "none"}}, 404)
        return reply({"id": f"https://{HOST}/secrets/{name}/1", "value": SECRET, "attributes": {}})


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    folder = tmp_path / "vault"
    folder.mkdir()
    running = Vault(folder)
    yield running
    running.proxy.close()


def test_a_secret_is_one_of_the_vault_read_by_the_identity_of_the_cluster(vault, job, server):
    done = job(HEAD + READ).run(server, **vault.variables)

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{len(SECRET)}\nNone\n", "")
    assert {*vault.identities} == {CLIENT}


def test_a_secret_that_is_logged_is_hidden(vault, job, server):
    done = job(HEAD + 'run.tag("key", "it is " + run.get_secret("db-key"))\n').run(server, **vault.variables)

    assert (done.returncode, server.step.tags) == (0, {"key": "it is ***"})


@pytest.mark.parametrize(
    ("changed", "status", "sentence"),
    [
        ({}, 403, f"could not read the secret 'db-key' of the key vault https://{HOST} (403); the managed identity of "
         "the compute target needs the role Key Vault Secrets User"),
        ({"MSI_ENDPOINT": ""}, 200, f"could not log in to the key vault https://{HOST}; the compute target needs a "
         "managed identity"),
        ({"MSI_ENDPOINT": "http://127.0.0.1:9/"}, 200, f"could not reach the key vault https://{HOST}: "
         "HTTPConnection(host='127.0.0.1', port=9): Failed to establish a new connection: [Errno 111] Connection "
         "refused"),
        ({"AZML_KEY_VAULT_URL": ""}, 200, "reading secrets in a job on Azure ML v2 requires the address of the key "
         "vault; set AZML_KEY_VAULT_URL, such as https://NAME.vault.azure.net, in the step's environment_variables"),
    ],
    ids=["no right", "no identity", "no network", "no address"],
)  # fmt: skip
def test_what_is_missing_is_a_sentence(changed, status, sentence, vault, job, server):
    vault.status = status

    done = job(HEAD + READ).run(server, **{**vault.variables, **changed})

    last = done.stderr.splitlines()[-1]
    # As older releases of urllib3 name a connection.
    last = re.sub("<[a-z0-9.]+HTTPConnection object at 0x[0-9a-f]+>", "HTTPConnection(host='127.0.0.1', port=9)", last)
    assert (done.returncode, last) == (1, f"azureml.exceptions.UserErrorException: {sentence}")
    assert SECRET not in done.stderr


def test_a_secret_that_the_vault_has_not(vault, job, server):
    done = job(HEAD + 'run.get_secret("other")\n').run(server, **vault.variables)

    last = f"azureml.exceptions.UserErrorException: no secret 'other' in the key vault https://{HOST}"
    assert done.stderr.splitlines()[-1] == last

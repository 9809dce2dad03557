"""Secrets of the workspace's key vault (`azureml/_restclient/secrets_client.py`)."""

from __future__ import annotations

from typing import Any

from tests.service.call import Call, missing, page
from tests.service.routing import REGION, routes

BASE = "/credential/v2.0{ws}/secrets"


@routes.on("GET", REGION, BASE)
def list_secrets(call: Call) -> Any:
    return page(call, [{"name": name} for name in call.workspace.secrets])


@routes.on("GET", REGION, BASE + "/{name}")
def get_secret(call: Call, name: str) -> Any:
    if name not in call.workspace.secrets:
        raise missing(f"Secret {name}")
    return {"name": name, "value": call.workspace.secrets[name]}


@routes.on("POST", REGION, BASE + ":getbatch")
def get_secrets(call: Call) -> Any:
    wanted = [item["name"] for item in call.json["secrets"]]
    known = call.workspace.secrets
    return {
        "secrets": [{"name": name, "value": known[name]} for name in wanted if name in known],
        "notFoundSecrets": [name for name in wanted if name not in known],
    }


@routes.on("PUT", REGION, BASE)
def set_secret(call: Call) -> Any:
    call.workspace.secrets[call.json["name"]] = call.json["value"]
    return {"name": call.json["name"]}


@routes.on("PUT", REGION, BASE + ":putbatch")
def set_secrets(call: Call) -> Any:
    call.workspace.secrets.update({item["name"]: item["value"] for item in call.json["secrets"]})
    return {"secrets": call.json["secrets"]}


@routes.on("DELETE", REGION, BASE + "/{name}")
def delete_secret(call: Call, name: str) -> Any:
    call.workspace.secrets.pop(name, None)

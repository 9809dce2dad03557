"""Modules and data types: the definitions that a pipeline's graph is made of."""

from __future__ import annotations

from typing import Any

from tests.service.call import Call, missing
from tests.service.contract import PIPELINES, check
from tests.service.message import Refusal
from tests.service.pipeline_state import Module
from tests.service.routing import REGION, routes
from tests.service.state import Document

BASE = "/pipelines/v1.0{ws}"
FILE_TYPES = (
    "AnyFile",
    "AzureBlobReference",
    "AzureDataLakeReference",
    "AzureFilesReference",
    "AzureSqlDatabaseReference",
    "AzurePostgresDatabaseReference",
    "AzureDataLakeGen2Reference",
    "AzureMLDataset",
    "AzureMySqlDatabaseReference",
    "DBFSReference",
)


@routes.on("GET", REGION, BASE + "/DataTypes")
def list_data_types(call: Call) -> Any:
    """List the types that every workspace has."""
    return [_data_type(name, False) for name in FILE_TYPES] + [_data_type("AnyDirectory", True)]


@routes.on("GET", REGION, BASE + "/Modules/Hash/{hash_}")
def get_module_by_hash(call: Call, hash_: str) -> Any:
    for module in reversed(call.workspace.modules.values()):
        if module.hash == hash_:
            return {"Data": _entity(module), "Interface": _interface(module)}
    raise missing(f"Module with hash {hash_}")


@routes.on("GET", REGION, BASE + "/Modules/{identifier}")
def get_module(call: Call, identifier: str) -> Any:
    module = call.workspace.modules.get(identifier)
    if module is None:
        raise missing(f"Module {identifier}")
    return {"Data": _entity(module), "Interface": _interface(module)}


@routes.on("POST", REGION, BASE + "/Modules")
def create_module(call: Call) -> Any:
    body = call.json
    check(PIPELINES, "ModuleCreationInfo", body)
    snapshot = body.get("StorageId")
    if snapshot is not None and snapshot not in call.workspace.snapshots:
        raise Refusal(400, "BadArgument", f"Snapshot {snapshot} does not exist.")
    module = Module(call.workspace.identifiers.new("module"), body)
    call.workspace.modules[module.id] = module
    return _entity(module)


def _data_type(name: str, directory: bool) -> Document:
    return {"Id": name, "Name": name, "Description": name, "IsDirectory": directory, "ParentDataTypeIds": []}


def _entity(module: Module) -> Document:
    sent = module.document
    same = "Name Description IsDeterministic ModuleExecutionType ModuleType IdentifierHash Runconfig StepType Category"
    return {
        **{key: sent.get(key) for key in same.split()},
        "Id": module.id,
        "UploadState": "Completed",
        "StructuredInterface": sent.get("StructuredInterface"),
        "Properties": sent.get("Properties"),
        "Hash": sent.get("IdentifierHash"),
        "EntityStatus": "Active",
        "CreatedDate": module.created,
        "LastModifiedDate": module.created,
    }


def _interface(module: Module) -> Document:
    interface = module.document.get("StructuredInterface") or {}
    return {
        "Parameters": [_parameter(item) for item in interface.get("Parameters") or []],
        "MetadataParameters": [_parameter(item) for item in interface.get("MetadataParameters") or []],
        "Ports": {
            "Inputs": [
                {"Name": item["Name"], "DataTypesIds": item.get("DataTypeIdsList"), "IsOptional": False}
                for item in interface.get("Inputs") or []
            ],
            "Outputs": [
                {"Name": item["Name"], "DataTypeId": item.get("DataTypeId")} for item in interface.get("Outputs") or []
            ],
        },
    }


def _parameter(item: Document) -> Document:
    return {
        "Name": item["Name"],
        "DefaultValue": item.get("DefaultValue"),
        "IsOptional": item.get("IsOptional"),
        "Type": item.get("ParameterType"),
    }

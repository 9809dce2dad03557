"""Tables over files: the YAML that says how files are read, as the data service writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from .message import Refusal
from .state import SavedDataset, Workspace

HEADERS = {0: "no_header", 1: "from_first_file", 2: "all_files_different_headers", 3: "all_files_same_headers"}
"""`azureml.dataprep.PromoteHeadersMode` as MLTable names it."""


def save_table(workspace: Workspace, datastore: str, path: str, blocks: str | None) -> SavedDataset:
    """Keep a definition over files; `blocks` are the client's transformations, None for plain files."""
    transformations = None if blocks is None else _transformations(json.loads(blocks)["blocks"])
    kind = "file" if transformations is None else "tabular"
    saved = SavedDataset(
        workspace.identifiers.new("saved dataset"),
        kind,
        dataflow(workspace, datastore, path, transformations),
    )
    workspace.saved_datasets[saved.id] = saved
    return saved


def dataflow(
    workspace: Workspace, datastore: str, path: str, transformations: Sequence[Mapping[str, Any]] | None
) -> str:
    """Write the JSON that holds the YAML of a definition."""
    scope = f"subscriptions/{workspace.subscription}/resourcegroups/{workspace.group}/workspaces/{workspace.name}"
    document: dict[str, Any] = {
        "type": "mltable",
        "paths": [{"pattern": f"azureml://{scope}/datastores/{datastore}/paths/{path}"}],
    }
    if transformations is not None:
        document["transformations"] = list(transformations)
        document["metadata"] = {"infer_column_types": "False"}
    text = "---\n" + yaml.safe_dump(document, sort_keys=False, width=10_000)
    return json.dumps({"blocks": [], "meta": {"RsDataflow": text}})


def read_delimited(separator: str = ",", header: str = HEADERS[3], multi_line: bool = False) -> dict[str, Any]:
    """Read delimited files, every column as text."""
    return {
        "read_delimited": {
            "path_column": "Path",
            "include_path_column": False,
            "encoding": "utf8",
            "support_multi_line": multi_line,
            "delimiter": separator,
            "empty_as_string": False,
            "partition_size": 20971520,
            "header": header,
            "infer_column_types": False,
        }
    }


def _transformations(blocks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Translate the blocks that the SDK sends for an output that is read as a table."""
    found: list[Mapping[str, Any]] = []
    for block in blocks:
        kind, arguments = block["type"].removeprefix("Microsoft.DPrep."), block["arguments"]
        if kind == "ReadParquetFileBlock":
            found.append({"read_parquet": {"path_column": "Path", "include_path_column": False}})
        elif kind == "ParseDelimitedBlock":
            header = HEADERS[arguments["columnHeadersMode"]]
            found.append(read_delimited(arguments["separator"], header, arguments["handleQuotedLineBreaks"]))
        elif kind in ("DropColumnsBlock", "KeepColumnsBlock"):
            columns = arguments["columns"]["details"]["selectedColumns"]
            name = "drop_columns" if kind == "DropColumnsBlock" else "keep_columns"
            if columns != ["Path"]:  # never included here
                found.append({name: columns})
        else:
            raise Refusal(400, "UserError", f"The stand-in cannot translate {kind}.")
    return found

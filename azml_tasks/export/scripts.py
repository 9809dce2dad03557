"""What the scripts use of SDK v1 that has another form in v2, found in their syntax trees without running them.

What takes its place: "Upgrade to SDK v2" and its pages on run history, data, models and secrets (Microsoft Learn),
and "Log metrics, parameters, and files with MLflow".
"""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from azml_tasks.errors import some_listed
from azml_tasks.snapshot import Snapshot

_METRICS = "in v2 mlflow.log_metric(name, value) logs a metric"
_FIGURES = "in v2 mlflow.log_figure and mlflow.log_image log pictures"
_TABLES = "in v2 mlflow.log_table and mlflow.log_dict log what has rows"
_FILES = "in v2 mlflow.log_artifact and mlflow.log_artifacts upload files; what lies in outputs/ is still collected"
_SECRETS = "in v2 SecretClient of azure-keyvault-secrets reads the workspace's key vault, with the compute's identity"
_NESTED = "in v2 mlflow.start_run(nested=True) starts a run below this one"
_CLIENT = "in v2 MLClient of azure-ai-ml is the way to the workspace"
_ENDED = "in v2 a job ends with its script: leave it out, and raise an exception to fail"
# By what a script asks a run for.
_OF_A_RUN = {
    "input_datasets": "in v2 the step's argument holds the path to read from",
    "output_datasets": "in v2 the step's argument holds the path to write to",
    **dict.fromkeys(("log", "log_list"), _METRICS),
    "log_image": _FIGURES,
    **dict.fromkeys(
        ("log_row", "log_table", "log_confusion_matrix", "log_accuracy_table", "log_predictions", "log_residuals"),
        _TABLES,
    ),
    **dict.fromkeys(("upload_file", "upload_files", "upload_folder", "download_file", "download_files"), _FILES),
    **dict.fromkeys(("get_secret", "get_secrets"), _SECRETS),
    **dict.fromkeys(("child_run", "create_children", "submit_child", "get_children"), _NESTED),
    "parent": "in v2 the tag mlflow.parentRunId of mlflow.active_run() names the parent",
    **dict.fromkeys(("tag", "set_tags", "get_tags", "remove_tags"), "in v2 mlflow.set_tag tags the run"),
    **dict.fromkeys(("get_metrics", "get_details", "get_file_names"), "in v2 mlflow.get_run reads what was logged"),
    "register_model": "in v2 mlflow.register_model registers a model",
    **dict.fromkeys(("experiment", "get_environment"), _CLIENT),
    **dict.fromkeys(("complete", "fail", "cancel"), _ENDED),
}
# By what a script imports from azureml.
_OF_A_CLASS = {
    "Model": "in v2 mlflow.register_model registers a model, and MLClient.models of azure-ai-ml finds one",
    "Dataset": "in v2 name the data as an input of the step, and read the path that its argument holds",
    "Datastore": "in v2 name the data as an input of the step, or MLClient.datastores of azure-ai-ml finds one",
    "Workspace": _CLIENT,
    "Experiment": _CLIENT,
    "Keyvault": _SECRETS,
}
_ELSE = "in v2 MLflow and azure-ai-ml take the place of the SDK"
_RUNS = ("get_context", "child_run")
_USUAL_NAME = "run"
LOGGING = frozenset(name for name, sentence in _OF_A_RUN.items() if sentence in (_METRICS, _FIGURES, _TABLES))


@dataclass(frozen=True)
class Use:
    """One thing of SDK v1 that a script uses, and on which lines, counted from 1."""

    name: str
    lines: tuple[int, ...]

    @property
    def sentence(self) -> str:
        """What it is, where else it stands, and what takes its place."""
        others = some_listed(map(str, self.lines[1:]))
        also = f" (also on {'line' if len(self.lines) == 2 else 'lines'} {others})" if others else ""
        return f"{self.name} is SDK v1{also}: {_REMEDIES.get(self.name, _ELSE)}"


_REMEDIES = {f"run.{name}": sentence for name, sentence in _OF_A_RUN.items()} | _OF_A_CLASS


@dataclass(frozen=True)
class Scripts:
    """The Python files of the steps that import azureml: by path in the project, and which of them a step has."""

    uses: Mapping[str, tuple[Use, ...]]
    of_step: Mapping[str, tuple[str, ...]]

    def use_sdk(self, key: str) -> bool:
        """Say whether a step's scripts import azureml."""
        return bool(self.of_step[key])

    def uses_by(self, key: str) -> Iterator[Use]:
        """Yield what the scripts of a step use of SDK v1."""
        for path in self.of_step[key]:
            yield from self.uses[path]


def scripts_of(directory: Path, snapshots: Mapping[str, Snapshot]) -> Scripts:
    """Return what the scripts of the snapshots, by step, use of SDK v1."""
    uses: dict[str, tuple[Use, ...]] = {}
    of_step: dict[str, tuple[str, ...]] = {}
    for key, snapshot in snapshots.items():
        sources = [file for place, file in snapshot.files.items() if place.endswith(".py")]
        shown = {os.path.relpath(file, directory).replace(os.sep, "/"): file for file in sources}
        of_step[key] = tuple(shown) if "azureml" in snapshot.outside else ()
        for path in of_step[key]:
            if path not in uses:
                uses[path] = tuple(uses_of(shown[path].read_bytes()))
    return Scripts(uses, of_step)


def uses_of(source: bytes) -> list[Use]:
    """Return what the source uses of SDK v1, in the order of first use; nothing for what is no Python.

    Whatever is called `run` is taken for one, so ask only about files of a step that imports azureml.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of the script itself, such as an invalid escape
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    places: dict[str, list[int]] = {}
    for name, line in sorted(set(_uses(list(ast.walk(tree)))), key=lambda use: (use[1], use[0])):
        places.setdefault(name, []).append(line)
    return [Use(name, tuple(lines)) for name, lines in places.items()]


def _uses(nodes: list[ast.AST]) -> Iterator[tuple[str, int]]:
    classes = dict(_imported(nodes))
    runs = set(_assigned_runs(nodes))
    for node in nodes:
        if isinstance(node, ast.Attribute):
            known = node.attr in _OF_A_RUN
            if _is_run(node.value, runs | {_USUAL_NAME} if known else runs) and (known or node.attr not in _RUNS):
                yield f"run.{node.attr}", node.lineno
            elif node.attr in _OF_A_CLASS and ast.unparse(node.value).startswith("azureml."):
                yield node.attr, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in classes:
            yield classes[node.id], node.lineno
        elif isinstance(node, ast.ImportFrom) and _is_sdk(node.module):
            others = (alias.name for alias in node.names if alias.name not in _OF_A_CLASS and alias.name != "Run")
            yield from ((f"{node.module}.{name}", node.lineno) for name in others)


def _imported(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """Yield the names that stand for a class of the SDK, and what it is called there."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and _is_sdk(node.module):
            yield from ((alias.asname or alias.name, alias.name) for alias in node.names if alias.name in _OF_A_CLASS)


def _is_sdk(module: str | None) -> bool:
    return (module or "").partition(".")[0] == "azureml"


def _assigned_runs(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the names and attributes that hold a run, as they are written."""
    for node in nodes:
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and node.value and _gives_run(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (ast.unparse(target) for target in targets)
        elif isinstance(node, ast.withitem) and node.optional_vars and _gives_run(node.context_expr):
            yield ast.unparse(node.optional_vars)


def _gives_run(value: ast.AST) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _RUNS


def _is_run(value: ast.AST, runs: set[str]) -> bool:
    if isinstance(value, ast.Attribute) and value.attr == "parent":
        return _is_run(value.value, runs)
    if isinstance(value, (ast.Name, ast.Attribute)):
        return ast.unparse(value) in runs
    return _gives_run(value)

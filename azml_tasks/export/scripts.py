"""Find uses of SDK v1 in scripts that are different in v2, in their syntax trees, without running them.

Sources for the replacements: "Upgrade to SDK v2" and its pages on run history, data, models and secrets (Microsoft
Learn), and "Log metrics, parameters, and files with MLflow".
"""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from azml_tasks.export.launcher import provides
from azml_tasks.snapshot import Snapshot
from azml_tasks.text import some_listed

_METRICS = "in v2, use mlflow.log_metric(name, value)"
_FIGURES = "in v2, use mlflow.log_figure or mlflow.log_image"
_TABLES = "in v2, use mlflow.log_table or mlflow.log_dict"
_FILES = "in v2, use mlflow.log_artifact or mlflow.log_artifacts; files in outputs/ are still collected"
_SECRETS = (
    "in v2, read the workspace's key vault with SecretClient of azure-keyvault-secrets and the compute's identity"
)
_NESTED = "in v2, use mlflow.start_run(nested=True)"
_CLIENT = "in v2, use MLClient of azure-ai-ml"
_ENDED = "in v2, remove this call, because a job ends with its script; to fail, raise an exception"
# By attributes of a run.
_OF_A_RUN = {
    "input_datasets": "in v2, read from the path in the step's argument",
    "output_datasets": "in v2, write to the path in the step's argument",
    **dict.fromkeys(("log", "log_list"), _METRICS),
    "log_image": _FIGURES,
    **dict.fromkeys(
        ("log_row", "log_table", "log_confusion_matrix", "log_accuracy_table", "log_predictions", "log_residuals"),
        _TABLES,
    ),
    **dict.fromkeys(("upload_file", "upload_files", "upload_folder", "download_file", "download_files"), _FILES),
    **dict.fromkeys(("get_secret", "get_secrets"), _SECRETS),
    **dict.fromkeys(("child_run", "create_children", "submit_child", "get_children"), _NESTED),
    "parent": "in v2, read the tag mlflow.parentRunId of mlflow.active_run()",
    **dict.fromkeys(("tag", "set_tags", "get_tags", "remove_tags"), "in v2, use mlflow.set_tag"),
    **dict.fromkeys(("get_metrics", "get_details", "get_file_names"), "in v2, use mlflow.get_run"),
    "register_model": "in v2, use mlflow.register_model",
    **dict.fromkeys(("experiment", "get_environment"), _CLIENT),
    **dict.fromkeys(("complete", "fail", "cancel"), _ENDED),
}
# By what a script imports from azureml.
_OF_A_CLASS = {
    "Model": "in v2, register models with mlflow.register_model, and find them with MLClient.models of azure-ai-ml",
    "Dataset": "in v2, declare the data as an input of the step, and read the path in its argument",
    "Datastore": "in v2, declare the data as an input of the step, or use MLClient.datastores of azure-ai-ml",
    "Workspace": _CLIENT,
    "Experiment": _CLIENT,
    "Keyvault": _SECRETS,
}
_ELSE = "in v2, use MLflow and azure-ai-ml"
_RUNS = ("get_context", "child_run")
_USUAL_NAME = "run"
SECRETS = frozenset(("run.get_secret", "run.get_secrets", "Keyvault"))
# The variable of a step with the address of its key vault (standin/azml_local/vault.py).
VAULT = "AZML_KEY_VAULT_URL"
# What a script that imports the stand-in for azureml must do differently in a job.
_VAULT = (
    f"in a job of v2, it reads the key vault whose address is in the variable {VAULT} (set it in "
    "environment_variables), with the managed identity of the compute target, which needs the role Key Vault Secrets "
    "User"
)
_IN_A_JOB = {
    **dict.fromkeys(SECRETS, _VAULT),
    "Datastore": "in a job of v2, declare the data as an input of the step, or write to an output with a destination",
    "Dataset": "in a job of v2, a script finds by name only the datasets of its input_datasets, and registers none",
    "Model": "in a job of v2, a script finds only the models that its own step has registered",
    "Experiment": "in a job of v2, the runs of an experiment cannot be read",
    **dict.fromkeys(("run.submit_child", "run.get_environment"), _CLIENT),
}
LOGGING = frozenset(name for name, sentence in _OF_A_RUN.items() if sentence in (_METRICS, _FIGURES, _TABLES))


@dataclass(frozen=True)
class Use:
    """A use of SDK v1 in a script, and its lines, counted from 1."""

    name: str
    lines: tuple[int, ...]

    @property
    def sentence(self) -> str:
        """Its name, its other lines, and its replacement."""
        return f"{self.name} is SDK v1{self._also}: {_REMEDIES.get(self.name, _ELSE)}"

    @property
    def sentence_in_a_job(self) -> str | None:
        """What is different where the script imports the stand-in for azureml, if anything is."""
        found = _IN_A_JOB.get(self.name)
        if found is None and self.name.startswith("azureml.") and not provides(*self.name.rsplit(".", 1)):
            found = "in a job of v2, this needs SDK v1 in the environment, with Python 3.10 or 3.11"
        return found and f"{self.name}{self._also}: {found}"

    @property
    def _also(self) -> str:
        others = some_listed(map(str, self.lines[1:]))
        return f" (also on {'line' if len(self.lines) == 2 else 'lines'} {others})" if others else ""


_REMEDIES = {f"run.{name}": sentence for name, sentence in _OF_A_RUN.items()} | _OF_A_CLASS


@dataclass(frozen=True)
class Scripts:
    """The Python files of the steps that import azureml: by path in the project, and which of them a step has."""

    uses: Mapping[str, tuple[Use, ...]]
    of_step: Mapping[str, tuple[str, ...]]

    def use_sdk(self, key: str) -> bool:
        """Return whether a step's scripts import azureml."""
        return bool(self.of_step[key])

    def reads_secrets(self, key: str) -> bool:
        """Return whether a step's scripts read secrets of the workspace's key vault."""
        return any(use.name in SECRETS for use in self.uses_by(key))

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
    """Return what the source uses of SDK v1, in the order of first use; nothing if it is not Python.

    Every variable named `run` counts as a run, so use this only for files of a step that imports azureml.
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
    """Yield the names that refer to a class of the SDK, with its name there."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and _is_sdk(node.module):
            yield from ((alias.asname or alias.name, alias.name) for alias in node.names if alias.name in _OF_A_CLASS)


def _is_sdk(module: str | None) -> bool:
    return (module or "").partition(".")[0] == "azureml"


def _assigned_runs(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the names and attributes that refer to a run, as written."""
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

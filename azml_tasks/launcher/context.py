"""What the script finds: the stand-in for azureml, the description of its run, its data and its variables."""

from __future__ import annotations

import json
import os
import re
import sys
import zipfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]
    Paths = dict[str, list[str]]

_VERSION = 2
# The version of what the stand-in reads (standin/azml_local/context.py).
_CONTEXT_VERSION = 1
# A variable that an input of the same name must not replace.
_PLAIN = re.compile(r"(?=.*[a-z])(?!.*_proxy$)[A-Za-z_][A-Za-z0-9_]*")


class JobError(Exception):
    """The step cannot be started; the message is a sentence."""


class Step:
    """A step to start: the words of its command, its variables, its run and where the stand-in records."""

    def __init__(self, words: list[str], environment: dict[str, str], context: Json) -> None:
        self.words = words
        self.environment = environment
        self.run_id: str = context["step_run_id"]
        self.parent_id: str = context["run_id"]
        self.folder: str = context["step_dir"]
        self.parent_folder = os.path.join(context["run_dir"], "parent")
        self.artifacts: str = context["artifacts_dir"]
        self.models: str = context["models_dir"]
        # The names and addresses of the outputs that are registered if the step succeeds.
        self.registered: list[tuple[str, str]] = []


def prepare(archive: str, folder: str, inputs: Paths, outputs: Paths, words: list[str]) -> Step:
    """Return the step to start; the folder is for what it needs.

    `inputs` and `outputs` are paths by the names in the run. Raises JobError.
    """
    known = _unpacked(archive, folder)
    missing = [name for name in known["inputs"] if name not in inputs]
    if missing:
        raise JobError(f"the command does not name the input '{missing[0]}'; export the pipeline again")
    # What a script changes in its folder stays valid after it changes its folder.
    inputs = {name: [_absolute(path) for path in paths] for name, paths in inputs.items()}
    written = {name: os.path.abspath(paths[0]) for name, paths in outputs.items()}
    for path in written.values():
        os.makedirs(path, exist_ok=True)
    described = {name: dict(item) for name, item in known["inputs"].items()}
    datasets = {name: dict(item) for name, item in known["datasets"].items()}
    shown: dict[str, str] = {}
    for name, item in described.items():
        paths = _patterns(os.path.join(folder, "data", name), inputs[name], item.pop("places", [""]))
        if item["kind"] == "dataset":
            datasets[item["dataset"]]["local_paths"] = paths
        if item["kind"] != "dataset" or datasets[item["dataset"]]["mode"] != "direct":
            item["path"] = paths[0]
            if item["kind"] in ("dataset", "folder"):
                shown[name] = paths[0]
    for place, name in known["fill"].items():
        target = os.path.join(folder, "inputs", name)
        _link(folder, datasets[described[name]["dataset"]]["local_paths"], target)
        described[name]["path"] = shown[name] = words[int(place) + 1] = target
    context = _context(known, folder, described, datasets, written)
    path = os.path.join(context["step_dir"], "context.json")
    os.makedirs(context["step_dir"])
    with open(path, "w", encoding="utf-8") as file:
        json.dump(context, file)
    step = Step(words, _environment(folder, path, shown, written), context)
    for item in known["register"]:
        step.registered.append((item["asset"], item["path"].replace("${{name}}", step.run_id)))
    return step


def _unpacked(archive: str, folder: str) -> Json:
    """Unpack the stand-in; return what the export says about the step."""
    with zipfile.ZipFile(archive) as opened:
        known: Json = json.loads(opened.read("context.json").decode())
        if known["version"] != _VERSION:
            raise JobError("the step was written by another release of azml-tasks; export the pipeline again")
        opened.extractall(folder, [name for name in opened.namelist() if name.startswith("standin/")])
    return known


def _context(known: Json, folder: str, inputs: Json, datasets: Json, outputs: dict[str, str]) -> Json:
    variables = os.environ
    own = variables.get("AZUREML_RUN_ID") or variables.get("MLFLOW_RUN_ID") or "job"
    # A job outside of a pipeline is its own root.
    root = variables.get("AZUREML_ROOT_RUN_ID") or own
    run = os.path.join(folder, "runs", root)
    step = os.path.join(run, "steps", "step")
    return {
        "version": _CONTEXT_VERSION,
        "run_id": root,
        "step": known["step"],
        "step_name": known["step_name"],
        "step_run_id": own,
        "experiment": variables.get("MLFLOW_EXPERIMENT_NAME") or variables.get("AZUREML_ARM_PROJECT_NAME") or "Default",
        "run_dir": run,
        "step_dir": step,
        "artifacts_dir": os.path.join(step, "artifacts"),
        "models_dir": os.path.join(folder, "models"),
        "workspace": {
            "name": variables.get("AZUREML_ARM_WORKSPACE_NAME"),
            "resource_group": variables.get("AZUREML_ARM_RESOURCEGROUP"),
            "subscription_id": variables.get("AZUREML_ARM_SUBSCRIPTION"),
        },
        "environment_name": known["environment_name"],
        "datasets": datasets,
        "inputs": inputs,
        "outputs": outputs,
        "working_dir": os.getcwd(),
    }


def _absolute(path: str) -> str:
    return path if path.startswith("azureml:") or "://" in path else os.path.abspath(path)


def _patterns(folder: str, mounted: list[str], places: list[str]) -> list[str]:
    """Return where the paths of a dataset are: `mounted` holds a file or folder for each of its `places`.

    Several ones get the names that they have in the datastore, since names of files are relative to what all share.
    """
    if len(mounted) != len(places):
        raise JobError("the command does not fit the step's files; export the pipeline again")
    if len(places) == 1:
        return [_joined(mounted[0], _split(places[0])[1])]
    targets = {}
    # The shortest first, since it may hold another.
    pairs = zip(mounted, places)  # noqa: B905 - of one length, and Python 3.9 has no strict
    for path, place in sorted(pairs, key=lambda pair: len(_split(pair[1])[0])):
        fixed, rest = _split(place)
        target = os.path.join(folder, *fixed.split("/")).rstrip("/")
        if not os.path.lexists(target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.symlink(path, target)
        targets[place] = _joined(target, rest)
    return [targets[place] for place in places]


def _joined(path: str, rest: str) -> str:
    return os.path.join(path, rest) if rest else path


def _split(place: str) -> tuple[str, str]:
    """Return the part of a path in a datastore that is mounted, and the pattern in it."""
    if "*" not in place:
        return place.rstrip("/"), ""
    fixed = place[: place.index("*")].rpartition("/")[0]
    return fixed, place[len(fixed) :].lstrip("/")


def _link(folder: str, patterns: list[str], target: str) -> None:
    """Fill a folder with links to the files that match, under the names that v1 gives them."""
    sys.path.insert(0, os.path.join(folder, "standin"))
    try:
        from azml_local.formats.files import files, fixed_folder
    finally:
        del sys.path[0]
    os.makedirs(target)
    folders = [fixed_folder(pattern) for pattern in patterns]
    base = os.path.commonpath([path if os.path.isdir(path) else os.path.dirname(path) for path in folders])
    for path in files(patterns):
        link = os.path.join(target, os.path.relpath(path, base))
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink(path, link)


def _environment(folder: str, context: str, inputs: dict[str, str], outputs: dict[str, str]) -> dict[str, str]:
    """Return the variables of the script: those of the job, those that SDK v1 sets, and where azureml is."""
    environment = dict(os.environ)
    for prefix, named in (("AZURE_ML_INPUT", inputs), ("AZURE_ML_OUTPUT", outputs)):
        for name, path in named.items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                continue
            environment[f"{prefix}_{name}"] = environment[f"AZUREML_DATAREFERENCE_{name}"] = path
            if _PLAIN.fullmatch(name):
                environment.setdefault(name, path)
    others = environment.get("PYTHONPATH")
    standin = os.path.join(folder, "standin")
    environment["PYTHONPATH"] = os.pathsep.join([standin, others] if others else [standin])
    environment["AZML_RUN_CONTEXT"] = context
    environment["AZML_RUN_JOB"] = "1"
    environment.setdefault("PYTHONIOENCODING", "utf-8")
    environment.setdefault("MPLBACKEND", "Agg")  # A job has no display.
    return environment

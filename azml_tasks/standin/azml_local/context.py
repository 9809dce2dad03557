"""The local run around this process, as the runner described it."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .protocols import Json

VARIABLE = "AZML_RUN_CONTEXT"
_VERSION = 1

# By the file's path: a process that forks for each step changes the variable between two steps.
_loaded: dict[str, Context] = {}


class Context:
    """The runner's description of a step: its names, its folders, its data."""

    def __init__(self, values: Json) -> None:
        self.run_id: str = values["run_id"]
        self.step: str = values["step"]
        self.step_name: str = values["step_name"]
        self.step_names: dict[str, str] = values.get("step_names") or {}
        self.step_run_id: str = values["step_run_id"]
        self.experiment: str = values["experiment"]
        self.tags: dict[str, str] = values.get("tags") or {}
        self.parameters: Json = values.get("parameters") or {}
        self.run_dir: str = values["run_dir"]
        self.step_dir: str = values["step_dir"]
        self.artifacts_dir: str = values["artifacts_dir"]
        self.models_dir: str = values["models_dir"]
        self.env_file: str | None = values.get("env_file")
        self.workspace: Json = values.get("workspace") or {}
        self.environment_name: str | None = values.get("environment_name")
        self.compute_name: str | None = values.get("compute_name")
        self.datastores: dict[str, Json] = values.get("datastores") or {}
        self.datasets: dict[str, Json] = values.get("datasets") or {}
        self.data_of_datastores: dict[str, list[Json]] = values.get("data_of_datastores") or {}
        self.inputs: dict[str, Json] = values.get("inputs") or {}
        self.outputs: dict[str, str] = values.get("outputs") or {}
        # Files written to outputs/ and logs/ belong to the run, even if the script changes directory later.
        self.working_dir: str = values.get("working_dir") or os.getcwd()

    @property
    def state_dir(self) -> str:
        """The folder of things that outlive a run: models, datasets, datastores."""
        return os.path.dirname(self.models_dir)

    @property
    def runs_dir(self) -> str:
        """The folder that holds this run and the earlier ones."""
        return os.path.dirname(self.run_dir)


def current() -> Context | None:
    """Return the run around this process, or None outside of a run."""
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    if path not in _loaded:
        import json

        with open(path, encoding="utf-8") as file:
            values = json.load(file)
        if values.get("version") != _VERSION:
            raise RuntimeError(f"{path} was written by another release of azml-tasks; restart the run")
        _loaded[path] = Context(values)
    return _loaded[path]


def is_in_run() -> bool:
    """Return whether there is a local run around this process; reads nothing."""
    return bool(os.environ.get(VARIABLE))


def require_context(what: str) -> Context:
    """Return the current run; `what` is named in the error if there is none."""
    context = current()
    if context is None:
        from .errors import LocalRunException

        raise LocalRunException(f"{what} is only possible in a run; run the step with `invoke run --only STEP`")
    return context


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` when a known name is close to `name`, else an empty text."""
    from difflib import get_close_matches

    close = get_close_matches(str(name), list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""

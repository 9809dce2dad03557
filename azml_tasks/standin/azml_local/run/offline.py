"""The run of a script that is started outside a run: it prints what it would record.

It prints what azureml-core 1.61 prints (core/run.py, _OfflineRun), so that output compares.
"""

from __future__ import annotations

from ..errors import RunEnvironmentException
from ..sdk.sdk import is_installed, real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


def offline_run(allow_offline: bool, **kwargs: Any) -> Any:
    """Return the SDK's offline run if it is installed; else a run that prints."""
    if is_installed():
        return real("azureml.core.run").Run.get_context(allow_offline=allow_offline, **kwargs)
    if not allow_offline:
        raise RunEnvironmentException
    return _OfflineRun(**kwargs)


class _OfflineRun:
    """A run that prints; a local run is none of these."""

    def __init__(self, parent_logger: object = None, run_id: str | None = None, **kwargs: object) -> None:
        from uuid import uuid4

        self._run_id = run_id or f"OfflineRun_{uuid4()}"

    def __getattr__(self, name: str) -> NoReturn:
        # The first words are those of the SDK's run, which does not have it either.
        missing = f"{type(self).__name__!r} object has no attribute {name!r}"
        if name.startswith("_"):
            raise AttributeError(missing)
        raise AttributeError(
            f"{missing}, because the script was started by hand, outside a run; run its step with "
            "`invoke run --only STEP`"
        )

    @property
    def id(self) -> str:
        """An id that starts with OfflineRun."""
        return self._run_id

    def add_properties(self, properties: object) -> None:
        """Print the properties."""
        print(f"Attempted to add properties {properties}")

    def set_tags(self, tags: object) -> None:
        """Print the tags."""
        print(f"Attempted to set tags {tags}")

    def tag(self, name: str, value: object = None) -> None:
        """Print the tag."""
        print(f"Attempted to add tag {name} with value {value}")

    def complete(self) -> None:
        """Do nothing."""

    def fail(self, error_details: object = None, error_code: object = None) -> None:
        """Print why."""
        print(f"Run failed with error code {error_code}:\n{error_details}")

    def cancel(self) -> None:
        """Do nothing."""

    def log(self, name: str, value: object, description: object = "") -> None:
        """Print the metric."""
        self._print("scalar", name, value)

    def log_list(self, name: str, value: object, description: object = "") -> None:
        """Print the metric."""
        self._print("list", name, value)

    def log_table(self, name: str, value: object, description: object = "") -> None:
        """Print the metric."""
        self._print("table", name, value)

    def log_row(self, name: str, description: object = None, **kwargs: object) -> None:
        """Print the metric."""
        self._print("row", name, kwargs)

    def log_image(self, name: str, path: object = None, plot: object = None, description: object = "") -> None:
        """Print the metric."""
        self._print("image", name, plot or path)

    def log_residuals(self, name: str, value: object, description: object = None) -> None:
        """Print the metric."""
        self._print("residual", name, value)

    def log_predictions(self, name: str, value: object, description: object = None) -> None:
        """Print the metric."""
        self._print("predictions", name, value)

    def log_accuracy_table(self, name: str, value: object, description: object = None) -> None:
        """Print the metric."""
        self._print("accuracy_table", name, value)

    def log_confusion_matrix(self, name: str, value: object, description: object = None) -> None:
        """Print the metric."""
        self._print("confusion_matrix", name, value)

    def upload_folder(self, name: str, path: object, datastore_name: str | None = None) -> None:
        """Print the folder."""
        print(f"Attempted to track folder {name} at {path}")

    def upload_files(
        self,
        name: str,
        paths: object,
        return_artifacts: bool = False,
        timeout_seconds: object = None,
        datastore_name: str | None = None,
    ) -> None:
        """Print the files."""
        print(f"Attempted to track files {name} at {paths} with timeout {timeout_seconds}s")

    def upload_file(self, name: str, path_or_stream: object, datastore_name: str | None = None) -> None:
        """Print the file."""
        print(f"Attempted to track file {name} at {path_or_stream}")

    def child_run(self, name: str | None = None, run_id: str | None = None, outputs: object = None) -> _OfflineRun:
        """Return another run that prints."""
        from uuid import uuid4

        return _OfflineRun(run_id=run_id or f"{self._run_id}.{name or uuid4()}")

    def __enter__(self) -> _OfflineRun:
        print(f"[START] Run {self._run_id} context")
        return self

    def __exit__(self, exit_type: object, value: object, traceback: object) -> None:
        print(f"[STOP] Run {self._run_id} context")

    def flush(self) -> None:
        """Print that there is nothing to flush."""
        print(f"Attempted to flush run with id {self._run_id}")

    def _print(self, kind: str, name: str, value: object) -> None:
        print(f"Attempted to log {kind} metric {name}:\n{value}")

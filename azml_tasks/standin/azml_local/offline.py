"""The run of a script that is started outside of any run: it prints what it would record.

It prints what azureml-core 1.61 prints (core/run.py, _OfflineRun), so that output compares.
"""

from __future__ import annotations

from .errors import RunEnvironmentException
from .sdk import is_installed, real


def offline_run(allow_offline: bool, **kwargs):
    """Return what the SDK, where it is installed, gives outside of a run; else a run that prints."""
    if is_installed():
        return real("azureml.core.run").Run.get_context(allow_offline=allow_offline, **kwargs)
    if not allow_offline:
        raise RunEnvironmentException
    return _OfflineRun(**kwargs)


class _OfflineRun:
    """A run that prints; a local run is none of these."""

    def __init__(self, parent_logger=None, run_id=None, **kwargs):
        from uuid import uuid4

        self._run_id = run_id or f"OfflineRun_{uuid4()}"

    @property
    def id(self):
        """An id that starts with OfflineRun."""
        return self._run_id

    def add_properties(self, properties):
        """Print the properties."""
        print(f"Attempted to add properties {properties}")

    def set_tags(self, tags):
        """Print the tags."""
        print(f"Attempted to set tags {tags}")

    def tag(self, name, value=None):
        """Print the tag."""
        print(f"Attempted to add tag {name} with value {value}")

    def complete(self):
        """Do nothing."""

    def fail(self, error_details=None, error_code=None):
        """Print why."""
        print(f"Run failed with error code {error_code}:\n{error_details}")

    def cancel(self):
        """Do nothing."""

    def log(self, name, value, description=""):
        """Print the metric."""
        self._print("scalar", name, value)

    def log_list(self, name, value, description=""):
        """Print the metric."""
        self._print("list", name, value)

    def log_table(self, name, value, description=""):
        """Print the metric."""
        self._print("table", name, value)

    def log_row(self, name, description=None, **kwargs):
        """Print the metric."""
        self._print("row", name, kwargs)

    def log_image(self, name, path=None, plot=None, description=""):
        """Print the metric."""
        self._print("image", name, plot or path)

    def log_residuals(self, name, value, description=None):
        """Print the metric."""
        self._print("residual", name, value)

    def log_predictions(self, name, value, description=None):
        """Print the metric."""
        self._print("predictions", name, value)

    def log_accuracy_table(self, name, value, description=None):
        """Print the metric."""
        self._print("accuracy_table", name, value)

    def log_confusion_matrix(self, name, value, description=None):
        """Print the metric."""
        self._print("confusion_matrix", name, value)

    def upload_folder(self, name, path, datastore_name=None):
        """Print the folder."""
        print(f"Attempted to track folder {name} at {path}")

    def upload_files(self, name, paths, return_artifacts=False, timeout_seconds=None, datastore_name=None):
        """Print the files."""
        print(f"Attempted to track files {name} at {paths} with timeout {timeout_seconds}s")

    def upload_file(self, name, path_or_stream, datastore_name=None):
        """Print the file."""
        print(f"Attempted to track file {name} at {path_or_stream}")

    def child_run(self, name=None, run_id=None, outputs=None):
        """Return another run that prints."""
        from uuid import uuid4

        return _OfflineRun(run_id=run_id or f"{self._run_id}.{name or uuid4()}")

    def __enter__(self):
        print(f"[START] Run {self._run_id} context")
        return self

    def __exit__(self, exit_type, value, traceback):
        print(f"[STOP] Run {self._run_id} context")

    def flush(self):
        """Print that there is nothing to flush."""
        print(f"Attempted to flush run with id {self._run_id}")

    def _print(self, kind, name, value):
        print(f"Attempted to log {kind} metric {name}:\n{value}")

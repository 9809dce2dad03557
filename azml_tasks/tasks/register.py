"""Tasks that register what pipeline.yaml declares, in the workspace or on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke import Context

from azml_tasks.tasks.project import backend_of, is_dry, load
from azml_tasks.tasks.task import TARGET, interruptible, task
from azml_tasks.text import printable

if TYPE_CHECKING:
    from azml_tasks.backend import Kind

UPLOAD = "Upload each local_path to its datastore first (Azure ML only)."


@task(help={"target": TARGET, "upload": UPLOAD})
def register(context: Context, target: str = "", upload: bool = False) -> None:
    """Register the environments, datastores, datasets and computes."""
    _register(context, target, "register", "environment", "datastore", "dataset", "compute", upload=upload)


@task(help={"target": TARGET})
def register_env(context: Context, target: str = "") -> None:
    """Register the environments (backend local: create virtual environments)."""
    _register(context, target, "register-env", "environment")


@task(help={"target": TARGET})
def register_datastore(context: Context, target: str = "") -> None:
    """Register the datastores."""
    _register(context, target, "register-datastore", "datastore")


@task(help={"target": TARGET, "upload": UPLOAD})
def register_csv(context: Context, target: str = "", upload: bool = False) -> None:
    """Register the datasets (backend local: check their files)."""
    _register(context, target, "register-csv", "dataset", upload=upload)


@task(help={"target": TARGET})
def register_compute(context: Context, target: str = "") -> None:
    """Create the compute clusters, or update their scaling limits."""
    _register(context, target, "register-compute", "compute")


@task(positional=["name"], help={"target": TARGET, "name": "Name of the datastore."})
def unregister_datastore(context: Context, name: str, target: str = "") -> None:
    """Remove the datastore NAME from the workspace, keeping its blobs."""
    backend, dry = backend_of(load(context, target)), is_dry(context)
    with interruptible(
        f"the datastore may be unregistered; run `invoke unregister-datastore {name}` to complete it, or "
        "`invoke register-datastore` to register the datastores of pipeline.yaml again"
    ):
        print(backend.unregister_datastore(name, dry=dry))


def _register(context: Context, target: str, command: str, *kinds: Kind, upload: bool = False) -> None:
    """Register these kinds and print each change when it is made; `command` completes them after an interrupt."""
    backend = backend_of(load(context, target))
    if is_dry(context):
        from azml_tasks.tasks.blocks import register_block

        register_block(backend, kinds, upload, command).show()
        return
    change = None
    with interruptible(
        f"the changes above were made, and the next may have been made; run `invoke {command}` to complete them"
    ):
        for change in backend.register(kinds, upload=upload, dry=False, say=_say):
            _say(str(change))
            for note in change.notes:
                _say(f"note: {note}")
    if change is None:
        print("nothing to register in pipeline.yaml")


def _say(line: str) -> None:
    print(printable(line), flush=True)

"""Tasks that make the workspace match the file; on the local backend, this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from invoke import Context

from azml_tasks.errors import printable
from azml_tasks.tasks.settings import is_dry, load
from azml_tasks.tasks.task import TARGET, interruptible, task

if TYPE_CHECKING:
    from azureml.core import Workspace

    from azml_tasks.reading import Project

UPLOAD = "Put each local_path into its datastore first (on Azure ML only)."


@task(help={"target": TARGET, "upload": UPLOAD})
def register(context: Context, target: str = "", upload: bool = False) -> None:
    """Register the file's environments, datastores, datasets and computes."""
    project, dry = load(context, target), is_dry(context)
    if _is_local(project):
        from azml_tasks.local.registration import register as register_here

        _ignore(upload)
        _print_all("register", lambda: register_here(project, dry, _say))
    else:
        from azml_tasks.azure.register import register as register_there
        from azml_tasks.needs import check_environments

        check_environments(project)
        _print_all("register", lambda: register_there(_connect(project), project, upload, dry))


@task(help={"target": TARGET})
def register_env(context: Context, target: str = "") -> None:
    """Register the environments; on this machine, as virtual environments."""
    project, dry = load(context, target), is_dry(context)
    if _is_local(project):
        from azml_tasks.local.registration import register_environments as register_here

        _print_all("register-env", lambda: register_here(project, dry, _say))
    else:
        from azml_tasks.azure.register import register_environments
        from azml_tasks.needs import check_environments

        check_environments(project)
        _print_all("register-env", lambda: register_environments(_connect(project), project, dry))


@task(help={"target": TARGET})
def register_datastore(context: Context, target: str = "") -> None:
    """Register the datastores."""
    project, dry = load(context, target), is_dry(context)
    _refuse_local(project, "datastores: a local run reads each dataset's local_path")
    from azml_tasks.azure.register import register_datastores

    _print_all("register-datastore", lambda: register_datastores(_connect(project), project, dry))


@task(help={"target": TARGET, "upload": UPLOAD})
def register_csv(context: Context, target: str = "", upload: bool = False) -> None:
    """Register the datasets; on this machine, look at their files."""
    project, dry = load(context, target), is_dry(context)
    if _is_local(project):
        from azml_tasks.local.registration import register_datasets as register_here

        _ignore(upload)
        _print_all("register-csv", lambda: register_here(project))
    else:
        from azml_tasks.azure.register import register_datasets

        _print_all("register-csv", lambda: register_datasets(_connect(project), project, upload, dry))


@task(help={"target": TARGET})
def register_compute(context: Context, target: str = "") -> None:
    """Create the compute clusters, or change how far they scale."""
    project, dry = load(context, target), is_dry(context)
    _refuse_local(project, "computes: a local run uses this machine")
    from azml_tasks.azure.register import register_computes

    _print_all("register-compute", lambda: register_computes(_connect(project), project, dry))


@task(positional=["name"], help={"target": TARGET, "name": "The datastore's name."})
def unregister_datastore(context: Context, name: str, target: str = "") -> None:
    """Take the datastore NAME out of the workspace; its blobs stay."""
    project, dry = load(context, target), is_dry(context)
    _refuse_local(project, "datastores: a local run reads each dataset's local_path")
    from azml_tasks.azure.datastores import unregister_datastore as unregister

    with interruptible(
        f"the datastore may be unregistered; `invoke unregister-datastore {name}` completes it, and "
        "`invoke register-datastore` registers those of the file again"
    ):
        print(unregister(_connect(project), name, dry))


def _is_local(project: Project) -> bool:
    return project.pipeline.backend == "local"


def _ignore(upload: bool) -> None:
    if upload:
        print("note: --upload has no meaning on this machine: a local run reads each dataset's local_path")


def _refuse_local(project: Project, what: str) -> None:
    from azml_tasks.errors import AzmlError

    if _is_local(project):
        raise AzmlError(f"this machine has no {what}. Name a target whose backend is azure with --target")


def _connect(project: Project) -> Workspace:
    from azml_tasks.azure.connection import connect

    return connect(project)


def _say(line: str) -> None:
    print(printable(line), flush=True)


def _print_all(command: str, begin: Callable[[], Iterable[object]]) -> None:
    """Print each change as it is made; `command` is what completes them after an interrupt."""
    change = None
    with interruptible(f"what is listed above is done, and the next may be; `invoke {command}` completes it"):
        for change in begin():
            print(printable(str(change)), flush=True)
            for note in getattr(change, "notes", ()):
                print(printable(f"note: {note}"), flush=True)
    if change is None:
        print("pipeline.yaml declares nothing to register here")

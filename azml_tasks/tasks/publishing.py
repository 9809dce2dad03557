"""Tasks that publish the pipeline, and run what is published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from invoke import Context

from azml_tasks.tasks.flags import named_experiment
from azml_tasks.tasks.settings import is_dry, load
from azml_tasks.tasks.task import SET, TARGET, interruptible, task

if TYPE_CHECKING:
    from azml_tasks.reading import Project


@task(help={"target": TARGET, "prune": "Then disable the versions that no endpoint and no active schedule uses."})
def publish(context: Context, target: str = "", prune: bool = False) -> None:
    """Publish the pipeline when its content is new; its endpoint then runs that."""
    project, dry = load(context, target, with_files=True), is_dry(context)
    with interruptible(
        "the pipeline may be published already, and unused versions disabled; `invoke publish` completes it, and "
        "`invoke published.list` shows what there is"
    ):
        _publish(project, prune, dry)


def _publish(project: Project, prune: bool, dry: bool) -> None:
    ws = _workspace(project)
    from azml_tasks.azure.publish import disable_versions, publish, unused_versions

    done = publish(project, ws, dry)
    print(done)
    for note in done.notes:
        print(f"note: {note}")
    if prune:
        # With --dry the version of this content may not be the default yet.
        unused = [item for item in unused_versions(ws, done.name) if item.version != done.version]
        for item in unused if dry else disable_versions(ws, done.name, unused):
            print(f"{done.name} {item.version}: {'would be disabled' if dry else 'disabled'}")
    if done.url:
        print(f"`invoke published.run` runs it; so does a POST to {done.url}")


@task(name="list", help={"target": TARGET})
def list_(context: Context, target: str = "") -> None:
    """List the published versions of the pipeline, the endpoint's default first."""
    project = load(context, target)
    ws = _workspace(project)
    from azml_tasks.azure.publish import published_name
    from azml_tasks.azure.published import list_versions

    name = published_name(project)
    url, versions = list_versions(ws, name)
    print(f"{name}: {url or 'no endpoint; `invoke publish` makes one'}")
    for version in versions:
        print(f"  {version.version:<12}  {version.state:<8}  {version.description}".rstrip())


@task(
    iterable=["set"],
    help={
        "target": TARGET,
        "set": SET,
        "version": "A published version, or how it begins; by default what the endpoint runs.",
        "experiment": "File the run under this experiment.",
    },
)
def run(
    context: Context,
    target: str = "",
    set: Sequence[str] | None = None,  # noqa: A002  (the flag is --set)
    version: str = "",
    experiment: str = "",
) -> None:
    """Run the published pipeline once more, whatever the file says today."""
    project, dry = load(context, target), is_dry(context)
    wanted = named_experiment(experiment)
    from azml_tasks.azure.publish import published_name
    from azml_tasks.azure.relaunch import relaunch

    with interruptible(
        "a run may have started; `invoke runs.list` shows it, `invoke runs.cancel` stops it, and "
        "`invoke published.run` starts one"
    ):
        ws = _workspace(project)
        name = published_name(project)
        done, record = relaunch(project, ws, settings=set or (), experiment=wanted, version=version or None, dry=dry)
    if record is None:
        print(f"would run {name} {done}")
    else:
        print(f"run {record.id} of {name} {done}, experiment {record.experiment}\n{record.url}")


def _workspace(project: Project) -> Any:
    from azml_tasks.errors import AzmlError

    if project.pipeline.backend == "local":
        raise AzmlError("this machine publishes nothing. Name a target whose backend is azure with --target")
    from azml_tasks.azure.connection import connect

    return connect(project)

"""Tasks that publish the pipeline, and list and run its published versions."""

from __future__ import annotations

from collections.abc import Sequence

from invoke import Context

from azml_tasks.tasks.project import backend_of, is_dry, load
from azml_tasks.tasks.task import SET, TARGET, interruptible, named_experiment, task


@task(help={"target": TARGET, "prune": "Also disable versions that no endpoint and no active schedule uses."})
def publish(context: Context, target: str = "", prune: bool = False) -> None:
    """Publish the pipeline if it changed, and make it the endpoint's default."""
    from azml_tasks.backend import Publication

    backend = backend_of(load(context, target, with_files=True))
    if is_dry(context):
        from azml_tasks.tasks.blocks import publish_block

        publish_block(backend, prune).show()
        return
    url = ""
    with interruptible(
        "the pipeline may already be published, and unused versions disabled; run `invoke publish` to complete it, or "
        "`invoke published.list` to see the versions"
    ):
        for change in backend.publish(prune=prune, dry=False):
            print(change)
            for note in change.notes:
                print(f"note: {note}")
            if isinstance(change, Publication):
                url = change.url
    if url:
        print(f"run it with `invoke published.run`, or with a POST to {url}")


@task(name="list", default=True, help={"target": TARGET})
def list_(context: Context, target: str = "") -> None:
    """List the published versions of the pipeline, the default first."""
    found = backend_of(load(context, target)).published.list()
    print(f"{found.name}: {found.url or found.place or 'not published yet; publish it with `invoke publish`'}")
    for version in found.versions:
        print(f"  {version.version:<12}  {version.state:<8}  {version.description}".rstrip())


@task(
    iterable=["set"],
    help={
        "target": TARGET,
        "set": SET,
        "version": "Published version, or its first characters; default: the endpoint's default.",
        "experiment": "Store the run in this experiment.",
    },
)
def run(
    context: Context,
    target: str = "",
    set: Sequence[str] | None = None,  # noqa: A002  (the flag is --set)
    version: str = "",
    experiment: str = "",
) -> None:
    """Run the published pipeline, ignoring later changes in pipeline.yaml."""
    from azml_tasks.backend import RunRequest

    backend, dry = backend_of(load(context, target)), is_dry(context)
    request = RunRequest(settings=tuple(set or ()), experiment=named_experiment(experiment))
    with interruptible(
        "a run may have started: check with `invoke runs.list`, cancel it with `invoke runs.cancel`, or start one with "
        "`invoke published.run`"
    ):
        run = backend.published.run(request, version or None, dry=dry)
    if run.record is None:
        print(f"would run {run.name} {run.version}")
    else:
        print(f"run {run.record.id} of {run.name} {run.version}, experiment {run.record.experiment}\n{run.record.url}")

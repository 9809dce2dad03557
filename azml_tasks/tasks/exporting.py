"""The task that takes a project to Azure ML v2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from invoke import Context

from azml_tasks.tasks.settings import is_dry, load
from azml_tasks.tasks.task import TARGET, interruptible, task

if TYPE_CHECKING:
    from azml_tasks.export import Change


@task(help={"target": TARGET})
def export_v2(context: Context, target: str = "") -> None:
    """Write the pipeline as Azure ML v2 YAML files, under azureml-v2/."""
    from azml_tasks.export import export, write

    project = load(context, target, with_files=True, needs_values=False)
    exported = export(project)
    with interruptible("some of the files may be written; `invoke export-v2` completes them"):
        changes = write(project.directory, exported.files, is_dry(context))
    for line in lines(changes):
        print(line)
    for remark in exported.remarks:
        print(replace(remark, message=f"note: {remark.message}"))


def lines(changes: list[Change]) -> Iterator[str]:
    """Yield a line for each file, but one for all those of a step's code that the same became of."""
    from azml_tasks.export import FOLDER

    for (place, done), group in groupby(changes, key=lambda change: (_place(change.path), change.done)):
        paths = [change.path for change in group]
        yield f"{FOLDER}/{paths[0]}: {done}" if len(paths) == 1 else f"{FOLDER}/{place}: {done} ({len(paths)} files)"


def _place(path: str) -> str:
    """Return the folder of a step's code that a file lies in, else the file itself."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "code" else path

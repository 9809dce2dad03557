"""The `export-v2` task."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from invoke import Context

from azml_tasks.tasks.project import is_dry, load
from azml_tasks.tasks.task import TARGET, interruptible, task

if TYPE_CHECKING:
    from azml_tasks.export import FileChange


@task(help={"target": TARGET})
def export_v2(context: Context, target: str = "") -> None:
    """Write the pipeline as Azure ML v2 YAML files in azureml-v2/."""
    from azml_tasks.export import export, write

    project = load(context, target, with_files=True, needs_values=False)
    exported = export(project)
    with interruptible("some of the files may be written; run `invoke export-v2` to complete them"):
        changes = write(project.directory, exported.files, is_dry(context))
    for line in lines(changes):
        print(line)
    for remark in exported.remarks:
        print(remark._replace(message=f"note: {remark.message}"))


def lines(changes: list[FileChange]) -> Iterator[str]:
    """Yield a line for each file, but one line for all files of a step's code with the same outcome."""
    from azml_tasks.export import FOLDER

    for (place, done), group in groupby(changes, key=lambda change: (_place(change.path), change.done)):
        paths = [change.path for change in group]
        yield f"{FOLDER}/{paths[0]}: {done}" if len(paths) == 1 else f"{FOLDER}/{place}: {done} ({len(paths)} files)"


def _place(path: str) -> str:
    """Return the folder of the step's code that contains the file, or the file itself."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "code" else path

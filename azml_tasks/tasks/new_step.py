"""The task that adds a step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from invoke import Context

from azml_tasks.errors import AzmlError, ProjectError, did_you_mean, what_there_is
from azml_tasks.tasks.settings import is_dry
from azml_tasks.tasks.task import task

if TYPE_CHECKING:
    from azml_tasks.reading import Project


@task(
    positional=["name"],
    iterable=["dataset"],
    help={
        "name": "The step's key, and its script's name.",
        "after": "The step that it follows; by default the last.",
        "dataset": "A dataset that it reads; may be given several times.",
    },
)
def new_step(context: Context, name: str, after: str = "", dataset: Sequence[str] | None = None) -> None:
    """Add the step NAME to pipeline.yaml and write its script."""
    from azml_tasks.reading import find_file, load_project
    from azml_tasks.reading.edit import add_step, scalar
    from azml_tasks.stub import render_stub

    if name in ("-h", "--help"):
        # Invoke takes the flag for the missing name before it looks for flags.
        raise AzmlError("usage: invoke new-step NAME [--after STEP] [--dataset NAME]; more by invoke --help new-step")
    dataset = list(dict.fromkeys(dataset or []))
    _check_names(name, dataset)
    file = find_file(Path.cwd())
    project = load_project(file)
    pipeline = project.pipeline
    if pipeline.backend == "local":
        _check_datasets(project, dataset)
    folder = (pipeline.steps.get(after) or list(pipeline.steps.values())[-1]).script_directory
    path = PurePosixPath(folder, f"{name}.py")
    script = file.parent / path
    if not script.resolve().is_relative_to(file.parent.resolve()):
        raise AzmlError(f"{path} would lie outside the project; add the step by hand")
    if script.exists():
        raise AzmlError(f"{path} is there already; choose another name, or add the step by hand")
    fields = [f"script_name: {name}.py"]
    if folder != ".":
        fields.append(f"script_directory: {scalar(folder)}")
    if dataset:
        arguments = ", ".join(f"--{item.replace('_', '-')}: {scalar(item)}" for item in dataset)
        fields.append(f"input_datasets: {{{arguments}}}")
    # Bytes, so that the line endings of the file stay what they are.
    text = add_step(file.read_bytes().decode("utf-8"), name, fields, after or None)
    if is_dry(context):
        print(f"would add '{name}' to {file.name} and write {path}")
        return
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(render_stub(name, dataset), encoding="utf-8")
    file.write_bytes(text.encode("utf-8"))
    print(f"{file.name}: the step '{name}' is added, and {path} is written; `invoke run` runs it")
    for item in dataset:
        if item not in pipeline.datasets:
            close = did_you_mean(item, pipeline.datasets)
            print(f"note: the dataset '{item}' is not under datasets, and a local run needs it there{close}")


def _check_names(name: str, datasets: Iterable[str]) -> None:
    from azml_tasks.stub import dataset_name_problem, step_name_problem

    if problem := step_name_problem(name):
        raise AzmlError(f"new-step makes no step '{name}' ({problem}); by hand, pipeline.yaml takes other keys too")
    for dataset in datasets:
        if problem := dataset_name_problem(dataset):
            raise AzmlError(f"new-step takes no dataset '{dataset}' ({problem})")


def _check_datasets(project: Project, datasets: Iterable[str]) -> None:
    """See that a local run can read the datasets; raises ProjectError."""
    declared = project.pipeline.datasets
    problems = []
    for name in datasets:
        if name not in declared:
            message = f"the file has no dataset '{name}'{what_there_is(name, declared)}"
            problems.append(project.problem(("datasets",), message))
        elif declared[name].local_path is None:
            message = f"dataset '{name}' has no local_path, which a local run needs"
            problems.append(project.problem(("datasets", name), message))
    if problems:
        raise ProjectError(problems)

"""The task that adds a step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from invoke import Context

from azml_tasks.errors import AzmlError, ProjectError, did_you_mean, what_there_is
from azml_tasks.tasks.settings import is_dry, project_file
from azml_tasks.tasks.task import interruptible, task

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
    from azml_tasks.reading import load_project
    from azml_tasks.reading.edit import add_step
    from azml_tasks.stub import render_stub

    if name in ("-h", "--help"):
        # Invoke takes the flag for the missing name before it looks for flags.
        raise AzmlError("usage: invoke new-step NAME [--after STEP] [--dataset NAME]; more by invoke --help new-step")
    dataset = list(dict.fromkeys(dataset or []))
    _check_names(name, dataset)
    file = project_file(context)
    project = load_project(file)
    pipeline = project.pipeline
    if pipeline.backend == "local":
        _check_datasets(project, dataset)
    before = after if after in pipeline.steps else list(pipeline.steps)[-1]
    folder = pipeline.steps[before].script_directory
    path = PurePosixPath(folder, f"{name}.py")
    script = file.parent / path
    if not script.resolve().is_relative_to(file.parent.resolve()):
        raise AzmlError(f"{path} would lie outside the project; add the step by hand")
    _check_link(file)
    if script.exists():
        raise AzmlError(f"{path} is there already; choose another name, or add the step by hand")
    read = _output_to_read(project, before)
    fields = [f"script_name: {name}.py", *_fields(project, before, dataset, read)]
    # Bytes, so that the line endings of the file stay what they are.
    text = add_step(file.read_bytes().decode("utf-8"), name, fields, after or None)
    _check_text(project, text, name, before)
    if is_dry(context):
        print(f"would add '{name}' to {file.name} and write {path}")
        return
    with interruptible(f"the step '{name}' is added whole or not at all; `invoke new-step {name}` adds it"):
        _write_both(script, render_stub(name, dataset), file.resolve(), text)
    print(f"{file.name}: the step '{name}' is added, and {path} is written; `invoke run` runs it")
    if read:
        print(f"note: '{before}' has several outputs; '{name}' reads {read}, as its input_folders say")
    for item in dataset:
        if item not in pipeline.datasets:
            close = did_you_mean(item, pipeline.datasets)
            print(f"note: the dataset '{item}' is not under datasets, and a local run needs it there{close}")


def _write_both(script: Path, source: str, file: Path, text: str) -> None:
    """Write the script and replace the file in one step; when either fails, neither is there."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    script.parent.mkdir(parents=True, exist_ok=True)
    try:
        script.write_text(source, encoding="utf-8")
        partial.write_bytes(text.encode("utf-8"))
        shutil.copymode(file, partial)
        os.replace(partial, file)
    except BaseException:
        partial.unlink(missing_ok=True)
        if file.read_bytes() != text.encode("utf-8"):
            script.unlink(missing_ok=True)
        raise


def _check_link(file: Path) -> None:
    """See that the file to be changed lies in the project; raises AzmlError."""
    from azml_tasks.snapshot.links import leads_out

    if leads_out(file, file.parent):
        raise AzmlError(f"{file.name} leads out of the project by a link: add the step to {file.resolve()} by hand")


def _check_names(name: str, datasets: Iterable[str]) -> None:
    from azml_tasks.stub import dataset_name_problem, step_name_problem

    if problem := step_name_problem(name):
        raise AzmlError(f"new-step makes no step '{name}' ({problem}); by hand, pipeline.yaml takes other keys too")
    for dataset in datasets:
        if problem := dataset_name_problem(dataset):
            raise AzmlError(f"new-step takes no dataset '{dataset}' ({problem})")


def _output_to_read(project: Project, before: str) -> str | None:
    """Return the output of the step before that the new one reads, when it has several to choose from."""
    outputs = project.plan[before].outputs
    return f"{before}/{outputs[0].argument}" if len(outputs) > 1 else None


def _fields(project: Project, before: str, datasets: Sequence[str], read: str | None) -> Iterator[str]:
    """Yield the lines of a step behind the step `before`, without its script's name.

    It lies in the same folder, reads the datasets and the output `read`, and has the compute and the environment of the
    step before where the file names none for all steps.
    """
    from azml_tasks.reading.edit import scalar

    step = project.pipeline.steps[before]
    if step.script_directory != ".":
        yield f"script_directory: {scalar(step.script_directory)}"
    if datasets:
        arguments = ", ".join(f"--{item.replace('_', '-')}: {scalar(item)}" for item in datasets)
        yield f"input_datasets: {{{arguments}}}"
    if read:
        yield f"input_folders: {{--input-folder: {scalar(read)}}}"
    # As they are written, since a value may be a variable.
    written = project.values.root.value["steps"].value[before].value  # type: ignore[index]
    for key in ("compute_name", "env_name"):
        if getattr(step, key) and not getattr(project.pipeline, key):
            yield f"{key}: {scalar(str(written[key].value)).replace('$$', '$')}"


def _check_text(project: Project, text: str, name: str, before: str) -> None:
    """See that pipeline.yaml is valid with that text, as far as it has been; raises ProjectError."""
    from azml_tasks.reading import load_project
    from azml_tasks.reading.targets import targets_of
    from azml_tasks.reading.tree import parse_tree

    messages: list[str] = []
    try:
        load_project(project.file, variables=project.variables, text=text)  # with what every target changes
    except ProjectError as error:
        messages += (problem.message for problem in error.problems)
    else:
        for target in (None, *targets_of(parse_tree(text.removeprefix("\ufeff")))):
            if not _azure_problems(project, target):
                messages += _azure_problems(project, target, text)
    if messages:
        place = ("steps", before)
        said = (f"the step '{name}' cannot be added after '{before}': {message}" for message in dict.fromkeys(messages))
        raise ProjectError(project.problem(place, sentence) for sentence in said)


def _azure_problems(project: Project, target: str | None, text: str | None = None) -> list[str]:
    """Return what keeps Azure from taking a target, if that runs there; variables may be unset."""
    from azml_tasks.needs import needs_problems
    from azml_tasks.reading import load_project

    try:
        loaded = load_project(project.file, target, project.variables, text=text, needs_values=False)
    except ProjectError as error:
        return [problem.message for problem in error.problems]
    return [problem.message for problem in needs_problems(loaded)] if loaded.pipeline.backend == "azure" else []


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

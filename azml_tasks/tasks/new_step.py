"""The `new-step` task."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from invoke import Context

from azml_tasks.errors import AzmlError, ProjectError
from azml_tasks.tasks.project import backend_of, is_dry, project_file
from azml_tasks.tasks.task import interruptible, task
from azml_tasks.text import did_you_mean

if TYPE_CHECKING:
    from azml_tasks.errors import Problem
    from azml_tasks.reading import Project


@task(
    positional=["name"],
    iterable=["dataset"],
    help={
        "name": "Key of the step, and name of its script.",
        "after": "Insert the new step after this one; default: the last step.",
        "dataset": "A dataset that the step reads; can be repeated.",
    },
)
def new_step(context: Context, name: str, after: str = "", dataset: Sequence[str] | None = None) -> None:
    """Add the step NAME to pipeline.yaml and create its script."""
    from azml_tasks.reading import load_project
    from azml_tasks.reading.edit import add_step
    from azml_tasks.stub import render_stub

    dataset = list(dict.fromkeys(dataset or []))
    _check_names(name, dataset)
    file = project_file(context)
    project = load_project(file)
    pipeline = project.pipeline
    if problems := backend_of(project).dataset_problems(dataset):
        raise ProjectError(problems)
    before = after if after in pipeline.steps else list(pipeline.steps)[-1]
    folder = pipeline.steps[before].script_directory
    path = PurePosixPath(folder, f"{name}.py")
    script = file.parent / path
    if not script.resolve().is_relative_to(file.parent.resolve()):
        raise AzmlError(f"{path} is outside the project; add the step by hand")
    _check_link(file)
    if script.exists() and name not in pipeline.steps:
        raise AzmlError(f"{path} already exists; choose another name, or add the step by hand")
    read = _output_to_read(project, before)
    fields = [f"script_name: {name}.py", *_fields(project, before, dataset, read)]
    # Bytes, to keep the line endings of the file.
    text = add_step(file.read_bytes().decode("utf-8"), name, fields, after or None)
    _check_text(project, text, name, before)
    if is_dry(context):
        print(f"would add step '{name}' to {file.name} and create {path}")
        return
    with interruptible(f"step '{name}' is added completely or not at all; to add it, run `invoke new-step {name}`"):
        _write_both(script, render_stub(name, dataset), file.resolve(), text)
    problems = _problems_of_others(project, name)
    then = "fix this before you run it:" if problems else "run it with `invoke run`"
    print(f"added step '{name}' to {file.name} and created {path}; {then}", *problems, sep="\n")
    if read:
        print(f"note: step '{before}' has several outputs; '{name}' reads {read} (see its input_folders)")
    for item in dataset:
        if item not in pipeline.datasets:
            close = did_you_mean(item, pipeline.datasets)
            print(f"note: dataset '{item}' is not declared under datasets, which local runs need{close}")


def _problems_of_others(before: Project, name: str) -> list[Problem]:
    """Return what `validate` finds wrong with the other steps now and did not before the step `name` was added, such as
    an output folder that the script of the former last step does not accept."""
    from azml_tasks.checks.files import project_problems
    from azml_tasks.reading import load_project

    known = {problem.message for problem in project_problems(before)}
    found = project_problems(load_project(before.file, variables=before.variables))
    return [one for one in found if one.message not in known and not one.message.startswith(f"step '{name}'")]


def _write_both(script: Path, source: str, file: Path, text: str) -> None:
    """Write the script and replace the file; if one of them fails, undo the other.

    Raises AzmlError if one of them cannot be written.
    """
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(source, encoding="utf-8")
        partial.write_bytes(text.encode("utf-8"))
        shutil.copymode(file, partial)
        os.replace(partial, file)
    except BaseException as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
            if file.read_bytes() != text.encode("utf-8"):
                script.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise AzmlError(f"cannot write {error.filename}: {error.strerror}") from None
        raise


def _check_link(file: Path) -> None:
    """Raise AzmlError if the file is a link to a place outside the project."""
    from azml_tasks.snapshot.files import leads_out

    if leads_out(file, file.parent):
        raise AzmlError(f"{file.name} is a link to outside the project; add the step to {file.resolve()} by hand")


def _check_names(name: str, datasets: Iterable[str]) -> None:
    from azml_tasks.stub import dataset_name_problem, step_name_problem

    if problem := step_name_problem(name):
        raise AzmlError(f"new-step cannot add a step named '{name}': {problem} (a step added by hand can have any key)")
    for dataset in datasets:
        if problem := dataset_name_problem(dataset):
            raise AzmlError(f"new-step cannot use the dataset '{dataset}': {problem}")


def _output_to_read(project: Project, before: str) -> str | None:
    """Return the output that the new step reads, if the step before has several; otherwise None."""
    outputs = project.plan[before].outputs
    return f"{before}/{outputs[0].argument}" if len(outputs) > 1 else None


def _fields(project: Project, before: str, datasets: Sequence[str], read: str | None) -> Iterator[str]:
    """Yield the lines of a step after the step `before`, without its script_name.

    The step has the same folder, reads the datasets and the output `read`, and has the compute and environment of the
    step before if the file sets none for all steps.
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
    # As written in the file, because a value may be a variable.
    written = project.values.root.value["steps"].value[before].value  # type: ignore[index]
    for key in ("compute_name", "env_name"):
        if getattr(step, key) and not getattr(project.pipeline, key):
            yield f"{key}: {scalar(str(written[key].value)).replace('$$', '$')}"


def _check_text(project: Project, text: str, name: str, before: str) -> None:
    """Raise ProjectError if pipeline.yaml has errors with the new text that it does not have now."""
    from azml_tasks.reading import load_project
    from azml_tasks.reading.project import targets_of
    from azml_tasks.reading.tree import parse_tree

    messages: list[str] = []
    try:
        load_project(project.file, variables=project.variables, text=text)  # including all targets
    except ProjectError as error:
        messages += (problem.message for problem in error.problems)
    else:
        for target in (None, *targets_of(parse_tree(text.removeprefix("\ufeff")))):
            if not _backend_problems(project, target):
                messages += _backend_problems(project, target, text)
    if messages:
        place = ("steps", before)
        said = (f"step '{name}' cannot be added after '{before}': {message}" for message in dict.fromkeys(messages))
        raise ProjectError(project.problem(place, sentence) for sentence in said)


def _backend_problems(project: Project, target: str | None, text: str | None = None) -> list[str]:
    """Return the problems of a target, and what its backend does not find; variables may be unset."""
    from azml_tasks.reading import load_project

    try:
        loaded = load_project(project.file, target, project.variables, text=text, needs_values=False)
    except ProjectError as error:
        return [problem.message for problem in error.problems]
    return [problem.message for problem in backend_of(loaded).problems()]

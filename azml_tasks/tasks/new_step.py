"""The task that adds a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from invoke import Context

from azml_tasks.errors import AzmlError, did_you_mean
from azml_tasks.tasks.settings import is_dry
from azml_tasks.tasks.task import task


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
    from azml_tasks.stub import dataset_name_problem, render_stub, step_name_problem

    if name in ("-h", "--help"):
        # Invoke takes the flag for the missing name before it looks for flags.
        raise AzmlError("usage: invoke new-step NAME [--after STEP] [--dataset NAME]; more by invoke --help new-step")
    dataset = list(dict.fromkeys(dataset or []))
    for problem in (step_name_problem(name), *map(dataset_name_problem, dataset)):
        if problem:
            raise AzmlError(problem)
    file = find_file(Path.cwd())
    pipeline = load_project(file).pipeline
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
    for note in _undeclared(dataset, pipeline.datasets):
        print(f"note: {note}")


def _undeclared(wanted: Iterable[str], declared: Mapping[str, object]) -> Iterator[str]:
    for name in wanted:
        if name not in declared:
            close = did_you_mean(name, declared)
            yield f"the dataset '{name}' is not under datasets, and a local run needs it there{close}"

"""The task that adds a step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from invoke import Context

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
    """Add a step to pipeline.yaml and write its script."""
    from azml_tasks.errors import AzmlError
    from azml_tasks.reading import find_file
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
    folder = _script_directory(file, after)
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


def _script_directory(file: Path, after: str) -> str:
    """Return the folder that the script of the step before lies in."""
    from azml_tasks.reading import load_project

    steps = load_project(file).pipeline.steps
    before = steps.get(after) or list(steps.values())[-1]
    return before.script_directory

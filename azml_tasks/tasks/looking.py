"""Tasks that look at the file and change nothing."""

from __future__ import annotations

from invoke import Context, Exit

from azml_tasks.errors import printable
from azml_tasks.tasks.settings import is_dry, load
from azml_tasks.tasks.task import TARGET, task


@task(help={"target": TARGET, "strict": "Count remarks as errors: exit status 2."})
def validate(context: Context, target: str = "", strict: bool = False) -> None:
    """Check all of pipeline.yaml, and the files it names, without Azure."""
    from azml_tasks.checks import check_project, data_notes, environment_notes
    from azml_tasks.errors import ProjectError, listed
    from azml_tasks.needs import publishing_problems
    from azml_tasks.preview import blob_limits
    from azml_tasks.reading.schema_file import write_schema

    project = load(context, target, with_files=True)
    if not is_dry(context):
        write_schema(project.directory)
    report = check_project(project)
    if report.problems:
        raise ProjectError(report.problems)
    notes = [*project.notes, *report.notes, *data_notes(project), *environment_notes(project)]
    if project.pipeline.backend == "azure":
        notes += publishing_problems(project)
    for note in notes:
        print(printable(f"{note.file}:{note.line}: {'' if strict else 'note: '}{note.message}"))
    # What no change of the file would mend is no remark that `--strict` could take for an error.
    for limit in blob_limits(project.pipeline.schedule):
        print(f"{project.file.name}: note: {limit}")
    if strict and notes:
        raise Exit(code=2)
    pipeline = project.pipeline
    counts = {
        "step": len(pipeline.steps),
        "dataset": len(pipeline.datasets),
        "environment": len(pipeline.environments),
        "compute": len(pipeline.computes),
    }
    parts = [_counted(number, noun) for noun, number in counts.items() if number]
    print(f"{project.file.name} is fine: {listed(parts)}.")


@task(help={"target": TARGET, "mermaid": "Print a Mermaid flowchart instead."})
def graph(context: Context, target: str = "", mermaid: bool = False) -> None:
    """Show which step reads what from which."""
    from azml_tasks.diagram import as_mermaid, as_text

    plan = load(context, target).plan
    print(printable(as_mermaid(plan) if mermaid else as_text(plan)))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

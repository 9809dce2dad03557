"""The tasks that look at the file, this machine and the workspace, and change nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from invoke import Context, Exit

from azml_tasks.tasks.project import backend_of, is_dry, load, project_file_or_none, stated_backend
from azml_tasks.tasks.task import TARGET, agreed, interruptible, task
from azml_tasks.text import printable, what_there_is

if TYPE_CHECKING:
    from azml_tasks.backend import Backend, Fact
    from azml_tasks.checks.doctor import Finding
    from azml_tasks.reading import Project
    from azml_tasks.tasks.migrate import Side
    from azml_tasks.tasks.validation import Validation


@task(
    help={
        "target": TARGET,
        "strict": "Treat notes as errors (exit status 2).",
        "format": "Output format: text, github or azure-devops (annotations of a CI run), or json.",
    }
)
def validate(
    context: Context,
    target: str = "",
    strict: bool = False,
    format: str = "text",  # noqa: A002  (the flag is --format)
) -> None:
    """Check pipeline.yaml and the files it names, without Azure."""
    from azml_tasks.errors import ProjectError
    from azml_tasks.tasks.validation import Validation, check_format

    check_format(format)
    try:
        found = _validated(context, target, strict)
    except ProjectError as error:
        if format == "text":
            raise
        found = Validation(target or None, project_file_or_none(context), error.problems)
    found.show(format)
    if not found.is_valid:
        raise Exit(code=2)


def _validated(context: Context, target: str, strict: bool) -> Validation:
    """Check the project; raises ProjectError with everything that is wrong."""
    from azml_tasks.checks.data import data_notes
    from azml_tasks.checks.files import check_project, environment_notes
    from azml_tasks.checks.retirement.notes import near_notes
    from azml_tasks.errors import Problem, ProjectError
    from azml_tasks.reading.editor import write_editor_files
    from azml_tasks.schedule.describe import blob_limits
    from azml_tasks.schedule.recurrence import SystemClock
    from azml_tasks.tasks.validation import Validation

    project = load(context, target, with_files=True)
    if not is_dry(context):
        write_editor_files(project.directory)
    backend = backend_of(project)
    report = check_project(project, remember=not is_dry(context), in_this_python=backend.steps_in_this_python())
    if report.problems:
        raise ProjectError(report.problems)
    notes = [*project.notes, *report.notes, *data_notes(project), *environment_notes(project)]
    notes += backend.notes()
    retirements = near_notes(project, SystemClock().now().date())
    notes += [note.problem for note in retirements if note.is_over]
    # No change of the file can fix the limits, and a file does not become wrong by an announcement, so `--strict` does
    # not treat them as errors.
    limits = [note.problem for note in retirements if not note.is_over]
    limits += [*report.remarks]
    limits += [Problem(project.file.name, 0, limit) for limit in blob_limits(project.pipeline.schedule)]
    pipeline = project.pipeline
    counts = {
        "steps": len(pipeline.steps),
        "datasets": len(pipeline.datasets),
        "environments": len(pipeline.environments),
        "computes": len(pipeline.computes),
    }
    return Validation(project.target, project.file, (), tuple(notes), tuple(limits), strict, counts)


@task(
    optional=["svg"],
    help={
        "target": TARGET,
        "mermaid": "Print a Mermaid flowchart instead.",
        "svg": "Write an SVG image to this file instead; print it without a file.",
    },
)
def graph(context: Context, target: str = "", mermaid: bool = False, svg: str = "") -> None:
    """Show the steps and the data passed between them."""
    from azml_tasks.errors import UsageError
    from azml_tasks.plan.diagram import as_mermaid, as_text

    if mermaid and svg:
        raise UsageError("use either --mermaid or --svg, not both")
    plan = load(context, target).plan
    if svg:
        from azml_tasks.runs.report.image import graph_image

        # Invoke gives a flag without its value as True.
        _show_image(graph_image(plan), svg if isinstance(svg, str) else "", is_dry(context))
    else:
        print(printable(as_mermaid(plan) if mermaid else as_text(plan)))


def _show_image(image: str, file: str, dry: bool) -> None:
    """Print an image, or write it to a file. Raises UsageError."""
    from pathlib import Path

    from azml_tasks.tasks.runs import write_output

    if not file:
        print(image, end="")
    elif dry:
        print(f"would write {file}")
    else:
        write_output(Path(file).absolute(), image, "an image of graph", ("<svg ", "<title>Graph of the steps</title>"))
        print(file)


@task(help={"target": TARGET, "step": "Show only this step, with every file."})
def snapshot(context: Context, target: str = "", step: str = "") -> None:
    """Show the files that would be uploaded for each step, and why."""
    from azml_tasks.errors import ProjectError, UsageError
    from azml_tasks.snapshot import SnapshotBuilder, located_problems
    from azml_tasks.snapshot.listing import collect_snapshots, secrets_in_files, snapshot_lines

    project = load(context, target, needs_values=False)
    keys = [planned.key for planned in project.plan.steps]
    if step and step not in keys:
        raise UsageError(f"--step: {project.file.name} has no step '{step}'{what_there_is(step, keys)}")
    builder = SnapshotBuilder(project.directory)
    found = collect_snapshots(builder, (planned for planned in project.plan.steps if step in ("", planned.key)))
    for shared in found:
        if shared.contents.sizes:
            print(printable("\n".join(snapshot_lines(shared, builder.project, bool(step)))))
    for remark in secrets_in_files(found, builder.project):
        print(printable(str(remark._replace(message=f"note: {remark.message}"))))
    problems = [
        problem
        for shared in found
        for key in shared.steps
        for problem in located_problems(key, shared.contents.findings, project.problem)
    ]
    if problems:
        raise ProjectError(dict.fromkeys(problems))


_MARKS = {"good": "ok", "note": "note", "bad": "error"}


@task(
    help={
        "target": TARGET,
        "try": "Run a small pipeline in the workspace and show where Azure ML v2 differs from what is assumed of it.",
        "yes": "Do not ask before --try starts runs, which cost money.",
    }
)
def doctor(context: Context, target: str = "", try_: bool = False, yes: bool = False) -> None:
    """Check this machine, pipeline.yaml and the workspace, and suggest fixes."""
    if try_:
        _try(context, target, yes)
        return
    if yes:
        from azml_tasks.errors import UsageError

        raise UsageError("--yes only has a meaning with --try")
    verdicts = set()
    for finding in _findings(context, target):
        verdicts.add(finding.verdict)
        print(printable("\n".join(_finding_lines(finding))), flush=True)
    if "bad" in verdicts:
        raise Exit(code=2)


def _finding_lines(finding: Finding) -> Iterator[str]:
    """Yield a finding with its remedy, wrapped to the width of a terminal."""
    indent = " " * 6
    for place, line in enumerate(finding.message.splitlines()):
        yield from _wrapped(line, indent if place else f"{_MARKS[finding.verdict]:<5} ", indent)
    if finding.remedy:
        yield from _wrapped(f"-> {finding.remedy}", indent, f"{indent}   ")


def _wrapped(text: str, first: str = "", others: str = "") -> list[str]:
    """Wrap a line to the width of the terminal; elsewhere it stays one line, for programs that search it."""
    from azml_tasks.tasks.blocks import wrapped

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    return wrapped(text, first, others, width)


def _try(context: Context, target: str, yes: bool) -> None:
    """Print what a trial in the workspace shows, if the user agrees to it. Raises AzmlError."""
    project = load(context, target)
    trial = backend_of(project).trial(lambda line: print(printable(line), flush=True))
    text = (
        f"--try runs two steps on the compute '{trial.compute}' of the workspace {project.pipeline.ws_name}, and makes "
        f"environments, a data asset, a component and a schedule, all named {trial.name}. It takes about ten minutes, "
        "and a node of the compute costs money. At the end, all is deleted or archived."
    )
    print("\n".join(_wrapped(text)))
    if is_dry(context):
        return
    if not yes and not agreed("Start it?", "to start it"):
        print("nothing started")
        return
    found: list[Fact] = []

    def show(fact: Fact) -> None:
        found.append(fact)
        seen = f"assumed: {fact.assumed}; seen: {fact.seen}" if fact.differs else fact.seen
        mark = f"{'differs' if fact.differs else 'ok':<8} "
        print(printable("\n".join(_wrapped(f"{fact.text}: {seen}", mark, " " * len(mark)))), flush=True)

    with interruptible("nothing was made"):
        trial.run(show)
    different = sum(fact.differs for fact in found)
    print(f"{different} of {len(found)} facts {'differs' if different == 1 else 'differ'}")
    if different:
        text = "please open an issue with these lines; docs/azure-v2.md says what each difference means"
        print("\n".join(_wrapped(text)))


def _findings(context: Context, target: str) -> Iterator[Finding]:
    """Yield all findings; if the file has errors, only those that do not depend on it, and its errors."""
    from azml_tasks.checks.doctor import Finding, examine, examine_machine
    from azml_tasks.errors import ProjectError
    from azml_tasks.schedule.recurrence import SystemClock

    try:
        project = load(context, target, with_files=True)
    except ProjectError as error:
        kind = stated_backend(context, target)
        yield from examine_machine(kind.name if kind else None)
        yield from (Finding("bad", line) for line in str(error).splitlines())
        return
    backend = backend_of(project)
    yield from examine(project, SystemClock().now().date(), backend.steps_in_this_python())
    yield from backend.examine()
    yield from _successors(context, project, backend)


def _successors(context: Context, project: Project, backend: Backend) -> Iterator[Finding]:
    """Yield if the schedule of a target is not moved completely, or also enabled on another one."""
    from azml_tasks.checks.doctor import Finding
    from azml_tasks.errors import AzmlError
    from azml_tasks.reading import stated_backends
    from azml_tasks.tasks.migrate import Side

    if not backend.successor or not project.target or not project.pipeline.schedule:
        return
    source, seen = Side(project, backend), set[tuple[str, ...]]()
    for name, stated in stated_backends(project.file).items():
        if stated != backend.successor:
            continue
        other = load(context, name, needs_values=False)
        dest = Side(other, backend_of(other))
        try:
            # Several targets may have the same schedule.
            if other.pipeline.schedule and other.pipeline.schedule.enabled and dest.place not in seen:
                seen.add(dest.place)
                yield from _compared(source, dest)
        except AzmlError as error:
            yield Finding("note", f"the schedule of {name} was not compared: {str(error).splitlines()[0]}")


def _compared(source: Side, dest: Side) -> Iterator[Finding]:
    from azml_tasks.checks.doctor import Finding, unfinished_move

    if dest.replaced() == source.target:
        yield unfinished_move(source.target, dest.target)
    elif source.place == dest.place and dest.enabled() and source.enabled():
        message = f"the schedule '{dest.backend.schedules.name}' is enabled on {source.target} and {dest.target}"
        yield Finding("bad", message, f"invoke migrate --from {source.target} --to {dest.target}")

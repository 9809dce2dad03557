"""The `plan` task."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from invoke import Context, Exit

from azml_tasks.tasks.project import backend_of, load
from azml_tasks.tasks.task import SET, TARGET, task, with_target
from azml_tasks.text import listed, printable

if TYPE_CHECKING:
    from azml_tasks.backend import Backend, Change, RunRequest
    from azml_tasks.reading import Project
    from azml_tasks.tasks.blocks import Block


@task(
    iterable=["set"],
    help={
        "target": TARGET,
        "set": SET,
        "from-step": "Show a run of this step and the steps after it (local runs only).",
        "only": "Show a run of only this step (local runs only).",
        "force": "Show a run of every step, ignoring earlier results.",
        "json": "Print JSON.",
        "check": "End with exit status 1 if something would change.",
    },
)
def plan(
    context: Context,
    target: str = "",
    set: Sequence[str] | None = None,  # noqa: A002  (the flag is --set)
    from_step: str = "",
    only: str = "",
    force: bool = False,
    json: bool = False,
    check: bool = False,
) -> None:
    """Show what register, publish, schedule and run would change, and why steps run."""
    from azml_tasks.backend import RunRequest

    project = load(context, target, with_files=True)
    backend = backend_of(project)
    request = RunRequest(tuple(set or ()), None, from_step or None, only or None, force)
    backend.check_request(request)
    blocks: list[Block] = []
    # That there is nothing to publish or schedule is not worth a block where that cannot be done.
    left_out = () if backend.publishes else ("publish", "schedule")
    if not json:
        print(backend.headline(), flush=True)
    for block in _blocks(project, backend, request):
        if not json and block.is_offered and block.task not in left_out:
            print_block(block, blocks, target)
        blocks.append(block)
    would_change = any(block.would_change for block in blocks)
    if json:
        _print_json(project, blocks, would_change)
    elif elsewhere := [block.task for block in blocks if not block.is_offered]:
        print(f"\n{printable(_elsewhere(project, elsewhere))}")
    if any(block.error for block in blocks):
        raise Exit(code=2)
    if check and would_change:
        raise Exit(code=1)


def _elsewhere(project: Project, tasks: Sequence[str]) -> str:
    """Return the line about tasks that the backend does not offer, with a target of the file whose backend does."""
    from azml_tasks.reading import stated_backends

    own = project.pipeline.backend
    target = next((name for name, stated in stated_backends(project.file).items() if stated not in (None, own)), "NAME")
    verb = "needs" if len(tasks) == 1 else "need"
    return f"{listed(tasks)} {verb} Azure ML: see `invoke plan --target {target}`"


def _blocks(project: Project, backend: Backend, request: RunRequest) -> Iterator[Block]:
    from azml_tasks.tasks.blocks import run_block

    registered: list[Change] = []
    for block in workspace_blocks(project, backend):
        registered += [change for change in block.changes if block.task == "register" and change.is_made]
        yield block
    yield run_block(backend, request, registered)


def workspace_blocks(project: Project, backend: Backend) -> Iterator[Block]:
    """Yield what register, publish and schedule would change."""
    from azml_tasks.backend import KINDS
    from azml_tasks.tasks.blocks import Block, publish_block, register_block, schedule_block

    pipeline = project.pipeline
    yield register_block(backend, KINDS)
    if pipeline.publish or pipeline.schedule:
        yield publish_block(backend)
    else:
        yield Block("publish", sentence="nothing to publish: pipeline.yaml has neither `publish` nor `schedule`")
    if pipeline.schedule:
        yield schedule_block(project, backend, with_version=False)
    else:
        yield Block("schedule", sentence="nothing to schedule: pipeline.yaml has no `schedule`")


def print_block(block: Block, before: Sequence[Block], target: str) -> None:
    """Print a block under its heading; an error of a block `before` is not repeated."""
    from azml_tasks.tasks.blocks import wrapped

    print(f"\n{block.task}")
    for line in block.indented():
        print(line)
    if block.error:
        is_told = any(str(block.error) == str(other.error) for other in before)
        for line in ("the same as above",) if is_told else str(block.error).splitlines():
            print("\n".join(wrapped(with_target(f"error: {line}", target), "  ", "    ")))
    sys.stdout.flush()


def _print_json(project: Project, blocks: Sequence[Block], would_change: bool) -> None:
    from azml_tasks.tasks.blocks import JSON_VERSION

    shape = {
        "version": JSON_VERSION,
        "file": project.file.name,
        "backend": project.pipeline.backend,
        "target": project.target or None,
        "would_change": would_change,
        "blocks": [block.to_json() for block in blocks],
    }
    print(json.dumps(shape, indent=2, default=str))

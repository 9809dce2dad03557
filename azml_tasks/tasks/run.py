"""The `run` task."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from invoke import Context

from azml_tasks.tasks.project import backend_of, is_dry, load
from azml_tasks.tasks.task import SET, TARGET, interruptible, named_experiment, task, with_target

if TYPE_CHECKING:
    from azml_tasks.backend import Watch


_LAST_PORT = 65535


@task(
    iterable=["set"],
    least={"debugpy": 1},
    help={
        "target": TARGET,
        "set": SET,
        "from-step": "Run this step and the steps after it, using earlier results of the others (local runs only).",
        "only": "Run only this step, using earlier results of the others (local runs only).",
        "experiment": "Store the run in this experiment.",
        "force": "Rerun every step, ignoring earlier results.",
        "pdb": "Run the step of --only under Python's debugger, in this terminal; its result is not stored.",
        "debugpy": "Run the step of --only under debugpy, which waits for an editor on this port.",
        "wait": "Wait for the end of the run; --no-wait: return once Azure ML accepts it (local runs always wait).",
    },
)
def run(  # noqa: PLR0913, PLR0917 - each is a flag
    context: Context,
    target: str = "",
    set: Sequence[str] | None = None,  # noqa: A002  (the flag is --set)
    from_step: str = "",
    only: str = "",
    experiment: str = "",
    force: bool = False,
    wait: bool = True,
    pdb: bool = False,
    debugpy: int = 0,
) -> None:
    """Run the pipeline locally or on Azure ML, depending on its backend."""
    from azml_tasks.backend import RunRequest
    from azml_tasks.errors import UsageError
    from azml_tasks.reading.editor import write_editor_files
    from azml_tasks.terminal import can_be_read

    project = load(context, target, with_files=True)
    backend = backend_of(project)
    if pdb and debugpy:
        raise UsageError("use either --pdb or --debugpy, not both")
    if debugpy > _LAST_PORT:
        raise UsageError(f"--debugpy must be a port, {_LAST_PORT} at most, not {debugpy}")
    debugger = "pdb" if pdb else f"debugpy:{debugpy}" if debugpy else ""
    request = RunRequest(tuple(set or ()), experiment or None, from_step or None, only or None, force, wait, debugger)
    backend.check_request(request)
    named_experiment(experiment)
    print(backend.headline(), flush=True)
    if is_dry(context):
        from azml_tasks.tasks.blocks import run_block

        run_block(backend, request).show()
        return
    if pdb and not can_be_read(sys.stdin):
        raise UsageError("--pdb needs a terminal: standard input is empty; with an editor, use --debugpy PORT")
    backend.check()
    write_editor_files(project.directory)
    with interruptible(backend.after_interrupt) if backend.after_interrupt else nullcontext():
        record = backend.run(request, _watch(target, bool(debugger)))
    if debugger:
        print(f"step '{only}' ran under a debugger: its result is not reused")
    if not record.is_over:
        print(with_target(f"check its progress with `invoke runs.show --run {record.id}`", project.target or ""))


def _watch(target: str, is_debugged: bool) -> Watch:
    """Return how a run is followed at this terminal, which a debugger has for itself meanwhile.

    `target` is that of the command.
    """
    from azml_tasks.backend import Watch
    from azml_tasks.runs.progress import Progress, progress_on
    from azml_tasks.terminal import shows_colors

    if is_debugged:
        return Watch(Progress(sys.stdout, shows_colors(sys.stdout), target))
    progress = progress_on(sys.stdout, target=target)
    asks = _asks_to_cancel if sys.stdin and sys.stdin.isatty() else None
    return Watch(progress, asks_to_cancel=asks, tick=progress.tick)


def _asks_to_cancel() -> bool:
    """Ask whether to cancel a run that is no longer followed; a second Ctrl-C means no."""
    try:
        return input("\nCancel the run on Azure ML? [y/N] ").strip().lower() in ("y", "yes")
    except (KeyboardInterrupt, EOFError):
        return False

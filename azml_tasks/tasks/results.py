"""Tasks that get at the results of runs: their files, and what they registered."""

from __future__ import annotations

import os
import sys
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Context

from azml_tasks.tasks.project import is_dry, project_file, runs_of
from azml_tasks.tasks.runs import RUN, columns, find
from azml_tasks.tasks.task import TARGET, interruptible, task
from azml_tasks.text import counted, printable, size_text, some_listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from azml_tasks.backend import Run, Runs
    from azml_tasks.runs.results.download import Download, StoredFile
    from azml_tasks.runs.results.registered import AssetKind

# How many files that could not be downloaded are named.
_MOST_FAILED = 20


@task(
    help={
        "target": TARGET,
        "run": RUN,
        "step": "Only the files of this step; default: those of all steps and of the run itself.",
        "to": "Write the files to this folder; default: downloads/RUN next to pipeline.yaml.",
    }
)
def download(context: Context, target: str = "", run: str = "", step: str = "", to: str = "") -> None:
    """Download what a run's steps wrote: files, images, output folders, logs."""
    from azml_tasks.errors import RunError, UsageError
    from azml_tasks.runs.results.download import Download

    runs = runs_of(context, target)
    record = find(runs, run)
    project = project_file(context).parent
    folder = Path(to).absolute() if to else project / "downloads" / record.id
    place = to or os.path.relpath(folder)
    if Path(os.path.realpath(project / ".azml")) in (real := Path(os.path.realpath(folder)), *real.parents):
        raise UsageError("--to must not be in .azml, where runs are recorded")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{place} is not a folder; use another --to FOLDER")
    files = runs.files(record, step or None, _note)
    if not record.is_over:
        _note(f"run {record.id} is {record.status}; these are its files so far")
    if is_dry(context):
        print(f"would write {counted(sum(1 for _ in files), 'files')} to {place}")
        return
    done = Download(folder)
    with interruptible(f"the files so far are in {place}; run the command again to complete them"):
        _put(files, done, place)
    if done.refused:
        names = "names are" if len(done.refused) > 1 else "name is"
        _note(f"skipped {some_listed(done.refused)}: the {names} not possible in {place}")
    if not (done.written or done.same or done.kept or done.failed):
        print(f"run {record.id} has no files" if not step else f"step '{step}' of run {record.id} has no files")
    elif not done.kept and not done.written and done.same:
        print(f"{place}: nothing new, {counted(done.same, 'files')} already there")
    kept = (
        f"not replaced in {place}, because the content differs: {some_listed(done.kept)}; delete what is there, or "
        "use another folder: --to FOLDER"
    )
    if done.failed:
        lines = [*islice(done.failed.values(), _MOST_FAILED)]
        more = len(done.failed) - len(lines)
        lines += [f"and {counted(more, 'more files')}"] if more else []
        raise RunError("\n".join([*lines, *([kept] if done.kept else [])]))
    if done.kept:
        raise UsageError(kept)


def _put(files: Iterable[StoredFile], done: Download, place: str) -> None:
    """Write files, and print a line for each step when its files are written."""
    for step, group in groupby(files, lambda file: file.step):
        for file in group:
            done.put(file)
        counts = done.written.get(step)
        if counts:
            print(printable(f"{step or 'run'}: {counted(counts.files, 'files')}, {size_text(counts.size)}"), flush=True)
    if done.written:
        same = f" ({done.same:,} more already there)" if done.same else ""
        total = sum(counts.files for counts in done.written.values())
        print(f"wrote {counted(total, 'files')} to {place}{same}")


@task(
    iterable=["run"],
    help={
        "target": TARGET,
        "mlflow": "Address of the tracking server, such as http://127.0.0.1:5000.",
        "run": "Run ID, or its first characters; can be repeated. Default: the newest run.",
        "all": "Send all runs that have ended, without those under a debugger.",
    },
)
def export(
    context: Context,
    mlflow: str,
    run: Sequence[str] | None = None,
    all: bool = False,  # noqa: A002  (the flag is --all)
    target: str = "",
) -> None:
    """Send runs to a tracking server of MLflow, with their steps, metrics and files."""
    from azml_tasks.errors import UsageError
    from azml_tasks.tasks.task import all_known_secrets

    if all and run:
        raise UsageError("use either --run or --all, not both")
    runs = runs_of(context, target)
    records = _to_export(runs, run or [""], all)
    done = runs.export(records, mlflow, all_known_secrets(), _note)
    if is_dry(context):
        for record in records:
            print(f"would send {record.id}, unless it is there")
        return
    with interruptible("a part of a run may have been sent; run the command again to replace it with the whole"):
        for one in done:
            sent_now = f"sent ({counted(one.steps, 'steps')}, {counted(one.files, 'files')})"
            print(f"{one.run_id}: {sent_now if one.is_new else 'already there'}: {one.url}", flush=True)


def _to_export(runs: Runs, wanted: Sequence[str], all: bool) -> Iterator[Run]:  # noqa: A002  (the flag is --all)
    """Yield the runs to send, looked for when the first is needed. Raises RunError if one has not ended."""
    from azml_tasks.errors import RunError

    ended = [one for one in reversed(runs.list()) if _counts(one)] if all else []
    records = ended if all else [find(runs, one) for one in wanted]
    for record in records:
        if not record.is_over:
            raise RunError(f"run {record.id} is {record.status}; export it when it has ended")
    yield from records


def _counts(run: Run) -> bool:
    return run.is_over and not run.origin.is_debugged


_VERSIONS = "List every version, not only the latest of each."
_JSON = "Print JSON."


@task(name="list", default=True, help={"target": TARGET, "versions": _VERSIONS, "json": _JSON})
def list_models(context: Context, target: str = "", versions: bool = False, json: bool = False) -> None:
    """List the registered models: of local runs, or those in the workspace."""
    _show_registered(context, target, "model", versions, json)


@task(name="list", default=True, help={"target": TARGET, "versions": _VERSIONS, "json": _JSON})
def list_datasets(context: Context, target: str = "", versions: bool = False, json: bool = False) -> None:
    """List the registered datasets; on Azure ML, those of pipeline.yaml."""
    _show_registered(context, target, "dataset", versions, json)


def _show_registered(context: Context, target: str, kind: AssetKind, versions: bool, json: bool) -> None:
    from azml_tasks.runs.results.registered import as_json, asset_lines

    found = runs_of(context, target).registered(kind, every_version=versions)
    if json:
        print(as_json(kind, found))
    elif found:
        print(printable("\n".join(asset_lines(found, columns()))))
    else:
        print(f"no {kind}s are registered")


def _note(text: str) -> None:
    print(printable(f"note: {text}"), file=sys.stderr)

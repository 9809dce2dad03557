"""Tasks that list, show, cancel and delete runs."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from invoke import Context

from azml_tasks.errors import UsageError
from azml_tasks.tasks.project import is_dry, local_runs, project_file, runs_of
from azml_tasks.tasks.task import TARGET, interruptible, task, with_target, without_known_secrets
from azml_tasks.text import one_line, shortened, size_of

if TYPE_CHECKING:
    from pathlib import Path

    from azml_tasks.backend import Run, Runs

# Shown for an empty log.
_SILENT = {"waiting": "(not started)", "skipped": "(skipped)", "running": "(no output yet)"}
# Narrower terminals break lines themselves.
_NARROWEST = 60
# How many runs `runs.prune` keeps without --size, and the value of a --keep that is not set.
_KEPT = 5
_NOT_SET = -1
RUN = "Run ID, or its first characters; default: the newest run."


@task(
    name="list",
    default=True,
    least={"most": 1},
    help={
        "target": TARGET,
        "most": "Number of runs to show; default: 20.",
        "experiment": "Only runs of this experiment; default: all (Azure ML: the experiment of pipeline.yaml).",
        "metrics": "Also show these metrics: names separated by commas, such as accuracy,train.loss.",
        "sort": "Sort these runs by a metric, `started` or `time`, largest first.",
        "reverse": "With --sort: smallest first.",
        "status": "Only runs with this status, such as failed or running.",
        "json": "Print JSON, with the steps and the last value of each metric.",
    },
)
def list_(  # noqa: PLR0913, PLR0917 - each is a flag
    context: Context,
    target: str = "",
    most: int = 20,
    experiment: str = "",
    metrics: str = "",
    sort: str = "",
    reverse: bool = False,
    status: str = "",
    json: bool = False,
) -> None:
    """List the runs, newest first, or sorted by a metric."""
    from azml_tasks.errors import RunError
    from azml_tasks.runs.listing import as_json, as_rows
    from azml_tasks.runs.show import table

    _check_status(status)
    if json and (metrics or sort or reverse):
        raise UsageError("--json prints every metric, newest run first: leave out --metrics, --sort and --reverse")
    runs = runs_of(context, target)
    experiment = experiment or runs.experiment
    # Runs with a status are looked for among all.
    records = [run for run in runs.list(experiment, None if status else most + 1) if status in ("", run.status)]
    _say_what_is_unreadable(runs)
    if json:
        _print_json(as_json(runs.with_steps(records[:most])))
        return
    if not records and status:
        print(f"no runs with the status '{status}'")
        return
    if not records:
        where = f" in the experiment '{experiment}'" if experiment else ""
        raise RunError(f"no runs{where} yet; start one with `invoke run`")
    names = [name.strip() for name in metrics.split(",") if name.strip()]
    rows = as_rows(records[:most], names, sort, runs.with_steps, reverse=reverse)
    print(without_known_secrets("\n".join(table(rows))))
    if len(records) > most:
        print(f"older runs are not shown; use `--most {2 * most}` to see more")


def _check_status(status: str) -> None:
    from typing import get_args

    from azml_tasks.runs.records import RunStatus
    from azml_tasks.text import did_you_mean

    known = get_args(RunStatus)
    if status and status not in known:
        raise UsageError(f"--status must be one of {', '.join(known)}, not '{status}'{did_you_mean(status, known)}")


def _print_json(text: str) -> None:
    from azml_tasks.secrets import redact
    from azml_tasks.tasks.task import all_known_secrets

    sys.stdout.write(redact(text, all_known_secrets()) + "\n")


@task(help={"target": TARGET, "run": RUN, "json": "Print JSON, with everything that was logged."})
def show(context: Context, target: str = "", run: str = "", json: bool = False) -> None:
    """Show a run: how it was started, its steps, metrics, tags and files."""
    from azml_tasks.runs.summary import as_json, run_lines

    runs = runs_of(context, target)
    details = runs.details(find(runs, run, debugged=True))
    if json:
        _print_json(as_json(details))
        return
    print(with_target(without_known_secrets("\n".join(run_lines(details, columns()))), target))


@task(
    iterable=["run"],
    help={
        "target": TARGET,
        "run": "Run ID, or its first characters; can be repeated. Default: the two newest runs.",
        "json": "Print JSON: what is different and what is the same.",
        "csv": "Print CSV: what is different.",
    },
)
def compare(
    context: Context, target: str = "", run: Sequence[str] | None = None, json: bool = False, csv: bool = False
) -> None:
    """Compare runs: settings, metrics, inputs, code and packages that differ."""
    from azml_tasks.errors import UsageError
    from azml_tasks.runs.compare import as_csv, as_json, comparison_lines
    from azml_tasks.runs.compare import compare as compared
    from azml_tasks.secrets import redact
    from azml_tasks.tasks.task import all_known_secrets

    if json and csv:
        raise UsageError("use either --json or --csv, not both")
    runs = runs_of(context, target)
    comparison = compared([runs.details(record) for record in _to_compare(runs, run or ())])
    if json or csv:
        sys.stdout.write(redact(as_csv(comparison), all_known_secrets())) if csv else _print_json(as_json(comparison))
    else:
        print(with_target(without_known_secrets("\n".join(comparison_lines(comparison, columns()))), target))


def _to_compare(runs: Runs, wanted: Sequence[str]) -> list[Run]:
    """Return the runs of these ids; the two newest, older first, without any, and of one id also the run before."""
    from azml_tasks.errors import RunError

    if len(wanted) > 1:
        return [runs.find(one) for one in wanted]
    newest = find(runs, wanted[0] if wanted else "")
    before = runs.before(newest)
    if before is None:
        raise RunError(f"there is no run of the experiment '{newest.experiment}' before {newest.id} to compare it with")
    return [before, newest]


@task(
    help={
        "target": TARGET,
        "run": RUN,
        "against": "Compare with this run; default: the run of the same experiment before it.",
        "to": "Write the page to this file; default: .azml/reports/RUN.html.",
        "open": "Open the page in a browser.",
    }
)
def report(
    context: Context,
    target: str = "",
    run: str = "",
    against: str = "",
    to: str = "",
    open: bool = False,  # noqa: A002  (the flag is --open)
) -> None:
    """Write a page about a run: graph, time line, metrics, settings, files and logs."""
    from pathlib import Path

    from azml_tasks.runs.report.page import report_page
    from azml_tasks.tasks.task import all_known_secrets

    runs = runs_of(context, target)
    record = find(runs, run)
    before = runs.find(against) if against else runs.before(record)
    file = Path(to).absolute() if to else project_file(context).parent / ".azml" / "reports" / f"{record.id}.html"
    if is_dry(context):
        print(f"would write {os.path.relpath(file)}")
        return
    page = report_page(
        runs.details(record, with_logs=True), runs.details(before) if before else None, file.parent, all_known_secrets()
    )
    _write_page(file, page, None if to else project_file(context).parent)
    print(os.path.relpath(file))
    if open:
        import webbrowser

        webbrowser.open(file.as_uri())


def _write_page(file: Path, page: str, project: Path | None) -> None:
    """Write a file, in the folder of the project if that is given. Raises UsageError."""
    from azml_tasks.snapshot.files import leads_out

    if project is None:
        write_output(file, page, "a page of runs.report", ("style-src 'sha256-", "<footer>"))
        return
    if leads_out(file, project):
        raise UsageError(f"{os.path.relpath(file)} is outside the project by a link; delete the link, or use --to")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not (ignore := project / ".azml" / ".gitignore").exists():
            ignore.write_text("*\n", encoding="utf-8")
        file.write_text(page, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None


def write_output(file: Path, text: str, kind: str, marks: Sequence[str]) -> None:
    """Write a file that the user named, in place of an earlier one of its kind, which contains `marks`.

    Raises UsageError.
    """
    from azml_tasks.snapshot.files import leads_out

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_symlink() and leads_out(file, file.parent):
            raise UsageError(f"{os.path.relpath(file)} is a link to outside its folder; delete it, or use another name")
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise UsageError(f"{os.path.relpath(file)} is not a file; use another name")
        if file.is_file():
            there = file.read_text(encoding="utf-8", errors="replace")
            if not all(mark in there for mark in marks):
                raise UsageError(f"{os.path.relpath(file)} exists and is not {kind}; delete it, or use another name")
        file.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"cannot write {os.path.relpath(file)}: {error.strerror}") from None


@task(
    least={"tail": 1},
    help={
        "target": TARGET,
        "run": RUN,
        "step": "Only the log of this step; default: the logs of all steps.",
        "follow": "Continue to print what the steps log, until they have ended.",
        "tail": "Start with the last N lines of each log; default: print all.",
    },
)
def logs(
    context: Context, target: str = "", run: str = "", step: str = "", follow: bool = False, tail: int = 0
) -> None:
    """Print the logs of a run's steps."""
    runs = runs_of(context, target)
    if follow:
        _follow_logs(runs, run, step, tail)
        return
    with _unreadable_said(runs, run):
        found = runs.logs(run or None, step or None)
    for log in found:
        if not step:
            print(f"--- {one_line(log.step.key)}")
        last = ""
        for piece in filter(None, _last_lines(log.pieces, tail) if tail else log.pieces):
            sys.stdout.write(piece)
            last = piece
        if not last:
            # With --step, standard output is the log and nothing else.
            silent = "(deleted by runs.prune)" if log.is_deleted else _SILENT.get(log.step.status, "(no output)")
            print(silent, file=sys.stderr if step else sys.stdout)
        elif not step and not last.endswith("\n"):
            print()


def _last_lines(pieces: Iterable[str], count: int) -> Iterable[str]:
    """Return the last so many lines of a log."""
    kept: deque[str] = deque(maxlen=count)
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).split("\n")
        kept.extend(f"{line}\n" for line in lines)
    if rest:
        kept.append(rest)
    return kept


def _follow_logs(runs: Runs, run: str, step: str, tail: int) -> None:
    """Print the logs while the steps run: lines with the step's name, or with --step the log and nothing else."""
    from azml_tasks.runs.progress import Progress
    from azml_tasks.runs.records import RunFinished, StepOutput
    from azml_tasks.terminal import shows_colors

    progress = Progress(sys.stdout, shows_colors(sys.stdout))
    started = set()
    try:
        with _unreadable_said(runs, run):
            events = runs.follow_logs(run or None, step or None)
        for event in events:
            shown = event
            if isinstance(event, StepOutput) and event.step.key not in started:
                started.add(event.step.key)
                shown = event._replace(text="".join(_last_lines([event.text], tail))) if tail else event
            if not step and not isinstance(shown, RunFinished):
                progress(shown)
            elif isinstance(shown, StepOutput):
                sys.stdout.write(shown.text)
                sys.stdout.flush()
    except KeyboardInterrupt:
        # The run continues; only following it has ended.
        print()


@task(help={"target": TARGET, "run": RUN})
def cancel(context: Context, target: str = "", run: str = "") -> None:
    """Cancel a run."""
    runs = runs_of(context, target)
    if is_dry(context):
        record = find(runs, run, debugged=True)
        record.check_cancellable()
        print(f"would cancel {record.id}, which is {record.status}")
        return
    with interruptible(
        "the run may be cancelled: check with `invoke runs.show`, or run `invoke runs.cancel` to complete it"
    ):
        record = runs.cancel(run or None)
    print(runs.cancelling(record))


@task(
    help={
        "target": TARGET,
        "keep": "Number of newest runs to keep; default: 5, or 1 with --size. Results that the next run would "
        "reuse are also kept.",
        "size": "Delete only the oldest runs and their models, until .azml is below this size, such as 10GB.",
    }
)
def prune(context: Context, keep: int = _NOT_SET, size: str = "", target: str = "") -> None:
    """Delete old local runs and their models, except what is new or in use."""
    from azml_tasks.runs.summary import pruned_lines, what_is_left

    limit, dry = _size(size), is_dry(context)
    # Without a target local runs are meant, whatever the backend of the file.
    runs = runs_of(context, target) if target else local_runs(context)
    keep = keep if keep != _NOT_SET else _KEPT if limit is None else 1
    pruned = runs.prune(keep, limit, dry=dry)
    left = [run for run in runs.list() if run.id not in pruned.runs]
    _say_what_is_unreadable(runs)
    for line in pruned_lines(pruned, dry=dry):
        print(line)
    if limit is not None:
        print(what_is_left(pruned, limit, dry=dry))
        return
    for run in left[keep:]:
        kept = "its results are in use, or the next run would reuse them" if run.is_over else "it is still running"
        print(f"kept {run.id}: {kept}")
    if not pruned.runs and not pruned.models and len(left) <= keep:
        newest = {0: "no runs yet", 1: "the newest run is kept"}.get(keep, f"the newest {keep} runs are kept")
        print(f"nothing to delete: {newest}")


def _size(text: str) -> int | None:
    size = size_of(text)
    if text and size is None:
        raise UsageError(f"--size must be a number with a unit, such as 500MB or 10GB, not '{shortened(text, 40)}'")
    return size


def find(runs: Runs, wanted: str, *, debugged: bool = False) -> Run:
    """Return the wanted run, or the newest: one under a debugger only if `debugged`. Raises what `Runs.find` raises."""
    with _unreadable_said(runs, wanted):
        return runs.find(wanted or None) if wanted or debugged else runs.newest()


@contextmanager
def _unreadable_said(runs: Runs, wanted: str) -> Iterator[None]:
    """Print which newer runs were left out when the newest was looked for."""
    try:
        yield
    finally:
        if not wanted:
            _say_what_is_unreadable(runs)


def _say_what_is_unreadable(runs: Runs) -> None:
    """Print the runs that are left out to standard error, because standard output may be a log."""
    sentence = runs.unreadable()
    if sentence:
        print(f"note: {sentence}", file=sys.stderr)


def columns() -> int:
    """Return how many characters fit in a line."""
    import shutil

    return max(_NARROWEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else 80

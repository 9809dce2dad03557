"""How every task of ours is made, and the one place where our errors become exit statuses."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import invoke

from azml_tasks.errors import AzmlError, Interrupted, Terminated, printable
from azml_tasks.secrets import is_secret, redact
from azml_tasks.tasks.flags import Task

_STDOUT, _STDERR = 1, 2
# A shorter value may be part of any word.
_LONG = 6

Body = TypeVar("Body", bound=Callable[..., Any])

TARGET = "Use this target of pipeline.yaml: its keys are laid over the file's."
SET = (
    "Another value for this run: STEP.KEY=VALUE, such as train.lr=0.1, for a hyperparameter, NAME=VALUE for a "
    "pipeline parameter; may be given several times."
)
# A command in a sentence, unless it takes no target.
_COMMAND = re.compile(r"`invoke (?!new-step|runs\.prune)([a-z][\w.-]*)")


def task(least: Mapping[str, int] | None = None, **options: Any) -> Callable[[Body], invoke.Task[Body]]:
    """Make a task whose expected errors are printed as sentences.

    `least` holds the smallest number that each flag with one takes. Invoke's own `-e` and `-f` would collide with
    short flags, so there are none.
    """

    def make(body: Body) -> invoke.Task[Body]:
        @functools.wraps(body)
        def run(*args: Any, **kwargs: Any) -> Any:
            _open_what_is_closed()
            _show_what_can_be_shown()
            try:
                done = body(*args, **kwargs)
                sys.stdout.flush()
                return done
            except AzmlError as error:
                text = printable(with_target(str(error), kwargs.get("target", "")))
                raise invoke.Exit(text, code=error.exit_status) from None
            except OSError as error:
                if _can_print():
                    sys.excepthook = _show_without_secrets
                    raise
                _say_no_more()
                # Quietly where nobody reads on, as in `invoke runs.logs | head`.
                lost = f"what this command prints could not be written: {error.strerror}"
                raise invoke.Exit(None if isinstance(error, BrokenPipeError) else lost, code=1) from None
            except Exception:
                sys.excepthook = _show_without_secrets
                raise

        made: Task[Body] = invoke.task(klass=Task, auto_shortflags=False, **options)(run)
        made.least = least or {}
        return made

    return make


@contextlib.contextmanager
def interruptible(advice: str) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM within the block end the command with a sentence.

    `advice` says what may have been done, and which command completes or undoes it. Raises Interrupted.
    """
    with _sigterm_raised():
        try:
            yield
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; {advice}") from None


@contextlib.contextmanager
def _sigterm_raised() -> Iterator[None]:
    """Raise Terminated within the block when SIGTERM arrives, unless that is ignored or handled already."""
    is_ours = (
        threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if not is_ours:
        yield
        return

    def end(*_: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _show_without_secrets(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of a bug as Python does, less what looks like a secret."""
    text = "".join(traceback.format_exception(kind, error, trace))
    secrets = (value for name, value in os.environ.items() if len(value) >= _LONG and is_secret(name, value))
    sys.stderr.write(redact(text, (*secrets, *_secrets_of_the_project())))


def _secrets_of_the_project() -> list[str]:
    """Return the values of .env that are secrets, as far as they can be read."""
    from azml_tasks.reading import find_file
    from azml_tasks.reading.variables import read_variables

    with contextlib.suppress(Exception):
        variables = read_variables(find_file(Path.cwd()).parent)
        return [value for name, value in variables.items() if len(value) >= _LONG and is_secret(name, value)]
    return []


def _open_what_is_closed() -> None:
    """Let standard streams that are closed lead nowhere, so that nothing else is opened under their numbers."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(number)
    if sys.stdout is None:
        sys.stdout = open(_STDOUT, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays open


def _show_what_can_be_shown() -> None:
    """Replace the characters that standard output does not take: a log may hold any."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _can_print() -> bool:
    """See whether standard output still takes anything, by writing a line to it."""
    try:
        os.write(sys.stdout.fileno(), b"\n")
    except OSError:
        return False
    return True


def _say_no_more() -> None:
    """Let what is still buffered go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def with_target(text: str, target: str) -> str:
    """Return the text with the target in the commands that it gives to go on with."""
    return _COMMAND.sub(lambda found: f"{found[0]} --target {target}", text) if target else text

"""How every task of ours is made: its flags, and the one place where our errors become exit statuses."""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
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
from typing import TYPE_CHECKING, Any, TypeVar

import invoke

from azml_tasks.errors import AzmlError, Interrupted, Terminated, UsageError
from azml_tasks.text import printable, shortened

if TYPE_CHECKING:
    from inspect import Signature

Body = TypeVar("Body", bound=Callable[..., Any])


def named_experiment(name: str) -> str | None:
    """Return the experiment in `--experiment`, or None if it is empty.

    Raises UsageError if the name is not valid, or a secret, since it is stored with the run.
    """
    if not name:
        return None
    from azml_tasks.model.names import experiment_name_problem
    from azml_tasks.secrets import made_up_secrets, secret_or_copy_in

    problem = experiment_name_problem(name)
    if kind := secret_or_copy_in(name, made_up_secrets({**_variables_of_the_project(), **os.environ})):
        problem = f"the name looks like a secret ({kind}) and would be stored with the run"
    if problem:
        raise UsageError(f"--experiment: {problem}")
    return name


class Flag(invoke.Argument):
    """A flag that is copied fast: Invoke copies the flags of all tasks for each command."""

    def __deepcopy__(self, memo: object) -> Flag:
        # Its values are replaced, never changed.
        copied = object.__new__(type(self))
        vars(copied).update(vars(self))
        return copied


class Number(Flag):
    """A flag whose value is a whole number, `least` or more."""

    least = 0

    def set_value(self, value: Any, cast: bool = True) -> None:
        """Set the value; ends the command if it is not such a number."""
        try:
            super().set_value(value, cast)
            fits = self.value >= self.least
        except ValueError:
            fits = False
        if not fits:
            text = f"--{self.names[0]} must be a whole number, {self.least} or more, not '{shortened(str(value), 40)}'"
            raise invoke.Exit(text, code=AzmlError.exit_status)


class Task(invoke.Task[Body]):
    """A task whose flags require their values.

    Flags with a number as default are `Number`s; `least` contains their smallest values.
    """

    least: Mapping[str, int] = {}
    _signature: Signature | None = None

    def __deepcopy__(self, memo: object) -> Task[Body]:
        # Invoke copies all tasks for each command, and takes from `help` what it has used.
        copied = object.__new__(type(self))
        vars(copied).update(vars(self), help=dict(self.help))
        return copied

    def argspec(self, body: Callable[..., Any]) -> Signature:
        """Return the signature without the context; Invoke asks for it twice."""
        if self._signature is None:
            self._signature = super().argspec(body)
        return self._signature

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[invoke.Argument]:
        """Return the flags that Invoke derives from the signature, with numbers and lists validated."""
        arguments = super().get_arguments(ignore_unknown_help)
        for argument in arguments:
            if argument.kind is list:
                # The parser treats an empty list as a value.
                argument.raw_value = None
            argument.__class__ = Number if argument.kind is int else Flag
            if isinstance(argument, Number):
                argument.least = self.least.get(argument.names[0], 0)
        return arguments


_STDOUT, _STDERR = 1, 2
_HELP = ("--help", "-h")

TARGET = "Use this target: its keys override the rest of pipeline.yaml."
SET = (
    "Override a value for this run: STEP.KEY=VALUE for a setting of a step (train.lr=0.1), NAME=VALUE for a pipeline "
    "parameter; can be repeated."
)
# A command in a message, unless it has no --target.
_COMMAND = r"`invoke (?!new-step|migrate)([a-z][\w.-]*)"


def task(least: Mapping[str, int] | None = None, **options: Any) -> Callable[[Body], invoke.Task[Body]]:
    """Create a task whose expected errors are printed as one sentence.

    `least` contains the smallest value of each flag that is a number. Short flags are disabled, because they would
    collide with Invoke's own `-e` and `-f`.
    """

    def make(body: Body) -> invoke.Task[Body]:
        @functools.wraps(body)
        def run(*args: Any, **kwargs: Any) -> Any:
            _open_what_is_closed()
            _show_what_can_be_shown()
            if any(kwargs.get(name) in _HELP for name in made.positional):
                _show_help(made.name.replace("_", "-"))
            try:
                with _few_collections():
                    done = body(*args, **kwargs)
                sys.stdout.flush()
                return done
            except KeyboardInterrupt:
                raise invoke.Exit("interrupted", code=Interrupted.exit_status) from None
            except AzmlError as error:
                text = printable(with_target(str(error), kwargs.get("target", "")))
                raise invoke.Exit(text, code=error.exit_status) from None
            except OSError as error:
                if place := _place_of_record(error):
                    raise invoke.Exit(f"{place}: {error.strerror}; delete it, or correct its mode", code=1) from None
                if _can_print():
                    sys.excepthook = _show_without_secrets
                    raise
                _say_no_more()
                # No message if the reader has ended, as in `invoke runs.logs | head`.
                lost = f"cannot write the output: {error.strerror}"
                raise invoke.Exit(None if isinstance(error, BrokenPipeError) else lost, code=1) from None
            except Exception:
                sys.excepthook = _show_without_secrets
                raise

        made: Task[Body] = invoke.task(klass=Task, auto_shortflags=False, **options)(run)
        made.least = least or {}
        return made

    return make


def _show_help(name: str) -> None:
    """Print the help of a task and end the command: Invoke takes `--help` for the value of a positional argument."""
    from invoke.main import program

    end = min((sys.argv.index(word) for word in _HELP if word in sys.argv), default=0)
    found = [place for place, word in enumerate(sys.argv[:end]) if word.rpartition(".")[2] == name]
    if found:
        program.run([*sys.argv[: found[-1]], "--help", sys.argv[found[-1]]])
    raise invoke.Exit(f"for details: invoke --help {name}", code=0)


@contextlib.contextmanager
def _few_collections() -> Iterator[None]:
    """Collect garbage seldom in the block, and not at exit.

    Objects created at start-up live until the end. The collector would check them several times and once more at exit,
    which takes a third of the time of a short task.
    """
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    before = gc.get_threshold()
    gc.set_threshold(500_000)
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            # Moves what is left to the oldest generation; else the lower threshold would start a collection at once.
            gc.freeze()
            gc.unfreeze()
        gc.set_threshold(*before)


def agreed(question: str, purpose: str) -> bool:
    """Return the answer at the terminal; raises AzmlError in CI and without a terminal, where --yes is needed."""
    if not sys.stdin.isatty() or os.environ.get("CI", "").lower() not in ("", "0", "false"):
        raise AzmlError(
            f"nothing changed: cannot ask for confirmation in CI or without a terminal; use --yes {purpose}"
        )
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


@contextlib.contextmanager
def interruptible(advice: str) -> Iterator[None]:
    """End the command with a message if Ctrl-C or SIGTERM interrupts the block.

    `advice` says what may have been done, and which command completes or undoes it. Raises Interrupted.
    """
    with _sigterm_raised():
        try:
            yield
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; {advice}") from None


@contextlib.contextmanager
def _sigterm_raised() -> Iterator[None]:
    """Raise Terminated in the block on SIGTERM, unless the signal is already ignored or handled."""
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
    """Print the traceback of a bug as Python does, without text that looks like a secret."""
    from azml_tasks.secrets import redact

    text = "".join(traceback.format_exception(kind, error, trace))
    sys.stderr.write(redact(text, all_known_secrets()))


def without_known_secrets(text: str) -> str:
    """Return a text as a terminal may show it: without secrets and control characters."""
    from azml_tasks.secrets import redact

    return printable(redact(text, all_known_secrets()))


def all_known_secrets() -> list[str]:
    """Return the secrets in the environment and in the project's .env, except for short ones."""
    from azml_tasks.secrets import known_secrets

    return [*known_secrets(os.environ), *known_secrets(_variables_of_the_project())]


def _variables_of_the_project() -> dict[str, str]:
    """Return the variables of .env and of the environment; none if it cannot be read."""
    from azml_tasks.reading import find_file
    from azml_tasks.reading.values import read_variables

    with contextlib.suppress(Exception):
        return read_variables(find_file(Path.cwd()).parent)
    return {}


def _open_what_is_closed() -> None:
    """Redirect closed standard streams to devnull, so that no other file gets their numbers."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(number)
    if sys.stdout is None:
        sys.stdout = open(_STDOUT, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays open


def _show_what_can_be_shown() -> None:
    """Replace characters that standard output cannot encode, because logs may contain any."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _can_print() -> bool:
    """Return whether standard output is still writable, by writing a line to it."""
    try:
        os.write(sys.stdout.fileno(), b"\n")
    except OSError:
        return False
    return True


def _place_of_record(error: OSError) -> str:
    """Return the path from .azml of the file or folder that could not be used; empty if it is elsewhere."""
    parts = os.path.normpath(str(error.filename or "")).split(os.sep)
    return printable("/".join(parts[parts.index(".azml") :])) if ".azml" in parts else ""


def _say_no_more() -> None:
    """Discard the buffered output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def with_target(text: str, target: str) -> str:
    """Return the text with `--target` added to the commands in it."""
    return re.sub(_COMMAND, lambda found: f"{found[0]} --target {target}", text) if target else text

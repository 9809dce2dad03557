"""Flags that would do harm with no value or a wrong one: numbers and names that cannot be meant, and `--set` alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import invoke

from azml_tasks.errors import AzmlError, UsageError, shortened

Body = TypeVar("Body", bound=Callable[..., Any])


def named_experiment(name: str) -> str | None:
    """Return the experiment that `--experiment` names; None when it names none.

    Raises UsageError for what is no experiment's name.
    """
    from azml_tasks.model.names import experiment_name_problem

    problem = experiment_name_problem(name) if name else None
    if problem:
        raise UsageError(f"--experiment: {problem}")
    return name or None


class Number(invoke.Argument):
    """A flag that takes a whole number of at least `least`."""

    least = 0

    def set_value(self, value: Any, cast: bool = True) -> None:
        """Take the value that was typed; ends the command when it is no such number."""
        try:
            super().set_value(value, cast)
            fits = self.value >= self.least
        except ValueError:
            fits = False
        if not fits:
            text = f"--{self.names[0]} takes a whole number, {self.least} or more, not '{shortened(str(value), 40)}'"
            raise invoke.Exit(text, code=AzmlError.exit_status)


class Task(invoke.Task[Body]):
    """A task whose flags hold out for their values.

    Those with a number for a default are `Number`s, and `least` holds the smallest of each.
    """

    least: Mapping[str, int] = {}

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[invoke.Argument]:
        """Return the flags, as Invoke makes them from the signature but for numbers and lists."""
        arguments = super().get_arguments(ignore_unknown_help)
        for argument in arguments:
            if argument.kind is list:
                # The parser takes an empty list for a value that was given.
                argument.raw_value = None
        return [self._number(argument) if argument.kind is int else argument for argument in arguments]

    def _number(self, argument: invoke.Argument) -> Number:
        number = Number(
            names=argument.names,
            kind=int,
            default=argument.default,
            help=argument.help,
            attr_name=argument.attr_name,
        )
        number.least = self.least.get(argument.names[0], 0)
        return number

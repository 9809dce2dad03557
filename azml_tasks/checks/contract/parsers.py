"""Argument parsers as scripts declare them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, NoReturn


@dataclass(frozen=True, eq=False)
class Argument:
    """One `add_argument`; `options` are its keyword arguments.

    `kind` is the name of its type, empty for one that is not known. A `vague` one accepts any values, because not all
    of its options are known; one that is not `sure` may not be declared. `default` holds a default that is a literal;
    `dest` is empty if it is not known.
    """

    names: tuple[str, ...]
    options: Mapping[str, Any]
    kind: str
    required: bool
    file: str
    line: int
    vague: bool = False
    sure: bool = True
    dest: str = ""
    default: tuple[Any, ...] = ()

    @property
    def positional(self) -> bool:
        """Whether it has no name on the command line."""
        return not self.names[0].startswith("-")

    @property
    def valueless_action(self) -> str:
        """Its action if that takes no value, else an empty text."""
        action = str(self.options.get("action", ""))
        return action if action.startswith("store_") or action in ("append_const", "count") else ""

    @property
    def label(self) -> str:
        """Its longest name."""
        return max(self.names, key=len)


@dataclass(eq=False)
class Parser:
    """An ArgumentParser while a script builds it.

    An `open` one may have more arguments; a `lost` one is unknown. With `own_defaults`, it may set values by itself.
    """

    file: str
    line: int
    options: Mapping[str, Any]
    arguments: list[Argument] = field(default_factory=list)
    open: bool = False
    lost: bool = False
    own_defaults: bool = False

    def add(self, argument: Argument) -> int:
        """Add an argument and return its place."""
        if argument.positional and not (argument.sure and not argument.vague):
            self.lost = True
        taken = {name for other in self.arguments for name in other.names}
        again = taken.intersection(argument.names)
        if again and self.options.get("conflict_handler") == "resolve":
            self.lost = True
        elif again and not argument.sure:
            # One of two branches that declare the same name.
            for place, other in enumerate(self.arguments):
                if again.intersection(other.names):
                    self.weaken(place)
            argument = replace(argument, names=tuple(name for name in argument.names if name not in again))
            if not argument.names:
                return -1
        self.arguments.append(argument)
        return len(self.arguments) - 1

    def weaken(self, place: int) -> None:
        """Forget everything about an argument except its names."""
        if place >= 0:
            argument = self.arguments[place]
            self.arguments[place] = replace(argument, vague=True, required=False, default=())
            self.lost |= argument.positional


class Parse(NamedTuple):
    """A parser that a script certainly applies to its command line; `known` ignores undeclared arguments."""

    parser: Parser
    known: bool


class Refused(Exception):  # noqa: N818 - what argparse says, not a mistake of ours
    """argparse does not accept the parser, or the words."""


class Twin(argparse.ArgumentParser):
    """A parser that raises Refused where another ends the script."""

    def error(self, message: str) -> NoReturn:
        raise Refused(message)

    def _get_formatter(self) -> argparse.HelpFormatter:
        # `add_argument` makes one for each argument, which takes longer than all else.
        return _FORMATTER


_FORMATTER = argparse.HelpFormatter(prog="", width=80)

"""Argument parsers as scripts declare them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, eq=False)
class Argument:
    """One `add_argument`; `options` are what argparse is given of it beside its names.

    `kind` is the name of its type, empty for one that is not known. What is `vague` takes any values, since not all of
    its options are known; what is not `sure` may not be declared at all.
    """

    names: tuple[str, ...]
    options: Mapping[str, Any]
    kind: str
    required: bool
    file: str
    line: int
    vague: bool = False
    sure: bool = True

    @property
    def positional(self) -> bool:
        """Whether it has no name on the command line."""
        return not self.names[0].startswith("-")

    @property
    def label(self) -> str:
        """Its most telling name."""
        return max(self.names, key=len)


@dataclass(eq=False)
class Parser:
    """An ArgumentParser while a script builds it.

    One that is `open` may have further arguments; nothing is known of one that is `lost`.
    """

    file: str
    line: int
    options: Mapping[str, Any]
    arguments: list[Argument] = field(default_factory=list)
    open: bool = False
    lost: bool = False

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
        """Forget all of an argument but its names."""
        if place >= 0:
            argument = self.arguments[place]
            self.arguments[place] = replace(argument, vague=True, required=False)
            self.lost |= argument.positional


@dataclass(frozen=True)
class Parse:
    """A parser that a script certainly applies to its command line; `known` leaves alone what it does not declare."""

    parser: Parser
    known: bool

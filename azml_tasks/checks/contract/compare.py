"""Compare a step's arguments with its script's parser, using argparse itself.

The words are parsed by a parser with the same arguments, but without the script's own types and actions.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from azml_tasks.checks.contract.declare import ENDS
from azml_tasks.checks.contract.parsers import Argument, Parse, Refused, Twin
from azml_tasks.checks.contract.words import (
    Disagreement,
    Word,
    added,
    closest_name,
    hides,
    is_option,
    option_name,
    remedy_of,
)
from azml_tasks.plan import StepPlan
from azml_tasks.text import did_you_mean, shortened, some_listed

TYPES: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "json.loads": json.loads}
_A = {"int": "a whole number", "float": "a number", "json.loads": "JSON"}
_MOST_TRIES = 50


class _Outcome(NamedTuple):
    """The result of argparse: the places of the arguments it found, and the remaining words."""

    seen: frozenset[int]
    extras: Sequence[str]


class Comparison:
    """One parse of one step; `is_named` returns whether the script names an option, so that it may be for others."""

    def __init__(
        self,
        step: StepPlan,
        script: str,
        parse: Parse,
        words: list[Word],
        *,
        final: bool,
        is_named: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self.step = step
        self.script = script
        self.parser = parse.parser
        self.known = parse.known
        self.words = words
        self.final = final
        self.is_named = is_named
        self.arguments = self.parser.arguments
        self.by_name = {name: argument for argument in self.arguments for name in argument.names}
        self.counts_positionals = not self.parser.open
        self._outcomes: dict[tuple[str, ...], _Outcome] = {}

    def disagreements(self) -> list[Disagreement]:
        """Return the mismatches; none where the result of argparse cannot be predicted."""
        try:
            return list(self._disagreements())
        except (Refused, argparse.ArgumentError):
            # A parser that argparse does not accept, or words that it rejects for reasons other than those below.
            return []

    def seen(self) -> frozenset[int]:
        """Return the places of the arguments that are passed.

        Raises Refused or argparse.ArgumentError where argparse refuses the words.
        """
        return self._parse(self._declared_words() if self.parser.open else self.words).seen

    def _disagreements(self) -> Iterator[Disagreement]:
        words = self._declared_words() if self.parser.open else list(self.words)
        found: list[Disagreement] = []
        excused: set[Argument] = set()
        for _ in range(_MOST_TRIES):
            try:
                outcome = self._parse(words)
                break
            except argparse.ArgumentError as error:
                argument = self._named(error.argument_name)
                if argument.positional:
                    yield self._misplaced(argument, words)
                    return
                rest, wrong = self._refusal(argument, words)
                found.append(wrong)
                excused.add(argument)
                words = rest
        else:
            return
        if any(self._arguments()[place].kind == ENDS for place in outcome.seen):
            return
        yield from found
        for wrong, meant in self._ignored(outcome) if self.known else self._left_over(outcome):
            excused |= {argument for argument in self.arguments if meant in argument.names}
            yield wrong
        yield from self._missing(outcome, excused)
        yield from self._abbreviations()

    # By argparse

    def _arguments(self) -> list[Argument]:
        arguments = list(self.arguments)
        if self.parser.options.get("add_help", True):
            arguments.append(Argument(("-h", "--help"), {"action": "store_true"}, ENDS, False, "", 0))
        return arguments

    def _parse(self, words: Sequence[str]) -> _Outcome:
        key = tuple(words)
        if key not in self._outcomes:
            self._outcomes[key] = self._parsed(key)
        return self._outcomes[key]

    def _parsed(self, words: Sequence[str]) -> _Outcome:
        options = {key: value for key, value in self.parser.options.items() if key != "add_help"}
        twin = Twin(prog="", add_help=False, exit_on_error=False, **options)
        try:
            for place, argument in enumerate(self._arguments()):
                self._add(twin, argument, f"a{place}")
        except (TypeError, ValueError) as error:
            raise Refused from error
        try:
            found, extras = twin.parse_known_args(list(words))
        except TypeError as error:
            raise Refused from error  # of an action that does not take what its argument makes
        return _Outcome(frozenset(int(name[1:]) for name in vars(found)), extras)

    def _add(self, twin: argparse.ArgumentParser, argument: Argument, dest: str) -> None:
        options = dict(argument.options)
        if argument.vague:
            options = {"nargs": "*"}
        elif options.get("action") == "argparse.BooleanOptionalAction":
            options["action"] = argparse.BooleanOptionalAction
        elif options.get("action", "").endswith("_const"):
            options["const"] = None
        if argument.kind in TYPES and not argument.vague and not argument.valueless_action:
            options["type"] = TYPES[argument.kind]
        if argument.positional:
            # argparse converts a default of one that may be left out, and looks for it among the choices.
            default = None if options.get("nargs") in ("?", "*") else argparse.SUPPRESS
            action = twin.add_argument(dest, default=default, metavar=argument.names[0], **options)
        else:
            action = twin.add_argument(*argument.names, dest=dest, default=argparse.SUPPRESS, **options)
        action.required = False

    def _named(self, name: str | None) -> Argument:
        for argument in self.arguments:
            if name is not None and name in ("/".join(argument.names), argument.names[0]):
                return argument
        raise Refused(name)

    # What is said

    def _declared_words(self) -> list[Word]:
        """Return the words without options, and their values, that the open parser may or may not declare."""
        kept: list[Word] = []
        declared = False
        for word in self.words:
            if is_option(word):
                declared = option_name(word) in self.by_name
            if declared:
                kept.append(word)
        return kept

    def _refusal(self, argument: Argument, words: list[Word]) -> tuple[list[Word], Disagreement]:
        """Return the words without those that argparse does not accept for the argument, and the problems."""
        if argument.vague:
            raise Refused
        for place, word in enumerate(words):
            if not is_option(word) or self.meant(option_name(word)) is not argument:
                continue
            end = next((at for at in range(place + 1, len(words)) if is_option(words[at])), len(words))
            try:
                self._parse(words[place:end])
            except argparse.ArgumentError as error:
                if self._named(error.argument_name) is argument:
                    return words[:place] + words[end:], self._wrong(argument, words[place:end])
        raise Refused

    def meant(self, name: str) -> Argument | None:
        """Return the argument that a name selects in argparse: an exact match, or the only one with this prefix."""
        if name in self.by_name:
            return self.by_name[name]
        if not self.parser.options.get("allow_abbrev", True) or not name.startswith("--"):
            return None
        found = {argument.label: argument for full, argument in self.by_name.items() if full.startswith(name)}
        return next(iter(found.values())) if len(found) == 1 else None

    def _wrong(self, argument: Argument, words: list[Word]) -> Disagreement:
        option, values = words[0], words[1:]
        name = option_name(option)
        joined = option.partition("=")[2] if "=" in option else ""
        if joined:
            shown = "a value" if hides(name, joined) else ""
            values = [Word.of(joined, option.path, shown, option.token)]
        place = f"{argument.file}:{argument.line}"
        certain = self.final or not any(word.is_parameter for word in values)
        start = f"step '{self.step.key}' passes {name}"
        for word in values:
            if wrong := self._wrong_value(argument, word, start):
                return wrong
        if argument.valueless_action:
            message = f"{start} a value, but it takes none (action='{argument.options['action']}', {place})"
            return Disagreement(option.path, message, certain)
        count = argument.options.get("nargs")
        takes = {None: "1 value", "?": "at most 1 value", "+": "at least 1 value"}.get(count, f"{count} values")
        given = f"{len(values)} values" if len(values) > 1 else "1 value" if values else "no value"
        return Disagreement(option.path, f"{start} with {given}, but it takes {takes} ({place})", certain)

    def _wrong_value(self, argument: Argument, word: Word, start: str) -> Disagreement | None:
        """Return what is wrong with a value by the type and the choices of its argument, if anything is."""
        place = f"{argument.file}:{argument.line}"
        certain = self.final or not word.is_parameter
        said = shortened(word.shown)
        convert = TYPES.get(argument.kind)
        try:
            value: Any = convert(str(word)) if convert else str(word)
        except (TypeError, ValueError):
            message = f"{start} {said}, which is not {_A[argument.kind]} (type={argument.kind}, {place})"
            return Disagreement(word.path, message, certain)
        choices = argument.options.get("choices")
        if choices is None or value in choices:
            return None
        known = [str(choice) for choice in choices]
        message = f"{start} {said}, which is not among its choices: {some_listed(known)} ({place})"
        return Disagreement(word.path, message + did_you_mean(str(word), known), certain)

    def _misplaced(self, argument: Argument, words: list[Word]) -> Disagreement:
        """Return what is wrong with the value of a positional argument."""
        if any(self._ends(option_name(word)) for word in words if is_option(word)):
            raise Refused
        start = f"step '{self.step.key}' passes as {argument.names[0]}"
        found = (self._wrong_value(argument, word, start) for word in words if not is_option(word))
        wrong = next(filter(None, found), None)
        if wrong is None:
            raise Refused
        return wrong

    def _ends(self, name: str) -> bool:
        meant = self.meant(name)
        return name.startswith(("-h", "--h")) or (meant is not None and meant.kind == ENDS)

    def _left_over(self, outcome: _Outcome) -> Iterator[tuple[Disagreement, str]]:
        """Yield the problem of each word that argparse did not use, and the name that was probably meant."""
        extras = {word.place for word in outcome.extras if isinstance(word, Word)}
        unused = [name for place, name in self._unused(outcome)]
        option: Word | None = None
        for word in self.words:
            named = is_option(word) and (self.meant(option_name(word)) is not None or word.place in extras)
            if named:
                option = word
            if word.place not in extras:
                continue
            if named:
                meant = closest_name(option_name(word), unused)
                yield self._unknown(word, meant, unused), meant
            elif option is None or option.place not in extras:
                yield self._one_too_many(word, option), ""

    def _ignored(self, outcome: _Outcome) -> Iterator[tuple[Disagreement, str]]:
        """Yield the note on each option that parse_known_args ignores, if it is close to one that is not passed."""
        unused = [name for _, name in self._unused(outcome)]
        for word in outcome.extras:
            if not isinstance(word, Word) or not is_option(word) or self.is_named(option_name(word)):
                continue
            if meant := closest_name(option_name(word), unused):
                required = self.by_name[meant].required
                yield self._unknown(word, meant, unused, "ignores", certain=required), meant

    def _unused(self, outcome: _Outcome) -> list[tuple[int, str]]:
        return [
            (place, name)
            for place, argument in enumerate(self.arguments)
            for name in argument.names
            if place not in outcome.seen and not argument.positional
        ]

    def _unknown(
        self, word: Word, meant: str, unused: Sequence[str], effect: str = "does not accept", *, certain: bool = True
    ) -> Disagreement:
        name = option_name(word)
        message = (
            f"step '{self.step.key}' passes {shortened(name)}, which {self.script} {effect} (its parser: "
            f"{self.parser.file}:{self.parser.line})"
        )
        remedy = remedy_of(self.step, word, meant, unused)
        return Disagreement(word.path, f"{message}; {remedy}" if remedy else message, certain)

    def _one_too_many(self, word: Word, option: Word | None) -> Disagreement:
        argument = self.meant(option_name(option)) if option is not None else None
        start = f"step '{self.step.key}' passes"
        if argument and option is not None and argument.valueless_action:
            where = f"action='{argument.options['action']}', {argument.file}:{argument.line}"
            message = f"{start} {option_name(option)} {shortened(word.shown)}, but it takes no value ({where})"
            return Disagreement(word.path, message)
        message = (
            f"{start} {shortened(word.shown)}, but {self.script} has no positional argument for it "
            f"(its parser: {self.parser.file}:{self.parser.line})"
        )
        return Disagreement(word.path, message)

    def _missing(self, outcome: _Outcome, excused: set[Argument]) -> Iterator[Disagreement]:
        for place, argument in enumerate(self.arguments):
            if place in outcome.seen or argument in excused or not self._is_required(argument):
                continue
            name = argument.label
            noun = "the positional argument " if argument.positional else ""
            message = (
                f"step '{self.step.key}' does not pass {noun}{name}, "
                f"which {self.script} requires ({argument.file}:{argument.line}){added(self.step, name)}"
            )
            yield Disagreement(("steps", self.step.key), message)

    def _is_required(self, argument: Argument) -> bool:
        if argument.positional:
            return self.counts_positionals and argument.options.get("nargs") not in ("?", "*")
        return argument.required

    def _abbreviations(self) -> Iterator[Disagreement]:
        if self.parser.open:
            return
        for word in self.words:
            name = option_name(word)
            meant = self.meant(name) if is_option(word) and name not in self.by_name else None
            if meant and name.startswith("--"):
                full = next(full for full in meant.names if full.startswith(name))
                message = (
                    f"step '{self.step.key}' passes {name}, which argparse accepts as an abbreviation of {full} "
                    f"({meant.file}:{meant.line}); write {full}"
                )
                yield Disagreement(word.path, message, certain=False)

"""What a step passes against what its script's parser takes, judged by argparse itself.

A parser with the same arguments, without what a script's own types and actions do, is given the words.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from azml_tasks.checks.contract.declare import ENDS
from azml_tasks.checks.contract.parsers import Argument, Parse
from azml_tasks.checks.contract.words import Path, Word, hides, left_out, renamed
from azml_tasks.errors import closest, did_you_mean, shortened, some_listed
from azml_tasks.wiring import StepPlan

_TYPES: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "json.loads": json.loads}
_A = {"int": "a whole number", "float": "a number", "json.loads": "JSON"}
_MOST_TRIES = 50


@dataclass(frozen=True)
class Disagreement:
    """What does not fit, and where in pipeline.yaml; one that is not `certain` stops no run."""

    path: Path
    message: str
    certain: bool = True


class _Refused(Exception):  # noqa: N818 - what argparse says, not a mistake of ours
    pass


class _Twin(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _Refused(message)


@dataclass(frozen=True)
class _Outcome:
    """What argparse made of the words: the places of the arguments it saw, and what was left over."""

    seen: frozenset[int]
    extras: Sequence[str]


class Comparison:
    """One parse of one step."""

    def __init__(self, step: StepPlan, script: str, parse: Parse, words: list[Word], *, final: bool) -> None:
        self.step = step
        self.script = script
        self.parser = parse.parser
        self.known = parse.known
        self.words = words
        self.final = final
        self.arguments = self.parser.arguments
        self.by_name = {name: argument for argument in self.arguments for name in argument.names}
        self.counts_positionals = not self.parser.open

    def disagreements(self) -> list[Disagreement]:
        """Return what does not fit, nothing where argparse's own answer cannot be foreseen."""
        try:
            return list(self._disagreements())
        except (_Refused, argparse.ArgumentError):
            # A parser that argparse does not take, or words that it refuses for another reason than those below.
            return []

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
        if not self.known:
            for wrong, meant in self._left_over(outcome):
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
        options = {key: value for key, value in self.parser.options.items() if key != "add_help"}
        twin = _Twin(prog="", add_help=False, exit_on_error=False, **options)
        try:
            for place, argument in enumerate(self._arguments()):
                self._add(twin, argument, f"a{place}")
        except (TypeError, ValueError) as error:
            raise _Refused from error
        try:
            found, extras = twin.parse_known_args(list(words))
        except TypeError as error:
            raise _Refused from error  # of an action that does not take what its argument makes
        return _Outcome(frozenset(int(name[1:]) for name in vars(found)), extras)

    def _add(self, twin: argparse.ArgumentParser, argument: Argument, dest: str) -> None:
        options = dict(argument.options)
        if argument.vague:
            options = {"nargs": "*"}
        elif options.get("action") == "argparse.BooleanOptionalAction":
            options["action"] = argparse.BooleanOptionalAction
        elif options.get("action", "").endswith("_const"):
            options["const"] = None
        if argument.kind in _TYPES and not argument.vague and not _without_value(argument):
            options["type"] = _TYPES[argument.kind]
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
        raise _Refused(name)

    # What is said

    def _declared_words(self) -> list[Word]:
        """Return the words without options, and their values, that the open parser may or may not declare."""
        kept: list[Word] = []
        declared = False
        for word in self.words:
            if _is_option(word):
                declared = _name(word) in self.by_name
            if declared:
                kept.append(word)
        return kept

    def _refusal(self, argument: Argument, words: list[Word]) -> tuple[list[Word], Disagreement]:
        """Return the words without those that argparse does not take for the argument, and what is wrong with them."""
        if argument.vague:
            raise _Refused
        for place, word in enumerate(words):
            if not _is_option(word) or self._meant(_name(word)) is not argument:
                continue
            end = next((at for at in range(place + 1, len(words)) if _is_option(words[at])), len(words))
            try:
                self._parse(words[place:end])
            except argparse.ArgumentError as error:
                if self._named(error.argument_name) is argument:
                    return words[:place] + words[end:], self._wrong(argument, words[place:end])
        raise _Refused

    def _meant(self, name: str) -> Argument | None:
        """Return the argument that argparse takes a name for: its own, or the only one that it is a prefix of."""
        if name in self.by_name:
            return self.by_name[name]
        if not self.parser.options.get("allow_abbrev", True) or not name.startswith("--"):
            return None
        found = {argument.label: argument for full, argument in self.by_name.items() if full.startswith(name)}
        return next(iter(found.values())) if len(found) == 1 else None

    def _wrong(self, argument: Argument, words: list[Word]) -> Disagreement:
        option, values = words[0], words[1:]
        name = _name(option)
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
        if _without_value(argument):
            message = f"{start} a value, and it takes none (action='{argument.options['action']}', {place})"
            return Disagreement(option.path, message, certain)
        count = argument.options.get("nargs")
        takes = {None: "1 value", "?": "at most 1 value", "+": "at least 1 value"}.get(count, f"{count} values")
        given = f"{len(values)} values" if len(values) > 1 else "1 value" if values else "no value"
        return Disagreement(option.path, f"{start} with {given}, and it takes {takes} ({place})", certain)

    def _wrong_value(self, argument: Argument, word: Word, start: str) -> Disagreement | None:
        """Return what is wrong with a value by the type and the choices of its argument, if anything is."""
        place = f"{argument.file}:{argument.line}"
        certain = self.final or not word.is_parameter
        said = shortened(word.shown)
        convert = _TYPES.get(argument.kind)
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
        if any(self._ends(_name(word)) for word in words if _is_option(word)):
            raise _Refused
        start = f"step '{self.step.key}' passes as {argument.names[0]}"
        found = (self._wrong_value(argument, word, start) for word in words if not _is_option(word))
        wrong = next(filter(None, found), None)
        if wrong is None:
            raise _Refused
        return wrong

    def _ends(self, name: str) -> bool:
        meant = self._meant(name)
        return name.startswith(("-h", "--h")) or (meant is not None and meant.kind == ENDS)

    def _left_over(self, outcome: _Outcome) -> Iterator[tuple[Disagreement, str]]:
        """Yield what is wrong with each word that argparse left, and the name that was meant instead."""
        extras = {word.place for word in outcome.extras if isinstance(word, Word)}
        unused = [name for place, name in self._unused(outcome)]
        option: Word | None = None
        for word in self.words:
            is_option = _is_option(word) and (self._meant(_name(word)) is not None or word.place in extras)
            if is_option:
                option = word
            if word.place not in extras:
                continue
            if is_option:
                meant = _closest(_name(word), unused)
                yield self._unknown(word, meant), meant
            elif option is None or option.place not in extras:
                yield self._one_too_many(word, option), ""

    def _unused(self, outcome: _Outcome) -> list[tuple[int, str]]:
        return [
            (place, name)
            for place, argument in enumerate(self.arguments)
            for name in argument.names
            if place not in outcome.seen and not argument.positional
        ]

    def _unknown(self, word: Word, meant: str) -> Disagreement:
        name = _name(word)
        message = (
            f"step '{self.step.key}' passes {shortened(name)}, which {self.script} does not take "
            f"(its parser: {self.parser.file}:{self.parser.line})"
        )
        if meant:
            entry = renamed(self.step, word, meant)
            return Disagreement(word.path, f"{message}; did you mean {meant}{f' ({entry})' if entry else ''}?")
        remedy = left_out(self.step, word)
        return Disagreement(word.path, f"{message}; {remedy}" if remedy else message)

    def _one_too_many(self, word: Word, option: Word | None) -> Disagreement:
        argument = self._meant(_name(option)) if option is not None else None
        start = f"step '{self.step.key}' passes"
        if argument and option is not None and _without_value(argument):
            where = f"action='{argument.options['action']}', {argument.file}:{argument.line}"
            message = f"{start} {_name(option)} {shortened(word.shown)}, and it takes no value ({where})"
            return Disagreement(word.path, message)
        message = (
            f"{start} {shortened(word.shown)}, for which {self.script} declares no argument "
            f"(its parser: {self.parser.file}:{self.parser.line})"
        )
        return Disagreement(word.path, message)

    def _missing(self, outcome: _Outcome, excused: set[Argument]) -> Iterator[Disagreement]:
        for place, argument in enumerate(self.arguments):
            if place in outcome.seen or argument in excused or not self._is_required(argument):
                continue
            name = argument.label
            noun = "the positional argument " if argument.positional else ""
            remedy = "; add step_config" if name == "--config" and self.step.step.step_config is None else ""
            message = (
                f"step '{self.step.key}' does not pass {noun}{name}, "
                f"which {self.script} requires ({argument.file}:{argument.line}){remedy}"
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
            name = _name(word)
            meant = self._meant(name) if _is_option(word) and name not in self.by_name else None
            if meant and name.startswith("--"):
                full = next(full for full in meant.names if full.startswith(name))
                message = (
                    f"step '{self.step.key}' passes {name}, which argparse takes as an abbreviation of {full} "
                    f"({meant.file}:{meant.line}); write {full}"
                )
                yield Disagreement(word.path, message, certain=False)


def _without_value(argument: Argument) -> str:
    """Return the action of an argument that takes no value, else an empty text."""
    action = str(argument.options.get("action", ""))
    return action if action.startswith("store_") or action in ("append_const", "count") else ""


def _is_option(word: str) -> bool:
    return len(word) > 1 and word.startswith("-") and not _is_number(word)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _name(word: str) -> str:
    return word.partition("=")[0]


def _closest(name: str, known: Sequence[str]) -> str:
    plain = {other.strip("-").replace("_", "-").lower(): other for other in known}
    bare = name.strip("-").replace("_", "-").lower()
    return plain.get(bare) or plain.get(closest(bare, plain) or "", "")

"""Read the declarations of `ArgumentParser(...)` and `add_argument(...)` calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from azml_tasks.checks.contract.parsers import Argument, Parser
from azml_tasks.checks.contract.values import Container, Items, Literal, Reference, Value

HARMLESS_ATTRIBUTES = {"description", "epilog", "formatter_class", "prog", "usage"}
_TEXTS = {*HARMLESS_ATTRIBUTES, "argument_default", "suggest_on_error", "color"}
_WITHOUT_VALUE = {"store_true", "store_false", "store_const", "append_const", "count"}
_WITH_VALUE = {"store", "append", "extend"}
_ENDING = {"help", "version"}
_OF_AN_ARGUMENT = {"const", "default", "dest", "help", "metavar", "version", "deprecated"}
_NUMBERS = {"argparse.OPTIONAL": "?", "argparse.ZERO_OR_MORE": "*", "argparse.ONE_OR_MORE": "+"}
_BOOLEAN = Reference("argparse.BooleanOptionalAction")
# Conversions by these types are known; for any other type every text may be valid.
KINDS = {"int", "float", "str", "json.loads"}
_MOST_CHOICES = 100_000
# The kind of an option that ends the script, such as --help.
ENDS = "ends"


class Declaration(NamedTuple):
    """The known arguments of a call, and its place."""

    names: list[Value]
    options: Mapping[str, Value]
    all_names: bool
    all_options: bool
    file: str
    line: int
    sure: bool

    def argument(self, parser: Parser) -> int:
        """Add the argument that the call declares to the parser and return its place; -1 if nothing is known."""
        names = [item.value for item in self.names if isinstance(item, Literal) and isinstance(item.value, str)]
        if not self.all_names or len(names) != len(self.names) or not all(names):
            parser.open = True
            return -1
        options = dict(self.options)
        if not names:
            dest = options.get("dest")
            if not isinstance(dest, Literal) or not isinstance(dest.value, str):
                parser.lost = True
                return -1
            names = [dest.value]
        required = options.pop("required", None)
        default = options.get("default", Literal(None))
        dest = options.get("dest")
        found = _Options(options)
        # An action of the script's own may set any attribute.
        parser.own_defaults |= found.own_action
        parser.lost |= found.foreign or len({name.startswith("-") for name in names}) > 1 or "--" in names
        argument = Argument(
            tuple(dict.fromkeys(names)),
            found.given,
            found.kind,
            isinstance(required, Literal) and required.value is True and self.sure,
            self.file,
            self.line,
            vague=found.vague or not self.all_options or not self.sure,
            sure=self.sure,
            dest=_dest(names, dest),
            default=(default.value,) if isinstance(default, Literal) and default.known else (),
        )
        return parser.add(argument)


def _dest(names: list[str], stated: Value | None) -> str:
    """Return the name of an argument's value, as argparse forms it; empty if it is not known."""
    if stated is not None:
        return stated.value if isinstance(stated, Literal) and isinstance(stated.value, str) else ""
    name = next((name for name in names if name.startswith("--")), names[0])
    return name.lstrip("-").replace("-", "_") if name.startswith("-") else name


def new_parser(declaration: Declaration) -> Parser:
    """Return the parser that the call creates."""
    parser = Parser(declaration.file, declaration.line, {})
    options = dict(declaration.options)
    given: dict[str, Any] = {}
    for name in ("add_help", "allow_abbrev", "conflict_handler"):
        value = options.pop(name, None)
        if isinstance(value, Literal) and value.known:
            given[name] = value.value
        elif value is not None:
            parser.lost = True
    parser.options = given
    parser.own_defaults = "argument_default" in options
    parents = options.pop("parents", Literal(()))
    _add_parents(parser, parents)
    parser.lost |= bool(options.keys() - _TEXTS) or not declaration.all_options or not declaration.all_names
    return parser


def _add_parents(parser: Parser, parents: Value) -> None:
    if isinstance(parents, Items):
        for parent in parents.items:
            if not isinstance(parent, Container):
                parser.lost = True
                continue
            parser.lost |= parent.parser.lost
            parser.open |= parent.parser.open
            parser.own_defaults |= parent.parser.own_defaults
            for argument in parent.parser.arguments:
                parser.add(argument)
            if parent.parser.options.get("add_help", True):
                # Its -h is inherited; argparse rejects a parser with its own.
                parser.lost |= bool(parser.options.get("add_help", True))
                parser.options = {**parser.options, "add_help": True}
            # Its actions are the parent's own objects: what it declares later is not seen here.
    elif not (isinstance(parents, Literal) and parents.known and not parents.value):
        parser.lost = True


class _Options:
    """The keywords of `add_argument`.

    `given` are those that can be passed to argparse here; `vague` is whether some are unknown, `foreign` whether one
    may change the meaning of the others.
    """

    def __init__(self, options: dict[str, Value]) -> None:
        self.given: dict[str, Any] = {}
        self.kind = "str"
        self.vague = self.foreign = self.own_action = False
        kind = self._action(options.pop("action", Literal("store")))
        self._number(options.pop("nargs", Literal(None)))
        self._kind(options.pop("type", Literal(None)))
        self._choices(options.pop("choices", Literal(None)))
        self.kind = kind or self.kind
        self.foreign |= bool(options.keys() - _OF_AN_ARGUMENT)

    def _action(self, value: Value) -> str:
        action = value.value if isinstance(value, Literal) and value.known else None
        if value == _BOOLEAN:
            self.given["action"] = _BOOLEAN.name
        elif action in _ENDING:
            self.given["action"] = "store_true"
            return ENDS
        elif action in _WITHOUT_VALUE or action in _WITH_VALUE:
            self.given["action"] = action
        else:
            self.vague = self.own_action = True
        return ""

    def _number(self, value: Value) -> None:
        if isinstance(value, Reference) and value.name in _NUMBERS:
            self.given["nargs"] = _NUMBERS[value.name]
        elif isinstance(value, Literal) and (isinstance(value.value, int) or value.value in ("?", "*", "+")):
            self.given["nargs"] = value.value
        elif not isinstance(value, Literal) or value.value is not None:
            self.foreign = True  # such as REMAINDER, which takes all that follows

    def _kind(self, value: Value) -> None:
        if isinstance(value, Reference):
            self.kind = value.name if value.name in KINDS else ""
        elif not isinstance(value, Literal) or value.value is not None:
            self.kind = ""

    def _choices(self, value: Value) -> None:
        if not isinstance(value, Literal) or not value.known or not self.kind:
            return
        if isinstance(value.value, (list, tuple, set, range, dict)) and len(value.value) <= _MOST_CHOICES:
            self.given["choices"] = value  # which may still change; see `at_the_parse`


def at_the_parse(parser: Parser) -> Parser:
    """Return the parser as it is now, whatever is declared later."""
    arguments = [replace(argument, options=_with_choices(argument.options)) for argument in parser.arguments]
    return Parser(parser.file, parser.line, parser.options, arguments, parser.open, own_defaults=parser.own_defaults)


def _with_choices(options: Mapping[str, Any]) -> dict[str, Any]:
    choices = options.get("choices")
    if choices is None:
        return dict(options)
    others = {key: value for key, value in options.items() if key != "choices"}
    return {**others, "choices": list(choices.value)} if choices.known else others

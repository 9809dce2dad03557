"""Follow the calls of a script: of parsers, of its own functions, and of what reads what it is passed."""

from __future__ import annotations

import ast
from abc import abstractmethod
from typing import cast

from azml_tasks.checks.contract.declare import Declaration, at_the_parse, new_parser
from azml_tasks.checks.contract.expressions import CHANGEABLE, EndOfScript, Evaluator, LostTrack, collected, items_of
from azml_tasks.checks.contract.parsers import Parse, Parser
from azml_tasks.checks.contract.readings import (
    CONTEXTS,
    DECODERS,
    OFFLINE_CLASS,
    OFFLINE_ID,
    REFUSE_NONE,
    RUN_CLASS,
    RUN_ID,
)
from azml_tasks.checks.contract.values import (
    UNKNOWN,
    CommandLine,
    Container,
    Declared,
    Function,
    Items,
    Literal,
    Namespace,
    Passed,
    Reference,
    RunContext,
    Scope,
    Settings,
    Value,
)

_MOST_CALLS = 25
# These can change any name, unnoticed.
_REACH_ALL = {"exec", "eval", "globals", "locals"}
_EXITS = {"sys.exit", "exit", "quit", "os._exit", "os.abort"}
# Values passed to these are not kept.
_HARMLESS = {"argcomplete.autocomplete", "print", "len", "str", "repr", "vars", "id", "bool"}
_PARSES = {"parse_args": False, "parse_known_args": True}
_READS = {"print_help", "print_usage", "format_help", "format_usage", "get_default", "set_defaults"}
_OTHER_WAYS = {"parse_intermixed_args", "parse_known_intermixed_args"}
# The methods that follow calls of what is not of the project, by its name.
_CALLS = {
    "argparse.ArgumentParser": "call_parser",
    "range": "call_range",
    f"{RUN_ID.name}.startswith": "call_starts",
    **dict.fromkeys(("getattr", "hasattr"), "call_attribute"),
    **dict.fromkeys(_EXITS, "call_exit"),
    **dict.fromkeys(_HARMLESS, "call_harmless"),
    **dict.fromkeys(("type", "isinstance"), "call_type"),
    **dict.fromkeys(CONTEXTS, "call_context"),
    **dict.fromkeys(DECODERS | REFUSE_NONE, "call_on_first"),
}


class Caller(Evaluator):
    """Evaluates calls."""

    @abstractmethod
    def returned_by(self, parse: Parse) -> Namespace | None:
        """Return the values of the arguments; None if they are not known, or the parser ends the script."""

    def of_call(self, node: ast.Call, scope: Scope) -> Value:
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value, scope)
            if isinstance(owner, Container):
                return self.on_parser(owner.parser, node.func.attr, node, scope)
            if isinstance(owner, Literal):
                self.readings.missing(owner, self.place(node, scope))
                return self.on_literal(owner, node.func.attr, node, scope)
            if isinstance(owner, (Settings, RunContext)):
                return self.on_readable(owner, node.func.attr, node, scope)
            called = self.attribute(owner, node.func, scope)
        else:
            called = self.value(node.func, scope)
        if isinstance(called, Function):
            return self.on_function(called, node, scope)
        if isinstance(called, Reference):
            return self.on_reference(called.name, node, scope)
        self.lose(called)
        return self.outside(node, scope)

    def on_reference(self, name: str, node: ast.Call, scope: Scope) -> Value:
        if name in _REACH_ALL:
            raise LostTrack
        follow = _CALLS.get(name)
        return getattr(self, follow)(name, node, scope) if follow else self.outside(node, scope)

    def call_parser(self, name: str, node: ast.Call, scope: Scope) -> Value:
        return Container(new_parser(self.declaration(node, scope)))

    def call_exit(self, name: str, node: ast.Call, scope: Scope) -> Value:
        return self.exit(node, scope)

    def call_context(self, name: str, node: ast.Call, scope: Scope) -> Value:
        self.outside(node, scope)
        return self.readings.run

    def call_range(self, name: str, node: ast.Call, scope: Scope) -> Value:
        return _range([self.value(argument, scope) for argument in node.args])

    def call_harmless(self, name: str, node: ast.Call, scope: Scope) -> Value:
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            value = self.value(argument, scope)
            if name == "vars" and isinstance(value, Namespace):
                self.lose(value)
            if not isinstance(value, (Container, Declared)):
                self.risky = True
        return UNKNOWN

    def call_type(self, name: str, node: ast.Call, scope: Scope) -> Value:
        """Follow `type` or `isinstance`, which scripts ask whether they run as a step."""
        self.call_harmless(name, node, scope)
        values = [scope.find(item.id) for item in node.args if isinstance(item, ast.Name)]
        if not values or not isinstance(values[0], RunContext) or values[0].inputs:
            return UNKNOWN
        if name == "type":
            return RUN_CLASS
        return Literal(False) if values[1:] == [Reference(OFFLINE_CLASS)] else UNKNOWN

    def call_starts(self, name: str, node: ast.Call, scope: Scope) -> Value:
        """Follow `run.id.startswith`."""
        self.outside(node, scope)
        is_known = len(node.args) == 1 and isinstance(node.args[0], ast.Constant) and node.args[0].value == OFFLINE_ID
        return Literal(False) if is_known else UNKNOWN

    def call_attribute(self, name: str, node: ast.Call, scope: Scope) -> Value:
        """Follow `getattr` or `hasattr`."""
        if len(node.args) < 2 or any(isinstance(argument, ast.Starred) for argument in node.args):
            return self.outside(node, scope)
        owner, key, *others = (self.value(argument, scope) for argument in node.args)
        for value in others:
            self.lose(value)
        self.risky = True
        if not (isinstance(owner, (Namespace, RunContext)) and isinstance(key, Literal) and isinstance(key.value, str)):
            self.lose(owner)
            return UNKNOWN
        file, line, sure = self.place(node, scope)
        value = self.readings.attribute(owner, key.value, (file, line, sure and name == "getattr" and not others))
        return UNKNOWN if name == "hasattr" or others else value

    def call_on_first(self, name: str, node: ast.Call, scope: Scope) -> Value:
        """Follow a call whose first argument decides: one that decodes a text, or that refuses None."""
        first = self.value(node.args[0], scope) if node.args and not isinstance(node.args[0], ast.Starred) else UNKNOWN
        if name in REFUSE_NONE:
            self.readings.missing(first, self.place(node, scope))
        if name in DECODERS and isinstance(first, Passed) and not node.keywords:
            return self.readings.decoded(first)
        return self.outside(node, scope)

    def on_readable(self, owner: Settings | RunContext, method: str, node: ast.Call, scope: Scope) -> Value:
        """Follow a method of a mapping of the file, of the run's datasets, or of the run."""
        if isinstance(owner, RunContext) and not owner.inputs:
            return self.outside(node, scope)
        arguments = [self.value(argument, scope) for argument in node.args]
        if method in ("get", "pop") and arguments and not node.keywords:
            for value in arguments[1:]:
                self.lose(value)
            file, line, sure = self.place(node, scope)
            certain = sure and method == "pop" and len(arguments) == 1
            found = self.readings.item(owner, arguments[0], (file, line, certain))
            if method == "pop":
                self.readings.change(owner, arguments[0])
            return found
        if method in ("keys", "values", "items"):
            self.readings.all_of(owner)
            return UNKNOWN
        self.lose(owner)
        return self.outside(node, scope)

    def declaration(self, node: ast.Call, scope: Scope) -> Declaration:
        """Return a call's arguments as far as they are known."""
        names: list[Value] = []
        all_names = True
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                items = items_of(self.value(argument.value, scope))
                all_names &= items is not None
                names += items or []
            else:
                names.append(self.value(argument, scope))
        options: dict[str, Value] = {}
        all_options = True
        for keyword in node.keywords:
            value = self.value(keyword.value, scope)
            if keyword.arg:
                options[keyword.arg] = value
            elif isinstance(value, Literal) and value.known and isinstance(value.value, dict):
                options.update({str(key): Literal(item) for key, item in value.value.items()})
            else:
                all_options = False
        return Declaration(names, options, all_names, all_options, scope.module.file, node.lineno, self.is_sure())

    def is_sure(self) -> bool:
        return self.sure and not (self.caught and self.risky)

    def on_parser(self, parser: Parser, method: str, node: ast.Call, scope: Scope) -> Value:
        if method == "add_argument":
            return Declared(parser, self.declaration(node, scope).argument(parser))
        if method in ("add_argument_group", "add_mutually_exclusive_group"):
            self.declaration(node, scope)
            return Container(parser)
        if method in _PARSES:
            return self.parse(parser, node, scope, known=_PARSES[method])
        if method in _READS:
            parser.own_defaults |= method == "set_defaults"
            self.outside(node, scope)
        elif method in ("error", "exit"):
            return self.exit(node, scope)
        else:
            # Subcommands and other methods of argparse.
            self.outside(node, scope)
            parser.lost = True
            if method in _OTHER_WAYS:
                raise LostTrack
        return UNKNOWN

    def parse(self, parser: Parser, node: ast.Call, scope: Scope, *, known: bool) -> Value:
        words: Value = Literal(None)
        for place, argument in enumerate(node.args):
            value = self.value(argument, scope)
            words = UNKNOWN if isinstance(argument, ast.Starred) else value if place == 0 else words
        for keyword in node.keywords:
            value = self.value(keyword.value, scope)
            words = value if keyword.arg == "args" else words if keyword.arg else UNKNOWN
        own = isinstance(words, CommandLine) or (isinstance(words, Literal) and words.value is None)
        if not own or not self.is_sure() or parser.lost or self.parsed:
            return UNKNOWN
        parse = Parse(at_the_parse(parser), known)
        self.parses.append(parse)
        self.parsed = not known
        plain = len(node.args) < 2 and all(keyword.arg == "args" for keyword in node.keywords)
        namespace = self.returned_by(parse) if plain else None
        if namespace is None:
            if self.parsed:
                raise LostTrack  # what comes later does not matter any more
            return UNKNOWN
        self.readings.namespaces.append(namespace)
        return Items((namespace, UNKNOWN)) if known else namespace

    def exit(self, node: ast.Call, scope: Scope) -> Value:
        self.outside(node, scope)
        if self.sure and not self.caught:
            raise EndOfScript
        self.may_have_ended = True
        self.sure = False
        return UNKNOWN

    def on_literal(self, owner: Literal, method: str, node: ast.Call, scope: Scope) -> Value:
        self.outside(node, scope)
        if isinstance(owner.value, dict) and owner.known and method in ("items", "keys", "values"):
            return Literal(list(getattr(owner.value, method)()))
        self.lose(owner)
        return UNKNOWN

    def outside(self, node: ast.Call, scope: Scope) -> Value:
        """Forget values that are passed to code that is not followed."""
        for argument in node.args:
            self.lose(self.value(argument.value if isinstance(argument, ast.Starred) else argument, scope))
        for keyword in node.keywords:
            self.lose(self.value(keyword.value, scope))
        self.risky = True
        return UNKNOWN

    def on_function(self, function: Function, node: ast.Call, scope: Scope) -> Value:
        if function.node in self.calls or len(self.calls) > _MOST_CALLS or not self.hidden.is_plain(function.node):
            self.lose(function)
            return self.outside(node, scope)
        inner = Scope(function.node, function.scope.module, function.scope)
        before = self.sure
        self.pass_arguments(inner, function, node, scope)
        self.calls.append(function.node)
        left = self.block(function.node.body, inner)
        self.calls.pop()
        self.sure = before and not self.may_have_ended
        returned = list(dict.fromkeys(inner.returned))
        if not returned:
            return Literal(None)
        if len(returned) == 1 and left:
            return returned[0]
        for value in returned:
            self.lose(value)
        return UNKNOWN

    def pass_arguments(self, inner: Scope, function: Function, node: ast.Call, scope: Scope) -> None:
        """Bind the parameters of a function to the arguments of a call."""
        call = self.declaration(node, scope)
        wanted = function.node.args
        defaults = self.defaults(function)
        bound = self.bound(wanted, call) if call.all_names and call.all_options else None
        if bound is None:
            for value in (*call.names, *call.options.values()):
                self.lose(value)
            inner.names.update(dict.fromkeys((argument.arg for argument in _parameters(wanted)), UNKNOWN))
            return
        for argument in _parameters(wanted):
            name = argument.arg
            value = bound[name] if name in bound else defaults.get(name, UNKNOWN)
            if isinstance(value, CHANGEABLE):
                self.show(name, value, inner)
            inner.names[name] = value

    def bound(self, wanted: ast.arguments, call: Declaration) -> dict[str, Value] | None:
        """Return the values that a call gives to parameters, by their names; None if it does not fit them."""
        in_order = [argument.arg for argument in (*wanted.posonlyargs, *wanted.args)]
        by_name = {*in_order, *(argument.arg for argument in wanted.kwonlyargs)}
        found = dict(zip(in_order, call.names, strict=False))
        others = {name: value for name, value in call.options.items() if name not in by_name}
        more = call.names[len(in_order) :]
        if found.keys() & call.options.keys() or (more and not wanted.vararg) or (others and not wanted.kwarg):
            return None
        found |= {name: value for name, value in call.options.items() if name in by_name}
        if wanted.vararg:
            found[wanted.vararg.arg] = collected(list(more))
        if wanted.kwarg:
            found[wanted.kwarg.arg] = self.mapping(others)
        return found

    def defaults(self, function: Function) -> dict[str, Value]:
        """Return the defaults of the parameters, by their names."""
        wanted = function.node.args
        in_order = [*wanted.posonlyargs, *wanted.args]
        pairs = [*zip(reversed(in_order), reversed(wanted.defaults), strict=False)]
        pairs += [(one, default) for one, default in zip(wanted.kwonlyargs, wanted.kw_defaults, strict=True) if default]
        return {argument.arg: self.value(default, function.scope) for argument, default in pairs}

    def mapping(self, values: dict[str, Value]) -> Value:
        if all(isinstance(value, Literal) and value.known for value in values.values()):
            return Literal({name: cast(Literal, value).value for name, value in values.items()})
        for value in values.values():
            self.lose(value)
        return UNKNOWN


def _parameters(wanted: ast.arguments) -> list[ast.arg]:
    """Return all parameters of a function, in order."""
    found = [*wanted.posonlyargs, *wanted.args, wanted.vararg, *wanted.kwonlyargs, wanted.kwarg]
    return [argument for argument in found if argument]


def _range(values: list[Value]) -> Value:
    numbers = [value.value for value in values if isinstance(value, Literal) and isinstance(value.value, int)]
    return Literal(range(*numbers)) if len(numbers) == len(values) and 0 < len(numbers) < 4 else UNKNOWN

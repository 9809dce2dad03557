"""Evaluate the expressions of a script as far as the parsers that it builds depend on them."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from inspect import Parameter, Signature
from typing import Any, cast

from azml_tasks.checks.contract.declare import HARMLESS_ATTRIBUTES, Declaration, at_the_parse, new_parser
from azml_tasks.checks.contract.parsers import Parse, Parser
from azml_tasks.checks.contract.values import (
    UNKNOWN,
    CommandLine,
    Container,
    Declared,
    Function,
    Items,
    Literal,
    Module,
    Reference,
    Scope,
    Value,
    is_plain,
    loaded_names,
    names_out_of_sight,
)

_MOST_NODES = 60_000
_MOST_CALLS = 25
# These reach every name, unseen.
_REACH_ALL = {"exec", "eval", "globals", "locals"}
_EXITS = {"sys.exit", "exit", "quit", "os._exit", "os.abort"}
# What is given to these goes nowhere.
_HARMLESS = {"argcomplete.autocomplete", "print", "len", "str", "repr", "vars", "isinstance", "type", "id", "bool"}
_PARSES = {"parse_args": False, "parse_known_args": True}
_READS = {"print_help", "print_usage", "format_help", "format_usage", "get_default", "set_defaults"}
_OTHER_WAYS = {"parse_intermixed_args", "parse_known_intermixed_args"}


class EndOfScript(Exception):  # noqa: N818 - not a mistake: the script ends, or is not followed any further
    """The script ends here, or cannot be followed any further."""


class Evaluator(ABC):
    """Evaluates expressions; see `Follower` for statements."""

    def __init__(self) -> None:
        self.parses: list[Parse] = []
        self.nodes = 0
        # Whether the script comes here for certain, and whether it may have ended before.
        self.sure = True
        self.may_have_ended = False
        # Inside how many `try` that go on after an error, and whether something has run there that may raise one.
        self.caught = 0
        self.risky = False
        self.calls: list[ast.FunctionDef] = []
        self.hidden: dict[int, set[str]] = {}

    @abstractmethod
    def block(self, statements: Iterable[ast.stmt], scope: Scope) -> bool:
        """Follow statements; say whether they leave the block."""

    @abstractmethod
    def assign(self, target: ast.expr, value: Value, scope: Scope) -> None:
        """Give a value to a name, an attribute or an item."""

    @abstractmethod
    def member(self, module: Module, name: str) -> Value:
        """Return what a module of the project has under the name."""

    @abstractmethod
    def pass_over(self, node: ast.AST, scope: Scope) -> None:
        """Lose what the node names, and what it assigns."""

    def count(self) -> None:
        self.nodes += 1
        if self.nodes > _MOST_NODES:
            raise EndOfScript

    def out_of_sight(self, scope: Scope) -> set[str]:
        if id(scope.node) not in self.hidden:
            self.hidden[id(scope.node)] = names_out_of_sight(scope.node)
        return self.hidden[id(scope.node)]

    def value(self, node: ast.expr, scope: Scope) -> Value:
        self.count()
        evaluate: Callable[[ast.expr, Scope], Value] | None = getattr(self, f"of_{type(node).__name__.lower()}", None)
        if evaluate:
            return evaluate(node, scope)
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.expr):
                self.lose(self.value(part, scope))
        return UNKNOWN

    def of_constant(self, node: ast.Constant, scope: Scope) -> Value:
        return Literal(node.value)

    def of_name(self, node: ast.Name, scope: Scope) -> Value:
        return scope.find(node.id)

    def of_attribute(self, node: ast.Attribute, scope: Scope) -> Value:
        owner = self.value(node.value, scope)
        if isinstance(owner, Reference):
            return Reference(f"{owner.name}.{node.attr}")
        if isinstance(owner, Module):
            return self.member(owner, node.attr)
        if isinstance(owner, Container) and node.attr not in HARMLESS_ATTRIBUTES:
            owner.parser.lost = True
        return UNKNOWN

    def of_subscript(self, node: ast.Subscript, scope: Scope) -> Value:
        owner = self.value(node.value, scope)
        if owner == Reference("sys.argv"):
            return CommandLine() if ast.unparse(node.slice) == "1:" else UNKNOWN
        self.lose(self.value(node.slice, scope))
        if isinstance(owner, Items):
            self.lose(owner)
        return UNKNOWN

    def of_unaryop(self, node: ast.UnaryOp, scope: Scope) -> Value:
        value = self.value(node.operand, scope)
        if isinstance(node.op, ast.Not):
            known = truth(value)
            return UNKNOWN if known is None else Literal(not known)
        if isinstance(value, Literal) and isinstance(value.value, (int, float)) and isinstance(node.op, ast.USub):
            return Literal(-value.value)
        return UNKNOWN

    def of_compare(self, node: ast.Compare, scope: Scope) -> Value:
        left, *others = (self.value(part, scope) for part in (node.left, *node.comparators))
        for value in (left, *others):
            if not isinstance(value, Literal):
                self.lose(value)
        right = others[0]
        if not isinstance(node.ops[0], (ast.Eq, ast.NotEq)) or len(others) > 1:
            return UNKNOWN
        if not (isinstance(left, Literal) and isinstance(right, Literal) and left.known and right.known):
            return UNKNOWN
        return Literal((left.value == right.value) is isinstance(node.ops[0], ast.Eq))

    def of_binop(self, node: ast.BinOp, scope: Scope) -> Value:
        left, right = self.value(node.left, scope), self.value(node.right, scope)
        both = isinstance(left, Literal) and isinstance(right, Literal) and left.known and right.known
        if both and isinstance(node.op, ast.Add):
            one, other = cast(Literal, left).value, cast(Literal, right).value
            if type(one) is type(other) and isinstance(one, (str, list, tuple)):
                return Literal(one + other)
        self.lose(left)
        self.lose(right)
        return UNKNOWN

    def of_joinedstr(self, node: ast.JoinedStr, scope: Scope) -> Value:
        parts = []
        for part in node.values:
            plain = not isinstance(part, ast.FormattedValue) or (part.conversion == -1 and not part.format_spec)
            value = self.value(part.value if isinstance(part, ast.FormattedValue) else part, scope)
            parts.append(str(value.value) if plain and isinstance(value, Literal) and value.known else None)
        return UNKNOWN if None in parts else Literal("".join(map(str, parts)))

    def of_tuple(self, node: ast.Tuple | ast.List | ast.Set, scope: Scope) -> Value:
        if any(isinstance(part, ast.Starred) for part in node.elts):
            self.pass_over(node, scope)
            return UNKNOWN
        return collected([self.value(part, scope) for part in node.elts])

    of_list = of_tuple
    of_set = of_tuple

    def of_dict(self, node: ast.Dict, scope: Scope) -> Value:
        keys = [self.value(key, scope) if key else UNKNOWN for key in node.keys]
        values = [self.value(value, scope) for value in node.values]
        if all(isinstance(item, Literal) and item.known for item in (*keys, *values)):
            pairs = zip(cast(list[Literal], keys), cast(list[Literal], values), strict=True)
            try:
                return Literal({key.value: value.value for key, value in pairs})
            except TypeError:
                return UNKNOWN
        for value in values:
            self.lose(value)
        return UNKNOWN

    def of_boolop(self, node: ast.BoolOp, scope: Scope) -> Value:
        self.lose(self.value(node.values[0], scope))
        with self.unsure():
            for part in node.values[1:]:
                self.lose(self.value(part, scope))
        return UNKNOWN

    def of_ifexp(self, node: ast.IfExp, scope: Scope) -> Value:
        self.lose(self.value(node.test, scope))
        with self.unsure():
            for part in (node.body, node.orelse):
                self.lose(self.value(part, scope))
        return UNKNOWN

    @contextmanager
    def unsure(self) -> Iterator[None]:
        before, self.sure = self.sure, False
        yield
        self.sure = before and not self.may_have_ended

    def of_namedexpr(self, node: ast.NamedExpr, scope: Scope) -> Value:
        value = self.value(node.value, scope)
        self.assign(node.target, value, scope)
        return value

    def unseen(self, node: ast.expr, scope: Scope) -> Value:
        self.pass_over(node, scope)
        self.risky = True
        return UNKNOWN

    of_lambda = of_listcomp = of_setcomp = of_dictcomp = of_generatorexp = of_await = of_yield = of_yieldfrom = unseen

    # Calls

    def of_call(self, node: ast.Call, scope: Scope) -> Value:
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value, scope)
            if isinstance(owner, Container):
                return self.on_parser(owner.parser, node.func.attr, node, scope)
            if isinstance(owner, Literal):
                return self.on_literal(owner, node.func.attr, node, scope)
        called = self.value(node.func, scope)
        if isinstance(called, Function):
            return self.on_function(called, node, scope)
        if isinstance(called, Reference):
            return self.on_reference(called.name, node, scope)
        self.lose(called)
        return self.outside(node, scope)

    def on_reference(self, name: str, node: ast.Call, scope: Scope) -> Value:
        if name == "argparse.ArgumentParser":
            return Container(new_parser(self.declaration(node, scope)))
        if name in _EXITS:
            return self.exit(node, scope)
        if name in _REACH_ALL:
            raise EndOfScript
        if name == "range":
            return _range([self.value(argument, scope) for argument in node.args])
        if name not in _HARMLESS:
            return self.outside(node, scope)
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            if not isinstance(self.value(argument, scope), (Container, Declared)):
                self.risky = True
        return UNKNOWN

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
            self.outside(node, scope)
        elif method in ("error", "exit"):
            return self.exit(node, scope)
        else:
            # Subcommands, and what argparse may have or get beside.
            self.outside(node, scope)
            parser.lost = True
            if method in _OTHER_WAYS:
                raise EndOfScript
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
        if own and self.is_sure() and not parser.lost:
            self.parses.append(Parse(at_the_parse(parser), known))
            if not known:
                raise EndOfScript  # what comes later does not matter any more
        return UNKNOWN

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
        """Lose what is given to code that is not followed."""
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            self.lose(self.value(argument.value if isinstance(argument, ast.Starred) else argument, scope))
        self.risky = True
        return UNKNOWN

    def on_function(self, function: Function, node: ast.Call, scope: Scope) -> Value:
        if function.node in self.calls or len(self.calls) > _MOST_CALLS or not is_plain(function.node):
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
        """Bind the parameters of a function to what a call gives."""
        call = self.declaration(node, scope)
        signature = self.signature(function)
        try:
            bound = signature.bind_partial(*call.names, **call.options)
        except TypeError:
            bound = None
        if bound is None or not call.all_names or not call.all_options:
            for value in (*call.names, *call.options.values()):
                self.lose(value)
            inner.names.update(dict.fromkeys(signature.parameters, UNKNOWN))
            return
        bound.apply_defaults()
        for name, parameter in signature.parameters.items():
            value = bound.arguments.get(name, UNKNOWN)
            if parameter.kind is Parameter.VAR_POSITIONAL:
                value = collected(list(value))
            elif parameter.kind is Parameter.VAR_KEYWORD:
                value = self.mapping(value)
            if isinstance(value, Container) and name in self.out_of_sight(inner):
                self.lose(value)
            inner.names[name] = value

    def signature(self, function: Function) -> Signature:
        wanted, scope = function.node.args, function.scope
        in_order = [*wanted.posonlyargs, *wanted.args]
        defaults: dict[ast.arg, ast.expr | None] = dict(
            zip(reversed(in_order), reversed(wanted.defaults), strict=False)
        )
        defaults |= dict(zip(wanted.kwonlyargs, wanted.kw_defaults, strict=True))
        kinds: list[tuple[ast.arg, Any]] = [(argument, Parameter.POSITIONAL_OR_KEYWORD) for argument in in_order]
        kinds += [(wanted.vararg, Parameter.VAR_POSITIONAL)] if wanted.vararg else []
        kinds += [(argument, Parameter.KEYWORD_ONLY) for argument in wanted.kwonlyargs]
        kinds += [(wanted.kwarg, Parameter.VAR_KEYWORD)] if wanted.kwarg else []
        given = {argument: self.value(default, scope) for argument, default in defaults.items() if default}
        return Signature(
            [Parameter(argument.arg, kind, default=given.get(argument, Parameter.empty)) for argument, kind in kinds]
        )

    def mapping(self, values: dict[str, Value]) -> Value:
        if all(isinstance(value, Literal) and value.known for value in values.values()):
            return Literal({name: cast(Literal, value).value for name, value in values.items()})
        for value in values.values():
            self.lose(value)
        return UNKNOWN

    # What is lost

    def lose(self, value: Value | None, seen: frozenset[ast.AST] = frozenset()) -> None:
        """Note that code which is not followed has the value."""
        if isinstance(value, Container):
            value.parser.lost = True
        elif isinstance(value, Declared):
            value.parser.weaken(value.place)
        elif isinstance(value, Items):
            for item in value.items:
                self.lose(item, seen)
        elif isinstance(value, Literal):
            value.known = value.known and not isinstance(value.value, (list, dict, set))
        elif isinstance(value, Function) and value.node not in seen:
            for name in loaded_names(value.node):
                self.lose(value.scope.find(name), seen | {value.node})


def items_of(value: Value) -> list[Value] | None:
    """Return the items of a list, tuple, set, mapping or range that are known."""
    if isinstance(value, Items):
        return list(value.items)
    if isinstance(value, Literal) and value.known and isinstance(value.value, (list, tuple, dict, set, range)):
        return [Literal(item) for item in value.value]
    return None


def collected(values: list[Value]) -> Value:
    if all(isinstance(value, Literal) and value.known for value in values):
        return Literal([cast(Literal, value).value for value in values])
    return Items(tuple(values))


def _range(values: list[Value]) -> Value:
    numbers = [value.value for value in values if isinstance(value, Literal) and isinstance(value.value, int)]
    return Literal(range(*numbers)) if len(numbers) == len(values) and 0 < len(numbers) < 4 else UNKNOWN


def truth(value: Value) -> bool | None:
    """Say what a condition comes to, None when that is not known."""
    if isinstance(value, Literal) and value.known:
        return bool(value.value)
    return False if value == Reference("typing.TYPE_CHECKING") else None

"""Evaluate a script's expressions as far as its parsers depend on them."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

from azml_tasks.checks.contract.declare import HARMLESS_ATTRIBUTES
from azml_tasks.checks.contract.parsers import Parse
from azml_tasks.checks.contract.readings import OFFLINE_CLASS, RUN_CLASS, Readings
from azml_tasks.checks.contract.values import (
    UNKNOWN,
    CommandLine,
    Container,
    Declared,
    Function,
    Hidden,
    Items,
    Literal,
    Module,
    Namespace,
    Passed,
    Reference,
    RunContext,
    Scope,
    Settings,
    Use,
    Value,
    names_in,
    uses_in,
)

_MOST_NODES = 60_000
# What code that is not followed can change, or read.
CHANGEABLE = (Container, Items, Namespace, Settings, RunContext)


class EndOfScript(Exception):  # noqa: N818 - not a mistake: the script ends, or is not followed any further
    """The script ends here, or cannot be followed any further."""


class LostTrack(EndOfScript):
    """The script may go on, but cannot be followed any further."""


class Methods(dict[type, Callable[..., Any] | None]):
    """The functions of a class for the kinds of nodes, None for a kind that has none."""

    def __init__(self, owner: type, start: str) -> None:
        self._owner = owner
        self._start = start

    def __missing__(self, kind: type) -> Callable[..., Any] | None:
        self[kind] = getattr(self._owner, self._start + kind.__name__.lower(), None)
        return self[kind]


@cache
def methods_of(owner: type, start: str) -> Methods:
    """Return the functions of a class whose names start with this; see `Methods`."""
    return Methods(owner, start)


class Evaluator(ABC):
    """Evaluates expressions; see `Follower` for statements."""

    def __init__(self) -> None:
        self.parses: list[Parse] = []
        # Whether a parser has been found that leaves no arguments to others.
        self.parsed = False
        self.readings = Readings()
        self.nodes = 0
        # Whether the script certainly reaches this point, and whether it may have ended before.
        self.sure = True
        self.may_have_ended = False
        # The number of enclosing `try` statements that continue after an error, and whether something inside may raise
        # one.
        self.caught = 0
        self.risky = False
        self.calls: list[ast.FunctionDef] = []
        self.hidden = Hidden()
        # Whether it matters where the run is read.
        self.has_datasets = True
        self._evaluators = methods_of(self.__class__, "of_")
        self.used_out_of_sight: dict[int, dict[str, set[Use]]] = {}

    @abstractmethod
    def block(self, statements: Iterable[ast.stmt], scope: Scope) -> bool:
        """Follow statements; return whether they leave the block."""

    @abstractmethod
    def assign(self, target: ast.expr, value: Value, scope: Scope) -> None:
        """Assign a value to a name, an attribute or an item."""

    @abstractmethod
    def member(self, module: Module, name: str) -> Value:
        """Return the value of a name in a module of the project."""

    @abstractmethod
    def pass_over(self, node: ast.AST, scope: Scope) -> None:
        """Forget the values that the node uses or assigns."""

    def count(self) -> None:
        self.nodes += 1
        if self.nodes > _MOST_NODES:
            raise LostTrack

    def show(self, name: str, value: Value, owner: Scope) -> None:
        """Note that a value is visible, under its name, to what is not followed in a scope."""
        if isinstance(value, RunContext) and not self.has_datasets:
            return
        if id(owner.node) not in self.used_out_of_sight:
            self.used_out_of_sight[id(owner.node)] = self.hidden.uses(owner.node)
        for use in self.used_out_of_sight[id(owner.node)].get(name, ()):
            self.use(use, value, owner)

    def value(self, node: ast.expr, scope: Scope) -> Value:
        self.nodes += 1
        if self.nodes > _MOST_NODES:
            raise LostTrack
        # The two kinds that most expressions are.
        if isinstance(node, ast.Name):
            return scope.find(node.id)
        if isinstance(node, ast.Constant):
            return Literal(node.value)
        if evaluate := self._evaluators[node.__class__]:
            found: Value = evaluate(self, node, scope)
            return found
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.expr):
                self.lose(self.value(part, scope))
        return UNKNOWN

    def of_attribute(self, node: ast.Attribute, scope: Scope) -> Value:
        return self.attribute(self.value(node.value, scope), node, scope)

    def attribute(self, owner: Value, node: ast.Attribute, scope: Scope) -> Value:
        """Return the value of an attribute of something."""
        if owner is UNKNOWN:
            return UNKNOWN
        if isinstance(owner, Reference):
            return Reference(f"{owner.name}.{node.attr}")
        if isinstance(owner, Module):
            return self.member(owner, node.attr)
        if isinstance(owner, Container) and node.attr not in HARMLESS_ATTRIBUTES:
            owner.parser.lost = True
        if node.attr.startswith("_"):
            self.lose(owner)
        if isinstance(owner, (Namespace, RunContext, Passed)):
            return self.readings.attribute(owner, node.attr, self.place(node, scope))
        return UNKNOWN

    def place(self, node: ast.AST, scope: Scope) -> tuple[str, int, bool]:
        """Return the file and the line of a node, and whether the script certainly fails if it fails."""
        return scope.module.file, getattr(node, "lineno", 0), self.sure and not self.caught and not self.may_have_ended

    def of_subscript(self, node: ast.Subscript, scope: Scope) -> Value:
        owner = self.value(node.value, scope)
        if isinstance(owner, Reference) and owner.name == "sys.argv":
            return CommandLine() if ast.unparse(node.slice) == "1:" else UNKNOWN
        key = self.value(node.slice, scope)
        if owner is UNKNOWN:
            self.lose(key)
            return UNKNOWN
        if isinstance(owner, (Settings, RunContext)):
            return self.readings.item(owner, key, self.place(node, scope))
        if isinstance(owner, Items) and isinstance(key, Literal) and key.value in range(len(owner.items)):
            return owner.items[int(key.value)]
        self.readings.missing(owner, self.place(node, scope))
        self.lose(key)
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
        left, *others = [self.value(part, scope) for part in (node.left, *node.comparators)]
        right = others[0]
        if len(others) == 1:
            if isinstance(node.ops[0], (ast.In, ast.NotIn)) and isinstance(right, (Settings, RunContext)):
                found = self.readings.holds(right, left)
                return UNKNOWN if found is None else Literal(found is isinstance(node.ops[0], ast.In))
            if isinstance(node.ops[0], (ast.Is, ast.IsNot)) and (is_none := _is_none(left, right)) is not None:
                return Literal(is_none is isinstance(node.ops[0], ast.Is))
            if left == RUN_CLASS and right == Reference(OFFLINE_CLASS):
                return Literal(isinstance(node.ops[0], (ast.NotEq, ast.IsNot)))
        for value in (left, *others):
            if not isinstance(value, Literal):
                self.lose(value)
        if not isinstance(node.ops[0], (ast.Eq, ast.NotEq)) or len(others) > 1:
            return UNKNOWN
        if not (isinstance(left, Literal) and isinstance(right, Literal) and left.known and right.known):
            return UNKNOWN
        return Literal((left.value == right.value) is isinstance(node.ops[0], ast.Eq))

    def of_binop(self, node: ast.BinOp, scope: Scope) -> Value:
        left, right = self.value(node.left, scope), self.value(node.right, scope)
        if left is UNKNOWN and right is UNKNOWN:
            return UNKNOWN
        self.readings.missing(left, self.place(node, scope))
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
        first, *others = node.values
        value = self.value(first, scope)
        while others and (known := truth(value)) is not None:
            if known is isinstance(node.op, ast.Or):
                return value
            value = self.value(others.pop(0), scope)
        if not others:
            return value
        self.lose(value)
        with self.unsure():
            for part in others:
                self.lose(self.value(part, scope))
        return UNKNOWN

    def of_ifexp(self, node: ast.IfExp, scope: Scope) -> Value:
        test = self.value(node.test, scope)
        known = truth(test)
        if known is not None:
            return self.value(node.body if known else node.orelse, scope)
        self.lose(test)
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
        for use in uses_in(node):
            self.use(use, scope.find(use.name), scope)
        for name in names_in(node)[1]:
            self.assign(ast.Name(name), UNKNOWN, scope)
        self.risky = True
        return UNKNOWN

    of_lambda = of_listcomp = of_setcomp = of_dictcomp = of_generatorexp = of_await = of_yield = of_yieldfrom = unseen

    # Forgetting values

    def use(self, use: Use, value: Value, scope: Scope, seen: frozenset[ast.AST] = frozenset()) -> None:
        """Note that code that is not followed reads a value in this way, which gives it what it reads."""
        place = (scope.module.file, use.line, False)
        if use.attribute and not use.attribute.startswith("_") and isinstance(value, (Namespace, RunContext)):
            value = self.readings.attribute(value, use.attribute, place)
        if use.key and isinstance(value, (Settings, RunContext)):
            value = self.readings.item(value, Literal(use.key), place)
        self.lose(value, seen)

    def lose(self, value: Value | None, seen: frozenset[ast.AST] = frozenset()) -> None:
        """Note that the value is visible to code that is not followed."""
        if value is UNKNOWN or value is None or value.__class__ is Reference:
            return
        if isinstance(value, Container):
            value.parser.lost = True
        elif isinstance(value, Declared):
            value.parser.weaken(value.place)
        elif isinstance(value, Items):
            for item in value.items:
                self.lose(item, seen)
        elif isinstance(value, (Namespace, Settings, RunContext)):
            for item in self.readings.escape(value):
                self.lose(item, seen)
        elif isinstance(value, Literal):
            value.known = value.known and not isinstance(value.value, (list, dict, set))
        elif isinstance(value, Function):
            self._lose_names_of(value, seen)

    def _lose_names_of(self, function: Function, seen: frozenset[ast.AST]) -> None:
        if function.node not in seen:
            for use in uses_in(function.node):
                self.use(use, function.scope.find(use.name), function.scope, seen | {function.node})


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


def truth(value: Value) -> bool | None:
    """Return the value of a condition, None if unknown."""
    if isinstance(value, Literal) and value.known:
        return bool(value.value)
    if isinstance(value, (Namespace, Container)):
        return True
    if isinstance(value, Settings) and value.is_known:
        return bool(value.content)
    return False if isinstance(value, Reference) and value.name == "typing.TYPE_CHECKING" else None


def _is_none(left: Value, right: Value) -> bool | None:
    """Return whether a value is None, when compared with it; None if unknown."""
    if not (isinstance(right, Literal) and right.known and right.value is None):
        return None
    if isinstance(left, Literal):
        return left.value is None
    return False if isinstance(left, (Namespace, Settings, Container, CommandLine)) else None

"""Values in a script that is read but not run."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from azml_tasks.checks.contract.parsers import Parser
from azml_tasks.checks.contract.words import Word

_BUILTINS = frozenset(dir(builtins))


class Unknown:
    """An unknown value."""


UNKNOWN = Unknown()


@dataclass(eq=False)
class Literal:
    """A literal value; a mutable one is `known` as long as no other code can change it."""

    value: Any
    known: bool = True


class Items(NamedTuple):
    """A list or tuple whose items are not all literals."""

    items: tuple[Value, ...]


@dataclass(unsafe_hash=True)  # thousands are made, which `frozen` takes three times as long for
class Reference:
    """Something from outside the project, or a builtin, by its full name."""

    name: str


@dataclass(frozen=True)
class CommandLine:
    """`sys.argv[1:]`, unchanged."""


class Container(NamedTuple):
    """A parser, or one of its groups."""

    parser: Parser


class Declared(NamedTuple):
    """The action that `add_argument` returns."""

    parser: Parser
    place: int


@dataclass(eq=False)
class Namespace:
    """What a parser returns: the values of its arguments by their dests, as far as they are known.

    `options` are the words that pass them, `used` those that the script reads. An `escaped` one is visible to code that
    is not followed.
    """

    parser: Parser
    values: dict[str, Value]
    options: Mapping[str, Word]
    used: set[str] = field(default_factory=set)
    escaped: bool = False


@dataclass(eq=False)
class Passed(Literal):
    """The value of an argument, by its dest; `given` is whether the step passes it."""

    dest: str = ""
    given: bool = True


@dataclass(eq=False)
class Settings:
    """A mapping of the file that a script reads, such as step_config, or one in it.

    `dest` is the argument that passes it, `keys` lead to it. `read` holds its keys that are read; `reads_all` is
    whether all are, as in a loop. An `escaped` one is visible to code that is not followed.
    """

    content: Mapping[str, Any]
    dest: str
    keys: tuple[str, ...] = ()
    around: Settings | None = None
    inner: dict[str, Settings] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    added: set[str] = field(default_factory=set)
    reads_all: bool = False
    escaped: bool = False

    @property
    def is_known(self) -> bool:
        """Whether its content is as in the file."""
        return not self.escaped and (self.around is None or self.around.is_known)


@dataclass(eq=False)
class RunContext:
    """`Run.get_context()`, and with `inputs` its `input_datasets`."""

    inputs: bool = False


@dataclass(eq=False)
class Scope:
    """The names of a module or of a function that is called; `node` is what defines it."""

    node: ast.Module | ast.FunctionDef
    module: Module
    parent: Scope | None = None
    names: dict[str, Value] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    returned: list[Value] = field(default_factory=list)

    def find(self, name: str) -> Value:
        """Return the value of a name as Python would look it up."""
        scope: Scope | None = self
        while scope:
            if name in scope.names and name not in scope.shared:
                return scope.names[name]
            scope = scope.parent
        return Reference(name) if name in _BUILTINS else UNKNOWN

    def owner(self, name: str) -> Scope:
        """Return the scope that an assignment to the name changes."""
        return self.module.scope if name in self.shared else self


@dataclass(eq=False)
class Module:
    """A module of the project: its dotted name, its place in the snapshot (empty for a folder), and its package."""

    name: str
    place: str
    package: str
    file: str = ""
    scope: Scope = field(init=False)


@dataclass(frozen=True, eq=False)
class Function:
    """A function of the project that can be followed when it is called."""

    node: ast.FunctionDef
    scope: Scope


Value = (
    Unknown
    | Literal
    | Items
    | Reference
    | CommandLine
    | Container
    | Declared
    | Namespace
    | Settings
    | RunContext
    | Module
    | Function
)


class _Fields(dict[type, tuple[str, ...]]):
    """The fields that may hold names, by the kind of a node; none of what is not a node."""

    # Texts, numbers, operators, and what is not evaluated.
    _WITHOUT_NAMES = frozenset(("id", "ctx", "attr", "arg", "op", "ops", "names", "module", "level", "kwd_attrs"))
    _WITHOUT_NAMES |= {"rest", "conversion", "is_async", "simple", "kind", "type_comment", "type_ignores"}

    def __missing__(self, kind: type) -> tuple[str, ...]:
        is_node = issubclass(kind, ast.AST) and kind is not ast.Constant
        found = [name for name in getattr(kind, "_fields", ()) if name not in self._WITHOUT_NAMES] if is_node else []
        self[kind] = tuple(found)
        return self[kind]


FIELDS = _Fields()


def walk(node: ast.AST) -> list[Any]:
    """Return all nodes below a node that are or may hold names: `ast.walk` without what is in no field above."""
    found: list[Any] = [node]
    for inner in found:
        extend(found, inner)
    return found


def extend(found: list[Any], node: Any) -> None:
    """Add what is right below a node and is or may hold names."""
    for name in FIELDS[node.__class__]:
        value = getattr(node, name)
        if value.__class__ is list:
            found += value
        elif value is not None:
            found.append(value)


def names_in(node: ast.AST) -> tuple[list[str], list[str]]:
    """Return every name that is read somewhere in the node, and every one that is assigned or deleted."""
    read: list[str] = []
    changed: list[str] = []
    for inner in walk(node):
        if inner.__class__ is ast.Name:
            (read if inner.ctx.__class__ is ast.Load else changed).append(inner.id)
    return read, changed


class Use(NamedTuple):
    """A name that is read: as such, as `name.attribute`, or with a key in brackets behind one of both."""

    name: str
    line: int
    attribute: str = ""
    key: str = ""


def uses_in(node: ast.AST) -> list[Use]:
    """Return how names are read somewhere in the node; as such where the node may give them another meaning."""
    found: list[Use] = []
    bound: set[str] = set()
    waiting: list[Any] = [node]
    for inner in waiting:
        kind = inner.__class__
        if kind is ast.Name and inner.ctx.__class__ is not ast.Load:
            bound.add(inner.id)
        elif kind is ast.arg:
            bound.add(inner.arg)
            extend(waiting, inner)
        elif use := _use(inner):
            found.append(use)
        else:
            extend(waiting, inner)
    return [Use(use.name, use.line) if use.name in bound else use for use in found]


def _use(node: Any) -> Use | None:
    """Return how a node reads a name, None if it does more, or nothing."""
    kind = node.__class__
    if kind is ast.Name:
        return Use(node.id, node.lineno)
    if kind not in (ast.Attribute, ast.Subscript) or node.ctx.__class__ is not ast.Load:
        return None
    if kind is ast.Attribute:
        return Use(node.value.id, node.lineno, node.attr) if node.value.__class__ is ast.Name else None
    is_text = node.slice.__class__ is ast.Constant and node.slice.value.__class__ is str
    around = _use(node.value) if is_text and node.value.__class__ in (ast.Name, ast.Attribute) else None
    return Use(around.name, around.line, around.attribute, node.slice.value) if around else None


class Hidden:
    """What is not followed: classes, lambdas, comprehensions, decorated functions and generators."""

    def __init__(self) -> None:
        # Whether the files have any generators.
        self.may_yield = True
        # The functions, and what is not followed, below each module and function; every node is walked once.
        self._nodes: dict[ast.AST, list[Any]] = {}
        self._plain: dict[ast.FunctionDef, bool] = {}

    def _below(self, scope: ast.AST) -> list[Any]:
        if scope in self._nodes:
            return self._nodes[scope]
        found: list[Any] = []
        waiting: list[Any] = []
        extend(waiting, scope)
        fields = FIELDS
        for node in waiting:
            kind = node.__class__
            if kind is ast.Name or kind is ast.Constant:
                continue
            if kind is ast.FunctionDef:
                found.append(node)
                found += self._below(node)
                continue
            if kind in _OUT_OF_SIGHT or kind in _YIELDS:
                found.append(node)
            # As in `extend`; this goes through whole files.
            for name in fields[kind]:
                value = getattr(node, name)
                if value.__class__ is list:
                    waiting += value
                elif value is not None:
                    waiting.append(value)
        self._nodes[scope] = found
        return found

    def is_plain(self, function: ast.FunctionDef) -> bool:
        """Return whether calling a function runs its body, and nothing else."""
        if function not in self._plain:
            may_yield = self.may_yield and any(node.__class__ in _YIELDS for node in self._below(function))
            self._plain[function] = not function.decorator_list and not (may_yield and _is_generator(function))
        return self._plain[function]

    def uses(self, scope: ast.AST) -> dict[str, set[Use]]:
        """Return how the names of a scope are read out of sight, also by what is called from there by its name."""
        nodes = self._below(scope)
        functions = [node for node in nodes if node.__class__ is ast.FunctionDef]
        waiting = [node for node in nodes if node.__class__ in _OUT_OF_SIGHT]
        waiting += [function for function in functions if not self.is_plain(function)]
        found: dict[str, set[Use]] = {}
        while waiting:
            new = set()
            for use in uses_in(waiting.pop()):
                new |= {use.name} - found.keys()
                found.setdefault(use.name, set()).add(use)
            waiting += [function for function in functions if function.name in new]
        return found


def _is_generator(function: ast.FunctionDef) -> bool:
    """Return whether a `yield` is in the function itself, not in one inside it."""
    waiting = [*ast.iter_child_nodes(function)]
    while waiting:
        node = waiting.pop()
        if node.__class__ in _YIELDS:
            return True
        if node.__class__ not in _OUT_OF_SIGHT and node.__class__ is not ast.FunctionDef:
            waiting += ast.iter_child_nodes(node)
    return False


_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_OUT_OF_SIGHT = frozenset((ast.ClassDef, ast.Lambda, ast.AsyncFunctionDef, *_COMPREHENSIONS))
_YIELDS = frozenset((ast.Yield, ast.YieldFrom))

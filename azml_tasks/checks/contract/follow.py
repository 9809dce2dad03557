"""Follow a script from its first statement, without running it, to the parsers that it certainly applies.

What cannot be followed (classes, decorated functions, what comes from outside the project) is passed over, and every
parser that it could reach is lost: nothing is said about it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from contextlib import suppress

from azml_tasks.checks.contract.declare import HARMLESS_ATTRIBUTES
from azml_tasks.checks.contract.expressions import EndOfScript, Evaluator, items_of, truth
from azml_tasks.checks.contract.modules import Sources
from azml_tasks.checks.contract.parsers import Parse
from azml_tasks.checks.contract.values import (
    UNKNOWN,
    Container,
    Function,
    Items,
    Literal,
    Module,
    Reference,
    Scope,
    Unknown,
    Value,
    loaded_names,
    may_edit_command_line,
)

_MOST_ROUNDS = 200
_CATCH_EXIT = {"SystemExit", "BaseException"}
_LEAVE = (ast.Return, ast.Break, ast.Continue)


def certain_parses(sources: Sources, script: str) -> list[Parse]:
    """Return the parsers that the script at this place of the snapshot applies to its own command line."""
    follower = Follower(sources)
    with suppress(EndOfScript, RecursionError):
        follower.load(Module("__main__", script, ""))
    return [] if follower.edits else follower.parses


class Follower(Evaluator):
    """Follows statements in the order in which Python runs them."""

    def __init__(self, sources: Sources) -> None:
        super().__init__()
        self.sources = sources
        self.modules: dict[str, Module] = {}
        # Whether a module may change `sys.argv`, so that nothing is known of what is parsed.
        self.edits = False

    # Modules

    def load(self, module: Module) -> Module:
        self.modules[module.name] = module
        empty = ast.Module([], [])
        tree = self.sources.tree(module.place) if module.place else empty
        if tree is None:
            raise EndOfScript
        module.file = self.sources.shown(module.place) if module.place else ""
        module.scope = Scope(tree, module)
        module.scope.names["__name__"] = Literal(module.name)
        if self.sources.reads_command_line(module.place) and may_edit_command_line(tree):
            self.edits = True
            raise EndOfScript
        self.block(tree.body, module.scope)
        return module

    def module(self, name: str) -> Module | None:
        """Return the project's module of that name, the packages around it loaded before."""
        if name in self.modules:
            return self.modules[name]
        parent = name.rpartition(".")[0]
        if parent and self.module(parent) is None:
            return None
        found = self.sources.find(name)
        return self.load(found) if found else None

    def member(self, module: Module, name: str) -> Value:
        if name in module.scope.names:
            return module.scope.names[name]
        return self.module(f"{module.name}.{name}") or UNKNOWN

    # Statements

    def block(self, statements: Iterable[ast.stmt], scope: Scope) -> bool:
        """Follow statements; say whether they leave the block."""
        for statement in statements:
            self.count()
            follow = getattr(self, f"do_{type(statement).__name__.lower()}", None)
            if follow is None:
                self.pass_over(statement, scope)
            elif follow(statement, scope):
                return True
        return False

    def pass_over(self, node: ast.AST, scope: Scope) -> None:
        """Lose what the node names, and what it assigns."""
        for name in loaded_names(node):
            self.lose(scope.find(name))
        self.forget(node, scope)

    def forget(self, node: ast.AST, scope: Scope) -> None:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
                self.bind(inner.id, UNKNOWN, scope)

    def do_expr(self, node: ast.Expr, scope: Scope) -> bool:
        self.value(node.value, scope)
        return False

    def do_pass(self, node: ast.Pass, scope: Scope) -> bool:
        return False

    def do_assign(self, node: ast.Assign, scope: Scope) -> bool:
        value = self.value(node.value, scope)
        for target in node.targets:
            self.assign(target, value, scope)
        return False

    def do_annassign(self, node: ast.AnnAssign, scope: Scope) -> bool:
        if node.value:
            self.assign(node.target, self.value(node.value, scope), scope)
        return False

    def do_augassign(self, node: ast.AugAssign, scope: Scope) -> bool:
        self.lose(self.value(node.value, scope))
        if isinstance(node.target, ast.Name):
            self.lose(scope.find(node.target.id))
        self.assign(node.target, UNKNOWN, scope)
        return False

    def assign(self, target: ast.expr, value: Value, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            self.bind(target.id, value, scope)
        elif isinstance(target, (ast.Tuple, ast.List)):
            items = items_of(value)
            if items is None or len(items) != len(target.elts) or any(isinstance(e, ast.Starred) for e in target.elts):
                self.lose(value)
                items = [UNKNOWN] * len(target.elts)
            for part, item in zip(target.elts, items, strict=True):
                self.assign(part, item, scope)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, UNKNOWN, scope)
        else:
            self.assign_inside(target, value, scope)

    def assign_inside(self, target: ast.expr, value: Value, scope: Scope) -> None:
        assert isinstance(target, (ast.Attribute, ast.Subscript))
        owner = self.value(target.value, scope)
        if isinstance(target, ast.Attribute):
            if isinstance(owner, Container) and target.attr in HARMLESS_ATTRIBUTES:
                return
            if isinstance(owner, Reference) and owner.name.partition(".")[0] in ("argparse", "builtins", "sys"):
                raise EndOfScript  # the library itself is changed
            if isinstance(owner, Module):
                self.bind(target.attr, value, owner.scope)
                return
        self.lose(owner)
        self.lose(value)

    def bind(self, name: str, value: Value, scope: Scope) -> None:
        owner = scope.owner(name)
        before = owner.names.get(name)
        if not self.sure:
            # Which of the two it will be is not known.
            self.lose(before)
            self.lose(value)
            value = UNKNOWN
        elif isinstance(value, (Container, Items)) and name in self.out_of_sight(owner):
            self.lose(value)
        owner.names[name] = value

    def do_delete(self, node: ast.Delete, scope: Scope) -> bool:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.bind(target.id, UNKNOWN, scope)
            else:
                self.pass_over(target, scope)
        return False

    def do_global(self, node: ast.Global, scope: Scope) -> bool:
        scope.shared.update(node.names)
        return False

    def do_nonlocal(self, node: ast.Nonlocal, scope: Scope) -> bool:
        raise EndOfScript

    def do_functiondef(self, node: ast.FunctionDef, scope: Scope) -> bool:
        function = Function(node, scope)
        for decorator in node.decorator_list:
            # It runs, and may call the function.
            self.lose(self.value(decorator, scope))
            self.lose(function)
        self.bind(node.name, UNKNOWN if node.decorator_list else function, scope)
        return False

    def do_asyncfunctiondef(self, node: ast.AsyncFunctionDef, scope: Scope) -> bool:
        self.bind(node.name, UNKNOWN, scope)
        return False

    def do_classdef(self, node: ast.ClassDef, scope: Scope) -> bool:
        for name in loaded_names(node):
            self.lose(scope.find(name))
        self.bind(node.name, UNKNOWN, scope)
        return False

    def do_import(self, node: ast.Import, scope: Scope) -> bool:
        for alias in node.names:
            first = alias.name.partition(".")[0]
            found: Value = self.module(alias.name) or Reference(alias.name)
            if not alias.asname:
                found = self.modules.get(first) or Reference(first)
            self.bind(alias.asname or first, found, scope)
        return False

    def do_importfrom(self, node: ast.ImportFrom, scope: Scope) -> bool:
        base = _absolute(node, scope.module.package)
        module = self.module(base) if base else None
        for alias in node.names:
            if alias.name == "*":
                for name, value in list(module.scope.names.items()) if module else ():
                    if not name.startswith("_"):
                        self.bind(name, value, scope)
                continue
            found = self.member(module, alias.name) if module else Reference(f"{base}.{alias.name}")
            self.bind(alias.asname or alias.name, found, scope)
        return False

    def do_return(self, node: ast.Return, scope: Scope) -> bool:
        scope.returned.append(self.value(node.value, scope) if node.value else Literal(None))
        return True

    def do_raise(self, node: ast.Raise, scope: Scope) -> bool:
        if node.exc:
            self.value(node.exc, scope)
        if _may_be_success(node) or self.caught:
            self.may_have_ended = True
        return True

    def do_break(self, node: ast.Break, scope: Scope) -> bool:
        return True

    def do_continue(self, node: ast.Continue, scope: Scope) -> bool:
        return True

    def do_if(self, node: ast.If, scope: Scope) -> bool:
        test = self.value(node.test, scope)
        known = truth(test)
        if known is not None:
            return self.block(node.body if known else node.orelse, scope)
        self.perhaps(node.body, scope)
        self.perhaps(node.orelse, scope)
        return False

    def perhaps(self, statements: list[ast.stmt], scope: Scope) -> None:
        """Follow statements that may be left out."""
        if not statements:
            return
        before = self.sure
        self.sure = False
        self.block(statements, scope)
        # After what may return, nothing in the function is certain; `called` puts this right for its caller.
        self.sure = before and not self.may_have_ended and not self.leaves(statements)

    def leaves(self, statements: Iterable[ast.AST]) -> bool:
        waiting = list(statements)
        while waiting:
            node = waiting.pop()
            if isinstance(node, _LEAVE):
                return True
            if isinstance(node, ast.Raise) and (_may_be_success(node) or self.caught):
                return True
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.expr)):
                waiting.extend(ast.iter_child_nodes(node))
        return False

    def do_for(self, node: ast.For, scope: Scope) -> bool:
        values = items_of(self.value(node.iter, scope))
        before = self.sure
        if values is None or len(values) > _MOST_ROUNDS or self.leaves(node.body):
            self.forget(node.target, scope)
            self.perhaps(node.body, scope)
        else:
            for value in values:
                self.assign(node.target, value, scope)
                self.block(node.body, scope)
        self.block(node.orelse, scope)
        self.sure = before and self.sure
        return False

    def do_while(self, node: ast.While, scope: Scope) -> bool:
        self.lose(self.value(node.test, scope))
        self.perhaps(node.body, scope)
        self.perhaps(node.orelse, scope)
        return False

    def do_match(self, node: ast.Match, scope: Scope) -> bool:
        self.lose(self.value(node.subject, scope))
        for case in node.cases:
            self.perhaps(case.body, scope)
        return False

    def do_with(self, node: ast.With, scope: Scope) -> bool:
        transparent = True
        for item in node.items:
            manager = item.context_expr
            called = manager.func if isinstance(manager, ast.Call) else manager
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            is_ours = isinstance(called, ast.Name) and isinstance(scope.find(called.id), (Function, Unknown))
            transparent &= not is_ours and name not in ("suppress", "raises")
            self.lose(self.value(manager, scope))
            if item.optional_vars:
                self.assign(item.optional_vars, UNKNOWN, scope)
        if not transparent:
            self.perhaps(node.body, scope)
            return False
        return self.block(node.body, scope)

    def do_try(self, node: ast.Try, scope: Scope) -> bool:
        before, risky = self.sure, self.risky
        goes_on = any(not _ends_badly(handler.body) for handler in node.handlers)
        self.caught += goes_on
        self.risky = self.risky and self.caught > goes_on
        # An exit that is caught, or that `finally` replaces, ends nothing.
        if self.leaves(node.finalbody) or any(map(_catches_exit, node.handlers)):
            self.sure = False
        left = self.block(node.body, scope)
        self.sure = before and not self.may_have_ended and (self.sure or not self.leaves(node.body))
        self.caught -= goes_on
        self.risky = risky or self.risky
        for handler in node.handlers:
            if handler.name:
                self.bind(handler.name, UNKNOWN, scope)
            self.perhaps(handler.body, scope)
        ended = self.block(node.orelse, scope) if not left else False
        left_at_last = self.block(node.finalbody, scope)
        return left_at_last or ended or (left and not goes_on)

    do_trystar = do_try


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    if node.level - 1 >= len(parts):
        return ""
    base = ".".join(parts[: len(parts) - node.level + 1])
    return f"{base}.{node.module}" if node.module else base


def _may_be_success(node: ast.Raise) -> bool:
    """Say whether a `raise` may end the script without an error."""
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return getattr(raised, "id", "") == "SystemExit"


def _ends_badly(statements: list[ast.stmt]) -> bool:
    """Say whether the statements end by raising an error, or the script with a status that says so."""
    last = statements[-1]
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call) and ast.unparse(last.value.func) == "sys.exit":
        status = last.value.args[0] if last.value.args else None
        return isinstance(status, ast.Constant) and status.value not in (0, None, False)
    return isinstance(last, ast.Raise) and not _may_be_success(last)


def _catches_exit(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(
        isinstance(node, (ast.Name, ast.Attribute))
        and (node.attr if isinstance(node, ast.Attribute) else node.id) in _CATCH_EXIT
        for node in ast.walk(handler.type)
    )

"""Follow a script from its first statement, without running it, to the parsers that it certainly uses.

What cannot be followed (classes, decorated functions, what comes from outside the project) is skipped, and every parser
that it could change is not checked.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from azml_tasks.checks.contract.calls import Caller
from azml_tasks.checks.contract.declare import HARMLESS_ATTRIBUTES
from azml_tasks.checks.contract.expressions import CHANGEABLE, EndOfScript, LostTrack, items_of, methods_of, truth
from azml_tasks.checks.contract.modules import Sources, may_edit_command_line
from azml_tasks.checks.contract.parsers import Parse
from azml_tasks.checks.contract.readings import Readings
from azml_tasks.checks.contract.values import (
    UNKNOWN,
    Container,
    Function,
    Literal,
    Module,
    Namespace,
    Reference,
    RunContext,
    Scope,
    Settings,
    Unknown,
    Value,
    names_in,
    uses_in,
)

_MOST_ROUNDS = 200
_CATCH_EXIT = {"SystemExit", "BaseException"}
_LEAVE = (ast.Return, ast.Break, ast.Continue)
_SIMPLE = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign)


class Follower(Caller):
    """Follows statements in the order in which Python runs them.

    `returned` returns what a parser returns for the arguments of the step. `inputs` are the names of its inputs, and
    `has_datasets` is whether it or the script has anything to do with datasets of the run.
    """

    def __init__(
        self,
        sources: Sources,
        returned: Callable[[Parse, Readings], Namespace | None],
        inputs: frozenset[str],
        *,
        has_datasets: bool,
    ) -> None:
        super().__init__()
        self.readings.names = inputs
        self.has_datasets = has_datasets
        self.hidden.may_yield = sources.yield_values
        self.sources = sources
        self.modules: dict[str, Module] = {}
        # Whether a module may change `sys.argv`, so that the parsed arguments are unknown.
        self.edits = False
        # Whether the script was followed to its end.
        self.is_complete = False
        self._returned = returned
        self._followers = methods_of(self.__class__, "do_")

    def follow(self, script: str) -> None:
        """Follow the script at a place of the snapshot, as far as possible."""
        try:
            self.load(Module("__main__", script, ""))
            self.is_complete = True
        except (LostTrack, RecursionError):
            pass
        except EndOfScript:
            self.is_complete = True

    def close(self) -> None:
        """Free the modules, which hold each other, without waiting for a garbage collection."""
        for module in self.modules.values():
            module.scope.names.clear()
            del module.scope

    def returned_by(self, parse: Parse) -> Namespace | None:
        """Return the values of the arguments; None if they are not known, or the parser ends the script."""
        return self._returned(parse, self.readings)

    # Modules

    def load(self, module: Module) -> Module:
        empty = ast.Module([], [])
        tree = self.sources.tree(module.place) if module.place else empty
        if tree is None:
            raise LostTrack
        module.file = self.sources.shown(module.place) if module.place else ""
        module.scope = Scope(tree, module)
        self.modules[module.name] = module
        module.scope.names["__name__"] = Literal(module.name)
        if self.sources.reads_command_line(module.place) and may_edit_command_line(tree):
            self.edits = True
            raise LostTrack
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
        """Follow statements; return whether they leave the block."""
        for statement in statements:
            self.count()
            follow = self._followers[statement.__class__]
            if follow is None:
                self.pass_over(statement, scope)
            elif follow(self, statement, scope):
                return True
        return False

    def pass_over(self, node: ast.AST, scope: Scope) -> None:
        """Forget the values that the node uses or assigns."""
        read, changed = names_in(node)
        for name in read:
            self.lose(scope.find(name))
        for name in changed:
            self.bind(name, UNKNOWN, scope)

    def forget(self, node: ast.AST, scope: Scope) -> None:
        for name in names_in(node)[1]:
            self.bind(name, UNKNOWN, scope)

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
                raise LostTrack  # the library itself is changed
            if isinstance(owner, Module):
                self.bind(target.attr, value, owner.scope)
                return
            if isinstance(owner, Namespace):
                owner.values[target.attr] = UNKNOWN
                self.lose(value)
                return
        elif isinstance(owner, (Settings, RunContext)):
            self.readings.change(owner, self.value(target.slice, scope))
            self.lose(value)
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
        elif isinstance(value, CHANGEABLE):
            self.show(name, value, owner)
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
        raise LostTrack

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
        for use in uses_in(node):
            self.use(use, scope.find(use.name), scope)
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
        before = dict(scope.names) if node.orelse else scope.names
        self.perhaps(node.body, scope)
        after, scope.names = scope.names, before
        self.perhaps(node.orelse, scope)
        for name, value in after.items():
            if before is not after and value is UNKNOWN:
                scope.names[name] = UNKNOWN
        return False

    def perhaps(self, statements: list[ast.stmt], scope: Scope) -> None:
        """Follow statements that may not run."""
        if not statements:
            return
        before = self.sure
        self.sure = False
        self.block(statements, scope)
        # After a possible return, nothing in the function is certain; `called` corrects this for its caller.
        self.sure = before and not self.may_have_ended and not self.leaves(statements)

    def leaves(self, statements: Iterable[ast.AST]) -> bool:
        waiting = list(statements)
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.expr):
                continue
            if isinstance(node, _LEAVE):
                return True
            if isinstance(node, ast.Raise) and (_may_be_success(node) or self.caught):
                return True
            if not isinstance(node, (*_SIMPLE, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                waiting.extend(ast.iter_child_nodes(node))
        return False

    def do_for(self, node: ast.For, scope: Scope) -> bool:
        iterated = self.value(node.iter, scope)
        values = items_of(iterated)
        if isinstance(iterated, (Settings, RunContext)):
            self.readings.all_of(iterated)
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
    """Return whether a `raise` may end the script without an error."""
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return getattr(raised, "id", "") == "SystemExit"


def _ends_badly(statements: list[ast.stmt]) -> bool:
    """Return whether the statements end by raising an error, or end the script with an error status."""
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

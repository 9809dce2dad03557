"""A project: the folder of a pipeline.yaml, with a target applied, read, checked and wired."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.model import Pipeline
from azml_tasks.plan import Plan, build_plan
from azml_tasks.reading.environment.files import EnvironmentFiles
from azml_tasks.reading.messages import shown
from azml_tasks.reading.tree import Node, TreeError, parse_tree, read_text
from azml_tasks.reading.validation import CheckedTree, notes_of, unset_variables
from azml_tasks.reading.values import Missing, Values, read_variables, secret_notes
from azml_tasks.text import did_you_mean, listed

FILE_NAME = "pipeline.yaml"
_MISNAMED = ("pipeline.yml", "pipelines.yaml", "pipelines.yml", "Pipeline.yaml", "Pipeline.yml")
MOST_TARGETED_STEPS = 200_000


@dataclass(frozen=True)
class Project:
    """A valid pipeline.yaml and its path.

    `notes` are remarks: names that must exist in the workspace, and possible secrets.
    """

    file: Path
    target: str | None
    pipeline: Pipeline
    notes: tuple[Problem, ...]
    variables: Mapping[str, str] = field(repr=False)
    values: Values = field(repr=False)
    _wired: Plan | None = field(default=None, repr=False)

    @property
    def directory(self) -> Path:
        """The folder that relative paths of the file start from."""
        return self.file.parent

    @cached_property
    def plan(self) -> Plan:
        """The wired pipeline."""
        known = self._wired
        return known if known and known.pipeline is self.pipeline else build_plan(self.pipeline)

    def with_settings(self, settings: Iterable[str]) -> Project:
        """Return the project with settings (`train.lr=0.1`) in place of the file's values, in its plan, too.

        Raises OverrideError.
        """
        settings = tuple(settings)
        if not settings:
            return self
        from azml_tasks.reading.overrides import override

        return replace(self, pipeline=override(self.pipeline, settings, self.variables))

    def problem(self, path: tuple[str | int, ...], message: str) -> Problem:
        """Return a problem at the line of the keys `path`."""
        return Problem(self.file.name, self.values.root.line_of(path), message)

    def secret_notes(self) -> list[Problem]:
        """Return a note on each text under a key with the name of a secret: it is stored with each run."""
        return [self.problem(note.path, note.message) for note in secret_notes(self.pipeline)]

    def require(self, *sections: str) -> None:
        """Check that the variables of these top-level keys are set.

        Raises ProjectError.
        """
        self.refuse_unset(self.missing(*sections))

    def missing(self, *sections: str) -> list[Missing]:
        """Return the unset variables of these top-level keys, with their places."""
        return [missing for missing in self.values.missing if missing.path[0] in sections]

    def secret(self, reference: str, path: tuple[str | int, ...]) -> str:
        """Return the secret behind `${VARIABLE}`, read when needed and not stored.

        Raises ProjectError.
        """
        variable = reference[2:-1]
        value = self.variables.get(variable)
        if not value:
            self.refuse_unset([Missing(path, self.values.root.line_of(path), variable)])
        assert value
        return value

    def refuse_unset(self, missing: Iterable[Missing]) -> None:
        """Raise ProjectError for unset variables, if there are any."""
        problems = [Problem(self.file.name, item.line, sentence) for item, sentence in unset_variables(missing)]
        if problems:
            raise ProjectError(problems)


def find_file(start: Path, beside: Path | None = None) -> Path:
    """Return the pipeline.yaml of the folder `beside`, else that of `start` or of the nearest folder above it.

    If not found, it is also looked for above `beside`. Raises ProjectError.
    """
    folders = dict.fromkeys((*([beside] if beside else []), start, *start.parents, *(beside.parents if beside else ())))
    for folder in folders:
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    misnamed = (folder / name for folder in folders for name in _MISNAMED)
    found = next(filter(Path.is_file, misnamed), None)
    remedy = f"rename {found}" if found else "create a project with `copier copy`"
    where = f"{start} or its parent folders"
    if beside and beside not in (start, *start.parents):
        where = f"{beside}, {where}"
    raise ProjectError([Problem(FILE_NAME, 0, f"not found in {where}; {remedy}")])


def stated_backend(file: Path, target: str | None = None) -> object:
    """Return the backend in the file, even if the rest is invalid; None if not set.

    Raises ProjectError for invalid YAML or an unknown target.
    """
    try:
        tree = _parse(read_text(file))
        targets_of(tree)
        return _backend_in(tree, target)
    except TreeError as error:
        raise ProjectError([Problem(file.name, error.line, error.message)]) from None


def stated_backends(file: Path) -> dict[str, object]:
    """Return the backends of the targets in the file. Raises ProjectError for invalid YAML."""
    try:
        tree = _parse(read_text(file))
        return {target: _backend_in(tree, target) for target in targets_of(tree)}
    except TreeError as error:
        raise ProjectError([Problem(file.name, error.line, error.message)]) from None


def _backend_in(tree: Node, target: str | None) -> object:
    merged = apply_target(tree, target).value
    assert isinstance(merged, dict)
    return merged["backend"].value if "backend" in merged else None


def step_keys(file: Path) -> frozenset[str] | None:
    """Return the keys of the steps in the file, of all its targets, even if the rest is invalid; None if unreadable."""
    found: set[str] = set()
    try:
        tree = _parse(read_text(file))
        for target in (None, *targets_of(tree)):
            merged = apply_target(tree, target).value
            assert isinstance(merged, dict)
            found.update(merged["steps"].key_lines if "steps" in merged else ())
    except (TreeError, ProjectError, OSError):
        return None
    return frozenset(found) or None


def load_project(
    file: Path,
    target: str | None = None,
    variables: Mapping[str, str] | None = None,
    beside: Callable[[Project], Iterable[Problem]] | None = None,
    *,
    text: str | None = None,
    needs_values: bool = True,
) -> Project:
    """Read and check a pipeline.yaml; `text` replaces its content.

    Without `needs_values`, unset variables are not errors, and their texts are kept.

    If it has errors, `beside` also finds those of its files: it gets the valid part of the project, which may have no
    plan. Raises ProjectError with every problem of the file at once, and with what `beside` finds.
    """
    if variables is None:
        variables = read_variables(file.parent)
    try:
        tree = _parse(read_text(file) if text is None else text.removeprefix("\ufeff"))
        others = [name for name in targets_of(tree) if name != target]
        _check_extent(tree, len(others))
        chosen = CheckedTree(apply_target(tree, target), variables, needs_values=needs_values)
        remarks = dict.fromkeys(chosen.remarks, "")
        # All targets are checked, so that an error in prod is found before prod is used.
        for other in others:
            for remark in CheckedTree(apply_target(tree, other), variables, like=chosen).remarks:
                remarks.setdefault(remark, f"target '{other}': ")
    except TreeError as error:
        raise ProjectError([Problem(file.name, error.line, error.message)]) from None
    usable = chosen.usable_part()
    refused = list(EnvironmentFiles(usable, file.parent, chosen.values, file.name).refused()) if usable else []
    if (remarks or refused or chosen.pipeline is None) and not needs_values:
        return load_project(file, target, variables, beside, text=text)  # which names what is not set, too
    if remarks or refused or chosen.pipeline is None:
        problems = [Problem(file.name, line, f"{prefix}{text}") for (line, text), prefix in remarks.items()]
        problems += refused
        if beside and usable:
            problems += beside(Project(file, target, usable, (), variables, chosen.values))
        raise ProjectError(dict.fromkeys(problems))
    found = [*notes_of(chosen.pipeline), *secret_notes(chosen.pipeline)]
    notes = [Problem(file.name, line, message) for line, message in chosen.doubts]
    notes += (Problem(file.name, chosen.root.line_of(note.path), note.message) for note in found)
    return Project(file, target, chosen.pipeline, tuple(notes), variables, chosen.values, chosen.plan)


def _parse(text: str) -> Node:
    tree = parse_tree(text)
    if tree.value is None:
        raise TreeError(0, "the file is empty; a pipeline needs `steps`")
    if not isinstance(tree.value, dict):
        raise TreeError(tree.line, f"expected keys such as `steps`, found {shown(tree.value)}")
    return tree


def _check_extent(tree: Node, targets: int) -> None:
    """Limit the number of steps to check in all targets; raises TreeError."""
    assert isinstance(tree.value, dict)
    steps = tree.value.get("steps")
    count = len(steps.value) if steps and isinstance(steps.value, dict) else 0
    if count * targets > MOST_TARGETED_STEPS:
        raise TreeError(tree.key_lines["targets"], f"{targets:,} targets with {count:,} steps exceed the limit")


# Read by Invoke, as `azml.target` of its configuration.
_VARIABLE = "INVOKE_AZML_TARGET"


def targets_of(root: Node) -> list[str]:
    """Return the names of the file's targets; raises TreeError for invalid ones."""
    assert isinstance(root.value, dict)
    targets = root.value.get("targets")
    if targets is None or targets.value is None:
        return []
    if not isinstance(targets.value, dict):
        raise TreeError(
            root.key_lines["targets"],
            f"targets: expected target names, each with keys of this file, found {shown(targets.value)}",
        )
    for name, node in targets.value.items():
        if node.value is None:
            continue
        if not isinstance(node.value, dict):
            raise TreeError(
                targets.key_lines[name], f"target '{name}': expected keys of this file, found {shown(node.value)}"
            )
        if "targets" in node.value:
            raise TreeError(node.key_lines["targets"], f"target '{name}': a target cannot contain targets")
    return list(targets.value)


def apply_target(root: Node, target: str | None) -> Node:
    """Return the tree without `targets`, the chosen target's keys merged over it.

    Mappings merge key by key; everything else, lists too, is replaced. Raises TreeError for an unknown target.
    """
    assert isinstance(root.value, dict)
    targets = root.value.get("targets")
    known = targets.value if targets and isinstance(targets.value, dict) else {}
    base = Node({key: node for key, node in root.value.items() if key != "targets"}, root.line, root.key_lines)
    if target is None:
        return base
    if target not in known:
        has = f"it has {listed(known)}" if known else "it has no targets"
        # It was not given as a flag; one in Invoke's configuration files is not detected here.
        asked = f" ({_VARIABLE} selects it)" if os.environ.get(_VARIABLE) == target else ""
        raise TreeError(
            root.key_lines.get("targets", 1),
            f"'{target}' is not a target of this file{asked}: {has}{did_you_mean(target, known)}",
        )
    over = known[target]
    return base if over.value is None else merge(base, over)


_NOTHING = Node(None, 0)


def merge(base: Node, over: Node) -> Node:
    """Return `base` with `over` deep-merged over it; each value keeps the line where it is written.

    A key of `over` without a value removes that key.
    """
    if not isinstance(over.value, dict):
        return over
    values = dict(base.value) if isinstance(base.value, dict) else {}
    lines = dict(base.key_lines)
    for key, node in over.value.items():
        if node.value is None:
            values.pop(key, None)
            continue
        values[key] = merge(values.get(key, _NOTHING), node)
        lines[key] = over.key_lines[key]
    return Node(values, over.line, lines)


def files_of(project: Project, name: str | None = None) -> EnvironmentFiles:
    """Return the files that the environments of a project name, or one of them."""
    pipeline = project.pipeline
    if name is not None:
        pipeline = pipeline.model_copy(update={"environments": {name: pipeline.environments[name]}})
    return EnvironmentFiles(pipeline, project.directory, project.values, project.file.name)

"""A project: the folder of a pipeline.yaml, read, checked and wired."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.model import Pipeline
from azml_tasks.reading.references import missing_declarations, notes_of
from azml_tasks.reading.sentences import Located, described, locate, sentences
from azml_tasks.reading.targets import apply_target
from azml_tasks.reading.tree import MOST_BYTES, Node, TreeError, parse_tree
from azml_tasks.reading.values import Missing, Values
from azml_tasks.reading.variables import read_variables
from azml_tasks.wiring import Finding, Plan, WiringError, plan

FILE_NAME = "pipeline.yaml"
# What a run on any backend needs; variables elsewhere are only needed by Azure.
_ALWAYS_NEEDED = frozenset(
    (
        "backend",
        "experiment_name",
        "description",
        "tags",
        "pipeline_parameters",
        "steps",
        "datasets",
        "continue_on_step_failure",
    )
)
# Taking out a wrong key can uncover another problem, but not for ever.
_MOST_ROUNDS = 4


@dataclass(frozen=True)
class Project:
    """A readable pipeline.yaml and where it lies.

    `notes` are remarks that stop nothing: names that only the workspace can know.
    """

    file: Path
    target: str | None
    pipeline: Pipeline
    notes: tuple[Problem, ...]
    variables: Mapping[str, str] = field(repr=False)
    values: Values = field(repr=False)

    @property
    def directory(self) -> Path:
        """The folder that relative paths of the file start from."""
        return self.file.parent

    @cached_property
    def plan(self) -> Plan:
        """The wired pipeline."""
        return plan(self.pipeline)

    def problem(self, path: tuple[str | int, ...], message: str) -> Problem:
        """Return a problem at the line where the keys of `path` lead."""
        return Problem(self.file.name, self.values.line(path), message)

    def require(self, *sections: str) -> None:
        """Refuse variables of these top-level keys that are not set.

        Raises ProjectError.
        """
        found = [missing for missing in self.values.missing if missing.path and missing.path[0] in sections]
        if found:
            raise ProjectError(_unset(self.file.name, found))

    def secret(self, reference: str, path: tuple[str | int, ...]) -> str:
        """Return the secret behind `${VARIABLE}`, read when it is needed and kept nowhere.

        Raises ProjectError.
        """
        variable = reference[2:-1]
        value = self.variables.get(variable)
        if not value:
            raise ProjectError(_unset(self.file.name, [Missing(path, self.values.line(path), variable)]))
        return value


def find_file(start: Path) -> Path:
    """Return the pipeline.yaml of `start` or of the nearest folder above it.

    Raises ProjectError.
    """
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise ProjectError(
        [
            Problem(
                FILE_NAME,
                0,
                f"there is none in {start} or in a folder above it; `copier copy` makes a project with one",
            )
        ]
    )


def load_project(file: Path, target: str | None = None, variables: Mapping[str, str] | None = None) -> Project:
    """Read and check a pipeline.yaml.

    Raises ProjectError with every problem of the file at once.
    """
    if variables is None:
        variables = read_variables(file.parent)
    try:
        tree = _read(file)
        # Every target is checked, whichever is asked for: a mistake in prod shows before prod is used.
        node = apply_target(tree, target)
    except TreeError as error:
        raise ProjectError([Problem(file.name, error.line, error.message)]) from None
    checked = _Checked(file.name, Values(node, variables))
    problems = list(checked.problems)
    for other in _other_targets(tree, target):
        problems += _Checked(file.name, Values(apply_target(tree, other), variables), f"target '{other}': ").problems
    problems = _once(problems)
    if problems or checked.pipeline is None:
        raise ProjectError(problems)
    notes = tuple(
        Problem(file.name, checked.values.line(note.path), note.message) for note in notes_of(checked.pipeline)
    )
    return Project(file, target, checked.pipeline, notes, variables, checked.values)


def _read(file: Path) -> Node:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise TreeError(0, f"cannot be read: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise TreeError(0, f"is larger than {MOST_BYTES // 1_000_000} MB, which no pipeline needs")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise TreeError(line, "is not UTF-8; save the file in that encoding") from None
    tree = parse_tree(text)
    if tree.value is None:
        raise TreeError(0, "is empty; a pipeline has at least `steps`")
    if not isinstance(tree.value, dict):
        raise TreeError(tree.line, "is no mapping; a pipeline has keys such as `steps`")
    return tree


def _other_targets(tree: Node, target: str | None) -> Iterator[str]:
    assert isinstance(tree.value, dict)
    targets = tree.value.get("targets")
    if targets is None or targets.value is None:
        return
    if not isinstance(targets.value, dict):
        raise ProjectError(
            [Problem(FILE_NAME, targets.line, "targets: expected a mapping of names to keys of this file")]
        )
    for name, node in targets.value.items():
        if name != target and isinstance(node.value, dict):
            yield name


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """Drop a target's problem where the file itself has the same in the same line."""
    kept: dict[tuple[int, str], Problem] = {}
    for problem in problems:
        message = problem.message.split("': ", 1)[1] if problem.message.startswith("target '") else problem.message
        kept.setdefault((problem.line, message), problem)
    return list(kept.values())


class _Checked:
    """One reading of the file, with all its problems, and the pipeline when it could be built."""

    def __init__(self, name: str, values: Values, prefix: str = "") -> None:
        self.name = name
        self.values = values
        self.prefix = prefix
        self.pipeline: Pipeline | None = None
        self.problems = [self._at(line, message) for line, message in values.findings]
        self._check()

    def _at(self, line: int, message: str) -> Problem:
        return Problem(self.name, line, f"{self.prefix}{message}")

    def _check(self) -> None:
        data = self.values.data
        damaged: list[tuple[str | int, ...]] = []
        # What is left after the wrong keys are taken out can still be checked for the rest.
        for _ in range(_MOST_ROUNDS):
            located = self._validate(data)
            for path, message in sentences(located, Pipeline).items():
                self.problems.append(self._at(self.values.line(path), message))
            if not located:
                break
            damaged += (item.path for item in located)
            data = _without(data, located)
        if self.pipeline is not None:
            self.problems += self._wiring_problems(damaged)
            needed = [item for item in self.values.missing if item.path[0] in _ALWAYS_NEEDED]
            self.problems += _unset(self.name, needed)
        if damaged:
            self.pipeline = None

    def _validate(self, data: Any) -> list[Located]:
        try:
            self.pipeline = Pipeline.model_validate(data)
        except ValidationError as error:
            located = locate(error.errors(include_url=False), data)
            as_text = [item.path for item in located if item.path in self.values.texts]
            if as_text and data is self.values.data:
                # A variable's value that looks like a number stands where a text is wanted.
                for path in as_text:
                    _put(data, path, self.values.texts.pop(path))
                return self._validate(data)
            return located
        return []

    def _wiring_problems(self, damaged: list[tuple[str | int, ...]]) -> Iterator[Problem]:
        assert self.pipeline is not None
        findings: list[Finding] = []
        try:
            plan(self.pipeline)
        except WiringError as error:
            findings += error.findings
        findings += missing_declarations(self.pipeline)
        for finding in findings:
            if not any(_same_branch(finding.path, path) for path in damaged):
                yield self._at(self.values.line(finding.path), finding.message)


def _same_branch(one: tuple[str | int, ...], other: tuple[str | int, ...]) -> bool:
    return all(a == b for a, b in zip(one, other, strict=False))


def _unset(name: str, missing: Iterable[Missing]) -> list[Problem]:
    problems: dict[tuple[int, str], Problem] = {}
    for item in missing:
        owner, key = described(item.path)
        prefix = f"{owner}: " if owner else ""
        sentence = f"{prefix}{key} needs {item.variable}, which is set neither in the environment nor in .env"
        problems.setdefault((item.line, item.variable), Problem(name, item.line, sentence))
    return list(problems.values())


def _without(data: Any, located: Iterable[Located]) -> Any:
    """Return a copy of the data in which nothing is left that pydantic refused."""
    data = copy.deepcopy(data)
    for item in located:
        if item.error["type"] == "missing":
            _put(data, item.path, "missing")
        elif len(item.path) == 2 and item.path[0] == "steps":
            _put(data, item.path, {"script_name": "missing"})
        else:
            _drop(data, item.path)
    return data


def _put(data: Any, path: tuple[str | int, ...], value: Any) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value


def _drop(data: Any, path: tuple[str | int, ...]) -> None:
    for part in path[:-1]:
        if isinstance(data, Mapping) and part not in data:
            return
        data = data[part]
    if isinstance(data, dict) and path:
        data.pop(path[-1], None)

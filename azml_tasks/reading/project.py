"""A project: the folder of a pipeline.yaml, read, checked and wired."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.model import Pipeline
from azml_tasks.reading.checked import Checked, unset
from azml_tasks.reading.environment import EnvironmentFiles
from azml_tasks.reading.literal_secrets import literal_secrets
from azml_tasks.reading.references import notes_of
from azml_tasks.reading.sentences import shown
from azml_tasks.reading.targets import apply_target, targets_of
from azml_tasks.reading.tree import Node, TreeError, parse_tree, read_text
from azml_tasks.reading.values import REMEDY, Missing, Values
from azml_tasks.reading.variables import read_variables
from azml_tasks.wiring import Plan, plan

FILE_NAME = "pipeline.yaml"
_MISNAMED = ("pipeline.yml", "pipelines.yaml", "pipelines.yml", "Pipeline.yaml", "Pipeline.yml")
MOST_TARGETED_STEPS = 200_000


@dataclass(frozen=True)
class Project:
    """A readable pipeline.yaml and where it lies.

    `notes` are remarks that stop nothing: names that only the workspace can know, and what looks like a secret.
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
        return Problem(self.file.name, self.values.root.line_of(path), message)

    def require(self, *sections: str) -> None:
        """Refuse variables of these top-level keys that are not set.

        Raises ProjectError.
        """
        self.refuse_unset(self.missing(*sections))

    def missing(self, *sections: str) -> list[Missing]:
        """Return the variables of these top-level keys that are not set, each with its place."""
        return [missing for missing in self.values.missing if missing.path[0] in sections]

    def secret(self, reference: str, path: tuple[str | int, ...]) -> str:
        """Return the secret behind `${VARIABLE}`, read when it is needed and kept nowhere.

        Raises ProjectError.
        """
        variable = reference[2:-1]
        value = self.variables.get(variable)
        if not value:
            self.refuse_unset([Missing(path, self.values.root.line_of(path), variable)])
        assert value
        return value

    def refuse_unset(self, missing: Iterable[Missing]) -> None:
        """Raise ProjectError that names the variables to set, if there are any."""
        problems = [Problem(self.file.name, item.line, sentence) for item, sentence in unset(missing)]
        if problems:
            raise ProjectError(problems)


def find_file(start: Path, beside: Path | None = None) -> Path:
    """Return the pipeline.yaml of the folder `beside`, else that of `start` or of the nearest folder above it.

    Where those have none, it is looked for above `beside` too. Raises ProjectError.
    """
    folders = dict.fromkeys((*([beside] if beside else []), start, *start.parents, *(beside.parents if beside else ())))
    for folder in folders:
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    misnamed = (folder / name for folder in folders for name in _MISNAMED)
    found = next(filter(Path.is_file, misnamed), None)
    remedy = f"rename {found} to that" if found else "`copier copy` makes a project with one"
    where = f"{start} or in a folder above it"
    if beside and beside not in (start, *start.parents):
        where = f"{beside}, {where}"
    raise ProjectError([Problem(FILE_NAME, 0, f"there is none in {where}; {remedy}")])


def stated_backend(file: Path, target: str | None = None) -> object:
    """Return what the file states as its backend, whatever may be wrong with the rest of it; None for nothing.

    Raises ProjectError for a file that is no YAML, or has no such target.
    """
    try:
        tree = _parse(read_text(file))
        targets_of(tree)
        merged = apply_target(tree, target).value
    except TreeError as error:
        raise ProjectError([Problem(file.name, error.line, error.message)]) from None
    assert isinstance(merged, dict)
    return merged["backend"].value if "backend" in merged else None


def load_project(
    file: Path,
    target: str | None = None,
    variables: Mapping[str, str] | None = None,
    beside: Callable[[Project], Iterable[Problem]] | None = None,
    *,
    text: str | None = None,
    needs_values: bool = True,
) -> Project:
    """Read and check a pipeline.yaml; `text` is what it is to hold, by default what it holds.

    Without `needs_values`, variables that are not set are no mistake, and their texts stay as they are written.

    Where it has mistakes, `beside` finds those of the files that it names: it is given what is left of the project,
    which may not be wired. Raises ProjectError with every problem of the file at once, and with what `beside` finds.
    """
    if variables is None:
        variables = read_variables(file.parent)
    try:
        tree = _parse(read_text(file) if text is None else text.removeprefix("\ufeff"))
        others = [name for name in targets_of(tree) if name != target]
        _check_extent(tree, len(others))
        chosen = Checked(apply_target(tree, target), variables, needs_values=needs_values)
        remarks = dict.fromkeys(chosen.remarks, "")
        # Every target is checked, whichever is asked for: a mistake in prod shows before prod is used.
        for other in others:
            for remark in Checked(apply_target(tree, other), variables, like=chosen).remarks:
                remarks.setdefault(remark, f"target '{other}': ")
    except TreeError as error:
        raise ProjectError([Problem(file.name, error.line, error.message)]) from None
    sound = chosen.sound()
    refused = list(EnvironmentFiles(sound, file.parent, chosen.values, file.name).refused()) if sound else []
    if (remarks or refused or chosen.pipeline is None) and not needs_values:
        return load_project(file, target, variables, beside, text=text)  # which names what is not set, too
    if remarks or refused or chosen.pipeline is None:
        problems = [Problem(file.name, line, f"{prefix}{text}") for (line, text), prefix in remarks.items()]
        problems += refused
        if beside and sound:
            problems += beside(Project(file, target, sound, (), variables, chosen.values))
        raise ProjectError(dict.fromkeys(problems))
    found = [(note.path, note.message) for note in notes_of(chosen.pipeline)]
    found += ((secret.path, f"{secret.message}; {REMEDY}") for secret in literal_secrets(chosen.pipeline))
    notes = tuple(Problem(file.name, chosen.root.line_of(path), message) for path, message in found)
    return Project(file, target, chosen.pipeline, notes, variables, chosen.values)


def _parse(text: str) -> Node:
    tree = parse_tree(text)
    if tree.value is None:
        raise TreeError(0, "is empty; a pipeline has at least `steps`")
    if not isinstance(tree.value, dict):
        raise TreeError(tree.line, f"the file holds {shown(tree.value)}; a pipeline has keys such as `steps`")
    return tree


def _check_extent(tree: Node, targets: int) -> None:
    """Hold the work of checking every step of every target to what can be waited for; raises TreeError."""
    assert isinstance(tree.value, dict)
    steps = tree.value.get("steps")
    count = len(steps.value) if steps and isinstance(steps.value, dict) else 0
    if count * targets > MOST_TARGETED_STEPS:
        raise TreeError(
            tree.key_lines["targets"], f"{targets:,} targets of {count:,} steps are more than any pipeline needs"
        )

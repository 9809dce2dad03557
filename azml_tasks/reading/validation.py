"""Validate a tree: its data, its pipeline, and all problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from azml_tasks.model import Pipeline, Step
from azml_tasks.plan import Plan, PlanProblem, WiringError, build_plan
from azml_tasks.reading.messages import LocatedError, described, locate, sentences
from azml_tasks.reading.syntax import KeyPath
from azml_tasks.reading.tree import Node
from azml_tasks.reading.values import Missing, Values
from azml_tasks.text import MOST_SUGGESTIONS, did_you_mean, listed


def missing_declarations(pipeline: Pipeline) -> Iterator[PlanProblem]:
    """Find datasets without a local_path, which the local backend needs."""
    if pipeline.backend != "local":
        return
    for count, (path, step, name) in enumerate(_dataset_uses(pipeline)):
        declared = pipeline.datasets.get(name)
        if declared is None:
            meant = did_you_mean(name, pipeline.datasets) if count < MOST_SUGGESTIONS else ""
            yield PlanProblem(
                path,
                f"step '{step}' reads the dataset '{name}', which is not in datasets: a local run needs its "
                f"local_path{meant}",
            )
        elif declared.local_path is None:
            yield PlanProblem(("datasets", name), f"dataset '{name}' has no local_path, which a local run needs")


def notes_of(pipeline: Pipeline) -> Iterator[PlanProblem]:
    """Yield the names that must exist in the workspace."""
    yield from _notes(_dataset_uses(pipeline), "dataset", pipeline.datasets)
    yield from _notes(_named(pipeline, "env_name"), "environment", pipeline.environments)
    yield from _notes(_named(pipeline, "compute_name"), "compute", pipeline.computes)
    yield from _notes(_datastore_uses(pipeline), "datastore", pipeline.datastores)


def _notes(uses: Iterable[tuple[KeyPath, str, str]], noun: str, declared: Iterable[str]) -> Iterator[PlanProblem]:
    known = dict.fromkeys(declared)
    seen: set[str] = set()
    for path, _, name in uses:
        if name not in known and name not in seen:
            # Suggestions take time, and a few are enough. A name with a version is not a typing mistake.
            meant = did_you_mean(name, known) if len(seen) < MOST_SUGGESTIONS and "@" not in name else ""
            seen.add(name)
            yield PlanProblem(
                path,
                f"the {noun} '{name}' is not declared in this file; it must exist in the workspace{meant}",
            )


def _dataset_uses(pipeline: Pipeline) -> Iterator[tuple[KeyPath, str, str]]:
    for key, step in pipeline.steps.items():
        for argument, value in step.input_datasets.items():
            if isinstance(value, str):
                yield ("steps", key, "input_datasets", argument), key, value


def _named(pipeline: Pipeline, attribute: str) -> Iterator[tuple[KeyPath, str, str]]:
    name = getattr(pipeline, attribute)
    if name:
        yield (attribute,), "", name
    for key, step in pipeline.steps.items():
        own = getattr(step, attribute)
        if own:
            yield ("steps", key, attribute), key, own


def _datastore_uses(pipeline: Pipeline) -> Iterator[tuple[KeyPath, str, str]]:
    for name, dataset in pipeline.datasets.items():
        if dataset.datastore_name:
            yield ("datasets", name, "datastore_name"), name, dataset.datastore_name
    for key, step in pipeline.steps.items():
        for argument, options in (step.output_folders or {}).items():
            if options.destination:
                path = ("steps", key, "output_folders", argument, "destination", "datastore_name")
                yield path, key, options.destination.datastore_name
    blob = pipeline.schedule.on_blob_change if pipeline.schedule else None
    if blob:
        yield ("schedule", "on_blob_change", "datastore_name"), "", blob.datastore_name


# Keys that every backend needs; variables in others are only needed by Azure.
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
# Keys that affect the plan.
_WIRED = frozenset(("steps", "datasets", "pipeline_parameters"))
# Keys that contain file names, by section.
_NAMES_FILES = {
    "steps": frozenset(("script_name", "script_directory", "include", "snapshot")),
    "datasets": frozenset(("local_path",)),
    "environments": frozenset(("conda_file", "dockerfile")),
}
# Replaces invalid values, so that the rest can be checked.
_PLACEHOLDER = "missing"
_STEP = {"script_name": _PLACEHOLDER}
# Removing invalid parts can reveal other problems; the number of rounds is limited.
_MOST_ROUNDS = 5

Remark = tuple[int, str]


class CheckedTree:
    """A validated tree.

    `remarks` are the problems, each with its line. `doubts` are notes: on invalid values of variables that a local run
    does not need, and on `$NAME`. `pipeline` is the pipeline of the tree without invalid parts, None if nothing is
    left, and `plan` its plan, if that is valid. With `like`, another tree that was checked, only the sections that
    differ from it are. Without `needs_values`, unset variables are not errors.
    """

    def __init__(
        self, root: Node, variables: Mapping[str, str], like: CheckedTree | None = None, needs_values: bool = True
    ) -> None:
        assert isinstance(root.value, dict)
        self.root = root
        self.differs = _differing(root, like.root) if like else frozenset(root.value)
        self.like = like
        self._needs_values = needs_values
        sections = {key: node for key, node in root.value.items() if key in self.differs}
        self.values = Values(Node(sections, root.line, root.key_lines), variables)
        self.pipeline: Pipeline | None = None
        self.plan: Plan | None = None
        self.doubts: list[Remark] = [(self._line(path), message) for path, message in self.values.notes]
        self.remarks: list[Remark] = [(self._line(path), message) for path, message in self.values.findings]
        self._damaged = _Places()
        self._useless = {path for path, _ in self.values.findings} | {item.path for item in self.values.missing}
        self._check()

    def usable_part(self) -> Pipeline | None:
        """Return the valid part of the pipeline, with only the steps, datasets and environments whose file names are
        valid."""
        if self.pipeline is None:
            return None
        doubtful = {*self._damaged.paths, *self._useless}
        kept = {}
        for section, keys in _NAMES_FILES.items():
            wrong = {path[:2] for path in doubtful if len(path) < 3 or path[2] in keys or _hides_a_key(path)}
            items = {} if wrong & {(), (section,)} else getattr(self.pipeline, section)
            kept[section] = {key: item for key, item in items.items() if (section, key) not in wrong}
        return self.pipeline.model_copy(update=kept)

    def _line(self, path: KeyPath) -> int:
        return self.root.line_of(path)

    def _check(self) -> None:
        self._build(self.values.data)
        if self.like is None:
            needed = [item for item in self.values.missing if item.path[0] in _ALWAYS_NEEDED and self._needs_values]
            self.remarks += ((item.line, sentence) for item, sentence in unset_variables(needed))
        elif self.pipeline is not None:
            self.pipeline = _merged(self.like.pipeline, self.pipeline, self.differs)
        if self.pipeline is None:
            return
        self.remarks += (
            (self._line(finding.path), finding.message)
            for finding in self._references()
            if not self._damaged.touch(finding.path)
        )

    def _build(self, data: dict[str, Any]) -> None:
        """Build the pipeline, removing what pydantic rejects until it is valid."""
        if self.like is not None and "steps" not in self.differs:
            data = {**data, "steps": {_PLACEHOLDER: dict(_STEP)}}
        for _ in range(_MOST_ROUNDS):
            try:
                self.pipeline = Pipeline.model_validate(data)
            except ValidationError as error:
                located = locate(error.errors(include_url=False), data)
            else:
                return
            if not self._read_otherwise(data, located):
                self._say(located)
                self._take_out(data, located)

    def _read_otherwise(self, data: dict[str, Any], located: Iterable[LocatedError]) -> bool:
        """Convert values of variables to the expected type, text or number; return whether any was converted."""
        paths = {item.path for item in located if item.path in self.values.otherwise}
        for path in paths:
            _put(data, path, self.values.otherwise.pop(path))
        return bool(paths)

    def _say(self, located: Iterable[LocatedError]) -> None:
        new = [item for item in located if not self._follows(item)]
        for path, sentence in sentences(new, Pipeline).items():
            variables = self.values.filled.get(path, ())
            is_local = self.values.data.get("backend") == "local" and path[0] not in _ALWAYS_NEEDED
            source = f" (from {listed(variables)}, set in the environment or in .env)" if variables else ""
            found = self.doubts if variables and is_local else self.remarks
            found.append((self._line(path), sentence + source))

    def _follows(self, item: LocatedError) -> bool:
        """Return whether an error follows from an earlier remark, or from a variable that is not set."""
        # Our validators check lists as a whole.
        lists = (path[:-1] for path in self._useless if path and isinstance(path[-1], int))
        is_list = item.error["type"] == "value_error" and item.path in lists
        return is_list or self._damaged.touch(item.about) or _within(item.path, self._useless)

    def _take_out(self, data: dict[str, Any], located: Iterable[LocatedError]) -> None:
        for item in located:
            self._damaged.add(item.path)
            if item.path == ("steps",):
                data["steps"] = {_PLACEHOLDER: dict(_STEP)}
            elif len(item.path) == 2 and item.path[0] in ("steps", "datasets"):
                # Other steps may refer to it, so the key stays.
                _put(data, item.path, {})
            elif item.error["type"] == "missing" or isinstance(item.path[-1], int):
                _put(data, item.path, _PLACEHOLDER)
            else:
                _drop(data, item.path)

    def _references(self) -> Iterator[PlanProblem]:
        assert self.pipeline is not None
        if self.like is None or self.differs & _WIRED:
            try:
                self.plan = build_plan(self.pipeline)
            except WiringError as error:
                yield from error.findings
        if self.like is None or self.differs & (_WIRED | {"backend"}):
            yield from missing_declarations(self.pipeline)


def _hides_a_key(path: KeyPath) -> bool:
    """Return whether a step has an unknown key, which may have been meant as `script_directory`."""
    return path[0] == "steps" and len(path) > 2 and path[2] not in Step.model_fields


def names_files(path: KeyPath) -> bool:
    """Return whether the place contains the name of a file that is uploaded to Azure."""
    return path[0] != "datasets" and len(path) > 2 and path[2] in _NAMES_FILES.get(str(path[0]), ())


def unset_variables(missing: Iterable[Missing]) -> Iterator[tuple[Missing, str]]:
    """Yield a message for each unset variable, once per line."""
    seen = set()
    for item in missing:
        if (item.line, item.variable) not in seen:
            seen.add((item.line, item.variable))
            owner, key = described(item.path)
            prefix = f"{owner}: " if owner else ""
            yield item, f"{prefix}{key} needs {item.variable}; set it in the environment or in .env"


class _Places:
    """A set of paths in the data, which can be tested for overlap."""

    def __init__(self) -> None:
        self.paths: set[KeyPath] = set()
        self._above: set[KeyPath] = set()

    def add(self, path: KeyPath) -> None:
        self.paths.add(path)
        self._above.update(path[:length] for length in range(len(path)))

    def touch(self, path: KeyPath) -> bool:
        return path in self._above or _within(path, self.paths)


def _within(path: KeyPath, paths: set[KeyPath]) -> bool:
    return any(path[:length] in paths for length in range(len(path) + 1))


def _differing(root: Node, other: Node) -> frozenset[str]:
    assert isinstance(root.value, dict)
    assert isinstance(other.value, dict)
    keys = {*root.value, *other.value}
    # A target's tree shares the nodes that the target leaves alone.
    return frozenset(key for key in keys if root.value.get(key) is not other.value.get(key))


def _merged(whole: Pipeline | None, part: Pipeline, sections: frozenset[str]) -> Pipeline | None:
    if whole is None:
        return None
    fields = sections & set(Pipeline.model_fields)
    return whole.model_copy(update={name: getattr(part, name) for name in fields})


def _put(data: Any, path: KeyPath, value: Any) -> None:
    holder = _holder(data, path)
    if holder is not None:
        holder[path[-1]] = value


def _drop(data: Any, path: KeyPath) -> None:
    holder = _holder(data, path)
    if holder is not None:
        holder.pop(path[-1], None)


def _holder(data: Any, path: KeyPath) -> Any:
    """Return the container of the last part of the path; None if it was removed."""
    for part in path[:-1]:
        if isinstance(data, dict) and part not in data:
            return None
        data = data[part]
    return data

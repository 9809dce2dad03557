"""One reading of the file: the data of its tree, the pipeline that it makes, and all that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from azml_tasks.model import Pipeline, Step
from azml_tasks.reading.references import missing_declarations
from azml_tasks.reading.sentences import Located, described, locate, sentences
from azml_tasks.reading.tree import Node, Path
from azml_tasks.reading.values import Missing, Values
from azml_tasks.wiring import Finding, WiringError, plan

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
# What the wiring looks at.
_WIRED = frozenset(("steps", "datasets", "pipeline_parameters"))
# Where files are named, and by which keys.
_NAMES_FILES = {
    "steps": frozenset(("script_name", "script_directory", "include", "snapshot")),
    "datasets": frozenset(("local_path",)),
    "environments": frozenset(("conda_file", "dockerfile")),
}
# Stands where the file has nothing of use, so that the rest can be checked.
_PLACEHOLDER = "missing"
_STEP = {"script_name": _PLACEHOLDER}
# Taking out what is wrong can uncover something else, but not for ever.
_MOST_ROUNDS = 5

Remark = tuple[int, str]


class Checked:
    """A tree that was checked.

    `remarks` say what is wrong, each with its line. `pipeline` is what the tree makes; with remarks, what is left of
    it when the wrong parts are taken out, and None when nothing is. With `like`, another tree that was checked, only
    the sections that differ from it are. Without `needs_values`, variables that are not set are no mistake.
    """

    def __init__(
        self, root: Node, variables: Mapping[str, str], like: Checked | None = None, needs_values: bool = True
    ) -> None:
        assert isinstance(root.value, dict)
        self.root = root
        self.differs = _differing(root, like.root) if like else frozenset(root.value)
        self.like = like
        self._needs_values = needs_values
        sections = {key: node for key, node in root.value.items() if key in self.differs}
        self.values = Values(Node(sections, root.line, root.key_lines), variables)
        self.pipeline: Pipeline | None = None
        self.remarks: list[Remark] = [(self._line(path), message) for path, message in self.values.findings]
        self._damaged = _Places()
        self._useless = {path for path, _ in self.values.findings} | {item.path for item in self.values.missing}
        self._check()

    def sound(self) -> Pipeline | None:
        """Return what is left of the pipeline, with those steps, datasets and environments that name files well."""
        if self.pipeline is None:
            return None
        doubtful = {*self._damaged.paths, *self._useless}
        kept = {}
        for section, keys in _NAMES_FILES.items():
            wrong = {path[:2] for path in doubtful if len(path) < 3 or path[2] in keys or _hides_a_key(path)}
            items = {} if wrong & {(), (section,)} else getattr(self.pipeline, section)
            kept[section] = {key: item for key, item in items.items() if (section, key) not in wrong}
        return self.pipeline.model_copy(update=kept)

    def _line(self, path: Path) -> int:
        return self.root.line_of(path)

    def _check(self) -> None:
        self._build(self.values.data)
        if self.like is None:
            needed = [item for item in self.values.missing if item.path[0] in _ALWAYS_NEEDED and self._needs_values]
            self.remarks += ((item.line, sentence) for item, sentence in unset(needed))
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
        """Make the pipeline, taking out what pydantic refuses until it is content."""
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

    def _read_otherwise(self, data: dict[str, Any], located: Iterable[Located]) -> bool:
        """Take a variable's value as text where a text is wanted, as a number where that is; say whether any was."""
        paths = {item.path for item in located if item.path in self.values.otherwise}
        for path in paths:
            _put(data, path, self.values.otherwise.pop(path))
        return bool(paths)

    def _say(self, located: Iterable[Located]) -> None:
        new = [item for item in located if not self._follows(item)]
        self.remarks += ((self._line(path), sentence) for path, sentence in sentences(new, Pipeline).items())

    def _follows(self, item: Located) -> bool:
        """Say whether an error follows from an earlier remark, or from a variable that is not set."""
        # A validator of ours looks at a list as a whole.
        lists = (path[:-1] for path in self._useless if path and isinstance(path[-1], int))
        is_list = item.error["type"] == "value_error" and item.path in lists
        return is_list or self._damaged.touch(item.about) or _within(item.path, self._useless)

    def _take_out(self, data: dict[str, Any], located: Iterable[Located]) -> None:
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

    def _references(self) -> Iterator[Finding]:
        assert self.pipeline is not None
        if self.like is None or self.differs & _WIRED:
            try:
                plan(self.pipeline)
            except WiringError as error:
                yield from error.findings
        if self.like is None or self.differs & (_WIRED | {"backend"}):
            yield from missing_declarations(self.pipeline)


def _hides_a_key(path: Path) -> bool:
    """Say whether a key of a step is none: it may have been meant for `script_directory`, whose default is another."""
    return path[0] == "steps" and len(path) > 2 and path[2] not in Step.model_fields


def names_files(path: Path) -> bool:
    """Say whether the place holds the name of a file that Azure gets."""
    return path[0] != "datasets" and len(path) > 2 and path[2] in _NAMES_FILES.get(str(path[0]), ())


def unset(missing: Iterable[Missing]) -> Iterator[tuple[Missing, str]]:
    """Say, once for each line, which variables have to be set."""
    seen = set()
    for item in missing:
        if (item.line, item.variable) not in seen:
            seen.add((item.line, item.variable))
            owner, key = described(item.path)
            prefix = f"{owner}: " if owner else ""
            yield item, f"{prefix}{key} needs {item.variable}; set it in the environment or in .env"


class _Places:
    """Paths in the data, and whether another lies above or below one of them."""

    def __init__(self) -> None:
        self.paths: set[Path] = set()
        self._above: set[Path] = set()

    def add(self, path: Path) -> None:
        self.paths.add(path)
        self._above.update(path[:length] for length in range(len(path)))

    def touch(self, path: Path) -> bool:
        return path in self._above or _within(path, self.paths)


def _within(path: Path, paths: set[Path]) -> bool:
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


def _put(data: Any, path: Path, value: Any) -> None:
    holder = _holder(data, path)
    if holder is not None:
        holder[path[-1]] = value


def _drop(data: Any, path: Path) -> None:
    holder = _holder(data, path)
    if holder is not None:
        holder.pop(path[-1], None)


def _holder(data: Any, path: Path) -> Any:
    """Return what the last part of the path is in; None when it was taken out with something above it."""
    for part in path[:-1]:
        if isinstance(data, dict) and part not in data:
            return None
        data = data[part]
    return data

"""What `invoke validate` found, as text, as annotations of a CI run, or as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from azml_tasks.errors import Problem, UsageError
from azml_tasks.tasks.task import with_target
from azml_tasks.text import did_you_mean, listed, printable

FORMATS = ("text", "github", "azure-devops", "json")
# The shape of the JSON; docs/ci.md describes it.
JSON_VERSION = 1
Level = Literal["error", "note", "limit"]


def check_format(name: str) -> None:
    """Raise UsageError if that is not a format."""
    if name not in FORMATS:
        raise UsageError(f"--format must be {listed(FORMATS, 'or')}, not '{name}'{did_you_mean(name, FORMATS)}")


@dataclass(frozen=True)
class Validation:
    """The problems of a project, its notes, and the limits of Azure that no change of the file avoids.

    `file` is the project's pipeline.yaml, and `counts` what it declares, without a problem alone.
    """

    target: str | None
    file: Path | None
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    limits: tuple[Problem, ...] = ()
    strict: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_valid(self) -> bool:
        """Whether nothing is an error; with `strict` notes are errors."""
        return not self.problems and not (self.strict and self.notes)

    def show(self, format_name: str) -> None:
        """Print all that was found."""
        lines = {
            "text": self._as_text,
            "github": self._as_github,
            "azure-devops": self._as_azure_devops,
            "json": self._as_json,
        }[format_name]
        for line in lines():
            print(printable(line))

    def _found(self) -> Iterator[tuple[Level, Problem]]:
        yield from (("error", problem) for problem in self.problems)
        yield from (("error" if self.strict else "note", note) for note in self.notes)
        yield from (("limit", limit) for limit in self.limits)

    def _message(self, problem: Problem) -> str:
        return with_target(problem.text, self.target or "")

    def _as_text(self) -> Iterator[str]:
        for level, problem in self._found():
            yield f"{problem.place}: {'' if level == 'error' else 'note: '}{problem.text}"
        if self.is_valid:
            yield self._summary()

    def _summary(self) -> str:
        parts = [_counted(number, noun) for noun, number in self.counts.items() if number]
        return f"{self.file.name if self.file else 'pipeline.yaml'} is valid: {listed(parts)}."

    def _as_github(self) -> Iterator[str]:
        """Yield workflow commands; a file is relative to the repository, and the log shows the message alone."""
        for level, problem in self._found():
            command = {"error": "error", "note": "warning", "limit": "notice"}[level]
            line = f",line={problem.line}" if problem.line else ""
            place = f"file={_github_property(self._repository_path(problem.file))}{line}"
            yield f"::{command} {place}::{_github_data(f'{problem.place}: {self._message(problem)}')}"
        if self.is_valid:
            yield self._summary()

    def _repository_path(self, name: str) -> str:
        """Return a path of the project relative to the repository that GitHub checked out."""
        return self._path_in(os.environ.get("GITHUB_WORKSPACE") or os.curdir, name) or name

    def _path_in(self, folder: str, name: str) -> str:
        """Return a path of the project relative to a folder, whatever links lead there; empty if it is not in it."""
        root = os.path.realpath(folder)
        path = os.path.join(os.path.realpath(self.file.parent), name) if self.file else name
        inside = self.file and path.startswith(os.path.join(root, ""))
        return os.path.relpath(path, root).replace(os.sep, "/") if inside else ""

    def _as_azure_devops(self) -> Iterator[str]:
        """Yield logging commands; the pipeline's own exit status decides how the task ends.

        Paths are absolute and begin with the agent's name of the folder with the sources. The agent makes those
        relative to their repository (azure-pipelines-agent, BuildJobExtension) and leaves all others as they are.
        """
        sources = os.environ.get("BUILD_SOURCESDIRECTORY", "")
        for level, problem in self._found():
            kind = "error" if level == "error" else "warning"
            inside = self._path_in(sources, problem.file) if sources else ""
            folder = sources if inside else self.file.parent if self.file else ""
            path = os.path.join(folder, inside or problem.file)
            line = f"linenumber={problem.line};" if problem.line else ""
            place = f"sourcepath={_devops_property(path)};{line}"
            text = _devops_data(f"{problem.place}: {self._message(problem)}")
            yield f"##vso[task.logissue type={kind};{place}]{text}"
        if self.is_valid:
            yield self._summary()

    def _as_json(self) -> Iterator[str]:
        found = [
            {
                "file": problem.file,
                "line": problem.line or None,
                "level": "error" if level == "error" else "note",
                "message": self._message(problem),
            }
            for level, problem in self._found()
        ]
        content = {
            "version": JSON_VERSION,
            "file": self.file.name if self.file else None,
            "target": self.target,
            "valid": self.is_valid,
            "counts": dict(self.counts) or None,
            "problems": found,
        }
        yield json.dumps(content, indent=2)


def _counted(number: int, nouns: str) -> str:
    return f"{number} {nouns.removesuffix('s')}" if number == 1 else f"{number} {nouns}"


def _github_data(text: str) -> str:
    """Escape a message as GitHub's own library does (actions/toolkit, command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _github_property(text: str) -> str:
    return _github_data(text).replace(":", "%3A").replace(",", "%2C")


def _devops_data(text: str) -> str:
    """Escape a message as the agent reads it (azure-pipelines-agent, CommandStringConvertor)."""
    return text.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")


def _devops_property(text: str) -> str:
    return _devops_data(text).replace(";", "%3B").replace("]", "%5D")

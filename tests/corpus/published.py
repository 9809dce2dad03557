"""The list of published scripts, and their files as a project's."""

from __future__ import annotations

import json
import posixpath
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("scripts.jsonl")
# What stands for a value that only a run has: a folder, a dataset, what a cell of a notebook has computed.
UNKNOWN = "1"
_CELL = re.compile(r"\s*%%writefile\s+(?P<name>\S+)[^\n]*\n")


@dataclass(frozen=True)
class Published:
    """A script at a commit of a repository, and what its builder passes.

    An argument is a text, null when only a run has its value, or names a dataset; `inputs` are the names of other
    datasets. `cell` is the place of the cell that writes the script, if its builder is a notebook that does.
    """

    repository: str
    commit: str
    builder: str
    step: str
    directory: str
    script: str
    arguments: Sequence[str | Mapping[str, str] | None]
    inputs: Sequence[str] = ()
    cell: int | None = None

    @property
    def name(self) -> str:
        """Where it is."""
        return f"{self.repository}: {self.builder}: {posixpath.join(self.directory, self.script)}"

    def step_keys(self, *, folders: bool = False) -> dict[str, object]:
        """Return the keys of a step that passes the same; with `folders`, values that only a run has are folders."""
        datasets: dict[str, str] = {name: name for name in self.inputs}
        outputs: list[str] = []
        words: list[str] = []
        for value in self.arguments:
            option = words[-1] if words else ""
            takes = option.startswith("--") and option not in outputs
            if isinstance(value, str):
                words.append(value)
            elif isinstance(value, Mapping) and takes:
                datasets[words.pop()] = value["dataset"]
            elif folders and takes and value is None:
                outputs.append(words.pop())
            else:
                if isinstance(value, Mapping):
                    datasets[value["dataset"]] = value["dataset"]
                words.append(UNKNOWN)
        return {"arguments": words, "input_datasets": datasets, "output_folders": outputs}


def published(file: Path = LIST) -> list[Published]:
    """Return the list."""
    return [Published(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


class Clones:
    """The clones in a folder: `FOLDER/owner+name`, `FOLDER/owner/name` or `FOLDER/name`, each bare or not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[tuple[str, str], Mapping[str, bytes]] = {}

    def git_directory(self, repository: str) -> Path | None:
        """Return the git directory of a repository's clone, None if there is none."""
        owner, name = repository.split("/")
        for place in (f"{owner}+{name}", f"{owner}/{name}", name):
            for inner in (".", "repo", ".git", "repo/.git"):
                if (self._folder / place / inner / "objects").is_dir():
                    return self._folder / place / inner
        return None

    def files(self, script: Published) -> Mapping[str, bytes]:
        """Return the Python files around a script by their paths; none if the clone or its commit is missing."""
        is_written = script.cell is not None
        key = (script.repository, script.builder if is_written else "")
        if key not in self._read:
            git = self.git_directory(script.repository)
            pattern = script.builder if is_written else "*.py"
            self._read[key] = dict(_contents(git, script.commit, pattern)) if git else {}
        found = self._read[key]
        return dict(_written(found[script.builder], script)) if is_written and found else found


def _contents(git: Path, commit: str, pattern: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a commit with that path or ending, and their contents."""
    command = ["git", f"--git-dir={git}"]
    listed = subprocess.run([*command, "ls-tree", "-r", "-z", commit], capture_output=True, check=False).stdout
    blobs = {}
    for line in listed.decode("utf-8", "surrogateescape").split("\0"):
        entry, _, path = line.partition("\t")
        if path == pattern or (pattern[0] == "*" and path.endswith(pattern[1:])):
            blobs[path] = entry.split()[2]
    names = "".join(f"{name}\n" for name in blobs.values()).encode()
    answer = subprocess.run([*command, "cat-file", "--batch"], input=names, capture_output=True, check=True).stdout
    for path in blobs:
        head, _, answer = answer.partition(b"\n")
        size = int(head.split()[2])
        yield path, answer[:size]
        answer = answer[size + 1 :]


def _written(notebook: bytes, script: Published) -> Iterator[tuple[str, bytes]]:
    """Yield the Python files that cells of a notebook write beside the script, and the script itself."""
    cells = json.loads(notebook)["cells"]
    sources = ["".join(cell["source"]) if cell["cell_type"] == "code" else "" for cell in cells]
    found = {place: match for place, source in enumerate(sources) if (match := _CELL.match(source))}
    assert script.cell is not None
    folder = posixpath.dirname(found[script.cell]["name"])
    for place, match in [*found.items(), (script.cell, found[script.cell])]:
        name = match["name"].strip("'\"")
        if posixpath.dirname(match["name"]) == folder and name.endswith(".py"):
            path = posixpath.join(script.directory, posixpath.basename(name))
            yield posixpath.normpath(path), sources[place][match.end() :].encode()

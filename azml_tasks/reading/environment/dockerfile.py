"""Find the files that a Dockerfile copies from its build folder."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

_HEREDOC = r"<<-?\s*([\"']?)(\w+)\1"
_ESCAPE = r"(?i)#\s*escape\s*=\s*`"
_REMOTE = r"(?i)(https?://|git@|git://|ssh://)"
_MOUNT = r"--mount=(\S+)"


class Copied(NamedTuple):
    """Files that an instruction copies: its first line and its name, `RUN` for a mount."""

    line: int
    instruction: str
    files: tuple[str, ...]


def copied_files(text: str) -> Iterator[Copied]:
    """Yield what COPY, ADD and mounts copy from the build folder, not from another stage, a URL or a text."""
    for number, instruction, arguments in _instructions(text):
        if instruction in ("COPY", "ADD"):
            files = tuple(_sources(instruction, arguments))
        elif instruction == "RUN":
            files = tuple(_mounted(arguments))
        else:
            continue
        if files:
            yield Copied(number, instruction, files)


def _instructions(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield each instruction with its first line and its arguments; bodies of heredocs are left out."""
    lines = text.splitlines()
    escape = "`" if lines and re.match(_ESCAPE, lines[0]) else "\\"
    place = 0
    while place < len(lines):
        first, joined = place, ""
        while place < len(lines):
            line = lines[place].rstrip()
            place += 1
            if line.lstrip().startswith("#") or (joined and not line):
                continue
            joined += line.removesuffix(escape) + " "
            if not line.endswith(escape):
                break
        for _, end in re.findall(_HEREDOC, joined):
            while place < len(lines) and lines[place].strip() != end:
                place += 1
            place += 1
        instruction, _, arguments = joined.strip().partition(" ")
        if instruction:
            yield first + 1 + _skipped(lines, first), instruction.upper(), arguments.strip()


def _skipped(lines: list[str], first: int) -> int:
    """Return the number of comments and empty lines before an instruction."""
    count = 0
    while first + count < len(lines) - 1 and (
        not lines[first + count].strip() or lines[first + count].lstrip()[0] == "#"
    ):
        count += 1
    return count


def _sources(instruction: str, arguments: str) -> Iterator[str]:
    words = arguments.split()
    flags = [word for word in words if word.startswith("--")]
    if any(flag.startswith("--from=") for flag in flags):
        return
    rest = arguments
    for flag in flags:
        rest = rest.replace(flag, "", 1)
    for source in _words(rest.strip())[:-1]:
        if not source.startswith("<<") and not (instruction == "ADD" and re.match(_REMOTE, source)):
            yield source


def _words(text: str) -> list[str]:
    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, list):
            return [word for word in found if isinstance(word, str)]
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _mounted(arguments: str) -> Iterator[str]:
    for mount in re.findall(_MOUNT, arguments):
        options = dict(part.partition("=")[::2] for part in mount.split(","))
        if options.get("type", "bind") == "bind" and "from" not in options:
            yield options.get("source") or options.get("src") or "."

"""Resolve requirements for another Python and platform, with uv, or with pip if this is that Python and platform."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from azml_tasks.lock.index import index_options
from azml_tasks.lock.wanted import Wanted
from azml_tasks.secrets import redact
from azml_tasks.text import shortened

Why = Literal["impossible", "source", "index", "tool"]
# What uv knows of, from the oldest.
_MANYLINUX = ("2_17", "2_28", "2_31", "2_32", "2_33", "2_34", "2_35", "2_36", "2_37", "2_38", "2_39", "2_40")
_MOST = 400
_SOURCE = re.compile(
    r"failed to (?:download and )?build:? [`']?(?P<package>[^`'\s]+)"
    r"|building source distributions for [`'](?P<other>[^`']+)"
    r"|metadata-generation-failed|getting requirements to build|preparing metadata .* did not run",
    re.IGNORECASE,
)
_INDEX = re.compile(
    r"failed to fetch|error sending request|could not connect|connection (?:refused|error|broken)|dns error|timed out"
    r"|temporary failure in name resolution|max retries exceeded|NewConnectionError",
    re.IGNORECASE,
)


class UnresolvedError(Exception):
    """Requirements were not resolved; `why` is the kind of reason, the text the tool's reason in short."""

    def __init__(self, why: Why, reason: str = "") -> None:
        super().__init__(reason)
        self.why = why


def resolve(wanted: Wanted, kept: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the versions of all packages that the requirements need, as lines of a requirements file.

    `kept` are versions that are kept where they fit. Raises UnresolvedError.
    """
    uv = find_uv()
    if uv:
        return _with_uv(uv, wanted, tuple(kept))
    if _is_here(wanted):
        return _with_pip(wanted, tuple(kept))
    raise UnresolvedError("tool")


def find_uv() -> str | None:
    """Return the program uv: on PATH, or of the package uv in this Python."""
    found = shutil.which("uv")
    if found:
        return found
    try:
        import uv
    except ImportError:
        return None
    try:
        return str(uv.find_uv_bin())
    except (AttributeError, FileNotFoundError):
        return None


def _is_here(wanted: Wanted) -> bool:
    """Return whether pip, which resolves for the Python that runs it, would resolve for the wanted one."""
    library, version = platform.libc_ver()
    return (
        wanted.python == ".".join(platform.python_version_tuple()[:2])
        and sys.platform == "linux"
        and platform.machine() == "x86_64"
        and library == "glibc"
        and _numbers(version) <= _numbers(wanted.glibc)
    )


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)[:2]]


def _with_uv(uv: str, wanted: Wanted, kept: tuple[str, ...]) -> tuple[str, ...]:
    newest = [name for name in _MANYLINUX if _numbers(name) <= _numbers(wanted.glibc)]
    options, variables = index_options(os.environ)
    lines = [line for line in wanted.lines if line.strip() != "--pre"]
    options += ["--prerelease", "allow"] if len(lines) < len(wanted.lines) else []
    # An empty folder, so that settings of the project's own pyproject.toml do not count.
    with tempfile.TemporaryDirectory() as name:
        file, constraints, result = (Path(name, part) for part in ("in.txt", "kept.txt", "out.txt"))
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        constraints.write_text("".join(f"{pin}\n" for pin in kept), encoding="utf-8")
        command = [uv, "pip", "compile", str(file), "--output-file", str(result), "--python-version", wanted.python]
        # The Python that builds what has no wheel; otherwise uv starts every Python on PATH to find one.
        command += ["--python", sys.executable]
        command += ["--python-platform", f"x86_64-manylinux_{newest[-1] if newest else _MANYLINUX[0]}"]
        # Like pip, which installs in the image: the best version of all indexes.
        command += ["--index-strategy", "unsafe-best-match", "--no-header", "--no-annotate", "--no-progress", "--quiet"]
        # For newest versions, what uv remembers of the indexes is not enough.
        command += [*options, "--color", "never", *(() if kept else ("--refresh",))]
        try:
            _run([*command, "--constraint", str(constraints)], name, variables)
        except UnresolvedError as error:
            if not kept or error.why != "impossible":
                raise
            # Not all of them fit; uv keeps those that the output file has, as far as it can.
            result.write_text(constraints.read_text(encoding="utf-8"), encoding="utf-8")
            _run(command, name, variables)
        return tuple(line for line in result.read_text(encoding="utf-8").splitlines() if _is_pin(line))


def _is_pin(line: str) -> bool:
    """Return whether a line of the result is a package; indexes, and comments, are not stored."""
    return bool(line.strip()) and not line.startswith(("#", "-", " "))


def _with_pip(wanted: Wanted, kept: tuple[str, ...]) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as name:
        file, constraints, report = (Path(name, part) for part in ("in.txt", "kept.txt", "report.json"))
        file.write_text("".join(f"{line}\n" for line in wanted.lines), encoding="utf-8")
        constraints.write_text("".join(f"{pin}\n" for pin in kept), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        command += ["--disable-pip-version-check", "--report", str(report), "-r", str(file)]
        try:
            _run([*command, "-c", str(constraints)], name, {})
        except UnresolvedError:
            if not kept:
                raise
            # What is kept may not fit any more.
            _run(command, name, {})
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    return tuple(sorted(map(_pin_of, found), key=str.lower))


def _pin_of(item: Mapping[str, object]) -> str:
    metadata, source = item["metadata"], item.get("download_info")
    assert isinstance(metadata, dict)
    name = re.sub(r"[-_.]+", "-", str(metadata["name"])).lower()
    if item.get("is_direct") and isinstance(source, dict):
        vcs = source.get("vcs_info")
        address = source["url"]
        return f"{name} @ {vcs['vcs']}+{address}@{vcs['commit_id']}" if vcs else f"{name} @ {address}"
    return f"{name}=={metadata['version']}"


def _run(command: list[str], folder: str, variables: Mapping[str, str]) -> None:
    """Run the tool; raises UnresolvedError with its reason if it fails."""
    environment = {**os.environ, **variables}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, check=False, capture_output=True, text=True, errors="replace"
        )
    except OSError as error:
        raise UnresolvedError("tool", f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        raise _unresolved(done.stderr or done.stdout)


def _unresolved(printed: str) -> UnresolvedError:
    reason = _in_short(printed)
    # First, because the reason why there is no solution may quote what was not built.
    if not re.search(
        "no solution found|unsatisfiable|no matching distribution|conflicting dependencies", printed, re.I
    ):
        if _INDEX.search(printed):
            return UnresolvedError("index", reason)
        if found := _SOURCE.search(printed):
            package = found["package"] or found["other"] or ""
            return UnresolvedError("source", package or reason)
    return UnresolvedError("impossible", reason)


def _in_short(printed: str) -> str:
    """Return the tool's reason on one line, without its marks and without what it says of itself."""
    lines = [
        re.sub(r"^[\s\u00d7\u2500-\u25ff]*(?:(?:error|cause|ERROR|hint): )?", "", line).strip()
        for line in printed.splitlines()
    ]
    lines = [
        line for line in lines if line and not line.startswith(("No solution found", "WARNING", "warning:", "[notice]"))
    ]
    return shortened(redact(" ".join(lines)), _MOST)

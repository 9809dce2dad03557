"""Lock files: `locks/NAME.txt`, a requirements file with a head that says what it was resolved from."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from azml_tasks.errors import AzmlError, Problem, ProjectError
from azml_tasks.lock.wanted import Wanted, wanted_of
from azml_tasks.packages import required_name
from azml_tasks.plan import Plan
from azml_tasks.reading import Project
from azml_tasks.reading.environment.conda import packages_needed

FOLDER = "locks"
_HEAD = """\
# Written by `invoke lock`. Commit this file; `register-env` and Azure ML install these versions.
# for: {platform}
# from: {digest}
"""
_FROM = re.compile(r"^# from: ([0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True)
class Lock:
    """A lock: the digest of what it was resolved from, and its lines, such as `numpy==2.2.6`."""

    digest: str
    pins: tuple[str, ...]

    @property
    def versions(self) -> dict[str, str]:
        """The versions by the names of the packages, or the addresses of those from elsewhere."""
        pairs = (re.split(r"\s*(?:==|@)\s*", pin, maxsplit=1) for pin in self.pins)
        return {pair[0]: pair[-1] for pair in pairs}

    def lacks(self, packages: Iterable[str]) -> list[str]:
        """Return the packages that it does not have."""
        locked = set(map(required_name, self.versions))
        return [package for package in packages if required_name(package) not in locked]


def lock_path(directory: Path, name: str) -> Path:
    """Return where the lock of an environment is."""
    return directory / FOLDER / f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.txt"


def read_lock(directory: Path, name: str) -> Lock | None:
    """Return the lock of an environment, whatever it was resolved from; None without one that can be read."""
    try:
        text = lock_path(directory, name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    found = _FROM.search(text)
    lines = (line.strip() for line in text.splitlines())
    return Lock(found[1] if found else "", tuple(line for line in lines if line and not line.startswith("#")))


def write_lock(directory: Path, wanted: Wanted, pins: tuple[str, ...]) -> None:
    """Write the lock of an environment, at once or not at all.

    Raises AzmlError if the folder leads out of the project, or cannot be written.
    """
    from azml_tasks.snapshot.files import leads_out

    file = lock_path(directory, wanted.name)
    if leads_out(file, directory):
        raise AzmlError(f"{FOLDER}/{file.name} is outside the project (through a link)")
    text = _HEAD.format(platform=wanted.platform, digest=wanted.digest) + "".join(f"{pin}\n" for pin in pins)
    partial = None
    try:
        file.parent.mkdir(exist_ok=True)
        descriptor, partial = tempfile.mkstemp(".partial", dir=file.parent)
        with open(descriptor, "w", encoding="utf-8", newline="\n") as opened:
            opened.write(text)
        os.chmod(partial, 0o644)
        os.replace(partial, file)
    except OSError as error:
        if partial:
            with contextlib.suppress(OSError):
                os.unlink(partial)
        raise AzmlError(f"cannot write {FOLDER}/{file.name}: {error.strerror}") from None


def current_lock(plan: Plan, name: str, directory: Path, *, in_a_job: bool = False) -> Lock | None:
    """Return the lock of an environment if it was resolved from what the file now says, else None.

    With `in_a_job`, the lock is for jobs of Azure ML v2, which is the default if that is the backend; one that was
    resolved for v1 and has what they need is current, too. On this machine, both are. Raises ProjectError for a file
    that cannot be read.
    """
    lock = read_lock(directory, name)
    if lock is None:
        return None
    backend = "azure-v2" if in_a_job else plan.pipeline.backend
    forms = {one: packages_needed(plan, name, backend=one) for one in ("azure", "azure-v2")}
    own = forms["azure-v2" if backend == "azure-v2" else "azure"]
    if lock.digest == wanted_of(plan, name, directory, own).digest:
        return lock
    if backend == "azure" or (backend == "azure-v2" and lock.lacks(own)):
        return None
    return lock if any(lock.digest == wanted_of(plan, name, directory, one).digest for one in forms.values()) else None


def outdated_locks(project: Project) -> Iterator[Problem]:
    """Yield remarks on locks that do not belong to what the file now says, and so are not used."""
    is_v2 = project.pipeline.backend == "azure-v2"
    for name in project.pipeline.environments:
        with contextlib.suppress(ProjectError):  # of a file that cannot be read, which is another check
            if read_lock(project.directory, name) and not current_lock(project.plan, name, project.directory):
                file = lock_path(project.directory, name).relative_to(project.directory).as_posix()
                # What is resolved depends on the backend: a target of v2 may have a lock of its own.
                target = f" --target {project.target}" if project.target and is_v2 else ""
                message = (
                    f"environment '{name}' changed since {file} was written, so the lock is not used; run "
                    f"`invoke lock{target}`"
                )
                yield project.problem(("environments", name), message)

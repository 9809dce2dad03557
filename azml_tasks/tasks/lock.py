"""The `lock` task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke import Context, Exit

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.tasks.project import is_dry, load
from azml_tasks.tasks.task import TARGET, interruptible, task
from azml_tasks.text import listed, printable

if TYPE_CHECKING:
    from azml_tasks.lock.lockfile import Lock
    from azml_tasks.lock.resolve import UnresolvedError
    from azml_tasks.lock.wanted import Wanted
    from azml_tasks.reading import Project

_MOST_CHANGES = 5
_INSTALL = "install uv, for example with `pip install uv`"


@task(
    help={
        "target": TARGET,
        "check": "Change nothing; exit status 1 if a lock would change.",
        "upgrade": "Take the newest versions instead of keeping the locked ones.",
    }
)
def lock(context: Context, target: str = "", check: bool = False, upgrade: bool = False) -> None:
    """Resolve the pip packages of each environment and write them to locks/."""
    project, dry = load(context, target, needs_values=False), is_dry(context) or check
    problems: list[Problem] = []
    outcomes = set()
    with interruptible("the locks above were written; run `invoke lock` to complete them"):
        for name in project.pipeline.environments:
            outcomes.add(_lock(project, name, upgrade, dry, problems))
    if not project.pipeline.environments:
        print(f"no environments in {project.file.name}")
    if problems:
        raise ProjectError(problems)
    if check and outcomes & {"created", "updated"}:
        raise Exit("run `invoke lock` and commit the changes", code=1)


def _lock(project: Project, name: str, upgrade: bool, dry: bool, problems: list[Problem]) -> str:
    """Lock an environment, print what was done, and return the outcome; adds to `problems` if it failed."""
    from azml_tasks.backend import Change
    from azml_tasks.lock.lockfile import Lock, read_lock, write_lock
    from azml_tasks.lock.resolve import UnresolvedError, resolve
    from azml_tasks.lock.wanted import wanted_of

    wanted = wanted_of(project.plan, name, project.directory)
    if wanted.refusal:
        _say(f"lock {name}: not resolved: {wanted.refusal}")
        return "not resolved"
    before = read_lock(project.directory, name)
    try:
        pins = resolve(wanted, before.pins if before and not upgrade else ())
    except UnresolvedError as error:
        if error.why == "source":
            _say(
                f"lock {name}: not resolved: {error} has no wheel for {wanted.platform} and could not be built here; "
                "the image may be able to build it"
            )
            return "not resolved"
        problems.append(_problem(project, wanted, error))
        return "failed"
    after = Lock(wanted.digest, pins)
    outcome = "created" if before is None else "unchanged" if before == after else "updated"
    if outcome != "unchanged" and not dry:
        write_lock(project.directory, wanted, pins)
    count = f"{len(pins)} {'package' if len(pins) == 1 else 'packages'} for {wanted.platform}"
    changes = _changes(before, after) if before and outcome == "updated" else ""
    _say(str(Change("lock", name, outcome, f"{count}{f'; {changes}' if changes else ''}", dry)))
    if wanted.conda:
        noun = "conda package is" if len(wanted.conda) == 1 else "conda packages are"
        _say(f"note: lock {name}: its {noun} not resolved: {listed(wanted.conda)}")
    return outcome


def _problem(project: Project, wanted: Wanted, error: UnresolvedError) -> Problem:
    """Return why an environment could not be locked, at the requirement that the reason names if it is in the file."""
    from azml_tasks.packages import required_name

    start = f"environment '{wanted.name}': "
    if error.why == "tool":
        found = f" ({error})" if str(error) else ""
        text = f"not resolved for {wanted.platform}{found}: {_INSTALL}"
    elif error.why == "index":
        text = f"the package index did not answer: {error}"
    else:
        text = f"its packages cannot be installed for {wanted.platform}: {error}"
    path: tuple[str | int, ...] = ("environments", wanted.name)
    environment = project.pipeline.environments[wanted.name]
    words = {required_name(word.strip("`',.()")) for word in str(error).split()}
    for place, requirement in enumerate(environment.pip_packages):
        if required_name(requirement) in words:
            path = ("environments", wanted.name, "pip_packages", place)
            break
    if environment.conda_file:
        return Problem(environment.conda_file, 0, start + text)
    return project.problem(path, start + text)


def _changes(before: Lock, after: Lock) -> str:
    """Describe how the versions differ: `numpy 2.2.5 -> 2.2.6, added x, removed y`."""
    old, new = before.versions, after.versions
    changes = [f"{name} {old[name]} -> {new[name]}" for name in new if name in old and old[name] != new[name]]
    changes += [f"added {name} {new[name]}" for name in new if name not in old]
    changes += [f"removed {name}" for name in old if name not in new]
    more = len(changes) - _MOST_CHANGES
    return ", ".join([*changes[:_MOST_CHANGES], *([f"{more} more"] if more > 0 else [])]) or "same versions"


def _say(line: str) -> None:
    print(printable(line), flush=True)

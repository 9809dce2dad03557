"""What a run was started from: command, settings, code, packages, steps, and who started it where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from azml_tasks.plan import Input, Plan

# The most that is kept of lists that may be long.
MOST_CHANGED = 200


class Origin(NamedTuple):
    """How a run was started: its target and command, without secrets.

    `changes` are what `--set` was given.
    """

    target: str = ""
    command: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def is_debugged(self) -> bool:
        """Whether a step ran under a debugger: its result counts for nothing."""
        return any(word in ("--pdb", "--debugpy") for word in self.command)

    @property
    def set_names(self) -> frozenset[str]:
        """The names that `--set` was given values for."""
        return frozenset(change.partition("=")[0] for change in self.changes)


@dataclass(frozen=True)
class Code:
    """The state of the git repository.

    `dirty` is a hash of the uncommitted changes, empty without any; `changed` are the names of the files, of many the
    first, and `count` is how many there are.
    """

    commit: str = ""
    branch: str = ""
    dirty: str = ""
    changed: tuple[str, ...] = ()
    count: int = 0


class Packages(NamedTuple):
    """The Python and the distributions that steps had, by their names; of an environment on Azure, the declared ones.

    `name` is that of the environment, empty for the Python that runs Invoke.
    """

    name: str = ""
    python: str = ""
    packages: Mapping[str, str] = {}


class StepOrigin(NamedTuple):
    """A step as it was declared.

    `after` are the steps before it, `inputs` maps its arguments to what they read, `files` maps its snapshot to
    digests, and `environment` is a key of `Provenance.environments`.
    """

    label: str = ""
    after: tuple[str, ...] = ()
    inputs: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    environment: str = ""


class Provenance(NamedTuple):
    """Everything that a run was started from; `release` is that of azml-tasks, `system` the operating system."""

    release: str = ""
    user: str = ""
    host: str = ""
    system: str = ""
    code: Code | None = None
    environments: Mapping[str, Packages] = {}
    steps: Mapping[str, StepOrigin] = {}

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON has them."""
        return {
            **self._asdict(),
            "code": self.code and vars(self.code),
            "environments": {name: one._asdict() for name, one in self.environments.items()},
            "steps": {key: one._asdict() for key, one in self.steps.items()},
        }

    @classmethod
    def from_json(cls, values: Any) -> Provenance:
        """Return what `to_json` gave; parts that were edited or are missing are left out."""
        found = _dict(values)
        code = found.get("code")
        return cls(
            **{key: _text(found.get(key)) for key in ("release", "user", "host", "system")},
            code=_code(code) if isinstance(code, dict) else None,
            environments={key: _packages(one) for key, one in _dict(found.get("environments")).items()},
            steps={key: _step(one) for key, one in _dict(found.get("steps")).items()},
        )


def _code(values: Mapping[str, Any]) -> Code:
    changed = _texts(values.get("changed"))
    count = values.get("count")
    texts = {key: _text(values.get(key)) for key in ("commit", "branch", "dirty")}
    return Code(**texts, changed=changed, count=count if type(count) is int else len(changed))


def _packages(values: Any) -> Packages:
    found = _dict(values)
    return Packages(_text(found.get("name")), _text(found.get("python")), _pairs(found.get("packages")))


def _step(values: Any) -> StepOrigin:
    found = _dict(values)
    return StepOrigin(
        label=_text(found.get("label")),
        after=_texts(found.get("after")),
        inputs=_pairs(found.get("inputs")),
        files=_pairs(found.get("files")),
        environment=_text(found.get("environment")),
    )


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, (list, tuple)) else ()


def _pairs(value: Any) -> dict[str, str]:
    return {key: item for key, item in _dict(value).items() if isinstance(item, str)}


def settings_of(plan: Plan) -> dict[str, Any]:
    """Return the step_config of each step that has one, with the values of secrets left out."""
    from azml_tasks.secrets import without_secrets

    configs = {step.key: step.step.step_config for step in plan.steps if step.step.step_config is not None}
    return {key: without_secrets("", dict(config)) for key, config in configs.items()}


def step_origins(
    plan: Plan, files: Mapping[str, Mapping[str, str]], environments: Mapping[str, str]
) -> dict[str, StepOrigin]:
    """Return the steps as they are declared; `files` has the hashes of their snapshots, `environments` the names."""
    return {
        step.key: StepOrigin(
            label=step.label,
            after=step.upstream,
            inputs={item.argument or item.name: _source(item) for item in step.inputs},
            files={name: digest[:16] for name, digest in files.get(step.key, {}).items()},
            environment=environments.get(step.key, ""),
        )
        for step in plan.steps
    }


def _source(item: Input) -> str:
    from azml_tasks.plan.plan import DatasetInput

    if isinstance(item, DatasetInput):
        return f"dataset {item.dataset}"
    return f"{item.output.step} {item.output.argument}"


def who() -> Provenance:
    """Return the release, the user, the host and the system of a run that starts here."""
    import getpass
    import platform
    from importlib import metadata

    try:
        release = metadata.version("azml-tasks")
    except metadata.PackageNotFoundError:
        release = ""
    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):  # a user without a name, as in some containers
        user = ""
    system = f"{platform.system()} {platform.release()} {platform.machine()}".strip()
    return Provenance(release=release, user=user, host=platform.node(), system=system)

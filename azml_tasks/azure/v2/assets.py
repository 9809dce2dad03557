"""Assets, which have versions: environments here, data in `data.py`.

The client makes a new version of an asset each time. So the newest version is read first, and one is added only if it
differs. What a version was made of stays in a tag, because Azure does not return all of it (a Dockerfile, an MLTable).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import yaml

from azml_tasks.azure.errors import MissingError, status_of
from azml_tasks.azure.v2.client.connection import Client, found_or_none
from azml_tasks.azure.v2.documents import Documents
from azml_tasks.backend import Change, Outcome
from azml_tasks.errors import ServiceError
from azml_tasks.export.assets import DEFAULT_IMAGE, is_curated
from azml_tasks.lock.lockfile import current_lock
from azml_tasks.packages import SDK_PYTHON, required_name
from azml_tasks.reading import Project
from azml_tasks.reading.environment import conda
from azml_tasks.runs.changes.differences import (
    ABSENT,
    Difference,
    changed_packages,
    difference,
    stated_difference,
)
from azml_tasks.runs.results.registered import Asset, version_of
from azml_tasks.text import did_you_mean

_OURS = "azml_tasks."
# The tag of a version with the digest of what it was made of.
CONTENT = "azml_tasks.content"
# The tag of an environment with what v1 needs, too.
_SHARED = "azml_tasks.shared"
# How often the next version is looked for when another command takes it.
TRIES = 5
_SDK = {"azureml-core", conda.RUN, "azureml-sdk"}
_DEFAULT_IMAGE = re.compile(r"mcr\.microsoft\.com/azureml/openmpi[\d.]+-ubuntu[\d.]+(:.*)?")


def register_environment(client: Client, documents: Documents, name: str, dry: bool = False) -> tuple[str, Change]:
    """Make the newest version of an environment that of the file, and return its version, empty for one to come."""
    from azure.ai.ml import load_environment
    from azure.ai.ml.entities import Environment

    digest = documents.digest("environments", name)
    shared: list[Any] = []  # the newest version, if v1 uses it

    def wanted() -> Any:
        made = load_environment(documents.file("environments", name))
        tags = {**(made.tags or {}), CONTENT: digest}
        if shared:
            packages = _shared_specification(documents.project, name, made, shared[0])
            tags |= {CONTENT: f"{digest}-v1", _SHARED: "v1"}
            return Environment(name=made.name, image=made.image, conda_file=packages, tags=tags)
        made.tags = tags
        return made

    def changed(there: Any) -> list[Difference]:
        shared[:] = [there] if _is_used_by_v1(there) else []
        made = wanted()
        return environment_differences(there, made, made.tags[CONTENT])

    doing = f"registering the environment '{name}'"
    version, change = next_version(client, ("environment", name), (doing, client.ml.environments), wanted, changed, dry)
    note = (f"environment {name}: it keeps {conda.RUN}, because v1 pipelines use its newest version",) if shared else ()
    return version, replace(change, notes=note)


def _is_used_by_v1(there: Any) -> bool:
    """Return whether v1 may run with a version: it has the SDK, and was not made by us for v2 alone."""
    packages = {required_name(one) for one in conda.pip_packages(_specification(there.conda_file))}
    tags = there.tags or {}
    return bool(packages & _SDK) and (CONTENT not in tags or _SHARED in tags)


def _shared_specification(project: Project, name: str, made: Any, there: Any) -> dict[str, Any]:
    """Return the packages of an environment with those that v1 adds. Raises ServiceError if they cannot be added."""
    declared = project.pipeline.environments[name]
    lock = current_lock(project.plan, name, project.directory, in_a_job=True)
    specification = {**_specification(made.conda_file)}
    needed = conda.packages_needed(project.plan, name, backend="azure")
    python = _version(conda.python_requirement(specification))
    why = ""
    if conda.has_own_python(declared) or declared.dockerfile:
        why = "which an environment with an image or a Dockerfile of its own does not get on v2"
    elif python and tuple(map(int, re.findall(r"\d+", python)[:2])) > SDK_PYTHON:
        why = f"which cannot be installed on Python {python}"
    elif lock and lock.lacks(needed):
        why = "which its lock does not have (`invoke lock` for the v1 target adds it)"
    if why:
        text = (
            f"the environment '{name}' is not registered: its newest version {there.version} has {conda.RUN}, {why}; "
            "v1 pipelines that use the newest version would fail without it. Use another name on v2, for example "
            f"'{name}-v2'"
        )
        raise ServiceError(str(project.problem(("environments", name), text)))
    if lock is None:
        # Those of v1 bring what the stand-in for azureml needs to read tables.
        tables = {"pandas", "pyarrow"} if conda.TABLES in needed else set()
        added = [one for one in conda.pip_packages(specification) if required_name(one) not in tables]
        return conda.conda_specification(declared, project.directory, [*needed, *added])
    return specification


def environment_differences(there: Any, wanted: Any, digest: str) -> list[Difference]:
    """Return the differences of a registered environment, among everything that the file can declare."""
    if (there.tags or {}).get(CONTENT) == digest:
        return []
    found: list[Difference] = []
    before, now = (_specification(one.conda_file) for one in (there, wanted))
    python = [conda.python_requirement(one) for one in (before, now)]
    for what, read in (("pip package", conda.pip_packages), ("conda package", conda.conda_packages)):
        old, new = (sorted({*read(one)} - {*python}) for one in (before, now))
        if old != new:
            noun = what.replace(" ", "_")
            found += changed_packages(what, old, new) or [stated_difference(f"{noun}s changed", "environment", noun)]
    values: tuple[tuple[str, Any, Any], ...] = (
        ("python_version", _version(python[0]), _version(python[1])),
        ("channels", list(before.get("channels") or ()), list(now.get("channels") or ())),
        ("base_image", _image(there, wanted), wanted.image or ""),
    )
    for key, was, now_is in values:
        if was != now_is:
            found.append(difference("environment", key, was or ABSENT, now_is or ABSENT))
    if wanted.build or there.build:
        # Azure returns where it keeps a Dockerfile, not what it says.
        found.append(stated_difference("the Dockerfile or its packages changed", "environment", "dockerfile"))
    return found


def _image(there: Any, wanted: Any) -> str:
    """Return the image of a registered environment; any release of the SDK's default counts as our default."""
    image = there.image or ""
    return DEFAULT_IMAGE if wanted.image == DEFAULT_IMAGE and _DEFAULT_IMAGE.fullmatch(image) else image


def _version(python: str) -> str:
    return python.removeprefix("python").lstrip("=")


def _specification(content: Any) -> Mapping[str, Any]:
    parsed = yaml.safe_load(content) if isinstance(content, str) else content
    return parsed if isinstance(parsed, Mapping) else {}


def next_version(
    client: Client,
    subject: tuple[str, str],
    service: tuple[str, Any],
    wanted: Callable[[], Any],
    changed: Callable[[Any], list[Difference]],
    dry: bool,
) -> tuple[str, Change]:
    """Add a version of an asset if the newest one differs; return the version that counts, and the change.

    `subject` is the kind and the name, `service` how an error begins and the client's operations. Raises ServiceError.
    """
    (kind, name), (doing, operations) = subject, service
    made: tuple[str, Outcome, str, list[Difference]] | None = None
    for _ in range(TRIES):
        latest = latest_version(client, doing, operations, name)
        found = [] if latest is None else client.call(doing, partial(changed, latest))
        if latest is not None and not found:
            version = str(latest.version)
            if made and made[0] == version:  # by this command, whose answer was lost
                return version, Change(kind, name, made[1], made[2], differences=tuple(made[3]))
            return version, Change(kind, name, "unchanged", f"version {version}")
        outcome: Outcome = "created" if latest is None else "updated"
        before = "" if latest is None else f"version {latest.version} -> "
        if dry:
            detail = f"{before}a new one" if before else ""
            return "", Change(kind, name, outcome, detail, dry=True, differences=tuple(found))
        version = _following(latest)
        made = version, outcome, f"{before or 'version '}{version}", found
        if put_version(client, doing, operations, wanted, version):
            return version, Change(kind, name, outcome, made[2], differences=tuple(found))
    raise ServiceError(f"{doing} failed: other commands keep adding versions; try again when they have finished")


def put_version(client: Client, doing: str, operations: Any, wanted: Callable[[], Any], version: str) -> bool:
    """Add a version, and return False if another command has added another one of its number."""

    def put() -> bool:
        asset = wanted()
        asset.version = version
        try:
            operations.create_or_update(asset)
        except Exception as error:
            if status_of(error) != 409:
                raise
            return False
        return True

    return client.call(doing, put)


def _following(latest: Any) -> str:
    if latest is None:
        return "1"
    version = str(latest.version)
    return str(int(version) + 1) if version.isdecimal() else f"{version}.1"


def latest_version(client: Client, doing: str, operations: Any, name: str) -> Any | None:
    return client.call(doing, lambda: found_or_none(lambda: operations.get(name, label="latest")))


def missing_packages(client: Client, name: str, packages: Iterable[str]) -> list[str]:
    """Return what an environment of the workspace does not list; nothing if its packages are those of an image."""
    base, _, version = name.partition("@")
    label = None if version not in ("", "latest") else "latest"
    doing = f"looking up the environment '{name}'"
    ask = partial(client.ml.environments.get, base, version=None if label else version, label=label)
    found = client.call(doing, lambda: found_or_none(ask))
    if found is None or not found.conda_file:
        return []
    specification = _specification(found.conda_file)
    listed = {required_name(one) for one in (*conda.pip_packages(specification), *conda.conda_packages(specification))}
    # What brings them.
    brought = {
        "azureml-dataprep": ("pandas",),
        "azureml-dataset-runtime": ("pyarrow", "pandas"),
        conda.MLTABLE: ("pyarrow",),
    }
    there = listed | {one for package in listed for one in brought.get(str(package), ())}
    return [package for package in packages if required_name(package) not in there]


def find_environment(client: Client, name: str) -> str:
    """Return the version of an environment that the file does not declare: `name` for its newest, or `name@version`.

    One of Microsoft's registry has none, because it is named in full. Raises MissingError.
    """
    base, _, version = name.partition("@")
    if is_curated(name):
        number = "" if version == "latest" else version
        if client.history.registry_lacks(base, number):
            what = f"the environment '{base}' has no version {number}" if number else f"no environment '{base}'"
            advice = "`az ml environment list --registry-name azureml` lists what there is"
            raise MissingError(f"{what} in Microsoft's registry 'azureml'; {advice}")
        return ""
    doing = f"looking up the environment '{name}'"
    if version not in ("", "latest"):
        found = client.call(doing, lambda: found_or_none(lambda: client.ml.environments.get(base, version=version)))
    else:
        found = latest_version(client, doing, client.ml.environments, base)
    if found is None:
        there = client.call(doing, lambda: [str(one.name) for one in client.ml.environments.list()])
        if base in there:
            raise MissingError(
                f"the environment '{base}' has no version {version} in the workspace '{client.workspace}'"
            )
        raise MissingError(
            f"no environment '{base}' in the file or the workspace '{client.workspace}'{did_you_mean(base, there)}"
        )
    return str(found.version)


def models(client: Client, every_version: bool) -> list[Asset]:
    """Return the models of the workspace, the newest first: the latest version of each, or all."""
    doing = "listing the models"
    names = client.call(doing, lambda: [str(one.name) for one in client.ml.models.list()])
    found = [
        replace(shown_asset(one), source=one.job_name or "")
        for name in names
        for one in versions_of(client, doing, client.ml.models, name, every_version)
    ]
    return sorted(found, key=lambda asset: asset.created or 0, reverse=True)


def versions_of(client: Client, doing: str, operations: Any, name: str, every_version: bool) -> list[Any]:
    """Return the newest version of an asset, or all, the newest first."""
    if not every_version:
        latest = latest_version(client, doing, operations, name)
        return [] if latest is None else [latest]
    found = client.call(doing, lambda: found_or_none(lambda: [*operations.list(name)])) or []
    return sorted(found, key=lambda one: _created(one) or 0, reverse=True)


def shown_asset(found: Any) -> Asset:
    """Return a version of an asset as it is listed: without the tags of its content."""
    tags = {name: value for name, value in (found.tags or {}).items() if not name.startswith(_OURS)}
    return Asset(str(found.name), version_of(found.version), _created(found), tags=tags)


def _created(found: Any) -> float | None:
    created = getattr(found.creation_context, "created_at", None)
    return created.timestamp() if created else None

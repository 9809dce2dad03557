"""Record in a run's properties what it was started from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from azml_tasks.azure.errors import is_foreign
from azml_tasks.errors import ServiceError
from azml_tasks.plan import Plan
from azml_tasks.reading.environment import conda
from azml_tasks.runs.code import CodeReading
from azml_tasks.runs.origin import Origin, Packages, settings_of, step_origins, who
from azml_tasks.runs.properties import properties_of
from azml_tasks.runs.records import Listener, Remark
from azml_tasks.snapshot import Snapshot

# How long (seconds) to wait for git once the run has been submitted.
_PATIENCE = 5.0


class RunRecording:
    """What a run is started from, read while the run is being submitted."""

    def __init__(self, directory: Path, plan: Plan, origin: Origin, snapshots: Mapping[str, Snapshot]) -> None:
        self._reading = CodeReading(directory)
        self._plan = plan
        self._origin = origin
        self._snapshots = snapshots

    def write(self, run: Any, environments: Mapping[str, Any], say: Listener) -> None:
        """Add the properties to a run of the SDK; `environments` are the SDK's, by their names in the file.

        A failure is reported and does not end anything, because the run has started.
        """
        code = self._reading.result(_PATIENCE)
        names = {step.key: self._plan.pipeline.env_of(step.step) or "" for step in self._plan.steps}
        files = {key: snapshot.hashes for key, snapshot in self._snapshots.items()}
        provenance = who()._replace(
            code=code,
            environments={name: packages_of(one) for name, one in environments.items()},
            steps=step_origins(self._plan, files, names),
        )
        try:
            run.add_properties(properties_of(self._origin, settings_of(self._plan), provenance))
        except Exception as error:
            if not isinstance(error, ServiceError) and not is_foreign(error):
                raise
            say(Remark("Azure ML did not accept the record of what the run was started from"))


def packages_of(environment: Any) -> Packages:
    """Return the name with the version, and the declared packages, of an SDK environment."""
    name = f"{environment.name}:{environment.version}" if environment.version else environment.name
    declared = environment.python.conda_dependencies
    if environment.python.user_managed_dependencies or declared is None:
        return Packages(name)
    packages = [*declared.conda_packages, *declared.pip_packages]
    versions = dict(conda.split_requirement(package) for package in packages)
    return Packages(name, versions.pop("python", ""), versions)

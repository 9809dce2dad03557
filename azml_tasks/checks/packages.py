"""The packages of an environment: what it declares, and what that brings, as far as it is known on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import TYPE_CHECKING

from azml_tasks.errors import ProjectError
from azml_tasks.packages import normal_name, required_name
from azml_tasks.reading import Project
from azml_tasks.reading.environment.conda import DEFAULT_PYTHON, packages_needed
from azml_tasks.reading.environment.requirements import pip_requirement
from azml_tasks.reading.project import files_of
from azml_tasks.snapshot.packages import brought_by, is_known_package, is_namespace, packages_of, pip_name

if TYPE_CHECKING:
    from packaging.requirements import Requirement

# conda installs these with Python.
_WITH_PYTHON = {"python", "pip", "setuptools", "wheel"}
_MOST_PACKAGES = 2_000
# The code of a step on Azure ML v2 contains the stand-in for them.
_CARRIED = {"azureml-core", "azureml-defaults"}


class EnvironmentPackages:
    """The packages of an environment of pipeline.yaml.

    What a declared package brings is known from the lock, if it is up to date, else from the installed package, if the
    environment can get the installed version.
    """

    def __init__(self, project: Project, name: str) -> None:
        self.name = name
        self._project = project
        self._provided: dict[str, bool | None] = {}
        environment = project.pipeline.environments[name]
        declared = files_of(project, name).declared(name)
        self._is_complete = declared.complete
        conda = [text for text in declared.conda if _name(text) not in _WITH_PYTHON]
        self._of_conda = list(map(_as_pip, conda))
        self._requirements = [*declared.pip, *self._of_conda]
        python = next((text for text in declared.conda if _name(text) == "python"), "")
        stated = environment.python_version or python.partition("=")[2].strip("= ") or DEFAULT_PYTHON
        self._python = ".".join(stated.split(".")[:2])
        needed = [_name(package) for package in packages_needed(project.plan, name)]
        self.direct = {_name(text) for text in self._requirements} | _WITH_PYTHON | {*needed}
        self._brought = brought_by(self.direct)
        self.direct |= self._brought
        if project.pipeline.backend == "azure-v2" and environment.azureml == "stand-in":
            self.direct |= _CARRIED

    def provide(self, module: str) -> bool | None:
        """Return whether a package of the environment provides the module; None if that is not known."""
        if module not in self._provided:
            self._provided[module] = self._provides(module)
        return self._provided[module]

    def _provides(self, module: str) -> bool | None:
        candidates = {normal_name(name) for name in packages_of(module)}
        if candidates & self.direct:
            return True
        if not candidates or self._all is None:
            return None
        if candidates & self._all.keys() or any(
            module.partition(".")[0] in _modules_of(found) for found in self._all.values() if found
        ):
            return True
        # A locked package that is not installed here may have a module of any name.
        return None if not is_known_package(module) and self._locked.keys() - self._here else False

    @cached_property
    def _locked(self) -> Mapping[str, str]:
        """The versions of the environment's lock by their names; empty without one that is up to date."""
        from azml_tasks.lock.lockfile import current_lock

        try:
            lock = current_lock(self._project.plan, self.name, self._project.directory)
        except ProjectError:
            return {}
        return {required_name(name) or name: version for name, version in lock.versions.items()} if lock else {}

    @cached_property
    def _here(self) -> frozenset[str]:
        """The locked packages that are installed here."""
        return frozenset(filter(_installed, self._locked))

    @cached_property
    def _all(self) -> dict[str, Distribution | None] | None:
        """The distributions, by their names, of all that the environment gets; None if some are not known.

        None stands for one that is not installed here.
        """
        from packaging.requirements import InvalidRequirement, Requirement

        if not self._is_complete:
            return None
        found: dict[str, Distribution | None] = dict.fromkeys((*_WITH_PYTHON, *self._brought))
        found |= {name: _installed(name) for name in self._locked}
        try:
            waiting = list(map(Requirement, self._of_conda if self._locked else self._requirements))
        except InvalidRequirement:
            return None
        seen: set[tuple[str, frozenset[str]]] = set()
        while waiting:
            requirement = waiting.pop()
            name, extras = normal_name(requirement.name), frozenset(requirement.extras)
            if (name, extras) in seen or name in self._locked or (name in found and found[name] is None):
                continue
            seen.add((name, extras))
            installed = _installed(name)
            if installed is None or not self._fits(installed, requirement) or len(found) > _MOST_PACKAGES:
                return None
            found[name] = installed
            waiting += [
                needed for needed in map(Requirement, installed.requires or ()) if self._applies(needed, extras)
            ]
        return found

    def _fits(self, installed: Distribution, requirement: Requirement) -> bool:
        """Return whether the environment can get the version that is installed here."""
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        wanted = installed.metadata["Requires-Python"] or ""
        try:
            if not SpecifierSet(wanted).contains(f"{self._python}.99" if "." in self._python else self._python):
                return False
        except InvalidSpecifier:
            return False
        return requirement.url is None and requirement.specifier.contains(installed.version, prereleases=True)

    def _applies(self, requirement: Requirement, extras: frozenset[str]) -> bool:
        """Return whether a requirement of a package applies on Linux, for the extras that are asked for."""
        if requirement.marker is None:
            return True
        place = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"}
        place |= {"python_version": self._python, "python_full_version": f"{self._python}.0"}
        return any(requirement.marker.evaluate({**place, "extra": extra}) for extra in extras or ("",))


def _name(requirement: str) -> str:
    return required_name(requirement) or ""


def _as_pip(conda_package: str) -> str:
    """Return conda's requirement as pip writes it, under the name of the package index."""
    name = _name(conda_package)
    requirement = pip_requirement(conda_package) or name
    return pip_name(name) + requirement[len(name) :] if requirement.lower().startswith(name) else pip_name(name)


@cache
def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except (PackageNotFoundError, ValueError):
        return None


@cache
def _modules_of(found: Distribution) -> frozenset[str]:
    """Return the names of the modules that an installed distribution provides."""
    listed = (found.read_text("top_level.txt") or "").split()
    if not listed:
        listed = [str(file).partition("/")[0].removesuffix(".py") for file in found.files or ()]
    return frozenset(name for name in listed if name.isidentifier() and not is_namespace(name))

"""The list of modules and their packages, compared with what is installed here."""

from __future__ import annotations

import json
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from azml_tasks.packages import normal_name
from azml_tasks.snapshot import packages

DATA = json.loads(Path(packages.__file__).with_name("packages.json").read_text(encoding="utf-8"))
NAMED = [(module, name) for module, names in DATA["modules"].items() for name in names]
NAMED += [(name, name) for name in DATA["same"]]


def installed(name: str) -> Distribution | None:
    """Return a distribution; None if it is not installed."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def test_packages_that_are_installed_provide_their_modules():
    wrong = []
    for module, name in NAMED:
        path = module.replace(".", "/")
        found = installed(name)
        files = [str(file) for file in found.files or ()] if found else []
        if found and not any(file.startswith((f"{path}/", f"{path}.", f"lib/{path}/")) for file in files):
            wrong.append((module, name))

    assert wrong == []


def test_what_the_packages_of_every_run_bring():
    for name, brought in DATA["brings"].items():
        found = installed(name)
        needed = [Requirement(text) for text in (found.requires or () if found else ())]
        here = {normal_name(one.name) for one in needed if one.marker is None or one.marker.evaluate()}

        assert here - {*brought} == set()


def test_names_are_as_the_index_compares_them():
    names = [name for _, name in NAMED] + [name for names in DATA["brings"].values() for name in names]

    assert [name for name in names if normal_name(name) != name] == []


@pytest.mark.parametrize(
    ("module", "found"),
    [
        ("sklearn", "scikit-learn"),
        ("azure.storage.blob.aio", "azure-storage-blob"),
        ("my_module", "my-module"),
        ("_compiled", "compiled"),
        ("_", "_"),
        ("azure.unknown", None),
        ("google", None),
    ],
)
def test_the_package_to_suggest(module, found):
    assert next(iter(packages.packages_of(module)), None) == found

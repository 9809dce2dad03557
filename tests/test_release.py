"""What has to agree with something else in the repository."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.markers import Marker

import azml_tasks

ROOT = Path(__file__).parents[1]
_BOUND = re.compile(r'"([A-Za-z0-9-]+)>=([\d.]+)(?:; ([^"]+))?"')
_OLDEST_PYTHON = {"python_version": "3.10"}


def test_the_oldest_releases_that_are_tested_are_those_that_pyproject_admits() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    dependencies = pyproject[pyproject.index("\ndependencies") : pyproject.index("[tool.hatch")]
    bounds = {
        name: version
        for name, version, condition in _BOUND.findall(dependencies)
        if not condition or Marker(condition).evaluate(_OLDEST_PYTHON)
    }
    lines = (ROOT / "tests" / "lowest.txt").read_text(encoding="utf-8").splitlines()
    held = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {name: _numbers(version) for name, version in held.items()} == {
        name: _numbers(version) for name, version in bounds.items()
    }


def test_the_tests_get_what_the_azure_side_needs() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = dict(re.findall(r"^(\w+) = \[\n(.*?)^\]$", pyproject, re.MULTILINE | re.DOTALL))
    azure, test = (dict(re.findall(r'"([\w-]+)>=([\d.]+)', extras[name])) for name in ("azure", "test"))
    assert azure.keys() <= test.keys()
    assert {name: test[name] for name in azure if name.startswith("azure")} == {
        name: azure[name] for name in azure if name.startswith("azure")
    }


def test_the_changelog_has_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{azml_tasks.__version__}]" in changelog


def test_the_decisions_index_names_each_page() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    pages = sorted(page.name for page in (ROOT / "docs" / "decisions").glob("0*.md"))
    assert re.findall(r"\((\d{4}-[\w-]+\.md)\)", index) == pages


def _numbers(version: str) -> list[int]:
    """Return the parts of a version, trailing zeros left out: 6.100 is 6.100.0."""
    numbers = [int(part) for part in version.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers

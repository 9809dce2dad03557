"""Names and bounds of distributions."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from azml_tasks.packages import OLDEST_PYTHON, OLDEST_SDK, SDK_PYTHON, normal_name, required_name
from azml_tasks.standin.azml_local.sdk import sdk

PYPROJECT = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["numpy", "Scikit_Learn", "a.-_b", "ruamel.yaml", "A__B"])
def test_a_name_is_normalised_as_packaging_does(name):
    assert normal_name(name) == canonicalize_name(name)


@pytest.mark.parametrize(
    "requirement",
    ["numpy", "Scikit_Learn>=1", "pandas == 2.2", "a[extra]~=1.0", "b; python_version > '3.9'", "c @ https://x/c.whl"],
)
def test_the_name_of_a_requirement_is_the_one_that_packaging_reads(requirement):
    assert required_name(requirement) == canonicalize_name(Requirement(requirement).name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("conda-forge::numpy=1.26", "numpy"),
        (" numpy 1.26 py310_0 ", "numpy"),
        ("numpy=1.26=py310_0", "numpy"),
        ("git+https://host/repository", None),
        ("https://host/a.whl", None),
        ("./a.whl", None),
        ("--index-url https://host", None),
        ("", None),
    ],
)
def test_conda_s_channel_is_passed_over_and_what_names_no_distribution_has_none(text, name):
    assert required_name(text) == name


def test_the_bounds_are_those_of_pyproject():
    (python,) = (line.split('"')[1] for line in PYPROJECT.splitlines() if line.startswith("requires-python"))
    core = next(line for line in PYPROJECT.splitlines() if '"azureml-core>=' in line and "python_version" in line)
    requirement = Requirement(core.strip().strip(",").strip('"'))

    assert SpecifierSet(python) == SpecifierSet(f">={OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]}")
    assert requirement.specifier == SpecifierSet(f">={OLDEST_SDK[0]}.{OLDEST_SDK[1]}")
    admitted = [minor for minor in range(30) if requirement.marker.evaluate({"python_version": f"3.{minor}"})]
    assert max(admitted) == SDK_PYTHON[1]


@pytest.mark.parametrize("beyond", [False, True])
def test_the_stand_in_has_the_same_bound_for_the_sdk(monkeypatch, beyond):
    monkeypatch.setattr(sdk.sys, "version_info", (3, SDK_PYTHON[1] + beyond, 0))

    assert ("(needs Python 3.10 or 3.11)" in sdk.absent("azureml.core.Environment")) == beyond

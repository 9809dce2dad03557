"""Conda files made to break their reader."""

from __future__ import annotations

import pytest

from azml_tasks.errors import ProjectError
from azml_tasks.local.environments import read_conda_file

BOMB = "a: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BOMB + "dependencies: [*a8]\n", ":6: the file contains more than 200,000 values, with each alias"),
        ("dependencies: " + "[" * 20_000 + "]" * 20_000, ":1: nested more than 100 levels deep"),
        ("dependencies: [!!python/object/apply:os.system [x]]", ":1: the tag !!python/object/apply:os.system is not"),
        ("- numpy\n", ":1: this is not a conda file: expected a list of `dependencies`, found a list"),
        ("#" * 5_000_001, ": the file is larger than 5 MB"),
    ],
    ids=["aliases", "brackets", "tag", "list", "large"],
)
def test_a_conda_file_is_read_within_bounds(tmp_path, text, problem):
    (tmp_path / "conda.yml").write_text(text)

    with pytest.raises(ProjectError) as raised:
        read_conda_file(tmp_path, "conda.yml")

    assert str(raised.value).startswith(f"conda.yml{problem}")


def test_a_conda_file_has_packages_of_both_kinds_and_a_python(tmp_path):
    text = (
        "dependencies: [conda-forge::python=3.10.*, pip, pip=24, python-dateutil, numpy, {pip: }, {pip: [tiny, other]}]"
    )
    (tmp_path / "conda.yml").write_text(text)

    assert read_conda_file(tmp_path, "conda.yml") == (["tiny", "other"], ["python-dateutil", "numpy"], "3.10")

"""The examples of the documentation and of the README, whole: what is expected stands in golden/."""

from __future__ import annotations

import pytest

from azml_tasks.export import export
from tests.export.golden import EXAMPLES, HERE, shown


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_becomes_what_stands_beside(name, tmp_path):
    exported = export(EXAMPLES[name](tmp_path / name))

    assert shown(exported) == (HERE / f"{name}.txt").read_text(encoding="utf-8")

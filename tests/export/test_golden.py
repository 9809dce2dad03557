"""The examples of the documentation and of the README, whole: what is expected stands in golden/."""

from __future__ import annotations

import pytest

from azml_tasks.export import export, write
from azml_tasks.tasks.export import lines
from tests.docs.blocks import blocks_of
from tests.export.golden import EXAMPLES, HERE, shown


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_becomes_the_files_beside_it(name, tmp_path):
    exported = export(EXAMPLES[name](tmp_path / name))

    assert shown(exported) == (HERE / f"{name}.txt").read_text(encoding="utf-8")


def test_what_the_documentation_shows_is_what_the_readme_s_example_becomes(tmp_path):
    made = export(EXAMPLES["churn"](tmp_path / "churn"))
    exported = shown(made)
    printed = next(block.text for block in blocks_of("docs/export.md") if block.language == "console").splitlines()

    assert all(block.text in exported for block in blocks_of("docs/export.md") if block.language == "yml")
    assert [line for line in printed if ": created" in line] == list(lines(write(tmp_path, made.files)))
    assert all(line.replace(" note:", "") in exported for line in printed if " note: " in line)

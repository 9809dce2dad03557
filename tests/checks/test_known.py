"""What was found about a script is stored, and used as long as nothing that it depends on has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from azml_tasks.checks import contract, files
from azml_tasks.checks.files import check_project
from azml_tasks.reading import load_project

PIPELINE = "backend: local\nsteps:\n  s:\n    script_name: s.py\n    arguments: {--lr: ten}\n"
SCRIPT = "import argparse\nfrom shared import parser\nparser().parse_args()\n"
SHARED = """\
import argparse
def parser():
    p = argparse.ArgumentParser()
    p.add_argument("--lr", type=float)
    return p
"""
SAID = "pipeline.yaml:5: step 's' passes --lr 'ten', which is not a number (type=float, shared.py:4)"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {"pipeline.yaml": PIPELINE, "s.py": SCRIPT, "shared.py": SHARED}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def said(project: Path, remember: bool = True) -> list[str]:
    return list(
        map(str, check_project(load_project(project / "pipeline.yaml", variables={}), remember=remember).problems)
    )


def looked(project: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Return whether the script is looked at again."""
    steps = []
    find = contract.disagreements
    with monkeypatch.context() as patch:
        patch.setattr(contract, "disagreements", lambda step, *rest: [steps.append(step), *find(step, *rest)][1:])
        said(project)
    return bool(steps)


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_what_was_found_is_used_again(project, monkeypatch):
    assert said(project) == [SAID]
    assert not looked(project, monkeypatch)
    assert said(project) == [SAID]


@pytest.mark.parametrize(
    ("file", "old", "new", "then"),
    [
        ("shared.py", "type=float", "type=str", []),
        ("shared.py", "def parser", "\n\ndef parser", [SAID.replace("py:4", "py:6")]),
        ("s.py", "parser()", "parser( )", [SAID]),
        ("pipeline.yaml", "ten", "10", []),
        ("pipeline.yaml", "steps:", "\nsteps:", [SAID.replace("yaml:5", "yaml:6")]),
        ("pipeline.yaml", "  s:", "  t:", [SAID.replace("'s'", "'t'")]),
    ],
)
def test_what_changed_is_looked_at_again(project, file, old, new, then):
    said(project)
    replace(project / file, old, new)

    assert said(project) == then


def test_a_number_that_is_written_otherwise(project):
    replace(project / "shared.py", "type=float", "choices=['1.0']")
    replace(project / "pipeline.yaml", "ten", "1.0")
    assert said(project) == []
    replace(project / "pipeline.yaml", "1.0", "1.00")

    assert "--lr '1.00', which is not among its choices" in said(project)[0]


def test_another_release_looks_again(project, monkeypatch):
    said(project)
    monkeypatch.setattr(files, "_code_version", lambda: "another")

    assert looked(project, monkeypatch)


@pytest.mark.parametrize("content", ["", "[]", "{", "null", '{"KEY": 1}', '{"KEY": [[["steps"], 1, true]]}'])
def test_a_damaged_file_counts_as_none(project, content):
    said(project)
    file = project / files.KNOWN
    (key,) = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(content.replace("KEY", key), encoding="utf-8")

    assert said(project) == [SAID]


def test_only_what_the_project_has_now_is_kept(project):
    said(project)
    replace(project / "pipeline.yaml", "ten", "10")
    said(project)

    assert list(json.loads((project / files.KNOWN).read_text(encoding="utf-8")).values()) == [[]]


def test_nothing_is_stored_unless_asked_for_nor_outside_the_project(project, tmp_path_factory):
    said(project, remember=False)
    assert not (project / ".azml").exists()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (project / ".azml").symlink_to(elsewhere)

    assert said(project) == [SAID]
    assert not list(elsewhere.iterdir())


def test_what_looks_like_a_secret_is_not_stored(project):
    token = "ghp_" + "aB3dE6gH9" * 4
    replace(project / "shared.py", '"--lr", type=float', f'"--lr", choices=["{token}"]')

    assert len(said(project)) == 1
    assert not (project / files.KNOWN).exists()

"""What was found about a script is stored, and used as long as nothing that it depends on has changed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from azml_tasks.checks import contract
from azml_tasks.checks.files import check_project, step_notes
from azml_tasks.errors import ProjectError
from azml_tasks.reading import load_project
from azml_tasks.snapshot import imports

PIPELINE = "backend: local\nsteps:\n  s:\n    script_name: s.py\n    arguments: {--lr: ten}\n"
SCRIPT = "import argparse\nfrom shared import parser\nparser().parse_args()\n"
SHARED = """\
import argparse
def parser():
    p = argparse.ArgumentParser()
    p.add_argument("--lr", type=float)
    return p
"""
STORED = (".azml/checks.json", ".azml/sources.json")
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


def looked(project: Path, monkeypatch: pytest.MonkeyPatch, check: Callable[[Path], object] = said) -> bool:
    """Return whether a check looks at the script again."""
    steps = []
    find = contract.disagreements
    with monkeypatch.context() as patch:
        patch.setattr(contract, "disagreements", lambda step, *rest: [steps.append(step), *find(step, *rest)][1:])
        check(project)
    return bool(steps)


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_what_was_found_is_used_again(project, monkeypatch):
    assert said(project) == [SAID]
    assert not looked(project, monkeypatch)
    assert said(project) == [SAID]


def noted(project: Path) -> list[str]:
    """Return the notes on the step that follow its failure."""
    return list(map(str, step_notes(load_project(project / "pipeline.yaml", variables={}), ["s"])))


def test_the_notes_on_a_failed_step_are_those_that_were_found_before_its_run(project, monkeypatch):
    said(project)

    assert not looked(project, monkeypatch, noted)
    assert noted(project) == [SAID]


def parsed(project: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many files are parsed by a check."""
    sources = []
    parse = imports._tree
    with monkeypatch.context() as patch:
        patch.setattr(imports, "_tree", lambda source: [sources.append(source), parse(source)][1])
        said(project)
    return len(sources)


def test_unchanged_files_are_not_parsed(project, monkeypatch):
    assert parsed(project, monkeypatch) == 2
    assert parsed(project, monkeypatch) == 0
    replace(project / "s.py", "parser()", "parser( )")

    assert parsed(project, monkeypatch) == 2, "the script, and what it needs of the other"


def test_an_error_in_one_script_leaves_what_is_known_of_the_others(project, monkeypatch):
    replace(project / "pipeline.yaml", "steps:\n", "steps:\n  t: {script_name: t.py}\n")
    (project / "t.py").write_text("", encoding="utf-8")
    said(project)
    (project / "t.py").write_text("(", encoding="utf-8")
    assert "t.py:1: Python" in said(project)[0]
    (project / "t.py").write_text("3", encoding="utf-8")

    assert parsed(project, monkeypatch) == 1


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
    monkeypatch.setattr(contract, "_code_version", lambda: "another")

    assert looked(project, monkeypatch)


@pytest.mark.parametrize("content", ["", "[]", "{", "null", '{"KEY": 1}', '{"KEY": [[["steps"], 1, true]]}'])
def test_a_damaged_file_counts_as_none(project, content):
    said(project)
    for name in STORED:
        file = project / name
        key = next(iter(json.loads(file.read_text(encoding="utf-8"))["rows"]))
        file.write_text(content.replace("KEY", key), encoding="utf-8")

        assert said(project) == [SAID]


def test_only_what_the_project_has_now_is_kept(project):
    said(project)
    replace(project / "pipeline.yaml", "ten", "10")
    said(project)

    checks, sources = (json.loads((project / name).read_text(encoding="utf-8"))["rows"] for name in STORED)
    assert list(checks.values()) == [[]]
    assert len(sources) == 2


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
    assert not any(token in file.read_text(encoding="utf-8") for file in (project / ".azml").iterdir())


TWO_STEPS = """\
backend: local
env_name: e
environments: {e: {pip_packages: [pandas]}}
steps:
  a: {script_name: a.py, step_config: {lr: 0.1, epochs: 3}, arguments: {--rate: "0.5"}}
  b: {script_name: b.py, include: [extra.py], input_datasets: {rows: {step: a, format: parquet}}}
"""
FILES = {
    "pipeline.yaml": TWO_STEPS,
    "a.py": "import argparse, json\nimport pandas\nfrom shared import rate\np = argparse.ArgumentParser()\n"
    'p.add_argument("--config", type=json.loads)\np.add_argument("--output-folder")\nrate(p)\n'
    'args = p.parse_args()\nprint(args.config["lr"], args.rate)\n',
    "b.py": "from azureml.core import Run\nimport sklearn\nrun = Run.get_context()\n"
    'print(run.input_datasets["rows"])\nif run:\n    import torch\n',
    "shared.py": 'import other\ndef rate(p):\n    p.add_argument("--rate", type=float, choices=other.RATES)\n',
    "other.py": "import sys\nRATES = [0.5, 1.0]\ntry:\n    import xgboost\nexcept ImportError:\n    pass\n",
    "extra.py": "import lightgbm\n",
}
WORDS = (
    "lr",
    "epochs",
    "rate",
    "rows",
    "config",
    "other",
    "shared",
    "float",
    "pandas",
    "sklearn",
    "import",
    "0.5",
    "p",
)


def edited(text: str, chance: random.Random) -> str:
    """Return a text with a line or a word removed, repeated, moved or replaced."""
    lines = text.splitlines(keepends=True)
    if not lines or chance.random() < 0.1:
        return chance.choice([*FILES.values(), ""])
    place = chance.randrange(len(lines))
    match chance.randrange(5):
        case 0:
            del lines[place]
        case 1:
            lines.insert(chance.randrange(len(lines)), lines[place])
        case 2:
            lines.insert(place, f"import {chance.choice(WORDS)}\n")
        case _:
            lines[place] = lines[place].replace(chance.choice(WORDS), chance.choice(WORDS))
    return "".join(lines)


def damage(file: Path, chance: random.Random) -> None:
    content = bytearray(file.read_bytes() or b"{}")
    place = chance.randrange(len(content))
    match chance.randrange(4):
        case 0:
            del content[place:]
        case 1:
            content[place] ^= 1 << chance.randrange(7)
        case 2:
            content[place : place + 1] = b"0"
        case _:
            content[place:place] = content[place : place + 20]
    file.write_bytes(content)


@contextlib.contextmanager
def aside(folder: Path) -> Iterator[None]:
    """Move a folder away for a while, and delete what is made in its place."""
    kept = folder.with_name("kept")
    if folder.exists():
        folder.rename(kept)
    yield
    shutil.rmtree(folder, ignore_errors=True)
    if kept.exists():
        kept.rename(folder)


@pytest.mark.many
@pytest.mark.parametrize("_", range(3))
def test_random_edits_and_damage_never_show_in_what_is_found(tmp_path, _):
    seed = int(os.environ.get("AZML_TEST_SEED") or random.SystemRandom().randrange(10**6))
    print(f"AZML_TEST_SEED={seed}")
    chance = random.Random(seed)

    def found() -> object:
        try:
            project = load_project(tmp_path / "pipeline.yaml", variables={})
        except ProjectError as error:
            return str(error)
        return check_project(project, remember=True)

    used = 0
    for round_ in range(60):
        for name, text in FILES.items():
            if not round_ or chance.random() < 0.1:
                (tmp_path / name).write_text(text)
        name = chance.choice([*FILES])
        file = tmp_path / name
        if round_:
            file.write_text(edited(file.read_text(), chance))
        store = tmp_path / chance.choice(STORED)
        if store.exists() and chance.random() < 0.4:
            damage(store, chance)
        with aside(tmp_path / ".azml"):
            fresh = found()
        assert found() == fresh
        used += store.exists()
    assert used > 30

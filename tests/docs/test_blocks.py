"""What the pages show is what happens."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from azml_tasks.model import Pipeline
from azml_tasks.model.base import Model
from azml_tasks.reading import load_project
from tests.docs.blocks import ROOT, Block, blocks_in, blocks_of
from tests.tasks.conftest import Invoke, invoke

__all__ = ["invoke"]

PAGES = ["README.md", *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs").glob("*.md")))]
VARIABLES = {"AZURE_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000000", "CHURN_STORAGE_KEY": "k"}


@pytest.mark.parametrize("block", blocks_in("yaml", *PAGES), ids=str)
def test_each_yaml_block_is_a_pipeline_or_a_part_of_one(block: Block, tmp_path: Path) -> None:
    text = block.text
    if "steps:" not in text:
        text += "\nsteps:\n  only: {script_name: only.py}\n"
    file = tmp_path / "pipeline.yaml"
    file.write_text(text, encoding="utf-8")
    assert load_project(file, variables=VARIABLES).plan.steps


@pytest.mark.parametrize("block", blocks_in("python", *PAGES), ids=str)
def test_each_python_block_is_python(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.thorough
def test_the_first_sh_block_of_the_readme_ends_with_the_demos_accuracy(tmp_path: Path) -> None:
    """Its last line, that is: the lines before it set up an environment, which the tests have."""
    lines = blocks_in("sh", "README.md")[0].text.splitlines()
    assert lines == ["python -m venv .venv && . .venv/bin/activate", 'pip install -e ".[demo]"', "invoke demo"]
    clone = tmp_path / "é clone"
    shutil.copytree(
        ROOT, clone, ignore=shutil.ignore_patterns("build", ".git", "__pycache__", ".venv", ".*_cache", ".azml")
    )
    # Copier reads a repository; this one holds what lies here, committed or not.
    git = ["git", "-c", "user.name=A tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "All"]):
        subprocess.run([*git, *words], cwd=clone, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "demo"],
        cwd=clone,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "accuracy 0.956 on 45 flowers"


def test_the_second_sh_block_of_the_readme_is_what_ci_runs() -> None:
    assert blocks_in("sh", "README.md")[1].text.splitlines() == [
        "python -m venv .venv && . .venv/bin/activate",
        'pip install -e ".[dev]"',
        "invoke check test",
    ]


def test_the_readmes_broken_file_gives_the_sentences_that_the_readme_shows(invoke: Invoke) -> None:
    yaml = next(block.text for block in blocks_of("README.md") if block.language == "yaml")
    shown = next(block.text for block in blocks_of("README.md") if "invoke validate" in block.text)
    yaml = yaml.replace(
        "    script_name: train.py\n", "    script_name: train.py\n    input_folders: {--input-folder: prepair}\n"
    )
    for file in ("steps/prepare.py", "steps/train.py", "steps/evaluate.py", "data/customers.csv"):
        invoke.write(file, "")
    invoke.write("pipeline.yaml", yaml.replace('"${CHURN_STORAGE_KEY}"', "abc123=="))
    assert invoke("validate").err.splitlines() == shown.splitlines()[1:]


def test_the_readmes_table_has_each_task(invoke: Invoke) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^  ([a-z][\w.-]*)", invoke("--list").out, re.MULTILINE)
    assert [task for task in listed if f"`{task}`" not in text] == []


def test_each_key_of_the_model_is_in_the_page_on_pipeline_yaml() -> None:
    text = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8")
    keys = {key for model in _models(Pipeline) for key in model.model_fields}
    assert sorted(key for key in keys if not re.search(rf"\b{key}\b", text)) == []


def _models(model: type[Model]) -> set[type[Model]]:
    found = {model}
    for field in model.model_fields.values():
        for part in _parts(field.annotation):
            found |= _models(part)
    return found


def _parts(annotation: object) -> list[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [part for argument in getattr(annotation, "__args__", ()) for part in _parts(argument)]


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md", "docs/decisions/README.md"])
def test_each_link_of_a_page_leads_to_a_file(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()] == []

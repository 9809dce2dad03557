"""Whatever is answered to Copier's questions, there is a project that can be read, or a validator's sentence."""

from __future__ import annotations

import tempfile
from pathlib import Path

import copier
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from azml_tasks.reading import load_project
from tests.template.conftest import checkout

# What breaks out of YAML, TOML, Python, Jinja, a shell, a path; words that YAML reads as something else.
PIECES = (
    *("'", '"', "\\", "{{ 1 }}", "{% raw %}", "#", ": ", "- ", "&a", "*a", "!x", "%", "$X", "${X}", "`id`", "$(id)"),
    *("../", "/etc", "\n", "\t", "\x00", "é", "名", "\u202e", " ", ",", ";", "null", "no", "on", "1e5", "0x1f", "~"),
    *("train", "class", "json", "pandas", "prepare", "config", "path", "__init__", "con", "A", "a", "_", "-", "."),
)
answers = some.lists(some.one_of(some.sampled_from(PIECES), some.text(max_size=5)), max_size=5).map("".join)
names = some.lists(some.one_of(some.sampled_from(PIECES), some.from_regex(r"[a-z_]{1,8}", fullmatch=True)), max_size=4)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("template"))


def _refusal(template: Path, project: Path, given_answers: dict[str, str]) -> str:
    """Scaffold the project; return why not, else an empty text."""
    try:
        copier.run_copy(str(template), project, given_answers, defaults=True, quiet=True)
    except ValueError as error:
        return str(error)
    return ""


@settings(max_examples=40)
@given(
    project_name=some.one_of(some.just("churn"), answers),
    description=some.one_of(some.just("Scores."), answers),
    steps=some.one_of(some.just("prepare, train"), names.map(", ".join)),
    datasets=some.one_of(some.just("sample"), names.map(", ".join)),
    ws_name=some.one_of(some.just(""), answers),
)
def test_any_answers_give_a_project_that_can_be_read_or_a_validators_sentence(
    template: Path, project_name: str, description: str, steps: str, datasets: str, ws_name: str
) -> None:
    given_answers = {
        "project_name": project_name,
        "description": description,
        "steps": steps,
        "datasets": datasets,
        "ws_name": ws_name,
    }
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        refusal = _refusal(template, project, given_answers)
        if refusal:
            assert refusal.startswith("Validation error for question '")
            return
        read = load_project(project / "pipeline.yaml", variables={})
        assert list(read.pipeline.steps) == [step.strip() for step in steps.split(",") if step.strip()]
        for script in project.rglob("*.py"):
            compile(script.read_text(encoding="utf-8"), str(script), "exec")
        # Nothing was written beside the project.
        assert [path.name for path in Path(folder).iterdir()] == ["project"]

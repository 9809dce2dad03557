"""`copier update`: the template's files follow it, the user's are left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import copier
import pytest
import yaml

from tests.template.conftest import checkout, commit, contents, git

pytestmark = pytest.mark.thorough

ANSWERS = {
    "project_name": "Churn",
    "steps": "prepare, train, evaluate",
    "datasets": "customers",
    "ci": "none",
}


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """Return a repository that holds this template as v0.1.0."""
    repository = checkout(tmp_path / "azml-tasks")
    commit(repository, "The release", tag="v0.1.0")
    return repository


@pytest.fixture
def project(releases: Path, tmp_path: Path) -> Path:
    """Return a project made from v0.1.0, under git as its owner has it."""
    folder = tmp_path / "churn"
    copier.run_copy(str(releases), folder, ANSWERS, defaults=True, quiet=True, vcs_ref="v0.1.0")
    commit(folder, "The project")
    return folder


def change_everything(repository: Path) -> None:
    """Change every file of the template, add some, take some away; release it as v0.2.0."""
    template = repository / "template"
    for file in (*template.rglob("*"), repository / "azml_tasks" / "stub" / "step.py.jinja"):
        if file.is_file() and not file.name.startswith("{{ _copier_conf"):
            file.write_text(f"# Changed in the template.\n{file.read_text(encoding='utf-8')}", encoding="utf-8")
    (template / "{% if dataset_names %}data{% endif %}" / "NOTES.md").write_text("New beside the user's data.\n")
    (template / "steps" / "shared.py").write_text("# New beside the user's steps.\n")
    (template / "docs").mkdir()
    (template / "docs" / "new.md").write_text("New.\n")
    (template / ".amlignore").unlink()
    (template / "tests" / "test_steps.py").rename(template / "tests" / "test_each_step.py")
    commit(repository, "The next release", tag="v0.2.0")


def update(project: Path, **options: object) -> None:
    copier.run_update(project, defaults=True, overwrite=True, quiet=True, **options)


def users_own(path: str) -> bool:
    return path == "pipeline.yaml" or path.startswith(("steps/", "data/"))


def templates(files: dict[str, bytes]) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if not users_own(path)}


def users(files: dict[str, bytes]) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if users_own(path)}


def test_an_updated_project_equals_a_fresh_copy_in_all_that_the_template_owns(
    releases: Path, project: Path, tmp_path: Path
):
    before = contents(project)
    change_everything(releases)
    fresh = tmp_path / "fresh"
    copier.run_copy(str(releases), fresh, ANSWERS, defaults=True, quiet=True, vcs_ref="v0.2.0")

    update(project)

    after = contents(project)
    assert templates(after) == templates(contents(fresh))
    assert users(after) == users(before)
    changed = {path for path, content in after.items() if content != before.get(path)}
    assert changed == {
        ".copier-answers.yml",
        ".env.example",
        ".gitignore",
        "AGENTS.md",
        "README.md",
        "docs/new.md",
        "pyproject.toml",
        "tasks.py",
        "tests/conftest.py",
        "tests/test_each_step.py",
        "tests/test_pipeline.py",
    }
    assert set(before) - set(after) == {".amlignore", "tests/test_steps.py"}


def edit(project: Path) -> None:
    (project / "pipeline.yaml").write_text("steps: {mine: {script_name: mine.py}}\n")
    (project / "steps" / "prepare.py").write_text("print('mine')\n")
    (project / "data" / "customers.csv").write_text("my,rows\n1,2\n")


def rename(project: Path) -> None:
    (project / "steps" / "train.py").rename(project / "steps" / "fit.py")
    (project / "data" / "customers.csv").rename(project / "data" / "clients.csv")
    (project / "pipeline.yaml").rename(project / "pipeline.yml")


def delete(project: Path) -> None:
    (project / "steps" / "evaluate.py").unlink()
    (project / "data" / "customers.csv").unlink()


def delete_all(project: Path) -> None:
    for file in users(contents(project)):
        (project / file).unlink()
    (project / "steps").rmdir()
    (project / "data").rmdir()


def add(project: Path) -> None:
    (project / "steps" / "shared.py").write_text("# The template of v0.2.0 has a file of this name too.\n")
    (project / "data" / "customers.parquet").write_bytes(bytes(range(256)))
    (project / "data" / "raw").mkdir()
    (project / "data" / "raw" / "2024.csv").write_text("a\n1\n")


@pytest.mark.sampled(2)
@pytest.mark.parametrize("change", [edit, rename, delete, delete_all, add])
def test_an_update_leaves_what_the_user_did_to_the_user_s_files(
    releases: Path, project: Path, change: Callable[[Path], None]
):
    change(project)
    commit(project, "My change")
    before = contents(project)
    folders_before = {path.name for path in project.iterdir() if path.is_dir()}
    change_everything(releases)

    update(project)

    after = contents(project)
    assert users(after) == users(before)
    assert {path for path in after if path.endswith((".yml", ".rej", ".orig"))} == {
        path for path in before if path.endswith(".yml")
    }
    assert {path.name for path in project.iterdir() if path.is_dir()} == folders_before | {"docs"}


def test_an_update_merges_what_the_user_changed_in_the_template_s_files(releases: Path, project: Path):
    tasks = project / "tasks.py"
    tasks.write_text(tasks.read_text(encoding="utf-8") + "\n# Mine.\n", encoding="utf-8")
    (project / "tests" / "conftest.py").unlink()
    commit(project, "My change")
    change_everything(releases)

    update(project)

    lines = tasks.read_text(encoding="utf-8").splitlines()
    assert (lines[0], lines[-1]) == ("# Changed in the template.", "# Mine.")
    assert not (project / "tests" / "conftest.py").exists()
    assert git(project, "diff", "--name-only", "--diff-filter=U") == ""


def test_a_project_that_was_made_before_v2_could_be_chosen_stays_on_v1(releases: Path, project: Path):
    answers = project / ".copier-answers.yml"
    answers.write_text(answers.read_text(encoding="utf-8").replace("azure_ml: v1\n", ""), encoding="utf-8")
    commit(project, "As the template wrote it until 0.7.0")
    before = contents(project)

    update(project)

    after = contents(project)
    assert yaml.safe_load(after[".copier-answers.yml"])["azure_ml"] == "v1"
    assert {path for path, content in after.items() if content != before.get(path)} == {".copier-answers.yml"}


def test_an_update_can_change_to_v2(releases: Path, project: Path):
    update(project, data={"azure_ml": "v2"})

    assert "azml-tasks[azure] @" not in (project / "pyproject.toml").read_text(encoding="utf-8")
    assert 'pip install -e ".[azure-v2]"' in (project / "README.md").read_text(encoding="utf-8")


def test_an_update_to_the_same_release_changes_nothing(releases: Path, project: Path):
    update(project)
    assert git(project, "status", "--porcelain") == ""


ONE, TWO = "azml-tasks @ file:///src/one", "azml-tasks @ file:///src/two"


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("at_first", "at_the_update", "before", "afterwards"),
    [
        (
            {},
            {},
            "azml-tasks @ git+file://localhost{releases}@{v1}",
            "azml-tasks @ git+file://localhost{releases}@{v2}",
        ),
        ({"requirement": "/src/one"}, {}, ONE, ONE),
        ({"requirement": "/src/one"}, {"requirement": "/src/two"}, ONE, TWO),
        ({}, {"requirement": "/src/two"}, "azml-tasks @ git+file://localhost{releases}@{v1}", TWO),
        ({"requirement": "azml-tasks==0.1.0"}, {}, "azml-tasks==0.1.0", "azml-tasks==0.1.0"),
    ],
)
def test_an_update_moves_the_requirement_unless_the_user_chose_another(
    releases: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at_first: dict[str, str],
    at_the_update: dict[str, str],
    before: str,
    afterwards: str,
):
    monkeypatch.setenv("COPIER_CACHE_DIR", str(tmp_path / "cache"))
    project = tmp_path / "churn"
    answers = {**ANSWERS, **at_first}
    copier.run_copy(f"git+file://{releases}", project, answers, defaults=True, quiet=True, vcs_ref="v0.1.0")
    commit(project, "The project")
    change_everything(releases)
    at_v1 = required(project)

    update(project, data=at_the_update)

    names = {
        "releases": releases,
        "v1": git(releases, "rev-parse", "v0.1.0").strip(),
        "v2": git(releases, "rev-parse", "v0.2.0").strip(),
    }
    assert [at_v1, required(project)] == [before.format(**names), afterwards.format(**names)]
    kept = yaml.safe_load((project / ".copier-answers.yml").read_text(encoding="utf-8")).get("kept_requirement")
    assert kept == {**at_first, **at_the_update}.get("requirement")


def required(project: Path) -> str:
    """Return what the project's pyproject.toml requires besides pandas."""
    lines = (project / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    place = lines.index("dependencies = [")
    first, *rest = lines[place + 1 : place + 4]
    assert rest == ['  "pandas>=2.2",', "]"]
    return first.removeprefix('  "').removesuffix('",')


@pytest.mark.parametrize("change", [edit, rename, add])
def test_a_recopy_leaves_the_user_s_files_that_are_there(releases: Path, project: Path, change: Callable[[Path], None]):
    change(project)
    before = contents(project)
    change_everything(releases)

    copier.run_recopy(project, defaults=True, overwrite=True, quiet=True)

    after = contents(project)
    assert {path: after[path] for path in users(before)} == users(before)
    assert (project / "tasks.py").read_text(encoding="utf-8").startswith("# Changed in the template.")


def test_a_recopy_restores_a_user_s_file_that_was_deleted(project: Path):
    before = contents(project)
    delete_all(project)

    copier.run_recopy(project, defaults=True, overwrite=True, quiet=True)

    assert contents(project) == before

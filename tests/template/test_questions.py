"""What the template asks, what it refuses and what follows from the answers."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

from azml_tasks.stub import dataset_name_problem, step_name_problem
from tests.template.conftest import ROOT, Copy, contents

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

QUESTIONS = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))

TEN_LETTERS = "abcdefghij"


def read_pyproject(project: Path) -> dict:
    return tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))


def test_nine_questions_are_asked_each_with_help_and_a_default():
    asked = {
        name: "help" in question and "default" in question
        for name, question in QUESTIONS.items()
        if not name.startswith("_") and question.get("when") is not False
    }
    assert asked == dict.fromkeys(
        (
            "project_name",
            "description",
            "steps",
            "datasets",
            "azure_ml",
            "ws_name",
            "resource_group",
            "subscription_id",
            "ci",
        ),
        True,
    )


def test_what_is_asked_fits_into_a_terminal_of_80_columns():
    asked = {name: question["help"] for name, question in QUESTIONS.items() if "help" in question}
    # Copier puts a picture before it, of two columns and a space.
    assert {name: text for name, text in asked.items() if len(text) > 77} == {}
    choices = {text for question in QUESTIONS.values() if "choices" in question for text in question["choices"]}
    assert {text for text in choices if len(text) > 77} == set()


def test_defaults_are_kept_in_the_answers_file(copy: Copy, template: Path):
    answers = yaml.safe_load((copy("churn") / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert answers == {
        "_src_path": str(template),
        "project_name": "churn",
        "description": "A pipeline that runs on this machine and on Azure Machine Learning.",
        "steps": "prepare, train, evaluate",
        "datasets": "sample",
        "azure_ml": "v1",
        "ws_name": "",
        "resource_group": "",
        "subscription_id": "",
        "ci": "github",
    }


STEP_RULE = "use a-z, 0-9, _; start with a letter"
DATASET_RULE = "use letters, digits, _; letter first"
REQUIREMENT_RULE = "use `azml-tasks==X.Y.Z`, the absolute path of a folder, or an address such as git+https://..."


@pytest.mark.parametrize(
    ("question", "answer", "sentence"),
    [
        ("project_name", " ", "enter a name"),
        ("project_name", "a\nb", "use one line of printable text"),
        ("project_name", "a\u2028b", "use one line of printable text"),
        ("project_name", "n" * 101, "101 characters; the maximum is 100"),
        ("description", "a\tb", "use one line of printable text"),
        ("steps", "", "enter at least one step"),
        ("steps", " , ", "enter at least one step"),
        ("steps", "[]", "enter at least one step"),
        ("steps", "[load, 2nd]", f"{STEP_RULE}: '2nd'"),
        ("steps", "../x", f"{STEP_RULE}: '../x'"),
        ("steps", "prepare train", f"{STEP_RULE}: 'prepare train'"),
        ("steps", "2nd", f"{STEP_RULE}: '2nd'"),
        ("steps", "Train", f"{STEP_RULE}: 'Train'"),
        ("steps", "prépare", f"{STEP_RULE}: 'prépare'"),
        ("steps", "_private", f"{STEP_RULE}: '_private'"),
        ("steps", "{{ 7 * 7 }}", f"{STEP_RULE}: '{{{{ 7 * 7 }}}}'"),
        ("steps", "s" * 65, f"65 characters; the maximum is 64: '{'s' * 65}'"),
        ("steps", "prepare, class", "a Python keyword: 'class'"),
        ("steps", "json, train", "hides a Python module: 'json'"),
        ("steps", "pandas", "hides a Python module: 'pandas'"),
        ("steps", "con", "reserved on Windows: 'con'"),
        ("steps", "train, train", "duplicate: 'train'"),
        ("datasets", "new-data", f"{DATASET_RULE}: 'new-data'"),
        ("datasets", "../x", f"{DATASET_RULE}: '../x'"),
        ("datasets", "1st", f"{DATASET_RULE}: '1st'"),
        ("datasets", "d" * 65, f"65 characters; the maximum is 64: '{'d' * 65}'"),
        ("datasets", "Path", "replaces the variable PATH: 'Path'"),
        ("datasets", "output_folder", "--output-folder is reserved: 'output_folder'"),
        ("datasets", "NUL", "reserved on Windows: 'NUL'"),
        ("datasets", "a, A", "duplicate: 'A'"),
        ("ws_name", "ws", "use 3 to 33 letters, digits, _ or -"),
        ("ws_name", "w" * 34, "use 3 to 33 letters, digits, _ or -"),
        ("ws_name", "my space", "use 3 to 33 letters, digits, _ or -"),
        ("ws_name", "-workspace", "start with a letter or digit"),
        ("resource_group", "group.", "do not end with a dot"),
        ("resource_group", "my group", "use letters, digits, _ - . ( )"),
        ("resource_group", "g" * 91, "91 characters; the maximum is 90"),
        ("subscription_id", "my subscription", "not a GUID (`az account show`)"),
        ("step_names", '["a b"]', "set steps instead"),
        ("dataset_names", '["../x"]', "set datasets instead"),
        ("slug", 'x"\n[tool.evil]\n', "use a-z, 0-9 and -"),
        ("backend", "azure-v2", "set azure_ml instead"),
        ("python", "3.9", "set azure_ml instead"),
        ("requirement", "../azml-tasks", REQUIREMENT_RULE),
        ("requirement", "azml-tasks-fork==1", REQUIREMENT_RULE),
    ],
)
def test_a_wrong_answer_is_refused_with_the_reason(copy: Copy, question: str, answer: str, sentence: str):
    whole = f"Validation error for question '{question}': {sentence}"
    # A terminal of 80 columns cuts the line; the names come last, and stand in the answer above.
    assert len(whole.partition(": '")[0]) <= 80 or question == "requirement"
    with pytest.raises(ValueError, match=rf"^{re.escape(whole)}$"):
        copy(**{question: answer})


@pytest.mark.parametrize("steps", ["[load, train]", "['load', \"train\"]", ["load", "train"]])
def test_names_may_be_a_list_of_yaml(copy: Copy, steps: str | list[str]):
    project, same = (
        copy(steps=steps, datasets="[sales]"),
        copy("same", project_name="churn", steps="load, train", datasets="sales"),
    )

    for folder in (project, same):
        (folder / ".copier-answers.yml").unlink()
    assert contents(project) == contents(same)


@pytest.mark.parametrize(("question", "answer"), [("ci", "jenkins"), ("azure_ml", "v3")])
def test_an_answer_that_is_not_among_the_choices_is_refused(copy: Copy, question: str, answer: str):
    with pytest.raises(ValueError, match="Invalid choice"):
        copy(**{question: answer})


@pytest.mark.thorough
@pytest.mark.parametrize(
    "answers",
    [
        {"project_name": "n" * 100},
        {"description": ""},
        {"steps": " prepare ,train, "},
        {"steps": "s" * 64},
        {"steps": "match, type_, no, null, on, off, y"},
        {"datasets": ""},
        {"datasets": "A, b_2"},
        {
            "ws_name": "a" * 33,
            "resource_group": "rg-été_(1).x",
            "subscription_id": "0" * 8 + "-0000" * 3 + "-" + "A" * 12,
        },
    ],
)
def test_an_unusual_answer_is_taken(copy: Copy, answers: dict[str, str]):
    assert (copy(**answers) / "pipeline.yaml").is_file()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("project_name", "slug"),
    [
        ("churn", "churn"),
        ("Customer churn (weekly)", "customer-churn-weekly"),
        ("Prévision d'été", "prevision-d-ete"),
        ("Pre\u0301vision", "prevision"),
        ("Ørsted, Łódź & Strauß: Œuvre", "orsted-lodz-straus-oeuvre"),
        ('"quoted" {{ 7 * 7 }} %}', "quoted-7-7"),
        ("2024 sales", "2024-sales"),
        ("null", "null"),
        ("予測", "pipeline"),
        ("---", "pipeline"),
        ("-".join([TEN_LETTERS] * 5), "-".join([TEN_LETTERS] * 3) + "-abcdefg"),
    ],
)
def test_the_project_s_name_gives_the_names_of_its_parts(copy: Copy, project_name: str, slug: str):
    project = copy(project_name=project_name)
    pipeline = yaml.safe_load((project / "pipeline.yaml").read_text(encoding="utf-8"))
    assert read_pyproject(project)["project"]["name"] == f"{slug}-project"
    assert pipeline["experiment_name"] == slug
    assert list(pipeline["environments"]) == [f"{slug}-env"]
    assert list(pipeline["datastores"]) == [slug.replace("-", "_") + "_blob"]


@pytest.mark.parametrize(("folder", "project_name"), [("Été 2024", "Été 2024"), ("tab\there", "My pipeline")])
def test_the_project_is_named_like_its_folder_by_default(copy: Copy, folder: str, project_name: str):
    answers = yaml.safe_load((copy(folder) / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert answers["project_name"] == project_name


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("requirement", "plain", "azure"),
    [
        ("azml-tasks>=0.1,<2", "azml-tasks>=0.1,<2", "azml-tasks[azure]>=0.1,<2"),
        (
            "azml-tasks @ file:///src/azml-tasks",
            "azml-tasks @ file:///src/azml-tasks",
            "azml-tasks[azure] @ file:///src/azml-tasks",
        ),
        (
            "/home/zoé/my src",
            "azml-tasks @ file:///home/zo%C3%A9/my%20src",
            "azml-tasks[azure] @ file:///home/zo%C3%A9/my%20src",
        ),
        (
            "C:\\src\\azml-tasks",
            "azml-tasks @ file:///C:/src/azml-tasks",
            "azml-tasks[azure] @ file:///C:/src/azml-tasks",
        ),
        (
            "git+file:///src/azml-tasks",
            "azml-tasks @ git+file://localhost/src/azml-tasks",
            "azml-tasks[azure] @ git+file://localhost/src/azml-tasks",
        ),
        (
            "git+https://example.org/azml-tasks@main",
            "azml-tasks @ git+https://example.org/azml-tasks@main",
            "azml-tasks[azure] @ git+https://example.org/azml-tasks@main",
        ),
    ],
)
def test_the_requirement_may_be_a_path_or_an_address(copy: Copy, requirement: str, plain: str, azure: str):
    project = read_pyproject(copy(requirement=requirement))["project"]
    assert project["dependencies"] == [plain, "pandas>=2.2"]
    assert project["optional-dependencies"]["azure"] == [azure]


def test_every_module_of_the_standard_library_is_refused_as_a_step():
    names = {name for name in sys.stdlib_module_names if not name.startswith("_") and name.islower()}
    assert {name for name in names if not step_name_problem(name)} == set()


def test_new_steps_follow_the_same_rules():
    assert step_name_problem("2nd") == STEP_RULE
    assert step_name_problem("second") == ""
    assert dataset_name_problem("new-data") == DATASET_RULE
    assert dataset_name_problem("new_data") == ""

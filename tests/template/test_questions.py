"""What the template asks, what it refuses and what follows from the answers."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

import azml_tasks
from azml_tasks.stub import dataset_name_problem, step_name_problem
from tests.template.conftest import ROOT, Copy

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

QUESTIONS = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))

TEN_LETTERS = "abcdefghij"


def read_pyproject(project: Path) -> dict:
    return tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))


def test_eight_questions_are_asked_each_with_help_and_a_default():
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
            "ws_name",
            "resource_group",
            "subscription_id",
            "ci",
        ),
        True,
    )


def test_defaults_are_kept_in_the_answers_file(copy: Copy, template: Path):
    answers = yaml.safe_load((copy("churn") / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert answers == {
        "_src_path": str(template),
        "project_name": "churn",
        "description": "A pipeline that runs on this machine and on Azure Machine Learning.",
        "steps": "prepare, train, evaluate",
        "datasets": "sample",
        "ws_name": "",
        "resource_group": "",
        "subscription_id": "",
        "ci": "github",
    }


STEP_RULE = "cannot name a step: a to z, digits and _ only, a letter first (it names a Python file too)"
DATASET_RULE = "cannot name a dataset: letters, digits and _ only, a letter first (Azure's rule for a run)"
WORKSPACE_RULE = "A workspace takes 3 to 33 letters, digits, _ and -, a letter or a digit first"
GROUP_RULE = "A resource group takes 1 to 90 letters, digits, _, -, ., ( and ), no dot last"
SUBSCRIPTION_RULE = "A subscription looks like 12345678-90ab-cdef-1234-567890abcdef (`az account show` prints yours)"
REQUIREMENT_RULE = (
    "The requirement is `azml-tasks==X.Y.Z`, an absolute path of a folder, or an address such as git+https://..."
)


@pytest.mark.parametrize(
    ("question", "answer", "sentence"),
    [
        ("project_name", " ", "The project needs a name"),
        ("project_name", "a\nb", "The project's name is one line of printable text"),
        ("project_name", "a\u2028b", "The project's name is one line of printable text"),
        ("project_name", "n" * 101, "The project's name has 101 characters; 100 are the most"),
        ("description", "a\tb", "The description is one line of printable text"),
        ("steps", "", "A pipeline has at least one step"),
        ("steps", " , ", "A pipeline has at least one step"),
        ("steps", "../x", f"'../x' {STEP_RULE}"),
        ("steps", "prepare train", f"'prepare train' {STEP_RULE}"),
        ("steps", "2nd", f"'2nd' {STEP_RULE}"),
        ("steps", "Train", f"'Train' {STEP_RULE}"),
        ("steps", "prépare", f"'prépare' {STEP_RULE}"),
        ("steps", "_private", f"'_private' {STEP_RULE}"),
        ("steps", "{{ 7 * 7 }}", f"'{{{{ 7 * 7 }}}}' {STEP_RULE}"),
        ("steps", "s" * 65, f"'{'s' * 65}' cannot name a step: it has 65 characters, and 64 are the most"),
        (
            "steps",
            "prepare, class",
            "'class' cannot name a step: it is a word of Python, so nothing could import class.py",
        ),
        (
            "steps",
            "json, train",
            "'json' cannot name a step: json.py would hide the module json from the other steps",
        ),
        (
            "steps",
            "pandas",
            "'pandas' cannot name a step: pandas.py would hide the module pandas from the other steps",
        ),
        ("steps", "con", "'con' cannot name a step: Windows takes con.py for a device"),
        ("steps", "train, train", "'train' stands twice: each step has a file of its own"),
        ("datasets", "new-data", f"'new-data' {DATASET_RULE}"),
        ("datasets", "../x", f"'../x' {DATASET_RULE}"),
        ("datasets", "1st", f"'1st' {DATASET_RULE}"),
        (
            "datasets",
            "d" * 65,
            f"'{'d' * 65}' cannot name a dataset: it has 65 characters, and 64 are the most",
        ),
        ("datasets", "Path", "'Path' cannot name a dataset: in a run it would replace the variable PATH"),
        (
            "datasets",
            "output_folder",
            "'output_folder' cannot name a dataset: a step's argument --output-folder is something else",
        ),
        ("datasets", "NUL", "'NUL' cannot name a dataset: Windows takes NUL.csv for a device"),
        ("datasets", "a, A", "'A' stands twice: each dataset has a file of its own"),
        ("ws_name", "ws", WORKSPACE_RULE),
        ("ws_name", "-workspace", WORKSPACE_RULE),
        ("resource_group", "group.", GROUP_RULE),
        ("subscription_id", "my subscription", SUBSCRIPTION_RULE),
        ("requirement", "../azml-tasks", REQUIREMENT_RULE),
        ("requirement", "azml-tasks-fork==1", REQUIREMENT_RULE),
    ],
)
def test_a_wrong_answer_is_refused_with_the_reason(copy: Copy, question: str, answer: str, sentence: str):
    whole = f"Validation error for question '{question}': {sentence}"
    with pytest.raises(ValueError, match=rf"^{re.escape(whole)}$"):
        copy(**{question: answer})


def test_a_service_that_is_not_among_the_choices_is_refused(copy: Copy):
    with pytest.raises(ValueError, match="Invalid choice"):
        copy(ci="jenkins")


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
def test_the_project_is_called_like_its_folder_unless_told_otherwise(copy: Copy, folder: str, project_name: str):
    answers = yaml.safe_load((copy(folder) / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert answers["project_name"] == project_name


def test_the_project_depends_on_the_release_of_its_template(copy: Copy):
    release = f"azml-tasks=={azml_tasks.__version__}"
    assert QUESTIONS["release"] == {"type": "str", "when": False, "default": release}
    project = read_pyproject(copy())["project"]
    assert project["dependencies"] == [release, "pandas>=2.2"]
    assert project["optional-dependencies"]["azure"] == [f"azml-tasks[azure]=={azml_tasks.__version__}"]


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
    assert step_name_problem("2nd") == f"'2nd' {STEP_RULE}"
    assert step_name_problem("second") == ""
    assert dataset_name_problem("new-data") == f"'new-data' {DATASET_RULE}"
    assert dataset_name_problem("new_data") == ""

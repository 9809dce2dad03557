"""When a step lacks a package, the hint says what installs it, and where the file is to name it."""

from __future__ import annotations

from typing import Any

import pytest

from azml_tasks.model import Pipeline
from azml_tasks.snapshot import build_snapshot, missing_hint, missing_module, package_hint
from tests.snapshot.test_hints import FILES

HERE = "is neither in the project nor installed here"
VIRTUAL = "is neither in the project nor in the step's virtual environment"
CLUSTER = "is neither in the step's snapshot nor in its environment"


def hint(module: str, place: str, environment: dict[str, Any] | None = None, **options: Any) -> str | None:
    """Return the hint for a step in the environment `e`, which the file declares when it is given."""
    pipeline = Pipeline.model_validate(
        {
            "steps": {"train": {"script_name": "train.py"}},
            "env_name": "e",
            "environments": {} if environment is None else {"e": environment},
        }
        | options
    )
    return package_hint(module, pipeline, pipeline.steps["train"], place)


@pytest.mark.parametrize(
    ("module", "place", "environment", "said"),
    [
        (
            "tqdm",
            "here",
            {},
            f"'tqdm' {HERE}: run `pip install tqdm`, and add tqdm to pip_packages of the environment 'e'",
        ),
        (
            "sklearn",
            "here",
            {"pip_packages": ["scikit-learn-extra"], "base_image": "mine"},
            f"'sklearn' {HERE}: run `pip install scikit-learn`, and add scikit-learn to pip_packages of the "
            "environment 'e'",
        ),
        (
            "sklearn",
            "here",
            {"pip_packages": ["pandas", "Scikit_Learn[x]>=1"]},
            f"'sklearn' {HERE}: run `pip install scikit-learn`, or `invoke register-env` to install it in a virtual "
            "environment",
        ),
        (
            "cv2",
            "here",
            {"conda_packages": ["conda-forge::opencv-python-headless"]},
            f"'cv2' {HERE}: run `pip install opencv-python-headless`",
        ),
        (
            "yaml",
            "here",
            {"conda_file": "env.yml"},
            f"'yaml' {HERE}: run `pip install pyyaml`, and add it to env.yml, the conda_file of the environment 'e'",
        ),
        (
            "yaml",
            "here",
            None,
            f"'yaml' {HERE}: run `pip install pyyaml`, and on Azure, the environment 'e' must contain it",
        ),
        (
            "tqdm",
            "virtual",
            {"pip_packages": ["pandas"]},
            f"'tqdm' {VIRTUAL}: add tqdm to pip_packages of the environment 'e', then run `invoke register-env`",
        ),
        (
            "tqdm",
            "virtual",
            {"pip_packages": ["tqdm==4"]},
            f"'tqdm' {VIRTUAL}: run `invoke register-env` to install it",
        ),
        (
            "cv2",
            "virtual",
            {"conda_packages": ["opencv-python-headless"]},
            f"'cv2' {VIRTUAL}: add opencv-python-headless to pip_packages of the environment 'e', then "
            "run `invoke register-env`",
        ),
        ("tqdm", "cluster", {}, f"'tqdm' {CLUSTER}: add tqdm to pip_packages of the environment 'e'"),
        ("tqdm", "cluster", {"pip_packages": ["tqdm"]}, None),
        ("tqdm", "cluster", None, f"'tqdm' {CLUSTER}: on Azure, the environment 'e' must contain it"),
        ("pandas.missing", "here", {}, None),
        ("tkinter", "here", {}, None),
        ("distutils", "here", {}, None),
    ],
)
def test_what_installs_a_package(module: str, place: str, environment: dict[str, Any] | None, said: str | None):
    assert hint(module, place, environment) == said


def test_the_step_s_own_environment_counts_and_one_that_is_not_named_is_not_spoken_of():
    step = {"script_name": "train.py", "env_name": "own"}
    assert hint("tqdm", "cluster", {}, steps={"train": step}, environments={"own": {}, "e": {}}) == (
        f"'tqdm' {CLUSTER}: add tqdm to pip_packages of the environment 'own'"
    )
    assert hint("tqdm", "here", env_name=None) == f"'tqdm' {HERE}: run `pip install tqdm`"
    assert hint("tqdm", "cluster", env_name=None) is None


def test_a_name_that_is_mistyped_is_not_to_be_installed():
    pipeline = Pipeline.model_validate({"steps": {"train": {"script_name": "train.py"}}})
    assert package_hint("siblign", pipeline, pipeline.steps["train"], "here", "sibling") == (
        f"'siblign' {HERE}; did you mean 'sibling'? Otherwise run `pip install siblign`"
    )


@pytest.mark.parametrize(
    ("module", "packages", "said"),
    [
        ("sklearn", [], "run `pip install scikit-learn`, and add scikit-learn to pip_packages of the environment 'e'"),
        ("numpy", [], "run `pip install numpy`, and add numpy to pip_packages of the environment 'e'"),
        ("own", ["own"], "run `pip install own`, or `invoke register-env` to install it in a virtual environment"),
    ],
)
def test_where_the_package_is_known_no_module_is_guessed(module: str, packages: list[str], said: str):
    environment = {"pip_packages": packages}
    steps = {"train": {"script_name": "train.py", "env_name": "e"}}
    pipeline = Pipeline.model_validate({"steps": steps, "environments": {"e": environment}})
    assert package_hint(module, pipeline, pipeline.steps["train"], "here", "clean") == f"'{module}' {HERE}: {said}"


@pytest.mark.parametrize(
    ("module", "asked"),
    [("siblign", ("siblign", "sibling")), ("zzz", ("zzz", None)), ("lazy", None), ("sibling", None)],
)
def test_only_for_a_module_that_the_project_does_not_have(project, tmp_path, module: str, asked):
    folder = project(FILES)
    calls = []
    log = f"Traceback (most recent call last):\nModuleNotFoundError: No module named '{module}'\n"
    missing_hint(
        log, build_snapshot(folder, "steps", "train.py"), folder, "steps", tmp_path, lambda *names: calls.append(names)
    )

    assert calls == ([asked] if asked else [])


def test_the_last_module_of_the_log_counts():
    log = "".join(f"ModuleNotFoundError: No module named '{name}'\n" for name in ("one", "two"))

    assert missing_module(log)[1] == "two"
    assert missing_module("ValueError: No module named 'one'\n") is None

"""What steps that use MLflow need on Azure ML, and what of MLflow fails there."""

from __future__ import annotations

from pathlib import Path

import pytest

from azml_tasks.checks.files import check_project
from azml_tasks.reading import load_project

LACKS = (
    "environment 'e': step 'train' imports mlflow, but without azureml-mlflow Azure ML does not record what it "
    "logs; add "
)
FAILS = (
    "step 'train' logs a model, which fails on Azure ML with 404 (logged-models) for MLflow 2.17 and later, and the "
    "environment 'e' may have that: use autolog(log_models=False), or save_model with log_artifacts and "
    "azureml.core.Model.register, or require mlflow-skinny<2.17"
)


def notes(folder: Path, environment: str, script: str = "import mlflow\n", **files: str) -> list[str]:
    text = f"env_name: e\nsteps:\n  train: {{script_name: train.py}}\nenvironments:\n  e: {{{environment}}}\n"
    for name, content in {"pipeline.yaml": text, "train.py": script, **files}.items():
        (folder / name).write_text(content, encoding="utf-8")
    return [str(note) for note in check_project(load_project(folder / "pipeline.yaml", variables={})).notes]


def test_an_environment_without_azureml_mlflow_is_noted_with_what_to_add(tmp_path):
    assert notes(tmp_path, "pip_packages: [mlflow]") == [f"pipeline.yaml:5: {LACKS}azureml-mlflow to pip_packages"]


def test_in_a_conda_file_the_line_is_one_of_its_pip_section(tmp_path):
    conda = "dependencies:\n- python=3.10\n- pip:\n  - mlflow\n"

    assert notes(tmp_path, "conda_file: conda.yml", **{"conda.yml": conda}) == [
        f"pipeline.yaml:5: {LACKS}`- azureml-mlflow` to pip in conda.yml"
    ]


def test_an_import_in_a_module_of_the_project_counts(tmp_path):
    found = notes(tmp_path, "pip_packages: [pandas]", "import helper\n", **{"helper.py": "import mlflow.sklearn\n"})

    assert found == [f"pipeline.yaml:5: {LACKS}azureml-mlflow to pip_packages"]


@pytest.mark.parametrize(
    ("environment", "script"),
    [
        ("pip_packages: [azureml-mlflow]", "import mlflow\n"),
        ("pip_packages: [AzureML_MLflow==1.60]", "import mlflow\n"),
        ("pip_packages: [-r requirements.txt]", "import mlflow\n"),
        ("conda_file: conda.yml", "import mlflow\n"),
        ("pip_packages: [pandas]", "# mlflow is not imported\n"),
        ("base_image: image", "import mlflow\n"),
    ],
)
def test_nothing_is_noted_where_it_is_there_or_not_needed_or_unknown(tmp_path, environment: str, script: str):
    files = {
        "requirements.txt": "azureml-mlflow  # on Azure\n",
        "conda.yml": "dependencies:\n- python=3.10\n- pip:\n  - azureml-mlflow\n",
    }

    assert notes(tmp_path, environment, script, **files) == []


@pytest.mark.parametrize(
    "call", ["mlflow.sklearn.log_model(m, 'm')", "mlflow.autolog()", "mlflow.sklearn.autolog(log_models=True)"]
)
@pytest.mark.parametrize("mlflow", ["mlflow", "mlflow>=2", "mlflow-skinny==2.17.2", "mlflow~=3.1", "pandas"])
def test_a_logged_model_of_a_late_mlflow_is_noted_with_the_remedy(tmp_path, mlflow: str, call: str):
    found = notes(tmp_path, f"pip_packages: [azureml-mlflow, '{mlflow}']", f"import mlflow\n\n{call}\n")

    assert found == [f"train.py:3: {FAILS}"]


@pytest.mark.parametrize(
    ("packages", "call"),
    [
        ("azureml-mlflow, mlflow-skinny<2.17", "mlflow.autolog()"),
        ("azureml-mlflow, mlflow==2.16.2", "mlflow.sklearn.log_model(m, 'm')"),
        ("azureml-mlflow, mlflow==2.9.*", "mlflow.sklearn.log_model(m, 'm')"),
        ("azureml-mlflow==1.50.0", "mlflow.sklearn.log_model(m, 'm')"),
        ("azureml-mlflow", "mlflow.autolog(log_models=False)"),
        ("azureml-mlflow", "mlflow.autolog(**options)"),
        ("azureml-mlflow", "mlflow.sklearn.save_model(m, 'm')"),
    ],
)
def test_an_earlier_mlflow_and_other_calls_are_not(tmp_path, packages: str, call: str):
    assert notes(tmp_path, f"pip_packages: [{packages}]", f"import mlflow\n\n{call}\n") == []

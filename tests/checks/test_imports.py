"""What scripts import and their environments do not have: the whole message, with the line to add."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas
import pytest

from azml_tasks.checks.files import check_project
from azml_tasks.lock.lockfile import write_lock
from azml_tasks.lock.wanted import wanted_of
from azml_tasks.reading import load_project

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
PIPELINE = f"""\
backend: local
env_name: e
steps:
  s: {{script_name: s.py, script_directory: steps}}
environments:
  e:
    python_version: "{PYTHON}"
    PACKAGES
"""


def report(folder: Path, packages: str, files: dict[str, str], pipeline: str = PIPELINE) -> list[str]:
    """Return the notes and the remarks; the packages are in line 8."""
    pipeline = pipeline.replace("PACKAGES", packages)
    for name, text in {"pipeline.yaml": pipeline, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    found = check_project(load_project(folder / "pipeline.yaml", variables={}))
    assert found.problems == []
    return [*map(str, found.notes), *(f"remark: {remark}" for remark in found.remarks)]


def said(folder: Path, code: str, packages: str = "pip_packages: [pandas]") -> list[str]:
    return report(folder, packages, {"steps/s.py": code})


def test_a_package_that_is_missing(tmp_path):
    assert said(tmp_path, "import os\nfrom sklearn.svm import SVC\n") == [
        "pipeline.yaml:8: environment 'e' has no package for `import sklearn` in steps/s.py:2; add "
        "`- scikit-learn` to its pip_packages"
    ]


def test_a_module_of_a_namespace(tmp_path):
    code = (
        "from azure.storage.blob import BlobClient\nfrom azureml.core import Run\nfrom azureml.pipeline import core\n"
    )

    assert said(tmp_path, code) == [
        "pipeline.yaml:8: environment 'e' has no package for `import azure.storage.blob` in steps/s.py:1; add "
        "`- azure-storage-blob` to its pip_packages",
        "pipeline.yaml:8: environment 'e' has no package for `import azureml.pipeline.core` in steps/s.py:3; add "
        "`- azureml-pipeline-core` to its pip_packages",
    ]


def test_an_environment_without_packages(tmp_path):
    assert said(tmp_path, "import sklearn\n", "environment_variables: {A: b}") == [
        "pipeline.yaml:6: environment 'e' has no package for `import sklearn` in steps/s.py:1; add "
        "`- scikit-learn` to its pip_packages"
    ]


def test_a_conda_file(tmp_path):
    pipeline = PIPELINE.replace(f'    python_version: "{PYTHON}"\n', "")
    conda = "dependencies:\n- pip:\n  - pandas\n"
    files = {"steps/s.py": "import sklearn\n", "c.yml": f"{conda}- python={PYTHON}\n"}

    assert report(tmp_path, "conda_file: c.yml", files, pipeline) == [
        "pipeline.yaml:7: environment 'e' has no package for `import sklearn` in steps/s.py:1; add "
        "`- scikit-learn` to the pip part of c.yml"
    ]


@pytest.mark.parametrize(
    "code",
    [
        "import pandas, numpy, dateutil",  # numpy and dateutil come with pandas
        "import azureml.core, yaml, requests, azure.identity",  # with azureml-defaults
        "import pkg_resources, setuptools, pip",
        "import tomllib, json, os, distutils",
        "import google, azure, azure.something",
        "from azureml.train import hyperdrive",
    ],
)
def test_what_declared_packages_bring(tmp_path, code):
    assert said(tmp_path, f"{code}\n") == []


@pytest.mark.parametrize(
    "packages",
    [
        "pip_packages: [scikit-learn]",
        "pip_packages: ['scikit_learn>=1.3,<2; python_version > \"3.8\"']",
        "conda_packages: [conda-forge::scikit-learn=1.3]",
        "pip_packages: [a-package-that-is-not-installed-here]",
        "pip_packages: ['git+https://example.org/a/b.git']",
        "pip_packages: ['b @ https://example.org/b-1-py3-none-any.whl']",
        "pip_packages: [pandas==0.1]",
        "pip_packages: [-r requirements.txt]",
        "base_image: mcr.microsoft.com/azureml/curated/sklearn:1",
        "conda_packages: [anaconda]",
    ],
)
def test_nothing_is_said_of_what_may_be_there(tmp_path, packages):
    files = {"steps/s.py": "import sklearn\n", "requirements.txt": "scikit-learn\n"}

    assert report(tmp_path, packages, files) == []


def test_nothing_is_said_of_environments_known_by_name(tmp_path):
    pipeline = "backend: local\nenv_name: AzureML-sklearn\nsteps:\n  s: {script_name: s.py}\n"

    assert [one for one in report(tmp_path, "", {"s.py": "import sklearn\n"}, pipeline) if "sklearn`" in one] == []


def test_a_python_that_gets_another_version(tmp_path):
    """What the installed package brings says nothing of the one that the environment gets."""
    pipeline = PIPELINE.replace(PYTHON, "3.6")

    assert report(tmp_path, "pip_packages: [pandas]", {"steps/s.py": "import sklearn\n"}, pipeline) == []


@pytest.mark.parametrize(
    ("code", "guard"),
    [
        ("try:\n    import sklearn\nexcept ImportError:\n    sklearn = None\n", "in a `try`"),
        ("def f():\n    import sklearn\n", "in a function"),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import sklearn\n",
            "for type checking alone",
        ),
        ("import sys\nif len(sys.argv) > 5:\n    import sklearn\n", "under a condition"),
    ],
)
def test_imports_that_may_not_be_needed_are_remarks(tmp_path, code, guard):
    line = code[: code.index("import sklearn")].count("\n") + 1

    assert said(tmp_path, code) == [
        f"remark: pipeline.yaml:8: environment 'e' has no package for `import sklearn` in steps/s.py:{line} ({guard}); "
        "add `- scikit-learn` to its pip_packages"
    ]


def test_a_file_that_may_not_be_imported(tmp_path):
    files = {
        "steps/s.py": "try:\n    import extra\nexcept ImportError:\n    pass\n",
        "steps/extra.py": "import sklearn\n",
    }

    assert report(tmp_path, "pip_packages: [pandas]", files) == [
        "remark: pipeline.yaml:8: environment 'e' has no package for `import sklearn` in steps/extra.py:1 (in a file "
        "that the script may not import); add `- scikit-learn` to its pip_packages"
    ]


def test_a_module_of_the_project_that_the_snapshot_does_not_hold(tmp_path):
    files = {"steps/s.py": "import helpers\n", "src/helpers.py": ""}

    assert report(tmp_path, "pip_packages: [pandas]", files) == [
        "steps/s.py:1: module 'helpers' is in the project (src/helpers.py), but src is not on the import path: set "
        "PYTHONPATH=src, or import it as `src.helpers`"
    ]


def test_a_module_that_an_include_holds(tmp_path):
    pipeline = PIPELINE.replace("script_directory: steps}", 'script_directory: steps, include: ["src/**"]}')
    files = {"steps/s.py": "import sys\nsys.path.append('src')\nimport helpers\n", "src/helpers.py": ""}

    assert report(tmp_path, "pip_packages: [pandas]", files, pipeline) == []


def test_several_steps_of_one_environment_are_said_once(tmp_path):
    pipeline = PIPELINE.replace("steps:\n", "steps:\n  a: {script_name: a.py, script_directory: steps}\n", 1)
    files = {"steps/s.py": "import sklearn\n", "steps/a.py": "import sklearn\n"}

    assert len(report(tmp_path, "pip_packages: [pandas]", files, pipeline)) == 1


def test_an_import_in_a_class_always_runs_unless_the_class_is_in_a_function(tmp_path):
    code = "class A:\n    import sklearn\n\n    class B:\n        import xgboost\n\n\n"
    code += "def f():\n    class C:\n        import torch\n"
    start = "pipeline.yaml:8: environment 'e' has no package for"

    assert said(tmp_path, code) == [
        f"{start} `import sklearn` in steps/s.py:2; add `- scikit-learn` to its pip_packages",
        f"{start} `import xgboost` in steps/s.py:5; add `- xgboost` to its pip_packages",
        f"remark: {start} `import torch` in steps/s.py:10 (in a function); add `- torch` to its pip_packages",
    ]


def lock(folder: Path, *pins: str) -> None:
    """Write the lock of what pipeline.yaml says."""
    project = load_project(folder / "pipeline.yaml", variables={})
    write_lock(folder, wanted_of(project.plan, "e", folder), pins)


def test_what_a_package_brings_is_known_from_the_lock(tmp_path):
    code = "import xgboost, scipy, sklearn\n"
    packages = "pip_packages: [xgboost]"  # is not installed here, so nothing is known of what it brings
    assert said(tmp_path, code, packages) == []

    lock(tmp_path, "azureml-defaults==1.61.0", "scipy==1.15.3", "xgboost==3.0.5")

    assert said(tmp_path, code, packages) == [
        "pipeline.yaml:8: environment 'e' has no package for `import sklearn` in steps/s.py:1; add "
        "`- scikit-learn` to its pip_packages"
    ]


def test_a_locked_package_that_is_not_installed_here_may_have_modules_of_any_name(tmp_path):
    packages = "pip_packages: [xgboost]"
    said(tmp_path, "", packages)
    lock(tmp_path, "azureml-defaults==1.61.0", "xgboost==3.0.5")

    assert said(tmp_path, "import of_no_known_package\n", packages) == []


def test_a_lock_of_what_the_file_said_before_does_not_count(tmp_path):
    said(tmp_path, "", "pip_packages: [lightgbm]")
    lock(tmp_path, "azureml-defaults==1.61.0", "lightgbm==4.6.0")

    assert "scikit-learn" not in "".join(said(tmp_path, "import sklearn\n", "pip_packages: [xgboost]"))


def test_conda_packages_are_not_in_a_lock(tmp_path):
    packages = "pip_packages: [tiny]\n    conda_packages: [of-no-known-package]"
    said(tmp_path, "", packages)
    lock(tmp_path, "azureml-defaults==1.61.0", "tiny==1.0")

    assert said(tmp_path, "import sklearn\n", packages) == []


def test_a_module_of_ones_own_that_is_missing(tmp_path):
    start = "pipeline.yaml:8: environment 'e' has no package for `import"
    code = "import pandas\nimport my_helpers\n"

    assert said(tmp_path, code) == [
        f"{start} my_helpers` in steps/s.py:2, and the project has no module of that name; add my_helpers.py, or "
        "`- my-helpers` to its pip_packages"
    ]
    (tmp_path / "steps/my_helper.py").write_text("")
    assert said(tmp_path, code) == [
        f"{start} my_helpers` in steps/s.py:2; did you mean 'my_helper'? Otherwise add my_helpers.py, or "
        "`- my-helpers` to its pip_packages"
    ]


@pytest.fixture(autouse=True)
def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Python find none of these, which may be installed."""
    for name in ("google", "sklearn", "torch", "xgboost"):
        monkeypatch.setitem(sys.modules, name, None)


def absent(folder: Path, files: dict[str, str], pipeline: str = PIPELINE) -> list[str]:
    """Return the notes on packages that are not installed here, with one listed in the environment."""
    listed = "pip_packages: [pandas, scikit-learn, torch, xgboost, google-cloud-bigquery]"
    report(folder, "", files, pipeline.replace("PACKAGES", listed))
    project = load_project(folder / "pipeline.yaml", variables={})
    found = check_project(project, in_this_python={*project.pipeline.steps})
    assert found.problems == []
    return [text for text in map(str, found.remarks) if "has no package" not in text]


MADE = ", or `invoke register-env` to install it in a virtual environment"


def test_a_package_that_is_not_installed_is_noted_once_for_an_environment(tmp_path):
    code = "import json, numpy\nfrom azureml.core import Run\nimport google.cloud.bigquery\n\nimport sklearn.svm\n"
    more = "  t: {script_name: t.py, script_directory: steps}\n  u: {script_name: steps/t.py, env_name: f}\n"
    pipeline = PIPELINE.replace("environments:", f"{more}environments:")
    files = {"steps/s.py": code, "steps/t.py": "import common\n", "steps/common.py": "import sklearn, numpy\n"}

    assert absent(tmp_path, files, pipeline) == [
        "pipeline.yaml:4: step 's' imports google.cloud.bigquery (steps/s.py:3), which is not installed here; run "
        f"`pip install google-cloud-bigquery`{MADE}",
        "pipeline.yaml:4: step 's' imports sklearn (steps/s.py:5), which is not installed here; run `pip install "
        f"scikit-learn`{MADE}",
        "pipeline.yaml:6: step 'u' imports sklearn (steps/common.py:1), which is not installed here; run `pip install "
        "scikit-learn`",
    ]


def test_a_module_that_is_neither_in_the_project_nor_installed(tmp_path):
    start = "pipeline.yaml:4: step 's' imports my_helpers (s.py:1), which is neither in the project nor installed here"
    pipeline = "backend: local\n\nsteps:\n  s: {script_name: s.py}\n"
    files = {"s.py": "import my_helpers.inner\n"}

    assert absent(tmp_path, files, pipeline) == [
        f"{start}: if it is yours, add my_helpers.py; if not, run `pip install my-helpers`"
    ]
    assert absent(tmp_path, {**files, "my_helper.py": ""}, pipeline) == [
        f"{start}; did you mean 'my_helper'? Otherwise run `pip install my-helpers`"
    ]
    # The failure says what to do about it.
    assert absent(tmp_path, {**files, "lib/my_helpers.py": ""}, pipeline) == []


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    import sklearn\nexcept ImportError:\n    sklearn = None\n",
        "def f():\n    import sklearn\n",
        "import sys\nif sys.platform == 'win32':\n    import win32api\n",
        "import contextlib\nwith contextlib.suppress(ImportError):\n    import sklearn\n",
        "from importlib import import_module\ndef f():\n    return import_module('sklearn')\n",
        "import sys\nsys.path.append('/opt/lib')\nimport of_the_machine\n",
        "import os\nos.system('pip install xgboost')\nimport xgboost\n",
        "import subprocess\nsubprocess.run(\n    [\n        'pip',\n        'install', 'torch'])\nimport torch\n",
        "import azureml.core, azureml.train.sklearn\n",
        "import distutils\n",
        "def f():\n    import other\n",
        "import inner\n",
        "import azure.storage.blob, yaml, numpy.linalg\n",
    ],
)
def test_what_a_script_may_do_without_or_find_by_itself_is_not_noted(tmp_path, code):
    files = {"steps/s.py": code, "steps/other.py": "import sklearn\n", "steps/inner/deep.py": ""}

    assert absent(tmp_path, files) == []


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("environment_variables: {PYTHONPATH: lib}", {}),
        ("include: [lib]", {"steps/lib/sklearn/__init__.py": ""}),
    ],
)
def test_a_module_that_the_step_finds_elsewhere_is_not_noted(tmp_path, line, files):
    pipeline = PIPELINE.replace("script_directory: steps", f"script_directory: steps, {line}")

    assert absent(tmp_path, {"steps/s.py": "import sklearn\n", **files}, pipeline) == []


PARQUET = """\
backend: local
steps:
  a: {script_name: a.py}
  b: {script_name: b.py, input_datasets: {x: {step: a}}}
  c: {script_name: c.py, input_datasets: {x: old}}
datasets:
  old: {local_path: old.parquet, format: parquet}
"""


@pytest.mark.parametrize(
    ("written", "read", "notes"),
    [
        (
            "import pandas as pd\npd.DataFrame().to_parquet('x')\n",
            "",
            ["pipeline.yaml:3: step 'a' writes 'x' as Parquet, which requires pyarrow; run `pip install pyarrow`"],
        ),
        (
            "import polars as pl\npl.DataFrame().to_parquet('x')\n",
            "run.input_datasets['x'].to_pandas_dataframe()\n",
            [
                "pipeline.yaml:4: step 'b' reads the Parquet table 'x', which requires pyarrow; run `pip install "
                "pyarrow`"
            ],
        ),
        ("", "run.input_datasets['x'].download()\n", []),
    ],
)
def test_parquet_tables_without_pyarrow(tmp_path, monkeypatch, written, read, notes):
    pandas.DataFrame({"x": [1]}).to_parquet(tmp_path / "old.parquet")
    files = {"a.py": written, "b.py": read, "c.py": read}
    start = "from azureml.core import Run\nrun = Run.get_context()\n"
    files = {name: start + code for name, code in files.items()}

    def found() -> list[str]:
        return [text for text in absent(tmp_path, files, PARQUET) if "pyarrow" in text]

    assert found() == []
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "fastparquet", None)
    assert found() == notes

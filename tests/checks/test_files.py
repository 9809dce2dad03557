"""What the file says against the files that lie beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from azml_tasks.checks.files import check_project, file_problems, project_problems
from azml_tasks.reading import load_project


def problems(folder: Path, text: str, *files: str) -> list[str]:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "pipeline.yaml").write_text(text, encoding="utf-8")
    return [str(problem) for problem in file_problems(load_project(folder / "pipeline.yaml", variables={}))]


def test_files_that_are_there(tmp_path):
    text = """\
steps:
  a: {script_name: a.py, script_directory: steps, include: ["sql/**"]}
  b: {script_name: a, script_directory: steps, snapshot: directory}
environments:
  e: {conda_file: conda.yml, dockerfile: docker/Dockerfile}
datasets:
  file: {local_path: data/a.csv}
  brackets: {local_path: "data/a[1].csv"}
  folder: {type: file, local_path: data}
  some: {local_path: "data/*.csv"}
  deep: {local_path: "da*/**/a.csv"}
  none: {}
"""
    files = ("steps/a.py", "steps/sql/a.sql", "docker/Dockerfile", "data/a.csv", "data/a[1].csv")
    (tmp_path / "conda.yml").write_text("dependencies: [python]")

    assert problems(tmp_path, text, *files) == []


@pytest.mark.parametrize(
    ("local_path", "message"),
    [
        ("data/custmers.csv", "data/custmers.csv does not exist; did you mean 'data/customers.csv'?"),
        ("dat", "dat does not exist; did you mean 'data'?"),
        ("data\\customers.csv", "data\\customers.csv does not exist; use slashes: data/customers.csv"),
        ("data\\*.csv", "no file matches data\\*.csv; use slashes: data/*.csv"),
        ("~/x.csv", "~/x.csv does not exist; ~ is not replaced: write ${HOME}/x.csv"),
        ("$DATA/*.csv", "no file matches $DATA/*.csv; $DATA is not replaced: write ${DATA}/*.csv"),
        ("other/customers.csv", "other/customers.csv does not exist"),
    ],
)
def test_a_data_file_of_nearly_that_name(tmp_path, local_path, message):
    text = f"steps:\n  prepare: {{script_name: prepare.py}}\ndatasets:\n  customers: {{local_path: '{local_path}'}}\n"

    assert problems(tmp_path, text, "prepare.py", "data/customers.csv") == [
        f"pipeline.yaml:4: dataset 'customers': {message}"
    ]


@pytest.mark.parametrize(
    ("content", "options", "lines"),
    [
        (
            b"\xef\xbb\xbfage,name\r\n1,x\r\n",
            "",
            [":7: dataset 'd': unknown column 'nmae'; did you mean 'name'?"],
        ),
        (b"age;nmae", 'separator: ";"', []),
        (b"age,nmae\n", "", []),
        (b"age,\xff\n", "", []),
        (b" age , nmae\n1,2\n", "", []),
        (b'"age\nyears",nmae\n', "support_multi_line: true", [":6: dataset 'd': unknown column 'age'"]),
        (b"age\n1\n2,3\n", "", [":7: dataset 'd': unknown column 'nmae'"]),
        (b"x" * 100_000 + b",age,nmae\n", "", []),
        (b"", "", []),
        (b"PAR1", "format: parquet", []),
    ],
)
def test_a_column_that_the_local_file_does_not_have(tmp_path, content, options, lines):
    text = """\
steps: {a: {script_name: a.py}}
datasets:
  d:
    local_path: d.csv
    set_column_types:
      age: long
      nmae: string
"""
    text += f"    {options}\n"

    (tmp_path / "d.csv").write_bytes(content)
    assert problems(tmp_path, text, "a.py") == [f"pipeline.yaml{line}" for line in lines]


def test_files_that_are_not_there(tmp_path):
    text = """\
steps:
  prepare: {script_name: prepare.py, script_directory: steps}
  train:
    script_name: trian.py
    script_directory: steps
  evaluate:
    script_name: train.py
    script_directory: stepz
  report:
    script_name: train.py
    script_directory: steps
    include: [params.json]
environments:
  e:
    conda_file: conda.yml
    dockerfile: steps
datasets:
  none: {}
  file: {local_path: data/a.csv}
  some:
    local_path: "other/*.csv"
"""

    assert problems(tmp_path, text, "steps/prepare.py", "steps/train.py", "other/x.csvs") == [
        "pipeline.yaml:4: step 'train': steps/trian.py: the script does not exist; did you mean 'train.py'?",
        "pipeline.yaml:8: step 'evaluate': stepz: the script directory does not exist; did you mean 'steps'?",
        "pipeline.yaml:12: step 'report': steps/train.py: include 'params.json' does not match any file",
        "pipeline.yaml:19: dataset 'file': data/a.csv does not exist",
        "pipeline.yaml:21: dataset 'some': no file matches other/*.csv",
        "pipeline.yaml:15: environment 'e': conda.yml does not exist",
        "pipeline.yaml:16: environment 'e': steps does not exist",
    ]


@pytest.mark.parametrize(
    ("keys", "line", "message"),
    [
        (
            "script_name: a.py\n    script_directory: ../outside",
            4,
            "../outside: the script directory '../outside' is outside the project",
        ),
        (
            "script_name: ../../a.py\n    script_directory: steps",
            3,
            "../../a.py: the script is outside its directory 'steps'",
        ),
        ("script_name: /etc/a.py", 3, "/etc/a.py: the script is outside the project"),
    ],
)
def test_a_script_outside_the_project(tmp_path, keys, line, message):
    text = f"steps:\n  a:\n    {keys}\n"

    assert problems(tmp_path, text, "steps/a.py") == [f"pipeline.yaml:{line}: step 'a': {message}"]


def test_what_two_steps_share_is_reported_once(tmp_path):
    (tmp_path / "broken.py").write_text("def f(:\n")
    text = "steps:\n  a: {script_name: a.py}\n  b: {script_name: b.py}\n"
    (tmp_path / "a.py").write_text("import broken\n")
    (tmp_path / "b.py").write_text("import broken\n")

    (line,) = problems(tmp_path, text)

    assert line.startswith("broken.py:1: ")


UNNAMED = """\
resource_group: churn-rg
subscription_id: ${AZURE_SUBSCRIPTION_ID}
pipeline_parameters: {alpha: 1, Target: cpu}
compute_name: cpu
steps:
  a: {script_name: a.py, env_name: env}
  b:
    script_name: b.py
    input_datasets: {a_output_folder: customers, b_output_folder: customers}
    output_folders: [--output-folder]
datasets: {customers: {}}
"""


def test_what_azure_needs_of_the_file(tmp_path):
    for name in ("a.py", "b.py"):
        (tmp_path / name).touch()
    file = tmp_path / "pipeline.yaml"
    file.write_text(UNNAMED, encoding="utf-8")

    assert [str(problem) for problem in project_problems(load_project(file, variables={}))] == [
        "pipeline.yaml:1: Azure needs ws_name, which is not set in the file",
        "pipeline.yaml:7: step 'b' has no environment: Azure needs env_name, in the step or at the top level",
        "pipeline.yaml:3: 'Target' is reserved by Azure; use another name",
        "pipeline.yaml:7: step 'b' has an input and an output with the name 'b_output_folder' in Azure; rename the "
        "input",
    ]


@pytest.mark.parametrize("backend", ["local", "azure"])
def test_only_a_backend_that_needs_them_requests_names(tmp_path, backend):
    (tmp_path / "a.py").touch()
    file = tmp_path / "pipeline.yaml"
    file.write_text(f"backend: {backend}\nsteps: {{a: {{script_name: a.py}}}}\n", encoding="utf-8")

    asked = [problem.message.partition(" ")[0] for problem in project_problems(load_project(file, variables={}))]
    assert asked == ([] if backend == "local" else ["Azure"] * 3 + ["step"] * 2)


def test_a_file_of_a_snapshot_that_may_not_be_read(tmp_path, monkeypatch):
    text = "steps:\n  a: {script_name: a.py, include: [data.csv]}\n"
    assert problems(tmp_path, text, "a.py", "data.csv") == []
    # The permissions themselves do not stop an administrator.
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("data.csv"))

    assert problems(tmp_path, text) == ["data.csv: this file cannot be read: Permission denied"]


def test_a_pattern_with_many_double_stars_is_looked_for_once(tmp_path):
    folder = tmp_path / "data" / "/".join("abcdefghij")
    folder.mkdir(parents=True)
    (folder / "x.csv").touch()
    stars = "**/" * 50
    text = (
        f"steps:\n  a: {{script_name: a.py, include: ['{stars}*.csv']}}\n"
        f"datasets:\n  d: {{local_path: 'data/{stars}*.none'}}\n"
    )

    assert problems(tmp_path, text, "a.py") == [f"pipeline.yaml:4: dataset 'd': no file matches data/{stars}*.none"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_no_data(tmp_path):
    os.mkfifo(tmp_path / "d.csv")
    text = "steps: {a: {script_name: a.py}}\ndatasets:\n  d: {local_path: d.csv, set_column_types: {a: long}}\n"

    assert problems(tmp_path, text, "a.py") == [
        "pipeline.yaml:3: dataset 'd': d.csv does not exist; it is neither a file nor a folder",
    ]


def test_no_more_than_twenty_suggestions_are_looked_for(tmp_path):
    steps = "".join(f"  a{n}: {{script_name: stp.py}}\n" for n in range(25))
    columns = ", ".join(f"column_{n}: long" for n in range(25))
    data = "".join(f"  d{n}: {{local_path: dta.csv}}\n" for n in range(25))
    (tmp_path / "table.csv").write_text(",".join(f"colum_{n}" for n in range(25)))
    text = f"steps:\n{steps}datasets:\n  d: {{local_path: table.csv, set_column_types: {{{columns}}}}}\n{data}"

    found = problems(tmp_path, text, "step.py", "data.csv")

    assert len(found) == 75
    assert [sum(f"'{meant}" in line for line in found) for meant in ("step.py'?", "colum_", "data.csv'?")] == [20] * 3


def test_a_pipeline_parameter_that_no_step_uses(tmp_path):
    (tmp_path / "s.py").write_text("print(1)\n")
    (tmp_path / "pipeline.yaml").write_text(
        "backend: local\npipeline_parameters: {used: 1, unused: 2}\n"
        'steps: {s: {script_name: s.py, arguments: {--n: "${{ parameters.used }}"}}}\n'
    )

    assert list(map(str, check_project(load_project(tmp_path / "pipeline.yaml", variables={})).remarks)) == [
        "pipeline.yaml:2: no step uses the pipeline parameter 'unused'; pass it in arguments: ${{ parameters.unused }}"
    ]

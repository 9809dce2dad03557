"""`invoke snapshot`: what would be uploaded for each step, and why."""

from __future__ import annotations

import pytest

from azml_tasks.text import size_text
from tests.tasks.conftest import Answer, Invoke

PIPELINE = """\
    backend: local
    steps:
      prepare: {script_name: prepare.py, script_directory: steps, include: ["data/**"]}
      small: {script_name: train.py, script_directory: steps}
      large: {script_name: train.py, script_directory: steps}
"""
# Made up, in the form of the real ones.
TOKEN = "hf_" + "abcdefghijklmnop" + "qrstuvwxyz0123456789"


@pytest.fixture
def churn(invoke: Invoke) -> Invoke:
    invoke.write("pipeline.yaml", PIPELINE)
    invoke.write("steps/prepare.py", "import json\nimport shared.tables\n")
    invoke.write("steps/train.py", "\n\nimport common\n")
    invoke.write("steps/common.py", "")
    invoke.write("shared/__init__.py", "")
    invoke.write("shared/tables.py", "from . import paths\n")
    invoke.write("shared/paths.py", "")
    invoke.write("data/a.csv", "x" * 1536)
    return invoke


def test_each_file_has_its_size_and_its_reason_and_steps_with_the_same_files_are_together(churn: Invoke):
    assert churn("snapshot") == Answer(
        "prepare:\n"
        "  5 files, 1.6 kB (at most 2,000 files, 314 MB)\n"
        "  prepare.py         33 B  the script\n"
        "  data/\n"
        "    a.csv          1.5 kB  include: data/**\n"
        "  shared/\n"
        "    __init__.py       0 B  imported by prepare.py:2\n"
        "    paths.py          0 B  imported by shared/tables.py:1\n"
        "    tables.py        20 B  imported by prepare.py:2\n"
        "small, large:\n"
        "  2 files, 16 B (at most 2,000 files, 314 MB)\n"
        "  common.py       0 B  imported by train.py:3\n"
        "  train.py       16 B  the script\n",
        "",
        0,
    )


def test_one_step_with_every_file_of_a_large_folder(churn: Invoke):
    for number in range(30):
        churn.write(f"data/part/{number:02}.csv", "")

    assert "  data/ (31 files)    1.5 kB  include: data/**\n" in churn("snapshot").out
    answer = churn("snapshot", "--step", "prepare")
    assert (answer.status, answer.out.count(".csv ")) == (0, 31)
    assert "small" not in answer.out


def test_an_unknown_step(churn: Invoke):
    assert churn("snapshot", "--step", "larg") == Answer(
        "", "--step: pipeline.yaml has no step 'larg'; did you mean 'large'?\n", 2
    )


def test_what_looks_like_a_credential_is_named_and_never_shown(churn: Invoke):
    churn.write("data/id_rsa", "")
    churn.write("steps/common.py", f"A = 1\nTOKEN = '{TOKEN}'\n")

    answer = churn("snapshot")

    assert answer.err == (
        "pipeline.yaml:3: step 'prepare': data/id_rsa: this looks like a secret, which is never uploaded: narrow the "
        "include\n"
    )
    assert answer.out.splitlines()[-1] == (
        "steps/common.py:2: note: looks like a Hugging Face token, which would be uploaded; read it with run.get_secret"
    )
    assert answer.status == 2
    assert TOKEN not in answer.out + answer.err
    # The files that would be sent are shown nevertheless.
    assert "    a.csv          1.5 kB  include: data/**\n" in answer.out


def test_a_snapshot_over_the_limits_is_shown_and_is_an_error(churn: Invoke):
    with open(churn.folder / "data" / "big.bin", "wb") as file:
        file.truncate(301 * 1024 * 1024)

    answer = churn("snapshot")

    assert "  6 files, 316 MB (at most 2,000 files, 314 MB)\n" in answer.out
    assert f"  largest files:\n    {'data/big.bin':<64}    316 MB\n" in answer.out
    assert answer.err == (
        "pipeline.yaml:3: step 'prepare': steps/prepare.py: its snapshot has 316 MB, but Azure ML allows 314 MB "
        "(300 MiB); the largest: data/big.bin (316 MB), data/a.csv (1.5 kB), prepare.py (33 B)\n"
    )
    assert answer.status == 2


def test_the_whole_directory_says_so_and_each_script_stays_the_script(invoke: Invoke):
    invoke.write("a.py", "")
    invoke.write("b.py", "")
    invoke.write("steps.amlignore", "")
    invoke.write(
        "pipeline.yaml",
        "steps: {a: {script_name: a.py, snapshot: directory}, b: {script_name: b.py, snapshot: directory}}\n",
    )
    invoke.write(".amlignore", ".*\nsteps.amlignore\npipeline.yaml\n")

    assert invoke("snapshot").out.splitlines() == [
        "a, b:",
        "  2 files, 0 B (at most 2,000 files, 314 MB)",
        "  a.py       0 B  the script",
        "  b.py       0 B  the script",
    ]


def test_a_script_that_is_missing_is_an_error_beside_the_other_steps(churn: Invoke):
    (churn.folder / "steps/train.py").unlink()

    answer = churn("snapshot")

    assert answer.out.startswith("prepare:\n")
    assert answer.err == (
        "pipeline.yaml:4: step 'small': steps/train.py: the script does not exist\n"
        "pipeline.yaml:5: step 'large': steps/train.py: the script does not exist\n"
    )


def test_no_line_is_wider_than_80_columns(churn: Invoke):
    long = "a_folder_with_a_long_name/another_one/and_yet_another_one_below_it"
    churn.write(f"{long}/__init__.py", "")
    churn.write(f"{long}/a_module_with_a_name_that_is_long_too.py", "")
    module = long.replace("/", ".") + ".a_module_with_a_name_that_is_long_too"
    churn.write("steps/prepare.py", f"import {module}\n")

    lines = churn("snapshot").out.splitlines()

    assert [line for line in lines if len(line) > 80] == []
    assert any(line.endswith("_name_that_is_long_too.py       0 B") for line in lines)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1536, "1.5 kB"),
        (9_949, "9.9 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (315 << 20, "330 MB"),
        (2_500_000_000_000, "2,500 GB"),
    ],
)
def test_sizes(size: int, text: str):
    assert size_text(size) == text

"""`invoke new-step`: the step in pipeline.yaml, and its script."""

from __future__ import annotations

import ast
import errno

import pytest

from azml_tasks.reading import load_project
from azml_tasks.stub import render_stub
from tests.tasks.conftest import Answer, Invoke

CHURN = """\
backend: local

steps:   # in order
  # the data
  prepare:
    script_name: prepare.py
    script_directory: steps
  train:
    script_name: train.py   # the model

tags: {a: b}   # behind
"""
DATASETS = "datasets:\n  new_data: {local_path: new.csv}\n  old: {}\n"


@pytest.fixture
def churn(invoke: Invoke) -> Invoke:
    (invoke.folder / "pipeline.yaml").write_bytes(CHURN.encode())
    return invoke


def text(churn: Invoke) -> str:
    return (churn.folder / "pipeline.yaml").read_bytes().decode()


def test_a_step_behind_the_last(churn: Invoke):
    answer = churn("new-step", "evaluate")

    assert answer == Answer(
        "added step 'evaluate' to pipeline.yaml and created evaluate.py; run it with `invoke run`\n", "", 0
    )
    assert text(churn) == CHURN.replace("# the model\n", "# the model\n  evaluate:\n    script_name: evaluate.py\n")
    assert (churn.folder / "evaluate.py").read_text(encoding="utf-8") == render_stub("evaluate")


def test_a_step_behind_another_with_datasets(churn: Invoke):
    datasets = 'datasets: {new_data: {local_path: new.csv}, "on": {local_path: "on.csv"}}\n'
    (churn.folder / "pipeline.yaml").write_text(CHURN + datasets)
    answer = churn("new-step", "clean", "--after", "prepare", "--dataset", "new_data", "--dataset", "on")

    assert answer == Answer(
        "added step 'clean' to pipeline.yaml and created steps/clean.py; run it with `invoke run`\n",
        "",
        0,
    )
    assert text(churn) == (CHURN + datasets).replace(
        "script_directory: steps\n",
        "script_directory: steps\n  clean:\n    script_name: clean.py\n    script_directory: steps\n"
        '    input_datasets: {--new-data: "new_data", --on: "on"}\n',
    ).replace('"new_data"', "new_data")
    assert (churn.folder / "steps" / "clean.py").read_text(encoding="utf-8") == render_stub("clean", ["new_data", "on"])


def test_the_step_before_may_not_accept_the_folder_that_it_now_writes(churn: Invoke):
    parser = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--input-folder')\n"
    (churn.folder / "steps").mkdir()
    (churn.folder / "steps" / "prepare.py").write_text("")
    (churn.folder / "train.py").write_text(parser + "parser.parse_args()\n")

    assert churn("new-step", "evaluate") == Answer(
        "added step 'evaluate' to pipeline.yaml and created evaluate.py; fix this before you run it:\n"
        "pipeline.yaml:8: step 'train' passes --output-folder, which train.py does not accept (its parser: "
        "train.py:2); `output_folders: []` passes none\n",
        "",
        0,
    )
    assert churn("validate").status == 2


def test_a_dataset_that_only_the_workspace_may_have(churn: Invoke):
    (churn.folder / "pipeline.yaml").write_text(CHURN.replace("local", "azure") + DATASETS)

    assert churn("new-step", "clean", "--dataset", "new_dat", "--dataset", "old") == Answer(
        "added step 'clean' to pipeline.yaml and created clean.py; run it with `invoke run`\n"
        "note: dataset 'new_dat' is not declared under datasets, which local runs need; did you mean 'new_data'?\n",
        "",
        0,
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("new_dat", "pipeline.yaml:12: the file has no dataset 'new_dat'; did you mean 'new_data'?"),
        ("nope", "pipeline.yaml:12: the file has no dataset 'nope': it has new_data and old"),
        ("old", "pipeline.yaml:14: dataset 'old' has no local_path, which a local run needs"),
    ],
)
def test_a_dataset_that_a_local_run_could_not_read(churn: Invoke, name: str, line: str):
    (churn.folder / "pipeline.yaml").write_text(CHURN + DATASETS)

    assert churn("new-step", "clean", "--dataset", name) == Answer("", line + "\n", 2)
    assert text(churn) == CHURN + DATASETS
    assert sorted(file.name for file in churn.folder.iterdir()) == ["pipeline.yaml"]


def test_what_was_written_can_be_read(churn: Invoke):
    (churn.folder / "pipeline.yaml").write_text(CHURN.replace("local", "azure"))

    for name in ("yes", "null", "on"):
        assert churn("new-step", name, "--dataset", name).status == 0

    steps = load_project(churn.folder / "pipeline.yaml", variables={}).pipeline.steps
    assert {key: dict(step.input_datasets) for key, step in steps.items()} == {
        "prepare": {},
        "train": {},
        "yes": {"--yes": "yes"},
        "null": {"--null": "null"},
        "on": {"--on": "on"},
    }
    for name in ("yes", "null", "on"):
        ast.parse((churn.folder / f"{name}.py").read_text(encoding="utf-8"))


def test_a_dry_run_changes_nothing(churn: Invoke):
    answer = churn("--dry", "new-step", "evaluate", "--after", "prepare")

    assert answer == Answer("would add step 'evaluate' to pipeline.yaml and create steps/evaluate.py\n", "", 0)
    assert text(churn) == CHURN
    assert sorted(file.name for file in churn.folder.iterdir()) == ["pipeline.yaml"]


def test_line_endings_and_a_byte_order_mark_stay(churn: Invoke):
    file = churn.folder / "pipeline.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + CHURN.replace("\n", "\r\n").encode())

    churn("new-step", "evaluate")

    added = "  evaluate:\r\n    script_name: evaluate.py\r\n"
    model = b"# the model\r\n"
    before = b"\xef\xbb\xbf" + CHURN.replace("\n", "\r\n").encode()
    assert file.read_bytes() == before.replace(model, model + added.encode())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["train"], "pipeline.yaml:8: step 'train' already exists"),
        (["prepare"], "pipeline.yaml:5: step 'prepare' already exists"),
        (["clean"], "clean.py already exists; choose another name, or add the step by hand"),
        (["evaluate", "--after", "trian"], "pipeline.yaml:3: the file has no step 'trian'; did you mean 'train'?"),
        *(
            ([name], f"new-step cannot add a step named '{name}': {problem} (a step added by hand can have any key)")
            for name, problem in (
                ("Train", "use a-z, 0-9, _; start with a letter"),
                ("a-b", "use a-z, 0-9, _; start with a letter"),
                ("../x", "use a-z, 0-9, _; start with a letter"),
                ("class", "a Python keyword"),
                ("json", "hides a Python module"),
            )
        ),
        (
            ["evaluate", "--dataset", "path"],
            "new-step cannot use the dataset 'path': replaces the variable PATH",
        ),
        (["evaluate", "--dataset", "nope"], "pipeline.yaml:1: the file has no dataset 'nope': it has none"),
    ],
)
def test_what_cannot_be_added(churn: Invoke, words: list[str], line: str):
    churn.write("train.py", "")
    churn.write("clean.py", "")
    before = sorted(churn.folder.rglob("*"))

    assert churn("new-step", *words) == Answer("", line + "\n", 2)
    assert (text(churn), sorted(churn.folder.rglob("*"))) == (CHURN, before)


def test_a_script_that_would_lie_outside_the_project(churn: Invoke):
    (churn.folder / "pipeline.yaml").write_text("steps: \n  a: {script_name: a.py, script_directory: ../other}\n")

    assert churn("new-step", "evaluate") == Answer(
        "", "../other/evaluate.py is outside the project; add the step by hand\n", 2
    )
    assert not (churn.folder.parent / "other").exists()


def test_a_folder_whose_name_needs_quotes(churn: Invoke):
    (churn.folder / "pipeline.yaml").write_text(
        'steps:\n  a: {script_name: a.py, script_directory: "a: $$b #é"}\n', encoding="utf-8"
    )

    assert churn("new-step", "evaluate").status == 0
    steps = load_project(churn.folder / "pipeline.yaml", variables={}).pipeline.steps
    assert steps["evaluate"].script_directory == steps["a"].script_directory == "a: $b #é"
    assert (churn.folder / "a: $b #é" / "evaluate.py").is_file()


def test_a_file_that_is_wrong_is_left_alone(churn: Invoke):
    (churn.folder / "pipeline.yaml").write_text("steps:\n\ta: 1\n")

    assert churn("new-step", "evaluate") == Answer(
        "", "pipeline.yaml:2: YAML does not allow tabs for indentation; use spaces\n", 2
    )
    assert text(churn) == "steps:\n\ta: 1\n"


SEVERAL = """\
backend: local
steps:
  split: {script_name: a.py, output_folders: [--train-folder, --test-folder]}
  train:
    script_name: a.py
    input_folders: {--train-folder: split/--train-folder}
"""


@pytest.mark.parametrize(
    "before",
    [
        "  split: {script_name: a.py, output_folders: [--train-folder, --test-folder]}\n",
        "  'split':\n    script_name: a.py\n    output_folders: {--train-folder: {}, --test-folder: {}}\n",
        '  "split":   # quoted\n    output_folders:\n    - --train-folder\n    - --test-folder\n'
        "    script_name: a.py\n",
    ],
)
@pytest.mark.parametrize("is_last", [True, False])
def test_behind_a_step_with_several_outputs_the_first_is_read(invoke: Invoke, before: str, is_last: bool):
    behind = "" if is_last else "  train: {script_name: a.py, input_folders: {--train-folder: split/--train-folder}}\n"
    file = invoke.write("pipeline.yaml", f"backend: local\nsteps:\n{before}{behind}")
    invoke.write("a.py", "")

    assert invoke("new-step", "audit", "--after", "split") == Answer(
        "added step 'audit' to pipeline.yaml and created audit.py; run it with `invoke run`\n"
        "note: step 'split' has several outputs; 'audit' reads split/--train-folder (see its input_folders)\n",
        "",
        0,
    )
    steps = load_project(file, variables={}).pipeline.steps
    assert list(steps)[1] == "audit"
    assert steps["audit"].input_folders == {"--input-folder": "split/--train-folder"}
    assert invoke("validate").status == 0


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        (
            "backend: local\nsteps:\n  a: {script_name: a.py, arguments: [--output-folder, x]}\n",
            ["b"],
            "3: step 'b' cannot be added after 'a': step 'a' passes --output-folder twice",
        ),
        (
            "backend: local\nsteps:\n"
            "  a: {script_name: a.py, output_folders: []}\n"
            "  c: {script_name: a.py, arguments: {--input-folder: x}}\n",
            ["b", "--after", "a"],
            "3: step 'b' cannot be added after 'a': step 'c' passes --input-folder twice",
        ),
        (
            "backend: local\nsteps:\n  A-b: {script_name: a.py}\n",
            ["a_b"],
            "3: step 'a_b' cannot be added after 'A-b': steps 'A-b' and 'a_b' have the same name in Azure or in "
            "folders; rename one",
        ),
        (
            f"{SEVERAL}targets:\n  dev: {{steps: {{train: {{output_folders: [--x, --y]}}}}}}\n",
            ["audit"],
            "4: step 'audit' cannot be added after 'train': target 'dev': step 'audit' follows 'train', which has "
            "several outputs: select one with input_folders, such as {--input-folder: train/--x}, or {} for none",
        ),
        (
            "backend: local\nsteps:\n  a: {script_name: a.py}\n"
            "targets:\n  dev: {backend: azure, ws_name: wsx, resource_group: r, subscription_id: '${S}', env_name: e,"
            " steps: {a: {compute_name: cpu}}}\n",
            ["b"],
            "3: step 'b' cannot be added after 'a': step 'b' has no compute: Azure needs compute_name, in the step "
            "or at the top level",
        ),
    ],
)
@pytest.mark.parametrize("flags", [[], ["--dry"]])
def test_a_step_that_would_make_the_file_wrong_is_not_added(
    invoke: Invoke, text: str, words: list[str], message: str, flags: list[str]
):
    file = invoke.write("pipeline.yaml", text)

    assert invoke(*flags, "new-step", *words) == Answer("", f"pipeline.yaml:{message}\n", 2)
    assert file.read_text() == text
    assert [path.name for path in invoke.folder.iterdir()] == ["pipeline.yaml"]


def test_the_compute_and_the_environment_of_the_step_before_where_the_file_has_none_for_all(invoke: Invoke):
    steps = 'steps:\n  a: {script_name: a.py, compute_name: "cpu-${SIZE:-s}", env_name: e}\n'
    file = invoke.write("pipeline.yaml", f"ws_name: wsx\nresource_group: r\nsubscription_id: ${{S}}\n{steps}")
    invoke.write("a.py", "")
    before = file.read_text()

    assert invoke("new-step", "b").status == 0

    added = '  b:\n    script_name: b.py\n    compute_name: "cpu-${SIZE:-s}"\n    env_name: e\n'
    assert file.read_text() == before + added
    assert invoke("validate").status == 0


def test_variables_of_other_targets_need_not_be_set(invoke: Invoke):
    invoke.write(
        "pipeline.yaml",
        """\
        backend: local
        steps:
          a: {script_name: a.py, compute_name: null}
        targets:
          prod: {backend: azure, experiment_name: "${NOBODY}", steps: {a: {step_config: {x: "${NOTHING}"}}}}
        """,
    )

    assert invoke("new-step", "b") == Answer(
        "added step 'b' to pipeline.yaml and created b.py; run it with `invoke run`\n", "", 0
    )


def test_a_file_that_lies_elsewhere_is_not_changed_through_a_link(churn: Invoke, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "shared.yaml"
    (churn.folder / "pipeline.yaml").rename(elsewhere)
    (churn.folder / "pipeline.yaml").symlink_to(elsewhere)

    assert churn("new-step", "evaluate") == Answer(
        "", f"pipeline.yaml is a link to outside the project; add the step to {elsewhere} by hand\n", 2
    )
    assert elsewhere.read_text(encoding="utf-8") == CHURN
    assert not list(churn.folder.rglob("evaluate.py"))


@pytest.mark.parametrize("name", ["evaluate.py", "steps"])
def test_a_script_is_not_written_through_a_link(churn: Invoke, tmp_path_factory, name: str):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (churn.folder / "pipeline.yaml").write_text(
        f"steps:\n  a: {{script_name: a.py, script_directory: {'steps' if name == 'steps' else '.'}}}\n"
    )
    (churn.folder / name).symlink_to(elsewhere if name == "steps" else elsewhere / "new.py")

    assert churn("new-step", "evaluate").status == 2
    assert list(elsewhere.iterdir()) == []


def test_a_project_that_cannot_be_written(churn: Invoke, monkeypatch):
    before = {file: file.read_bytes() for file in churn.folder.rglob("*") if file.is_file()}

    def refuse(source: str, target: str) -> None:
        raise OSError(errno.EROFS, "Read-only file system", "pipeline.yaml")

    monkeypatch.setattr("os.replace", refuse)
    answer = churn("new-step", "score")
    monkeypatch.undo()

    assert (answer.err, answer.status) == ("cannot write pipeline.yaml: Read-only file system\n", 2)
    assert {file: file.read_bytes() for file in churn.folder.rglob("*") if file.is_file()} == before

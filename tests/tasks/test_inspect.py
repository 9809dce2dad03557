"""`invoke validate` and `invoke graph`: what they print and how they end."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys

import pytest

from azml_tasks.reading.editor import SCHEMA_FILE
from azml_tasks.tasks import namespace
from azml_tasks.tasks.task import TARGET
from tests.tasks.conftest import Answer, Invoke

CHURN = """\
    backend: local
    compute_name: cpu
    steps:
      prepare: {script_name: prepare.py, input_datasets: {--in: customers}}
      train: {script_name: train.py}
    datasets: {customers: {local_path: customers.csv}}
    environments: {e: {}, f: {}}
    targets:
      dev: {compute_name: cpu-cluster, computes: {cpu-cluster: {vm_size: S}}}
      broken: {datasets: {customers: {local_path: missing.csv}}}
"""
NOTE = "the compute 'cpu' is not declared in this file; it must exist in the workspace"


@pytest.fixture
def churn(invoke: Invoke) -> Invoke:
    for name, text in {"prepare.py": "", "train.py": "", "customers.csv": "age\n41\n"}.items():
        invoke.write(name, text)
    invoke.write("pipeline.yaml", CHURN)
    return invoke


def test_a_file_that_is_fine(churn: Invoke):
    assert churn("validate", "--target", "dev") == Answer(
        "pipeline.yaml is valid: 2 steps, 1 dataset, 2 environments and 1 compute.\n", "", 0
    )


def test_remarks_stop_nothing_unless_they_are_to(churn: Invoke):
    assert churn("validate") == Answer(
        f"pipeline.yaml:2: note: {NOTE}\npipeline.yaml is valid: 2 steps, 1 dataset and 2 environments.\n", "", 0
    )
    assert churn("validate", "--strict") == Answer(f"pipeline.yaml:2: {NOTE}\n", "", 2)
    assert churn("validate", "--strict", "--target", "dev").status == 0


def test_the_target_may_come_from_invoke_s_configuration(churn: Invoke, monkeypatch):
    monkeypatch.setenv("INVOKE_AZML_TARGET", "broken")

    assert churn("validate") == Answer("", "pipeline.yaml:10: dataset 'customers': missing.csv does not exist\n", 2)
    assert churn("validate", "--target", "dev").status == 0


def test_everything_wrong_is_printed_without_a_traceback(churn: Invoke):
    churn.write(
        "pipeline.yaml", "backnd: local\nsteps:\n  a: {script_nam: a.py}\n  b: {script_name: b.py, run_after: [c]}\n"
    )

    assert churn("validate") == Answer(
        "",
        "pipeline.yaml:1: 'backnd' is not a key here; did you mean 'backend'?\n"
        "pipeline.yaml:3: step 'a': 'script_nam' is not a key here; did you mean 'script_name'?\n"
        "pipeline.yaml:4: step 'b' runs after 'c', which is not a step\n"
        "pipeline.yaml:4: step 'b': b.py: the script does not exist\n",
        2,
    )


MISTAKES = """\
    backend: local
    tag: {a: b}
    steps:
      prepare: {script_name: prepar.py, input_datasets: {--in: custommers}}
      train: {script_name: trian.py, step_config: 3, input_folders: {--a: prepair}}
      typo: {script_name: gone.py, script_dir: steps}
      nameless: {script_nam: gone.py}
      twice: [a]
      broken: {script_name: broken.py}
      variable: {script_name: "${NOT_SET}.py"}
      other: {script_name: train.py, include: [params.json], max_run_duration_seconds: soon}
      all: {script_name: train.py, snapshot: everything, script_directory: gone}
    datasets:
      customers: {local_path: custmers.csv, typ: file}
      orders: {local_path: of/orders.csv, separator: 3}
      wrong: {local_path: 3}
    environments:
      e: {conda_file: conda.yml, pip_packages: 3}
"""


@pytest.mark.parametrize("words", [["validate"], ["run"], ["--dry", "run"]])
def test_files_are_looked_at_beside_the_mistakes_of_the_file_and_nothing_is_reported_that_follows(
    churn: Invoke, words: list[str]
):
    churn.write("broken.py", "x = 1 +\n")
    churn.write("pipeline.yaml", MISTAKES)

    answer = churn(*words)

    assert (answer.out, answer.status) == ("", 2)
    version = platform.python_version()
    assert answer.err.splitlines() == [
        f"broken.py:1: Python {version} cannot read this file: invalid syntax",
        "pipeline.yaml:2: 'tag' is not a key here; did you mean 'tags'?",
        "pipeline.yaml:4: step 'prepare' reads the dataset 'custommers', which is not in datasets: a local run "
        "needs its local_path; did you mean 'customers'?",
        "pipeline.yaml:4: step 'prepare': prepar.py: the script does not exist; did you mean 'prepare.py'?",
        "pipeline.yaml:5: step 'train' reads the output of 'prepair', which is not a step; did you mean 'prepare'?",
        "pipeline.yaml:5: step 'train': step_config: expected a mapping such as {lr: 0.1, epochs: 10}, found 3",
        "pipeline.yaml:5: step 'train': trian.py: the script does not exist; did you mean 'train.py'?",
        "pipeline.yaml:6: step 'typo': 'script_dir' is not a key here; did you mean 'script_directory'?",
        "pipeline.yaml:7: step 'nameless': 'script_nam' is not a key here; did you mean 'script_name'?",
        "pipeline.yaml:8: step 'twice': expected a mapping such as {script_name: prepare.py}, found a list",
        "pipeline.yaml:10: step 'variable': script_name needs NOT_SET; set it in the environment or in .env",
        "pipeline.yaml:11: step 'other': max_run_duration_seconds: expected a whole number, found 'soon'",
        "pipeline.yaml:11: step 'other': train.py: include 'params.json' does not match any file",
        "pipeline.yaml:12: step 'all': snapshot: expected 'imports' or 'directory', found 'everything'",
        "pipeline.yaml:14: dataset 'customers': 'typ' is not a key here; did you mean 'type'?",
        "pipeline.yaml:14: dataset 'customers': custmers.csv does not exist; did you mean 'customers.csv'?",
        "pipeline.yaml:15: dataset 'orders': of/orders.csv does not exist",
        "pipeline.yaml:15: dataset 'orders': separator: expected text, found 3; put it in quotes",
        "pipeline.yaml:16: dataset 'wrong': local_path: expected text, found 3; put it in quotes",
        "pipeline.yaml:18: environment 'e': conda.yml does not exist",
        "pipeline.yaml:18: environment 'e': pip_packages: expected a list, found 3",
    ]


def test_a_file_that_is_wired_wrong_is_reported_with_the_script_and_the_data_that_are_missing(churn: Invoke):
    churn.write(
        "pipeline.yaml",
        CHURN.replace("train.py}", "trian.py, run_after: [prepair]}").replace("customers.csv", "custmers.csv"),
    )

    assert churn("validate") == Answer(
        "",
        "pipeline.yaml:5: step 'train' runs after 'prepair', which is not a step; did you mean 'prepare'?\n"
        "pipeline.yaml:5: step 'train': trian.py: the script does not exist; did you mean 'train.py'?\n"
        "pipeline.yaml:6: dataset 'customers': custmers.csv does not exist; did you mean 'customers.csv'?\n",
        2,
    )
    # Where the mistake is another target's, too.
    broken = CHURN.replace("missing.csv", "missing.csv}, c: {typ: file").replace("train.py", "trian.py")
    churn.write("pipeline.yaml", broken)
    assert churn("validate") == Answer(
        "",
        "pipeline.yaml:5: step 'train': trian.py: the script does not exist; did you mean 'train.py'?\n"
        "pipeline.yaml:10: target 'broken': dataset 'c': 'typ' is not a key here; did you mean 'type'?\n",
        2,
    )


def test_files_that_are_missing(churn: Invoke):
    (churn.folder / "train.py").unlink()
    (churn.folder / "customers.csv").unlink()

    assert churn("validate") == Answer(
        "",
        "pipeline.yaml:5: step 'train': train.py: the script does not exist\n"
        "pipeline.yaml:6: dataset 'customers': customers.csv does not exist\n",
        2,
    )


def test_what_azure_needs_is_asked_for_where_the_backend_is_azure(churn: Invoke):
    targets = "      cloud: {backend: azure, subscription_id: '${NOT_SET}', resource_group: churn-rg}\n"
    churn.write("pipeline.yaml", CHURN + targets)

    needed = "has no environment: Azure needs env_name, in the step or at the top level"

    assert churn("validate").status == 0
    assert churn("validate", "--target", "cloud") == Answer(
        "",
        f"pipeline.yaml:4: step 'prepare' {needed}\n"
        f"pipeline.yaml:5: step 'train' {needed}\n"
        "pipeline.yaml:11: Azure needs ws_name, which is not set in the file\n",
        2,
    )


def test_the_file_is_found_from_a_folder_below(churn: Invoke, monkeypatch):
    below = churn.folder / "steps" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)

    assert churn("validate", "--target", "dev").status == 0


def test_no_project(invoke: Invoke):
    assert invoke("validate") == Answer(
        "",
        f"pipeline.yaml: not found in {invoke.folder} or its parent folders; create a project with `copier copy`\n",
        2,
    )


def test_an_unknown_target(churn: Invoke):
    assert churn("graph", "--target", "dve") == Answer(
        "", "pipeline.yaml:8: 'dve' is not a target of this file: it has dev and broken; did you mean 'dev'?\n", 2
    )


def test_editors_get_their_schema(churn: Invoke):
    churn("validate")

    assert json.loads((churn.folder / SCHEMA_FILE).read_text(encoding="utf-8"))["title"] == "pipeline.yaml"


def test_a_dry_run_writes_nothing(churn: Invoke):
    before = sorted(churn.folder.rglob("*"))

    assert churn("--dry", "validate").status == 0
    assert sorted(churn.folder.rglob("*")) == before


def test_the_graph_as_text(churn: Invoke):
    assert churn("graph") == Answer(
        "prepare\n"
        "  --in            <- customers (dataset)\n"
        "  --output-folder -> train\n"
        "train\n"
        "  --input-folder <- prepare --output-folder\n",
        "",
        0,
    )


def test_the_graph_as_an_image_is_printed_or_written(churn: Invoke):
    image = churn("graph", "--svg")

    assert (image.status, image.err, image.out[:5]) == (0, "", "<svg ")
    assert churn("--dry", "graph", "--svg", "docs/graph.svg") == Answer("would write docs/graph.svg\n", "", 0)
    assert churn("graph", "--svg", "docs/graph.svg") == Answer("docs/graph.svg\n", "", 0)
    assert (churn.folder / "docs/graph.svg").read_text(encoding="utf-8") == image.out
    assert churn("graph", "--svg", "--mermaid") == Answer("", "use either --mermaid or --svg, not both\n", 2)
    assert churn("graph", "--svg", "docs") == Answer("", "cannot write docs: Is a directory\n", 2)
    assert churn("graph", "--svg", "docs/graph.svg").status == 0


def test_an_image_does_not_replace_another_file(churn: Invoke):
    before = (churn.folder / "pipeline.yaml").read_text(encoding="utf-8")

    assert churn("graph", "--svg", "pipeline.yaml") == Answer(
        "", "pipeline.yaml exists and is not an image of graph; delete it, or use another name\n", 2
    )
    assert (churn.folder / "pipeline.yaml").read_text(encoding="utf-8") == before


def test_the_graph_as_mermaid(churn: Invoke):
    assert churn("graph", "--mermaid") == Answer(
        "flowchart TD\n"
        '  data0[("customers")]\n'
        '  step0["prepare"]\n'
        '  step1["train"]\n'
        '  data0 -->|"--in"| step0\n'
        '  step0 -->|"--input-folder"| step1\n',
        "",
        0,
    )


def test_what_a_task_does_fits_a_terminal_of_80_columns():
    texts = {name: namespace[name].__doc__ for name in namespace.task_names}

    # Invoke indents it by two.
    assert {name: line for name, text in texts.items() for line in text.splitlines() if len(line) > 78} == {}


@pytest.mark.parametrize(
    ("task", "options"),
    [
        (
            "validate",
            {
                "--format=STRING": "Output format: text, github or azure-devops (annotations of a CI run), or json.",
                "--strict": "Treat notes as errors (exit status 2).",
                "--target=STRING": TARGET,
            },
        ),
        (
            "graph",
            {
                "--mermaid": "Print a Mermaid flowchart instead.",
                "--svg[=STRING]": "Write an SVG image to this file instead; print it without a file.",
                "--target=STRING": TARGET,
            },
        ),
        (
            "new-step",
            {
                "--after=STRING": "Insert the new step after this one; default: the last step.",
                "--dataset": "A dataset that the step reads; can be repeated.",
                "--name=STRING": "Key of the step, and name of its script.",
            },
        ),
    ],
)
def test_help(churn: Invoke, task: str, options: dict[str, str]):
    # In a process of its own: Invoke takes the texts out of a task when it shows them.
    churn.write("tasks.py", "from azml_tasks.tasks import namespace\n")
    done = subprocess.run([sys.executable, "-m", "invoke", "--help", task], check=True, capture_output=True, text=True)

    found = re.findall(r"^  (--\S+)\s+(.*(?:\n {5,}.*)*)", done.stdout, re.MULTILINE)
    assert {name: " ".join(text.split()) for name, text in found} == options


def test_what_the_file_the_data_and_logs_hold_does_not_act_on_the_terminal(churn: Invoke):
    escape = "\x1b]0;title\x07"
    churn.write("prepare.py", f"raise ValueError({escape!r})")
    churn.write("customers.csv", f"a\x01,b\n1,{escape}\n")
    text = CHURN.replace("--in: customers", '"--in\\e[31m": customers')
    churn.write("pipeline.yaml", text.replace("e: {}", 'e: {conda_packages: ["x\\e[2J"]}'))

    words = [("graph",), ("graph", "--mermaid"), ("register-csv",), ("--dry", "register-env"), ("run",), ("runs.show",)]
    answers = {task: churn(*task) for task in words}

    assert [task for task, answer in answers.items() if re.search("[\x1b\x07]", answer.out + answer.err)] == []
    assert "1 row of a\\x01 and b in" in answers["register-csv",].out
    assert "  ValueError: \\x1b]0;title\\x07\n" in answers["run",].err


def test_an_empty_default_is_a_remark_for_a_target_that_runs_on_azure(invoke: Invoke) -> None:
    invoke.write("a.py", "")
    invoke.write(
        "pipeline.yaml",
        """\
        backend: local
        ws_name: test-ws
        resource_group: test-rg
        subscription_id: 12345678-1234-1234-1234-123456789abc
        env_name: e
        compute_name: c-1
        environments: {e: {pip_packages: [pandas]}}
        computes: {c-1: {vm_size: STANDARD_D4DS_V4}}
        pipeline_parameters: {tag: "", unused: "", other: none}
        targets: {prod: {backend: azure}}
        steps: {a: {script_name: a.py, arguments: {--tag: "${{ parameters.tag }}", --o: "${{ parameters.other }}"}}}
        """,
    )
    remark = (
        "pipeline parameter 'tag' has an empty default, which Azure ML v1 treats as no default: a published pipeline "
        "cannot start without a value, so its schedule never runs; use a default such as 'none'\n"
    )
    fine = "pipeline.yaml is valid: 1 step, 1 environment and 1 compute.\n"
    unused = (
        "pipeline.yaml:9: note: no step uses the pipeline parameter 'unused'; pass it in arguments: "
        "${{ parameters.unused }}\n"
    )
    assert invoke("validate", "--target", "prod") == Answer(f"pipeline.yaml:9: note: {remark}{unused}{fine}", "", 0)
    assert invoke("validate", "--target", "prod", "--strict") == Answer(f"pipeline.yaml:9: {remark}{unused}", "", 2)
    assert invoke("validate").out == unused + fine

"""`invoke plan` on this machine: what it prints, its JSON, and its exit status."""

from __future__ import annotations

import json
import re

import pytest

from tests.tasks.conftest import Answer, Invoke

SCRIPT = """\
import argparse, json, os
import common
parser = argparse.ArgumentParser()
parser.add_argument("--config", type=json.loads)
parser.add_argument("--input-folder")
parser.add_argument("--output-folder")
args = parser.parse_args()
print(args.input_folder)
if args.output_folder:
    with open(os.path.join(args.output_folder, "value"), "w") as file:
        file.write(str(args.config))
"""
PIPELINE = """\
backend: local
experiment_name: sums
env_name: e
steps:
  prepare: {script_name: step.py, script_directory: steps, input_datasets: {customers: customers}}
  train:
    script_name: step.py
    script_directory: steps
    step_config: {lr: 0.1, password: hush-1}
    environment_variables: {MODE: "${MODE_OF_A_TEST}"}
  report: {script_name: step.py, script_directory: steps, allow_reuse: false, input_folders: {}, output_folders: []}
environments: {e: {pip_packages: [pandas]}}
datasets: {customers: {datastore_name: s, path: c.csv, local_path: data/customers.csv}}
"""
HEAD = """\
pipeline.yaml on this machine (backend local)

register
  environment e: would be created (Python VERSION)
  dataset customers: 1 row of a in data/customers.csv

run
"""
SECRET = """\
  note: pipeline.yaml:9: step 'train': step_config.password looks like a secret
  and would be stored with each run; keep it in .env and in the workspace's key
  vault, and read it in the script with run.get_secret("NAME")
"""
TAIL = "  note: after `invoke register-env`, the steps in the environment e run again\n"


@pytest.fixture
def sums(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.setenv("MODE_OF_A_TEST", "fast")
    invoke.write("steps/step.py", SCRIPT)
    invoke.write("steps/common.py", "X = 1\n")
    invoke.write("data/customers.csv", "a\n1\n")
    invoke.write("pipeline.yaml", PIPELINE)
    return invoke


def comparable(out: str) -> str:
    out = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", out)
    return re.sub(r"Python \d\.\d+", "Python VERSION", out)


def test_before_the_first_run_every_step_is_new(sums: Invoke) -> None:
    answer = sums("plan")

    assert (comparable(answer.out), answer.err, answer.status) == (
        HEAD
        + "  prepare  RUN  no earlier result\n"
        + "  train    RUN  no earlier result\n"
        + "  report   RUN  allow_reuse is false\n"
        + SECRET
        + TAIL,
        "",
        0,
    )
    assert not (sums.folder / ".azml").exists()


@pytest.mark.processes
def test_each_step_is_reused_or_runs_for_reasons_with_their_values_and_no_secret(sums: Invoke, monkeypatch) -> None:
    sums("run")
    assert comparable(sums("plan").out) == (
        HEAD
        + "  prepare  REUSE  from RUN\n"
        + "  train    REUSE  from RUN\n"
        + "  report   RUN    allow_reuse is false\n"
        + TAIL
    )

    monkeypatch.setenv("MODE_OF_A_TEST", "slow")
    sums.write("pipeline.yaml", PIPELINE.replace("lr: 0.1", "lr: 0.2").replace("hush-1", "hush-2"))
    changed = sums("plan")
    assert comparable(changed.out) == (
        HEAD
        + "  prepare  REUSE  from RUN\n"
        + "  train    RUN    lr 0.1 -> 0.2\n"
        + "                  password changed\n"
        + "                  variable MODE fast -> slow\n"
        + "  report   RUN    allow_reuse is false\n"
        + SECRET
        + TAIL
    )
    # The same code prints the block of one command.
    alone = sums("--dry", "run").out.splitlines()[1:]
    start = next(place for place, line in enumerate(alone) if line.startswith("note: "))
    assert changed.out.endswith("".join(f"  {line}\n" for line in alone[:start]) + SECRET + TAIL)
    assert " ".join(alone[start:]) == " ".join(SECRET.split())
    assert max(map(len, alone)) <= 80

    sums.write("steps/common.py", "X = 2\n")
    lines = comparable(sums("plan", "--set", "train.lr=0.5").out).splitlines()
    assert lines[-10:-5] == [
        "  prepare  RUN  steps/common.py changed",
        "  train    RUN  steps/common.py changed",
        "                lr 0.1 -> 0.5",
        "                password changed",
        "                variable MODE fast -> slow",
    ]
    assert "hush" not in sums("plan", "--json").out


@pytest.mark.processes
def test_the_reason_is_that_of_the_run_itself(sums: Invoke) -> None:
    sums("run")
    sums.write("pipeline.yaml", PIPELINE.replace("lr: 0.1", "lr: 0.2"))
    sums.write("steps/common.py", "X = 2\n")

    assert "train: started; steps/common.py changed, lr 0.1 -> 0.2\n" in sums("run").out


@pytest.mark.processes
def test_from_step_and_only_say_what_they_use(sums: Invoke) -> None:
    sums("run")
    sums.write("steps/common.py", "X = 2\n")

    assert comparable(sums("plan", "--only", "train").out).splitlines()[-7:-4] == [
        "  prepare  REUSE  result of RUN; since then steps/common.py",
        "                  changed",
        "  train    RUN    --only was given",
    ]
    assert comparable(sums("plan", "--from-step", "prepare").out).splitlines()[-6:-4] == [
        "  prepare  RUN  --from-step was given",
        "  train    RUN  --from-step was given",
    ]


def test_json_has_one_shape(sums: Invoke) -> None:
    answer = sums("plan", "--json", "--force")
    plan = json.loads(answer.out)

    assert {key: plan[key] for key in plan if key != "blocks"} == {
        "version": 1,
        "file": "pipeline.yaml",
        "backend": "local",
        "target": None,
        "would_change": True,
    }
    assert [(block["task"], block["would_change"]) for block in plan["blocks"]] == [
        ("register", True),
        ("publish", False),
        ("schedule", False),
        ("run", True),
    ]
    register, *_, run = plan["blocks"]
    assert {tuple(block) for block in plan["blocks"]} == {
        ("task", "would_change", "changes", "steps", "sentence", "notes", "error")
    }
    assert [(change["kind"], change["name"], change["outcome"]) for change in register["changes"]] == [
        ("environment", "e", "created"),
        ("dataset", "customers", "checked"),
    ]
    assert run["steps"][0] == {
        "step": "prepare",
        "verdict": "run",
        "cause": "requested",
        "reason": "--force was given",
        "differences": [],
    }


@pytest.mark.processes
def test_json_has_the_values(sums: Invoke) -> None:
    sums("run")
    sums.write("pipeline.yaml", PIPELINE.replace("lr: 0.1", "lr: 0.2").replace("hush-1", "hush-2"))

    steps = json.loads(sums("plan", "--json").out)["blocks"][3]["steps"]

    assert [(step["step"], step["verdict"], step["cause"]) for step in steps] == [
        ("prepare", "reuse", "same"),
        ("train", "run", "changed"),
        ("report", "run", "always"),
    ]
    assert steps[1]["differences"] == [
        {"kind": "setting", "name": "lr", "change": "changed", "before": 0.1, "now": 0.2, "text": "lr 0.1 -> 0.2"},
        {
            "kind": "setting",
            "name": "password",
            "change": "changed",
            "before": "***",
            "now": "***",
            "text": "password changed",
        },
    ]


@pytest.mark.processes
def test_check_ends_with_1_if_something_would_change_and_steps_that_always_run_are_no_change(sums: Invoke) -> None:
    text = PIPELINE.replace("env_name: e\n", "").replace("environments: {e: {pip_packages: [pandas]}}\n", "")
    sums.write("pipeline.yaml", text)
    assert sums("plan", "--check").status == 1
    sums("run")
    assert sums("plan", "--check").status == 0
    sums.write("pipeline.yaml", text.replace("lr: 0.1", "lr: 0.2"))
    assert (sums("plan", "--check").status, sums("plan").status) == (1, 0)


def test_what_cannot_be_planned_is_said_in_its_block_and_ends_with_2(sums: Invoke) -> None:
    sums.write("pipeline.yaml", PIPELINE.replace("[pandas]", "[pandas], python_version: '3.99'"))

    answer = sums("plan", "--check")

    assert answer.status == 2
    assert "  dataset customers: 1 row of a in data/customers.csv\n  error: pipeline.yaml:12: env" in answer.out
    assert "  prepare  RUN  no earlier result\n" in answer.out
    assert json.loads(sums("plan", "--json").out)["blocks"][0]["error"].startswith("pipeline.yaml:12: environment 'e'")


def test_missing_data_end_the_run_before_its_first_step_and_the_plan_says_so(sums: Invoke) -> None:
    (sums.folder / "data/customers.csv").unlink()

    answer = sums("plan")

    assert answer.status == 2
    assert "dataset 'customers': data/customers.csv does not exist" in " ".join(answer.out.split())
    assert answer.out.endswith("run\n  error: the same as above\n")
    ran = sums("run")
    assert ran.status == 2
    assert ran.err.endswith("dataset 'customers': data/customers.csv does not exist\n")
    assert not list(sums.folder.glob(".azml/runs/*/run.json"))
    assert sums("run", "--only", "train").err.startswith("step 'train' reads the output of 'prepare'")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["plan", "--only", "trian"], "the pipeline has no step 'trian'; did you mean 'train'?\n"),
        (["plan", "--set", "trian.lr=1"], "the pipeline has no step 'trian'; did you mean 'train'?\n"),
        (["plan", "--target", "nowhere"], "pipeline.yaml"),
    ],
)
def test_a_wrong_flag_is_one_sentence(sums: Invoke, words: list[str], sentence: str) -> None:
    answer = sums(*words)

    assert answer.status == 2
    assert sentence in answer.err + answer.out


def test_that_there_is_nothing_to_publish_and_schedule_here_is_in_the_json_alone(sums: Invoke) -> None:
    nothing = [
        "nothing to publish: pipeline.yaml has neither `publish` nor `schedule`",
        "nothing to schedule: pipeline.yaml has no `schedule`",
    ]

    assert [block["sentence"] for block in json.loads(sums("plan", "--json").out)["blocks"]][1:3] == nothing
    assert "publish" not in sums("plan").out


def test_what_the_backend_does_not_offer_is_one_line_below_the_run(sums: Invoke) -> None:
    schedule = "schedule: {frequency: Day, start_time: '2090-01-01T06:00:00'}\n"
    sums.write("pipeline.yaml", PIPELINE + schedule)

    lines = sums("plan").out.splitlines()

    assert [line for line in lines if line and line[0] != " "][1:] == [
        "register",
        "run",
        "publish and schedule need Azure ML: see `invoke plan --target NAME`",
    ]
    sums.write("pipeline.yaml", f"{PIPELINE}{schedule}targets: {{other: {{}}, dev: {{backend: azure}}}}\n")
    assert sums("plan").out.endswith("\npublish and schedule need Azure ML: see `invoke plan --target dev`\n")
    sentences = {block["task"]: block["sentence"] for block in json.loads(sums("plan", "--json").out)["blocks"]}
    assert sentences["publish"].startswith("the backend local cannot publish pipelines; ")
    assert (
        sentences["schedule"] == "the backend local does not store schedules; run this one with `invoke schedules.run`"
    )


def test_no_line_is_longer_than_80_characters(sums: Invoke) -> None:
    long = PIPELINE.replace("prepare:", f"{'prepare-' * 6}:").replace("train:", "a-step-with-a-name-of-some-length:")
    sums.write("pipeline.yaml", long.replace("lr: 0.1", f"lr: 0.1, text: {'word ' * 30}"))

    assert [line for line in sums("plan").out.splitlines() if len(line) > 80] == []
    assert sums("plan") == Answer(sums("plan").out, "", 0)


@pytest.mark.many
def test_reading_a_large_file_is_reported_on_standard_error(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    monkeypatch.setattr("azml_tasks.local.store.long_reads._FIRST_REPORT", 0.0)
    invoke.write("a.py", "")
    invoke.write("c.csv", "id,age\n" + "1,30\n" * 300_000)
    invoke.write(
        "pipeline.yaml",
        "backend: local\nsteps:\n  a: {script_name: a.py, input_datasets: {--c: customers}}\n"
        "datasets: {customers: {datastore_name: s, path: c.csv, local_path: c.csv}}\n",
    )

    answer = invoke("plan", "--json")

    assert json.loads(answer.out)["version"] == 1
    assert re.fullmatch(r"(note: reading .*customers.*: \d\.\d of 1\.5 MB\n)+", answer.err)
    assert invoke("register-csv").err.startswith("note: reading dataset customers: ")

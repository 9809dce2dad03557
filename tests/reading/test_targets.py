"""`targets` are merged over the file, and every value keeps the line where it is written."""

from __future__ import annotations

import pytest

from azml_tasks.model import Schedule, Step
from azml_tasks.reading.project import merge
from azml_tasks.reading.tree import Node, parse_tree

BASE = "backend: local\nsteps: {a: {script_name: a.py}}\n"


def plain(node: Node) -> object:
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [plain(value) for value in node.value]
    return node.value


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        ("{a: 1}", "{b: 2}", {"a": 1, "b": 2}),
        ("{a: 1}", "{a: 2}", {"a": 2}),
        ("{a: {b: 1, c: 2}}", "{a: {c: 3, d: 4}}", {"a": {"b": 1, "c": 3, "d": 4}}),
        ("{a: {b: {c: 1}}}", "{a: {b: {d: 2}}}", {"a": {"b": {"c": 1, "d": 2}}}),
        ("{a: [1, 2]}", "{a: [3]}", {"a": [3]}),
        ("{a: {b: 1}}", "{a: 2}", {"a": 2}),
        ("{a: 1}", "{a: {b: 2}}", {"a": {"b": 2}}),
        ("{a: {b: 1}}", "{a: {}}", {"a": {"b": 1}}),
        ("{a: 1, b: 2}", "{a: , c: 3}", {"b": 2, "c": 3}),
        ("{a: 1}", "{z: }", {"a": 1}),
        ("{a: 1}", "{z: {y: , x: 2}}", {"a": 1, "z": {"x": 2}}),
        ("{a: 1}", "{a: {y: , x: 2}}", {"a": {"x": 2}}),
        ("{a: 1}", "{a: [{y: }]}", {"a": [{"y": None}]}),
        ("{a: {b: 1, c: 2}}", "{a: {b: }}", {"a": {"c": 2}}),
    ],
)
def test_merging(base, over, merged):
    assert plain(merge(parse_tree(base), parse_tree(over))) == merged


def test_merging_changes_neither_and_keeps_the_order():
    base, over = parse_tree("b: 1\na: {x: 1}\n"), parse_tree("a: {y: 2}\nc: 3\n")

    merged = merge(base, over)

    assert list(plain(merged)) == ["b", "a", "c"]
    assert (plain(base), plain(over)) == ({"b": 1, "a": {"x": 1}}, {"a": {"y": 2}, "c": 3})


def test_lines_after_merging(problems):
    text = """\
backend: local
steps:
  a:
    script_name: a.py
    max_run_duration_seconds: soon
targets:
  dev:
    steps:
      a:
        allow_reuse: maybe
        max_run_duration_seconds: later
"""

    assert problems(text, target="dev") == [
        "pipeline.yaml:10: step 'a': allow_reuse: expected true or false, found 'maybe'",
        "pipeline.yaml:11: step 'a': max_run_duration_seconds: expected a whole number, found 'later'",
    ]
    assert problems(text) == [
        "pipeline.yaml:5: step 'a': max_run_duration_seconds: expected a whole number, found 'soon'",
        "pipeline.yaml:10: target 'dev': step 'a': allow_reuse: expected true or false, found 'maybe'",
        "pipeline.yaml:11: target 'dev': step 'a': max_run_duration_seconds: expected a whole number, found 'later'",
    ]


def test_what_a_target_changes(load):
    text = """\
backend: local
ws_name: churn-ws
steps:
  a: {script_name: a.py, step_config: {lr: 0.1, epochs: 3}}
  b: {script_name: b.py}
schedule: {frequency: Week, interval: 2}
publish: {name: churn}
targets:
  dev:
    ws_name: churn-dev
    steps:
      a: {step_config: {epochs: 1}, arguments: [--fast]}
      c: {script_name: c.py}
    schedule: {enabled: false}
    publish:
  prod:
"""

    project = load(text, target="dev")

    assert (project.target, project.pipeline.backend, project.pipeline.ws_name) == ("dev", "local", "churn-dev")
    assert project.pipeline.steps == {
        "a": Step(script_name="a.py", step_config={"lr": 0.1, "epochs": 1}, arguments=("--fast",)),
        "b": Step(script_name="b.py"),
        "c": Step(script_name="c.py"),
    }
    assert project.pipeline.schedule == Schedule(frequency="Week", interval=2, enabled=False)
    assert project.pipeline.publish is None
    assert load(text, target="prod").pipeline == load(text).pipeline


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("prd", "pipeline.yaml:3: 'prd' is not a target of this file: it has dev and prod; did you mean 'prod'?"),
        ("test", "pipeline.yaml:3: 'test' is not a target of this file: it has dev and prod"),
    ],
)
def test_an_unknown_target(problems, target, line):
    assert problems(BASE + "targets: {dev: {}, prod: {}}\n", target=target) == [line]


def test_an_unknown_target_in_the_environment(problems, monkeypatch):
    monkeypatch.setenv("INVOKE_AZML_TARGET", "prd")

    assert problems(BASE + "targets: {dev: {}, prod: {}}\n", target="prd") == [
        "pipeline.yaml:3: 'prd' is not a target of this file (INVOKE_AZML_TARGET selects it): "
        "it has dev and prod; did you mean 'prod'?"
    ]


@pytest.mark.parametrize("text", [BASE, BASE + "targets:\n", BASE + "targets: {}\n"])
def test_a_target_of_a_file_without_any(problems, text):
    line = 3 if "targets" in text else 1

    assert problems(text, target="dev") == [
        f"pipeline.yaml:{line}: 'dev' is not a target of this file: it has no targets"
    ]


@pytest.mark.parametrize("target", [None, "dev"])
@pytest.mark.parametrize(
    ("targets", "line"),
    [
        ("targets: [dev]", "3: targets: expected target names, each with keys of this file, found a list"),
        ("targets: dev", "3: targets: expected target names, each with keys of this file, found 'dev'"),
        ("targets:\n  dev: azure", "4: target 'dev': expected keys of this file, found 'azure'"),
        ("targets:\n  prod:\n  dev: azure", "5: target 'dev': expected keys of this file, found 'azure'"),
        ("targets:\n  dev: [azure]", "4: target 'dev': expected keys of this file, found a list"),
        ("targets:\n  dev:\n    targets: {}", "5: target 'dev': a target cannot contain targets"),
    ],
)
def test_what_is_no_target(problems, targets, line, target):
    assert problems(f"{BASE}{targets}\n", target=target) == [f"pipeline.yaml:{line}"]


def test_every_target_is_checked_whichever_is_asked_for(problems):
    text = """\
backend: local
steps: {a: {script_name: a.py}, b: {script_name: b.py}}
targets:
  dev:
    wsname: churn-dev
    steps: {c: {}}
  prod:
    steps: {b: {run_after: [d]}}
    datasets: {customers: {path: x}}
"""
    prod = [
        "step 'b' runs after 'd', which is not a step",
        "dataset 'customers': path also needs datastore_name: both locate the files",
    ]

    assert problems(text) == [
        "pipeline.yaml:5: target 'dev': 'wsname' is not a key here; did you mean 'ws_name'?",
        "pipeline.yaml:6: target 'dev': step 'c' has no script_name",
        f"pipeline.yaml:8: target 'prod': {prod[0]}",
        f"pipeline.yaml:9: target 'prod': {prod[1]}",
    ]
    assert problems(text, target="prod") == [
        "pipeline.yaml:5: target 'dev': 'wsname' is not a key here; did you mean 'ws_name'?",
        "pipeline.yaml:6: target 'dev': step 'c' has no script_name",
        f"pipeline.yaml:8: {prod[0]}",
        f"pipeline.yaml:9: {prod[1]}",
    ]


def test_what_is_wrong_with_the_file_is_not_repeated_for_its_targets(problems):
    text = """\
ws_name: x
stepp: 1
steps: {a: {script_name: a.py, run_after: [b]}}
targets: {dev: {experiment_name: dev, steps: {a: {allow_reuse: true}}}, prod: {stepp: 2}}
"""

    assert problems(text) == [
        "pipeline.yaml:1: ws_name: 'x' is not a valid name: a workspace name has 3 to 33 letters, digits, "
        "underscores and dashes, and starts with a letter or a digit",
        "pipeline.yaml:2: 'stepp' is not a key here; did you mean 'steps'?",
        "pipeline.yaml:3: step 'a' runs after 'b', which is not a step",
        "pipeline.yaml:4: target 'prod': 'stepp' is not a key here; did you mean 'steps'?",
    ]


def test_a_target_can_mend_the_file_and_break_it(problems):
    text = "steps: {a: {script_name: a.py}}\nbackend: nowhere\ntargets: {dev: {backend: local}, prod: {steps: }}\n"

    assert problems(text, target="dev") == [
        "pipeline.yaml:2: target 'prod': backend: expected 'local', 'azure' or 'azure-v2', found 'nowhere'",
        "pipeline.yaml:3: target 'prod': the file has no steps",
    ]
    assert problems(text) == [
        "pipeline.yaml:2: backend: expected 'local', 'azure' or 'azure-v2', found 'nowhere'",
        "pipeline.yaml:3: target 'prod': the file has no steps",
    ]


def test_a_target_is_checked_although_the_file_has_no_steps_of_use(problems):
    text = "steps: []\ntargets:\n  dev:\n    steps: {a: {script_name: a.py, run_after: [b]}}\n"

    assert problems(text) == [
        "pipeline.yaml:1: steps: expected a mapping such as {prepare: {script_name: prepare.py}}, found a list",
        "pipeline.yaml:4: target 'dev': step 'a' runs after 'b', which is not a step",
    ]


def test_a_target_that_runs_here_needs_data_that_lie_here(problems):
    text = """\
steps: {a: {script_name: a.py, input_datasets: {--in: customers}}}
datasets:
  customers: {datastore_name: blob, path: customers.csv}
targets: {here: {backend: local}}
"""

    assert problems(text) == [
        "pipeline.yaml:3: target 'here': dataset 'customers' has no local_path, which a local run needs"
    ]

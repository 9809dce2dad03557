"""What differs between an earlier result of a step and a new one is named, each difference with its values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from azml_tasks.local.reuse.compare import Comparison
from azml_tasks.local.store.results import Fingerprint
from azml_tasks.reading import load_project
from azml_tasks.runs.changes.differences import in_one_line
from azml_tasks.snapshot import Snapshot

PIPELINE = """\
datasets: {customers: {local_path: data.csv}}
steps:
  one: {script_name: one.py}
  train: {script_name: train.py, script_directory: steps, input_datasets: {customers: customers}}
"""
INPUT = "train_input_folder"
CONFIG = {"config": '{"lr": 1, "batch": 2}'}
OLD = Fingerprint(
    script="train.py",
    files={"train.py": "aa", "common.py": "bb"},
    argv=["--config", CONFIG, "--alpha", "0.5", "--input-folder", {"input": "one"}, "fast"],
    inputs={INPUT: {"content": "cc", "format": "folder"}, "customers": {"content": "dd", "type": "tabular"}},
    environment={
        "python": "3.11.7",
        "definition": {"pip_packages": ["pandas"]},
        "variables": {"A": "1"},
    },
)


def changed_argument(*changes: tuple[int, object]) -> Fingerprint:
    """Return OLD with other arguments at these places."""
    return replace(OLD, argv=[dict(changes).get(place, token) for place, token in enumerate(OLD.argv)])


def environment(**changes: object) -> Fingerprint:
    return replace(OLD, environment={**OLD.environment, **changes})


def files(**changes: str) -> Fingerprint:
    """Return OLD with files changed; the suffix .py is added to their names."""
    return replace(OLD, files={**OLD.files, **{f"{name}.py": digest for name, digest in changes.items()}})


def said(project: Path, new: Fingerprint, old: Fingerprint = OLD) -> str:
    (project / "steps").mkdir(exist_ok=True)
    for name in ("pipeline.yaml", "steps/train.py", "steps/common.py"):
        (project / name).write_text(PIPELINE if name == "pipeline.yaml" else "")
    plan = load_project(project / "pipeline.yaml", variables={}).plan
    snapshot = Snapshot("train.py", {}, {}, frozenset(), frozenset())
    return in_one_line(Comparison(plan.pipeline, plan["train"], snapshot, project).differences(old, new))


def test_a_setting_that_is_null_is_not_one_that_is_left_out(tmp_path):
    without = changed_argument((1, {"config": '{"lr": 1}'}))
    null = changed_argument((1, {"config": '{"lr": 1, "seed": null}'}))

    assert said(tmp_path, null, without) == "seed added (null)"
    assert said(tmp_path, without, null) == "seed removed (was null)"


@pytest.mark.parametrize(
    ("new", "phrase"),
    [
        (files(train="ab"), "steps/train.py changed"),
        (files(common="ab"), "steps/common.py changed"),
        (files(common="ab", more="cd"), "steps/common.py changed, more.py added"),
        (files(a="1", b="1", c="1"), "a.py added, b.py added, c.py added"),
        (files(a="1", b="1", c="1", d="1", e="1"), "a.py added, b.py added, c.py added and 2 more"),
        (files(common="ab", train="ab"), "steps/train.py changed, steps/common.py changed"),
        (replace(OLD, files={"train.py": "aa"}), "steps/common.py removed"),
        (replace(OLD, script="fit.py", files={"fit.py": "aa", "common.py": "bb"}), "script train.py -> fit.py"),
        (changed_argument((3, "0.7")), "--alpha 0.5 -> 0.7"),
        (changed_argument((3, "0.7"), (5, {"input": "two"})), "--alpha 0.5 -> 0.7, --input-folder one -> two"),
        (changed_argument((6, "slow")), "arguments fast -> slow"),
        (changed_argument((5, {"input": "two"})), "--input-folder one -> two"),
        (changed_argument((1, {"config": '{"lr": 2, "batch": 2}'})), "lr 1 -> 2"),
        (changed_argument((1, {"config": '{"lr": 1.0, "batch": 2}'})), "lr 1 -> 1.0"),
        (
            changed_argument((1, {"config": '{"batch": 2, "lr": 2, "new": 1}'}), (3, "0.7")),
            "lr 1 -> 2, new added (1), --alpha 0.5 -> 0.7",
        ),
        (changed_argument((1, {"config": '{"batch": 2, "lr": 1, "password": "abc-123"}'})), "password added (***)"),
        (changed_argument((1, {"config": '{"batch": 2, "lr": 1}'})), "the order of its step_config changed"),
        (replace(OLD, argv=OLD.argv[:-1]), "arguments removed (was fast)"),
        (replace(OLD, inputs={**OLD.inputs, INPUT: {"content": "xx", "format": "folder"}}), "output of one changed"),
        (
            replace(OLD, inputs={**OLD.inputs, INPUT: {"content": "cc", "format": "parquet"}}),
            f"input {INPUT}: format folder -> parquet",
        ),
        (
            replace(OLD, inputs={**OLD.inputs, "customers": {"content": "ee", "type": "file"}}),
            "data of dataset customers (data.csv) changed, dataset customers: type tabular -> file",
        ),
        (environment(python="3.12.1"), "Python 3.11.7 -> 3.12.1"),
        (environment(definition={}), "pip package pandas removed"),
        (environment(definition={"pip_packages": ["pandas==2.0"]}), "pip package pandas any version -> ==2.0"),
        (environment(definition={"pip_packages": ["pandas"], "conda_file": "x"}), "conda_file changed"),
        (environment(definition="other"), "environment changed"),
        (environment(variables={"A": "2"}), "variable A 1 -> 2"),
        (environment(variables={"A": "1", "API_KEY": "abc-123"}), "variable API_KEY added (***)"),
        (environment(variables={"B": "1", "A": "2"}), "variable B added (1), variable A 1 -> 2"),
        (OLD, ""),
    ],
)
def test_what_changed_is_named_and_makes_another_digest(tmp_path, new, phrase):
    assert said(tmp_path, new) == phrase
    assert (new.digest == OLD.digest) == (phrase == "")

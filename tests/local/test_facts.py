"""What a script may look up that is no file: a digest for each, which changes when that does."""

from __future__ import annotations

from pathlib import Path

import pytest

from azml_tasks.local.facts import DATASETS, DATASTORES, STEPS_BEFORE, Facts, is_fact, variable
from azml_tasks.local.layout import Layout
from azml_tasks.local.record import StepRecord
from azml_tasks.reading import load_project

FILE = """\
steps: {a: {script_name: a.py}}
datasets: {one: {local_path: a.csv}, two: {local_path: b.csv, separator: ";"}}
datastores: {lake: {container_name: raw, account_name: first}, pond: {container_name: raw, account_name: second}}
"""
NAMES = [DATASETS, DATASTORES, STEPS_BEFORE, variable("A"), variable("B")]


def facts(folder: Path, text: str = FILE, variables: dict[str, str] | None = None, **producers: str) -> list[str]:
    """Return the digests of what a step could look up that follows steps which these runs have made."""
    (folder / "pipeline.yaml").write_text(text)
    pipeline = load_project(folder / "pipeline.yaml", variables={}).pipeline
    places = Layout.of(folder).run("1").step("x")
    upstream = {key: StepRecord(key, "completed", places=places, producer=run) for key, run in producers.items()}
    known = Facts(pipeline, {"A": "1"} if variables is None else variables, upstream)
    return [known.digest(name) for name in NAMES]


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({}, []),
        ({"text": FILE.replace("a.csv", "c.csv")}, [DATASETS]),
        ({"text": FILE.replace(', separator: ";"', "")}, [DATASETS]),
        ({"text": FILE.replace("one: {local_path: a.csv}, ", "")}, [DATASETS]),
        (
            {
                "text": FILE.replace("{one: {local_path: a.csv}, ", "{").replace(
                    '";"}', '";"}, one: {local_path: a.csv}'
                )
            },
            [],
        ),
        ({"text": FILE.replace("first", "third")}, [DATASTORES]),
        (
            {"text": FILE.replace("{container_name: raw, account_name: f", "{container_name: new, account_name: f")},
            [DATASTORES],
        ),
        ({"x": "run-2"}, [STEPS_BEFORE]),
        ({"z": "run-1"}, [STEPS_BEFORE]),
        ({"variables": {"A": "2"}}, [variable("A")]),
        ({"variables": {"A": "1", "B": ""}}, [variable("B")]),
        ({"variables": {}}, [variable("A")]),
        ({"variables": {"A": "1", "C": "1"}}, []),
    ],
)
def test_a_fact_has_another_digest_when_it_is_another(tmp_path, change, changed):
    before = facts(tmp_path, x="run-1", y="run-1")

    after = facts(tmp_path, **{"y": "run-1", "x": "run-1", **change})

    assert [name for name, old, new in zip(NAMES, before, after, strict=True) if old != new] == changed


def test_facts_are_told_from_paths():
    assert [name for name in (*NAMES, "data.csv", ".azml/models", "the data.csv") if is_fact(name)] == NAMES

"""What a run on Azure was started from is in its properties, and is read again from there."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.azure.projects import line_of_steps, write_project

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.v1.runs.details import run_details
from azml_tasks.azure.v1.runs.runs import find_run
from azml_tasks.azure.v1.submit import run
from azml_tasks.backend import Pace, Watch
from azml_tasks.runs.origin import Code, Origin, Packages, Provenance, StepOrigin
from azml_tasks.runs.properties import facts_in, properties_of
from azml_tasks.runs.records import Remark
from tests.azure.workspace import stocked

FAST = Pace(first=0.01, longest=0.01)
ORIGIN = Origin("dev", ("invoke", "run", "--target", "dev"), ("s1.n=7",))


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    done = subprocess.run(["git", *identity, "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_run_has_its_origin_settings_code_and_environment(azure, tmp_path):
    project = write_project(tmp_path, line_of_steps(2))
    git(tmp_path, "init", "--initial-branch=trunk")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--message=first")
    (tmp_path / "steps/s1.py").write_text("print('edited')\n", encoding="utf-8")
    ws = stocked(azure)

    run(project, ws, settings=["s1.n=7"], origin=ORIGIN, watch=Watch(pace=FAST))

    commit = git(tmp_path, "rev-parse", "HEAD")
    [pipeline] = [one for one in azure.runs.values() if one.kind == "azureml.PipelineRun"]
    shown = {name: text for name, text in pipeline.properties.items() if name.startswith("azml_tasks.")}
    assert (shown["azml_tasks.commit"], shown["azml_tasks.branch"]) == (commit, "trunk")
    assert (shown["azml_tasks.target"], shown["azml_tasks.command"]) == ("dev", "invoke run --target dev")
    assert max(map(len, shown.values())) <= 1000
    found = find_run(ws, "pipeline", plan=project.plan)
    source = found.provenance()
    assert (found.origin, found.settings) == (ORIGIN, {"s1": {"n": 7}, "s2": {"n": 2}})
    assert (source.code.commit, source.code.changed, source.code.count) == (commit, ("steps/s1.py",), 1)
    assert {key: (step.after, step.environment) for key, step in source.steps.items()} == {
        "s1": ((), "env"),
        "s2": (("s1",), "env"),
    }
    assert source.environments["env"].name.startswith("env:")


def test_a_run_whose_record_is_refused_goes_on_and_says_so(azure, tmp_path):
    events: list[Any] = []
    ws = stocked(azure)
    azure.fail("PATCH", "/history/.*/runs/[-0-9a-f]+$", status=403)

    done = run(write_project(tmp_path, line_of_steps(1)), ws, watch=Watch(events.append, FAST))

    assert done.status == "completed"
    assert [event.text for event in events if isinstance(event, Remark)] == [
        "Azure ML did not accept the record of what the run was started from"
    ]


def test_a_run_that_another_program_started_has_the_graph_of_the_file(azure, tmp_path):
    project = write_project(tmp_path, line_of_steps(2))
    ws = stocked(azure)
    done = run(project, ws, watch=Watch(pace=FAST))
    for one in azure.runs.values():
        one.properties = {name: text for name, text in one.properties.items() if not name.startswith("azml_tasks.")}

    details = run_details(ws, find_run(ws, "pipeline", done.id, project.plan), project.plan, with_logs=True)

    assert [step.origin.after for step in details.steps] == [(), ("s1",)]
    assert (details.provenance.release, details.provenance.code) == ("", None)
    assert details.steps[0].log.text == "Step s1 ran on the stand-in.\n"


@pytest.mark.parametrize("count", [1, 60, 2_000])
def test_a_record_of_any_size_fits_what_the_service_takes(count):
    files = {f"file{n}.py": f"{n * 7919:016x}" for n in range(20)}
    steps = {f"step-{n}": StepOrigin(f"step-{n}", (f"step-{n - 1}",), {}, files) for n in range(count)}
    source = Provenance("1", "me", "here", "Linux", Code("abc", "é", "d", ("a.py",), 1), {"": Packages()}, steps)
    settings = {f"step-{n}": {"lr": n / 7} for n in range(count)}

    found = properties_of(ORIGIN, settings, source)

    assert len(found) <= 30
    assert max(map(len, found.values())) <= 1000
    origin, _, read = facts_in(found)
    assert (origin, read.code) == (ORIGIN, source.code)
    if count < 100:
        assert facts_in(found)[1] == settings
        assert read.steps.keys() == steps.keys()


@pytest.mark.parametrize("piece", ["", "no base64", "eJw=", "bnVsbA=="])
def test_properties_that_somebody_changed_are_ignored(piece):
    assert facts_in({"azml_tasks.record.0": piece}) == (Origin(), {}, Provenance())

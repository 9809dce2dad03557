"""`invoke doctor --try`: what is assumed of Azure ML v2 is looked at, and what was made for that is removed."""

from __future__ import annotations

import pytest

from azml_tasks.azure.v2.backend import AzureV2Backend
from azml_tasks.azure.v2.client.connection import connect
from azml_tasks.azure.v2.doctor.trial import AzureTrial
from azml_tasks.backend import Pace
from azml_tasks.errors import Interrupted, ServiceError
from tests.azure.v2.projects import SCRIPTS, TWO_STEPS, WHERE, run, stocked, v2_project
from tests.tasks.conftest import Invoke, invoke

__all__ = ["invoke"]

# What the stand-in does is what is assumed.
FACTS = [
    "environments return their conda file",
    "the run history names a step",
    "lists of runs have the run",
    "properties of a job are kept",
    "what a script logs is a metric of its step",
    "what it logs to its parent is a metric of the run",
    "a step reads the folder of another",
    "a job may register its output",
    "the registered output has the step's files",
    "data assets are datasets of v1",
    "an unchanged run is reused",
    "unchanged code is found by its hash",
    "the same job sent twice",
    "cancelling a finished run",
    "a dataset of v1 that does not exist is not found",
    "a component is published with its data and values",
    "a published pipeline runs",
    "a schedule is made in",
    "start_time is kept",
    "a replaced schedule stays enabled",
    "deleting an enabled schedule",
]


def trial(service, folder, said=None):
    project = v2_project(folder)
    lines = [] if said is None else said
    return AzureTrial(project, connect(project), lines.append, Pace(0.3, 0.3))


def things(service):
    """Return what a workspace shows: assets that are not archived, jobs that are not hidden, and schedules."""
    assets = [
        f"{kind} {name}:{version}"
        for kind in ("environments", "data", "components")
        for name, versions in service.assets[kind].items()
        for version, body in versions.items()
        if not body["properties"].get("isArchived") and name != "azureml_anonymous"
    ]
    jobs = [name for name in service.jobs if not service.workspace.runs[name].hidden]
    return [*assets, *jobs, *service.schedules_v2]


def test_everything_is_as_assumed_and_nothing_is_left(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    one = trial(azure_v2, tmp_path)
    found = []

    one.run(found.append)

    assert [(fact.text, fact.seen) for fact in found if fact.differs] == []
    assert [fact.text for fact in found] == FACTS
    assert len(azure_v2.jobs) == 3
    assert things(azure_v2) == []
    names = {name for kind in ("environments", "data") for name in azure_v2.assets[kind]}
    assert names == {one.name, f"{one.name}-packages"}
    assert {job.properties["experimentName"] for job in azure_v2.jobs.values()} == {one.name}


def test_a_service_that_behaves_differently_is_described(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    azure_v2.refuses_data_of_jobs = True
    azure_v2.quirks |= {"jobs once", "datasets are data", "never reuses", "replaced schedules are disabled", "deletes"}
    found = []

    trial(azure_v2, tmp_path).run(found.append)

    different = {fact.text: fact.seen for fact in found if fact.differs}
    assert different.pop("a job may register its output").startswith("azml-tasks: the output is not registered as")
    assert different == {
        "data assets are datasets of v1": "yes",
        "an unchanged run is reused": "completed, completed",
        "the same job sent twice": "refused (409), 1 run",
        "a replaced schedule stays enabled": "no",
        "deleting an enabled schedule": "accepted",
    }
    assert things(azure_v2) == []


def test_ctrl_c_removes_what_was_made(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "hold"
    said = []

    def say(line):
        said.append(line)
        if line.startswith("step first"):
            raise KeyboardInterrupt

    one = trial(azure_v2, tmp_path)
    one._say = say
    with pytest.raises(Interrupted, match=r"^interrupted; what the trial made was removed$"):
        one.run(lambda fact: None)

    assert "interrupted; removing what was made (Ctrl-C again leaves it)" in said
    assert [run.status for run in azure_v2.workspace.runs.values() if run.parent is None] == ["Canceled"]
    assert things(azure_v2) == []


def test_what_cannot_be_removed_is_named_with_the_commands(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "hold"
    one = trial(azure_v2, tmp_path)

    def say(line):
        if line.startswith("step first"):
            azure_v2.fail("PUT", f"/environments/{one.name}/", status=403, times=99)
            raise KeyboardInterrupt

    one._say = say
    with pytest.raises(Interrupted) as raised:
        one.run(lambda fact: None)

    assert str(raised.value).splitlines() == [
        "left in the workspace:",
        f"  the environment {one.name}: az ml environment archive --name {one.name}",
    ]
    assert things(azure_v2) == [f"environments {one.name}:1"]


def test_a_second_ctrl_c_leaves_the_rest_and_names_it(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "hold"
    one = trial(azure_v2, tmp_path)

    def say(line):
        if line.startswith(("step first", "interrupted")):
            if line.startswith("interrupted"):
                one._made[-1] = type(one._made[-1])(one._made[-1].what, interrupt, one._made[-1].command)
                return
            raise KeyboardInterrupt

    def interrupt():
        raise KeyboardInterrupt

    one._say = say
    with pytest.raises(Interrupted) as raised:
        one.run(lambda fact: None)

    lines = str(raised.value).splitlines()
    assert lines[0] == "left in the workspace:"
    assert lines[1].startswith(f"  the runs of the experiment {one.name}: ")
    assert len(lines) == 5


def test_a_trial_that_fails_says_why_and_removes_what_it_made(azure_v2, tmp_path):
    stocked(azure_v2)
    azure_v2.fail("PUT", "/jobs/", status=403, times=99)

    with pytest.raises(ServiceError, match="submitting the pipeline failed"):
        trial(azure_v2, tmp_path).run(lambda fact: None)

    assert things(azure_v2) == []


def test_other_backends_have_no_trial(tmp_path):
    from azml_tasks.backend import UnsupportedError
    from azml_tasks.local.backend import LocalBackend

    with pytest.raises(UnsupportedError, match="select a target with `backend: azure-v2`"):
        LocalBackend(v2_project(tmp_path)).trial(print)


def test_a_trial_leaves_the_runs_of_the_project_alone(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "finish"
    record = run(v2_project(tmp_path))
    azure_v2.fail("PUT", f"/jobs/(?!{record.id})", status=403, times=99)

    with pytest.raises(ServiceError):
        trial(azure_v2, tmp_path).run(lambda fact: None)

    assert things(azure_v2) == ["environments env:1", record.id]
    assert AzureV2Backend(v2_project(tmp_path)).runs.find().id == record.id


def churn(invoke: Invoke) -> Invoke:
    invoke.write("pipeline.yaml", WHERE + TWO_STEPS)
    for name, text in SCRIPTS.items():
        invoke.write(name, text)
    return invoke


def test_the_task_says_what_it_starts_and_needs_a_yes(azure_v2, invoke):
    stocked(azure_v2)

    dry, refused = churn(invoke)("--dry", "doctor", "--try"), churn(invoke)("doctor", "--try")

    assert dry.out.startswith("--try runs two steps on the compute 'cpu' of the workspace churn-ws, and makes ")
    assert (dry.err, dry.status) == ("", 0)
    assert refused.err == (
        "nothing changed: cannot ask for confirmation in CI or without a terminal; use --yes to start it\n"
    )
    assert refused.status == 2
    assert len(azure_v2.requests) == 0


def test_the_task_prints_each_fact_and_what_differs(azure_v2, invoke, monkeypatch):
    from azml_tasks.azure.v2.doctor import trial as module

    monkeypatch.setattr(module, "Pace", lambda: Pace(0.3, 0.3))
    stocked(azure_v2).on_submit = "execute"
    azure_v2.quirks.add("jobs once")

    answer = churn(invoke)("doctor", "--try", "--yes")

    lines = answer.out.splitlines()
    assert "ok       lists of runs have the run: yes" in lines
    assert "differs  the same job sent twice: assumed: accepted, 1 run; seen: refused (409), 1 run" in lines
    assert lines[-2:] == [
        f"1 of {len(FACTS)} facts differs",
        "please open an issue with these lines; docs/azure-v2.md says what each difference means",
    ]
    assert (answer.err, answer.status) == ("", 0)
    assert things(azure_v2) == []

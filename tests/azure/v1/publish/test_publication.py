from __future__ import annotations

from typing import Any

import pytest

from tests.azure.projects import line_of_steps, write_project

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK needs Python 3.11 or earlier")

from azml_tasks.azure.v1.client.retry import RetryPolicy, retrying
from azml_tasks.azure.v1.prune import disable_versions, unused_versions
from azml_tasks.azure.v1.publish.publication import publish
from azml_tasks.azure.v1.publish.published import list_versions, relaunch
from azml_tasks.azure.v1.submit import run
from azml_tasks.errors import AzmlError, ProjectError, ServiceError
from azml_tasks.reading.overrides import OverrideError
from tests.azure.foreign import FOREIGN
from tests.azure.workspace import stocked
from tests.service.graphs import FromDataset

NAMED = "publish: {name: churn, description: Weekly churn scores}\nexperiment_name: trial\n"
READING = """
    env_name: env
    compute_name: cpu
    publish: {name: churn}
    datasets:
      customers: {datastore_name: churn_blob, path: customers.csv}
      fixed: {datastore_name: churn_blob, path: fixed.csv, version: 2}
    steps:
      alone: {script_name: alone.py, input_folders: {}, output_folders: []}
      prepare: {script_name: prepare.py, input_folders: {}, input_datasets: {--new: customers}}
      train: {script_name: train.py}
      careful: {script_name: careful.py, input_folders: {}, input_datasets: {--old: fixed}, allow_reuse: true}
      never: {script_name: never.py, input_folders: {}, allow_reuse: false}
"""


@pytest.fixture
def ws(azure: Any) -> Any:
    return stocked(azure)


def versions_of(azure: Any) -> dict[str, Any]:
    """Tell what the service has: the published pipelines by version, and the endpoint's default."""
    states = {item.version: "on" if item.active else "off" for item in azure.published.values()}
    endpoints = {item.name: azure.published[item.versions[item.default]].version for item in azure.endpoints.values()}
    return {"published": states, "endpoints": endpoints}


def test_a_file_is_published_without_a_run_and_carries_what_the_file_declares(azure, ws, tmp_path):
    text = line_of_steps(2, NAMED + "continue_on_step_failure: true\n")
    made = publish(write_project(tmp_path, text), ws)

    (published,) = azure.published.values()
    (endpoint,) = azure.endpoints.values()
    assert (published.name, published.description, published.version, published.continue_on_failure) == (
        "churn",
        "Weekly churn scores",
        made.version,
        True,
    )
    assert (endpoint.name, endpoint.description, endpoint.versions) == (
        "churn",
        "Weekly churn scores",
        {"0": published.id},
    )
    assert len(made.version) == 12
    assert (made.outcome, made.before, made.id, made.endpoint_id) == ("created", None, published.id, endpoint.id)
    assert made.url.endswith(f"/PipelineRuns/PipelineEndpointSubmit/Id/{endpoint.id}")
    assert str(made) == f"churn {made.version}: published, with a new endpoint"
    assert azure.submitted == []


def test_the_same_content_has_the_same_version_wherever_it_lies_and_is_published_once(azure, ws, tmp_path):
    versions = []
    for place in ("here", "there"):
        folder = tmp_path / place
        folder.mkdir()
        made = publish(write_project(folder, line_of_steps(2, NAMED)), ws)
        versions.append((made.version, made.outcome))

    assert versions == [(versions[0][0], "created"), (versions[0][0], "unchanged")]
    assert len(azure.published) == len(azure.endpoints) == 1
    assert str(made) == f"churn {made.version}: unchanged"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("{n: 2}", "{n: 3}", "s2: n 2 -> 3"),
        ("env_name: env", "env_name: env@1", "s1: environment env -> env@1, s2: environment env -> env@1"),
        ("script_name: s2.py", "script_name: s2.py, allow_reuse: false", "s2: allow_reuse true -> false"),
        ("script_name: s2.py", "script_name: s2.py, environment_variables: {A: b}", "s2: variable A added (b)"),
        ("script_name: s2.py", "script_name: s2.py, arguments: [-v]", "s2: -v added"),
        ("script_name: s2.py", "script_name: s2.py, step_name: Two", "s2: step_name s2 -> Two"),
        (
            "script_name: s2.py",
            "script_name: s2.py, max_run_duration_seconds: 60",
            "s2: max_run_duration_seconds added (60)",
        ),
        ("compute_name: cpu", "compute_name: gpu", "s1: compute_name cpu -> gpu, s2: compute_name cpu -> gpu"),
        ("compute_name: cpu", "compute_name: cpu\ncontinue_on_step_failure: true", ""),
        ("compute_name: cpu", "compute_name: cpu\npipeline_parameters: {alpha: 1}", ""),
        ("Weekly churn scores", "Daily churn scores", ""),
    ],
)
def test_each_change_of_the_content_is_a_new_version_and_the_endpoints_default(azure, ws, tmp_path, old, new, named):
    azure.add_compute("gpu")
    first = publish(write_project(tmp_path, line_of_steps(2, NAMED)), ws).version

    made = publish(write_project(tmp_path, line_of_steps(2, NAMED).replace(old, new)), ws)

    assert versions_of(azure) == {
        "published": {first: "on", made.version: "on"},
        "endpoints": {"churn": made.version},
    }
    assert made.version != first
    assert str(made) == f"churn {made.version}: published, now the endpoint's default instead of {first}" + (
        f": {named}" if named else ""
    )


def test_a_changed_script_and_a_changed_environment_are_new_versions(azure, ws, tmp_path):
    text = (
        line_of_steps(1, NAMED).replace("env_name: env", "env_name: own")
        + "environments: {own: {pip_packages: [pandas]}}\n"
    )
    project = write_project(tmp_path, text)
    versions = [publish(project, ws).version]
    (tmp_path / "steps/s1.py").write_text("print('changed')\n", encoding="utf-8")
    versions.append(publish(project, ws).version)
    (tmp_path / "pipeline.yaml").write_text(text.replace("pandas", "polars"), encoding="utf-8")
    changed = write_project(tmp_path, text.replace("pandas", "polars"), {"steps/s1.py": "print('changed')\n"})
    versions.append(publish(changed, ws).version)

    assert len(set(versions)) == 3
    assert list(azure.environments["own"]) == ["1", "2"]


def test_what_changes_nothing_of_the_graph_is_no_new_version(azure, ws, tmp_path):
    first = publish(write_project(tmp_path, line_of_steps(2, NAMED)), ws)

    text = line_of_steps(2, NAMED).replace("trial", "other") + "tags: {a: b}\nschedule: {frequency: Day}\n"
    assert publish(write_project(tmp_path, text), ws).version == first.version
    assert len(azure.published) == 1


def test_going_back_to_an_earlier_content_moves_the_default_back_and_publishes_nothing(azure, ws, tmp_path):
    text = line_of_steps(2, NAMED)
    first = publish(write_project(tmp_path, text), ws).version
    second = publish(write_project(tmp_path, text.replace("{n: 2}", "{n: 3}")), ws).version
    disable_versions(ws, "churn", unused_versions(ws, "churn"))
    assert versions_of(azure) == {"published": {first: "off", second: "on"}, "endpoints": {"churn": second}}

    made = publish(write_project(tmp_path, text), ws)

    assert versions_of(azure) == {"published": {first: "on", second: "on"}, "endpoints": {"churn": first}}
    assert str(made) == f"churn {first}: enabled again, now the endpoint's default instead of {second}: s2: n 3 -> 2"


def test_a_step_that_reads_a_dataset_and_what_follows_is_never_reused_unless_the_file_sets_it(azure, ws, tmp_path):
    azure.add_datastore("churn_blob")
    for name in ("customers", "fixed", "fixed"):
        azure.add_table(name, "churn_blob", f"{name}.csv", {"a": "int"})
    project = write_project(tmp_path, READING)

    made = publish(project, ws)
    run(project, ws, wait=False)

    def reuse(of: str | None) -> dict[str, bool]:
        return {name: step.module.allow_reuse for name, step in azure.steps(of).items()}

    assert reuse(made.id) == {"alone": True, "prepare": False, "train": False, "careful": True, "never": False}
    assert reuse(None) == {"alone": True, "prepare": True, "train": True, "careful": True, "never": False}
    steps = azure.steps(made.id)
    assert steps["prepare"].inputs == {"customers": FromDataset("customers", None, "customers")}
    assert steps["careful"].inputs == {"fixed": FromDataset("fixed", 2, "fixed")}
    assert made.notes == (
        "step 'alone' reads no dataset, so Azure reuses its earlier result in every run; set `allow_reuse: false` "
        "to rerun it each time",
    )


def test_a_published_pipeline_that_reads_a_dataset_really_runs_each_time(azure, ws, tmp_path):
    azure.add_datastore("churn_blob")
    azure.add_table("customers", "churn_blob", "customers.csv", {"a": "int"})
    azure.add_table("fixed", "churn_blob", "fixed.csv", {"a": "int"})
    azure.add_table("fixed", "churn_blob", "fixed.csv", {"a": "int"})
    project = write_project(tmp_path, READING)
    publish(project, ws)

    for _ in range(2):
        relaunch(project, ws)

    reused = {name: "azureml.reusedrunid" in step.properties for name, step in azure.step_runs().items()}
    assert reused == {"alone": True, "prepare": False, "train": False, "careful": True, "never": False}


def test_dry_reports_what_would_be_done_and_changes_nothing(azure, ws, tmp_path):
    text = line_of_steps(1, NAMED)
    made = publish(write_project(tmp_path, text), ws, dry=True)
    assert str(made) == f"churn {made.version}: would be published, with a new endpoint"
    assert (made.id, made.url) == ("", "")
    assert versions_of(azure) == {"published": {}, "endpoints": {}}

    publish(write_project(tmp_path, text), ws)
    again = publish(write_project(tmp_path, text.replace("{n: 1}", "{n: 2}")), ws, dry=True)
    instead = f"now the endpoint's default instead of {made.version}"
    assert str(again) == f"churn {again.version}: would be published, {instead}: s1: n 1 -> 2"
    assert [request.method for request in azure.requests if request.method in ("PUT", "POST")][-1] == "POST"
    assert len(azure.published) == 1


def test_a_file_without_a_name_names_what_to_add(azure, ws, tmp_path):
    with pytest.raises(ProjectError, match=r"^pipeline.yaml: set a name to publish: add `publish: \{name: \.\.\.\}`$"):
        publish(write_project(tmp_path, line_of_steps(1)), ws)
    assert publish(write_project(tmp_path, line_of_steps(1, "experiment_name: churn\n")), ws).name == "churn"


def test_versions_are_listed_with_the_default_first(azure, ws, tmp_path):
    versions = [
        publish(write_project(tmp_path, line_of_steps(1, NAMED).replace("{n: 1}", f"{{n: {n}}}")), ws).version
        for n in range(3)
    ]
    azure.published[next(iter(azure.published))].active = False

    url, rows = list_versions(ws, "churn")

    assert [(row.version, row.state, row.description) for row in rows] == [
        (versions[2], "default", "Weekly churn scores"),
        (versions[1], "active", "Weekly churn scores"),
        (versions[0], "disabled", "Weekly churn scores"),
    ]
    assert url.endswith(next(iter(azure.endpoints)))
    with pytest.raises(ServiceError) as caught:
        list_versions(ws, "chrn")
    assert str(caught.value) == (
        "no published pipeline 'chrn' in the workspace 'churn-ws'; publish it with `invoke publish`"
    )


def test_only_versions_that_nothing_uses_are_disabled(azure, ws, tmp_path):
    from azureml.pipeline.core import Schedule, ScheduleRecurrence

    text = line_of_steps(1, NAMED)
    versions = []
    for n in range(4):
        versions.append(publish(write_project(tmp_path, text.replace("{n: 1}", f"{{n: {n}}}")), ws).version)
    scheduled, paused = list(azure.published)[:2]
    for target in (scheduled, paused):
        recurrence = ScheduleRecurrence("Day", 1, start_time="2030-01-01T00:00:00")
        made = Schedule.create(ws, "own", target, "churn", recurrence)
        if target == paused:
            made.disable()

    disable_versions(ws, "churn", unused_versions(ws, "churn"))

    assert versions_of(azure)["published"] == {
        versions[0]: "on",
        versions[1]: "off",
        versions[2]: "off",
        versions[3]: "on",
    }


def test_a_relaunch_changes_what_was_published_and_not_what_the_file_declares_today(azure, ws, tmp_path):
    text = line_of_steps(2, NAMED + "tags: {owner: me}\npipeline_parameters: {alpha: 0.5}\n")
    text = text.replace("{n: 1}", "{n: 1, lr: 0.1}, arguments: {--alpha: '${{ parameters.alpha }}'}")
    version = publish(write_project(tmp_path, text), ws).version
    today = write_project(tmp_path, text.replace("lr: 0.1", "lr: 0.7").replace("alpha: 0.5", "alpha: 2.5"))

    done, record = relaunch(today, ws, settings=["s1.n=9", "alpha=2.5"])

    sent = azure.submitted[-1]
    assert done == version
    assert (sent.experiment, sent.parameters) == ("trial", {"s1_config": '{"n": 9, "lr": 0.1}', "alpha": "2.5"})
    assert record is not None
    assert (record.id, record.experiment, record.tags) == (sent.id, "trial", {"owner": "me"})
    assert azure.runs[sent.id].tags == {"owner": "me"}


def test_another_version_is_run_by_how_it_begins_and_in_another_experiment(azure, ws, tmp_path):
    text = line_of_steps(1, NAMED)
    first = publish(write_project(tmp_path, text), ws).version
    project = write_project(tmp_path, text.replace("{n: 1}", "{n: 2}"))
    second = publish(project, ws).version

    assert relaunch(project, ws)[0] == second
    assert relaunch(project, ws, version=first[:8], experiment="again")[0] == first
    assert [(azure.published[run.published].version, run.experiment) for run in azure.submitted] == [
        (second, "trial"),
        (first, "again"),
    ]
    with pytest.raises(ServiceError, match=r"^'churn' has no published version 'xyz'$"):
        relaunch(project, ws, version="xyz")


def test_a_setting_that_was_never_published_is_refused(azure, ws, tmp_path):
    text = line_of_steps(1, NAMED)
    publish(write_project(tmp_path, text), ws)
    today = write_project(tmp_path, line_of_steps(2, NAMED + "pipeline_parameters: {alpha: 1}\n"))

    for setting, parameter in (("s2.n=2", "s2_config"), ("alpha=1", "alpha")):
        with pytest.raises(OverrideError) as caught:
            relaunch(today, ws, settings=[setting])
        assert str(caught.value) == (
            f"the published pipeline has no parameter '{parameter}'; update it with `invoke publish`"
        )
    assert azure.submitted == []


FAULTS = {
    "503": {"status": 503},
    "429": {"status": 429, "retry_after": 0},
    "500": {"status": 500},
    "dropped": {"status": 0},
    "500 after it took effect": {"status": 500, "before_effect": False},
    "dropped after it took effect": {"status": 0, "before_effect": False},
}
FAULTS |= {
    # A list that is empty, as an answer of something else or the service's own, is looked at again after each change.
    answer: {**fault, "times": 1}
    for answer, fault in FOREIGN.items()
    if answer in ("null", "half of the answer")
}
ROUTES = [
    ("GET", "/Pipelines$"),
    ("POST", "/Pipelines/Create$"),
    ("GET", "/PipelineEndpoints/Name$"),
    ("POST", "/PipelineEndpoints/Create$"),
]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_on_any_request_leaves_one_published_pipeline_behind_one_endpoint(azure, ws, tmp_path, fault):
    project = write_project(tmp_path, line_of_steps(1, NAMED))
    faults = [azure.fail(method, path, **fault) for method, path in ROUTES]
    with retrying(RetryPolicy(wait=0.01)):
        made = publish(project, ws)
    assert [route for route, struck in zip(ROUTES, faults, strict=True) if struck.times] == []
    assert versions_of(azure) == {"published": {made.version: "on"}, "endpoints": {"churn": made.version}}

    moved = write_project(tmp_path, line_of_steps(1, NAMED).replace("{n: 1}", "{n: 2}"))
    moving = azure.fail("PUT", "/PipelineEndpoints/", **fault)
    with retrying(RetryPolicy(wait=0.01)):
        second = publish(moved, ws)
    assert moving.times == 0
    assert versions_of(azure) == {
        "published": {made.version: "on", second.version: "on"},
        "endpoints": {"churn": second.version},
    }


@pytest.mark.parametrize("route", ["/Pipelines/Create$", "/PipelineEndpoints/Create$"])
@pytest.mark.parametrize("before", [True, False], ids=["before it took effect", "after it took effect"])
def test_publishing_again_completes_what_a_lasting_fault_cut_short(azure, ws, tmp_path, route, before):
    project = write_project(tmp_path, line_of_steps(1, NAMED))
    faults = [
        azure.fail("POST", route, status=500, times=99, before_effect=before),
        azure.fail("GET", "/(Pipelines|PipelineEndpoints/Name)$", status=500, times=99, skip=2),
    ]
    with retrying(RetryPolicy(tries=2, wait=0.01)), pytest.raises(AzmlError):
        publish(project, ws)

    for fault in faults:
        fault.times = 0
    made = publish(project, ws)

    assert versions_of(azure) == {"published": {made.version: "on"}, "endpoints": {"churn": made.version}}


def test_an_empty_list_in_place_of_what_is_published_leaves_one_version(azure, ws, tmp_path):
    project = write_project(tmp_path, line_of_steps(1, NAMED))
    first = publish(project, ws)
    azure.fail("GET", "/Pipelines$", status=200, body=b"[]")

    again = publish(project, ws)

    assert versions_of(azure) == {"published": {first.version: "off"}, "endpoints": {"churn": first.version}}
    assert [item.active for item in azure.published.values()] == [True, False]
    assert again.id == first.id
    assert again.notes[-1] == (
        "another command published the same content at the same time; its copy is kept, and this one is disabled"
    )


def test_an_empty_default_of_a_parameter_that_a_step_uses_is_refused(azure, ws, tmp_path):
    text = line_of_steps(1, NAMED + 'pipeline_parameters: {tag: "", unused: "", alpha: 0}\n').replace(
        "{n: 1}", "{n: 1}, arguments: {--tag: '${{ parameters.tag }}', --alpha: '${{ parameters.alpha }}'}"
    )
    for dry in (True, False):
        with pytest.raises(ProjectError) as caught:
            publish(write_project(tmp_path, text), ws, dry)
        assert str(caught.value) == (
            "pipeline.yaml:5: pipeline parameter 'tag' has an empty default, which Azure ML v1 treats as no default: a "
            "published pipeline cannot start without a value, so its schedule never runs; use a default such as 'none'"
        )
    assert azure.published == {}

"""A single fault on each route of run, register, publish and schedule is survived, with one of each thing made."""

from __future__ import annotations

import pytest

from azml_tasks.azure.v2.backend import AzureV2Backend
from azml_tasks.azure.v2.client import history
from azml_tasks.azure.v2.client.connection import connect
from azml_tasks.azure.v2.documents import documents
from azml_tasks.azure.v2.register import register
from azml_tasks.backend import RunRequest
from azml_tasks.errors import AzmlError
from tests.azure.v2.projects import TWO_STEPS, run, stocked, v2_project

ROUTES = {
    "the login": ("POST", "/oauth2/v2.0/token$"),
    "the environment": ("GET", "/environments/env/versions$"),
    "its registration": ("PUT", "/environments/env/versions/1$"),
    "the workspace": ("GET", "/workspaces/churn-ws$"),
    "known code": ("GET", "/codes/[^/]*/versions$"),
    "room for code": ("POST", "/startPendingUpload$"),
    "new code": ("PUT", "/codes/[^/]*/versions/1$"),
    "a component": ("PUT", "/components/azureml_anonymous/versions/"),
    "the job": ("PUT", "/jobs/[^/]*$"),
    "its state": ("GET", "/history/.*/runs/[^/]*$"),
    "its steps": ("GET", "/children$"),
    "its logs": ("GET", "/details$"),
    "the compute": ("GET", "/computes/cpu$"),
}
FAULTS = {
    "dropped": {"status": 0},
    "dropped after its effect": {"status": 0, "before_effect": False},
    "500": {"status": 500},
    "500 after its effect": {"status": 500, "before_effect": False},
    "429": {"status": 429, "retry_after": 0},
}
# The storage client of Microsoft waits 16 to 20 s before it tries again, except after what it gives up on.
UPLOADS = {
    "the look for code": (("HEAD", r"blob\.core\.windows\.net/.*\.py$"), "429"),
    "an upload": (("PUT", r"blob\.core\.windows\.net/.*\.py$"), "429"),
}


def check(service, project, route, fault):
    stocked(service)
    service.fail(*route, times=1, **fault)

    record = run(project)

    assert record.status == "completed"
    assert list(service.jobs) == [record.id]
    assert list(service.assets["environments"]["env"]) == ["1"]
    assert len(service.assets["components"]["azureml_anonymous"]) == 2
    assert len(service.assets["codes"]) == 2
    used = {
        one["properties"]["componentSpec"]["code"] for one in service.assets["components"]["azureml_anonymous"].values()
    }
    assert len(used) == 2


@pytest.mark.sampled(6)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("route", ROUTES)
def test_a_fault_is_survived_with_one_of_each_thing_made(azure_v2, tmp_path, route, fault):
    check(azure_v2, v2_project(tmp_path), ROUTES[route], FAULTS[fault])


@pytest.mark.parametrize("what", UPLOADS)
def test_a_fault_of_an_upload_is_survived(azure_v2, tmp_path, what):
    route, fault = UPLOADS[what]

    check(azure_v2, v2_project(tmp_path), route, FAULTS[fault])


REGISTERED = {
    "an environment": ("PUT", "/environments/env/versions/1$"),
    "a datastore": ("PUT", "/datastores/raw$"),
    "its secret": ("POST", "/listSecrets$"),
    "a data asset": ("PUT", "/data/customers/versions/1$"),
    "a compute": ("PUT", "/computes/cluster$"),
    "the datasets of v1": ("GET", "/datasets/query/"),
}


@pytest.mark.sampled(5)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("route", REGISTERED)
def test_what_is_registered_is_made_once(azure_v2, tmp_path, route, fault):
    project = v2_project(
        tmp_path,
        """\
        environments: {env: {pip_packages: [pandas]}}
        datastores: {raw: {container_name: raw, account_name: churnstore, account_key: "${KEY}"}}
        datasets: {customers: {datastore_name: raw, path: customers/, type: file}}
        computes: {cluster: {vm_size: STANDARD_D4DS_V4, max_nodes: 2}}
        steps: {a: {script_name: a.py}}
        """.replace("        ", ""),
        {},
        KEY="a2V5",
    )
    azure_v2.fail(*REGISTERED[route], times=1, **FAULTS[fault])

    with documents(project) as found:
        made = {change.kind: change.outcome for change in register(connect(project), found)}

    assert made == dict.fromkeys(("environment", "datastore", "dataset", "compute"), "created")
    assert list(azure_v2.assets["environments"]["env"]) == ["1"]
    assert list(azure_v2.assets["data"]["customers"]) == ["1"]
    with documents(project) as found:
        again = {change.kind: change.outcome for change in register(connect(project), found)}
    assert again == dict.fromkeys(made, "unchanged")


PUBLISHED = {
    "the environment": ("GET", "/environments/env/versions$"),
    "its registration": ("PUT", "/environments/env/versions/1$"),
    "what is published": ("GET", "/components/churn/versions$"),
    "known code": ("GET", "/codes/[^/]*/versions$"),
    "room for code": ("POST", "/startPendingUpload$"),
    "new code": ("PUT", "/codes/[^/]*/versions/1$"),
    "a component of a step": ("PUT", "/components/azureml_anonymous/versions/"),
    "the component of the pipeline": ("PUT", "/components/churn/versions/"),
}
SCHEDULED = {
    "the look for the schedule": ("GET", "/schedules/churn$"),
    "the compute": ("GET", "/computes/cpu$"),
    "the schedule": ("PUT", "/schedules/churn$"),
    "its operation": ("GET", "/mfeOperationsStatus/"),
}
STARTED = {
    "what is published": ("GET", "/components/churn/versions$"),
    "the job": ("PUT", "/jobs/[^/]*$"),
}
SWITCHED = {
    "the look for the schedule": ("GET", "/schedules/churn$"),
    "the schedule": ("PUT", "/schedules/churn$"),
    "its operation": ("GET", "/mfeOperationsStatus/"),
    "its end": ("DELETE", "/schedules/churn$"),
}
WEEKLY = TWO_STEPS + "publish: {name: churn}\nschedule: {frequency: Week}\n"


def publish_and_schedule(project):
    AzureV2Backend(project).schedule(run_now=False, dry=False)


OTHERS = [(run, route) for name, route in ROUTES.items() if name != "its logs"]
OTHERS += [(publish_and_schedule, route) for route in (*PUBLISHED.values(), *SCHEDULED.values())]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("body", [b"{}", b'{"value": [{}]}', b'{"name": "x", "properties": {}}'])
@pytest.mark.parametrize(("does", "route"), OTHERS)
def test_json_of_another_shape_is_one_sentence(azure_v2, tmp_path, monkeypatch, does, route, body):
    monkeypatch.setattr(history, "PAUSES", (0,))
    stocked(azure_v2)
    azure_v2.fail(*route, status=200, body=body, times=999)

    with pytest.raises(AzmlError) as raised:
        does(v2_project(tmp_path, WEEKLY))

    assert "Azure" in str(raised.value)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("route", PUBLISHED)
def test_a_pipeline_is_published_once(azure_v2, tmp_path, route, fault):
    stocked(azure_v2)
    backend = AzureV2Backend(v2_project(tmp_path, WEEKLY))
    azure_v2.fail(*PUBLISHED[route], times=1, **FAULTS[fault])

    (done,) = backend.publish(prune=False, dry=False)

    (again,) = backend.publish(prune=False, dry=False)
    assert (done.outcome, again.outcome) == ("created", "unchanged")
    assert list(azure_v2.assets["components"]["churn"]) == [done.version]
    assert list(azure_v2.assets["environments"]["env"]) == ["1"]
    assert len(azure_v2.assets["components"]["azureml_anonymous"]) == 2
    assert len(azure_v2.assets["codes"]) == 2


@pytest.mark.sampled(4)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("route", SCHEDULED)
def test_a_schedule_is_made_once(azure_v2, tmp_path, route, fault):
    stocked(azure_v2)
    backend = AzureV2Backend(v2_project(tmp_path, WEEKLY))
    azure_v2.fail(*SCHEDULED[route], times=1, **FAULTS[fault])

    _, done = backend.schedule(run_now=False, dry=False)

    _, again = backend.schedule(run_now=False, dry=False)
    assert (done.outcome, again.outcome) == ("created", "unchanged")
    assert list(azure_v2.schedules_v2) == ["churn"]
    assert azure_v2.schedules_v2["churn"]["isEnabled"] is True


@pytest.mark.sampled(4)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("route", STARTED)
def test_a_run_of_a_published_pipeline_is_started_once(azure_v2, tmp_path, route, fault):
    stocked(azure_v2)
    backend = AzureV2Backend(v2_project(tmp_path, WEEKLY))
    list(backend.publish(prune=False, dry=False))
    azure_v2.fail(*STARTED[route], times=1, **FAULTS[fault])

    started = backend.published.run(RunRequest())

    assert list(azure_v2.jobs) == [started.record.id]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("route", SWITCHED)
def test_a_schedule_is_paused_resumed_and_removed(azure_v2, tmp_path, route, fault):
    stocked(azure_v2)
    backend = AzureV2Backend(v2_project(tmp_path, WEEKLY))
    backend.schedule(run_now=False, dry=False)
    off = AzureV2Backend(v2_project(tmp_path, WEEKLY.replace("frequency", "enabled: false, frequency")))

    for change, state in ((backend.schedules.pause, False), (backend.schedules.resume, True)):
        azure_v2.fail(*SWITCHED[route], times=1, **FAULTS[fault])
        change("", dry=False)
        assert {name: one["isEnabled"] for name, one in azure_v2.schedules_v2.items()} == {"churn": state}
    azure_v2.fail(*SWITCHED[route], times=1, **FAULTS[fault])
    off.schedule(run_now=False, dry=False)
    assert azure_v2.schedules_v2 == {}

"""A run survives a fault on every route that it takes, and makes nothing twice."""

from __future__ import annotations

import pytest

from tests.azure.projects import line_of_steps, write_project

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.submission import run
from azml_tasks.azure.transport import Patience, steady
from azml_tasks.azure.watch import Pace, Watch
from tests.azure.workspace import stocked

ROUTES = [
    ("GET", "/computes/cpu$"),
    ("GET", "/environments/env$"),
    ("GET", "/DataTypes$"),
    ("GET", "/default$"),
    ("GET", "/Modules/Hash/"),
    ("GET", "/snapshots/latest/metadata$"),
    ("POST", "/snapshots/getblob$"),
    ("PUT", "blob.core.windows.net/snapshots/"),
    ("HEAD", "blob.core.windows.net/snapshots/"),
    ("POST", "/content/v2.0/.*/snapshots/[-0-9a-f]+$"),
    ("POST", "/Modules$"),
    ("GET", "/Modules/[-0-9a-f]+$"),
    ("POST", "/PipelineRuns/Unsubmitted/CreationInfoWithGraph$"),
    ("POST", "/PipelineRuns/Submit/"),
    ("GET", "/history/.*/experiments/pipeline/runs/[-0-9a-f]+$"),
    ("PATCH", "/history/.*/experiments/pipeline/runs/[-0-9a-f]+$"),
    ("GET", "/PipelineRuns/[-0-9a-f]+$"),
    ("POST", "/Graph/AllNodes/Status$"),
]


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503},
        {"status": 429, "retry_after": 0},
        {"status": 500},
        {"status": 0},
        {"status": 500, "before_effect": False},
        {"status": 0, "before_effect": False},
    ],
    ids=["503", "429", "500", "dropped", "500 after it took effect", "dropped after it took effect"],
)
def test_a_fault_on_every_route_is_survived_and_nothing_is_made_twice(azure, tmp_path, fault):
    project = write_project(tmp_path, line_of_steps(2, "tags: {owner: me}\n"))
    ws = stocked(azure)
    faults = [azure.fail(method, path, **fault) for method, path in ROUTES]

    with steady(Patience(wait=0.01)):
        record = run(project, ws, watch=Watch(pace=Pace(0.01, 0.01)))

    assert [route for route, struck in zip(ROUTES, faults, strict=True) if struck.times] == []
    assert record.status == "completed"
    assert sorted(module.name for module in azure.modules.values()) == ["s1", "s2"]
    assert len(azure.submitted) == 1
    assert azure.runs[record.id].tags == {"owner": "me"}

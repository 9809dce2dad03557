"""`invoke publish`, `published.list` and `published.run`: what they print and do."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.azure.connections import forget_connections
from tests.tasks.azure_tasks import FILE
from tests.tasks.conftest import Answer, Invoke

STEP = "steps: {train: {script_name: train.py, step_config: {lr: 0.1}, allow_reuse: false}}\n"


@pytest.fixture
def churn(azure: Any, invoke: Invoke) -> Invoke:
    forget_connections()
    azure.add_environment("env")
    azure.add_compute("cpu")
    invoke.write("train.py", "print('trained')\n")
    invoke.write("pipeline.yaml", FILE + STEP)
    return invoke


def changed(churn: Invoke, rate: float) -> None:
    churn.write("pipeline.yaml", FILE + STEP.replace("0.1", str(rate)))


def test_publishing_reports_the_version_and_how_to_run_it(azure: Any, churn: Invoke) -> None:
    answer = churn("publish")

    (published,) = azure.published.values()
    (endpoint,) = azure.endpoints.values()
    url = re.escape(f"/PipelineRuns/PipelineEndpointSubmit/Id/{endpoint.id}")
    assert (answer.err, answer.status) == ("", 0)
    assert re.fullmatch(
        f"churn {published.version}: published, with a new endpoint\n"
        rf"run it with `invoke published.run`, or with a POST to https://\S+{url}\n",
        answer.out,
    )
    assert churn("publish").out.startswith(f"churn {published.version}: unchanged\n")


def test_a_dry_run_publishes_nothing(azure: Any, churn: Invoke) -> None:
    answer = churn("--dry", "publish", "--prune")
    assert re.fullmatch(r"churn [0-9a-f]{12}: would be published, with a new endpoint\n", answer.out)
    assert azure.published == {}


def test_prune_disables_what_nothing_uses(azure: Any, churn: Invoke) -> None:
    for rate in (0.1, 0.2, 0.3):
        changed(churn, rate)
        churn("publish")
    first, second, third = (item.version for item in azure.published.values())
    changed(churn, 0.1)

    dry = churn("--dry", "publish", "--prune")
    assert dry.out.splitlines()[:3] == [
        f"churn {first}: published before, now the endpoint's default instead of {third}",
        "  train: lr 0.3 -> 0.1",
        f"churn {second}: would be disabled",
    ]
    done = churn("publish", "--prune")

    assert done.out.splitlines()[:3] == [
        f"churn {first}: published before, now the endpoint's default instead of {third}: train: lr 0.3 -> 0.1",
        f"churn {second}: disabled",
        f"churn {third}: disabled",
    ]
    assert [item.active for item in azure.published.values()] == [True, False, False]


def test_a_step_that_reads_nothing_is_noted(azure: Any, churn: Invoke) -> None:
    churn.write("pipeline.yaml", FILE + STEP.replace(", allow_reuse: false", ""))
    assert churn("publish").out.splitlines()[1] == (
        "note: step 'train' reads no dataset, so Azure reuses its earlier result in every run; set `allow_reuse: "
        "false` to rerun it each time"
    )


def test_versions_are_listed(azure: Any, churn: Invoke) -> None:
    assert churn("published.list") == Answer(
        "", "no published pipeline 'churn' in the workspace 'churn-ws'; publish it with `invoke publish`\n", 2
    )
    churn("publish")
    changed(churn, 0.2)
    churn("publish")

    first, second = (item.version for item in azure.published.values())
    assert churn("published.list").out.splitlines()[1:] == [
        f"  {second}  default   Weekly churn scores",
        f"  {first}  active    Weekly churn scores",
    ]


def test_a_run_with_another_value(azure: Any, churn: Invoke) -> None:
    churn("publish")
    (published,) = azure.published.values()
    assert churn("--dry", "published.run").out == f"would run churn {published.version}\n"
    assert azure.submitted == []

    answer = churn("published.run", "--set", "train.lr=0.5", "--experiment", "again")

    (run,) = azure.submitted
    assert answer.out.splitlines()[0] == f"run {run.id} of churn {published.version}, experiment again"
    assert answer.out.splitlines()[1].startswith(f"https://ml.azure.com/runs/{run.id}?")
    assert run.parameters == {"train_config": '{"lr": 0.5}'}
    assert churn("published.run", "--set", "train.rl=1").err == ("step 'train' has no setting 'rl': it has lr\n")


def test_this_machine_publishes_nothing(invoke: Invoke) -> None:
    invoke.write("pipeline.yaml", "backend: local\nsteps: {train: {script_name: train.py}}\n")
    for command in (["publish"], ["--dry", "publish"], ["published.list"], ["published.run"]):
        assert invoke(*command) == Answer(
            "",
            "the backend local cannot publish pipelines; select a target with backend azure or azure-v2: "
            "--target NAME\n",
            2,
        )

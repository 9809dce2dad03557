"""What `plan` foretells of register, publish, schedule and run is what they then do, for generated pipelines, and a
second plan names only steps that always run."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.azure.connections import forget_connections
from tests.foretold import Generated
from tests.service.names import GROUP, SUBSCRIPTION, WORKSPACE
from tests.tasks.conftest import Invoke, invoke

if TYPE_CHECKING:
    from tests.service.service import Service

__all__ = ["invoke"]

HEADING = f"""\
backend: azure
ws_name: {WORKSPACE}
resource_group: {GROUP}
subscription_id: {SUBSCRIPTION}
experiment_name: foretold
publish: {{name: churn}}
schedule: {{frequency: Day, time_of_day: '06:00'}}
env_name: e
compute_name: cpu
environments: {{e: {{pip_packages: [PACKAGES]}}}}
datastores: {{raw: {{container_name: raw, account_name: churnstore, account_key: "${{CHURN_KEY}}"}}}}
datasets:
  customers: {{datastore_name: raw, path: customers.csv, set_column_types: {{age: TYPE}}}}
computes: {{cpu: {{vm_size: STANDARD_DS3_V2, max_nodes: NODES}}}}
"""
TYPES, NODES, TIMES = ("long", "string"), ("1", "2"), ("06:00", "07:00")
CASES, CHANGES = 1, 4
MANY_CASES = 10


class Workspace:
    """A generated project and its commands; `types`, `nodes` and `time` are what else of the file changes."""

    def __init__(self, invoke: Invoke, chance: random.Random) -> None:
        self.invoke = invoke
        self.chance = chance
        self.made = Generated(invoke.folder, chance, "")
        self.write(TYPES[0], NODES[0], TIMES[0])

    def write(self, kind: str, nodes: str, time: str) -> None:
        heading = HEADING.replace("TYPE}", f"{kind}}}").replace("NODES", nodes).replace("06:00", time)
        self.made.heading = heading
        self.made.write()

    def change(self) -> str:
        what = self.made.change()
        if self.chance.random() < 0.3:
            self.write(self.chance.choice(TYPES), self.chance.choice(NODES), self.chance.choice(TIMES))
        return what

    def plan(self) -> dict[str, Any]:
        answer = self.invoke("plan", "--json")
        assert (answer.err, answer.status) == ("", 0)
        plan = json.loads(answer.out)
        assert plan["version"] == 1
        return plan

    def do(self, *words: str) -> str:
        answer = self.invoke(*words)
        assert (answer.err, answer.status) == ("", 0)
        return answer.out


def block(plan: dict[str, Any], task: str) -> dict[str, Any]:
    (found,) = (block for block in plan["blocks"] if block["task"] == task)
    assert found["error"] is None
    return found


def changes(plan: dict[str, Any], task: str) -> list[str]:
    """Return what a task would change, as its own words: each thing with the outcome."""
    return [told(change["text"].replace("would be ", "")) for change in block(plan, task)["changes"]]


def told(line: str) -> str:
    """Return what was done to what: `dataset customers: created`."""
    return re.match(r"[^:]+: [a-z ]+[a-z]", line)[0]


def outcomes(out: str) -> list[str]:
    return [
        told(line)
        for line in out.splitlines()
        if re.match(r"(environment|datastore|dataset|compute|churn|schedule) ", line)
    ]


def statuses(out: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+): (completed|reused|failed)", out, re.MULTILINE))


def verdicts(plan: dict[str, Any]) -> dict[str, str]:
    return {step["step"]: step["verdict"] for step in block(plan, "run")["steps"]}


def changing(plan: dict[str, Any]) -> list[str]:
    """Return what would change, as the words of the plan; empty exactly if the plan says that nothing would."""
    found = [change["text"] for block in plan["blocks"] for change in block["changes"] if "would" in change["text"]]
    found += [
        f"{step['step']}: {step['reason']}"
        for step in block(plan, "run")["steps"]
        if step["verdict"] != "reuse" and step["cause"] not in ("always", "upstream")
    ]
    assert bool(found) == plan["would_change"], plan
    return found


AGREES = {"run": ("completed",), "reuse": ("reused",), "may run": ("completed", "reused")}


@pytest.fixture
def workspace(azure: Service, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("CHURN_KEY", "dG9wLXNlY3JldA==")

    def of(chance: random.Random) -> Workspace:
        forget_connections()
        azure.state.storage.add_container("churnstore", "raw")
        azure.state.storage.put("churnstore", "raw", "customers.csv", b"id,age\n1,2\n")
        return Workspace(invoke, chance)

    return of


@pytest.mark.parametrize("case", range(MANY_CASES))
def test_what_is_foretold_happens(workspace: Any, slow: bool, case: int) -> None:
    if case >= CASES and not slow:
        pytest.skip("more cases at the level slow")
    there = workspace(random.Random(case))
    sent: set[str] = set()
    for _ in range(CHANGES):
        plan = there.plan()

        assert outcomes(there.do("register")) == changes(plan, "register")
        published = outcomes(there.do("publish"))
        assert published == changes(plan, "publish")
        scheduled = outcomes(there.do("schedule"))
        assert scheduled[-1:] == changes(plan, "schedule")
        happened = statuses(there.do("run"))
        said = verdicts(plan)
        wrong = {key: (said[key], happened.get(key)) for key in said if happened.get(key) not in AGREES[said[key]]}
        assert wrong == {}, plan
        # What is sent for the first time may be known to Azure from elsewhere, and `run_after` is left to it.
        is_open = {key for key, step in there.made.steps.items() if key not in sent or step.after}
        for key, step in there.made.steps.items():
            is_open |= {key} if is_open & {*step.before} else set()
        assert {key for key in said if said[key] == "may run"} <= is_open, plan
        sent |= said.keys()

        again = there.plan()
        assert changing(again) == []
        left = [step for step in block(again, "run")["steps"] if step["verdict"] != "reuse"]
        assert {step["step"] for step in left} <= there.made.always(), again
        assert {step["cause"] for step in left} <= {"always", "upstream"}, again
        there.change()

"""How many requests a run takes, against those of Microsoft's client alone for the same job."""

from __future__ import annotations

import pytest

from azml_tasks.azure.v2.client import connection as client
from tests.azure.v2.projects import line_of_steps, run, stocked, v2_project

# What the bare client needs for the same job, its environment being there: new, and sent again by a new process.
BARE = {1: (14, 9), 10: (85, 45)}


@pytest.mark.parametrize("steps", BARE)
def test_a_new_step_takes_at_most_one_request_more_and_an_unchanged_one_none(azure_v2, tmp_path, steps):
    stocked(azure_v2).add_environment_v2("env")
    text = line_of_steps(steps).replace("environments:\n  env: {pip_packages: [pandas]}\n", "")
    project = v2_project(tmp_path, text, {})

    run(project, wait=False)
    new = len(azure_v2.requests)
    azure_v2.requests.clear()
    client._open.clear()  # a new process: a new login and a new client
    client._logins.clear()
    run(project, wait=False)
    again = len(azure_v2.requests)

    bare_new, bare_again = BARE[steps]
    assert (new, again) == {1: (15, 9), 10: (87, 36)}[steps]
    assert new <= bare_new + steps
    assert again <= bare_again

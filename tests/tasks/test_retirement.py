"""What `validate` and `doctor` say of what the file names and has been or will be retired."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from azml_tasks.schedule.recurrence import SystemClock
from tests.tasks.conftest import Answer, Invoke

PIPELINE = """\
    backend: local
    compute_name: cpu
    env_name: e
    steps: {a: {script_name: a.py}}
    environments:
      e: {python_version: "3.10"}
      old: {conda_file: conda.yml}
      conda: {conda_packages: [pandas, "python=3.9"]}
      image: {base_image: "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"}
      docker: {dockerfile: Dockerfile}
    computes:
      cpu: {vm_size: STANDARD_DS3_V2}
      gpu: {vm_size: Standard_NC6}
      new: {vm_size: STANDARD_D4DS_V4}
      low: {vm_size: STANDARD_D4DS_V4, vm_priority: lowpriority}
"""
UPDATES = "https://azure.microsoft.com/updates/?id="
IMAGE = (
    "use mcr.microsoft.com/azureml/openmpi5.0-ubuntu24.04 (https://ubuntu.com/about/release-cycle, as of 2026-03-16)"
)
PYTHON = "(https://devguide.python.org/versions/, as of 2026-08-13)"
SIZE = "use STANDARD_D4DS_V4 (DDSv4 series)"
OVER = [
    "pipeline.yaml:13: {}compute 'gpu': Standard_NC6 (NC series) was retired on 2023-08-31, so its nodes do not start; "
    "use STANDARD_NC4AS_T4_V3 (NCasT4_v3 series) (https://learn.microsoft.com/azure/virtual-machines/"
    "nc-series-retirement, as of 2025-09-30)",
    "pipeline.yaml:15: {}compute 'low': vm_priority: lowpriority was retired on 2026-03-31; use vm_priority: dedicated "
    f"with min_nodes: 0 ({UPDATES}501658, as of 2025-12-18)",
    "conda.yml:3: {}environment 'old': Python 3.8 has had no security fixes since 2024-10-07; use 3.11 " + PYTHON,
    "pipeline.yaml:8: {}environment 'conda': Python 3.9 has had no security fixes since 2025-10-31; use 3.11 " + PYTHON,
    "Dockerfile:2: {}environment 'docker': Ubuntu 20.04 has had no security fixes since 2025-05-31; " + IMAGE,
]
NEAR = "pipeline.yaml:9: note: environment 'image': Ubuntu 22.04 will have no security fixes from 2027-06-30; " + IMAGE
FAR = f"pipeline.yaml:12: compute 'cpu': STANDARD_DS3_V2 (DSv2 series) will be retired on 2028-05-01; {SIZE} "


@pytest.fixture
def churn(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    on(monkeypatch, 2026, 11, 29)
    invoke.write("pipeline.yaml", PIPELINE)
    invoke.write("a.py", "")
    invoke.write("conda.yml", "dependencies:\n  - pandas\n  - python=3.8\n")
    invoke.write(
        "Dockerfile", "# mine\nFROM --platform=linux/amd64 mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04\n"
    )
    return invoke


def on(monkeypatch: pytest.MonkeyPatch, year: int, month: int, day: int) -> None:
    """Set the day."""
    monkeypatch.setattr(SystemClock, "now", lambda clock: datetime(year, month, day, tzinfo=timezone.utc))


def test_what_is_retired_and_what_will_be_within_a_year_are_notes_of_validate(churn: Invoke):
    answer = churn("validate")

    assert (answer.err, answer.status) == ("", 0)
    notes = [line for line in answer.out.splitlines() if "as of" in line]
    assert notes == [*(line.format("note: ") for line in OVER), NEAR]


def test_with_strict_what_is_retired_is_an_error_and_an_announcement_is_not(churn: Invoke):
    answer = churn("validate", "--strict")

    assert answer.status == 2
    assert [line for line in answer.out.splitlines() if "as of" in line] == [*(line.format("") for line in OVER), NEAR]
    healthy = PIPELINE.replace("Standard_NC6", "STANDARD_D4DS_V4").replace(", vm_priority: lowpriority", "")
    churn.write("pipeline.yaml", healthy.replace("python=3.9", "python=3.11"))
    churn.write("conda.yml", "dependencies: [python=3.11]\n")
    churn.write("Dockerfile", "FROM python:3.11\n")
    answer = churn("validate", "--strict")
    assert (answer.out.splitlines()[:-1], answer.status) == ([NEAR], 0)


def test_an_announcement_becomes_a_note_a_year_before_its_day(churn: Invoke, monkeypatch):
    on(monkeypatch, 2027, 5, 1)
    assert "DSv2" not in churn("validate").out
    on(monkeypatch, 2027, 5, 2)
    assert "note: compute 'cpu': STANDARD_DS3_V2 (DSv2 series) will be retired on 2028-05-01; " in churn("validate").out
    on(monkeypatch, 2028, 5, 1)
    assert "STANDARD_DS3_V2 (DSv2 series) was retired on 2028-05-01, so its nodes do not start" in churn("validate").out


def test_doctor_names_everything_that_is_announced_and_the_pythons_of_the_sdk(churn: Invoke):
    lines = [line for line in churn("doctor").out.splitlines() if "as of" in line]

    assert f"note  {FAR}({UPDATES}485569, as of 2026-04-15)" in lines
    python = "environment 'e': Python 3.10 has had no security fixes since 2026-10-31; use 3.11 " + PYTHON
    assert f"note  pipeline.yaml:6: {python}" in lines
    assert len(lines) == len(OVER) + 3


def test_nothing_is_said_of_a_file_that_names_nothing_old(invoke: Invoke):
    invoke.write("a.py", "")
    invoke.write("pipeline.yaml", "backend: local\nsteps: {a: {script_name: a.py}}\ncomputes: {c-1: {vm_size: cpu}}\n")

    assert invoke("validate") == Answer("pipeline.yaml is valid: 1 step and 1 compute.\n", "", 0)

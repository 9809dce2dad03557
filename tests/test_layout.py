"""The figures of the layout stay within their ceilings; `python -m tests.layout --names` shows what each counts."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import pytest

from tests.imports import loops
from tests.layout import CEILINGS, Figure, azure_figures, file_figures, has_sdk, local_figures
from tests.service.fixture import SDK_WARNINGS

# Elsewhere a run enters other modules.
linux = pytest.mark.skipif(sys.platform != "linux", reason="the ceilings of what a run enters are those of Linux")


def exceeded(figures: Iterable[Figure]) -> list[str]:
    """Return those of the figures that are above their ceilings."""
    return [str(figure) for figure in figures if figure.value > CEILINGS[figure.name][0]]


def test_files_and_folders_stay_within_their_ceilings():
    assert exceeded(file_figures()) == []


@pytest.mark.processes
@linux
def test_a_local_run_enters_no_more_modules_than_its_ceiling():
    assert exceeded(local_figures()) == []


@linux
@pytest.mark.thorough
@pytest.mark.filterwarnings(*SDK_WARNINGS)
@pytest.mark.skipif(not has_sdk(), reason="the Azure SDK is not installed")
def test_a_run_and_a_schedule_on_azure_enter_no_more_modules_than_their_ceilings():
    assert exceeded(azure_figures()) == []


def test_a_loop_holds_all_that_lead_to_each_other_and_nothing_that_only_leads_there():
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"a"}, "f": {"g"}, "g": {"f"}}

    assert loops(edges) == [["a", "b", "c"], ["f", "g"]]

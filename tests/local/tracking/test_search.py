"""MLflow's filters and orders of searches."""

from __future__ import annotations

import pytest

from azml_tasks.local.tracking.errors import TrackingError
from azml_tasks.local.tracking.search import ordered, page, read_filter, read_order, run_values


def run(name: str, accuracy: float | str, **tags: str) -> dict:
    return {
        "info": {"run_name": name, "run_id": name, "status": "FINISHED", "start_time": len(name)},
        "data": {
            "metrics": [{"key": "accuracy", "value": accuracy}, {"key": "f1 score", "value": 0.5}],
            "params": [{"key": "lr", "value": "0.1"}],
            "tags": [{"key": key.replace("__", "."), "value": value} for key, value in tags.items()],
        },
    }


RUNS = [run("a", 0.5, team="x", mlflow__source="train.py"), run("bb", 0.9, team="it's"), run("ccc", "NaN")]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["a", "bb", "ccc"]),
        ("metrics.accuracy > 0.6", ["bb"]),
        ("metrics.accuracy <= 5e-1", ["a"]),
        ("metric.`f1 score` = 0.5 AND attributes.run_name != 'a'", ["bb", "ccc"]),
        ('metrics."f1 score" >= 0.5 and params.lr = "0.1"', ["a", "bb", "ccc"]),
        ("tags.team = 'it''s'", ["bb"]),
        ("tags.mlflow.source = 'train.py'", ["a"]),
        ("tags.`mlflow.source` LIKE 'train%'", ["a"]),
        ("tag.team ILIKE 'X'", ["a"]),
        ("run_name IN ('a', 'ccc')", ["a", "ccc"]),
        ("attributes.run_id NOT IN ('a')", ["bb", "ccc"]),
        ("tags.team IS NULL", ["ccc"]),
        ("tags.team IS NOT NULL AND status = 'FINISHED'", ["a", "bb"]),
        ("tags.absent = 'x'", []),
    ],
)
def test_a_filter_finds_the_runs_of_which_all_conditions_hold(text: str, names: list[str]):
    conditions = read_filter(text)

    found = [one for one in RUNS if all(condition.holds(run_values(one)) for condition in conditions)]
    assert [one["info"]["run_name"] for one in found] == names


@pytest.mark.parametrize(
    "text", ["metrics.a", "metrics.a >", "a = ", "x.y = 1", "a = 1 OR b = 2", "run_name IN ('a'", "~"]
)
def test_another_filter_is_refused(text: str):
    with pytest.raises(TrackingError, match="Invalid filter"):
        read_filter(text)


def test_what_has_no_value_comes_last_in_any_order():
    runs = [run("none", 0.0), run("low", 0.1), run("high", 0.9)]
    runs[0]["data"]["metrics"] = []

    def names(text: str) -> list[str]:
        return [one["info"]["run_name"] for one in ordered(runs, run_values, [read_order(text)])]

    assert names("metrics.accuracy DESC") == ["high", "low", "none"]
    assert names("metrics.accuracy asc") == ["low", "high", "none"]
    assert names("attributes.run_name") == ["high", "low", "none"]
    with pytest.raises(TrackingError, match=r"Invalid order_by 'x\.y'"):
        names("x.y")


def test_pages_follow_each_other():
    part, token = page([1, 2, 3], {"max_results": 2}, 10)
    assert (part, token) == ([1, 2], "2")
    assert page([1, 2, 3], {"max_results": 2, "page_token": token}, 10) == ([3], "")

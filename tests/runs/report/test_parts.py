"""The parts of the page: charts, the graph, logs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from azml_tasks.runs.compare import compare
from azml_tasks.runs.metrics import Metrics, Series
from azml_tasks.runs.records import ChildRun
from azml_tasks.runs.report.charts import HEIGHT, WIDTH, chart_of
from azml_tasks.runs.report.differences import highlights
from azml_tasks.runs.report.graph import draw, is_tall
from azml_tasks.runs.report.page import report_page
from azml_tasks.runs.report.tables import children_table
from azml_tasks.runs.report.texts import Budget, Hider
from tests.runs.report import example
from tests.runs.report.example import scalar


def numbers(paths: tuple[str, ...]) -> list[float]:
    return [float(text) for path in paths for text in re.findall(r"-?[\d.]+(?:e-?\d+)?|nan|inf", path)]


@pytest.mark.parametrize(
    "values",
    [
        (1, 2, 3),
        (5, 5, 5),
        (-1.7e308, 0, 1.7e308),
        (5e-324, 1e-323, 0),
        (math.nan, math.nan, math.nan),
        (math.inf, 1, -math.inf, 2, 3),
        tuple(range(10_000)),
        (10**400, 1, 2),
        (0.1 + 1e-12, 0.1, 0.1 - 1e-12),
    ],
)
def test_a_chart_is_within_its_frame_whatever_the_values(values):
    chart = chart_of(Series("x", values), 200)

    found = numbers(chart.paths) + [place for dot in chart.dots for place in dot]
    assert all(math.isfinite(place) and 0 <= place <= WIDTH for place in found)
    assert all(0 <= tick.place <= HEIGHT for tick in chart.ticks)
    assert len(found) <= 2 * 210


def test_values_that_are_not_finite_are_gaps_and_counted():
    chart = chart_of(Series("x", (1.0, 2.0, math.nan, 4.0, 3.0, math.inf, 7.0)), 100)

    assert (len(chart.paths), len(chart.dots), chart.left_out) == (2, 1, 2)
    assert chart.text == "x, 7 values from 1.0 to 7.0, the last 7.0"


def test_a_peak_stays_when_a_line_is_thinned():
    values = [0.0] * 10_000
    values[5_003] = 1.0

    chart = chart_of(Series("x", tuple(values)), 100)

    assert min(numbers(chart.paths)[1::2]) < 20


def test_points_are_placed_by_their_steps():
    chart = chart_of(Series("x", (3.0, 1.0, 2.0), (100, 0, 10)), 100)

    assert (chart.first_label, chart.last_label) == ("0", "100")
    assert numbers(chart.paths)[::2] == [44.0, 70.6, 310.0]


def test_labels_are_round_numbers():
    chart = chart_of(Series("x", (0.0, 0.93, 0.5)), 100)

    assert [tick.label for tick in chart.ticks] == ["0", "0.25", "0.50", "0.75"]


def test_steps_are_drawn_in_layers_and_curves_pass_between_them():
    above = {"a": [], "b": ["a"], "c": ["b", "a"]}

    drawing = draw(above, is_tall=False)

    x = {node.key: node.x for node in drawing.nodes}
    assert x["a"] < x["b"] < x["c"]
    assert len(drawing.edges) == 3
    boxes = [(node.y, node.y + 46) for node in drawing.nodes if node.key == "b"]
    past = next(edge for edge in drawing.edges if "h" in edge)
    start, bend = re.fullmatch(r"M\d+,(\d+)c\S+ \S+ \d+,(-?\d+)h\d+c.*", past).groups()
    level = int(start) + int(bend)
    assert all(not low <= level <= high for low, high in boxes)


def test_a_long_line_is_drawn_from_top_to_bottom_and_a_wide_graph_from_left_to_right():
    line = {f"s{n}": [f"s{n - 1}"] if n else [] for n in range(60)}
    fan = {"first": [], **{f"s{n}": ["first"] for n in range(60)}}

    assert is_tall(line, 1000)
    assert not is_tall(fan, 1000)
    assert draw(line, is_tall=True).height > draw(line, is_tall=True).width


def test_a_record_with_a_cycle_or_an_unknown_step_is_drawn_without_those_edges():
    drawing = draw({"a": ["b", "gone"], "b": ["a"]}, is_tall=False)

    assert (len(drawing.nodes), len(drawing.edges)) == (2, 1)
    assert draw({}, is_tall=False).nodes == ()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\n", "a\nb"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;https://a.b\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b[2K\x1b[1Gdone\x1b[?25h", "done"),
        ("10%\r50%\r100%\nnext", "100%\nnext"),
        ("windows\r\nlines\r\n", "windows\nlines"),
        ("ab\b\bcd", "cd"),
        ("nul \x00 and \u202e", "nul \\x00 and \\u202e"),
        ("", ""),
    ],
)
def test_a_log_is_shown_as_a_terminal_would_in_the_end(text, shown):
    assert Hider().log(text, 200, 1000).text == shown


def test_a_log_is_cut_at_whole_lines_and_long_lines_in_their_middle():
    log = Hider().log("".join(f"{n:04}\n" for n in range(1000)), 200, 50)
    assert (log.text.split("\n")[0], log.lines, log.whole) == ("0990", 10, 1000)

    line = Hider().log("x" * 500_000, 200, 10_000).text
    assert (len(line), line[995:1010]) == (2005, "xxxxx ... xxxxx")


def test_a_secret_is_hidden_before_a_line_is_cut():
    log = Hider(["secret-value"]).log("a" * 995 + "secret-value" + "b" * 3000, 200, 10_000).text

    assert "secret" not in log


def test_child_runs_are_a_table_of_their_parameters_metrics_and_tags():
    children = [
        ChildRun("train>fold 1", [scalar("loss", 2.0), scalar("loss", 0.123456)], {"lr": "0.1", "api_key": "abc"}),
        ChildRun("train>fold 2>inner", [], {}, {"kept": None, "mlflow.user": "me", "password": "hush"}),
    ]

    found = children_table(children, Hider(), Budget())

    assert (found.name, found.length, found.left_out) == ("Child runs", 2, 0)
    assert found.head == ("run", "lr", "api_key", "loss", "kept", "password")
    assert found.rows == (
        ("fold 1", "0.1", "***", "0.1235", "", ""),
        ("fold 2>inner", "", "", "", "yes", "***"),
    )


def test_of_many_child_runs_the_first_are_shown():
    children = [ChildRun(f"train>{number}", [scalar("loss", number)]) for number in range(5000)]

    found = children_table(children, Hider(), Budget())

    assert (found.length, len(found.rows), found.rows[-1]) == (5000, 100, ("99", "99"))


def test_child_runs_and_parameters_of_a_step_are_on_the_page():
    @dataclass(frozen=True)
    class WithChildren(example.Step):
        def parameters(self):
            return {"depth": "4", "password": "hush"}

        def children(self):
            return (ChildRun("s0>fold 1", [scalar("loss", 2.5)]),)

    details = example.run(count=1, failed=False)
    step = replace(details.steps[0], record=WithChildren("s0", "completed"))
    page = report_page(replace(details, steps=(step,)), None, Path("/tmp"))

    assert "<td>fold 1</td><td>2.5</td>" in page
    assert "parameter depth = 4<br>parameter password = ***<br>" in page


@pytest.mark.parametrize(("step", "change"), [("s0", "+2"), ("s1", "")])
def test_a_number_is_compared_with_that_of_the_same_step_in_the_run_before(step, change):
    """`change` is the difference from a run in which the step logged 3 rows."""
    details = example.run(count=1, failed=False)
    record = example.Step(step, "completed", logged=(scalar("rows", 3),))
    before = replace(details, run=replace(details.run, steps=(record,)))
    metrics = [Metrics.of([]), Metrics.of([scalar("rows", 5)])]

    assert [one.change for one in highlights(metrics, ["s0"], compare([before, details]))] == [change]

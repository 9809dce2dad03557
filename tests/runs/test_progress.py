"""What is shown of a run while it continues: on a terminal, and in plain lines."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from azml_tasks.runs.progress import LiveProgress, Progress, progress_on
from azml_tasks.runs.records import (
    Event,
    RunFinished,
    RunRecord,
    RunStarted,
    StepFinished,
    StepOutput,
    StepRecord,
    StepReused,
    StepSkipped,
    StepStarted,
    StepStatus,
    Tick,
)
from azml_tasks.text import seconds_text


@dataclass(frozen=True)
class Step(StepRecord):
    line: str = ""
    logged: tuple[tuple[str, float], ...] = ()

    def metrics(self) -> list[dict[str, Any]]:
        return [{"name": name, "kind": "scalar", "value": value} for name, value in self.logged]

    def last_line(self) -> str:
        return self.line


class Run(RunRecord[Step]):
    where = "on this machine"


def started(key: str, line: str = "", reason: str = "") -> StepStarted:
    return StepStarted(Step(key, "running", reason, started=100, line=line))


def finished(key: str, status: StepStatus = "completed", **more: Any) -> StepFinished:
    return StepFinished(Step(key, status, started=100, finished=104, **more))


def run_of(*steps: Step, status: Any = "completed") -> Run:
    return Run("ID", "churn", status, started=100, finished=107, steps=steps)


def shown(progress_type: type[Progress], events: Iterable[Event], **options: Any) -> str:
    """Return what is written for the events, with the seconds of running steps replaced."""
    stream = io.StringIO()
    progress = progress_type(stream, **options)
    for event in events:
        progress(event)
    return re.sub(r" +0\.\d\d s", " N s", stream.getvalue())


def screen(text: str) -> list[str]:
    """Return the lines that a terminal shows after this text."""
    lines, row, column = [""], 0, 0
    for sequence, character in re.findall(r"\x1b\[([\d;]*[A-Za-z])|(.|\n)", text):
        if sequence.endswith("A"):
            row -= int(sequence[:-1])
        elif sequence == "J":
            lines[row:] = [lines[row][:column]]
        elif sequence:
            assert sequence.endswith("m"), sequence
        elif character == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif character == "\r":
            column = 0
        else:
            lines[row] = lines[row][:column].ljust(column) + character + lines[row][column + 1 :]
            column += 1
    assert row >= 0
    return [line.rstrip() for line in lines if line.strip()]


EVENTS = [
    RunStarted(run_of(), ("prepare", "train", "evaluate")),
    started("prepare", "reading part 2", "no earlier result"),
    Tick(),
    finished("prepare"),
    started("train", "epoch 3/10", "steps/train.py changed"),
    Tick(),
    finished("train"),
    StepReused(Step("evaluate", "reused", "reused from OTHER")),
    RunFinished(run_of(Step("train", logged=(("loss", 0.25),)), Step("evaluate", logged=(("accuracy", 0.875),)))),
]
SUMMARY = [
    "run ID completed after 7.0 s",
    "  train: loss = 0.25",
    "  evaluate: accuracy = 0.875",
    "details: `invoke runs.show --run ID`",
    "as a page: `invoke runs.report --open --run ID`",
]


def test_plain_lines_say_what_happens_why_and_how_it_ended():
    assert shown(Progress, EVENTS).splitlines() == [
        "run ID of experiment churn: 3 steps on this machine",
        "prepare: started; no earlier result",
        "prepare: running for N s: reading part 2",
        "prepare: completed after 4.0 s",
        "train: started; steps/train.py changed",
        "train: running for N s: epoch 3/10",
        "train: completed after 4.0 s",
        "evaluate: reused from OTHER",
        *SUMMARY,
    ]


def test_a_terminal_shows_the_last_line_of_each_running_step_below_those_that_have_ended():
    assert screen(shown(LiveProgress, EVENTS[:3])) == [
        "run ID of experiment churn: 3 steps on this machine",
        "prepare N s  reading part 2",
        "2 waiting",
    ]
    assert screen(shown(LiveProgress, EVENTS[:6])) == [
        "run ID of experiment churn: 3 steps on this machine",
        "prepare: completed after 4.0 s; no earlier result",
        "train N s  epoch 3/10",
        "1 waiting",
    ]
    assert screen(shown(LiveProgress, EVENTS)) == [
        "run ID of experiment churn: 3 steps on this machine",
        "prepare: completed after 4.0 s; no earlier result",
        "train: completed after 4.0 s; steps/train.py changed",
        "evaluate: reused from OTHER",
        *SUMMARY,
    ]


def test_a_step_that_has_not_printed_anything_shows_why_it_runs():
    (line,) = screen(shown(LiveProgress, [started("train", "", "lr changed")]))

    assert line == "train N s  lr changed"


def test_the_live_lines_fit_the_terminal_however_long_and_wide_their_text(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    keys = [f"step_with_a_long_name_{'x' * number}" for number in range(12)]
    events = [RunStarted(run_of(), tuple(keys)), *(started(key, "訓練中" * 40) for key in keys)]

    lines = screen(shown(LiveProgress, events))[1:]

    # Each of the letters takes two columns; the seconds have lost some in `shown`.
    widths = [len(line) + sum(letter in "訓練中" for letter in line) for line in lines[:-1]]
    assert 60 < min(widths) <= max(widths) <= 79
    assert (len(lines), lines[-1]) == (9, "4 more running")


def test_the_text_of_a_log_does_not_control_the_terminal():
    text = shown(LiveProgress, [started("train", "\x1b[2J\x1b]0;title\x07\x1b[31mred\x1b[0m")])

    assert screen(text) == ["train N s  \\x1b[2J\\x1b]0;title\\x07red"]


def test_output_that_is_streamed_is_printed_line_by_line_with_the_name_of_its_step():
    step = Step("train", "running")
    events = [
        StepOutput(step, "epoch 1\nepo"),
        StepOutput(replace(step, key="other"), "hello\n"),
        StepOutput(step, "ch 2\n10%\r20%\r\n"),
        StepOutput(step, "no end"),
        finished("train"),
    ]

    assert shown(Progress, events).splitlines() == [
        "train | epoch 1",
        "other | hello",
        "train | epoch 2",
        "train | 20%",
        "train | no end",
        "train: completed after 4.0 s",
    ]


def test_many_metrics_are_shown_in_part():
    steps = [Step(f"step{number}", logged=(("rows", number),)) for number in range(20)]

    lines = shown(Progress, [RunFinished(run_of(*steps))]).splitlines()

    assert (len(lines), lines[-3:-1]) == (
        15,
        ["  step11: rows = 11", "details: `invoke runs.show --run ID` (8 more metrics)"],
    )


def test_the_commands_in_the_summary_have_the_target():
    lines = shown(Progress, [RunFinished(run_of())], target="prod").splitlines()

    assert lines[-2:] == [
        "details: `invoke runs.show --run ID --target prod`",
        "as a page: `invoke runs.report --open --run ID --target prod`",
    ]


def test_a_run_that_failed_shows_no_metrics_because_its_error_follows():
    run = run_of(Step("train", logged=(("loss", 1.0),)), status="failed")

    assert shown(Progress, [RunFinished(run)]) == "run ID failed after 7.0 s\n"


def test_colors_mark_the_status():
    text = shown(Progress, [finished("a"), finished("b", "failed", message="boom")], has_colors=True)

    assert text.splitlines() == [
        "\x1b[1ma\x1b[0m: \x1b[32mcompleted after 4.0 s\x1b[0m",
        "\x1b[1mb\x1b[0m: \x1b[31mfailed after 4.0 s: boom\x1b[0m",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "is_live", "has_colors"),
    [
        (Terminal, {}, True, True),
        (Terminal, {"NO_COLOR": "1"}, True, False),
        (Terminal, {"NO_COLOR": ""}, True, True),
        (Terminal, {"CI": "true"}, False, True),
        (Terminal, {"TERM": "dumb"}, False, False),
        (io.StringIO, {}, False, False),
        (io.StringIO, {"FORCE_COLOR": "1"}, False, True),
        (io.StringIO, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_live_lines_and_colors_are_for_terminals(stream, environment, is_live, has_colors):
    progress = progress_on(stream(), environment)
    progress(finished("a"))

    assert isinstance(progress, LiveProgress) == is_live
    assert ("\x1b[32m" in progress._stream.getvalue()) == has_colors


def test_a_reader_that_ends_does_not_end_the_run():
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    progress = Progress(Closed())
    for event in EVENTS:
        progress(event)


def test_a_letter_that_the_encoding_lacks_is_replaced():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    Progress(stream)(StepSkipped(Step("prépare", "skipped", "…")))

    assert raw.getvalue() == b"pr?pare: skipped; ?\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 s"),
        (0.994, "0.99 s"),
        (0.996, "1.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3599.7, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_time_spans_have_two_units_at_most(seconds, text):
    assert seconds_text(seconds) == text

"""The logs of a local run, followed while its steps run."""

from __future__ import annotations

from typing import Any

from azml_tasks.local.logs import follow_logs
from azml_tasks.local.runs import find_run
from azml_tasks.runs.records import RunFinished, StepOutput, StepStarted


def texts(events: Any) -> list[str]:
    return [
        f"{event.step.key}: {getattr(event, 'text', event.step.status)}"
        for event in events
        if not isinstance(event, RunFinished)
    ]


def test_output_is_followed_while_the_steps_run_and_ends_with_the_run(project, monkeypatch):
    # Each step waits until its first line was read.
    script = """
        import pathlib, time
        print("{0} é 1", flush=True)
        while not pathlib.Path("{1}").exists(): time.sleep(0.02)
        print("{0} 2")
    """
    seen = {key: project.folder / f"seen-{key}" for key in ("one", "two")}
    project.line(**{key: script.format(key, file) for key, file in seen.items()})
    found: list[str] = []

    followed = []

    def look(event: Any) -> None:
        if isinstance(event, StepStarted):
            run = find_run(project.folder)
            stream = follow_logs(project.folder, run, event.step.key)
            output = next(item for item in stream if isinstance(item, StepOutput))
            found.append(output.text)
            seen[event.step.key].touch()
            followed.append(stream)

    project.run(on_event=look)

    assert found == ["one é 1\n", "two é 1\n"]
    assert [texts(stream) for stream in followed] == [
        ["one: one 2\n", "one: completed"],
        ["two: two 2\n", "two: completed"],
    ]


def test_a_reused_step_has_output_if_it_is_followed_itself(project):
    project.line(one="print('hello')", two="print('there')")
    project.run()
    run = project.run()

    assert texts(follow_logs(project.folder, run)) == ["one: reused", "two: reused"]
    assert texts(follow_logs(project.folder, run, "one")) == ["one: hello\n", "one: reused"]


def test_the_last_line_of_a_log_is_its_last_text_whatever_surrounds_it(project):
    project.line(
        bar="import sys; sys.stdout.write('start\\n10%\\r20%\\r')",
        long="print('x' * 10000 + ' end')",
        blank="print('said')\nprint('  ')",
        quiet="",
    )

    run = project.run()

    assert [step.last_line()[-4:] for step in run.steps] == ["20%", " end", "said", ""]

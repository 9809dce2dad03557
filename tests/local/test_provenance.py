"""What `--only` and `--from-step` say of the earlier results that they build on."""

from __future__ import annotations

import pytest

from azml_tasks.local.provenance import shown_settings
from azml_tasks.local.record import Origin
from azml_tasks.local.runner import run_pipeline
from azml_tasks.overrides import override
from azml_tasks.reading import load_project
from azml_tasks.wiring import plan

PIPELINE = """
pipeline_parameters: {alpha: 0.5}
datasets: {customers: {local_path: data.csv}}
steps:
  load:
    script_name: pass_along.py
    step_config: {rows: 5, opt: {name: adam, lr: 0.1}, password: hush-hush}
    arguments: {--alpha: "${{ parameters.alpha }}", --note: "-x", --kind: small}
    input_datasets: {--data: customers}
  use: {script_name: use.py}
  last: {script_name: use.py}
"""
SCRIPT = """
import sys
if "--output-folder" in sys.argv:
    folder = sys.argv[sys.argv.index("--output-folder") + 1]
    open(folder + "/text", "w").write(str(id(folder)))
"""


@pytest.fixture
def lines(project):
    """Run the pipeline once; return what a run of one step alone says after the file was changed."""
    project.write({"data.csv": "a\n1\n"})
    project.pipeline(PIPELINE, pass_along=SCRIPT, use=SCRIPT)
    first = project.run(parameters={"alpha": 0.5})

    def lines(*changes: tuple[str, str], only: str = "use", settings: tuple[str, ...] = ()) -> str:
        text = PIPELINE
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        project.pipeline(text)
        changed = override(load_project(project.folder / "pipeline.yaml", variables={}).pipeline, settings)
        run = run_pipeline(
            plan(changed),
            project.folder,
            parameters=changed.pipeline_parameters,
            origin=Origin(changes=settings),
            only=only,
        )
        return run.steps[0].reason.replace(first.id, "RUN")

    return lines


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("rows: 5", "rows: 5"), "not asked for; its result of RUN is taken"),
        (("rows: 5", "rows: 1000"), "result of RUN, made with rows=5; the file says 1000"),
        (("lr: 0.1", "lr: 0.2"), "result of RUN, made with opt.lr=0.1; the file says 0.2"),
        (("rows: 5, ", ""), "result of RUN, made with rows=5; the file says nothing"),
        (("rows: 5", "rows: 5, more: x"), "result of RUN, made with no more; the file says x"),
        (
            ("rows: 5, opt: {name: adam", "rows: 6, opt: {name: sgd"),
            "result of RUN, made with rows=5 and opt.name=adam; the file says rows=6 and opt.name=sgd",
        ),
        (("hush-hush", "another"), "result of RUN, made with password=***; the file says ***"),
        (("alpha: 0.5", "alpha: 0.7"), "result of RUN, made with alpha=0.5; the file says 0.7"),
        (('"-x"', '"-y"'), "result of RUN, made with --note=-x; the file says -y"),
        (("--kind: small", "--kind: large"), "result of RUN, made with --kind=small; the file says large"),
        (("--kind: small", "--kind: small, --more: 1"), "result of RUN; since then its arguments changed"),
        (("local_path: data.csv", "local_path: other.csv"), "result of RUN; since then its input customers changed"),
    ],
)
def test_the_difference_from_todays_file_is_named(lines, project, change, line):
    project.write({"other.csv": "a\n2\n"})

    assert lines(change) == line


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (("load.rows=7",), "result of RUN, made with rows=5; --set says 7"),
        (("alpha=0.9",), "result of RUN, made with alpha=0.5; --set says 0.9"),
        (("use.rows=1",), "not asked for; its result of RUN is taken"),
    ],
)
def test_a_setting_that_does_not_reach_the_earlier_result_is_named(lines, settings, line):
    change = ("use: {script_name: use.py", "use: {script_name: use.py, step_config: {rows: 0}")

    assert lines(change, settings=settings) == line


def test_of_many_settings_some_are_named(lines):
    change = ("rows: 5, opt: {name: adam, lr: 0.1}", "rows: 6, opt: {name: sgd, lr: 0.2}, more: 1, most: 2")

    assert lines(change) == (
        "result of RUN, made with rows=5, opt.name=adam and opt.lr=0.1 and 2 more; "
        "the file says rows=6, opt.name=sgd and opt.lr=0.2"
    )


def test_a_script_that_is_gone_since_is_named(lines, project):
    (project.folder / "pass_along.py").unlink()

    assert lines() == "result of RUN; its script cannot be read today"


def test_an_earlier_result_that_reads_an_older_one_is_named(lines, project):
    project.run(only="load")

    assert lines(only="last") == "result of RUN; since then its input use_input_folder changed"


def test_data_that_are_gone_since_are_no_reason_to_stop(lines, project):
    (project.folder / "data.csv").unlink()

    assert lines(("rows: 5", "rows: 6")) == "result of RUN, made with rows=5; the file says 6"


def test_the_run_that_made_the_result_may_be_of_another_release_or_gone(lines, project):
    (record,) = project.folder.glob(".azml/runs/*/run.json")
    record.unlink()

    assert lines(("rows: 5", "rows: 6")) == "result of RUN, made with rows=5; the file says 6"


def test_secrets_are_left_out_of_what_set_was_given():
    settings = ["train.lr=0.1", "train.api_key = abc", "url=https://me:pw@host/x", "train.opt={a: 1}"]

    assert shown_settings(settings) == ("train.lr=0.1", "train.api_key=***", "url=***", "train.opt={a: 1}")
    assert Origin(changes=shown_settings(settings)).set_names == {"train.lr", "train.api_key", "url", "train.opt"}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ((), "not asked for; its result of RUN is taken"),
        (
            (("rows: 5", "rows: 6"),),
            "result of RUN, made from load: result of RUN, made with rows=5; the file says 6",
        ),
        (
            (("rows: 5", "rows: 6"), ("use: {script_name: use.py}", "use: {script_name: pass_along.py}")),
            "result of RUN; since then its script is now pass_along.py",
        ),
    ],
)
def test_a_step_alone_names_how_results_further_up_differ_from_today(
    lines, changes: tuple[tuple[str, str], ...], line: str
) -> None:
    assert lines(*changes, only="last") == line


def test_a_result_further_up_that_was_replaced_meanwhile_is_not_named(project) -> None:
    project.write({"data.csv": "a\n1\n"})
    same = SCRIPT.replace("str(id(folder))", "'same'")
    project.pipeline(PIPELINE, pass_along=same, use=same)
    first = project.run(parameters={"alpha": 0.5})
    changed = PIPELINE.replace("rows: 5", "rows: 6")
    project.pipeline(changed)
    project.run(parameters={"alpha": 0.5}, only="load")
    project.pipeline(PIPELINE)

    run = project.run(parameters={"alpha": 0.5}, only="last")

    assert run.steps[0].reason == f"not asked for; its result of {first.id} is taken"

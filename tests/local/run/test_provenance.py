"""What `--only` and `--from-step` say of the earlier results that they build on."""

from __future__ import annotations

import pytest

from azml_tasks.local.run.runner import run_pipeline
from azml_tasks.plan import build_plan
from azml_tasks.reading import load_project
from azml_tasks.reading.overrides import override, shown_settings
from azml_tasks.runs.origin import Origin

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
            build_plan(changed),
            project.folder,
            parameters=changed.pipeline_parameters,
            origin=Origin(changes=settings),
            only=only,
        )
        return run.steps[0].reason.replace(first.id, "RUN")

    return lines


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("rows: 5", "rows: 5"), "not selected; its result of RUN is used"),
        (("rows: 5", "rows: 1000"), "result of RUN, made with rows=5; pipeline.yaml has 1000"),
        (("lr: 0.1", "lr: 0.2"), "result of RUN, made with opt.lr=0.1; pipeline.yaml has 0.2"),
        (("rows: 5, ", ""), "result of RUN, made with rows=5; pipeline.yaml has none"),
        (("rows: 5", "rows: 5, more: x"), "result of RUN, made with no more; pipeline.yaml has x"),
        (
            ("rows: 5, opt: {name: adam", "rows: 6, opt: {name: sgd"),
            "result of RUN, made with rows=5 and opt.name=adam; pipeline.yaml has rows=6 and opt.name=sgd",
        ),
        (("hush-hush", "another"), "result of RUN, made with password=***; pipeline.yaml has ***"),
        (("alpha: 0.5", "alpha: 0.7"), "result of RUN, made with alpha=0.5; pipeline.yaml has 0.7"),
        (('"-x"', '"-y"'), "result of RUN, made with --note=-x; pipeline.yaml has -y"),
        (("--kind: small", "--kind: large"), "result of RUN, made with --kind=small; pipeline.yaml has large"),
        (("--kind: small", "--kind: small, --more: 1"), "result of RUN, made with no --more; pipeline.yaml has 1"),
        (
            ("local_path: data.csv", "local_path: other.csv"),
            "result of RUN; since then data of dataset customers (other.csv) changed",
        ),
    ],
)
def test_the_difference_from_todays_file_is_named(lines, project, change, line):
    project.write({"other.csv": "a\n2\n"})

    assert lines(change) == line


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (("load.rows=7",), "result of RUN, made with rows=5; --set has 7"),
        (("alpha=0.9",), "result of RUN, made with alpha=0.5; --set has 0.9"),
        (("use.rows=1",), "not selected; its result of RUN is used"),
    ],
)
def test_a_setting_that_does_not_reach_the_earlier_result_is_named(lines, settings, line):
    change = ("use: {script_name: use.py", "use: {script_name: use.py, step_config: {rows: 0}")

    assert lines(change, settings=settings) == line


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("rows: 5", "rows: 5.0"), "made with rows=5; pipeline.yaml has 5.0"),
        (("rows: 5", "rows: '5'"), 'made with rows=5; pipeline.yaml has "5"'),
        (("lr: 0.1", "lr: 0.10"), ""),
        (("{name: adam, lr: 0.1}", "sgd"), "made with opt={name: adam, lr: 0.1}; pipeline.yaml has sgd"),
        (("{name: adam, lr: 0.1}", "{lr: 0.1, name: adam}"), "since then the order of its step_config changed"),
        (
            ("{name: adam, lr: 0.1}", "[{password: hidden-1}, {host: a}]"),
            "made with opt={name: adam, lr: 0.1}; pipeline.yaml has [{password: ***}, {host: a}]",
        ),
        (
            ("--kind: small", "--sort: small"),
            "made with no --sort and --kind=small; pipeline.yaml has --sort=small and no --kind",
        ),
        (
            ('--note: "-x", --kind: small', '--kind: small, --note: "-x"'),
            "since then the order of its arguments changed",
        ),
        (
            ("--data: customers", "--table: customers"),
            "made with no --table and --data=customers; pipeline.yaml has --table=customers and no --data",
        ),
        (("--kind: small", "--password: dash-dash-1, --kind: small"), "made with no --password; pipeline.yaml has ***"),
    ],
)
def test_the_difference_is_the_real_one_and_holds_no_secret(lines, change, line):
    said = lines(change)

    assert said.replace("result of RUN, ", "").replace("result of RUN; ", "") == (
        line or "not selected; its result of RUN is used"
    )


@pytest.mark.parametrize(
    ("before", "now", "line"),
    [
        ("{n: .nan, k: 1}", "{n: .nan, k: 2}", "made with k=1; pipeline.yaml has 2"),
        ("{n: 1}", "{n: true}", "made with n=1; pipeline.yaml has true"),
        ("{n: [1, 2]}", "{n: [true, 2]}", "made with n=[1, 2]; pipeline.yaml has [true, 2]"),
        (
            "{password: {dev: abc-123}}",
            "{password: {dev: abc-456}}",
            "made with password.dev=***; pipeline.yaml has ***",
        ),
        ("{api_key.dev: abc-123}", "{api_key.dev: abc-456}", "made with api_key.dev=***; pipeline.yaml has ***"),
        ("{n: 1}", "{}", "made with n=1; pipeline.yaml has none"),
        (
            f"{{n: {'x' * 500}1}}",
            f"{{n: {'x' * 500}2}}",
            f"made with n=...{'x' * 30}1; pipeline.yaml has ...{'x' * 30}2",
        ),
        (f"{{n: {'x' * 500}}}", "{n: y}", f"made with n={'x' * 117}...; pipeline.yaml has y"),
        ("[a, b]", "[a, c]", "made with arguments=a b; pipeline.yaml has a c"),
        ("[--names, a, b]", "[--names, a, c]", "made with --names=a b; pipeline.yaml has a c"),
        ("[--fast]", "[--slow]", "made with no --slow and --fast; pipeline.yaml has --slow and no --fast"),
        ("[--fast]", "[]", "made with --fast; pipeline.yaml has none"),
        ("[--password, -abc-123]", "[--password, -abc-456]", "made with --password=***; pipeline.yaml has ***"),
        ("[--password=abc-123]", "[--password=abc-456]", "made with --password=***; pipeline.yaml has ***"),
        ("[--env, db_password=abc-123]", "[--env, db_password=abc-456]", "made with --env=***; pipeline.yaml has ***"),
    ],
)
def test_values_that_look_alike_are_distinguished(project, before, now, line):
    text = "steps:\n  load: {script_name: load.py, SETTINGS}\n  use: {script_name: use.py}\n"

    def with_settings(settings: str) -> str:
        return text.replace("SETTINGS", f"{'arguments' if settings[0] == '[' else 'step_config'}: {settings}")

    project.pipeline(with_settings(before), load=SCRIPT, use=SCRIPT)
    first = project.run()
    project.pipeline(with_settings(now))

    assert project.run(only="use").steps[0].reason == f"result of {first.id}, {line}"


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (("load.opt={name: sgd, lr: 0.1}",), "result of RUN, made with opt.name=adam; --set has sgd"),
        (
            ("load.opt.name=sgd", "load.rows=6"),
            "result of RUN, made with rows=5 and opt.name=adam; --set has rows=6 and opt.name=sgd",
        ),
        (("load.rows=5",), "not selected; its result of RUN is used"),
    ],
)
def test_what_set_gives_as_a_whole_or_in_part_is_not_said_to_be_in_the_file(lines, settings, line):
    assert lines(settings=settings) == line


def test_the_target_of_the_earlier_run_is_named_where_settings_differ(project):
    text = "steps:\n  load: {script_name: load.py, step_config: {n: 1}}\n  use: {script_name: use.py}\n"
    project.pipeline(text.replace("n: 1", "n: 2"), load=SCRIPT, use=SCRIPT)
    first = project.run(origin=Origin(target="dev"))
    project.pipeline(text)

    run = project.run(only="use")

    assert (
        run.steps[0].reason == f"result of {first.id}, made with n=2; pipeline.yaml has 1; that run used the target dev"
    )


def test_a_result_that_is_not_reused_is_taken_and_the_reason_named(project):
    reads = "import subprocess\nopen('conf.txt').read()\nsubprocess.run(['sh', '-c', 'date +%N > conf.txt'])\n"
    here = f"import os\nos.chdir({str(project.folder)!r})\n{reads}"
    project.write({"conf.txt": "1"}).line(load=SCRIPT + here, use=SCRIPT)
    first = project.run()

    run = project.run(only="use")

    assert run.steps[0].reason == f"result of {first.id}; conf.txt changed while it last ran"
    assert str(project.forecast()[0].reason) == "conf.txt changed while it last ran"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"load.py": "def (:"}, "its files cannot be read now: load.py:1: "),
        (
            {"load.py": "import helper\n" + SCRIPT, "helper.py": "x = ="},
            "its files cannot be read now: helper.py:1: ",
        ),
    ],
)
def test_files_that_cannot_be_taken_today_are_named(project, change, line):
    project.line(load=SCRIPT, use=SCRIPT)
    first = project.run()
    project.write(change)

    assert project.run(only="use").steps[0].reason.startswith(f"result of {first.id}; {line}")


def test_many_ways_to_the_same_earlier_results_are_gone_once(project):
    steps = "  a0: {script_name: s.py}\n  b0: {script_name: s.py, input_folders: {}}\n"
    for row in range(1, 20):
        folders = f"{{--a: a{row - 1}, --b: b{row - 1}}}"
        outputs = "{--output-folder: {}}"
        for column in "ab":
            steps += f"  {column}{row}: {{script_name: s.py, input_folders: {folders}, output_folders: {outputs}}}\n"
    project.pipeline(f"steps:\n{steps}  last: {{script_name: s.py, input_folders: {{--a: a19}}}}\n", s=SCRIPT)
    first = project.run()

    assert str(project.forecast(only="last")[0].reason) == f"not selected; its result of {first.id} is used"


def test_of_many_settings_some_are_named(lines):
    change = ("rows: 5, opt: {name: adam, lr: 0.1}", "rows: 6, opt: {name: sgd, lr: 0.2}, more: 1, most: 2")

    assert lines(change) == (
        "result of RUN, made with rows=5, opt.name=adam and opt.lr=0.1 and 2 more; "
        "pipeline.yaml has rows=6, opt.name=sgd and opt.lr=0.2"
    )


def test_a_script_that_is_gone_since_is_named(lines, project):
    (project.folder / "pass_along.py").unlink()

    assert lines() == "result of RUN; its script cannot be read now"


def test_an_earlier_result_that_reads_an_older_one_is_named(lines, project):
    project.run(only="load")

    assert lines(only="last") == "result of RUN; since then output of load changed"


def test_data_that_are_gone_since_are_no_reason_to_stop(lines, project):
    (project.folder / "data.csv").unlink()

    assert lines(("rows: 5", "rows: 6")) == (
        "result of RUN, made with rows=5; pipeline.yaml has 6; dataset 'customers' not found: data.csv"
    )


def test_the_run_that_made_the_result_may_be_of_another_release_or_gone(lines, project):
    (record,) = project.folder.glob(".azml/runs/*/run.json")
    record.unlink()

    assert lines(("rows: 5", "rows: 6")) == "result of RUN, made with rows=5; pipeline.yaml has 6"


def test_secrets_are_left_out_of_what_set_was_given():
    settings = [
        *("train.lr=0.1", "train.api_key = abc", "url=https://me:pw@host/x", "train.opt={a: 1}", "train.list=[1,"),
        *("train.db={password: 12345, host: a}", "train.password.dev=abc"),
    ]

    assert shown_settings(settings) == (
        *("train.lr=0.1", "train.api_key=***", "url=***", "train.opt={a: 1}", "train.list=[1,"),
        *("train.db={password: ***, host: a}", "train.password.dev=***"),
    )
    assert Origin(changes=shown_settings(settings[:4])).set_names == {"train.lr", "train.api_key", "url", "train.opt"}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ((), "not selected; its result of RUN is used"),
        (
            (("rows: 5", "rows: 6"),),
            "result of RUN, made from load: result of RUN, made with rows=5; pipeline.yaml has 6",
        ),
        (
            (("rows: 5", "rows: 6"), ("use: {script_name: use.py}", "use: {script_name: pass_along.py}")),
            "result of RUN; since then script use.py -> pass_along.py",
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

    assert run.steps[0].reason == f"not selected; its result of {first.id} is used"

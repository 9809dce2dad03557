"""`invoke run` on this machine: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from azml_tasks.local.environments import environment_spec
from azml_tasks.reading import load_project
from tests.tasks.conftest import Answer, Invoke

SCRIPT = """\
    import argparse, json, pathlib
    from azureml.core import Run
    run = Run.get_context()
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=json.loads, default={})
    parser.add_argument("--input-folder", type=pathlib.Path)
    parser.add_argument("--output-folder", type=pathlib.Path)
    parser.add_argument("--alpha")
    args = parser.parse_args()
    total = args.config.get("add", 0)
    if args.input_folder:
        total += int((args.input_folder / "total.txt").read_text())
    folder = args.output_folder or pathlib.Path("outputs")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "total.txt").write_text(str(total))
    print("total", total, args.alpha)
    run.log("total", total)
    run.complete()
"""
PIPELINE = """\
    backend: local
    experiment_name: sums
    pipeline_parameters: {alpha: 0.5}
    steps:
      first: {script_name: add.py, step_config: {add: 1}}
      second: {script_name: add.py, step_config: {add: 10}}
      third: {script_name: add.py, step_config: {add: 100}, arguments: {--alpha: "${{ parameters.alpha }}"}}
    targets:
      big: {steps: {first: {step_config: {add: 1000}}}}
"""


@pytest.fixture
def sums(invoke: Invoke) -> Invoke:
    invoke.write("add.py", SCRIPT)
    invoke.write("pipeline.yaml", PIPELINE)
    return invoke


def comparable(out: str) -> str:
    """Return the text with what differs from run to run made the same."""
    out = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", out)
    return re.sub(r"\b(\d+ min )?\d+(\.\d+)? s\b", "TIME", out)


def rows_of(out: str) -> list[str]:
    """Return the lines with two spaces between columns, because the width of a column depends on the times in it."""
    return [re.sub(" {2,}", "  ", line) for line in comparable(out).splitlines()]


def summary(*totals: int) -> list[str]:
    """Return the last lines of a run whose steps logged these totals."""
    keys = ("first", "second", "third")
    lines = [f"  {key}: total = {total}" for key, total in zip(keys, totals, strict=False)]
    next_commands = ["details: `invoke runs.show --run RUN`", "as a page: `invoke runs.report --open --run RUN`"]
    return ["run RUN completed after TIME", *lines, *next_commands]


def test_a_run_reports_what_it_does_and_the_next_reuses_it(sums: Invoke) -> None:
    first = sums("run")
    again = sums("run")
    assert first.status == 0
    assert comparable(first.out).splitlines() == [
        "pipeline.yaml on this machine (backend local)",
        "run RUN of experiment sums: 3 steps on this machine",
        "first: started; no earlier result",
        "first: completed after TIME",
        "second: started; no earlier result",
        "second: completed after TIME",
        "third: started; no earlier result",
        "third: completed after TIME",
        *summary(1, 11, 111),
    ]
    assert comparable(again.out).splitlines() == [
        "pipeline.yaml on this machine (backend local)",
        "run RUN of experiment sums: 3 steps on this machine",
        "first: reused from RUN",
        "second: reused from RUN",
        "third: reused from RUN",
        *summary(1, 11, 111),
    ]


def test_runs_logs_prints_what_each_script_printed(sums: Invoke) -> None:
    sums("run")
    assert sums("runs.logs").out.splitlines() == [
        "--- first",
        "total 1 None",
        "--- second",
        "total 11 None",
        "--- third",
        "total 111 0.5",
    ]
    assert sums("runs.logs", "--step", "second").out == "total 11 None\n"


def test_runs_logs_reports_which_scripts_printed_nothing_and_keeps_headers_on_lines_of_their_own(
    invoke: Invoke,
) -> None:
    invoke.write("quiet.py", "")
    invoke.write("half.py", "print('no end of line', end='')")
    invoke.write("fails.py", "import sys\nsys.exit(3)\n")
    scripts = {"quiet": "quiet", "half": "half", "again": "quiet", "fails": "fails", "after": "quiet"}
    steps = "".join(f"  {key}: {{script_name: {script}.py}}\n" for key, script in scripts.items())
    invoke.write("pipeline.yaml", f"backend: local\nsteps:\n{steps}")
    invoke("run")

    assert invoke("runs.logs") == Answer(
        "--- quiet\n(no output)\n"
        "--- half\nno end of line\n"
        "--- again\n(no output)\n"
        "--- fails\n(no output)\n"
        "--- after\n(skipped)\n",
        "",
        0,
    )
    assert invoke("runs.logs", "--step", "half") == Answer("no end of line", "", 0)
    assert invoke("runs.logs", "--step", "quiet") == Answer("", "(no output)\n", 0)
    assert invoke("runs.logs", "--step", "after") == Answer("", "(skipped)\n", 0)


def test_runs_logs_tail_prints_the_last_lines_of_each_log(invoke: Invoke) -> None:
    invoke.write("counts.py", "print('one')\nprint('two')\nprint('three', end='')")
    invoke.write("pipeline.yaml", "backend: local\nsteps:\n  counts: {script_name: counts.py}\n")
    invoke("run")

    assert invoke("runs.logs", "--tail", "2") == Answer("--- counts\ntwo\nthree\n", "", 0)
    assert invoke("runs.logs", "--tail", "1", "--step", "counts") == Answer("three", "", 0)
    assert invoke("runs.logs", "--tail", "9", "--step", "counts").out == "one\ntwo\nthree"
    assert invoke("runs.logs", "--tail", "0").err == "--tail must be a whole number, 1 or more, not '0'\n"


def test_runs_logs_follow_of_a_run_that_is_over_prints_what_there_is(sums: Invoke) -> None:
    sums("run")
    sums("run")

    assert sums("runs.logs", "--follow").out.splitlines()[-1].startswith("third: reused from ")
    assert sums("runs.logs", "--follow", "--step", "second").out == "total 11 None\n"
    assert sums("runs.logs", "--follow", "--step", "fourth").status == 2


def test_runs_logs_of_a_step_that_is_not_there_is_refused_with_exit_status_2(sums: Invoke) -> None:
    sums("run")
    run = re.escape(sums("runs.list").out.split()[5])

    for step, rest in (("secnd", "; did you mean 'second'?"), ("zzz", ": it has first, second and third")):
        answer = sums("runs.logs", "--step", step)
        assert (answer.out, answer.status) == ("", 2)
        assert re.fullmatch(f"run {run} has no step '{step}'{re.escape(rest)}\n", answer.err)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--set", "second.add=20"], "total 121 0.5"),
        (["--set", "alpha=0.75"], "total 111 0.75"),
        (["--set", "first.add=2", "--set", "third.add=0"], "total 12 0.5"),
        (["--target", "big"], "total 1110 0.5"),
    ],
)
def test_a_setting_or_a_target_changes_what_the_scripts_are_given(sums: Invoke, words: list[str], line: str) -> None:
    assert sums("run", *words).status == 0
    assert sums("runs.logs", "--step", "third").out.strip() == line


def test_the_target_may_come_from_invokes_configuration(sums: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKE_AZML_TARGET", "big")
    assert sums("run").out.splitlines()[0] == "pipeline.yaml on this machine (backend local, target big)"


def test_a_failing_step_shows_its_traceback_what_was_skipped_and_how_to_go_on(sums: Invoke) -> None:
    sums.write("pipeline.yaml", PIPELINE.replace("add: 10}", "add: ten}"))
    answer = sums("run")
    assert answer.status == 1
    assert comparable(answer.err).splitlines() == [
        "step 'second' failed: exit status 1",
        "  Traceback (most recent call last):",
        '    File "add.py", line 12, in <module>',
        '      total += int((args.input_folder / "total.txt").read_text())',
        '  TypeError: can only concatenate str (not "int") to str',
        "log: .azml/runs/RUN/steps/second/log.txt",
        "skipped: third",
        "Run `invoke run` again to continue; completed steps are reused",
    ]
    sums.write("pipeline.yaml", PIPELINE)
    assert comparable(sums("run").out).splitlines()[2:4] == [
        "first: reused from RUN",
        "second: started; no earlier result",
    ]


def test_from_step_runs_it_and_what_follows_only_runs_it_alone(sums: Invoke) -> None:
    sums("run")
    from_second = [
        line for line in comparable(sums("run", "--from-step", "second").out).splitlines() if "started" not in line
    ]
    only_second = [
        line for line in comparable(sums("run", "--only", "second").out).splitlines() if "started" not in line
    ]
    assert from_second[1:] == [
        "run RUN of experiment sums: 2 steps on this machine",
        "first: not selected; its result of RUN is used",
        "second: completed after TIME",
        "third: completed after TIME",
        *summary(1, 11, 111),
    ]
    assert only_second[1:] == [
        "run RUN of experiment sums: 1 step on this machine",
        "first: not selected; its result of RUN is used",
        "second: completed after TIME",
        *summary(1, 11),
    ]


def test_a_step_whose_earlier_result_is_used_is_recorded_with_its_settings(sums: Invoke) -> None:
    sums("run", "--set", "second.add=20")
    sums("run", "--from-step", "third", "--set", "second.add=30")
    sums("run", "--only", "third")

    for run in json.loads(sums("runs.list", "--json").out)["runs"]:
        assert run["settings"]["second"] == {"add": 20}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--only", "secnd"], "the pipeline has no step 'secnd'; did you mean 'second'?"),
        (["--from-step", "zzz"], "the pipeline has no step 'zzz': it has first, second and third"),
        (["--set", "secnd.add=1"], "'secnd.add': the pipeline has no step 'secnd'; did you mean 'second'?"),
        (["--set", "zzz.add=1"], "'zzz.add': the pipeline has no step 'zzz': it has first, second and third"),
        (["--set", "second.add=x"], "'second.add' must be a whole number, not 'x'"),
        (["--only", "first", "--from-step", "first"], "use either --from-step or --only, not both"),
        (
            ["--only", "third,second"],
            "--only takes one step, not third and second; run once for each of them, or use --from-step second",
        ),
        (
            ["--only", "second,thrid"],
            "--only takes one step, not second and thrid; run once for each of them, or use --from-step second",
        ),
        (["--from-step", "second, third"], "--from-step takes one step, not second and third; use --from-step second"),
        (
            ["--experiment", "bad name/é"],
            "--experiment: 'bad name/é' is not a valid name: an experiment name has 1 to 255 letters, digits, "
            "underscores "
            "and dashes, and starts with a letter or a digit",
        ),
    ],
)
def test_flags_that_do_not_fit_the_pipeline_are_refused_with_exit_status_2(
    sums: Invoke, words: list[str], sentence: str
) -> None:
    answer = sums("run", *words)
    assert (answer.err.strip(), answer.status) == (sentence, 2)


@pytest.mark.parametrize("task", ["runs.show", "runs.logs", "runs.cancel"])
def test_a_run_that_is_not_there_or_that_several_begin_like_is_refused_with_exit_status_2(
    sums: Invoke, task: str
) -> None:
    sums("run")
    sums("run")
    second, first = [line.split()[0] for line in sums("runs.list").out.splitlines()[1:]]

    assert sums(task, "--run", "foo") == Answer("", "no run 'foo'; `invoke runs.list` lists the runs\n", 2)
    assert sums(task, "--run", "20") == Answer("", f"several runs start with '20': {second} and {first}\n", 2)


def test_a_file_that_names_no_backend_is_first_reported_where_it_runs(sums: Invoke) -> None:
    sums.write("pipeline.yaml", "ws_name: churn-ws\nresource_group: rg\nsteps: {a: {script_name: add.py}}\n")
    problems = (
        "pipeline.yaml:1: Azure needs subscription_id, which is not set in the file\n"
        "pipeline.yaml:3: step 'a' has no compute: Azure needs compute_name, in the step or at the top level\n"
        "pipeline.yaml:3: step 'a' has no environment: Azure needs env_name, in the step or at the top level\n"
    )
    default = ", the default: set `backend: local` to run on this machine"

    assert sums("run") == Answer(f"pipeline.yaml in the workspace churn-ws (backend azure{default})\n", problems, 2)
    sums.write("pipeline.yaml", "backend: azure\nresource_group: rg\nsteps: {a: {script_name: add.py}}\n")
    assert sums("run").out == "pipeline.yaml on Azure ML (backend azure)\n"
    sums.write("pipeline.yaml", "resource_group: rg\nsteps: {a: {script_name: add.py}}\ntargets: {t: {tags: {a: b}}}\n")
    assert sums("run", "--target", "t").out == f"pipeline.yaml on Azure ML (backend azure, target t{default})\n"


def test_a_step_whose_input_was_never_made_is_refused_with_exit_status_1(sums: Invoke) -> None:
    answer = sums("run", "--from-step", "third")
    assert (answer.err.strip(), answer.status) == (
        "step 'third' reads the output of 'second', but it has no earlier result: run everything with `invoke run`, "
        "or start there with `--from-step second`",
        1,
    )


def test_a_wrong_file_is_refused_with_exit_status_2_and_nothing_runs(sums: Invoke) -> None:
    sums.write("pipeline.yaml", "backend: local\nsteps:\n  a: {script_nme: add.py}\n")
    answer = sums("run")
    assert answer.status == 2
    assert answer.err == "pipeline.yaml:3: step 'a': 'script_nme' is not a key here; did you mean 'script_name'?\n"
    assert not (sums.folder / ".azml" / "runs").exists()


def test_dry_reports_what_each_step_would_do_and_runs_nothing(sums: Invoke) -> None:
    before = sums("--dry", "run")
    assert not (sums.folder / ".azml" / "runs").exists()
    assert before.out.splitlines() == [
        "pipeline.yaml on this machine (backend local)",
        "first   RUN  no earlier result",
        "second  RUN  no earlier result",
        "third   RUN  no earlier result",
    ]
    sums("run")
    assert comparable(sums("--dry", "run", "--set", "second.add=11").out).splitlines()[1:] == [
        "first   REUSE    from RUN",
        "second  RUN      add 10 -> 11",
        "third   MAY RUN  it depends on second",
    ]


def test_runs_show_prints_each_step_and_what_it_logged(sums: Invoke) -> None:
    sums("run", "--experiment", "other")
    lines = rows_of(sums("runs.show").out)
    assert lines[0] == "run RUN of experiment other: completed, TIME"
    assert re.fullmatch(r"started \d{4}-\d\d-\d\d \d\d:\d\d( by .+)? on .+", lines[1])
    assert lines[2] == "command invoke run --experiment other"
    assert re.fullmatch(r"azml-tasks [\w.]+, Python 3\.\d+\.\w+", lines[3])
    assert lines[4:] == [
        "parameter alpha = 0.5",
        "STEP  STATUS  TIME  REASON",
        "first  completed  TIME  no earlier result",
        "second  completed  TIME  no earlier result",
        "third  completed  TIME  no earlier result",
        "",
        "first",
        "  settings add=1",
        "  total = 1",
        "",
        "second",
        "  settings add=10",
        "  total = 11",
        "",
        "third",
        "  settings add=100",
        "  total = 111",
        "  file outputs/total.txt (3 B):",
        "  .azml/runs/RUN/steps/third/artifacts/outputs/total.txt",
    ]


def test_runs_show_and_the_page_name_the_run_that_a_result_is_from_without_repeating_reused(sums: Invoke) -> None:
    sums("run")
    sums("run")

    assert "first  reused  from RUN" in rows_of(sums("runs.show").out)
    assert sums("runs.report", "--to", "page.html").status == 0
    page = comparable((sums.folder / "page.html").read_text(encoding="utf-8"))
    assert "first: reused; from RUN" in page
    assert "reused from" not in page


def test_runs_show_prints_all_that_was_logged_and_whose_results_are_reused(sums: Invoke) -> None:
    sums("run")
    sums.write(
        "add.py",
        """
        from azureml.core import Run
        run = Run.get_context()
        for n in range(3):
            run.log("acc", n / 2)
            run.log_row("point", x=n, is_last=n == 2)
        """,
    )
    sums("run", "--only", "second")

    assert rows_of(sums("runs.show").out)[5:] == [
        "STEP  STATUS  TIME  REASON",
        "first  reused  result of RUN; since then add.py",
        "  changed",
        "second  completed  TIME  --only was given",
        "",
        "first",
        "  settings add=1",
        "  total = 1",
        "",
        "second",
        "  settings add=10",
        "  acc = 0.0, 0.5, 1.0",
        "  point: table, 3 rows of x and is_last",
    ]


def test_runs_show_prints_what_the_steps_logged_and_tagged_on_their_parent(sums: Invoke) -> None:
    sums.write(
        "add.py",
        """
        from azureml.core import Run
        run = Run.get_context()
        run.parent.log("accuracy", 0.75)
        run.parent.log("accuracy", 0.8)
        run.parent.tag("deploy")
        run.parent.set_tags({"best": "no", "gone": "x"})
        run.parent.tag("best", "yes")
        run.parent.remove_tags("gone")
        run.log("own", 1)
        """,
    )
    sums("run", "--only", "first")

    assert comparable(sums("runs.show").out).splitlines()[4:8] == [
        "parameter alpha = 0.5",
        "tag deploy",
        "tag best = yes",
        "metric accuracy = 0.75, 0.8",
    ]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("changes", "second", "line"),
    [
        ({}, (), "not selected; its result of RUN is used"),
        ({"add: 1}": "add: 5}"}, (), "result of RUN, made with add=1; pipeline.yaml has 5"),
        (
            {"add: 1}": "sub: 1}"},
            (),
            "result of RUN, made with no sub and add=1; pipeline.yaml has sub=1 and no add",
        ),
        (
            {},
            ("--target", "big"),
            "result of RUN, made with add=1; pipeline.yaml has 1000",
        ),
        ({}, ("--set", "first.add=7"), "result of RUN, made with add=1; --set has 7"),
        (
            {"first: {script_name: add.py": "first: {script_name: more.py"},
            (),
            "result of RUN; since then script add.py -> more.py",
        ),
    ],
)
def test_a_step_alone_names_how_the_result_that_it_builds_on_differs_from_today(
    sums: Invoke, changes: dict[str, str], second: tuple[str, ...], line: str
) -> None:
    sums("run")
    text = PIPELINE
    for before, after in changes.items():
        text = text.replace(before, after)
    sums.write("pipeline.yaml", text)
    sums.write("more.py", SCRIPT)

    dry = comparable(sums("--dry", "run", "--only", "second", *second).out)
    real = comparable(sums("run", "--only", "second", *second).out)
    shown = " ".join(comparable(sums("runs.show").out).split())

    foretold = " ".join(dry.split("  REUSE  ")[1].split("\nsecond")[0].split())
    happened = next(text for text in real.splitlines() if text.startswith("first: "))
    assert [foretold, happened.removeprefix("first: ")] == [line] * 2
    assert f"first reused {line} second" in shown


def test_a_step_alone_names_a_result_that_came_from_set_of_a_failed_run_and_of_an_older_script(sums: Invoke) -> None:
    sums.write("fail.py", "raise SystemExit(3)")
    sums.write("pipeline.yaml", PIPELINE.replace("third: {script_name: add.py", "third: {script_name: fail.py"))
    sums("run", "--set", "first.add=5", "--set", "alpha=0.7")
    sums.write("add.py", SCRIPT + "    print('older')\n")

    lines = comparable(sums("--dry", "run", "--from-step", "second").out).splitlines()

    assert " ".join(" ".join(lines[1:4]).split()) == (
        "first REUSE result of RUN, made with add=5; pipeline.yaml has 1; add came from --set; since then add.py "
        "changed; that run failed"
    )


def test_the_record_of_a_run_keeps_what_it_was_started_with_but_no_secret(sums: Invoke) -> None:
    sums.write("pipeline.yaml", PIPELINE.replace("{add: 10}", "{add: 10, api_token: hush-hush, opt: {lr: 0.1}}"))
    sums("run", "--target", "big", "--set", "second.add=11", "--set", "second.opt.lr=1e-5", "--force")

    (record,) = sums.folder.glob(".azml/runs/*/run.json")
    values = json.loads(record.read_text())

    assert {key: values[key] for key in ("settings", "target", "command", "set")} == {
        "settings": {
            "first": {"add": 1000},
            "second": {"add": 11, "api_token": "***", "opt": {"lr": 1e-5}},
            "third": {"add": 100},
        },
        "target": "big",
        "command": [
            *("invoke", "run", "--target", "big", "--set", "second.add=11", "--set", "second.opt.lr=1e-5"),
            "--force",
        ],
        "set": ["second.add=11", "second.opt.lr=1e-5"],
    }
    assert comparable(sums("runs.show").out).splitlines()[2:5] == [
        "target big",
        "command invoke run --target big --set second.add=11 --set second.opt.lr=1e-5",
        "  --force",
    ]


def test_runs_list_has_the_newest_first_and_prune_keeps_as_many_as_are_asked_for(sums: Invoke) -> None:
    for _ in range(3):
        sums("run")
    listed = [line.split()[0] for line in sums("runs.list").out.splitlines()[1:]]
    assert listed == sorted(listed, reverse=True)
    assert len(listed) == 3
    stays = f"kept {listed[2]}: its results are in use, or the next run would reuse them"
    *held, deleted, kept = sums("--dry", "runs.prune", "--keep", "1").out.splitlines()
    assert held[0].startswith(".azml holds ")
    assert (deleted.partition(" (")[0], kept) == (f"would delete {listed[1]}", stays)
    deleted, kept = sums("runs.prune", "--keep", "1").out.splitlines()
    assert (deleted.partition(" (")[0], kept) == (f"deleted {listed[1]}", stays)
    # The oldest made the results that the newest reuses, so what it left can still be looked at.
    assert [line.split()[0] for line in sums("runs.list").out.splitlines()[1:]] == [listed[0], listed[2]]
    assert sums("runs.logs", "--step", "third").out == "total 111 0.5\n"


@pytest.mark.parametrize(
    ("keep", "answer"),
    [
        ("0", "kept RUN: its results are in use, or the next run would reuse them\n"),
        ("1", "nothing to delete: the newest run is kept\n"),
        ("2", "nothing to delete: the newest 2 runs are kept\n"),
    ],
)
def test_prune_reports_why_there_is_nothing_to_clear(sums: Invoke, keep: str, answer: str) -> None:
    assert sums("runs.prune", "--keep", "0").out == "nothing to delete: no runs yet\n"
    sums("run")
    assert comparable(sums("runs.prune", "--keep", keep).out) == answer


def test_runs_list_shows_one_experiment_alone_and_reports_when_there_are_more(sums: Invoke) -> None:
    for experiment in ("one", "two", "one", "one"):
        sums("run", "--experiment", experiment)

    assert [line.split()[-1] for line in sums("runs.list", "--experiment", "one").out.splitlines()[1:]] == ["one"] * 3
    shown = sums("runs.list", "--experiment", "one", "--most", "2").out.splitlines()
    assert [line.split()[-1] for line in shown[1:3]] == ["one"] * 2
    assert shown[3:] == ["older runs are not shown; use `--most 4` to see more"]
    assert sums("runs.list", "--experiment", "three") == Answer(
        "", "no runs in the experiment 'three' yet; start one with `invoke run`\n", 1
    )


def test_local_runs_are_shown_despite_a_mistake_in_the_file(sums: Invoke) -> None:
    sums("run")
    sums.write("pipeline.yaml", PIPELINE.replace("script_name: add.py", "script_nam: add.py"))

    assert sums("runs.logs", "--step", "second").out == "total 11 None\n"
    for words in (["runs.list"], ["runs.show"], ["runs.prune"]):
        assert sums(*words).status == 0, words


@pytest.mark.thorough
def test_whoever_reads_along_may_leave(sums: Invoke) -> None:
    sums("run")
    sums.write("tasks.py", "from azml_tasks.tasks import namespace\n")
    for unbuffered in ("", "1"):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-m", "invoke", "runs.logs"],
            stdout=writer,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            check=False,
        )
        os.close(writer)
        assert (done.stderr, done.returncode) == (b"", 1)


@pytest.mark.parametrize("task", ["register", "register-csv"])
def test_an_upload_has_no_meaning_here(sums: Invoke, task: str) -> None:
    assert sums(task, "--upload").out == (
        "note: --upload is ignored with the backend local, because local runs read each dataset's local_path\n"
        "nothing to register in pipeline.yaml\n"
    )


def test_a_file_that_declares_nothing_to_register_is_reported(sums: Invoke) -> None:
    assert sums("register-csv").out == "nothing to register in pipeline.yaml\n"


def test_the_editors_schema_lies_beside_the_runs(sums: Invoke) -> None:
    sums("run")
    schema = json.loads((sums.folder / ".azml" / "pipeline.schema.json").read_text())
    assert schema["properties"]["targets"]["description"].startswith("NAME: keys")


@pytest.mark.parametrize("task", ["runs.list", "runs.show", "runs.logs"])
def test_a_project_without_runs_reports_it(sums: Invoke, task: str) -> None:
    answer = sums(task)
    assert (answer.err.strip(), answer.status) == ("no runs yet; start one with `invoke run`", 1)


@pytest.mark.parametrize("words", [["run"], ["--dry", "run"], ["run", "--only", "train"], ["validate"], ["export-v2"]])
def test_a_missing_script_is_named_with_its_line(invoke: Invoke, words: list[str]):
    invoke.write("steps/prepare.py", "")
    invoke.write(
        "pipeline.yaml",
        """\
        backend: local
        compute_name: cpu
        env_name: e
        steps:
          prepare: {script_name: prepare.py, script_directory: steps, output_folders: []}
          train:
            script_directory: steps
            script_name: trian.py
        """,
    )
    invoke.write("steps/train.py", "")

    answer = invoke(*words)

    assert (answer.err, answer.status) == (
        "pipeline.yaml:8: step 'train': steps/trian.py: the script does not exist; did you mean 'train.py'?\n",
        2,
    )


def test_only_of_a_step_whose_predecessor_has_not_written_its_output_yet(invoke: Invoke):
    invoke.write("a.py", "")
    file = invoke.write("pipeline.yaml", "backend: local\nsteps:\n  a: {script_name: a.py}\n")
    assert invoke("run").status == 0
    (run,) = (path.name for path in (invoke.folder / ".azml/runs").iterdir())
    file.write_text(file.read_text() + "  b: {script_name: a.py}\n")

    for words in (["run", "--only", "b"], ["--dry", "run", "--only", "b"]):
        answer = invoke(*words)
        assert (answer.err, answer.status) == (
            f"step 'b' reads --output-folder of 'a', which is not in its result of {run}: run 'a' again first; run "
            "everything with `invoke run`, or start there with `--from-step a`\n",
            2,
        )


TWO = """\
backend: local
pipeline_parameters: {alpha: 1, unused: 2}
steps:
  a: {script_name: x.py, step_config: {n: 1}, output_folders: [], arguments: {--alpha: "${{ parameters.alpha }}"}}
  b: {script_name: x.py, step_config: {n: 1}, input_folders: {}, output_folders: [], run_after: [a]}
targets:
  cloud: {backend: azure, ws_name: churn-ws}
"""


def test_a_setting_that_has_no_effect_on_what_runs_is_a_note(invoke: Invoke):
    invoke.write("x.py", "print('done')\n")
    invoke.write("pipeline.yaml", TWO)
    invoke("run")

    def notes(*words: str) -> list[str]:
        both = [
            [line for line in invoke(*first, "run", *words).out.splitlines() if line.startswith("note: --set")]
            for first in (("--dry",), ())
        ]
        assert both[0] == both[1]
        return [line.removeprefix("note: --set ") for line in both[0]]

    assert notes("--only", "b", "--set", "a.n=2") == ["a.n has no effect: step a does not run with --only b"]
    assert notes("--only", "b", "--set", "alpha=2") == ["alpha has no effect: step a does not run with --only b"]
    assert notes("--only", "b", "--set", "unused=3") == ["unused has no effect: no step uses it"]
    assert notes("--from-step", "b", "--set", "a.n=2") == ["a.n has no effect: step a does not run with --from-step b"]
    assert notes("--only", "b", "--set", "b.n=2") == []
    assert notes("--from-step", "a", "--set", "b.n=2", "--set", "alpha=5") == []
    assert notes("--set", "a.n=2") == []


def test_prune_has_a_target_like_the_other_tasks_of_runs(invoke: Invoke):
    invoke.write("x.py", "print('done')\n")
    invoke.write("pipeline.yaml", TWO)
    invoke("run")

    assert invoke("runs.prune", "--target", "cloud") == Answer("", "runs can only be deleted on this machine\n", 2)
    assert invoke("runs.prune", "--keep", "0").status == 0


def test_the_name_of_an_experiment_may_not_be_a_secret(sums: Invoke) -> None:
    (sums.folder / ".env").write_text("SERVICE_TOKEN=s3cr3tv4lue99xyz\n")

    answer = sums("run", "--experiment", "my-s3cr3tv4lue99xyz")

    assert (answer.err, answer.status) == (
        "--experiment: the name looks like a secret (the value of SERVICE_TOKEN) and would be stored with the run\n",
        2,
    )
    assert not list(sums.folder.glob(".azml/runs/*"))


def notes_in(text: str) -> list[str]:
    """Return the lines with notes."""
    return [line for line in text.splitlines() if "note: " in line]


def note_on_sales(invoke: Invoke, stores: str, selected: str = "") -> str:
    """Return the note on the data of the first of two steps, which prints what is `selected` of its table.

    `stores` is the data of the other.
    """
    reads = "from azureml.core import Run\nprint(Run.get_context().input_datasets['{0}'].to_pandas_dataframe(){1})\n"
    invoke.write("first.py", reads.format("sales", selected))
    invoke.write("other.py", reads.format("stores", ""))
    invoke.write("sales.csv", "price;amount\n1;2\n")
    invoke.write("stores.csv", stores)
    invoke.write(
        "pipeline.yaml",
        """\
        backend: local
        steps:
          first: {script_name: first.py, input_datasets: {--sales: sales}}
          other: {script_name: other.py, input_datasets: {--stores: stores}}
        datasets:
          sales: {local_path: sales.csv}
          stores: {local_path: stores.csv}
        """,
    )
    return "dataset 'sales': sales.csv:1: only one column; should the dataset have `separator: \";\"`?"


def test_a_failed_step_is_followed_by_the_notes_on_its_data_alone(invoke: Invoke) -> None:
    note = "pipeline.yaml:6: note: " + note_on_sales(invoke, "city;size\nLyon;2\n", selected="['price']")

    failed = invoke("run")

    assert failed.status == 1
    assert notes_in(failed.err) == [note]
    assert note in invoke("validate").out


def test_a_completed_run_ends_with_the_notes_on_the_data_that_was_read(invoke: Invoke) -> None:
    note = "note: pipeline.yaml:6: " + note_on_sales(invoke, "city,size\nLyon,2\n")

    ran, again = invoke("run"), invoke("run")

    assert (ran.status, again.status) == (0, 0)
    assert ran.out.splitlines()[-1] == note
    assert [ran.out.count("note:"), again.out.count("note:")] == [1, 0]


READS_EPOCHS = """\
    import argparse, json, os
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=json.loads, default={})
    args, _ = parser.parse_known_args()
    print(args.config.get("epochs", 1) / int(os.environ["COUNT"]))
"""
SETS_EPOCH = """\
    backend: local
    experiment_name: tries
    steps:
      train: {script_name: train.py, step_config: {epoch: 3}}
      later: {script_name: train.py, step_config: {epoch: 3}}
"""


def test_settings_that_scripts_do_not_read_are_noted_before_the_steps_start(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNT", "1")
    invoke.write("train.py", READS_EPOCHS)
    invoke.write("pipeline.yaml", SETS_EPOCH)
    note = (
        "note: pipeline.yaml:{}: step '{}' sets 'epoch' in step_config, but train.py reads 'epochs' (train.py:5); "
        "did you mean 'epochs'?"
    )

    planned = invoke("plan")
    ran, again, changed = invoke("run"), invoke("run"), invoke("run", "--set", "later.epoch=4")

    assert [" ".join(planned.out.split()).count(note.format(*one)) for one in ((4, "train"), (5, "later"))] == [1, 1]
    assert comparable(ran.out).splitlines()[:5] == [
        "pipeline.yaml on this machine (backend local)",
        "run RUN of experiment tries: 2 steps on this machine",
        note.format(4, "train"),
        note.format(5, "later"),
        "train: started; no earlier result",
    ]
    assert (ran.status, ran.out.count("note: ")) == (0, 2)
    assert notes_in(again.out) == []
    assert notes_in(changed.out) == [note.format(5, "later")]
    assert [line.replace("note: ", "", 1) for line in notes_in(ran.out)] == [
        line.replace("note: ", "", 1) for line in notes_in(invoke("validate").out)
    ]


def test_a_setting_with_the_name_of_a_secret_is_noted_before_it_is_stored(invoke: Invoke) -> None:
    invoke.write("train.py", "import sys\nprint(sys.argv)\n")
    invoke.write(
        "pipeline.yaml", "backend: local\nsteps:\n  train: {script_name: train, step_config: {password: hush-1}}\n"
    )

    ran, again = invoke("run"), invoke("run")

    assert notes_in(ran.out) == [
        "note: pipeline.yaml:3: step 'train': step_config.password looks like a secret and would be stored with each "
        'run; keep it in .env and in the workspace\'s key vault, and read it in the script with run.get_secret("NAME")'
    ]
    assert (ran.status, notes_in(again.out)) == (0, [])


def test_a_run_shows_at_most_a_dozen_notes_on_settings(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNT", "1")
    invoke.write("train.py", READS_EPOCHS)
    steps = (f"  s{one}: {{script_name: train.py, step_config: {{epoch: 3}}}}" for one in range(13))
    invoke.write("pipeline.yaml", "\n".join(["backend: local", "steps:", *steps]))

    notes = notes_in(invoke("run").out)

    assert len(notes) == 12
    assert notes[10:] == [
        "note: pipeline.yaml:13: step 's10' sets 'epoch' in step_config, but train.py reads 'epochs' (train.py:5); "
        "did you mean 'epochs'?",
        "note: 2 more notes like these: see `invoke validate`",
    ]


def test_a_failed_step_is_followed_by_the_notes_on_its_settings(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke.write("train.py", READS_EPOCHS)
    invoke.write("pipeline.yaml", SETS_EPOCH)
    noted = notes_in(invoke("validate").out)

    monkeypatch.setenv("COUNT", "0")
    failed = invoke("run")
    monkeypatch.setenv("COUNT", "1")
    completed = invoke("run")
    monkeypatch.setenv("COUNT", "0")
    failed_again = invoke("run")

    assert [len(notes_in(ran.out)) for ran in (failed, completed, failed_again)] == [2, 2, 0]
    assert [notes_in(ran.err) for ran in (failed, completed, failed_again)] == [noted[:1], [], noted[:1]]


def test_what_a_local_run_allows_and_azure_does_not_is_noted_once_at_the_end(invoke: Invoke) -> None:
    invoke.write(
        "save.py",
        """\
        import os
        from pathlib import Path
        from azureml.core import Run

        run = Run.get_context()
        Path("outputs").mkdir(exist_ok=True)
        Path("outputs/model.txt").write_text("1")
        run.register_model("churn", "outputs/model.txt")
        run.register_model("churn", "outputs/model.txt")
        if os.environ.get("GIVES_UP"):
            run.fail("the password is wormwood-tea-9")
        """,
    )
    invoke.write(
        "pipeline.yaml",
        """\
        backend: local
        steps:
          a: {script_name: save.py}
          b: {script_name: save.py, input_folders: {}, environment_variables: {GIVES_UP: "1"}}
        """,
    )
    invoke.write(".env", "MY_PASSWORD=wormwood-tea-9\n")

    ran = invoke("run").out.splitlines()

    assert [line for line in ran if line.startswith("note: ")] == [
        "note: a and b: run.register_model('churn'): outputs/model.txt is not uploaded yet, and Azure ML only finds "
        "uploaded files (ModelPathNotFoundException); first call run.upload_file('outputs/model.txt', "
        "'outputs/model.txt')",
        "note: b: run.fail() does not make the step fail: the password is ***; end the script with an error, too",
    ]
    assert [line for line in invoke("run").out.splitlines() if line.startswith("note: ")] == []


def test_packages_that_are_not_installed_are_noted_before_the_steps_start(invoke: Invoke) -> None:
    invoke.write("load.py", "import json\n")
    invoke.write("train.py", "from of_no_package import svm\n")
    listed = "environments: {e: {pip_packages: [of-no-package]}}"
    invoke.write(
        "pipeline.yaml",
        f"""\
        backend: local
        experiment_name: tries
        env_name: e
        {listed}
        steps:
          load: {{script_name: load.py}}
          train: {{script_name: train.py}}
          test: {{script_name: train.py}}
        """,
    )
    note = (
        "note: pipeline.yaml:7: step 'train' imports of_no_package (train.py:1), which is not installed here; run `pip "
        "install of-no-package`, or `invoke register-env` to install it in a virtual environment"
    )

    planned, ran, checked = invoke("plan"), invoke("run"), invoke("validate", "--strict")

    assert " ".join(planned.out.split()).count(note) == 1
    assert comparable(ran.out).splitlines()[:4] == [
        "pipeline.yaml on this machine (backend local)",
        "run RUN of experiment tries: 3 steps on this machine",
        note,
        "load: started; no earlier result",
    ]
    assert (ran.status, notes_in(ran.out)) == (1, [note])
    # Where a file is checked, its packages need not be installed.
    noted = note.replace("note: pipeline.yaml:7:", "pipeline.yaml:7: note:")
    assert (checked.status, notes_in(checked.out)) == (0, [noted])

    make_environment(invoke, "e")
    assert [notes_in(invoke(*words).out) for words in (["validate"], ["plan"])] == [[], []]


def make_environment(invoke: Invoke, name: str) -> None:
    """Make what a run takes for the virtual environment of an environment; nothing can run in it."""
    plan = load_project(invoke.folder / "pipeline.yaml").plan
    mark = {"version": 2, "digest": environment_spec(plan, name, invoke.folder).digest, "python": "3.99.1"}
    invoke.write(f".azml/envs/{name}/azml-environment.json", json.dumps({**mark, "folder": "x"}))
    invoke.write(f".azml/envs/{name}/x/bin/python", "")

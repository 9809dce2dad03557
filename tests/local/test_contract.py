"""What a step is given: its arguments, its folders, its files, its run."""

from __future__ import annotations

import json
import os

import pytest

from tests.local.conftest import BEGINNING, PASS_ALONG, linux


def test_three_steps_in_a_line_each_read_exactly_their_predecessors_folder(project):
    run = project.line(one=PASS_ALONG, two=PASS_ALONG, three=PASS_ALONG).run()

    assert run.status == "completed"
    assert [project.log(run, step) for step in ("one", "two", "three")] == [
        "read: \n",
        "read: one \n",
        "read: one two \n",
    ]
    folders = {step: str(run[step].places.output(f"{step}_output_folder")) for step in ("one", "two")}
    assert [step.argv for step in run.steps] == [
        ("one.py", "--output-folder", folders["one"]),
        ("two.py", "--input-folder", folders["one"], "--output-folder", folders["two"]),
        ("three.py", "--input-folder", folders["two"]),
    ]


def test_the_arguments_of_a_step_in_their_order(project):
    project.write({"data/customers.csv": "a\n1\n", "logs/x.log": ""})
    project.pipeline(
        """
        pipeline_parameters: {alpha: 0.5, beta: 2}
        datasets:
          customers: {local_path: data/customers.csv}
          raw: {local_path: logs, type: file, mode: mount}
        steps:
          first: {script_name: echo.py}
          second:
            script_name: echo.py
            step_config: {lr: 2e-5, name: "é"}
            input_datasets: {--new-data: customers, --raw: raw}
            arguments: {--alpha: "${{ parameters.alpha }}", --beta: "${{ parameters.beta }}", --text: a b}
          third:
            script_name: echo.py
            arguments: [--flag, -v, x, 3]
        """,
        echo="import json, sys\nprint(json.dumps(sys.argv))",
    )

    run = project.run(parameters={"beta": 7})

    argv = {step: json.loads(project.log(run, step)) for step in ("first", "second", "third")}
    customers = argv["second"][4]
    outputs = {step: str(run[step].places.output(f"{step}_output_folder")) for step in ("first", "second")}
    assert len(customers) == 36
    assert argv == {
        "first": ["echo.py", "--output-folder", outputs["first"]],
        "second": [
            "echo.py",
            *("--config", '{"lr": 2e-05, "name": "\\u00e9"}'),
            *("--new-data", customers, "--raw", str(project.folder / "logs")),
            *("--input-folder", outputs["first"], "--output-folder", outputs["second"]),
            *("--alpha", "0.5", "--beta", "7", "--text", "a b"),
        ],
        "third": ["echo.py", "--input-folder", outputs["second"], "--flag", "-v", "x", "3"],
    }


def test_values_that_look_like_options_reach_every_kind_of_script(project):
    project.pipeline(
        """
        pipeline_parameters: {low: -2e-5}
        steps:
          parsed:
            script_name: parsed.py
            arguments:
              --shift: -0.00001
              --scale: -1E-5
              --least: -.inf
              --low: ${{ parameters.low }}
              --note: -x
              -n: --y z
          listed: {script_name: parsed.py, arguments: [--shift, -1e-5, --least, -.inf], input_folders: {}}
          by_hand: {script_name: by_hand.py, arguments: {--note: "-x", --low: -1e-5}, input_folders: {}}
        """,
        parsed="""
            import argparse
            parser = argparse.ArgumentParser()
            for option, kind in (("--shift", float), ("--scale", float), ("--least", float), ("--low", float)):
                parser.add_argument(option, type=kind)
            for options in (["--note"], ["-n", "--name"], ["--output-folder"]):
                parser.add_argument(*options)
            given = vars(parser.parse_args())
            del given["output_folder"]
            print(given)
        """,
        by_hand="""
            import sys
            print(sys.argv[sys.argv.index("--note") + 1], sys.argv[sys.argv.index("--low") + 1])
        """,
    )

    run = project.run(parameters=None)

    assert {step.key: project.log(run, step.key) for step in run.steps} == {
        "parsed": "{'shift': -1e-05, 'scale': -1e-05, 'least': -inf, 'low': -2e-05, 'note': '-x', 'name': '--y z'}\n",
        "listed": "{'shift': -1e-05, 'scale': None, 'least': -inf, 'low': None, 'note': None, 'name': None}\n",
        "by_hand": "-x -0.00001\n",
    }


def test_fan_out_and_fan_in_with_several_outputs(project):
    write = """
        import sys
        for flag, folder in zip(sys.argv[1::2], sys.argv[2::2]):
            open(folder + "/which", "w").write(sys.argv[0] + flag)
    """
    read = """
        import sys
        for flag, folder in zip(sys.argv[1::2], sys.argv[2::2]):
            print(flag, open(folder + "/which").read())
    """
    project.pipeline(
        """
        steps:
          split: {script_name: split.py, output_folders: [--train-folder, --test-folder]}
          left: {script_name: left.py, input_folders: {}, run_after: [split]}
          right: {script_name: right.py, input_folders: {}}
          join:
            script_name: join.py
            input_folders: {--a: left, --b: right, --c: split/--test-folder}
            output_folders: []
        """,
        split=write,
        left=write,
        right=write,
        join=read,
    )

    run = project.run()

    assert project.log(run, "join") == (
        "--a left.py--output-folder\n--b right.py--output-folder\n--c split.py--test-folder\n"
    )


def test_a_table_goes_from_step_to_step_as_a_named_input(project):
    project.pipeline(
        """
        steps:
          merge: {script_name: merge.py}
          train:
            script_name: train.py
            input_folders: {}
            input_datasets: {merged: {step: merge, format: delimited}}
        """,
        merge=BEGINNING + "(args.output_folder / 'part.csv').write_text('a,b\\n1,x\\n2,y\\n')",
        train=BEGINNING + "print(run.input_datasets['merged'].to_pandas_dataframe().to_csv(index=False))",
    )

    run = project.run()

    assert run.status == "completed", run["train"].detail
    assert project.log(run, "train") == "a,b\n1,x\n2,y\n\n"


def test_a_step_reads_its_dataset_by_name(project):
    project.write({"data/customers.csv": "a,b\n10,x\n"})
    project.pipeline(
        """
        datasets: {customers: {local_path: data/customers.csv}}
        steps: {train: {script_name: train.py, input_datasets: {--data: customers}}}
        """,
        train=BEGINNING + "print(run.input_datasets['customers'].to_pandas_dataframe().to_dict('records'))",
    )

    assert project.log(project.run(), "train") == "[{'a': 10, 'b': 'x'}]\n"


def test_the_working_directory_is_a_staged_copy_of_the_snapshot_and_first_on_the_import_path(project):
    project.write(
        {
            "steps/sibling.py": "name = 'sibling'",
            "steps/unused.py": "",
            "shared/tables.py": "name = 'tables'",
            "steps/params.json": "{}",
            "steps/train.py": """
                import os, sys, sibling
                from shared import tables
                print(sorted(os.listdir()), sibling.name, tables.name)
                print(os.path.samefile(sys.path[0], os.getcwd()), __file__ == os.path.abspath("train.py"))
                open("params.json", "w").write("changed")
            """,
        }
    )
    project.pipeline("steps: {a: {script_name: train.py, script_directory: steps, include: [params.json]}}")

    run = project.run()

    logged = project.log(run, "a").replace("'__pycache__', ", "")
    assert (
        logged == "['logs', 'outputs', 'params.json', 'shared', 'sibling.py', 'train.py'] sibling tables\nTrue True\n"
    )
    assert (project.folder / "steps/params.json").read_text() == "{}"


def test_what_an_editable_install_or_python_path_takes_from_the_project_comes_from_the_snapshot(
    project, way, monkeypatch
):
    project.write(
        {
            "src/churnlib/__init__.py": "x = 1",
            "steps/a.py": "import churnlib, os\nprint(os.path.relpath(churnlib.__file__), churnlib.x)",
        }
    )
    project.pipeline("steps: {a: {script_name: steps/a.py}}")
    monkeypatch.setenv("PYTHONPATH", str(project.folder / "src"))

    run = project.run(**way)
    assert run.status == "completed", run["a"].detail
    assert project.log(run, "a") == "churnlib/__init__.py 1\n"

    project.write({"src/churnlib/__init__.py": "x = 2"})
    run = project.run(**way)
    assert run["a"].reason == "src/churnlib/__init__.py changed"
    assert project.log(run, "a") == "churnlib/__init__.py 2\n"


@pytest.mark.parametrize("folder", ["plain", pytest.param(f"a{os.pathsep}b", marks=linux)])
def test_a_script_in_a_subfolder_finds_its_neighbours_and_the_root(project, way, tmp_path, folder):
    project.folder = project.folder.rename(tmp_path / folder)
    project.write(
        {
            "code/training/main.py": "import near, far, os, sys\nprint(near.x, far.x, os.listdir(), sys.argv)",
            "code/training/near.py": "x = 1",
            "code/far.py": "x = 2",
        }
    )
    project.pipeline("steps: {a: {script_name: training/main.py, script_directory: code}}")

    run = project.run(**way)

    assert run.status == "completed", run["a"].detail
    assert project.log(run, "a").startswith("1 2 [")


def test_what_the_script_logs_and_writes_under_outputs_and_logs_belongs_to_its_run(project):
    run = project.line(
        train=BEGINNING
        + """
run.log("accuracy", 0.5)
run.log("accuracy", 0.75)
for folder in ("outputs/deep", "logs", "elsewhere"):
    os.makedirs(folder, exist_ok=True)
    pathlib.Path(folder, "file").write_text(folder)
"""
    ).run()

    step = run["train"]
    assert [(metric["name"], metric["value"]) for metric in step.metrics()] == [("accuracy", 0.5), ("accuracy", 0.75)]
    files = sorted(str(path.relative_to(step.places.artifacts)) for path in step.places.artifacts.rglob("file"))
    assert files == ["logs/file", "outputs/deep/file"]
    assert not step.places.work.exists()


def test_variables_of_the_file_reach_the_step_and_secrets_do_not(project, monkeypatch):
    for name in ("CHURN_STORAGE", "AZURE_CLIENT_SECRET", "DB_PASSWORD", "ORDINARY", "DOTENV", "EXPORTED"):
        monkeypatch.setenv(name, f"value of {name}")
    monkeypatch.setenv("PYTHONPATH", str(project.folder / "hidden"))
    names = [
        "CHURN_STORAGE",
        "AZURE_CLIENT_SECRET",
        "DB_PASSWORD",
        "ORDINARY",
        "FROM_ENV",
        "FROM_STEP",
        "DOTENV",
        "EXPORTED",
    ]
    project.write({".env": "# A=1\nDOTENV=1\nexport EXPORTED = 2\nPATH=/nowhere\n", "hidden/found.py": ""})
    project.pipeline(
        """
        env_name: e
        environments: {e: {environment_variables: {FROM_ENV: "1", FROM_STEP: "1"}}}
        datastores: {s: {container_name: raw, account_name: churnstore, account_key: "${CHURN_STORAGE}"}}
        steps: {a: {script_name: a.py, environment_variables: {FROM_STEP: "2"}}}
        """,
        a=f"""
            import importlib.util, os
            print([os.environ.get(name) for name in {names}])
            print(importlib.util.find_spec("found"), os.environ["PYTHONUNBUFFERED"])
        """,
    )

    run = project.run()

    assert project.log(run, "a") == ("[None, None, None, 'value of ORDINARY', '1', '2', None, None]\nNone 1\n")


def test_a_step_that_requests_a_secret_by_name_gets_that_one_alone(project, monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", "open sesame")
    monkeypatch.setenv("OTHER_PASSWORD", "another")
    project.line(
        a=BEGINNING + "print(len(run.get_secret('db-password')), 'OTHER_' + 'PASSWORD' in os.environ)",
        b="import os\nprint('DB_' + 'PASSWORD' in os.environ)",
    )

    run = project.run()

    assert [project.log(run, step) for step in "ab"] == ["11 False\n", "False\n"]
    for file in run.places.root.rglob("*"):
        assert not file.is_file() or b"open sesame" not in file.read_bytes()


def test_two_steps_draw_different_random_numbers(project):
    draw = "import random\nprint(random.random())"
    run = project.line(a=draw, b=draw).run()

    assert project.log(run, "a") != project.log(run, "b")


def test_outputs_and_logs_are_there_when_a_script_starts_and_empty_ones_leave_nothing(project):
    project.line(
        a="open('outputs/model', 'w').close()",
        b="import os; print(os.listdir('outputs'), os.listdir('logs'))",
        c="import os; os.rmdir('outputs'); open('outputs', 'w').close()",
        d="raise SystemExit(1)",
    )

    run = project.run()

    assert project.statuses(run) == {"a": "completed", "b": "completed", "c": "completed", "d": "failed"}
    assert project.log(run, "b") == "[] []\n"
    artifacts = {step.key: step.places.artifacts for step in run.steps}
    assert [path.name for path in sorted(artifacts["a"].rglob("*"))] == ["outputs", "model"]
    assert [key for key, folder in artifacts.items() if folder.exists()] == ["a"]
    assert project.statuses(project.run()) == {"a": "reused", "b": "reused", "c": "reused", "d": "failed"}


def test_a_snapshot_may_have_files_under_outputs_or_a_file_of_that_name(project):
    project.write({"one/outputs/vocabulary.txt": "a b", "two/logs": "a file"})
    project.pipeline(
        """
        steps:
          one: {script_name: one.py, script_directory: one, include: [outputs/vocabulary.txt]}
          two: {script_name: two.py, script_directory: two, include: [logs]}
        """
    )
    project.write(
        {
            "one/one.py": "print(open('outputs/vocabulary.txt').read()); open('outputs/model', 'w').close()",
            "two/two.py": "import os; print(open('logs').read(), os.path.isdir('outputs'))",
        }
    )

    run = project.run()

    assert (project.log(run, "one"), project.log(run, "two")) == ("a b\n", "a file True\n")
    assert sorted(path.name for path in run["one"].places.artifacts.glob("*/*")) == ["model", "vocabulary.txt"]
    assert project.statuses(project.run()) == {"one": "reused", "two": "reused"}

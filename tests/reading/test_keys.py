"""Every key of the file: what is wrong with it is said in its line, once, with what would be right."""

from __future__ import annotations

import pytest

STEPS = "steps: {a: {script_name: a.py}}\n"
STEPS_WANTED = "steps: expected a mapping such as {prepare: {script_name: prepare.py}}"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "steps:\n",
            [f"pipeline.yaml:1: {STEPS_WANTED}, found nothing"],
        ),
        (
            "steps: []\n",
            [f"pipeline.yaml:1: {STEPS_WANTED}, found a list"],
        ),
        ("steps: {}\n", ["pipeline.yaml:1: steps: expected at least one, found none"]),
        (
            "steps: a.py\n",
            [f"pipeline.yaml:1: {STEPS_WANTED}, found 'a.py'"],
        ),
        ("backend: local\n", ["pipeline.yaml:1: the file has no steps"]),
        ("step: {a: {script_name: a.py}}\n", ["pipeline.yaml:1: 'step' is not a key here; did you mean 'steps'?"]),
        ("Steps: {a: {script_name: a.py}}\n", ["pipeline.yaml:1: 'Steps' is not a key here; did you mean 'steps'?"]),
        (
            STEPS + "target: {dev: {}}\n",
            ["pipeline.yaml:2: 'target' is not a key here; did you mean 'targets'?"],
        ),
        (STEPS + "zzz: 1\n", ["pipeline.yaml:2: 'zzz' is not a key here"]),
        (STEPS + f"{'x' * 400}: 1\n", [f"pipeline.yaml:2: '{'x' * 400}' is not a key here"]),
        (
            STEPS + "backend: locale\n",
            ["pipeline.yaml:2: backend: expected 'local', 'azure' or 'azure-v2', found 'locale'"],
        ),
        (STEPS + "backend:\n", ["pipeline.yaml:2: backend: expected 'local', 'azure' or 'azure-v2', found nothing"]),
        (
            STEPS + "subscription_id: 123\n",
            ["pipeline.yaml:2: subscription_id: expected text, found 123; put it in quotes"],
        ),
        (
            STEPS + "continue_on_step_failure: yes\n",
            ["pipeline.yaml:2: continue_on_step_failure: expected true or false, found 'yes'"],
        ),
        (STEPS + "tags: [a]\n", ["pipeline.yaml:2: tags: expected a mapping, found a list"]),
        (
            STEPS + "tags:\n  a: 1\n  b: true\n  c:\n  d: 1.5\n",
            [
                "pipeline.yaml:3: tags.a: expected text, found 1; put it in quotes",
                "pipeline.yaml:4: tags.b: expected text, found true; put it in quotes",
                "pipeline.yaml:5: tags.c: expected text, found nothing",
                "pipeline.yaml:6: tags.d: expected text, found 1.5; put it in quotes",
            ],
        ),
        (
            STEPS + "pipeline_parameters:\n  a: [1]\n  b: {c: 1}\n  d: {}\n  e:\n",
            [
                "pipeline.yaml:3: pipeline_parameters.a: expected a single value, found a list",
                "pipeline.yaml:4: pipeline_parameters.b: expected a single value, found a mapping",
                "pipeline.yaml:5: pipeline_parameters.d: expected a single value, found an empty mapping",
                "pipeline.yaml:6: pipeline_parameters.e: expected a single value, found nothing",
            ],
        ),
        (
            STEPS + "publish: churn\n",
            ["pipeline.yaml:2: publish: expected a mapping such as {name: churn}, found 'churn'"],
        ),
        (STEPS + "publish: {}\n", ["pipeline.yaml:2: publish has no name"]),
        (STEPS + "publish: {name: ''}\n", ["pipeline.yaml:2: publish.name: expected some text, found ''"]),
        (
            STEPS + "publish: {nmae: churn}\n",
            ["pipeline.yaml:2: 'nmae' is not a key of publish; did you mean 'name'?"],
        ),
        (STEPS + "auth:\n", ["pipeline.yaml:2: auth: expected a mapping, found nothing"]),
        (STEPS + "auth: []\n", ["pipeline.yaml:2: auth: expected a mapping, found a list"]),
        (
            STEPS + "auth: az\n",
            [
                "pipeline.yaml:2: auth: expected 'automatic', 'service_principal', 'cli', 'managed_identity' or "
                "'interactive', found 'az'"
            ],
        ),
        (
            STEPS + "auth: {method: az}\n",
            [
                "pipeline.yaml:2: auth.method: expected 'automatic', 'service_principal', 'cli', 'managed_identity' "
                "or 'interactive', found 'az'"
            ],
        ),
        (
            STEPS + "schedule: daily\n",
            ["pipeline.yaml:2: schedule: expected a mapping such as {frequency: Week, interval: 2}, found 'daily'"],
        ),
        (
            STEPS + "schedule:\n  frequency: week\n",
            ["pipeline.yaml:3: frequency must be Minute, Hour, Day, Week or Month, not 'week'; did you mean 'Week'?"],
        ),
        (
            STEPS + "schedule: {}\n",
            ["pipeline.yaml:2: a schedule needs a frequency (Minute, Hour, Day, Week or Month) or on_blob_change"],
        ),
        (
            STEPS + "schedule: {on_blob_change: {}}\n",
            ["pipeline.yaml:2: schedule.on_blob_change has no datastore_name"],
        ),
    ],
)
def test_keys_of_the_pipeline(problems, text, lines):
    assert problems(text) == lines


@pytest.mark.parametrize(
    ("step", "line"),
    [
        ("", "pipeline.yaml:2: step 'a': expected a mapping such as {script_name: prepare.py}, found nothing"),
        (" a.py", "pipeline.yaml:2: step 'a': expected a mapping such as {script_name: prepare.py}, found 'a.py'"),
        (" []", "pipeline.yaml:2: step 'a': expected a mapping such as {script_name: prepare.py}, found a list"),
        (" {}", "pipeline.yaml:2: step 'a' has no script_name"),
        (" {script_name: }", "pipeline.yaml:2: step 'a': script_name: expected text, found nothing"),
        (" {script_name: ''}", "pipeline.yaml:2: step 'a': script_name: expected some text, found ''"),
        (
            " {script_name: train.ipynb}",
            "pipeline.yaml:2: step 'a': script_name must be a Python script (.py), not train.ipynb; convert it with "
            "`jupyter nbconvert --to script train.ipynb`",
        ),
        (
            " {script_name: steps/train.R}",
            "pipeline.yaml:2: step 'a': script_name must be a Python script (.py), not steps/train.R",
        ),
        (" {script_name: 3}", "pipeline.yaml:2: step 'a': script_name: expected text, found 3; put it in quotes"),
        (
            " {scriptname: a.py}",
            "pipeline.yaml:2: step 'a': 'scriptname' is not a key here; did you mean 'script_name'?",
        ),
        (" {script: a.py}", "pipeline.yaml:2: step 'a': 'script' is not a key here; did you mean 'script_name'?"),
    ],
)
def test_a_step_without_a_script(problems, step, line):
    assert problems(f"steps:\n  a:{step}\n") == [line]


@pytest.mark.parametrize("key", ["depends_on", "needs", "after"])
def test_what_other_tools_call_the_order_of_steps(problems, key):
    steps = f"steps:\n  a: {{script_name: a.py}}\n  b:\n    script_name: b.py\n    {key}: [a]\n"

    assert problems(steps) == [f"pipeline.yaml:5: step 'b': '{key}' is not a key here; did you mean 'run_after'?"]


OTHER_KIND = "this file supports only PythonScriptSteps, so keep that step in a separate program"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("script_directory: 3", "script_directory: expected text, found 3; put it in quotes"),
        ("script_directory: ''", "script_directory: expected some text, found ''"),
        ("step_name: ''", "step_name: expected some text, found ''"),
        ('step_name: "a\\nb"', "step_name must be one line of text"),
        ('step_name: "\\e[31mred"', "step_name must be one line of text"),
        ("step_config: [1]", "step_config: expected a mapping such as {lr: 0.1, epochs: 10}, found a list"),
        ("step_config: 3", "step_config: expected a mapping such as {lr: 0.1, epochs: 10}, found 3"),
        (
            "input_datasets: [customers]",
            "input_datasets: expected a mapping such as {--new-data: customers}, found a list",
        ),
        ("input_datasets: {--a: }", "input_datasets.--a: expected text or a mapping, found nothing"),
        ("input_datasets: {--a: 3}", "input_datasets.--a: expected text or a mapping, found 3; put it in quotes"),
        ("input_datasets: {--a: [b]}", "input_datasets.--a: expected text or a mapping, found a list"),
        ("input_datasets: {--a: {}}", "input_datasets.--a has no step"),
        ("input_datasets: {--a: {stp: a}}", "'stp' is not a key of input_datasets.--a; did you mean 'step'?"),
        (
            "input_datasets: {--a: {step: b, format: csv}}",
            "input_datasets.--a.format: expected 'parquet' or 'delimited', found 'csv'",
        ),
        (
            "input_datasets: {--a: {step: b, output: c}}",
            "input_datasets.--a.output: 'c' is not a valid name: an argument starts with a dash and has no space "
            "and no '=', as in '--input-folder'",
        ),
        (
            "input_datasets: {--new data: b}",
            "input_datasets: '--new data' is not a valid name: an argument starts with a dash and has no space "
            "and no '=', as in '--input-folder'",
        ),
        ("input_folders: [b]", "input_folders: expected a mapping such as {--input-folder: prepare}, found a list"),
        ("input_folders: b", "input_folders: expected a mapping such as {--input-folder: prepare}, found 'b'"),
        ("input_folders: {--a: 1}", "input_folders.--a: expected text, found 1; put it in quotes"),
        (
            "input_folders: {a: b}",
            "input_folders: 'a' is not a valid name: an argument starts with a dash and has no space and no '=', "
            "as in '--input-folder'",
        ),
        (
            "input_folders: {--a=: b}",
            "input_folders: '--a=' is not a valid name: an argument starts with a dash and has no space and no '=', "
            "as in '--input-folder'",
        ),
        (
            "output_folders: expected arguments, such as [--train-folder, --test-folder]",
            "output_folders: expected arguments, such as [--train-folder, --test-folder]",
        ),
        ("output_folders: [[]]", "output_folders: expected arguments, such as [--train-folder, --test-folder]"),
        ("output_folders: [3]", "output_folders: expected arguments, such as [--train-folder, --test-folder]"),
        (
            "output_folders: duplicate [--a, --a]",
            "output_folders: expected arguments, such as [--train-folder, --test-folder]",
        ),
        (
            "output_folders: [a]",
            "output_folders: 'a' is not a valid name: an argument starts with a dash and has no space and no '=', "
            "as in '--input-folder'",
        ),
        ("output_folders: {--a: x}", "output_folders.--a: expected a mapping, found 'x'"),
        ("output_folders: {--a: {destination: x}}", "output_folders.--a.destination: expected a mapping, found 'x'"),
        (
            "output_folders: {--a: {destination: {path: x}}}",
            "output_folders.--a.destination has no datastore_name",
        ),
        (
            "output_folders: {--a: {destination: {datastore: x}}}",
            "'datastore' is not a key of output_folders.--a.destination; did you mean 'datastore_name'?",
        ),
        (
            "output_folders: {--a: {register_on_complet: x}}",
            "'register_on_complet' is not a key of output_folders.--a; did you mean 'register_on_complete'?",
        ),
        ("arguments: --x", "arguments: expected a mapping or a list, found '--x'; write [--x]"),
        (
            "arguments: --alpha 0.5 --name 'a b' --on true -- 007 a:b",
            "arguments: expected a mapping or a list, found '--alpha 0.5 --name 'a b' --on true -- 007 a:b'; "
            'write [--alpha, 0.5, --name, "a b", --on, "true", --, "007", "a:b"]',
        ),
        (
            "arguments: --name it's",
            "arguments: expected a mapping or a list, found '--name it's'; write [\"--name it's\"]",
        ),
        ("arguments: [--x, [1]]", "arguments[1]: expected a single value, found a list"),
        ("arguments: [{--x: 1}]", "arguments[0]: expected a single value, found a mapping"),
        ("arguments: {--x: [1]}", "arguments.--x: expected a single value, found a list"),
        ("arguments: {--x: }", "arguments.--x: expected a single value, found nothing"),
        ("arguments: [~]", "arguments[0]: expected a single value, found nothing"),
        ("run_after: b", "run_after: expected a list, found 'b'; write [b]"),
        ("run_after: [1]", "run_after[0]: expected text, found 1; put it in quotes"),
        ("include: params.json", "include: expected a list, found 'params.json'; write [params.json]"),
        (f"include: {'x' * 80}", f"include: expected a list, found '{'x' * 56}..."),
        ("snapshot: all", "snapshot: expected 'imports' or 'directory', found 'all'"),
        ("environment_variables: {A: 1}", "environment_variables.A: expected text, found 1; put it in quotes"),
        ("max_run_duration_seconds: 0", "max_run_duration_seconds: expected at least 1, found 0"),
        ("max_run_duration_seconds: 1.5", "max_run_duration_seconds: expected a whole number, found 1.5"),
        ("max_run_duration_seconds: 1h", "max_run_duration_seconds: expected a whole number, found '1h'"),
        (
            "max_run_duration_seconds: '60'",
            "max_run_duration_seconds: expected a whole number, found '60'; remove the quotes",
        ),
        ("allow_reuse: 'false'", "allow_reuse: expected true or false, found 'false'; remove the quotes"),
        ("max_run_duration_seconds: true", "max_run_duration_seconds: expected a whole number, found true"),
        ("allow_reuse: no", "allow_reuse: expected true or false, found 'no'"),
        ("env_name: 3", "env_name: expected text, found 3; put it in quotes"),
        ("script_nam: b.py", "'script_nam' is not a key here; did you mean 'script_name'?"),
        ("targets: b", "'targets' is not a key here; did you mean 'arguments'?"),
        ("parallel_run_config: {}", f"'parallel_run_config' belongs to ParallelRunStep; {OTHER_KIND}"),
        ("mini_batch_size: 5", f"'mini_batch_size' belongs to ParallelRunStep; {OTHER_KIND}"),
        ("automl_config: x", f"'automl_config' belongs to AutoMLStep; {OTHER_KIND}"),
        ("hyperdrive_config: x", f"'hyperdrive_config' belongs to HyperDriveStep; {OTHER_KIND}"),
        ("estimator: x", f"'estimator' belongs to EstimatorStep; {OTHER_KIND}"),
        ("node_count: 2", f"'node_count' belongs to MpiStep; {OTHER_KIND}"),
        ("distributed_training: x", f"'distributed_training' belongs to MpiStep; {OTHER_KIND}"),
        ("process_count_per_node: 2", f"'process_count_per_node' belongs to MpiStep; {OTHER_KIND}"),
        ("notebook_run_config: x", f"'notebook_run_config' belongs to NotebookRunnerStep; {OTHER_KIND}"),
        ("command: python a.py", f"'command' belongs to CommandStep; {OTHER_KIND}"),
        ("rscript_name: a.r", f"'rscript_name' belongs to RScriptStep; {OTHER_KIND}"),
        ("sql_script: a.sql", f"'sql_script' belongs to a database step; {OTHER_KIND}"),
        ("source_data_reference: x", f"'source_data_reference' belongs to DataTransferStep; {OTHER_KIND}"),
    ],
)
def test_keys_of_a_step(problems, keys, message):
    text = f"steps:\n  a:\n    script_name: a.py\n    {keys}\n  b: {{script_name: b.py}}\n"

    assert problems(text) == [f"pipeline.yaml:4: step 'a': {message}"]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("environments: [pandas]", "environments: expected a mapping, found a list"),
        ("environments: {e: }", "environment 'e': expected a mapping, found nothing"),
        (
            "environments: {e: {pip_packages: pandas}}",
            "environment 'e': pip_packages: expected a list, found 'pandas'; write [pandas]",
        ),
        (
            "environments: {e: {pip_packages: pandas scikit-learn}}",
            "environment 'e': pip_packages: expected a list, found 'pandas scikit-learn'; write [pandas, scikit-learn]",
        ),
        (
            "environments: {e: {conda_packages: [1]}}",
            "environment 'e': conda_packages[0]: expected text, found 1; put it in quotes",
        ),
        (
            "environments: {e: {pip_package: [pandas]}}",
            "environment 'e': 'pip_package' is not a key here; did you mean 'pip_packages'?",
        ),
        (
            "environments: {e: {python_version: 3.10}}",
            "environment 'e': python_version: write it in quotes, such as \"3.10\"; without quotes it is the number "
            "3.1",
        ),
        (
            "environments: {e: {python_version: 3}}",
            "environment 'e': python_version: expected text, found 3; put it in quotes",
        ),
        (
            "environments: {e: {conda_file: c.yml, pip_packages: [a]}}",
            "environment 'e': conda_file lists all packages and the Python version; remove the other keys",
        ),
        (
            "environments: {e: {conda_file: c.yml, conda_packages: [a]}}",
            "environment 'e': conda_file lists all packages and the Python version; remove the other keys",
        ),
        (
            "environments: {e: {conda_file: c.yml, python_version: '3.10'}}",
            "environment 'e': conda_file lists all packages and the Python version; remove the other keys",
        ),
        (
            "environments: {e: {base_image: i, dockerfile: d}}",
            "environment 'e': use either base_image or dockerfile, not both",
        ),
        ("datastores: {s: {}}", "datastore 's' has no account_name\ndatastore 's' has no container_name"),
        ("datasets: {d: }", "dataset 'd': expected a mapping, found nothing"),
        (
            "datasets: {d: {path: p.csv}}",
            "dataset 'd': path also needs datastore_name: both locate the files",
        ),
        (
            "datasets: {d: {datastore_name: s}}",
            "dataset 'd': datastore_name also needs path: both locate the files",
        ),
        ("datasets: {d: {datastore_name: s, path: []}}", "dataset 'd': path: expected at least one, found none"),
        (
            "datasets: {d: {datastore_name: s, path: 3}}",
            "dataset 'd': path: expected text or a list, found 3; put it in quotes",
        ),
        (
            "datasets: {d: {datastore_name: s, path: [a, 1]}}",
            "dataset 'd': path[1]: expected text, found 1; put it in quotes",
        ),
        (
            "datasets: {d: {local_pth: p.csv, datastore_name: s}}",
            "dataset 'd': 'local_pth' is not a key here; did you mean 'local_path'?",
        ),
        (
            "datasets: {d: {name: my-data}}",
            "dataset 'd': 'my-data' cannot be a dataset's name in the run: use letters, digits and underscores, not "
            "starting with a digit",
        ),
        ("datasets: {d: {type: csv}}", "dataset 'd': type: expected 'tabular' or 'file', found 'csv'"),
        (
            "datasets: {d: {mode: mount}}",
            "dataset 'd': mode: mount needs type: file; Azure can mount or download files, not tables",
        ),
        (
            "datasets: {d: {mode: download, type: tabular}}",
            "dataset 'd': mode: download needs type: file; Azure can mount or download files, not tables",
        ),
        (
            "datasets: {d: {type: file, separator: ;}}",
            "dataset 'd': separator is for tabular datasets; this one has type: file",
        ),
        (
            "datasets: {d: {type: file, format: parquet}}",
            "dataset 'd': format is for tabular datasets; this one has type: file",
        ),
        (
            "datasets: {d: {type: file, set_column_types: {a: long}}}",
            "dataset 'd': set_column_types is for tabular datasets; this one has type: file",
        ),
        (
            "datasets: {d: {type: file, support_multi_line: true}}",
            "dataset 'd': support_multi_line is for tabular datasets; this one has type: file",
        ),
        (
            "datasets: {d: {format: parquet, separator: ;}}",
            "dataset 'd': separator is for delimited files; this dataset has format: parquet",
        ),
        (
            "datasets: {d: {format: parquet, support_multi_line: true}}",
            "dataset 'd': support_multi_line is for delimited files; this dataset has format: parquet",
        ),
        (
            "datasets: {d: {set_column_types: {a: int}}}",
            "dataset 'd': set_column_types.a: expected 'string', 'long', 'float', 'boolean' or 'datetime', found 'int'",
        ),
        ("datasets: {d: {version: 0}}", "dataset 'd': version: expected at least 1 or 'latest', found 0"),
        ("datasets: {d: {version: v1}}", "dataset 'd': version: expected a whole number or 'latest', found 'v1'"),
        ("computes: {cc: {vm_size: ''}}", "compute 'cc': vm_size: expected some text, found ''"),
        ("computes: {cpu-cluster: {}}", "compute 'cpu-cluster' has no vm_size"),
        (
            "computes: {cc: {vm_size: S, min_nodes: 3, max_nodes: 2}}",
            "compute 'cc': min_nodes (3) is more than max_nodes (2)",
        ),
        ("computes: {cc: {vm_size: S, min_nodes: 2}}", "compute 'cc': min_nodes (2) is more than max_nodes (1)"),
        ("computes: {cc: {vm_size: S, min_nodes: -1}}", "compute 'cc': min_nodes: expected at least 0, found -1"),
        ("computes: {cc: {vm_size: S, max_nodes: 0}}", "compute 'cc': max_nodes: expected at least 1, found 0"),
        (
            "computes: {cc: {vm_size: S, vm_priority: low}}",
            "compute 'cc': vm_priority: expected 'dedicated' or 'lowpriority', found 'low'",
        ),
        (
            "computes: {cc: {vm_size: S, idle_seconds_before_scaledown: 0}}",
            "compute 'cc': idle_seconds_before_scaledown: expected at least 1, found 0",
        ),
    ],
)
def test_keys_of_the_other_sections(problems, section, message):
    expected = [f"pipeline.yaml:2: {line}" for line in message.split("\n")]

    assert problems(f"{STEPS}{section}\n") == expected


def test_keys_that_do_not_fit_together_are_named_in_their_own_line(problems):
    text = """\
steps: {a: {script_name: a.py}}
environments:
  e:
    pip_packages: [pandas]
    conda_file: conda.yml
datasets:
  d:
    type: file
    local_path: data
    separator: ;
"""

    assert problems(text) == [
        "pipeline.yaml:5: environment 'e': conda_file lists all packages and the Python version; remove the other keys",
        "pipeline.yaml:10: dataset 'd': separator is for tabular datasets; this one has type: file",
    ]


def test_everything_wrong_is_reported_at_once_and_nothing_that_follows_from_it(problems):
    text = """\
backend: locale
ws_name: x
stepz: 1
steps:
  prepare:
    script_nam: prepare.py
    max_run_duration_seconds: soon
  train:
    script_name: train.py
    input_folders: {--data: prepair}
  evaluate:
    script_name: 3
    run_after: [trian]
datasets:
  d: {path: 3, datastore_name: my-store}
schedule: {frequency: daily}
publish: {}
"""

    assert problems(text) == [
        "pipeline.yaml:1: backend: expected 'local', 'azure' or 'azure-v2', found 'locale'",
        "pipeline.yaml:2: ws_name: 'x' is not a valid name: a workspace name has 3 to 33 letters, digits, "
        "underscores and dashes, and starts with a letter or a digit",
        "pipeline.yaml:3: 'stepz' is not a key here; did you mean 'steps'?",
        "pipeline.yaml:6: step 'prepare': 'script_nam' is not a key here; did you mean 'script_name'?",
        "pipeline.yaml:7: step 'prepare': max_run_duration_seconds: expected a whole number, found 'soon'",
        "pipeline.yaml:10: step 'train' reads the output of 'prepair', which is not a step; did you mean 'prepare'?",
        "pipeline.yaml:12: step 'evaluate': script_name: expected text, found 3; put it in quotes",
        "pipeline.yaml:13: step 'evaluate' runs after 'trian', which is not a step; did you mean 'train'?",
        "pipeline.yaml:15: dataset 'd': datastore_name: 'my-store' is not a valid name: a datastore name has 1 to 255 "
        "letters, digits and underscores",
        "pipeline.yaml:15: dataset 'd': path: expected text or a list, found 3; put it in quotes",
        "pipeline.yaml:16: frequency must be Minute, Hour, Day, Week or Month, not 'daily'; did you mean 'Day'?",
        "pipeline.yaml:17: publish has no name",
    ]


def test_what_refers_to_something_that_is_wrong_is_not_wrong_for_that(problems):
    text = """\
steps:
  prepare: 5
  train: {script_name: a.py, input_folders: {--x: prepare}, run_after: [prepare], input_datasets: {--d: numbers}}
datasets:
  numbers: 7
"""

    assert problems(text) == [
        "pipeline.yaml:2: step 'prepare': expected a mapping such as {script_name: prepare.py}, found 5",
        "pipeline.yaml:5: dataset 'numbers': expected a mapping, found 7",
    ]


def test_the_same_mistake_hundreds_of_times_is_counted(problems):
    steps = "".join(f"  s{number:04}: {{script_name: a.py, run_after: [missing]}}\n" for number in range(1_000))

    lines = problems("steps:\n" + steps)

    assert lines == [
        *(
            f"pipeline.yaml:{number + 2}: step 's{number:04}' runs after 'missing', which is not a step"
            for number in range(200)
        ),
        "and 800 more problems",
    ]


def test_the_first_twenty_unknown_keys_get_a_suggestion(problems):
    lines = problems(STEPS + "".join(f"ws_nam{number:02}: x\n" for number in range(25)))

    assert [("did you mean 'ws_name'" in line) for line in lines] == [True] * 20 + [False] * 5


def test_a_step_that_is_none_hides_no_other(problems):
    text = """\
steps:
  a:
  b: {script_name: b.py, run_after: [c]}
  d: {script_name: d.py, max_run_duration_seconds: 0}
"""

    assert problems(text) == [
        "pipeline.yaml:2: step 'a': expected a mapping such as {script_name: prepare.py}, found nothing",
        "pipeline.yaml:3: step 'b' runs after 'c', which is not a step",
        "pipeline.yaml:4: step 'd': max_run_duration_seconds: expected at least 1, found 0",
    ]


def test_what_the_file_holds_cannot_act_on_a_terminal_or_pass_for_another_line(problems):
    text = 'steps: {a: {script_name: a.py}}\n"\\e[31mred\\n pipeline.yaml:9: \\u202e": 1\nbackend: "\\x9b\\u2028x"\n'

    assert problems(text) == [
        r"pipeline.yaml:2: '\x1b[31mred\n pipeline.yaml:9: \u202e' is not a key here",
        r"pipeline.yaml:3: backend: expected 'local', 'azure' or 'azure-v2', found '\x9b\u2028x'",
    ]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("computes:\n  cpu-cluster:\n    vm_size: STANDARD_DS3_V2\n    max_nodes: 1\n    min_nodes: 2\n", 7),
        ("datasets:\n  d:\n    local_path: x\n    mode: mount\n", 6),
        ("datasets:\n  d:\n    format: parquet\n    support_multi_line: true\n", 6),
        ("datasets:\n  d:\n    type: file\n    format: parquet\n", 6),
        ("datasets:\n  d:\n    local_path: x\n    path: y\n", 6),
        ("environments:\n  e:\n    base_image: i\n    dockerfile: d\n", 6),
        ("environments:\n  e:\n    pip_packages: [a]\n    conda_file: c\n", 6),
        ("schedule:\n  frequency: Day\n  on_blob_change: {datastore_name: b}\n", 5),
        ("schedule:\n  on_blob_change: {datastore_name: b}\n  interval: 2\n", 5),
        ("schedule:\n  frequency: Day\n  hours: [1]\n", 5),
        ("schedule:\n  frequency: Day\n  minutes: [1]\n", 5),
        ("schedule:\n  frequency: Week\n  week_days: [Monday]\n", 5),
    ],
)
def test_keys_that_do_not_go_together_are_reported_at_the_line_of_one_of_them(problems, keys, line):
    text = (
        f"steps:\n  a: {{script_name: a.py}}\n{keys}datastores: {{b: {{container_name: raw, account_name: churn}}}}\n"
    )

    assert [problem.split(": ")[0] for problem in problems(text)] == [f"pipeline.yaml:{line}"]


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("{dataset: sales}", "as in `--new-data: sales`"),
        ("{name: sales, mode: mount}", "as in `--new-data: sales`, and put `mode: mount` in datasets.sales"),
        ("{mode: mount}", "as in `--new-data: NAME`, and put `mode: mount` in datasets.NAME"),
        (
            "{dataset: sales, mode: mount, version: 2}",
            "as in `--new-data: sales`, and put `mode: mount` and `version: 2` in datasets.sales",
        ),
    ],
)
def test_options_of_a_dataset_do_not_belong_to_the_step(problems, value, line):
    text = f"steps: {{a: {{script_name: a.py, input_datasets: {{--new-data: {value}}}}}}}\n"

    sentence = "step 'a': input_datasets: write only the name of the dataset"
    assert problems(text) == [f"pipeline.yaml:1: {sentence}, {line}"]

"""Which step reads what from which, and what each is given: the whole plan of small pipelines."""

from __future__ import annotations

import pytest

from azml_tasks.model import Destination
from azml_tasks.plan import (
    ConfigValue,
    DatasetInput,
    FolderInput,
    OptionValue,
    Output,
    ParameterValue,
    Plan,
    StepPlan,
    TableInput,
    Token,
)


def argv(plan: Plan) -> dict[str, list[str]]:
    """Return each step's arguments as texts: <folder it reads>, >folder it writes<."""
    return {step.key: [shown(token) for token in step.argv] for step in plan.steps}


def shown(token: Token) -> str:
    match token:
        case OptionValue():
            return f"{token.name}|{token.value}"
        case ConfigValue():
            return token.text
        case ParameterValue():
            return f"parameter {token.name}={token.default}"
        case Output():
            return f">{token.step}{token.argument}"
    assert isinstance(token, FolderInput | TableInput | DatasetInput | str)
    return token if isinstance(token, str) else f"<{source(token)}"


def source(item: FolderInput | TableInput | DatasetInput) -> str:
    return item.dataset if isinstance(item, DatasetInput) else f"{item.output.step}{item.output.argument}"


def upstream(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {step.key: step.upstream for step in plan.steps}


def test_three_steps_in_a_line_each_read_exactly_their_predecessor_s_folder(load):
    text = """\
steps:
  prepare: {script_name: prepare.py, step_config: {min_rows: 10}, input_datasets: {--new-data: customers}}
  train: {script_name: train.py, step_config: {lr: 2.0e-5, epochs: 10, batch_size: 16}}
  evaluate: {script_name: evaluate.py}
"""

    plan = load(text).plan

    prepared = Output("prepare", "--output-folder", "prepare_output_folder")
    trained = Output("train", "--output-folder", "train_output_folder")
    customers = DatasetInput("--new-data", "customers", "customers", "direct")
    from_prepare = FolderInput("--input-folder", prepared, "train_input_folder")
    from_train = FolderInput("--input-folder", trained, "evaluate_input_folder")
    assert [(step.key, step.argv, step.inputs, step.outputs, step.upstream) for step in plan.steps] == [
        (
            "prepare",
            (
                *("--config", ConfigValue("prepare", {"min_rows": 10})),
                *("--new-data", customers),
                *("--output-folder", prepared),
            ),
            (customers,),
            (prepared,),
            (),
        ),
        (
            "train",
            (
                *("--config", ConfigValue("train", {"lr": 2e-5, "epochs": 10, "batch_size": 16})),
                *("--input-folder", from_prepare),
                *("--output-folder", trained),
            ),
            (from_prepare,),
            (trained,),
            ("prepare",),
        ),
        ("evaluate", ("--input-folder", from_train), (from_train,), (), ("train",)),
    ]


def test_one_step_gets_no_folder(load):
    assert argv(load("steps: {a: {script_name: a.py}}\n").plan) == {"a": []}


def test_many_steps_in_a_line(load):
    keys = [f"s{number}" for number in range(50)]
    plan = load("steps:\n" + "".join(f"  {key}: {{script_name: a.py}}\n" for key in keys)).plan

    assert argv(plan) == {
        key: [
            *(["--input-folder", f"<{keys[place - 1]}--output-folder"] if place else []),
            *(["--output-folder", f">{key}--output-folder"] if place < 49 else []),
        ]
        for place, key in enumerate(keys)
    }
    assert upstream(plan) == {key: (keys[place - 1],) if place else () for place, key in enumerate(keys)}


def test_the_config_is_json(load):
    text = """\
steps:
  a:
    script_name: a.py
    step_config: {text: "é \\" \\n", none: null, truth: true, list: [1, 2.5], inner: {no: no}}
  b: {script_name: b.py, step_config: {}}
  c: {script_name: c.py, step_config: }
"""

    plan = load(text).plan

    assert [shown(step.argv[1]) for step in plan.steps[:2]] == [
        r'{"text": "\u00e9 \" \n", "none": null, "truth": true, "list": [1, 2.5], "inner": {"no": "no"}}',
        "{}",
    ]
    assert argv(plan)["c"] == ["--input-folder", "<b--output-folder"]


def test_fan_out_and_fan_in(load):
    text = """\
steps:
  prepare: {script_name: prepare.py, output_folders: [--train-folder, --test-folder]}
  small: {script_name: train.py, input_folders: {--in: prepare/--train-folder}}
  large: {script_name: train.py, input_folders: {--in: prepare/--train-folder}}
  choose:
    script_name: choose.py
    input_folders: {--small: small, --large: large, --test: prepare/--test-folder}
"""

    plan = load(text).plan

    assert argv(plan) == {
        "prepare": [
            *("--train-folder", ">prepare--train-folder"),
            *("--test-folder", ">prepare--test-folder"),
        ],
        "small": ["--in", "<prepare--train-folder", "--output-folder", ">small--output-folder"],
        "large": ["--in", "<prepare--train-folder", "--output-folder", ">large--output-folder"],
        "choose": [
            *("--small", "<small--output-folder"),
            *("--large", "<large--output-folder"),
            *("--test", "<prepare--test-folder"),
        ],
    }
    assert upstream(plan) == {
        "prepare": (),
        "small": ("prepare",),
        "large": ("prepare",),
        "choose": ("small", "large", "prepare"),
    }
    assert {step.key: plan.downstream(step.key) for step in plan.steps} == {
        "prepare": {"small", "large", "choose"},
        "small": {"choose"},
        "large": {"choose"},
        "choose": set(),
    }
    assert plan["large"] is plan.steps[2]
    assert plan.pipeline == load(text).pipeline


def test_a_step_may_pass_nothing(load):
    text = """\
steps:
  a: {script_name: a.py, output_folders: []}
  b: {script_name: b.py}
  c: {script_name: c.py, input_folders: {}}
  d: {script_name: d.py}
"""

    plan = load(text).plan

    assert argv(plan) == {
        "a": [],
        "b": ["--output-folder", ">b--output-folder"],
        "c": ["--output-folder", ">c--output-folder"],
        "d": ["--input-folder", "<c--output-folder"],
    }
    assert upstream(plan) == {"a": (), "b": (), "c": (), "d": ("c",)}


def test_one_output_of_another_name_is_read_by_the_next_step(load):
    text = "steps: {a: {script_name: a.py, output_folders: [--features]}, b: {script_name: b.py}}\n"

    assert argv(load(text).plan) == {"a": ["--features", ">a--features"], "b": ["--input-folder", "<a--features"]}


def test_the_last_step_writes_when_a_reader_names_it(load):
    text = """\
steps:
  report: {script_name: report.py, input_folders: {--in: train}}
  prepare: {script_name: prepare.py, input_folders: {}}
  train: {script_name: train.py}
"""

    plan = load(text).plan

    assert argv(load(text.replace("--in: train", "--in: train/--output-folder")).plan) == argv(plan)
    assert argv(plan) == {
        "prepare": ["--output-folder", ">prepare--output-folder"],
        "train": ["--input-folder", "<prepare--output-folder", "--output-folder", ">train--output-folder"],
        "report": ["--in", "<train--output-folder", "--output-folder", ">report--output-folder"],
    }


def test_the_last_step_writes_when_its_table_is_read(load):
    text = """\
steps:
  report: {script_name: report.py, input_datasets: {table: {step: train}}, output_folders: []}
  train: {script_name: train.py}
"""

    plan = load(text).plan

    assert argv(plan) == {"train": ["--output-folder", ">train--output-folder"], "report": []}


def test_outputs_are_kept_where_the_file_declares(load):
    text = """\
steps:
  a:
    script_name: a.py
    output_folders:
      --model:
        destination: {datastore_name: models, path: "churn/{run-id}"}
        register_on_complete: churn_model
      --plain:
"""

    (step,) = load(text).plan.steps

    assert step.outputs == (
        Output("a", "--model", "a_model", Destination(datastore_name="models", path="churn/{run-id}"), "churn_model"),
        Output("a", "--plain", "a_plain"),
    )


def test_datasets_and_tables_between_steps(load):
    text = """\
steps:
  merge: {script_name: merge.py, output_folders: [--merged, --rejected]}
  train:
    script_name: train.py
    input_folders: {}
    input_datasets:
      --files: raw_files
      --clients: customers
      merged: {step: merge, output: --merged}
      --left-out: {step: merge, output: --rejected, format: delimited}
      prices: prices
datasets:
  raw_files: {type: file, mode: mount, local_path: raw}
  customers: {name: clients, local_path: c.csv}
"""

    plan = load(text).plan

    merged, rejected = plan["merge"].outputs
    assert plan["train"].inputs == (
        DatasetInput("--files", "raw_files", "raw_files", "mount"),
        DatasetInput("--clients", "customers", "clients", "direct"),
        TableInput(None, merged, "merged", "parquet"),
        TableInput("--left-out", rejected, "left_out", "delimited"),
        DatasetInput(None, "prices", "prices", "direct"),
    )
    assert argv(plan)["train"] == [
        *("--files", "<raw_files"),
        *("--clients", "<customers"),
        *("--left-out", "<merge--rejected"),
    ]
    assert upstream(plan) == {"merge": (), "train": ("merge",)}


def test_a_name_without_an_argument_is_the_dataset_s_name_in_the_run(load):
    text = """\
steps: {a: {script_name: a.py, input_datasets: {prices: all-prices}}}
datasets: {all-prices: {name: other, local_path: p.csv}}
"""

    (step,) = load(text).plan.steps

    assert step.inputs == (DatasetInput(None, "all-prices", "prices", "direct"),)


def test_the_order_of_a_step_s_arguments(load):
    text = """\
pipeline_parameters: {alpha: 0.5}
steps:
  a: {script_name: a.py}
  b:
    script_name: b.py
    arguments: {--alpha: "${{ parameters.alpha }}", --flag: true, --rate: 2e-5, --n: 3, --t: x}
    output_folders: [--out]
    input_folders: {--in: a}
    input_datasets: {--data: customers}
    step_config: {x: 1}
  c: {script_name: c.py, arguments: [pos, --flag, "${{parameters.alpha}}", 1.5, pos, --flag]}
"""

    assert argv(load(text).plan) == {
        "a": ["--output-folder", ">a--output-folder"],
        "b": [
            *("--config", '{"x": 1}'),
            *("--data", "<customers"),
            *("--in", "<a--output-folder"),
            *("--out", ">b--out"),
            *("--alpha", "parameter alpha=0.5"),
            *("--flag", "True", "--rate", "2e-5", "--n", "3", "--t", "x"),
        ],
        "c": [
            *("--input-folder", "<b--out"),
            *("pos", "--flag", "parameter alpha=0.5", "1.5", "pos", "--flag"),
        ],
    }


def test_a_list_of_arguments_may_repeat_what_the_keys_name(load):
    text = "steps: {a: {script_name: a.py, step_config: {x: 1}, arguments: [--config, other.json]}}\n"

    assert argv(load(text).plan) == {"a": ["--config", '{"x": 1}', "--config", "other.json"]}


def test_run_after_orders_without_data(load):
    text = """\
steps:
  a: {script_name: a.py, input_folders: {}, output_folders: [], run_after: [c]}
  b: {script_name: b.py, input_folders: {}, output_folders: [], run_after: [a, c, a]}
  c: {script_name: c.py, input_folders: {}, output_folders: []}
"""

    plan = load(text).plan

    assert argv(plan) == {"c": [], "a": [], "b": []}
    assert upstream(plan) == {"c": (), "a": ("c",), "b": ("a", "c")}


def test_run_after_adds_to_what_is_read(load):
    text = """\
steps:
  a: {script_name: a.py}
  b: {script_name: b.py}
  c: {script_name: c.py, run_after: [b, a]}
"""

    assert upstream(load(text).plan) == {"a": (), "b": ("a",), "c": ("b", "a")}


@pytest.mark.parametrize(
    ("after", "order"),
    [
        ({}, "abcdef"),
        ({"a": "f"}, "bcdefa"),
        ({"a": "d", "b": "c"}, "cbdaef"),
        ({"f": "a", "e": "a"}, "abcdef"),
        ({"b": "e", "c": "b"}, "adebcf"),
    ],
)
def test_independent_steps_stay_in_the_file_s_order(load, after, order):
    steps = "".join(
        f"  {key}: {{script_name: x.py, input_folders: {{}}, output_folders: [], run_after: [{after.get(key, '')}]}}\n"
        for key in "abcdef"
    )

    assert "".join(step.key for step in load("steps:\n" + steps).plan.steps) == order


def test_a_plan_cannot_be_changed(load):
    text = """\
pipeline_parameters: {p: 1}
steps:
  a: {script_name: a.py, step_config: {x: 1}, input_datasets: {--d: d}}
  b:
    script_name: b.py
    input_folders: {--in: a}
    input_datasets: {t: {step: a}}
    arguments: ["${{ parameters.p }}"]
"""
    plan = load(text).plan
    parts = [plan, *plan.steps, *(token for step in plan.steps for token in (*step.argv, *step.inputs))]

    frozen = [part for part in parts if not isinstance(part, str)]

    assert {type(part) for part in frozen} == {
        *(Plan, StepPlan, ConfigValue, DatasetInput, Output, FolderInput, TableInput, ParameterValue)
    }
    for part in frozen:
        with pytest.raises(AttributeError):
            part.step = None


def test_a_label_is_the_step_s_name_or_its_key(load):
    plan = load("steps: {a: {script_name: a.py, step_name: First}, b: {script_name: b.py}}\n").plan

    assert [step.label for step in plan.steps] == ["First", "b"]


def test_building_twice_gives_the_same_names(load):
    text = """\
steps:
  "1. Préparer": {script_name: a.py, output_folders: [--dossier-été, -x]}
  b:
    script_name: b.py
    input_folders: {--x: "1. Préparer/-x"}
    input_datasets: {--t-1: {step: "1. Préparer", output: -x}}
"""

    first, second = load(text).plan, load(text).plan

    assert first == second
    assert [[output.name for output in step.outputs] for step in first.steps] == [
        ["_1_Preparer_dossier_ete", "_1_Preparer_x"],
        [],
    ]
    assert [item.name for item in first["b"].inputs] == ["t_1", "b_x"]


# argparse before Python 3.14 takes a negative number with an exponent, and one without a digit after its point, for an
# option (https://github.com/python/cpython/issues/105712, https://github.com/python/cpython/issues/155339).
NUMBERS = {
    "-0.00001": "-0.00001",
    "0.00001": "0.00001",
    "-1e-5": "-0.00001",
    "1e-5": "1e-5",
    "+1e-5": "+1e-5",
    "-1E+5": "-100000.0",
    "-1.5e20": "-150000000000000000000",
    "-2.50": "-2.50",
    ".5": ".5",
    "-.5": "-.5",
    "5.": "5.",
    "-5.": "-5.0",
    "1.0": "1.0",
    "1": "1",
    "-7": "-7",
    "007": "007",
    "+7": "+7",
    "0x10": "16",
    "0o17": "15",
    "1_000": "1_000",
    "123456789012345678901234567890": "123456789012345678901234567890",
    "-0": "-0",
    "-0.0": "-0.0",
    "1e400": "1e400",
    ".inf": "inf",
    ".nan": "nan",
    "true": "True",
}


@pytest.mark.parametrize(("written", "passed"), NUMBERS.items())
def test_a_number_is_passed_as_it_is_written_in_the_words_of_argparse(load, written, passed):
    text = f"""\
pipeline_parameters: {{p: {written}}}
steps:
  a: {{script_name: a.py, arguments: {{--shift: {written}}}, output_folders: []}}
  b: {{script_name: a.py, arguments: [--shift, {written}], output_folders: []}}
  c: {{script_name: a.py, arguments: {{--shift: "${{{{ parameters.p }}}}"}}}}
"""

    assert argv(load(text).plan) == {
        "a": ["--shift", passed],
        "b": ["--shift", passed],
        "c": ["--shift", f"parameter p={passed}"],
    }


def test_a_number_from_a_variable_is_passed_as_the_variable_has_it(load):
    text = """\
steps:
  a:
    script_name: a.py
    arguments:
      --shift: ${SHIFT}
      --text: v${SHIFT}
"""

    plan = load(text, SHIFT="-0.000010").plan

    assert argv(plan) == {"a": ["--shift", "-0.000010", "--text", "v-0.000010"]}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ('{--note: "-x"}', ["--note|-x"]),
        ('{--note: "--no"}', ["--note|--no"]),
        ('{-n: "-x y"}', ["-n|-x y"]),
        ("{--low: -.inf, --high: .inf}", ["--low|-inf", "--high", "inf"]),
        ('{--low: "-1e-5"}', ["--low|-1e-5"]),
        ('{--low: "-1"}', ["--low", "-1"]),
        ('{--file: "-"}', ["--file", "-"]),
        ('{note: "-x"}', ["note", "-x"]),
        ('{--note: "x-y"}', ["--note", "x-y"]),
        ("[--low, -.inf]", ["--low|-inf"]),
        ("[--low, -.inf, --high, 1]", ["--low|-inf", "--high", "1"]),
        ("[--both, -.inf, 1]", ["--both", "-inf", "1"]),
        ("[--flag, -v]", ["--flag", "-v"]),
        ("[--low=2, -.inf]", ["--low=2", "-inf"]),
        ("[-.inf]", ["-inf"]),
    ],
)
def test_a_value_that_argparse_would_take_for_an_option_belongs_to_its_own(load, arguments, words):
    assert argv(load(f"steps: {{a: {{script_name: a.py, arguments: {arguments}}}}}").plan) == {"a": words}


def test_the_numbers_of_a_step_s_config_stay_numbers_of_json(load):
    text = "steps: {a: {script_name: a.py, step_config: {a: -0.00001, b: +1e-5, c: .5, d: 007, e: [1.50]}}}"

    assert argv(load(text).plan) == {"a": ["--config", '{"a": -1e-05, "b": 1e-05, "c": 0.5, "d": 7, "e": [1.5]}']}


def test_numpy_in_the_config_of_a_program_is_plain_json():
    numpy = pytest.importorskip("numpy")
    config = {"lr": numpy.float32(0.5), "n": numpy.int64(3), "on": numpy.bool_(True), "sizes": numpy.arange(3)}

    assert ConfigValue("a", config).text == '{"lr": 0.5, "n": 3, "on": true, "sizes": [0, 1, 2]}'


def test_what_is_no_value_of_json_is_refused_in_the_config_of_a_program():
    with pytest.raises(TypeError, match="step_config: set is not a JSON value"):
        ConfigValue("a", {"x": {1}}).text  # noqa: B018 - it raises

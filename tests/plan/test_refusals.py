"""References that lead nowhere, and names that stand for two things."""

from __future__ import annotations

import pytest

from azml_tasks.model import Pipeline, Step
from azml_tasks.plan import PlanProblem, WiringError, build_plan


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (
            "",
            "input_folders: {--in: prepair}",
            "reads the output of 'prepair', which is not a step; did you mean 'prepare'?",
        ),
        ("", "input_folders: {--in: zzz}", "reads the output of 'zzz', which is not a step"),
        ("", "input_folders: {--in: ''}", "reads the output of '', which is not a step"),
        (
            "",
            "input_folders: {--in: prepare/--x}",
            "reads --x of 'prepare', which is not an output of that step: it has --output-folder",
        ),
        (
            "output_folders: [--a, --b]",
            "input_folders: {--in: prepare/a}",
            "reads a of 'prepare', which is not an output of that step: it has --a and --b",
        ),
        (
            "output_folders: []",
            "input_folders: {--in: prepare/--x}",
            "reads --x of 'prepare', which is not an output of that step: it has none",
        ),
        ("output_folders: []", "input_folders: {--in: prepare}", "reads the output of 'prepare', which has no output"),
        (
            "output_folders: [--a, --b]",
            "input_folders: {--in: prepare}",
            "reads 'prepare', which has several outputs: write 'prepare/--a' or 'prepare/--b'",
        ),
        (
            "output_folders: [--a, --b]",
            "input_datasets: {t: {step: prepare}}\n    input_folders: {}",
            "reads 'prepare', which has several outputs: write 'prepare/--a' or 'prepare/--b'",
        ),
        (
            "",
            "input_datasets: {t: {step: prepair}}",
            "reads the output of 'prepair', which is not a step; did you mean 'prepare'?",
        ),
        (
            "",
            "input_datasets: {t: {step: prepare, output: --x}}",
            "reads --x of 'prepare', which is not an output of that step: it has --output-folder",
        ),
        ("", "run_after: [prepair]", "runs after 'prepair', which is not a step; did you mean 'prepare'?"),
    ],
)
def test_a_reference_that_leads_nowhere(problems, first, second, message):
    text = f"steps:\n  prepare:\n    script_name: a.py\n    {first}\n  b:\n    script_name: b.py\n    {second}\n"

    assert problems(text) == [f"pipeline.yaml:7: step 'b' {message}"]


def test_several_outputs_have_no_reader_by_default(problems):
    text = "steps:\n  a: {script_name: a.py, output_folders: [--x, --y]}\n  b:\n    script_name: b.py\n"

    assert problems(text) == [
        "pipeline.yaml:3: step 'b' follows 'a', which has several outputs: select one with input_folders, such as "
        "{--input-folder: a/--x}, or {} for none"
    ]


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ("  a: {script_name: x.py, run_after: [a]}\n", "2: circular dependency between steps: a -> a"),
        (
            "  a: {script_name: x.py, input_folders: {--in: b}}\n  b: {script_name: x.py}\n",
            "2: circular dependency between steps: a -> b -> a",
        ),
        (
            "  z: {script_name: x.py}\n  a: {script_name: x.py, run_after: [c]}\n"
            "  b: {script_name: x.py}\n  c: {script_name: x.py}\n",
            "3: circular dependency between steps: a -> b -> c -> a",
        ),
        (
            "  z: {script_name: x.py, input_folders: {--in: a}}\n  a: {script_name: x.py}\n",
            "2: circular dependency between steps: z -> a -> z",
        ),
    ],
)
def test_a_cycle(problems, steps, line):
    assert problems("steps:\n" + steps) == [f"pipeline.yaml:{line}"]


def test_names_that_azure_cannot_tell_apart(problems):
    text = """\
steps:
  train-it: {script_name: a.py}
  other: {script_name: a.py}
  train.it: {script_name: a.py}
  Train It: {script_name: a.py}
  entraîné: {script_name: a.py}
  entraine: {script_name: a.py}
"""

    assert problems(text) == [
        "pipeline.yaml:4: steps 'train-it' and 'train.it' have the same name in Azure or in folders; rename one",
        "pipeline.yaml:5: steps 'train-it' and 'Train It' have the same name in Azure or in folders; rename one",
        "pipeline.yaml:7: steps 'entraîné' and 'entraine' have the same name in Azure or in folders; rename one",
    ]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("input_datasets: {--a: x, --b: x}", "has two inputs with the name 'x'"),
        ("input_datasets: {--a: x, x: y}", "has two inputs with the name 'x'"),
        ("input_folders: {--x: a}\n    input_datasets: {b_x: y}", "has two inputs with the name 'b_x'"),
        ("input_folders: {--x-y: a, --x_y: a}", "has two inputs with the name 'b_x_y'"),
        ("output_folders: [--x-y, --x_y]", "has two outputs with the name 'b_x_y'"),
        ("output_folders: [--Out, --out]", "has two outputs with the name 'b_out'"),
        ("step_config: {x: 1}\n    arguments: {--config: y}", "passes --config twice"),
        ("arguments: {--input-folder: y}", "passes --input-folder twice"),
        ("arguments: {--a: 1, --b: 2, --input-folder: y}", "passes --input-folder twice"),
        ("arguments: [--input-folder, y, --a, --a]", "passes --input-folder twice"),
        ("output_folders: [--out]\n    arguments: [1, --out, y]", "passes --out twice"),
        ("input_folders: {--x: a}\n    output_folders: [--x]", "passes --x twice"),
        ("input_datasets: {--x: d}\n    arguments: {--x: y}", "passes --x twice"),
        ("output_folders: [--x]\n    arguments: {--x: y}", "passes --x twice"),
    ],
)
def test_one_name_for_two_things(problems, keys, message):
    text = f"steps:\n  a: {{script_name: a.py}}\n  b:\n    script_name: b.py\n    {keys}\n"

    assert [line for line in problems(text) if "known" in line or "twice" in line or "puts with the name" in line] == [
        f"pipeline.yaml:3: step 'b' {message}"
    ]


NAME_RULE = "use letters, digits and underscores, not starting with a digit"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            "--in: my-data",
            f"'my-data' cannot be a dataset's name in the run: {NAME_RULE}; set `name` in datasets",
        ),
        ("my-data: data", f"'my-data' cannot be a dataset's name in the run: {NAME_RULE}"),
        ("'': data", f"'' cannot be a dataset's name in the run: {NAME_RULE}"),
        ("my-table: {step: a}", f"'my-table' cannot be a dataset's name in the run: {NAME_RULE}"),
        ("--path: {step: a}", "'path' cannot be a dataset's name in the run: it would replace the variable PATH"),
        ("path: data", "'path' cannot be a dataset's name in the run: it would replace the variable PATH"),
        (
            "--in: home",
            "'home' cannot be a dataset's name in the run: it would replace the variable HOME; set `name` in datasets",
        ),
    ],
)
def test_a_dataset_s_name_in_the_run(problems, inputs, message):
    text = f"steps:\n  a: {{script_name: a.py}}\n  b:\n    script_name: b.py\n    input_datasets: {{{inputs}}}\n"

    assert problems(text) == [f"pipeline.yaml:5: step 'b': {message}"]


def test_a_dataset_whose_registered_name_is_no_identifier_has_another_in_the_run(problems):
    text = "steps: {a: {script_name: a.py, input_datasets: {--in: my-data}}}\ndatasets: {my-data: {name: mine}}\n"

    assert problems(text) == []


@pytest.mark.parametrize("form", ["arguments: {{--x: {value}}}", "arguments: [--x, {value}]"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("'${{ parameters.alhpa }}'", "'alhpa' is not in pipeline_parameters; did you mean 'alpha'?"),
        ("'${{ parameters.zzz }}'", "'zzz' is not in pipeline_parameters"),
        (
            "'x=${{ parameters.alpha }}'",
            "${{ parameters.alpha }} must be the whole argument: Azure ML cannot add text to it",
        ),
        (
            "'${{ parameters.alpha }} '",
            "${{ parameters.alpha }} must be the whole argument: Azure ML cannot add text to it",
        ),
        (
            "'${{ params.alpha }}'",
            "'${{ params.alpha }}' is not a pipeline parameter; write ${{ parameters.NAME }}",
        ),
        ("'${{alpha}}'", "'${{alpha}}' is not a pipeline parameter; write ${{ parameters.NAME }}"),
        (
            "'{{ parameters.alpha }}'",
            "{{ parameters.alpha }} is passed as text; write a pipeline parameter as ${{ parameters.alpha }}",
        ),
        ("'${{'", "'${{' is not a pipeline parameter; write ${{ parameters.NAME }}"),
    ],
)
def test_a_pipeline_parameter_that_is_none(problems, form, value, message):
    text = (
        "pipeline_parameters: {alpha: 1}\nsteps:\n  a:\n    script_name: a.py\n    " + form.format(value=value) + "\n"
    )

    assert problems(text) == [f"pipeline.yaml:5: step 'a': {message}"]


def test_a_pipeline_parameter_where_the_file_has_none(problems):
    text = "steps:\n  a:\n    script_name: a.py\n    arguments: ['${{ parameters.alpha }}']\n"

    assert problems(text) == ["pipeline.yaml:4: step 'a': 'alpha' is not in pipeline_parameters"]


def test_the_first_twenty_get_a_suggestion(problems):
    steps = "".join(f"  s{number:02}x: {{script_name: a.py, run_after: [s{number:02}y]}}\n" for number in range(25))

    lines = problems("steps:\n" + steps)

    close = [f"; did you mean 's{number:02}x'?" if number < 20 else "" for number in range(25)]
    assert lines == [
        f"pipeline.yaml:{number + 2}: step 's{number:02}x' runs after 's{number:02}y', "
        f"which is not a step{close[number]}"
        for number in range(25)
    ]


def test_the_error_holds_every_finding():
    pipeline = Pipeline(steps={"a": Step(script_name="a.py", run_after=("b", "c"))})

    with pytest.raises(WiringError) as caught:
        build_plan(pipeline)

    assert caught.value.findings == (
        PlanProblem(("steps", "a", "run_after", 0), "step 'a' runs after 'b', which is not a step"),
        PlanProblem(("steps", "a", "run_after", 1), "step 'a' runs after 'c', which is not a step"),
    )
    assert str(caught.value) == (
        "step 'a' runs after 'b', which is not a step\nstep 'a' runs after 'c', which is not a step"
    )


def test_every_reference_is_looked_at(problems):
    text = """\
steps:
  a: {script_name: a.py, input_folders: {--x: b/--no, --y: nowhere}, run_after: [c, b, d]}
  b: {script_name: b.py, output_folders: [--out], input_folders: {}}
"""

    assert problems(text) == [
        "pipeline.yaml:2: step 'a' reads --no of 'b', which is not an output of that step: it has --out",
        "pipeline.yaml:2: step 'a' reads the output of 'nowhere', which is not a step",
        "pipeline.yaml:2: step 'a' runs after 'c', which is not a step",
        "pipeline.yaml:2: step 'a' runs after 'd', which is not a step",
    ]

"""What a step passes and its script does not take: the whole message, with both places."""

from __future__ import annotations

from pathlib import Path

import pytest

from azml_tasks.checks.contract import check_contracts
from azml_tasks.checks.files import check_project
from azml_tasks.errors import ProjectError
from azml_tasks.reading import load_project
from azml_tasks.snapshot import SnapshotBuilder, take_snapshots

PARSER = "import argparse, json\np = argparse.ArgumentParser()\n"


def report(folder: Path, pipeline: str, files: dict[str, str]) -> list[str]:
    for name, text in {"pipeline.yaml": f"backend: local\n{pipeline}", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    found = check_project(load_project(folder / "pipeline.yaml", variables={}))
    return [*map(str, sorted(found.problems)), *(f"note: {note}" for note in found.notes)]


def said(folder: Path, arguments: str, declared: str) -> list[str]:
    """Return what is said of one step whose arguments stand in line 5, and whose script declares in line 3."""
    pipeline = f"steps:\n  s:\n    script_name: s.py\n    arguments: {arguments}\n"
    return report(folder, pipeline, {"s.py": f"{PARSER}{declared}\np.parse_args()\n"})


@pytest.mark.parametrize(
    ("arguments", "declared", "message"),
    [
        (
            "{--learning_rate: 1}",
            'p.add_argument("--learning-rate")',
            "passes --learning_rate, which s.py does not accept (its parser: s.py:2); did you mean --learning-rate?",
        ),
        (
            "{--ler: 1}",
            'for n in ("lr", "x"): p.add_argument(f"--{n}")',
            "passes --ler, which s.py does not accept (its parser: s.py:2); did you mean --lr?",
        ),
        ("{--x: 1}", "", "passes --x, which s.py does not accept (its parser: s.py:2)"),
        ("[--x=1]", "", "passes --x, which s.py does not accept (its parser: s.py:2)"),
        (
            "[--a, 1, b]",
            'p.add_argument("--a")',
            "passes 'b', but s.py has no positional argument for it (its parser: s.py:2)",
        ),
        (
            "{--lr: abc}",
            'p.add_argument("--lr", type=float)',
            "passes --lr 'abc', which is not a number (type=float, s.py:3)",
        ),
        (
            "{--n: 0.1}",
            'p.add_argument("--n", type=int)',
            "passes --n '0.1', which is not a whole number (type=int, s.py:3)",
        ),
        (
            "{--n: -x}",
            'p.add_argument("--n", type=int)',
            "passes --n '-x', which is not a whole number (type=int, s.py:3)",
        ),
        (
            "{--c: '{a'}",
            'p.add_argument("--c", type=json.loads)',
            "passes --c '{a', which is not JSON (type=json.loads, s.py:3)",
        ),
        (
            "{--opt: sdg}",
            'p.add_argument("--opt", choices=["sgd", "adam"])',
            "passes --opt 'sdg', which is not among its choices: sgd and adam (s.py:3); did you mean 'sgd'?",
        ),
        (
            "{--n: 3}",
            'p.add_argument("--n", type=int, choices=range(3))',
            "passes --n '3', which is not among its choices: 0, 1 and 2 (s.py:3)",
        ),
        (
            "{--v: 3}",
            'p.add_argument("--v", action="store_true")',
            "passes --v '3', but it takes no value (action='store_true', s.py:3)",
        ),
        (
            "[--v=3]",
            'p.add_argument("--v", action="store_true")',
            "passes --v a value, but it takes none (action='store_true', s.py:3)",
        ),
        ("{--x: 1}", 'p.add_argument("--x", nargs=2)', "passes --x with 1 value, but it takes 2 values (s.py:3)"),
        ("[--x]", 'p.add_argument("--x")', "passes --x with no value, but it takes 1 value (s.py:3)"),
        (
            "[--x]",
            'p.add_argument("--x", nargs="+")',
            "passes --x with no value, but it takes at least 1 value (s.py:3)",
        ),
        ("[x]", 'p.add_argument("n", type=int)', "passes as n 'x', which is not a whole number (type=int, s.py:3)"),
    ],
)
def test_what_is_passed_and_not_taken(tmp_path, arguments, declared, message):
    assert said(tmp_path, arguments, declared) == [f"pipeline.yaml:5: step 's' {message}"]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ('p.add_argument("--lr", required=True)', "--lr, which s.py requires (s.py:3)"),
        ('p.add_argument("-l", "--lr", required=True)', "--lr, which s.py requires (s.py:3)"),
        ('p.add_argument("--config", required=True)', "--config, which s.py requires (s.py:3); add step_config"),
        ('p.add_argument("path")', "the positional argument path, which s.py requires (s.py:3)"),
        ('p.add_argument("path", nargs="+")', "the positional argument path, which s.py requires (s.py:3)"),
    ],
)
def test_what_is_required_and_not_passed(tmp_path, declared, message):
    assert said(tmp_path, "{}", declared) == [f"pipeline.yaml:3: step 's' does not pass {message}"]


@pytest.mark.parametrize("arguments", ["{--password: Qx7vT2mK9pLw4z}", "[--password=Qx7vT2mK9pLw4z]"])
def test_what_looks_like_a_secret_is_not_repeated(tmp_path, arguments):
    assert said(tmp_path, arguments, 'p.add_argument("--password", type=int)') == [
        "pipeline.yaml:5: step 's' passes --password a value, which is not a whole number (type=int, s.py:3)"
    ]


def test_an_abbreviation_is_a_note(tmp_path):
    assert said(tmp_path, "{--learning: 1}", 'p.add_argument("--learning-rate")') == [
        "note: pipeline.yaml:5: step 's' passes --learning, which argparse accepts as an abbreviation of "
        "--learning-rate (s.py:3); write --learning-rate"
    ]


def test_a_parser_that_takes_no_abbreviations(tmp_path):
    script = (
        "import argparse\np = argparse.ArgumentParser(allow_abbrev=False)\np.add_argument('--rate')\np.parse_args()\n"
    )

    assert report(tmp_path, "steps:\n  s: {script_name: s.py, arguments: {--rat: 1}}\n", {"s.py": script}) == [
        "pipeline.yaml:3: step 's' passes --rat, which s.py does not accept (its parser: s.py:2); did you mean --rate?"
    ]


def test_an_option_that_is_both_wrong_and_missing_is_one_finding(tmp_path):
    assert said(tmp_path, "{--data_path: 1}", 'p.add_argument("--data-path", required=True)') == [
        "pipeline.yaml:5: step 's' passes --data_path, which s.py does not accept (its parser: s.py:2); "
        "did you mean --data-path?"
    ]


def test_all_that_is_wrong_at_once(tmp_path):
    arguments = "{--n: x, --v: 1, --other: 2}"
    declared = (
        'p.add_argument("--n", type=int); p.add_argument("--v", choices="ab"); p.add_argument("--m", required=True)'
    )

    assert said(tmp_path, arguments, declared) == [
        "pipeline.yaml:3: step 's' does not pass --m, which s.py requires (s.py:3)",
        "pipeline.yaml:5: step 's' passes --n 'x', which is not a whole number (type=int, s.py:3)",
        "pipeline.yaml:5: step 's' passes --other, which s.py does not accept (its parser: s.py:2)",
    ]


def test_a_folder_argument_under_another_name(tmp_path):
    pipeline = "steps:\n  a: {script_name: a.py}\n  b: {script_name: b.py}\n  c: {script_name: c.py}\n"
    a = PARSER + 'p.add_argument("--result-dir")\np.add_argument("--alpha")\np.parse_args()\n'
    b = PARSER + 'p.add_argument("--model_path")\np.add_argument("--output-folder")\np.parse_args()\n'
    c = PARSER + 'p.add_argument("--model-dir")\np.add_argument("--plots-dir")\np.parse_args()\n'

    assert report(tmp_path, pipeline, {"a.py": a, "b.py": b, "c.py": c}) == [
        "pipeline.yaml:3: step 'a' passes --output-folder, which a.py does not accept (its parser: a.py:2); "
        "`output_folders: [--result-dir]` passes it as --result-dir, `output_folders: []` passes none",
        "pipeline.yaml:4: step 'b' passes --input-folder, which b.py does not accept (its parser: b.py:2); "
        "`input_folders: {--model_path: a}` passes it as --model_path, `input_folders: {}` passes none",
        "pipeline.yaml:5: step 'c' passes --input-folder, which c.py does not accept (its parser: c.py:2); "
        "`input_folders: {}` passes none",
    ]


PLAIN = "import argparse\nargparse.ArgumentParser().parse_args()\n"


def test_the_folders_and_the_configuration(tmp_path):
    pipeline = """\
steps:
  a: {script_name: plain.py, step_config: {lr: 1}}
  b: {script_name: b.py}
  c: {script_name: c.py, input_folders: {--in: a}, input_datasets: {--new: t}}
datasets:
  t: {local_path: t.csv}
"""
    b = PARSER + 'p.add_argument("--input_folder")\np.add_argument("--output_folder")\np.parse_args()\n'
    c = PARSER + 'p.add_argument("--inn", type=int)\np.add_argument("--new", type=int)\np.parse_args()\n'

    assert report(tmp_path, pipeline, {"plain.py": PLAIN, "b.py": b, "c.py": c, "t.csv": "a\n1\n"}) == [
        "pipeline.yaml:3: step 'a' passes --config, which plain.py does not accept (its parser: plain.py:2); "
        'add parser.add_argument("--config", type=json.loads), or remove step_config',
        "pipeline.yaml:3: step 'a' passes --output-folder, which plain.py does not accept (its parser: plain.py:2); "
        "`output_folders: []` passes none",
        "pipeline.yaml:4: step 'b' passes --input-folder, which b.py does not accept (its parser: b.py:2); "
        "did you mean --input_folder (input_folders: {--input_folder: a})?",
        "pipeline.yaml:4: step 'b' passes --output-folder, which b.py does not accept (its parser: b.py:2); "
        "did you mean --output_folder (output_folders: [--output_folder])?",
        "pipeline.yaml:5: step 'c' passes --in a path, which is not a whole number (type=int, c.py:3)",
        "pipeline.yaml:5: step 'c' passes --new an id, which is not a whole number (type=int, c.py:4)",
        "note: pipeline.yaml:5: step 'c' passes --in, which argparse accepts as an abbreviation of --inn (c.py:3); "
        "write --inn",
    ]


FOLLOWED = {
    "a function": "import argparse\ndef main():\n    p = argparse.ArgumentParser()\n    return p.parse_args()\n"
    'if __name__ == "__main__":\n    args = main()\n',
    "functions in functions": "import argparse\ndef build(p):\n    p.add_argument('--a')\n    return p\n"
    "def main(argv=None):\n    args = build(argparse.ArgumentParser()).parse_args(argv)\nmain()\n",
    "sys.argv": "import argparse as ap, sys\nap.ArgumentParser().parse_args(sys.argv[1:])\nprint(sys.argv)\n",
    "sys.argv passed on": "import argparse, sys\ndef main(argv):\n    argparse.ArgumentParser().parse_args(args=argv)\n"
    "sys.exit(main(sys.argv[1:]))\n",
    "another module": "from lib import build\nimport os\nvars(build(os.name).parse_args())\n",
    "a try that raises": "import argparse, work\ntry:\n    work.start()\n    argparse.ArgumentParser().parse_args()\n"
    "except Exception as error:\n    print(error)\n    raise\n",
    "a try that ends": "import sys, argparse, work\ntry:\n    work.start()\n"
    "    argparse.ArgumentParser().parse_args()\n"
    "except Exception:\n    sys.exit(1)\n",
    "an import that may fail": "try:\n    import pandas\nexcept ImportError:\n    pandas = None\n" + PLAIN,
    "a check before": "import os\nif not os.path.isdir('x'):\n    raise ValueError('x')\n" + PLAIN,
    "a context": "import mlflow\nwith mlflow.start_run():\n    import argparse\n"
    "    argparse.ArgumentParser().parse_args()\n",
    "parents": "import argparse\nq = argparse.ArgumentParser(add_help=False)\nq.add_argument('--a')\n"
    "argparse.ArgumentParser(parents=[q]).parse_args()\n",
    "known ones first": "import argparse\nq = argparse.ArgumentParser(add_help=False)\nq.parse_known_args()\n" + PLAIN,
    "completion": "import argparse, argcomplete\np = argparse.ArgumentParser()\nargcomplete.autocomplete(p)\n"
    "p.parse_args()\n",
}
LIB = "import argparse\ndef build(name):\n    parser = argparse.ArgumentParser(description=name)\n    return parser\n"


@pytest.mark.parametrize("script", FOLLOWED.values(), ids=FOLLOWED)
def test_a_parser_is_followed_through(tmp_path, script):
    found = report(tmp_path, "steps:\n  s: {script_name: s.py, arguments: {--x: 1}}\n", {"s.py": script, "lib.py": LIB})

    assert [text.partition(" (")[0] for text in found] == [
        "pipeline.yaml:3: step 's' passes --x, which s.py does not accept"
    ]


PARAMETER = """\
pipeline_parameters: {count: none}
steps:
  s: {script_name: s.py, arguments: {--count: '${{ parameters.count }}'}}
"""
COUNT = PARSER + 'p.add_argument("--count", type=int)\np.parse_args()\n'


def test_the_default_of_a_pipeline_parameter_is_a_note_since_a_run_may_replace_it(tmp_path):
    assert report(tmp_path, PARAMETER, {"s.py": COUNT}) == [
        "note: pipeline.yaml:4: step 's' passes --count 'none', which is not a whole number (type=int, s.py:3)"
    ]


def test_the_value_of_a_pipeline_parameter_in_a_run_is_an_error(tmp_path):
    report(tmp_path, PARAMETER, {"s.py": COUNT})
    project = load_project(tmp_path / "pipeline.yaml", variables={})
    builder = SnapshotBuilder(tmp_path)
    steps = project.plan.steps
    snapshots = take_snapshots(builder, steps, project.problem)

    check_contracts(steps, snapshots, builder, project.problem, {"count": 3})
    with pytest.raises(ProjectError, match="--count 'none', which is not a whole number"):
        check_contracts(steps, snapshots, builder, project.problem, {"count": "none"})


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ('p.add_argument("--learning_rate")', "note: {}--learning_rate?"),
        ('p.add_argument("--learning_rate", required=True)', "{}--learning_rate?"),
        ('p.add_argument("--learnin-rate", required=True)', "{}--learnin-rate?"),
    ],
)
def test_a_name_that_parse_known_args_ignores(tmp_path, declared, message):
    pipeline = "steps:\n  s:\n    script_name: s.py\n    arguments: {--learning-rate: 1}\n"
    files = {"s.py": f"{PARSER}{declared}\np.parse_known_args()\n"}
    start = "pipeline.yaml:5: step 's' passes --learning-rate, which s.py ignores (its parser: s.py:2); did you mean "

    assert report(tmp_path, pipeline, files) == [message.format(start)]


def test_a_name_that_parse_known_args_leaves_to_others(tmp_path):
    pipeline = "steps:\n  s:\n    script_name: s.py\n    arguments: {--model-dir: 1, --other: 2}\n"
    parsers = 'p.add_argument("--model_dir")\np.parse_known_args()\n' + PARSER + 'p.add_argument("--model-dir")\n'

    assert report(tmp_path, pipeline, {"s.py": f"{PARSER}{parsers}p.parse_known_args()\n"}) == []


def test_the_line_of_an_item_of_a_list(tmp_path):
    pipeline = "steps:\n  s:\n    script_name: s.py\n    output_folders:\n      - --out\n      - --result\n"
    files = {"s.py": f"{PARSER}p.add_argument('--out'); a = p.parse_args(); print(a.out)\n"}

    assert report(tmp_path, pipeline, files) == [
        "pipeline.yaml:7: step 's' passes --result, which s.py does not accept (its parser: s.py:2)"
    ]


def test_a_long_chain_of_calls_is_followed_once(tmp_path):
    chain = "table" + "".join(f".method_{place}()" for place in range(40))
    code = f"{PARSER}p.add_argument('--a', type=int)\nimport pandas\ntable = pandas.read_csv('x')\n{chain}\n"
    pipeline = "steps:\n  s:\n    script_name: s.py\n    arguments: {--a: b}\n"

    assert report(tmp_path, pipeline, {"s.py": f"{code}p.parse_args()\n"}) == [
        "pipeline.yaml:5: step 's' passes --a 'b', which is not a whole number (type=int, s.py:3)"
    ]

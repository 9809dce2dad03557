"""What a script reads of that which its step passes: the whole message, with both places."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.contract.test_messages import report

PARSER = "import argparse, json, os\nfrom pathlib import Path\np = argparse.ArgumentParser()\n"
CONFIG = f'{PARSER}p.add_argument("--config", type=json.loads, default={{}})\nargs = p.parse_args()\n'
STEP = "steps:\n  s:\n    script_name: s.py\n"


def about_config(folder: Path, config: str, code: str) -> list[str]:
    """Return what is said of a step_config in line 5 and a script whose code starts at line 6."""
    return report(folder, f"{STEP}    step_config: {config}\n", {"s.py": CONFIG + code})


@pytest.mark.parametrize(
    ("config", "code", "said"),
    [
        ("{lr: 1}", 'print(args.config["lr"])', []),
        (
            "{lr: 1}",
            'print(args.config["lr"], args.config["epochs"])',
            ["pipeline.yaml:5: step 's' does not set 'epochs' in step_config, which s.py reads (s.py:6)"],
        ),
        (
            "{learn_rate: 1}",
            'config = args.config\nprint(config["learning_rate"])',
            [
                "pipeline.yaml:5: step 's' sets 'learn_rate' in step_config, but s.py reads 'learning_rate' (s.py:7); "
                "did you mean 'learning_rate'?"
            ],
        ),
        (
            "{epoch: 1}",
            'print(args.config.get("epochs", 3))',
            [
                "note: pipeline.yaml:5: step 's' sets 'epoch' in step_config, but s.py reads 'epochs' (s.py:6); did "
                "you mean 'epochs'?"
            ],
        ),
        (
            "{epoch: 1}",
            'print(args.config.get("epochs", 3))\nprint(args.config.get("epochs", 3))',
            [
                "note: pipeline.yaml:5: step 's' sets 'epoch' in step_config, but s.py reads 'epochs' (s.py:6); did "
                "you mean 'epochs'?"
            ],
        ),
        (
            "{epoch: 1}",
            'print(args.config.get("epochs", 3))\nprint(args.config["epochs"])\nprint(args.config["epochs"])',
            [
                "pipeline.yaml:5: step 's' sets 'epoch' in step_config, but s.py reads 'epochs' (s.py:7); did "
                "you mean 'epochs'?"
            ],
        ),
        (
            "{model: {depth: 1}}",
            'print(args.config["model"]["depth"], args.config["model"]["trees"])',
            [
                "pipeline.yaml:5: step 's' does not set 'trees' in step_config.model, which s.py reads (s.py:6)",
            ],
        ),
        (
            "{lr: 1, epochs: 2}",
            'print(args.config["lr"])',
            ["note: pipeline.yaml:5: step 's' sets 'epochs' in step_config, which s.py never reads"],
        ),
        (
            "{lr: 1}",
            "",
            ["note: pipeline.yaml:5: step 's' passes --config, which s.py declares and never uses (s.py:4)"],
        ),
        (
            "{lr: 1}",
            "print(args.confg)",
            [
                "pipeline.yaml:4: step 's': s.py:6 reads the argument 'confg', which its parser does not declare "
                "(s.py:3); did you mean 'config'?",
                "note: pipeline.yaml:5: step 's' passes --config, which s.py declares and never uses (s.py:4)",
            ],
        ),
        (
            "{lr: 1}",
            "import sys\nprint(args.config['lr'])\nif sys.stdin.isatty():\n    print(args.confg)\n"
            "    print(args.quite_another)",
            [
                "note: pipeline.yaml:4: step 's': s.py:9 reads the argument 'confg', which its parser does not declare "
                "(s.py:3); did you mean 'config'?",
            ],
        ),
        (
            "{momentum: 1}",
            "momentum = args.config['momentmu']",
            [
                "pipeline.yaml:5: step 's' sets 'momentum' in step_config, but s.py reads 'momentmu' (s.py:6); did you "
                "mean 'momentmu'?",
            ],
        ),
        (
            "{lr: 1}",
            'def train(config):\n    print(config["lr"], config["seed"])\ntrain(args.config)',
            ["pipeline.yaml:5: step 's' does not set 'seed' in step_config, which s.py reads (s.py:7)"],
        ),
    ],
)
def test_what_it_reads_of_step_config(tmp_path, config, code, said):
    assert about_config(tmp_path, config, code) == said


@pytest.mark.parametrize(
    "code",
    [
        'if "lr" in args.config:\n    print(args.config["lr"])',
        'print(args.config.get("lr"))',
        'print(args.config.get("lr", 1))',
        'try:\n    print(args.config["lr"])\nexcept KeyError:\n    pass',
        'import os\nif os.environ.get("X"):\n    print(args.config["lr"])',
        'def unused():\n    print(args.config["lr"])',
        'args.config["lr"] = 1\nprint(args.config["lr"])',
        'args.config.setdefault("lr", 1)\nprint(args.config["lr"])',
        'config = {"lr": 1, **args.config}\nprint(config["lr"])',
        'import defaults\ndefaults.fill(args.config)\nprint(args.config["lr"])',
        'class Trainer:\n    def __init__(self, config):\n        self.lr = config["lr"]\nTrainer(args.config)',
        'for key in ("lr",):\n    print(args.config.get(key))',
        "print([args.config[key] for key in args.config])",
        'import sys\nif not args.config.get("y"):\n    sys.exit(0)\nprint(args.config["lr"])',
    ],
)
def test_nothing_is_said_of_a_key_that_may_not_be_read(tmp_path, code):
    assert about_config(tmp_path, "{x: 1}", f'print(args.config["x"])\n{code}') == []


@pytest.mark.parametrize(
    "code",
    [
        "print(vars(args))",
        "print(dict(**args.config))",
        "for key, value in args.config.items():\n    print(key, value)",
        "import train\ntrain.run(args.config)",
        "import train\ntrain.run(args)",
        "lr = lambda: args.config",
        'names = ["epochs"]\nprint(args.config["lr"], [args.config[name] for name in names])',
        'print(args.config["lr"], getattr(args, "config"))\nkey = "epochs"\nprint(args.config[key])',
        "class Trainer:\n    def run(self):\n        return args.config",
    ],
)
def test_nothing_is_said_of_keys_that_may_be_read(tmp_path, code):
    assert about_config(tmp_path, "{lr: 1, epochs: 2}", code) == []


def test_a_text_that_is_decoded_later(tmp_path):
    code = f'{PARSER}p.add_argument("--config")\nconfig = json.loads(p.parse_args().config)\nprint(config["epochs"])\n'

    assert report(tmp_path, f"{STEP}    step_config: {{lr: 1}}\n", {"s.py": code}) == [
        "pipeline.yaml:5: step 's' does not set 'epochs' in step_config, which s.py reads (s.py:6)",
        "note: pipeline.yaml:5: step 's' sets 'lr' in step_config, which s.py never reads",
    ]


def test_a_step_without_step_config(tmp_path):
    assert report(tmp_path, STEP, {"s.py": f'{CONFIG}print(args.config["lr"])\n'}) == [
        "pipeline.yaml:3: step 's' passes no step_config, but s.py reads 'lr' of it (s.py:6)"
    ]


def test_a_step_without_step_config_whose_script_has_no_default(tmp_path):
    code = f'{PARSER}p.add_argument("--config", type=json.loads)\nargs = p.parse_args()\nprint(args.config["lr"])\n'

    assert report(tmp_path, STEP, {"s.py": code}) == [
        "note: pipeline.yaml:3: step 's' does not pass --config, but s.py uses it (s.py:6; its parser: s.py:4); add "
        "step_config"
    ]


FOLDERS = """\
steps:
  a: {script_name: a.py}
  b:
    script_name: b.py
"""
BOTH = (
    f'{PARSER}p.add_argument("--input-folder", type=Path)\np.add_argument("--output-folder")\nargs = p.parse_args()\n'
)


def test_folders_that_are_never_used(tmp_path):
    files = {"a.py": f"{BOTH}print(args)\n", "b.py": f"{BOTH}print(args)\n"}

    assert report(tmp_path, FOLDERS, files) == [
        "note: pipeline.yaml:3: step 'a' passes --output-folder, which a.py declares and never uses (a.py:5), so the "
        "folder stays empty; `output_folders: []` passes none",
        "note: pipeline.yaml:4: step 'b' passes --input-folder, which b.py declares and never uses (b.py:4); "
        "`input_folders: {}` passes none",
    ]


def test_a_step_that_lost_its_input(tmp_path):
    read = f"{BOTH}print(sorted((args.input_folder / 'x').glob('*')))\n"

    assert report(tmp_path, "steps:\n  b:\n    script_name: b.py\n", {"b.py": read}) == [
        "note: pipeline.yaml:3: step 'b' does not pass --input-folder, but b.py uses it (b.py:7; its parser: b.py:4)"
    ]


def test_a_script_that_is_ready_to_have_no_input(tmp_path):
    read = f"{BOTH}if args.input_folder:\n    print(args.input_folder / 'x')\nprint(args.output_folder or Path('y'))\n"

    assert report(tmp_path, "steps:\n  b:\n    script_name: b.py\n", {"b.py": read}) == []


DATA = (
    "datasets: {customers: {local_path: c.csv}}\nsteps:\n  s:\n    script_name: s.py\n    input_datasets: {DATASET}\n"
)
RUN = "from azureml.core import Run\nrun = Run.get_context()\n"


HIDDEN = (
    "f(lambda row: row * {})",
    "print([{} for row in (1, 2)])",
    "class Model:\n    def lr(self):\n        return {}",
    "@decorated\ndef g():\n    return {}",
    "def g():\n    yield {}",
    "def g():\n    return {}\nf(g)",
)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("code", HIDDEN)
def test_what_code_that_is_not_followed_reads(tmp_path, code, before):
    """The rest of step_config and of the arguments is checked as without it."""
    read = code.format('args.config["lr"]') + "\n"
    code = f"{read if before else ''}args = p.parse_args()\n{'' if before else read}print(args.config['sede'])\n"
    script = f"from f import *\n{PARSER}p.add_argument('--config', type=json.loads)\n{code}"
    pipeline = f"{STEP}    step_config: {{lr: 1, seed: 2, spare: 3}}\n"

    where = report(tmp_path, pipeline, {"s.py": script})

    assert [line.partition("; did")[0].partition(" (")[0] for line in where] == [
        "pipeline.yaml:5: step 's' sets 'seed' in step_config, but s.py reads 'sede'",
        "note: pipeline.yaml:5: step 's' sets 'spare' in step_config, which s.py never reads",
    ]


@pytest.mark.parametrize(
    "code",
    [
        "f(lambda row: args)",
        "f(lambda: args.config)",
        "f(lambda: setattr(args, 'x', 1))",
        "class Model:\n    def set(self):\n        args.config['seed'] = 1",
        "class Model:\n    def set(self):\n        args.config = {'seed': 1}",
        "f(lambda: args.config.update(seed=1))",
        "f(lambda: vars(args))",
        "f(lambda: args.__dict__)",
        "f(args.__dict__)",
    ],
)
def test_nothing_is_said_of_what_code_that_is_not_followed_may_change(tmp_path, code):
    script = f"from f import *\n{PARSER}p.add_argument('--config', type=json.loads)\nargs = p.parse_args()\n"

    files = {"s.py": f"{script}{code}\nprint(args.config['seed'])\n"}

    said = report(tmp_path, f"{STEP}    step_config: {{lr: 1}}\n", files)

    assert said == []


@pytest.mark.parametrize(
    "code",
    ["f(lambda args: args.confg)", "print([args.confg for args in f()])", "def g(args):\n    print(args.confg)\nf(g)"],
)
def test_another_value_of_the_same_name(tmp_path, code):
    script = f"from f import *\n{PARSER}p.add_argument('--config', type=json.loads)\nargs = p.parse_args()\n"

    said = report(tmp_path, f"{STEP}    step_config: {{lr: 1}}\n", {"s.py": f"{script}print(args.config)\n{code}\n"})

    assert said == []


@pytest.mark.parametrize(
    ("imports", "is_said"),
    [("import sklearn, numpy", True), ("import of_our_own", False), ("import azureml.core", False)],
)
def test_a_dataset_of_a_script_that_does_not_ask_for_its_run(tmp_path, imports, is_said):
    pipeline = DATA.replace("DATASET", "--data: customers")
    code = f"{PARSER}{imports}\np.add_argument('--data')\np.parse_args()\n"
    note = "note: pipeline.yaml:6: step 's' has the dataset 'customers', which s.py never reads"

    assert report(tmp_path, pipeline, {"s.py": code, "c.csv": "a\n1\n"}) == ([note] if is_said else [])


@pytest.mark.parametrize(
    ("dataset", "code", "said"),
    [
        ("customers: customers", "run.input_datasets['customers']", []),
        (
            "customers: customers",
            "run.input_datasets['customer'].to_pandas_dataframe()",
            [
                "pipeline.yaml:6: step 's' has no dataset 'customer', which s.py reads (run.input_datasets["
                "'customer'], s.py:3); did you mean 'customers'?",
            ],
        ),
        (
            "customers: customers",
            "run.log('rows', 3)",
            ["note: pipeline.yaml:6: step 's' has the dataset 'customers', which s.py never reads"],
        ),
        (
            "--customers: customers",
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('--customers', help='of customers')\n"
            "p.parse_args()",
            ["note: pipeline.yaml:6: step 's' has the dataset 'customers', which s.py never reads"],
        ),
        *(
            (
                "customers: customers",
                f"from azureml.core.run import _OfflineRun\nif {offline}:\n    table = None\nelse:\n"
                "    table = run.input_datasets['orders']",
                [
                    "pipeline.yaml:6: step 's' has no dataset 'orders', which s.py reads "
                    "(run.input_datasets['orders'], s.py:7)",
                    "note: pipeline.yaml:6: step 's' has the dataset 'customers', which s.py never reads",
                ],
            )
            for offline in (
                "run.id.startswith('OfflineRun')",
                "type(run) == _OfflineRun",
                "isinstance(run, _OfflineRun)",
            )
        ),
        ("customers: customers", "for name in run.input_datasets:\n    print(name)", []),
        ("customers: customers", "import mine\nmine.read(run)", []),
        ("customers: customers", "Dataset.get_by_name(run.experiment.workspace, 'customers')", []),
        ("customers: customers", "import os\nos.listdir(os.environ['AZUREML_DATAREFERENCE_customers'])", []),
        (
            "customers: customers",
            "if run.id.startswith('x'):\n    run.input_datasets['orders']\nelse:\n    print('customers')",
            [],
        ),
    ],
)
def test_datasets_of_the_run(tmp_path, dataset, code, said):
    pipeline = DATA.replace("DATASET", dataset)

    assert report(tmp_path, pipeline, {"s.py": f"{RUN}{code}\n", "c.csv": "a\n1\n"}) == said

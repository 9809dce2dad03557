"""Step scripts in the manners of published ones, each with what its step passes: nothing is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Imitation:
    """A script, the keys of its step, and other files of the project.

    With `unseen`, a reason, mistakes in its arguments are out of reach.
    """

    source: str
    keys: Mapping[str, object] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    unseen: str = ""


_TRAIN = {"arguments": ["--data-path", "data", "--learning-rate", "0.1", "--epochs", "3", "--optimizer", "adam"]}

IMITATIONS = {
    "at the top": Imitation(
        """\
import argparse
import os

from azureml.core import Run

run = Run.get_context()
parser = argparse.ArgumentParser()
parser.add_argument("--data-path", type=str, required=True)
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--epochs", type=int, required=True, help="how often")
parser.add_argument("--optimizer", dest="optimizer")
args = parser.parse_args()
print(os.listdir(args.data_path), args.learning_rate, args.epochs, args.optimizer)
""",
        _TRAIN,
    ),
    "under its name": Imitation(
        """\
import argparse
import os

from azureml.core import Run

run = Run.get_context()
if __name__ == '__main__':
    parser = argparse.ArgumentParser('train')
    parser.add_argument("--data-path", type=str, required=True)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--epochs", type=int, required=True, help="how often")
    parser.add_argument("--optimizer", dest="optimizer")
    args, _ = parser.parse_args(), None
    print(os.listdir(args.data_path), args.learning_rate, args.epochs, args.optimizer)
""",
        _TRAIN,
    ),
    "main and a function": Imitation(
        """\
import argparse
import os

from azureml.core import Run

run = Run.get_context()


def parse_args(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-path", type=str, required=True)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--epochs", type=int, required=True, help="how often")
    parser.add_argument("--optimizer", dest="optimizer")
    return parser.parse_args(argv)


def main(args):
    print(os.listdir(args.data_path), args.learning_rate, args.epochs, args.optimizer)


if __name__ == '__main__':
    print('*' * 60)
    args = parse_args()
    main(args)
    run.complete()
""",
        _TRAIN,
    ),
    "argv or the command line": Imitation(
        """\
import sys
import argparse
import os

from azureml.core import Run

run = Run.get_context()


def main(argv=None):
    argv = argv or sys.argv[1:]
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-path", type=str, required=True)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--epochs", type=int, required=True, help="how often")
    parser.add_argument("--optimizer", dest="optimizer")
    args = parser.parse_args(argv)
    print(os.listdir(args.data_path), args.learning_rate, args.epochs, args.optimizer)


if __name__ == '__main__':
    sys.exit(main())
""",
        _TRAIN,
    ),
    "argv if there is none": Imitation(
        """\
import sys
import argparse
import os

from azureml.core import Run

run = Run.get_context()


def main(argv=None):
    if argv is None:
        argv = sys.argv[1:]
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-path", type=str, required=True)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--epochs", type=int, required=True, help="how often")
    parser.add_argument("--optimizer", dest="optimizer")
    args = parser.parse_args(argv)
    print(os.listdir(args.data_path), args.learning_rate, args.epochs, args.optimizer)


main()
""",
        _TRAIN,
    ),
    "another module": Imitation(
        """\
import argparse
import os

from azureml.core import Run

run = Run.get_context()
from options import get_parser

args = get_parser().parse_args()
print(os.listdir(args.data_path), args.learning_rate, args.epochs, args.optimizer)
""",
        _TRAIN,
        {
            "options.py": """\
import argparse


def get_parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-path", type=str, required=True)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--epochs", type=int, required=True, help="how often")
    parser.add_argument("--optimizer", dest="optimizer")
    return parser
"""
        },
    ),
    "groups": Imitation(
        """\
import argparse
import os

from azureml.core import Run

run = Run.get_context()
p = argparse.ArgumentParser()
parser = p.add_argument_group('training')
parser.add_argument("--data-path", type=str, required=True)
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--epochs", type=int, required=True, help="how often")
parser.add_argument("--optimizer", dest="optimizer")
args = p.parse_args()
print(os.listdir(args.data_path), args.learning_rate, args.epochs, args.optimizer)
""",
        _TRAIN,
    ),
    "the known arguments": Imitation(
        """\
import argparse
import os

from azureml.core import Run

run = Run.get_context()
parser = argparse.ArgumentParser()
parser.add_argument("--data-path", type=str, required=True)
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--epochs", type=int, required=True, help="how often")
parser.add_argument("--optimizer", dest="optimizer")
args, unknown = parser.parse_known_args()
print(os.listdir(args.data_path), args.learning_rate, args.epochs, args.optimizer)
""",
        _TRAIN,
    ),
    "the first of the known": Imitation(
        """\
import argparse
import os

from azureml.core import Run

run = Run.get_context()
parser = argparse.ArgumentParser()
parser.add_argument("--data-path", type=str, required=True)
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--epochs", type=int, required=True, help="how often")
parser.add_argument("--optimizer", dest="optimizer")
args = parser.parse_known_args()[0]
print(os.listdir(args.data_path), args.learning_rate, args.epochs, args.optimizer)
""",
        _TRAIN,
    ),
    "a class": Imitation(
        """\
import argparse
import os

from azureml.core import Run

run = Run.get_context()


class Options:
    def parse(self):
        parser = argparse.ArgumentParser()
        parser.add_argument("--data-path", type=str, required=True)
        parser.add_argument("--learning-rate", type=float, default=0.01)
        parser.add_argument("--epochs", type=int, required=True, help="how often")
        parser.add_argument("--optimizer", dest="optimizer")
        return parser.parse_args()


args = Options().parse()
print(os.listdir(args.data_path), args.learning_rate, args.epochs, args.optimizer)
""",
        _TRAIN,
        unseen="the parser is built in a class",
    ),
    "a condition": Imitation(
        """\
import argparse
import os

from azureml.core import Run

run = Run.get_context()
parser = argparse.ArgumentParser()
parser.add_argument("--data-path", type=str, required=True)
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--epochs", type=int, required=True, help="how often")
parser.add_argument("--optimizer", dest="optimizer")
if os.environ.get('LOCAL'):
    args = parser.parse_args([])
else:
    args = parser.parse_args()
print(os.listdir(args.data_path), args.learning_rate, args.epochs, args.optimizer)
""",
        _TRAIN,
        unseen="the parser is used under a condition",
    ),
    "click": Imitation(
        """\
import click


@click.command()
@click.option('--data-path', required=True)
def main(data_path):
    print(data_path)


main()
""",
        {"arguments": ["--data-path", "data"]},
        unseen="click",
    ),
    "subcommands": Imitation(
        """\
import argparse
import os

from azureml.core import Run

run = Run.get_context()
parser = argparse.ArgumentParser()
commands = parser.add_subparsers(dest='command')
train = commands.add_parser('train')
train.add_argument('--epochs', type=int)
args = parser.parse_args()
print(args.command, args.epochs)
""",
        {"arguments": ["train", "--epochs", "3"]},
        unseen="the parser has subcommands",
    ),
    "hyperparameters": Imitation(
        """\
import argparse
import json

from azureml.core import Run


def train(config):
    rate = config['learning_rate']
    for epoch in range(config['epochs']):
        print(epoch, rate)


parser = argparse.ArgumentParser()
parser.add_argument('--config', type=json.loads, required=True)
args = parser.parse_args()
run = Run.get_context()
train(args.config)
run.log('seed', args.config['random_seed'])
run.complete()
""",
        {"step_config": {"learning_rate": 0.1, "epochs": 3, "random_seed": 42}},
    ),
    "hyperparameters in a text": Imitation(
        """\
import argparse
import json

parser = argparse.ArgumentParser()
parser.add_argument('--config', type=str)
config = json.loads(parser.parse_args().config)
model = config['model']
print(model['trees'], config['max_depth'], config.get('seed', 1))
""",
        {"step_config": {"model": {"trees": 10}, "max_depth": 3}},
    ),
    "hyperparameters of a class": Imitation(
        """\
import argparse
import json


class Trainer:
    def __init__(self, config):
        self.rate = config['rate']


parser = argparse.ArgumentParser()
parser.add_argument('--config', type=json.loads)
args = parser.parse_args()
Trainer(args.config)
""",
        {"step_config": {"rate": 0.1}},
        unseen="the keys are read in a class",
    ),
    "datasets": Imitation(
        """\
import argparse
import os

from azureml.core import Run

run = Run.get_context()
parser = argparse.ArgumentParser()
parser.add_argument('--customers')
parser.add_argument('--output-folder')
args = parser.parse_args()
table = run.input_datasets['customers'].to_pandas_dataframe()
orders = run.input_datasets['orders'].to_pandas_dataframe()
os.makedirs(args.output_folder, exist_ok=True)
table.merge(orders).to_csv(os.path.join(args.output_folder, 'all.csv'))
""",
        {"input_datasets": {"--customers": "customers", "orders": "orders"}, "output_folders": ["--output-folder"]},
    ),
    "a dataset in a function": Imitation(
        """\
from azureml.core import Run


def read(run):
    return run.input_datasets['readings'].to_pandas_dataframe()


if __name__ == '__main__':
    run = Run.get_context()
    print(len(read(run)))
""",
        {"input_datasets": {"readings": "readings"}},
    ),
}

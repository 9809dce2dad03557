"""Each step by itself: it takes what its place in the pipeline gives, and goes without the rest."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import yaml

PROJECT = Path(__file__).parent.parent
STEPS = yaml.safe_load((PROJECT / "pipeline.yaml").read_text(encoding="utf-8"))["steps"]


def load(step: dict) -> ModuleType:
    name = step["script_name"].removesuffix(".py")
    script = PROJECT / step.get("script_directory", ".") / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", STEPS)
def test_step_takes_its_arguments(name):
    arguments = STEPS[name].get("input_datasets", {})
    datasets = [f"{argument}=id" for argument in arguments if argument.startswith("--")]
    folders = ["--input-folder", "in", "--output-folder", "out"]

    args = load(STEPS[name]).parse_arguments(["--config", '{"max_rows": 5}', *datasets, *folders])

    assert args.config == {"max_rows": 5}
    assert args.input_folder == Path("in")
    assert args.output_folder == Path("out")


@pytest.mark.parametrize("name", STEPS)
def test_step_goes_without_arguments(name):
    args = load(STEPS[name]).parse_arguments([])

    assert args.config == {}
    assert args.input_folder is None
    assert args.output_folder is None

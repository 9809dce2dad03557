"""Test that each script accepts the arguments that pipeline.yaml passes to it."""

import ast
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

PROJECT = Path(__file__).parent.parent
STEPS = yaml.safe_load((PROJECT / "pipeline.yaml").read_text(encoding="utf-8"))["steps"]
# Steps with these keys define their own arguments.
OWN_ARGUMENTS = {"arguments", "input_folders", "output_folders"}


def arguments_of(name: str) -> list[str]:
    """Return the arguments of a step, from its keys and its position in the pipeline."""
    step, names = STEPS[name], list(STEPS)
    arguments = []
    if step.get("step_config"):
        arguments += ["--config", json.dumps(step["step_config"], default=str)]
    for argument in step.get("input_datasets") or {}:
        arguments += [argument, "id"] if argument.startswith("-") else []
    if name != names[0]:
        arguments += ["--input-folder", "in"]
    if name != names[-1]:
        arguments += ["--output-folder", "out"]
    return arguments


def has_parser(script: Path) -> bool:
    """Return whether the script has `parse_arguments(argv)` and is safe to import."""
    body = ast.parse(script.read_bytes()).body
    functions = [part for part in body if isinstance(part, ast.FunctionDef) and part.args.args]
    tests = [ast.unparse(part.test) for part in body if isinstance(part, ast.If)]
    return "parse_arguments" in [function.name for function in functions] and any(
        test.startswith("__name__ ==") for test in tests
    )


def load(script: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import the script like a run does: modules in its folder come first."""
    beside = {file.stem for file in script.parent.iterdir()}
    for name in [name for name in sys.modules if name.partition(".")[0] in beside]:
        monkeypatch.delitem(sys.modules, name)  # same name, but from another folder
    monkeypatch.syspath_prepend(str(PROJECT))
    monkeypatch.syspath_prepend(str(script.parent))
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, script.stem, module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", STEPS)
def test_step_accepts_its_arguments(name: str, monkeypatch: pytest.MonkeyPatch):
    step = STEPS[name]
    file = step["script_name"].removesuffix(".py") + ".py"
    script = PROJECT / step.get("script_directory", ".") / file
    # Any script may be a step. Scripts that parse their arguments on import are tested by
    # test_pipeline.py, which runs all steps.
    if not has_parser(script):
        pytest.skip(f"{file} has no parse_arguments(argv), or runs when it is imported")
    if OWN_ARGUMENTS & step.keys():
        pytest.skip(f"'{name}' defines its own arguments")

    load(script, monkeypatch).parse_arguments(arguments_of(name))

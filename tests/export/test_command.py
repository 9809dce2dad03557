"""What a script gets in v2 is what it gets from v1 and from a local run, whatever stands in it.

v2 is played by putting the values of the inputs into the command as text, and by the shell that then runs it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from azml_tasks.export import command
from azml_tasks.local.step.arguments import StepFolders, resolve_arguments
from azml_tasks.reading import Project
from tests.export.examples import EXAMPLES, FILES
from tests.export.projects import documents, project, with_sdk

SHELL = shutil.which("sh")
needs_shell = pytest.mark.skipif(SHELL is None, reason="there is no shell here, and Azure ML's is one")
SHOW = "import json, sys; print(json.dumps(sys.argv[1:]))"


def ran(line: str, **values: str) -> list[str]:
    """Return the arguments that a script gets from a command with the values of its inputs in it."""
    filled = re.sub(r"\$\{\{(?:inputs|outputs)\.(\w+)\}\}", lambda found: values[found[1]], line)
    assert "${{" not in filled
    assert "$[[" not in filled
    assert SHELL
    done = subprocess.run([SHELL, "-c", filled], check=True, capture_output=True, text=True, encoding="utf-8")
    arguments: list[str] = json.loads(done.stdout)
    return arguments


def shown(*words: str) -> str:
    """Return a command that shows its arguments."""
    return " ".join([command.word(sys.executable), "-c", command.word(SHOW), *words])


ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
slow = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.thorough
@needs_shell
@slow
@given(st.lists(ANY_TEXT, max_size=4))
@example(
    ["it's", '"$HOME"', "`id`", "$(id)", "a\\", "a\nb", "*", "~", "", "-x", "$[[y]]", "${{inputs.x}}", "!x", "&|;<>#"]
)
def test_any_argument_reaches_the_script_as_it_is(words):
    assert ran(shown(*map(command.word, words))) == words


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.thorough
@needs_shell
@slow
@given(st.dictionaries(ANY_TEXT, JSON, max_size=3))
@example({"it's": "\\'", "$": '${{inputs.config}} $[[x]] $HOME `id` & "quoted" \\u0027', "é": "\n"})
def test_any_configuration_is_the_same_object_to_the_script(value):
    line = shown("--config", command.input_of("config"))

    option, text = ran(line, config=command.json_inside(value))

    assert (option, json.loads(text)) == ("--config", value)


@pytest.mark.thorough
@needs_shell
@slow
@given(ANY_TEXT.filter(lambda text: "${{" not in text and "$[[" not in text))
def test_any_value_of_a_parameter_reaches_the_script_as_it_is(value):
    sent = command.value_inside(value)

    assert ran(shown(command.input_of("x")), x=sent) == [value]
    assert sent != ""
    assert command.text_of(sent) == value


def same(made: Project) -> Project:
    """Return the project."""
    return made


def values_of(files: dict[str, Any], job: str) -> dict[str, str]:
    """Return the values that v2 puts into a job's command: of inputs, and paths for what is data."""
    pipeline = files["pipeline.yml"]
    node = pipeline["jobs"][job]
    values = {name: f"/out/{name}" for name in node.get("outputs", {})}
    for name, binding in node.get("inputs", {}).items():
        found = re.fullmatch(r"\$\{\{parent\.inputs\.(\w+)\}\}", binding) if isinstance(binding, str) else None
        value = pipeline["inputs"][found[1]] if found else None
        values[name] = value if isinstance(value, str) else f"/in/{name}"
    return values


def locally(made: Project, key: str) -> list[str]:
    """Return the arguments that a local run gives a step, with names for folders."""
    plan = made.plan
    written = {(step.key, output.name): Path("/in") for step in plan.steps for output in step.outputs}
    own = {output.name: Path("/out") for output in plan[key].outputs}
    given_ = resolve_arguments(
        plan[key],
        made.pipeline,
        made.pipeline.pipeline_parameters,
        StepFolders(Path("/"), written, own, Path("/temporary")),
    )
    return list(given_.argv)


@needs_shell
@pytest.mark.parametrize("of", [same, with_sdk], ids=["stand-in", "sdk"])
@pytest.mark.parametrize("example_", ["a line", "a fan", "names", "order", "parameters"])
def test_the_steps_of_an_example_get_the_arguments_of_a_local_run(example_, of, tmp_path):
    made = of(project(tmp_path, EXAMPLES[example_], FILES))
    files = documents(made)
    for key, job in zip(made.pipeline.steps, files["pipeline.yml"]["jobs"], strict=True):
        line = files[f"components/{job}.yml"]["command"]
        script, arguments_ = started(line)
        assert script == made.pipeline.steps[key].script_name

        arguments = ran(shown(arguments_), **values_of(files, job))

        assert [plain(word) for word in arguments] == [plain(word) for word in locally(made, key)]


@needs_shell
def test_numbers_and_values_that_look_like_options_reach_the_script_as_in_a_local_run(tmp_path):
    text = """\
pipeline_parameters: {low: -2e-5}
steps:
  parsed: {script_name: a.py, arguments: {--low: "${{ parameters.low }}", --shift: -1e-5, --note: "-x"}}
  by_hand: {script_name: b.py, input_folders: {}, arguments: {--note: "-x"}}
"""
    files = documents(project(tmp_path, text, {"a.py": "", "b.py": "import sys\nprint(sys.argv)\n"}))

    words = {job: ran(shown(*_words(files, job)), **values_of(files, job)) for job in ("parsed", "by_hand")}

    assert words["parsed"][-5:] == ["--low", "-0.00002", "--shift", "-0.00001", "--note=-x"]
    assert words["by_hand"] == ["--note", "-x"]


def _words(files: dict[str, Any], job: str) -> list[str]:
    return started(files[f"components/{job}.yml"]["command"])[1:]


def started(line: str) -> tuple[str, str]:
    """Return the script that a command starts, and its arguments as the shell reads them."""
    front, *_ = line.split(" ", 2)
    assert front == "python"
    words = line.partition(" -- " if line.startswith("python azml_step ") else " ")[2]
    script, _, arguments = words.partition(" ")
    return script, arguments


def plain(word: str) -> object:
    """Return a word as it can be compared: the object of a JSON text, and no more than the kind of a folder."""
    if word.startswith(("/in", "/out")):
        return word.split("/")[1]
    return json.loads(word) if word.startswith("{") else word

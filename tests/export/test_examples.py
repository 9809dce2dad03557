"""What holds for every export: it can be read back, refers to nothing that is not there, and shows no secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from azml_tasks.export import export, write
from tests.export.examples import EXAMPLES, FILES
from tests.export.projects import VARIABLES, documents, project, texts

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")


@pytest.fixture(params=EXAMPLES)
def made(request, tmp_path):
    return project(tmp_path, EXAMPLES[request.param], FILES)


def references(value: Any) -> Iterator[str]:
    """Yield what stands in the expressions of a document."""
    if isinstance(value, dict):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, str):
        yield from _EXPRESSION.findall(value)


def test_every_reference_of_a_command_is_an_input_or_an_output_of_its_component(made):
    for path, component in documents(made).items():
        if path.startswith("components/"):
            known = {f"inputs.{name}" for name in component.get("inputs", {})}
            known |= {f"outputs.{name}" for name in component.get("outputs", {})}
            used = set(references(component["command"]))
            assert used <= known
            # What no argument names is there for the order alone.
            assert all(re.match(r"inputs\.after_|outputs\.done$", name) for name in known - used)


def test_every_reference_of_the_pipeline_leads_to_an_input_or_to_another_job_s_output(made):
    files = documents(made)
    pipeline = files["pipeline.yml"]
    known = {f"parent.inputs.{name}" for name in pipeline.get("inputs", {})}
    for job, node in pipeline["jobs"].items():
        known |= {f"parent.jobs.{job}.outputs.{name}" for name in node.get("outputs", {})}
        component = files[node["component"].removeprefix("./")]
        assert list(node.get("inputs", {})) == list(component.get("inputs", {}))
        assert list(node.get("outputs", {})) == list(component.get("outputs", {}))
    used = {reference for node in pipeline["jobs"].values() for reference in references(node.get("inputs", {}))}
    assert used <= known


def test_every_yaml_file_but_conda_s_starts_with_its_schema(made):
    for path, text in texts(export(made)).items():
        if not path.endswith(("conda.yml", "Dockerfile")):
            assert re.match(r"\$schema: https://azuremlschemas\.azureedge\.net/latest/\w+\.schema\.json\n", text)


def test_exporting_twice_gives_the_same_bytes(made):
    first, second = ({path: file.read() for path, file in export(made).files.items()} for _ in range(2))

    assert list(first.items()) == list(second.items())


def test_what_was_exported_is_no_part_of_the_next_export(tmp_path):
    made = project(tmp_path, "steps: {a: {script_name: a.py, snapshot: directory, include: ['**/*.yml']}}", FILES)
    files = export(made).files
    write(tmp_path, files)

    assert list(export(made).files) == list(files)


def test_no_secret_is_written(made):
    for text in texts(export(made)).values():
        assert VARIABLES["CHURN_STORAGE_KEY"] not in text
        assert "credentials" not in text


def test_a_schedule_s_name_leads_out_of_no_folder(tmp_path):
    text = "steps: {a: {script_name: a.py}}\nschedule: {frequency: Day, name: ../../s}\n"

    written = export(project(tmp_path, text, FILES)).files

    assert [path for path in written if path.startswith("schedules")] == ["schedules/s.yml"]
    assert all(".." not in path.split("/") for path in written)

"""Whatever pipeline.yaml says, an export is whole: it can be read back, and refers to nothing that is not there."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from azml_tasks.errors import ProjectError
from azml_tasks.export import export
from azml_tasks.reading import load_project
from tests.export import test_examples
from tests.export.projects import documents
from tests.fuzz.strategies import pipelines, written

pytestmark = pytest.mark.thorough
JOB = re.compile(r"[a-z][a-z0-9_]*")
PORT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@given(tree=pipelines())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_pipeline_that_is_right_can_be_exported(tree):
    with tempfile.TemporaryDirectory() as folder:
        for script in ("a.py", "b/c.py", "steps/a.py", "steps/b/c.py"):
            Path(folder, script).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, script).write_text("import azureml\nrun.log('a', 1)\n", encoding="utf-8")
        file = Path(folder, "pipeline.yaml")
        tree = {**tree, "env_name": "e", "compute_name": "cpu-1"}
        file.write_text(written(tree), encoding="utf-8")
        try:
            made = load_project(file, variables={"A": "abc", "UNSET": "abc"})
            exported = export(made)
        except ProjectError:
            assume(False)

        files = documents(made)
        jobs = files["pipeline.yml"]["jobs"]
        assert len(jobs) == len(made.pipeline.steps)
        assert all(map(JOB.fullmatch, jobs))
        for node in jobs.values():
            ports = [*node.get("inputs", {}), *node.get("outputs", {})]
            assert all(map(PORT.fullmatch, ports))
            assert len({port.casefold() for port in ports}) == len(ports)
        test_examples.test_every_reference_of_a_command_is_an_input_or_an_output_of_its_component(made)
        test_examples.test_every_reference_of_the_pipeline_leads_to_an_input_or_to_another_job_s_output(made)
        assert {path.split("/")[1] for path in exported.files if path.startswith("code/")} == set(jobs)
        assert all(remark.line for remark in exported.remarks)

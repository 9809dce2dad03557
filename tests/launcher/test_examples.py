"""One pipeline.yaml, the same scripts: a job gives the metrics and the files of a local run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from azml_tasks.local.run.runner import run_pipeline
from azml_tasks.local.store.records import LocalRunRecord
from azml_tasks.reading import Project, load_project
from azml_tasks.runs.metrics import Metrics
from tests.export.projects import VARIABLES, iris
from tests.launcher.jobs import Workspace
from tests.launcher.tracking import Server, TrackedRun
from tests.template.conftest import copy, template

__all__ = ["copy", "template"]


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by their path in it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def store(project: Project, blobs: Path) -> None:
    """Put the local data of the datasets where the datastores have them."""
    for dataset in project.pipeline.datasets.values():
        if dataset.local_path and dataset.is_declared:
            target = blobs / str(dataset.datastore_name) / dataset.paths[0].strip("/")
            source = project.directory / dataset.local_path
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)


def metrics_of(run: TrackedRun) -> dict[str, list[Any]]:
    return {name: [value for _, value in values] for name, values in run.metrics.items()}


def check(project: Project, local: LocalRunRecord, folder: Path, server: Server) -> None:
    """Run the steps as jobs, and compare each with the local run's."""
    workspace = Workspace(folder, project)
    store(project, workspace.blobs)
    for step, name in zip(project.plan.steps, workspace.jobs, strict=True):
        server.runs["step"] = TrackedRun()
        job = workspace.job(name)
        own = project.directory / step.step.script_directory / step.step.script_name
        assert (job.folder / step.step.script_name).read_bytes() == own.read_bytes()

        done = job.run(server)

        assert (done.returncode, done.stderr) == (0, ""), name
        record = local[step.key]
        logged = {series.name: list(series.values) for series in Metrics.of(record.metrics()).series}
        assert metrics_of(server.step) == logged
        for output in step.outputs:
            port = next(iter(workspace.pipeline["jobs"][name]["outputs"]))
            assert files(workspace.output(name, port)) == files(record.places.root / "outputs" / output.name)


def test_the_example_of_the_documentation(tmp_path, server):
    project = iris(tmp_path / "iris")
    local = run_pipeline(project.plan, project.directory)
    assert local.status == "completed"

    check(project, local, tmp_path / "azure", server)


def test_a_new_project(copy, tmp_path, server):
    folder = copy(project_name="churn", steps="prepare, train, evaluate", datasets="customers", ci="none")
    project = load_project(folder / "pipeline.yaml", variables=VARIABLES)
    local = run_pipeline(project.plan, project.directory)
    assert local.status == "completed"

    check(project, local, tmp_path / "azure", server)

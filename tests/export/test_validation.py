"""Microsoft's own package reads what is written, and finds nothing wrong with it."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import yaml

from azml_tasks.export import FOLDER, export, write
from tests.export.examples import EXAMPLES, FILES
from tests.export.projects import iris, project

with warnings.catch_warnings():
    # What it imports (marshmallow, opentelemetry, msrest) warns of its own future.
    warnings.simplefilter("ignore")
    ml = pytest.importorskip("azure.ai.ml", exc_type=ImportError)
    from azure.ai.ml.entities._load_functions import load_schedule

pytestmark = pytest.mark.filterwarnings("ignore")


def check(folder: Path) -> None:
    """Load each file of the export, and validate what can be validated offline."""
    loaders = {
        "environments": ml.load_environment,
        "computes": ml.load_compute,
        "datastores": ml.load_datastore,
        "data": ml.load_data,
        "components": ml.load_component,
    }
    job = ml.load_job(folder / "pipeline.yml")
    assert job._validate().error_messages == {}
    stated = yaml.safe_load((folder / "pipeline.yml").read_text(encoding="utf-8"))
    assert list(job.jobs) == list(stated["jobs"])
    for name, node in job.jobs.items():
        code = Path(node.component.base_path, node.component.code)
        assert code.resolve() == folder / "code" / name
        assert code.is_dir()
    if (folder / "component.yml").exists():
        published = ml.load_component(folder / "component.yml")
        assert published._validate().error_messages == {}
        assert list(published.jobs) == list(stated["jobs"])
    for part, load in loaders.items():
        for file in sorted((folder / part).glob("*.yml")):
            loaded = load(file)
            assert loaded.name == yaml.safe_load(file.read_text(encoding="utf-8"))["name"]
            if part == "components":
                assert loaded._validate().error_messages == {}
    for file in (folder / "schedules").glob("*.yml"):
        schedule = load_schedule(file)
        assert schedule.create_job._validate().error_messages == {}
        assert schedule.trigger._to_rest_object()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example(name, tmp_path):
    write(tmp_path, export(project(tmp_path, EXAMPLES[name], FILES)).files)

    check(tmp_path / FOLDER)


def test_the_example_of_the_documentation(tmp_path):
    write(tmp_path / "iris", export(iris(tmp_path / "iris")).files)

    check(tmp_path / "iris" / FOLDER)

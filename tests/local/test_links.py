"""Links in .azml that lead out of the project: nothing is written or deleted by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from azml_tasks.errors import AzmlError
from azml_tasks.local.prune import prune
from azml_tasks.local.register import register_environments
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.reading import load_project
from azml_tasks.reading.editor import write_schema

PIPELINE = "environments: {e: {}}\nsteps: {a: {script_name: a.py}}"


@pytest.fixture
def outside(project, tmp_path_factory) -> Path:
    """A folder that is not the project's, with a file in a folder in it."""
    project.pipeline(PIPELINE, a="")
    folder = tmp_path_factory.mktemp("outside")
    (folder / "steps/a").mkdir(parents=True)
    (folder / "steps/a/victim.txt").write_text("mine")
    return folder


def everything(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize(
    "link",
    [
        *(".azml", ".azml/runs", ".azml/objects", ".azml/reuse", ".azml/models", ".azml/datastores", ".azml/envs"),
        *(
            ".azml/.gitignore",
            ".azml/envs/e",
            ".azml/objects/0a",
            ".azml/models/m",
            ".azml/datastores/store",
            ".azml/datasets/d",
        ),
        ".azml/runs/20250102-030405-0004",
    ],
)
def test_a_link_that_leads_out_is_refused_wherever_something_is_written_or_deleted(project, outside, link):
    place = project.folder / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside)
    before = everything(outside)

    for does in (
        project.run,
        lambda: prune(project.folder, keep=0),
        lambda: list(register_environments(load_project(project.folder / "pipeline.yaml", variables={}))),
    ):
        with pytest.raises(AzmlError) as caught:
            does()
        assert str(caught.value) == (
            f"{link} is a link to outside the project; runs write and delete files there, so delete the link"
        )

    assert caught.value.exit_status == 2
    assert everything(outside) == before


@pytest.mark.parametrize("target", ["../kept", "runs-elsewhere", "nowhere"])
def test_a_link_that_stays_in_the_project_is_followed(project, outside, target):
    (project.folder / "kept").mkdir()
    (project.folder / ".azml/runs-elsewhere").mkdir(parents=True)
    (project.folder / ".azml/objects").symlink_to(target)

    assert ProjectPaths.of(project.folder).links_out() is None


@pytest.mark.parametrize("link", ["steps", "steps/a", "steps/a/work", "parent"])
def test_clearing_a_run_deletes_links_and_not_what_they_lead_to(project, outside, link):
    run = project.run()
    place = run.places.root / link
    if place.exists():
        place.rename(place.with_name("away"))
    place.symlink_to(outside)

    prune(project.folder, keep=0)
    project.write({"a.py": "print(2)"})
    project.run()
    prune(project.folder, keep=0)

    assert (outside / "steps/a/victim.txt").read_text() == "mine"


@pytest.mark.parametrize("target", ["new", "steps/a/victim.txt"])
def test_the_schema_takes_the_place_of_a_link_and_is_not_written_through_it(project, outside, target):
    (project.folder / ".azml").mkdir()
    (project.folder / ".azml/pipeline.schema.json").symlink_to(outside / target)
    before = everything(outside)

    write_schema(project.folder)

    assert everything(outside) == before
    assert (outside / "steps/a/victim.txt").read_text() == "mine"
    assert project.run().status == "completed"


def test_the_schema_is_not_written_into_a_folder_outside(project, outside):
    (project.folder / ".azml").symlink_to(outside)
    before = everything(outside)

    write_schema(project.folder)

    assert everything(outside) == before


@pytest.mark.parametrize("run_id", ["..", "../..", "/etc", "a/../../b", "."])
def test_whatever_a_record_has_for_a_run_its_places_lie_among_the_runs(project, run_id):
    layout = ProjectPaths.of(project.folder)

    assert layout.run(run_id).root.parent == layout.runs
    assert layout.run(run_id).step(run_id).root.parent == layout.run(run_id).steps
    assert layout.run(run_id).root.name.strip(".")


@pytest.mark.parametrize("link", ["x", "x/sub", "x/sub/f.txt"])
def test_an_output_is_not_copied_to_its_destination_through_a_link_that_leads_out(project, outside, link):
    script = """
        import os, sys
        os.mkdir(os.path.join(sys.argv[2], "sub"))
        with open(os.path.join(sys.argv[2], "sub/f.txt"), "w") as file:
            file.write("f")
    """
    project.pipeline(
        """
        datastores: {s: {container_name: raw, account_name: acct}}
        steps:
          a: {script_name: a.py, output_folders: {--o: {destination: {datastore_name: s, path: x}}}}
        """,
        a=script,
    )
    place = project.folder / ".azml/datastores/s" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(outside / "new.txt" if link.endswith(".txt") else outside)
    before = everything(outside)

    step = project.run()["a"]

    assert step.status == "failed"
    assert step.message.startswith("--o could not be copied to its destination: it contains a link to outside")
    assert everything(outside) == before

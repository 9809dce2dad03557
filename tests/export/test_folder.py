"""What an export does to the folder: it writes what is ours, and leaves alone what someone has changed."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from azml_tasks.errors import AzmlError
from azml_tasks.export import FOLDER, write
from azml_tasks.export.folder import WRITTEN, Content


def done(folder: Path, dry: bool = False, **files: str) -> dict[str, str]:
    """Write files, and return what became of each."""
    contents = {path.replace("__", "/") + ".yml": Content.of(text.encode()) for path, text in files.items()}
    return {change.path: change.done for change in write(folder, contents, dry)}


def there(folder: Path) -> dict[str, str]:
    """Return the files of the export but the list of what was written."""
    found = (file for file in sorted((folder / FOLDER).rglob("*")) if file.is_file())
    return {
        file.relative_to(folder / FOLDER).as_posix(): file.read_text(encoding="utf-8")
        for file in found
        if file.name != WRITTEN
    }


KEPT = "not overwritten, because it was edited; delete it to export it again"
LEFT = "no longer part of the export, but not deleted, because it was edited"


def test_files_are_created_then_unchanged_then_updated(tmp_path):
    assert done(tmp_path, pipeline="1", data__a="1") == {"pipeline.yml": "created", "data/a.yml": "created"}
    assert done(tmp_path, pipeline="1", data__a="1") == {"pipeline.yml": "unchanged", "data/a.yml": "unchanged"}
    assert done(tmp_path, pipeline="2", data__a="1") == {"pipeline.yml": "updated", "data/a.yml": "unchanged"}
    assert there(tmp_path) == {"data/a.yml": "1", "pipeline.yml": "2"}


def test_a_second_export_touches_nothing(tmp_path):
    done(tmp_path, pipeline="1")
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / FOLDER).iterdir()}

    done(tmp_path, pipeline="1")

    assert {file: file.stat().st_mtime_ns for file in (tmp_path / FOLDER).iterdir()} == before


def test_what_was_changed_by_hand_is_kept_and_written_again_when_it_is_deleted(tmp_path):
    done(tmp_path, pipeline="1")
    (tmp_path / FOLDER / "pipeline.yml").write_text("mine", encoding="utf-8")

    assert done(tmp_path, pipeline="2") == {"pipeline.yml": KEPT}
    assert done(tmp_path, pipeline="3") == {"pipeline.yml": KEPT}
    assert there(tmp_path) == {"pipeline.yml": "mine"}

    (tmp_path / FOLDER / "pipeline.yml").unlink()
    assert done(tmp_path, pipeline="3") == {"pipeline.yml": "created"}
    assert done(tmp_path, pipeline="4") == {"pipeline.yml": "updated"}


def test_what_was_never_ours_is_kept(tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "pipeline.yml").write_text("mine", encoding="utf-8")
    (tmp_path / FOLDER / "README.md").write_text("mine", encoding="utf-8")

    assert done(tmp_path, pipeline="1") == {"pipeline.yml": KEPT}
    assert there(tmp_path) == {"README.md": "mine", "pipeline.yml": "mine"}


def test_what_is_no_longer_made_goes_with_its_folder_unless_it_was_changed(tmp_path):
    done(tmp_path, pipeline="1", data__a="1", data__b="1", computes__c="1")
    (tmp_path / FOLDER / "data" / "b.yml").write_text("mine", encoding="utf-8")

    assert done(tmp_path, pipeline="1") == {
        "pipeline.yml": "unchanged",
        "data/a.yml": "removed",
        "data/b.yml": LEFT,
        "computes/c.yml": "removed",
    }
    assert there(tmp_path) == {"data/b.yml": "mine", "pipeline.yml": "1"}
    assert not (tmp_path / FOLDER / "computes").exists()


def test_a_dry_run_reports_the_same_and_writes_nothing(tmp_path):
    assert done(tmp_path, dry=True, pipeline="1") == {"pipeline.yml": "would be created"}
    assert not (tmp_path / FOLDER).exists()

    done(tmp_path, pipeline="1", data__a="1", data__b="1")
    (tmp_path / FOLDER / "data" / "b.yml").write_text("mine", encoding="utf-8")

    assert done(tmp_path, dry=True, pipeline="2", data__b="2") == {
        "pipeline.yml": "would be updated",
        "data/b.yml": KEPT,
        "data/a.yml": "would be removed",
    }
    assert there(tmp_path) == {"data/a.yml": "1", "data/b.yml": "mine", "pipeline.yml": "1"}


def test_without_the_list_of_what_was_written_no_file_counts_as_ours(tmp_path):
    done(tmp_path, pipeline="1", data__a="1")
    (tmp_path / FOLDER / WRITTEN).write_text("[]", encoding="utf-8")

    assert done(tmp_path, pipeline="2") == {"pipeline.yml": KEPT}
    assert there(tmp_path) == {"data/a.yml": "1", "pipeline.yml": "1"}


def test_a_path_in_the_list_that_leads_out_of_the_folder_is_no_file_of_ours(tmp_path):
    (tmp_path / "mine.yml").write_text("1", encoding="utf-8")
    done(tmp_path, pipeline="1")
    written = tmp_path / FOLDER / WRITTEN
    written.write_text(written.read_text(encoding="utf-8").replace("pipeline.yml", "../mine.yml"), encoding="utf-8")

    done(tmp_path, data__a="1")

    assert (tmp_path / "mine.yml").exists()


def test_a_file_where_the_folder_is_to_be_is_reported_in_a_sentence(tmp_path):
    (tmp_path / FOLDER).write_text("", encoding="utf-8")

    with pytest.raises(AzmlError, match=rf"^{FOLDER}\S* cannot be read or written: "):
        done(tmp_path, pipeline="1")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="everything can be written")
def test_a_folder_that_cannot_be_written_is_reported_in_a_sentence(tmp_path):
    (tmp_path / FOLDER).mkdir(mode=0o555)

    with pytest.raises(AzmlError, match=f"^{FOLDER}/pipeline.yml.part cannot be read or written: Permission denied$"):
        done(tmp_path, pipeline="1")


@pytest.fixture
def outside(tmp_path) -> Path:
    """A folder beside the project, with a file in it."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "victim.txt").write_text("mine", encoding="utf-8")
    return folder


@pytest.mark.parametrize("dry", [False, True])
@pytest.mark.parametrize(
    ("link", "target", "message"),
    [
        (FOLDER, "outside", f"{FOLDER} is a link to outside the project; delete the link and export again"),
        (FOLDER, "..", f"{FOLDER} is a link to outside the project; delete the link and export again"),
        (
            f"{FOLDER}/data",
            "outside",
            f"{FOLDER}/data is a link to outside {FOLDER}; delete the link and export again",
        ),
        (
            f"{FOLDER}/data",
            "p/steps",
            f"{FOLDER}/data is a link to outside {FOLDER}; delete the link and export again",
        ),
    ],
)
def test_nothing_is_written_where_a_link_leads_out(tmp_path, outside, link, target, message, dry):
    project = tmp_path / "p"
    (project / link).parent.mkdir(parents=True)
    (project / "steps").mkdir()
    (project / link).symlink_to(tmp_path / target)
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(AzmlError) as caught:
        done(project, dry, pipeline="1", data__a="1")

    assert str(caught.value) == message
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_that_stays_inside_is_followed(tmp_path):
    (tmp_path / "build").mkdir()
    (tmp_path / FOLDER).symlink_to("build")

    assert done(tmp_path, pipeline="1") == {"pipeline.yml": "created"}
    assert (tmp_path / "build/pipeline.yml").read_text(encoding="utf-8") == "1"


@pytest.mark.parametrize("path", ["lnk/victim.txt", "../outside/victim.txt", "/outside/victim.txt", "..", ""])
def test_files_outside_the_folder_stay_although_a_foreign_list_names_them(tmp_path, outside, path):
    project = tmp_path / "p"
    done(project, pipeline="1")
    (project / FOLDER / "lnk").symlink_to(outside)
    (project / FOLDER / WRITTEN).write_text(json.dumps({path: hashlib.sha256(b"mine").hexdigest()}), encoding="utf-8")

    done(project, pipeline="1")

    assert (outside / "victim.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["pipeline.yml", "pipeline.yml.part", WRITTEN, f"{WRITTEN}.part"])
def test_a_file_that_is_a_link_is_replaced_and_not_written_through(tmp_path, outside, name):
    project = tmp_path / "p"
    done(project, pipeline="0")
    (project / FOLDER / name).unlink(missing_ok=True)
    (project / FOLDER / name).symlink_to(outside / "victim.txt")

    done(project, pipeline="1", more="2")

    assert (outside / "victim.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("text", ["", "[]", "3", '{"pipeline.yml": 3}', '{"a": null}', "[" * 100_000])
def test_a_list_that_is_damaged_keeps_everything(tmp_path, text):
    done(tmp_path, pipeline="1")
    (tmp_path / FOLDER / WRITTEN).write_text(text, encoding="utf-8")

    assert done(tmp_path, pipeline="2") == {"pipeline.yml": KEPT}

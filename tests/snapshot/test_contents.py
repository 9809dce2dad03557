"""What `include` and `snapshot: directory` add, and what a digest depends on."""

from __future__ import annotations

import os

import pytest

from azml_tasks.snapshot import build_snapshot


@pytest.mark.parametrize(
    ("include", "added"),
    [
        ([], []),
        (["params.json"], ["params.json"]),
        (["sql/**"], ["sql/deep/b.sql", "sql/x.sql"]),
        (["sql"], ["sql/.keep", "sql/deep/b.sql", "sql/x.sql"]),
        (["**/*.sql"], ["sql/deep/b.sql", "sql/x.sql"]),
        (["sql/*.sql", "params.json"], ["params.json", "sql/x.sql"]),
        (["odd[1].txt"], ["odd[1].txt"]),
        (["weights/**"], ["weights/w.bin"]),
        (["plugin.py"], ["helper.py", "plugin.py"]),
        ([".hidden"], [".hidden"]),
    ],
)
def test_include_adds_files_of_the_script_directory_else_of_the_project(project, include, added):
    folder = project(
        {
            "steps/train.py": "",
            "steps/params.json": "{}",
            "steps/.hidden": "",
            "steps/odd[1].txt": "",
            "steps/plugin.py": "import helper",
            "steps/sql/x.sql": "",
            "steps/sql/.keep": "",
            "steps/sql/deep/b.sql": "",
            "steps/sql/__pycache__/x.pyc": "",
            "steps/sql/__pycache__/y.sql": "",
            "params.json": "of the project",
            "helper.py": "",
            "weights/w.bin": "",
        }
    )

    assert list(build_snapshot(folder, "steps", "train.py", include).files) == sorted(["train.py", *added])


def test_an_included_file_of_the_script_directory_wins_over_one_of_the_project(project):
    folder = project({"steps/train.py": "", "steps/params.json": "", "params.json": ""})

    files = build_snapshot(folder, "steps", "train.py", ["params.json"]).files

    assert files["params.json"] == folder / "steps/params.json"


DIRECTORY = {
    "common.py": "",
    "steps/train.py": "import common",
    "steps/other.py": "import no_such_thing",
    "steps/data/big.csv": "",
    "steps/data/keep.csv": "",
    "steps/notes.md": "",
    "steps/.git/HEAD": "",
    "steps/.azml/runs/1/run.json": "",
    "steps/.env": "SECRET=1",
    "steps/__pycache__/train.cpython-310.pyc": "",
    "steps/old.pyc": "",
    "steps/old.pyo": "",
}


@pytest.mark.parametrize(
    ("ignore_files", "left_out"),
    [
        ({}, []),
        ({"steps/.amlignore": "data/\n"}, ["data/big.csv", "data/keep.csv"]),
        ({"steps/.amlignore": "data/*\n!data/keep.csv\n"}, ["data/big.csv"]),
        ({"steps/.gitignore": "*.md\n"}, ["notes.md"]),
        ({"steps/.gitignore": "*.md\n", "steps/.amlignore": "# nothing\n"}, []),
        ({".amlignore": "/steps/notes.md\n/data/\n"}, ["notes.md"]),
        ({"steps/.amlignore": "data/\n!data/keep.csv\n"}, ["data/big.csv", "data/keep.csv"]),
        ({"steps/.amlignore": "notes.md/\n"}, []),
        ({"steps/.amlignore": "d\u00e4ta\n"}, []),
        ({".gitignore": "*.md\n", ".amlignore": ""}, []),
        ({".amlignore": "*.md\n", "steps/.amlignore": "big.csv\n"}, ["data/big.csv", "notes.md"]),
    ],
)
def test_a_directory_snapshot_is_the_whole_directory_less_its_amlignore(project, ignore_files, left_out):
    folder = project(DIRECTORY | ignore_files)
    everything = ["common.py", "data/big.csv", "data/keep.csv", "notes.md", "other.py", "train.py"]
    everything += [name.removeprefix("steps/") for name in ignore_files if name.startswith("steps/")]

    files = build_snapshot(folder, "steps", "train.py", whole_directory=True).files

    assert list(files) == sorted(set(everything) - set(left_out))


def test_a_directory_snapshot_follows_links_to_folders_once_and_leaves_out_what_is_no_file(project, tmp_path):
    folder = project({"train.py": "", "real/a.txt": "", ".hidden/shared/b.txt": "", ".gitignore": ".hidden/"})
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "linked").symlink_to(folder / ".hidden/shared", target_is_directory=True)
    (folder / "broken").symlink_to(tmp_path / "gone")
    os.mkfifo(folder / "pipe")

    assert list(build_snapshot(folder, ".", "train.py", whole_directory=True).files) == [
        ".gitignore",
        "linked/b.txt",
        "real/a.txt",
        "train.py",
    ]


def test_links_within_the_project_stand_for_what_they_lead_to(project, tmp_path):
    folder = project({"lib/train.py": "import util", "lib/data.csv": "", "lib/real.py": "", "steps/x": ""})
    (folder / "steps/train.py").symlink_to("../lib/train.py")
    (folder / "steps/data.csv").symlink_to("../lib/data.csv")
    (folder / "steps/lib").symlink_to("../lib", target_is_directory=True)
    (folder / "steps/util.py").symlink_to("real.py")
    (folder / "steps/real.py").symlink_to("lib/real.py")
    (tmp_path / "alias").symlink_to(folder, target_is_directory=True)
    files = ["data.csv", "lib/data.csv", "lib/real.py", "lib/train.py", "train.py", "util.py"]

    for name in (folder, tmp_path / "alias"):
        assert list(build_snapshot(name, "steps", "train.py", ["data.csv", "lib"]).files) == files
        assert list(build_snapshot(name, "steps", "train.py", whole_directory=True).files) == sorted(
            [*files, "real.py", "x"]
        )


def test_a_module_may_lie_where_a_link_leads_to(project, tmp_path):
    folder = project({"train.py": "import shared.a, b", "../shared/a.py": "", "../b.py": ""})
    (folder / "shared").symlink_to(tmp_path / "shared", target_is_directory=True)
    (folder / "b.py").symlink_to(tmp_path / "b.py")

    assert list(build_snapshot(folder, ".", "train.py").files) == ["b.py", "shared/a.py", "train.py"]


def test_the_digest_depends_on_the_places_and_contents_alone(project, tmp_path):
    files = {"train.py": "import a", "a.py": "x = 1\n"}
    folder = project(files)
    before = build_snapshot(folder, ".", "train.py")
    os.utime(folder / "a.py", (1, 1))
    folder = folder.rename(tmp_path / "moved")
    (folder / "unrelated.py").write_text("")

    assert build_snapshot(folder, ".", "train.py").digest == before.digest

    (folder / "a.py").write_text("x = 2\n")
    assert build_snapshot(folder, ".", "train.py").digest != before.digest

    (folder / "a.py").write_text("x = 1\n")
    assert build_snapshot(folder, ".", "train.py").digest == before.digest

    (folder / "params.json").write_text("")
    assert build_snapshot(folder, ".", "train.py", ["params.json"]).digest != before.digest

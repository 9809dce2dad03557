"""What Python finds in the project by an editable install or by PYTHONPATH belongs to the snapshot, at its root."""

from __future__ import annotations

import os

import pytest

from azml_tasks.snapshot import build_snapshot, missing_hint
from azml_tasks.snapshot.modules import import_folders

SRC_LAYOUT = {
    "pyproject.toml": "",
    "steps/a.py": "from churnlib.train import fit\nimport steps_only",
    "steps/steps_only.py": "",
    "src/churnlib/__init__.py": "",
    "src/churnlib/train.py": "import churnlib.data",
    "src/churnlib/data.py": "",
    "src/churnlib/data.json": "",
    "src/churnlib/unused.py": "",
    "src/churnlib/late.py": "",
}


@pytest.fixture(autouse=True)
def site(tmp_path, monkeypatch):
    """A folder of installed packages beside the project, and no PYTHONPATH."""
    folder = tmp_path / "lib/site-packages"
    folder.mkdir(parents=True)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.syspath_prepend(str(folder))
    return folder


def places(*arguments) -> dict[str, str]:
    """Return what a snapshot holds: each place, and the file of the project that lies there."""
    files = build_snapshot(*arguments).files
    return {place: os.path.relpath(file, arguments[0]) for place, file in files.items()}


IN_THE_SNAPSHOT = {
    "a.py": "steps/a.py",
    "churnlib/__init__.py": "src/churnlib/__init__.py",
    "churnlib/data.py": "src/churnlib/data.py",
    "churnlib/train.py": "src/churnlib/train.py",
    "steps_only.py": "steps/steps_only.py",
}


def test_a_package_that_is_installed_as_editable_lies_at_the_root_by_its_import_path(project, site):
    folder = project(SRC_LAYOUT)
    (site / "_churnlib.pth").write_text(f"{folder}/src\n")

    snapshot = build_snapshot(folder, "steps", "a.py")

    assert places(folder, "steps", "a.py") == IN_THE_SNAPSHOT
    assert snapshot.outside == frozenset()

    (folder / "src/churnlib/train.py").write_text("import churnlib.data  # changed")
    assert build_snapshot(folder, "steps", "a.py").digest != snapshot.digest


def test_a_project_that_is_reached_by_a_link_is_the_same_project(project, site, tmp_path, monkeypatch):
    folder, alias = project(SRC_LAYOUT), tmp_path / "alias"
    alias.symlink_to(folder, target_is_directory=True)

    (site / "_churnlib.pth").write_text(f"{folder}/src\n")
    assert places(alias, "steps", "a.py") == IN_THE_SNAPSHOT

    (site / "_churnlib.pth").write_text("")
    monkeypatch.setenv("PYTHONPATH", f"{alias}/src")
    assert places(folder, "steps", "a.py") == IN_THE_SNAPSHOT


def test_the_scripts_folder_and_the_projects_come_first(project, site):
    folder = project(
        {
            **dict.fromkeys(("src/a.py", "src/b.py", "src/c.py", "src/spread/z.py", "spread/y.py"), ""),
            **dict.fromkeys(("b.py", "steps/a.py"), ""),
            "steps/run.py": "import a, b, c, spread.y, spread.z",
        }
    )
    (site / "x.pth").write_text(f"{folder}/src\n")

    assert places(folder, "steps", "run.py") == {
        "a.py": "steps/a.py",
        "b.py": "b.py",
        "c.py": "src/c.py",
        "run.py": "steps/run.py",
        "spread/y.py": "spread/y.py",
        "spread/z.py": "src/spread/z.py",
    }


def test_include_finds_what_lies_beside_such_a_package(project, site):
    folder = project(SRC_LAYOUT)
    (site / "x.pth").write_text(f"{folder}/src\n")

    found = places(folder, "steps", "a.py", ["churnlib/*.json", "churnlib/late.py"])

    assert found == dict(
        sorted(
            {
                **IN_THE_SNAPSHOT,
                "churnlib/data.json": "src/churnlib/data.json",
                "churnlib/late.py": "src/churnlib/late.py",
            }.items()
        )
    )


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (
            "ModuleNotFoundError: No module named 'churnlib.late'",
            "module 'churnlib.late' is in the project, but no import in the script refers to it: add `include: "
            "[churnlib/late.py]` to the step",
        ),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: '{work}/churnlib/data.json'",
            "'{work}/churnlib/data.json' is in the project, but not in the step's snapshot: "
            "add `include: [churnlib/data.json]` to the step",
        ),
    ],
)
def test_the_hint_names_what_such_a_package_lacks(project, site, tmp_path, error, hint):
    folder, work = project(SRC_LAYOUT), tmp_path / "work"
    (site / "x.pth").write_text(f"{folder}/src\n")

    said = missing_hint(error.format(work=work), build_snapshot(folder, "steps", "a.py"), folder, "steps", work)

    assert said == hint.format(work=work)


def test_the_folders_of_python_path_come_first_and_each_once(project, site, monkeypatch):
    folder = project(dict.fromkeys(("a/x", "b/x", "c/x", "d/x"), ""))
    entries = [f"{folder}/c", "", "d", "/opt", str(folder), f"{folder}/c/", "nowhere"]
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(entries))
    monkeypatch.syspath_prepend(str(folder / "b"))
    (site / "2.pth").write_text(
        f"# {folder}/b\nimport sys; sys.path.append('b')\n\n{folder}\n{folder}/c\n{folder}/a  \n"
    )
    (site / "1.pth").write_bytes(b"\xef\xbb\xbf../../project/b/../a\n\xff\n/opt\n\0\n")
    (site / ".hidden.pth").write_text(f"{folder}/b\n")
    (site / "folder.pth").mkdir()
    (site / "text.txt").write_text(f"{folder}/b\n")

    assert import_folders(str(folder)) == (f"{folder}/c", f"{folder}/d", f"{folder}/a")


@pytest.mark.parametrize(
    ("place", "mark", "is_own"),
    [
        ("src", "src/x.py", True),
        ("libs/deep/src", "libs/x.py", True),
        (".venv/lib/python3.11/site-packages/win32", ".venv/pyvenv.cfg", False),
        (".venv/src/tool", ".venv/pyvenv.cfg", False),
        (".conda/share/tool", ".conda/conda-meta/history", False),
        ("lib/python3.11/site-packages", "pyvenv.cfg", False),
        ("src", "pyvenv.cfg", True),
        (".azml/environments/e", ".azml/x", False),
        ("../project-more/src", "x", False),
        ("away", "x", False),
    ],
)
def test_what_virtual_environments_hold_is_not_the_projects_own(project, site, tmp_path, place, mark, is_own):
    folder = project({mark: "", "../outside/x.py": ""})
    (folder / "away").symlink_to("../outside", target_is_directory=True)
    (folder / place).mkdir(parents=True, exist_ok=True)
    (site / "x.pth").write_text(f"{folder}/{place}\n")

    assert import_folders(str(folder)) == ((f"{folder}/{place}",) if is_own else ())


def test_a_folder_of_packages_that_is_gone_is_passed_over(project, site):
    folder = project({"src/x.py": ""})
    site.rmdir()

    assert import_folders(str(folder)) == ()

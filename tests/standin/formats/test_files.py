"""Which files a path names, as Azure ML's reader lists blobs (measured against the service's stand-in)."""

from __future__ import annotations

from pathlib import Path

import pytest

from azml_tasks.standin.azml_local.formats import files

NAMES = (
    ".h.csv", ".hid/w.csv", "1.csv", "10.csv", "9.csv", "B.csv", "[x].csv", "_tmp/0/z.csv", "_u.csv", "s-1/y.csv",
    "s.csv", "s/2.csv", "s/UP.CSV", "s/t/.g.csv", "s/t/3.csv", "x.csv",
)  # fmt: skip
TOP = [name for name in NAMES if "/" not in name]
IN_S = ["s/2.csv", "s/UP.CSV", "s/t/.g.csv", "s/t/3.csv"]
FOUND = {
    "": list(NAMES),
    "*.csv": TOP,
    "*": TOP,
    "**": list(NAMES),
    "**/*": list(NAMES),
    "**/*.csv": [name for name in NAMES if name != "s/UP.CSV"],
    "**.csv": [name for name in NAMES if name != "s/UP.CSV"],
    "*/*.csv": [".hid/w.csv", "s-1/y.csv", "s/2.csv"],
    "*/": [".hid/w.csv", "_tmp/0/z.csv", "s-1/y.csv", *IN_S],
    "s": IN_S,
    "s/": IN_S,
    "s/*": ["s/2.csv", "s/UP.CSV"],
    "s/**": IN_S,
    "s*": ["s.csv"],
    "s**": ["s-1/y.csv", "s.csv", *IN_S],
    "s*/2.csv": ["s/2.csv"],
    "**/2.csv": ["s/2.csv"],
    "*/t/*.csv": ["s/t/.g.csv", "s/t/3.csv"],
    "**/t/**": ["s/t/.g.csv", "s/t/3.csv"],
    ".*": [".h.csv"],
    "[x].csv": ["[x].csv"],
    "[12].csv": [],
    "{1,9}.csv": [],
    "*.CSV": [],
    "*.txt": [],
    "none": [],
    "none/*.csv": [],
}


@pytest.mark.parametrize("pattern", FOUND, ids=repr)
def test_a_path_names_files(tmp_path: Path, pattern: str) -> None:
    for name in NAMES:
        (tmp_path / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "d" / name).touch()
    folder = f"{tmp_path / 'd'}/"

    assert [path.replace("\\", "/").removeprefix(folder) for path in files.files([folder + pattern])] == FOUND[pattern]


def test_a_file_is_named_once_and_a_pattern_without_a_folder_holds_here(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("1.csv", "2.csv"):
        Path(name).touch()

    assert files.files(["2.csv", "*.csv", "**"]) == ["2.csv", "1.csv", "./1.csv", "./2.csv"]

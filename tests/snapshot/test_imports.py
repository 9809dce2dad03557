"""A snapshot holds the script and what it imports from the project."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES

import pytest

from azml_tasks.snapshot import SnapshotBuilder, build_snapshot
from azml_tasks.snapshot.imports import Import, SourceFile, SourceFiles, parse


def test_a_script_that_imports_nothing_of_the_project_is_alone(project):
    folder = project({"steps/train.py": "import json\nimport pandas\n", "steps/other.py": "", "common.py": ""})

    snapshot = build_snapshot(folder, "steps", "train.py")

    assert dict(snapshot.files) == {"train.py": folder / "steps/train.py"}
    assert snapshot.script == "train.py"
    assert snapshot.outside == {"pandas"}
    assert snapshot.standard == {"json"}


def test_siblings_keep_their_place_and_modules_from_elsewhere_lie_at_the_root_by_their_import_path(project):
    folder = project(
        {
            "steps/train.py": "import features.scale\nfrom shared.tables import read\nimport steps.names\n",
            "steps/features/__init__.py": "",
            "steps/features/scale.py": "",
            "steps/features/unused.py": "",
            "steps/names.py": "",
            "shared/__init__.py": "",
            "shared/tables.py": "from . import paths\n",
            "shared/paths.py": "",
        }
    )

    assert dict(build_snapshot(folder, "steps", "train.py").files) == {
        "features/__init__.py": folder / "steps/features/__init__.py",
        "features/scale.py": folder / "steps/features/scale.py",
        "shared/__init__.py": folder / "shared/__init__.py",
        "shared/paths.py": folder / "shared/paths.py",
        "shared/tables.py": folder / "shared/tables.py",
        "steps/names.py": folder / "steps/names.py",
        "train.py": folder / "steps/train.py",
    }


@pytest.mark.parametrize(
    "line",
    [
        "import pkg.mod",
        "import os, pkg.mod as m",
        "from pkg.mod import thing",
        "from pkg import mod",
        "from pkg import mod as m, other_name",
        "from pkg import *",
        "from pkg.mod import *",
        "if True:\n    import pkg.mod",
        "def f():\n    for x in y:\n        with z:\n            from pkg import mod",
        "class A:\n    async def f(self):\n        async with z:\n            import pkg.mod",
        "try:\n    import fast\nexcept ImportError:\n    import pkg.mod",
        "try:\n    pass\nfinally:\n    import pkg.mod",
        "while x:\n    pass\nelse:\n    import pkg.mod",
        "match x:\n    case 1:\n        import pkg.mod",
        "import importlib\nimportlib.import_module('pkg.mod')",
        "from importlib import import_module as im, import_module\nm = [import_module('pkg.mod')]",
        "__import__('pkg.mod')",
    ],
)
def test_an_import_is_found_wherever_and_however_it_is_written(project, line):
    folder = project({"train.py": line, "pkg/__init__.py": "__all__ = ['mod']\n", "pkg/mod.py": ""})

    assert sorted(build_snapshot(folder, ".", "train.py").files) == ["pkg/__init__.py", "pkg/mod.py", "train.py"]


def test_relative_imports_count_from_their_package_at_every_level(project):
    folder = project(
        {
            "train.py": "import a.b.c",
            "a/__init__.py": "",
            "a/b/__init__.py": "from .d import x",
            "a/b/c.py": "from ..e import x\nfrom ...f import too_high\nfrom . import g, no_module",
            "a/b/d.py": "",
            "a/b/g.py": "",
            "a/e.py": "from .b import h",
            "a/b/h.py": "",
            "f.py": "",
        }
    )

    assert sorted(build_snapshot(folder, ".", "train.py").files) == [
        "a/__init__.py",
        "a/b/__init__.py",
        "a/b/c.py",
        "a/b/d.py",
        "a/b/g.py",
        "a/b/h.py",
        "a/e.py",
        "train.py",
    ]


def test_modules_that_import_each_other_are_each_taken_once(project):
    folder = project({"train.py": "import a", "a.py": "import b", "b.py": "import a\nimport train"})

    assert sorted(build_snapshot(folder, ".", "train.py").files) == ["a.py", "b.py", "train.py"]


def test_a_package_without_init_gives_its_modules_from_both_folders(project):
    folder = project(
        {"steps/train.py": "import ns.a\nimport ns.b\n", "steps/ns/a.py": "", "ns/b.py": "", "ns/c.py": ""}
    )

    assert sorted(build_snapshot(folder, "steps", "train.py").files) == ["ns/a.py", "ns/b.py", "train.py"]


def test_a_project_file_shadows_the_standard_library_except_what_is_built_in(project):
    folder = project({"train.py": "import statistics\nimport sys", "statistics.py": "", "sys.py": ""})

    assert sorted(build_snapshot(folder, ".", "train.py").files) == ["statistics.py", "train.py"]


def test_the_script_directory_wins_over_the_projects_root(project):
    folder = project({"steps/train.py": "import common", "steps/common.py": "", "common/__init__.py": ""})

    assert dict(build_snapshot(folder, "steps", "train.py").files) == {
        "common.py": folder / "steps/common.py",
        "train.py": folder / "steps/train.py",
    }


def test_a_script_in_a_subfolder_finds_its_neighbours_and_what_lies_at_the_root(project):
    folder = project(
        {
            "code/training/train_aml.py": "from train import fit\nfrom util.names import x\n",
            "code/training/train.py": "",
            "code/util/__init__.py": "",
            "code/util/names.py": "",
        }
    )

    snapshot = build_snapshot(folder, "code", "training/train_aml.py")

    assert snapshot.script == "training/train_aml.py"
    assert sorted(snapshot.files) == [
        "training/train.py",
        "training/train_aml.py",
        "util/__init__.py",
        "util/names.py",
    ]


def test_an_invalid_escape_in_the_users_text_does_not_matter(project):
    folder = project({"train.py": 'import a\nx = "\\d"\n', "a.py": ""})

    assert sorted(build_snapshot(folder, ".", "train.py").files) == ["a.py", "train.py"]


def test_a_script_in_another_encoding_is_read_as_python_reads_it(project):
    folder = project({"train.py": "# coding: latin-1\nimport a  # \xe9".encode("latin-1"), "a.py": ""})

    assert sorted(build_snapshot(folder, ".", "train.py").files) == ["a.py", "train.py"]


def test_a_module_of_a_package_that_is_not_of_the_project_is_outside_by_its_first_name(project):
    folder = project({"train.py": "import sklearn.metrics\nfrom scipy.stats import norm\nimport xml.dom"})

    snapshot = build_snapshot(folder, ".", "train.py")

    assert (snapshot.outside, snapshot.standard) == ({"sklearn", "scipy"}, {"xml"})


def test_each_package_around_a_module_is_taken(project):
    folder = project(
        {"train.py": "import a.b.c", "a/__init__.py": "", "a/b/__init__.py": "", "a/b/c.py": "", "a/d.py": ""}
    )

    assert list(build_snapshot(folder, ".", "train.py").files) == [
        "a/__init__.py",
        "a/b/__init__.py",
        "a/b/c.py",
        "train.py",
    ]


def test_a_relative_import_of_a_script_leads_nowhere_as_in_python(project):
    folder = project({"train.py": "from . import a\nfrom .b import x", "a.py": "", "b.py": ""})

    snapshot = build_snapshot(folder, ".", "train.py")

    assert (list(snapshot.files), snapshot.outside) == (["train.py"], frozenset())


def test_a_module_of_a_package_without_init_is_found_by_its_name_in_a_from(project):
    folder = project({"train.py": "from ns import a, other", "ns/a.py": ""})

    assert list(build_snapshot(folder, ".", "train.py").files) == ["ns/a.py", "train.py"]


def test_a_folder_that_is_named_like_a_module_is_none(project):
    folder = project({"train.py": "import a", "a.py/x": ""})

    assert list(build_snapshot(folder, ".", "train.py").files) == ["train.py"]


def test_a_compiled_module_is_taken_and_not_read(project):
    name = f"fast{EXTENSION_SUFFIXES[0]}"
    folder = project({"train.py": "import fast", name: b"\x7fELF\0", "fast.py": "import a", "a.py": ""})

    assert list(build_snapshot(folder, ".", "train.py").files) == [name, "train.py"]


@pytest.mark.parametrize(
    ("source", "imports"),
    [
        ("import a\nimportlib.import_module('b')", ["a", "b"]),
        ("import_module('b')\nprint('c')\nprint(3)\nprint()", ["b"]),
        ("import_module(b)\nimport_module(b.c)\nimport_module(3)\nimport_module()", []),
        ("import_module('.b', 'a')", []),
        ("import_module\n(lambda: 0)('b')\nf()('b')\n[f][0]('b')", []),
        ("import a, a\nimport a", ["a"]),
    ],
)
def test_which_calls_are_imports(source, imports):
    found, _ = parse(source.encode())
    assert [item.module for item in found.imports] == imports
    assert found == SourceFile(found.imports)


@pytest.mark.parametrize(
    ("source", "exports"),
    [
        ("__all__ = ['a', 'b']", ["a", "b"]),
        ("__all__ = ('a',)\n__all__ += ['b']", ["a", "b"]),
        ("x = __all__ = ['a']", ["a"]),
        ("__all__ = ['a', 3, b, *c]", ["a"]),
        ("__all__ = list(x)\n__all__ += x.__all__", []),
        ("names = ['a']\nx.y = ['b']\nx[0] = ['c']\nx.y += ['d']", []),
        ("if x:\n    __all__ = ['a']", []),
    ],
)
def test_the_names_in_a_literal_all_are_its_exports(source, exports):
    assert parse(source.encode())[0].exports == tuple(exports)


def test_a_file_is_parsed_again_when_it_has_changed_and_else_not(tmp_path):
    sources, path = SourceFiles(), str(tmp_path / "a.py")
    (tmp_path / "a.py").write_text("import a")
    first = sources.read(path)
    assert sources.read(path) is first

    (tmp_path / "a.py").write_text("import bb")
    assert sources.read(path).imports == (Import("bb"),)


def test_a_builder_takes_a_script_alone_unless_it_is_asked_for_more(project):
    folder = project({"train.py": "", "other.py": ""})

    assert list(SnapshotBuilder(folder).build(".", "train.py").files) == ["train.py"]


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        ({"a.py": "import sys\nprint(sys.argv[1])\n"}, True),
        ({"a.py": "from sys import argv\nprint(argv[1])\n"}, True),
        ({"a.py": "import sys as s\nprint(s.argv[1])\n"}, True),
        ({"a.py": "import argparse, sys\nargparse.ArgumentParser().parse_args(sys.argv[1:])\n"}, False),
        ({"a.py": "import sys, options\nprint(sys.argv)\n", "options.py": "import argparse\n"}, False),
        ({"a.py": "import sys\nfrom transformers import HfArgumentParser\nprint(len(sys.argv))\n"}, False),
        ({"a.py": "import click\n"}, False),
        ({"a.py": "# sys.argv\nprint('sys.argv')\n"}, False),
    ],
)
def test_a_snapshot_reports_whether_its_scripts_split_their_arguments_themselves(project, files, splits):
    assert build_snapshot(project(files), ".", "a.py").splits_arguments is splits

"""What a step depends on in a Python installation, without what every process imports."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from azml_tasks.local.reuse.installed import Installation
from azml_tasks.local.reuse.trace import Trace
from azml_tasks.local.store.contents import HashCache


def installation(*folders: Path) -> Installation:
    return Installation(HashCache(folders[0].parent / "hashes.json"), map(str, folders), ())


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "lib/site-packages"
    for name in ("_distutils_hack", "pandas"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("X = 1")
    return folder


def trace_of(*files: Path) -> Trace:
    """Return what a step has read that imported these modules."""
    return Trace(
        modules={file.parent.name for file in files},
        installed={os.path.abspath(file) for file in files},
    )


def test_what_setuptools_imports_in_every_process_does_not_count(site):
    files = [site / name / "__init__.py" for name in ("_distutils_hack", "pandas")]
    known = installation(site).describe(trace_of(*files), {})

    files[0].write_text("X = 2")
    assert installation(site).difference(known) == ""
    files[0].unlink()
    files[0].parent.rmdir()
    assert installation(site).difference(known) == ""
    files[1].write_text("X = 2")
    assert installation(site).difference(known) == "package pandas changed"


def test_another_environment_is_named_as_such(site, tmp_path):
    known = installation(site).describe(trace_of(site / "pandas" / "__init__.py"), {})
    other = tmp_path / "other/site-packages"
    (other / "pandas").mkdir(parents=True)

    assert installation(other).difference(known) == "its Python environment is another one"

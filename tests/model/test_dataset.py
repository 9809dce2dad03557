from __future__ import annotations

import pytest

from azml_tasks.errors import ProjectError
from azml_tasks.model import Dataset
from azml_tasks.reading import load_project


@pytest.mark.parametrize(
    ("dataset", "is_declared", "paths"),
    [
        (Dataset(), False, ()),
        (Dataset(local_path="d.csv"), False, ()),
        (Dataset(datastore_name="s", path="d.csv"), True, ("d.csv",)),
        (Dataset(datastore_name="s", path=("a.csv", "b.csv")), True, ("a.csv", "b.csv")),
    ],
)
def test_whether_the_file_declares_where_its_data_lie(dataset, is_declared, paths):
    assert (dataset.is_declared, dataset.paths) == (is_declared, paths)


@pytest.mark.parametrize("separator", ['","', '";"', '"\\t"', '" "', "'|'", "a"])
def test_a_separator_is_one_character(tmp_path, separator):
    file = tmp_path / "pipeline.yaml"
    file.write_text(f"steps: {{a: {{script_name: a.py}}}}\ndatasets:\n  d:\n    separator: {separator}\n")

    assert load_project(file, variables={}).pipeline.datasets["d"].separator


@pytest.mark.parametrize(
    ("separator", "message"),
    [
        (r"'\t'", r"""not '\t'; did you mean "\t" in double quotes?"""),
        ("TAB", """not 'TAB'; did you mean "\\t" in double quotes?"""),
        ('"||"', "not '||'"),
        ('", "', "not ', '; did you mean ','?"),
        ('""', "not ''"),
        ('"\u00a6"', "not '\u00a6'"),
    ],
)
def test_a_separator_that_the_sdk_refuses(tmp_path, separator, message):
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        f"steps: {{a: {{script_name: a.py}}}}\ndatasets:\n  d:\n    separator: {separator}\n", encoding="utf-8"
    )

    with pytest.raises(ProjectError) as raised:
        load_project(file, variables={})

    assert (
        str(raised.value) == f"pipeline.yaml:4: dataset 'd': a separator must be exactly one ASCII character, {message}"
    )

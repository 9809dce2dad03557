from __future__ import annotations

import pytest

from azml_tasks.model import Dataset


@pytest.mark.parametrize(
    ("dataset", "is_declared", "paths"),
    [
        (Dataset(), False, ()),
        (Dataset(local_path="d.csv"), False, ()),
        (Dataset(datastore_name="s", path="d.csv"), True, ("d.csv",)),
        (Dataset(datastore_name="s", path=("a.csv", "b.csv")), True, ("a.csv", "b.csv")),
    ],
)
def test_whether_the_file_says_where_its_data_lie(dataset, is_declared, paths):
    assert (dataset.is_declared, dataset.paths) == (is_declared, paths)

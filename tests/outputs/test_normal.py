"""Times, identifiers and paths are replaced before two takes are compared; nothing else is."""

from __future__ import annotations

import pytest

from tests.outputs.normal import Normal

PATHS = {"/tmp/x/project": "PROJECT", "/tmp/x": "TOP"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run 20261129-010445-9ed8 completed after 0.03 s", "run RUN1 completed after TIME"),
        ("step 20261129-010445-9ed8_train: a\x00b\r\n", "step RUN1_train: a\\x00b\\r\n"),
        ("reads-19080-15128068904892.jsonl", "reads-STAMP.jsonl"),
        ("train: completed after 3 min 5 s", "train: completed after TIME"),
        ("/tmp/x/project/.azml and /tmp/x/home", "PROJECT/.azml and TOP/home"),
        ("next Mon 2026-11-30 01:07 UTC", "next DATE UTC"),
        ("next Mon 2150-03-09 06:00 UTC", "next Mon 2150-03-09 06:00 UTC"),
        ("started 2026-11-29T01:26:18.616976Z", "started TIME"),
        ("churn 9d088a662563: published", "churn 9d088a662563: published"),
        ("pipeline.yaml:12: step 'train': 3 steps", "pipeline.yaml:12: step 'train': 3 steps"),
        ("train  completed  0.08 s  ", "train  completed  TIME  "),
        ("train       completed       11 s", "train  completed  TIME"),
        ("in  columns    of  their own", "in  columns    of  their own"),
    ],
)
def test_times_identifiers_and_paths_are_replaced_and_nothing_else(text, expected):
    assert Normal(PATHS).text(text) == expected


def test_each_run_keeps_its_number_and_is_found_by_it():
    normal = Normal({})

    assert [normal.text(f"run 20261129-01044{n}-9ed8") for n in (1, 2, 1)] == ["run RUN1", "run RUN2", "run RUN1"]
    assert (normal.original("RUN2"), normal.original("RUN3")) == ("20261129-010442-9ed8", "RUN3")


def test_records_are_compared_key_by_key_without_their_times():
    record = b'{"id":"20261129-010445-9ed8","started":1795915576.69,"seconds":3,"paths":["/tmp/x/project/a"]}'

    assert Normal(PATHS).content("run.json", record).splitlines() == [
        "{",
        ' "id": "RUN1",',
        ' "started": "TIME",',
        ' "seconds": 3,',
        ' "paths": [',
        '  "PROJECT/a"',
        " ]",
        "}",
    ]


def test_a_binary_file_is_compared_by_its_size():
    assert Normal({}).content("table.parquet", b"PAR1\xff\xfe") == "(6 bytes)"

"""What a result depends on has one digest."""

from __future__ import annotations

import json
from dataclasses import replace

from azml_tasks.local.store.results import Fingerprint

CONFIG = {"config": '{"lr": 1, "batch": 2}'}
OLD = Fingerprint(
    script="train.py",
    files={"train.py": "aa", "common.py": "bb"},
    argv=["--config", CONFIG, "--alpha", "0.5", "--input-folder", {"input": "one"}, "fast"],
    inputs={"one": {"content": "cc", "format": "folder"}, "customers": {"content": "dd", "type": "tabular"}},
    environment={
        "python": "3.11.7",
        "definition": {"pip_packages": ["pandas"]},
        "variables": {"A": "1"},
    },
)


def test_the_digest_of_these_values_is_this_one_in_every_release_that_reuses_results_of_earlier_ones():
    assert OLD.digest == "71132b351f838a493ce53ae198bfcfec11dfb3bd59d2495656512f4f877b3594"


def test_a_fingerprint_that_was_written_and_read_again_is_the_same():
    text = json.dumps(OLD.to_json(), sort_keys=True)

    assert Fingerprint.from_json(json.loads(text)) == OLD
    assert Fingerprint.from_json(json.loads(text)).digest == OLD.digest


def test_the_order_in_which_files_were_found_does_not_count():
    assert replace(OLD, files=dict(reversed(OLD.files.items()))).digest == OLD.digest

"""What a result depends on has one digest, and what differs between two is said in a phrase."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from azml_tasks.local.reuse.results import Fingerprint, differences

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


def changed_argument(*changes: tuple[int, object]) -> Fingerprint:
    """Return OLD with other arguments at these places."""
    return replace(OLD, argv=[dict(changes).get(place, token) for place, token in enumerate(OLD.argv)])


def environment(**changes: object) -> Fingerprint:
    return replace(OLD, environment={**OLD.environment, **changes})


def files(**changes: str) -> Fingerprint:
    """Return OLD with files changed; the suffix .py is added to their names."""
    return replace(OLD, files={**OLD.files, **{f"{name}.py": digest for name, digest in changes.items()}})


def test_the_digest_of_these_values_is_this_one_in_every_release_that_reuses_results_of_earlier_ones():
    assert OLD.digest == "71132b351f838a493ce53ae198bfcfec11dfb3bd59d2495656512f4f877b3594"


def test_a_setting_that_is_null_is_not_one_that_is_left_out():
    without = changed_argument((1, {"config": '{"lr": 1}'}))
    null = changed_argument((1, {"config": '{"lr": 1, "seed": null}'}))

    assert differences(without, null) == differences(null, without) == "its step_config changed (seed)"


def test_a_fingerprint_that_was_written_and_read_again_is_the_same():
    text = json.dumps(OLD.to_json(), sort_keys=True)

    assert Fingerprint.from_json(json.loads(text)) == OLD
    assert Fingerprint.from_json(json.loads(text)).digest == OLD.digest


def test_the_order_in_which_files_were_found_does_not_count():
    assert replace(OLD, files=dict(reversed(OLD.files.items()))).digest == OLD.digest


@pytest.mark.parametrize(
    ("new", "phrase"),
    [
        (files(train="ab"), "its script changed (train.py)"),
        (files(common="ab"), "a file of its snapshot changed (common.py)"),
        (files(common="ab", more="cd"), "files of its snapshot changed (common.py and more.py)"),
        (files(a="1", b="1", c="1"), "files of its snapshot changed (a.py, b.py and c.py)"),
        (files(a="1", b="1", c="1", d="1", e="1"), "files of its snapshot changed (a.py, b.py, c.py and 2 more)"),
        (
            files(common="ab", train="ab"),
            "its script changed (train.py) and a file of its snapshot changed (common.py)",
        ),
        (replace(OLD, files={"train.py": "aa"}), "a file of its snapshot changed (common.py)"),
        (replace(OLD, script="fit.py", files={"fit.py": "aa", "common.py": "bb"}), "its script is now fit.py"),
        (changed_argument((3, "0.7")), "its argument --alpha changed"),
        (changed_argument((6, "slow")), "its argument slow changed"),
        (changed_argument((0, "--settings")), "its argument --settings changed"),
        (changed_argument((5, {"input": "two"})), "its argument --input-folder changed"),
        (changed_argument((1, "text")), "its argument --config changed"),
        (changed_argument((1, {"input": "two"})), "its argument --config changed"),
        (changed_argument((5, CONFIG)), "its argument --input-folder changed"),
        (changed_argument((3, "0.7"), (5, {"input": "two"})), "its arguments --alpha and --input-folder changed"),
        (changed_argument((1, {"config": '{"lr": 2, "batch": 2}'})), "its step_config changed (lr)"),
        (
            changed_argument((1, {"config": '{"batch": 2, "lr": 2, "new": 1}'}), (3, "0.7")),
            "its step_config changed (lr and new) and its argument --alpha changed",
        ),
        (changed_argument((0, "new"), (6, "--last")), "its arguments new and --last changed"),
        (changed_argument((1, {"config": '{"batch": 2, "lr": 1}'})), "the order of its step_config changed"),
        (replace(OLD, argv=OLD.argv[:-1]), "its arguments changed"),
        (
            replace(OLD, inputs={**OLD.inputs, "one": {"content": "xx", "format": "folder"}}),
            "its input one changed",
        ),
        (replace(OLD, inputs={"one": {"content": "cc", "format": "parquet"}}), "its inputs one and customers changed"),
        (environment(python="3.12.1"), "Python changed from 3.11.7 to 3.12.1"),
        (environment(definition={}), "its environment changed"),
        (environment(variables={"A": "2"}), "its environment variable A changed"),
        (environment(variables={"B": "1", "A": "2"}), "its environment variables B and A changed"),
        (OLD, ""),
    ],
)
def test_what_changed_is_said_in_a_phrase_and_makes_another_digest(new, phrase):
    assert differences(OLD, new) == phrase
    assert (new.digest == OLD.digest) == (phrase == "")

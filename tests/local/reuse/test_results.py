"""The results that later runs may reuse: kept by what they depend on, and looked at before they are used."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from azml_tasks.local.files import read_json, remove_tree, write_json
from azml_tasks.local.layout import Layout
from azml_tasks.local.reuse.contents import Contents
from azml_tasks.local.reuse.results import Result, Results
from tests.local.reuse.test_fingerprint import OLD


@pytest.fixture
def results(tmp_path: Path) -> Results:
    layout = Layout.of(tmp_path)
    return Results(layout, Contents(layout.hashes))


def made(tmp_path: Path, run_id: str, script: str = "train.py") -> Result:
    """Return a result whose step had that script, and which left nothing."""
    places = Layout.of(tmp_path).run(run_id).step("a")
    return Result(run_id, places, replace(OLD, script=script), {}, "", {})


def test_the_result_that_a_step_had_last_is_the_first_and_the_others_are_found_by_their_fingerprints(tmp_path, results):
    first, second = made(tmp_path, "run-1", "a.py"), made(tmp_path, "run-2", "b.py")
    assert results.of("a").latest is None

    results.of("a").put_first(first)
    results.of("a").put_first(second)

    known = results.of("a")
    assert known.latest == second
    assert known.find(first.fingerprint.digest) == first
    assert known.find(second.fingerprint.digest) == second
    assert known.find(OLD.digest) is None
    assert results.of("b").latest is None
    known.put_first(first)
    assert results.of("a").latest == first
    assert results.of("a").find(second.fingerprint.digest) == second


def test_all_that_is_known_of_a_result_is_read_again(tmp_path, results):
    result = replace(
        made(tmp_path, "run-1"),
        outputs={"a_output_folder": "11", "more": "22"},
        artifacts="33",
        observed={".azml/models": "44"},
    )

    results.of("a").put_first(result)

    assert results.of("a").latest == result


def test_of_two_results_with_one_fingerprint_the_newer_stays(tmp_path, results):
    for run_id in ("run-1", "run-2"):
        results.of("a").put_first(made(tmp_path, run_id))

    assert [kept["run_id"] for kept in read_json(tmp_path / ".azml/reuse/a.json")["results"]] == ["run-2"]


def test_the_twenty_newest_results_of_a_step_are_kept(tmp_path, results):
    for number in range(22):
        results.of("a").put_first(made(tmp_path, f"run-{number}", f"{number}.py"))

    kept = [result["run_id"] for result in read_json(tmp_path / ".azml/reuse/a.json")["results"]]
    assert kept == [f"run-{number}" for number in range(21, 1, -1)]


def test_a_result_that_is_the_first_already_is_not_written_again(tmp_path, results):
    file = tmp_path / ".azml/reuse/a.json"
    for run_id, script in (("run-1", "a.py"), ("run-2", "b.py")):
        results.of("a").put_first(made(tmp_path, run_id, script))
    before = os.stat(file)

    results.of("a").put_first(made(tmp_path, "run-2", "b.py"))

    assert (os.stat(file).st_ino, os.stat(file).st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("version", [0, 2, None])
def test_results_of_another_release_are_not_known(tmp_path, results, version):
    results.of("a").put_first(made(tmp_path, "run-1"))
    file = tmp_path / ".azml/reuse/a.json"
    values = {**read_json(file), "version": version}
    write_json(file, values if version is not None else {"results": values["results"]})

    assert results.of("a").latest is None


@pytest.fixture
def whole(tmp_path: Path, results: Results) -> Result:
    """A result with two outputs, files of its own, and a look at a model that was not there."""
    places = Layout.of(tmp_path).run("run-1").step("a")
    for path in (places.output("first"), places.output("second"), places.artifacts):
        path.mkdir(parents=True)
        (path / "file").write_text(path.name)
    (tmp_path / "data.csv").write_text("1")
    places.record.write_text("{}")
    places.context.write_text("{}")
    return Result(
        run_id="run-1",
        places=places,
        fingerprint=OLD,
        outputs={name: results.digest(places.output(name)) for name in ("first", "second")},
        artifacts=results.digest(places.artifacts),
        observed=results.observe([".azml/models", "data.csv", "*.txt"]),
    )


@pytest.mark.parametrize(
    ("change", "damage"),
    [
        (lambda project, places: None, None),
        (lambda project, places: places.record.unlink(), "its earlier result is gone"),
        (lambda project, places: places.context.unlink(), "its earlier result is gone"),
        (lambda project, places: remove_tree(places.root), "its earlier result is gone"),
        (lambda project, places: remove_tree(places.output("second")), "its earlier output 'second' is gone"),
        (
            lambda project, places: (places.output("second") / "file").write_text("other"),
            "its earlier output 'second' was changed since",
        ),
        (
            lambda project, places: (places.artifacts / "more").write_text(""),
            "the files of its earlier run were changed since",
        ),
        (lambda project, places: remove_tree(places.artifacts), "the files of its earlier run were changed since"),
        (
            lambda project, places: (project / ".azml/models").mkdir(),
            "what it may read in .azml/models changed",
        ),
        (lambda project, places: (project / "data.csv").write_text("2"), "what it may read in data.csv changed"),
        (lambda project, places: (project / "data.csv").unlink(), "what it may read in data.csv changed"),
        (lambda project, places: (project / "a.txt").write_text(""), "what it may read in *.txt changed"),
    ],
)
def test_what_is_no_longer_as_the_step_left_it_is_said(tmp_path, results, whole, change, damage):
    change(tmp_path, whole.places)

    assert results.damage(whole) == damage


@pytest.mark.parametrize(
    ("change", "fate"),
    [
        (lambda places: (places.output("first") / "file").write_text("other"), "changed"),
        (lambda places: (places.output("first") / "more").write_text("other"), ""),
        (lambda places: remove_tree(places.output("second")), ""),
        (lambda places: places.context.unlink(), "deleted"),
        (lambda places: (places.output("first") / "file").unlink(), "deleted"),
        (lambda places: remove_tree(places.root), "deleted"),
    ],
)
def test_what_became_of_an_output(results, whole, change, fate):
    places = whole.places
    assert [results.digest_output(places, name) for name in ("first", "second")] == list(whole.outputs.values())
    assert results.digest_output(places, "third") == ""

    change(places)

    assert results.fate_of(places, "first") == fate


def test_what_is_observed_is_kept_in_a_fixed_order_and_what_is_not_there_has_no_digest(tmp_path, results):
    (tmp_path / "b.csv").write_text("1")

    observed = results.observe({"b.csv", "a.csv", "c/*.csv"})

    assert list(observed.items()) == [("a.csv", ""), ("b.csv", results.digest(tmp_path / "b.csv")), ("c/*.csv", "")]
    assert len(observed["b.csv"]) == 64
    assert results.digest(tmp_path / "a.csv") == ""

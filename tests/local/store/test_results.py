"""The results that later runs may reuse: kept by what they depend on, and looked at before they are used."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from azml_tasks.local.store.contents import HashCache
from azml_tasks.local.store.files import remove_tree, write_json
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.local.store.results import Result, Results, store_of
from tests.local.store.test_fingerprint import OLD


@pytest.fixture
def results(tmp_path: Path) -> Results:
    layout = ProjectPaths.of(tmp_path)
    return Results(layout, HashCache(layout.hashes))


def made(tmp_path: Path, run_id: str, script: str = "train.py") -> Result:
    """Return a result whose step had that script, and which left nothing."""
    places = ProjectPaths.of(tmp_path).run(run_id).step("a")
    return Result(run_id, places, replace(OLD, script=script), {}, "", {})


def kept(tmp_path: Path, step: str = "a") -> list[str]:
    """Return the runs of the results of a step, the newest first, as another process reads them."""
    return [result["run_id"] for result in store_of(ProjectPaths.of(tmp_path)).results.get(step, [])]


def test_the_result_that_a_step_had_last_is_the_first_and_the_others_are_found_by_their_fingerprints(tmp_path, results):
    first, second = made(tmp_path, "run-1", "a.py"), made(tmp_path, "run-2", "b.py")
    assert results.of("a").latest is None

    results.of("a").record_latest(first)
    results.of("a").record_latest(second)

    known = results.of("a")
    assert known.latest == second
    assert list(known.find(first.fingerprint.digest)) == [first]
    assert list(known.find(second.fingerprint.digest)) == [second]
    assert list(known.find(OLD.digest)) == []
    assert results.of("b").latest is None
    known.record_latest(first)
    assert results.of("a").latest == first
    assert list(results.of("a").find(second.fingerprint.digest)) == [second]


def test_all_that_is_known_of_a_result_is_read_again(tmp_path, results):
    result = made(tmp_path, "run-1")._replace(
        outputs={"a_output_folder": "11", "more": "22"},
        artifacts="33",
        reads={"file:conf.txt": "44"},
        sets=("55",),
        unchecked=("network (example.com)",),
        registered=("models/m/1",),
        on_parent=True,
    )

    results.of("a").record_latest(result, {"55": {"zone": ""}})

    again = Results(ProjectPaths.of(tmp_path), HashCache(tmp_path / "hashes.json"))
    assert again.of("a").latest == result
    assert again.answers("55") == {"zone": ""}


def test_of_two_results_with_one_fingerprint_that_read_the_same_the_newer_stays(tmp_path, results):
    for run_id in ("run-1", "run-2"):
        results.of("a").record_latest(made(tmp_path, run_id))

    assert kept(tmp_path) == ["run-2"]


def test_of_two_results_with_one_fingerprint_that_read_something_else_both_stay(tmp_path, results):
    first = made(tmp_path, "run-1")._replace(reads={"env:A": "1"})
    second = made(tmp_path, "run-2")._replace(reads={"env:A": "2"})

    results.of("a").record_latest(first)
    results.of("a").record_latest(second)

    assert list(results.of("a").find(OLD.digest)) == [second, first]


def test_the_twenty_newest_results_of_a_step_are_kept(tmp_path, results):
    for number in range(22):
        results.of("a").record_latest(made(tmp_path, f"run-{number}", f"{number}.py"))

    assert kept(tmp_path) == [f"run-{number}" for number in range(21, 1, -1)]


def test_a_result_that_is_the_first_already_is_not_written_again(tmp_path, results):
    file = tmp_path / ".azml/reuse.jsonl"
    for run_id, script in (("run-1", "a.py"), ("run-2", "b.py")):
        results.of("a").record_latest(made(tmp_path, run_id, script))
    before = os.stat(file)

    results.of("a").record_latest(made(tmp_path, "run-2", "b.py"))

    assert (os.stat(file).st_size, os.stat(file).st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize("version", [0, 2, None])
def test_results_of_another_release_are_not_known(tmp_path, results, version):
    results.of("a").record_latest(made(tmp_path, "run-1"))
    file = tmp_path / ".azml/reuse.jsonl"
    file.write_text(file.read_text().replace('"version":1', f'"version":{json.dumps(version)}', 1))

    assert kept(tmp_path) == []
    Results(ProjectPaths.of(tmp_path), HashCache(tmp_path / "hashes.json")).of("a").record_latest(
        made(tmp_path, "run-2")
    )
    assert kept(tmp_path) == ["run-2"]


OLD_RESULT = {"digest": "d", "run_id": "run-1", "outputs": {"x": "11"}, "artifacts": "", "observed": {}}


def test_the_newest_result_of_0_3_0_is_known_as_one_whose_reads_were_not_recorded(tmp_path, results):
    old = {**OLD.to_json(), "after": {}}
    values = {"version": 1, "results": [{**OLD_RESULT, "fingerprint": old}, {"digest": 1}]}
    write_json(tmp_path / ".azml/reuse/a.json", values)

    latest = results.of("a").latest

    assert (latest.run_id, latest.outputs, latest.reads) == ("run-1", {"x": "11"}, None)
    assert list(results.of("a").find("d")) == []
    results.of("a").record_latest(made(tmp_path, "run-2"))
    assert results.of("a").latest.run_id == "run-2"


@pytest.mark.parametrize(
    "end", ["{", '{"step":"a","res', "\0\0", '{"step": 1}\n', "[]\n", '{"step": "a", "result": {}}\n']
)
def test_half_a_line_and_what_another_program_wrote_cost_nothing_else(tmp_path, results, end):
    results.of("a").record_latest(made(tmp_path, "run-1"))
    with open(tmp_path / ".azml/reuse.jsonl", "a") as file:
        file.write(end)

    assert kept(tmp_path) == ["run-1"]
    Results(ProjectPaths.of(tmp_path), HashCache(tmp_path / "hashes.json")).of("b").record_latest(
        made(tmp_path, "run-2")
    )
    assert (kept(tmp_path), kept(tmp_path, "b")) == (["run-1"], ["run-2"])


def test_two_runs_at_once_keep_each_other_s_results_also_when_one_tidies_up(tmp_path):
    layout = ProjectPaths.of(tmp_path)
    one, other = (Results(layout, HashCache(layout.hashes)) for _ in range(2))
    one.of("a").record_latest(made(tmp_path, "run-1"))
    other.of("b").record_latest(made(tmp_path, "run-2"))

    one.store.filter(lambda step, result: True)
    other.of("c").record_latest(made(tmp_path, "run-3"))

    assert [kept(tmp_path, step) for step in "abc"] == [["run-1"], ["run-2"], ["run-3"]]


def test_what_no_longer_counts_is_left_out_in_the_end(tmp_path, results):
    for number in range(500):
        results.of("a").record_latest(made(tmp_path, f"run-{number}"), {f"set-{number}": {}})
    before = os.stat(tmp_path / ".azml/reuse.jsonl").st_size

    results.store.tidy()

    assert kept(tmp_path) == ["run-499"]
    assert os.stat(tmp_path / ".azml/reuse.jsonl").st_size < before / 100


def test_a_result_that_must_not_be_reused_is_the_latest_with_its_reason_until_there_is_another(tmp_path, results):
    result = made(tmp_path, "run-1")
    results.of("a").put_unkept(result, "x.csv changed")
    known = Results(ProjectPaths.of(tmp_path), HashCache(tmp_path / "h")).of("a")
    assert (known.latest, known.why_unkept) == (result, "x.csv changed")
    assert list(known.find(result.fingerprint.digest)) == []

    results.of("a").record_latest(made(tmp_path, "run-2"))
    assert Results(ProjectPaths.of(tmp_path), HashCache(tmp_path / "h")).of("a").why_unkept == ""


@pytest.fixture
def whole(tmp_path: Path, results: Results) -> Result:
    """A result with two outputs and files of its own."""
    places = ProjectPaths.of(tmp_path).run("run-1").step("a")
    for path in (places.output("first"), places.output("second"), places.artifacts):
        path.mkdir(parents=True)
        (path / "file").write_text(path.name)
    places.record.write_text("{}")
    places.context.write_text("{}")
    return Result(
        run_id="run-1",
        places=places,
        fingerprint=OLD,
        outputs={name: results.digest(places.output(name)) for name in ("first", "second")},
        artifacts=results.digest(places.artifacts),
        reads={},
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda project, places: None, None),
        (lambda project, places: places.record.unlink(), "its earlier result was deleted"),
        (lambda project, places: places.context.unlink(), "its earlier result was deleted"),
        (lambda project, places: remove_tree(places.root), "its earlier result was deleted"),
        (lambda project, places: remove_tree(places.output("second")), "its earlier output 'second' was deleted"),
        (
            lambda project, places: (places.output("second") / "file").write_text("other"),
            "its earlier output 'second' was changed",
        ),
        (
            lambda project, places: (places.artifacts / "more").write_text(""),
            "the files of its earlier run were changed",
        ),
        (lambda project, places: remove_tree(places.artifacts), "the files of its earlier run were changed"),
    ],
)
def test_what_is_no_longer_as_the_step_left_it_is_reported(tmp_path, results, whole, change, reason):
    change(tmp_path, whole.places)

    assert results.stale_reason(whole) == reason


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

    assert results.changed_since(places, "first") == fate

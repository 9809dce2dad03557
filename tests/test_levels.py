"""Which tests `pytest` runs: those of a level, and those that are named."""

from __future__ import annotations

import textwrap

import pytest

from tests import conftest

pytest_plugins = ("pytester",)

TESTS = """
    import pytest

    def test_plain(): pass

    def test_with_the_service(azure_service): pass

    @pytest.mark.thorough
    def test_thorough(): pass

    @pytest.mark.sampled(2)
    @pytest.mark.parametrize("case", [0, 1, 2])
    def test_sampled(case): pass
"""
QUICK = ["test_plain", "test_sampled[0]", "test_sampled[2]"]
ALL = ["test_plain", "test_with_the_service", "test_thorough", "test_sampled[0]", "test_sampled[1]", "test_sampled[2]"]
THOROUGH = [name for name in ALL if name != "test_sampled[1]"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], QUICK),
        (["tests"], QUICK),
        (["--level", "quick"], QUICK),
        (["--level", "common"], ["test_plain", "test_with_the_service", "test_sampled[0]", "test_sampled[2]"]),
        (["--level", "thorough"], THOROUGH),
        (["--level", "slow"], ALL),
        (["--level", "thorough", "--every", "2"], ["test_with_the_service", "test_sampled[0]"]),
        (["-m", "not nothing"], THOROUGH),
        (["-m", "sdk"], ["test_with_the_service"]),
        (["-m", "thorough"], ["test_thorough"]),
        (["-k", "thorough"], []),
        (["tests/test_any.py"], ALL),
        (["tests/test_any.py::test_thorough"], ["test_thorough"]),
        (["tests/test_any.py::test_sampled[1]", "tests/test_any.py::test_plain"], ["test_sampled[1]", "test_plain"]),
    ],
)
def test_a_level_or_a_name_reports_what_is_run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, words: list[str], expected: list[str]
) -> None:
    folder = pytester.mkdir("tests")
    (folder / "test_any.py").write_text(textwrap.dedent(TESTS))
    monkeypatch.setattr(conftest, "HERE", folder)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    done = pytester.inline_run("--collect-only", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", *words)

    (end,) = done.getcalls("pytest_collection_finish")
    assert [item.name for item in end.session.items] == expected


@pytest.mark.parametrize(("has_v1", "expected"), [(True, ["test_both"]), (False, ["test_v2", "test_both"])])
def test_beside_sdk_v1_only_what_needs_both_is_run_with_v2(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, has_v1: bool, expected: list[str]
) -> None:
    folder = pytester.mkdir("tests")
    (folder / "test_any.py").write_text("def test_v2(azure_v2_service): pass\n")
    (folder / conftest.WITH_BOTH[0]).write_text("def test_both(azure_v2_service): pass\n")
    monkeypatch.setattr(conftest, "HERE", folder)
    monkeypatch.setattr(conftest, "HAS_SDK_V1", has_v1)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    done = pytester.inline_run(
        "--collect-only", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "--level", "thorough"
    )

    (end,) = done.getcalls("pytest_collection_finish")
    assert [item.name for item in end.session.items] == expected


@pytest.mark.parametrize(
    ("place", "fixture", "markers"),
    [
        ("azure/v1/test_faults.py", "", {"sdk", "thorough"}),
        ("azure/v1/test_steps.py", "", {"sdk"}),
        ("tasks/test_azure.py", "azure_service", {"sdk"}),
        ("local/run/test_inputs.py", "project", {"processes"}),
        ("local/store/test_files.py", "tmp_path", set()),
        ("standin/data/test_frames.py", "step", {"processes"}),
        ("template/test_projects.py", "", {"processes"}),
        ("template/test_questions.py", "copy", set()),
        ("fuzz/test_reader.py", "folder", {"thorough"}),
        ("azure/v2/test_runs.py", "azure_v2_service", {"sdk"}),
    ],
)
def test_folders_and_fixtures_give_markers(place: str, fixture: str, markers: set[str]) -> None:
    assert conftest.markers_of(conftest.HERE / place, {fixture}) == markers

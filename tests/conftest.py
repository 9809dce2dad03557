"""What all tests share: which of them are run, and the stand-in of Azure ML, one for the whole process.

One, because the SDK's native reader of datasets keeps the address that it was first given.
"""

from __future__ import annotations

import gc
import os
import warnings
from collections import Counter
from collections.abc import Generator, Iterable
from functools import cache
from pathlib import Path

import pytest

from tests.service.fixture import SDK_WARNINGS, azure, azure_service
from tests.service_v2.fixture import azure_v2, azure_v2_service

__all__ = ["azure", "azure_service", "azure_v2", "azure_v2_service"]

HERE = Path(__file__).parent
# Each level adds to the one before: tests with processes, the SDK or large input, many cases of the same code, all.
LEVELS = ("quick", "common", "thorough", "slow")
QUICK, COMMON, THOROUGH, SLOW = LEVELS
# Markers, the folder or file of tests/ whose tests get them, and the fixture that these have to use; "" stands for all.
RULES = (
    ("sdk thorough", "azure", ""),
    ("sdk thorough", "service", ""),
    ("sdk thorough", "wrapper", ""),
    ("sdk", "", "azure_service"),
    ("sdk", "", "azure_v2_service"),
    ("processes", "local", "project"),
    ("processes", "local/run/test_debugging.py", ""),
    ("processes", "tasks/test_run.py", ""),
    ("processes", "standin", "step"),
    ("processes", "standin", "recording"),
    ("processes", "launcher", ""),
    ("processes", "template/test_projects.py", ""),
    ("processes", "lock", "index"),
    ("thorough", "fuzz", ""),
)
# These files, which are not thorough, show on each Python that the SDK is used rightly; the rest is the same on all.
WITH_EACH_SDK = ("test_register.py", "test_steps.py", "test_workspace.py")
# Nor are these: without SDK v1, as on the newest Python, azure-ai-ml brings other releases of what both need.
WITH_V2 = HERE / "azure" / "v2"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--level",
        choices=LEVELS,
        help="quick (default): less than a minute; common: what is run on each Python; thorough: on one; slow: "
        "everything. Files and tests that are named are always run, and -m chooses among all but the slow ones.",
    )
    parser.addoption("--every", type=int, default=1, help="of the tests of the level, run one of every so many")
    parser.addoption("--thorough-every", type=int, default=1, help="the same, of those marked `thorough`")
    parser.addoption("--slow", dest="level", action="store_const", const=SLOW, help="the same as --level slow")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads its options
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run all tests by as many processes as there are processors, unless the command says something about it."""
    given = config.option
    is_whole = config.args_source != pytest.Config.ArgsSource.ARGS and not hasattr(config, "workerinput")
    is_plain = not (given.collectonly or given.usepdb or given.capture == "no")
    if is_whole and is_plain and given.numprocesses is None:
        given.numprocesses, given.dist = os.cpu_count(), "worksteal"


def level(config: pytest.Config) -> str:
    """Return the level that is asked for."""
    return config.getoption("--level") or (THOROUGH if config.getoption("markexpr") else QUICK)


@pytest.fixture(scope="session")
def slow(request: pytest.FixtureRequest) -> bool:
    """Whether there is time for more of the same."""
    return level(request.config) == SLOW


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files none of whose tests are of the level, so that nothing imports the SDK for them."""
    if collection_path.suffix != ".py" or collection_path in _named_files(config):
        return None
    needed = _level_of(markers_of(collection_path, ()))
    return True if LEVELS.index(needed) > LEVELS.index(level(config)) else None


@pytest.hookimpl(tryfirst=True)  # before -m chooses by the markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests, and keep those of the level and those that are named on the command line."""
    named = [argument for argument in config.args if (config.invocation_params.dir / argument.split("::")[0]).is_file()]
    seen: Counter[str] = Counter()
    kept, left = [], []
    every = {True: config.getoption("--thorough-every"), False: config.getoption("--every")}
    of_level: Counter[bool] = Counter()
    for item in items:
        _mark(item)
        is_kept = _is_of(item, level(config), seen)
        if is_kept and not item.get_closest_marker("always"):
            is_thorough = item.get_closest_marker("thorough") is not None
            of_level[is_thorough] += 1
            is_kept = of_level[is_thorough] % every[is_thorough] == 0
        (kept if is_kept or _is_named(item, named, config.invocation_params.dir) else left).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Free the connections that Microsoft's packages leave open, before a test for which warnings are errors."""
    result = yield
    if item.get_closest_marker("sdk") and not (nextitem and nextitem.get_closest_marker("sdk")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()
    return result


def _mark(item: pytest.Item) -> None:
    """Add the markers of the rules; let the SDK warn wherever it is used."""
    for marker in sorted(markers_of(item.path, getattr(item, "fixturenames", ()))):
        item.add_marker(marker)
    if item.get_closest_marker("sdk"):
        for warning in SDK_WARNINGS:
            item.add_marker(pytest.mark.filterwarnings(warning))


def markers_of(path: Path, fixtures: Iterable[str]) -> set[str]:
    """Return the markers that the rules add to a test of this file with these fixtures."""
    found = [rule for rule, fixture in _rules_of(path, HERE) if fixture in ("", *fixtures)]
    markers = {marker for rule in found for marker in rule.split()}
    return markers - {"thorough"} if path.name in WITH_EACH_SDK or path.is_relative_to(WITH_V2) else markers


@cache
def _rules_of(path: Path, root: Path) -> list[tuple[str, str]]:
    """Return the markers and the fixtures of the rules for a file of the tests in `root`."""
    return [(rule, fixture) for rule, place, fixture in RULES if path.is_relative_to(root / place)]


def _is_of(item: pytest.Item, wanted: str, seen: Counter[str]) -> bool:
    """Return whether the level contains the test; of one that is marked `sampled`, the first of every so many cases."""
    sampled = item.get_closest_marker("sampled")
    if sampled and wanted != SLOW:
        test = item.nodeid.partition("[")[0]
        seen[test] += 1
        if (seen[test] - 1) % sampled.args[0]:
            return False
    needed = _level_of({marker.name for marker in item.iter_markers()})
    return LEVELS.index(needed) <= LEVELS.index(wanted)


def _level_of(markers: set[str]) -> str:
    """Return the lowest level that contains a test with these markers."""
    return THOROUGH if "thorough" in markers else COMMON if markers & {"sdk", "processes", "many"} else QUICK


def _named_files(config: pytest.Config) -> set[Path]:
    """Return the files that are named on the command line, also those with the name of a test in them."""
    paths = (config.invocation_params.dir / argument.split("::")[0] for argument in config.args)
    return {path.resolve() for path in paths if path.is_file()}


def _is_named(item: pytest.Item, named: list[str], folder: Path) -> bool:
    """Return whether one of the arguments is the file of the test, or the test or its class in that file."""
    for argument in named:
        file, *names = argument.split("[")[0].split("::")
        inside = item.nodeid.split("[")[0].split("::")[1:]
        if item.path == (folder / file).resolve() and inside[: len(names)] == names:
            return True
    return False

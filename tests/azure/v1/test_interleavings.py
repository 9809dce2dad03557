"""Two who publish, schedule or register at the same moment: one of each is left, and never none.

The second runs whole before a request of the first, before each of them with `--level slow`, and both in turns.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK needs Python 3.11 or earlier")

from azml_tasks import model
from azml_tasks.azure.v1.prune import disable_versions, unused_versions
from azml_tasks.azure.v1.publish.publication import publish
from azml_tasks.azure.v1.resources.computes import register_compute
from azml_tasks.azure.v1.resources.datasets import register_dataset
from azml_tasks.azure.v1.resources.datastores import register_datastore, unregister_datastore
from azml_tasks.azure.v1.resources.environments import definition_of, register_environment
from azml_tasks.azure.v1.schedules.manage import disable, list_schedules, pause, redundant, resume
from azml_tasks.azure.v1.schedules.reconcile import schedule
from azml_tasks.reading import Project
from tests.azure.interleaving import Act, Client, Meanwhile, in_turns, new_client
from tests.azure.scheduling import BLOB, NAMED, NOW, project
from tests.service.service import Service

pytestmark = [pytest.mark.thorough, pytest.mark.always]

DAILY, HOURLY = "{frequency: Day}", "{frequency: Hour}"
OTHER = NAMED.replace("trial", "other")
DAILY_SCORES = NAMED.replace("Weekly", "Daily")
TABLE = model.Dataset(datastore_name="churn_blob", path="customers.csv")
# More than is sent by what is done here.
MOST_REQUESTS = 45
CLUSTER = model.Compute(vm_size="STANDARD_DS3_V2", max_nodes=2)


class Files:
    """The projects of the clients, each in a folder of its own, read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[tuple[str, str], Project] = {}
        self._lock = threading.Lock()

    def __call__(self, text: str = DAILY, extra: str = NAMED) -> Project:
        with self._lock:
            if (text, extra) not in self._read:
                folder = self._folder / str(len(self._read))
                folder.mkdir()
                self._read[text, extra] = project(folder, text, extra)
            return self._read[text, extra]


def publishing(text: str = DAILY, extra: str = NAMED) -> Callable[[Files], Act]:
    return lambda files: lambda ws: publish(files(text, extra), ws)


def scheduling(text: str = DAILY, extra: str = NAMED) -> Callable[[Files], Act]:
    return lambda files: lambda ws: schedule(files(text, extra), ws, now=NOW)


def publishing_with_prune(files: Files) -> Act:
    def act(ws: Any) -> None:
        done = publish(files(), ws)
        unused = [item for item in unused_versions(ws, done.name) if item.version != done.version]
        disable_versions(ws, done.name, unused)

    return act


def pausing(files: Files) -> Act:
    return lambda ws: pause(files(), ws)


def resuming(files: Files) -> Act:
    return lambda ws: resume(files(), ws)


def pruning(files: Files) -> Act:
    return lambda ws: disable(ws, redundant(list_schedules(ws, NOW)))


def paused(files: Files) -> Act:
    return lambda ws: [schedule(files(), ws, now=NOW), pause(files(), ws)]


def registering(files: Files) -> Act:
    def act(ws: Any) -> None:
        register_environment(ws, definition_of("own", model.Environment(pip_packages=("pandas",)), Path()))
        register_datastore(ws, "own", "raw", "churnstore", "a2V5")
        register_dataset(ws, "customers", TABLE, Path())
        register_compute(ws, "own", CLUSTER)

    return act


def a_datastore(files: Files) -> Act:
    return lambda ws: register_datastore(ws, "own", "raw", "churnstore", "a2V5")


def no_datastore(files: Files) -> Act:
    return lambda ws: unregister_datastore(ws, "own")


def nothing(files: Files) -> Act:
    return lambda ws: None


def one_version(azure: Service) -> None:
    """One active published pipeline a version, and an endpoint that runs one of them."""
    active = [item.version for item in azure.published.values() if item.active]
    (endpoint,) = azure.endpoints.values()
    assert sorted(active) == sorted(set(active))
    assert endpoint.active
    assert azure.published[endpoint.versions[endpoint.default]].active


def one_schedule(azure: Service) -> None:
    one_version(azure)
    assert [item.active for item in azure.schedules.values()].count(True) == 1


def one_schedule_at_most(azure: Service) -> None:
    one_version(azure)
    assert [item.active for item in azure.schedules.values()].count(True) <= 1


def one_of_each(azure: Service) -> None:
    assert list(azure.environments["own"]) == ["1"]
    assert [item.version for item in azure.datasets["customers"].versions] == [1]
    assert azure.datastores["own"].credential == "a2V5"
    assert list(azure.computes) == ["cpu", "own"]


def anything(azure: Service) -> None:
    """Whoever was last is right."""


@dataclass(frozen=True)
class Race:
    """What two do at once after `before`, and what is right then."""

    first: Callable[[Files], Act]
    second: Callable[[Files], Act]
    check: Callable[[Service], None]
    before: Callable[[Files], Act] = nothing


RACES = {
    "publish x publish": Race(publishing(), publishing(), one_version),
    "publish x publish another content": Race(
        publishing(), publishing(extra=DAILY_SCORES), one_version, publishing(extra=OTHER)
    ),
    "publish x publish --prune": Race(publishing(extra=DAILY_SCORES), publishing_with_prune, one_version, publishing()),
    "publish --prune x publish an earlier content": Race(
        publishing_with_prune,
        publishing(extra=DAILY_SCORES),
        one_version,
        lambda files: lambda ws: [publishing(extra=DAILY_SCORES)(files)(ws), publishing()(files)(ws)],
    ),
    "publish x schedule": Race(publishing(), scheduling(), one_schedule),
    "schedule x publish": Race(scheduling(), publishing(), one_schedule),
    "schedule x schedule": Race(scheduling(), scheduling(), one_schedule),
    "schedule x schedule, published before": Race(scheduling(), scheduling(), one_schedule, publishing()),
    "schedule x schedule at other times": Race(scheduling(), scheduling(HOURLY), one_schedule, publishing()),
    "schedule x schedule of another kind": Race(scheduling(), scheduling(BLOB), one_schedule, publishing()),
    "replace x replace": Race(scheduling(BLOB), scheduling(extra=OTHER), one_schedule, scheduling()),
    "change x replace": Race(scheduling(HOURLY), scheduling(BLOB), one_schedule, scheduling()),
    "schedule x pause": Race(scheduling(HOURLY), pausing, one_schedule_at_most, scheduling()),
    "pause x schedule": Race(pausing, scheduling(HOURLY), one_schedule_at_most, scheduling()),
    "schedule x resume": Race(scheduling(BLOB), resuming, one_schedule, paused),
    "resume x schedule": Race(resuming, scheduling(BLOB), one_schedule, paused),
    "resume x resume": Race(resuming, resuming, one_schedule, paused),
    "schedule x prune": Race(scheduling(BLOB), pruning, one_schedule, scheduling()),
    "register x register": Race(registering, registering, one_of_each),
    "register x unregister": Race(a_datastore, no_datastore, anything),
    "unregister x register": Race(no_datastore, a_datastore, anything, a_datastore),
    "unregister x unregister": Race(no_datastore, no_datastore, anything, a_datastore),
}
each_race = pytest.mark.parametrize("name", RACES)
SEED = int(os.environ.get("AZML_TEST_SEED") or random.SystemRandom().randrange(10**6))
# Of all races, those that are run without --level slow: other ones each time.
SAMPLED = random.Random(SEED).sample(list(RACES), 8)


def begin(azure: Service, files: Files, race: Race) -> tuple[Client, Client]:
    """Stock the service, and return two clients of it."""
    azure.reset()
    azure.add_environment("env")
    azure.add_compute("cpu")
    azure.add_datastore("churn_blob")
    azure.put_blob("churnstore", "raw", "customers.csv", b"id,age,name\n1,30,ada\n")
    first, second = new_client(), new_client()
    race.before(files)(first.ws)
    return first, second


def chance() -> random.Random:
    print(f"AZML_TEST_SEED={SEED}")
    return random.Random(SEED)


def race_of(name: str, slow: bool) -> Race:
    if not slow and name not in SAMPLED:
        pytest.skip("other races are sampled, all of them run with --level slow")
    return RACES[name]


@each_race
def test_the_second_runs_whole_between_two_requests_of_the_first(
    azure: Service, tmp_path: Path, name: str, slow: bool
) -> None:
    race, files, dice = race_of(name, slow), Files(tmp_path), chance()
    for place in itertools.count() if slow else [dice.randrange(MOST_REQUESTS)]:
        first, second = begin(azure, files, race)
        said: list[str] = []
        meanwhile = Meanwhile(azure, first, place, lambda: said.append(second.does(race.second(files))))  # noqa: B023
        said.append(first.does(race.first(files)))
        is_last = not meanwhile.is_done
        meanwhile.finish()
        right(azure, race, f"before request {place}", said)
        if is_last:
            break


@each_race
def test_both_go_on_in_turns(azure: Service, tmp_path: Path, name: str, slow: bool) -> None:
    race, files, dice = race_of(name, slow), Files(tmp_path), chance()
    for _ in range(12 if slow else 1):
        clients = list(begin(azure, files, race))
        said = in_turns(azure, clients, [race.first(files), race.second(files)], dice)
        right(azure, race, "in turns", said)


@pytest.mark.parametrize("name", ["publish x publish", "replace x replace", "schedule x schedule"])
def test_what_a_killed_one_has_left_the_next_command_settles(
    azure: Service, tmp_path: Path, name: str, slow: bool
) -> None:
    race, files, dice = RACES[name], Files(tmp_path), chance()
    for place in itertools.count() if slow else [dice.randrange(MOST_REQUESTS)]:
        first, second = begin(azure, files, race)
        killed = azure.fail("*", "", status=403, times=10**6, skip=place)
        said = first.does(race.first(files))
        is_last, killed.times = killed.skip > 0 or said == "", 0
        assert second.does(race.first(files)) == ""
        right(azure, race, f"killed at request {place}", [said])
        if is_last:
            break


def right(azure: Service, race: Race, where: str, said: list[str]) -> None:
    """See that what is left is right, and that whoever did not end well said so in a sentence."""
    try:
        race.check(azure)
    except AssertionError as error:
        raise AssertionError(f"{where}: {error}\nthey said {said}") from None
    assert azure.submitted == []

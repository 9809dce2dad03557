"""One schedule a name, whatever is changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure.projects import line_of_steps, write_project

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK needs Python 3.11 or earlier")

from azml_tasks.azure.v1.schedules.manage import pause, resume
from azml_tasks.azure.v1.schedules.reconcile import schedule
from azml_tasks.errors import ProjectError, ServiceError
from tests.azure.scheduling import BLOB, NAMED, NOW, WATCHED, Counting, kept, project, recurrence
from tests.azure.workspace import stocked


@pytest.fixture
def ws(azure: Any) -> Any:
    ws = stocked(azure)
    azure.add_datastore("churn_blob")
    azure.requests = Counting(azure)
    return ws


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("{frequency: Minute, interval: 30}", recurrence("Minute", 30, "2030-01-01T12:31:00")),
        ("{frequency: Hour}", recurrence("Hour", 1, "2030-01-01T13:01:00")),
        ("{frequency: Day, interval: 3}", recurrence("Day", 3, "2030-01-04T12:01:00")),
        (
            "{frequency: Day, hours: [17, 9], minutes: [30, 0]}",
            recurrence("Day", 1, Hours=[9, 17], Minutes=[0, 30]),
        ),
        (
            "{frequency: Week, interval: 2, week_days: [Friday, Monday], time_of_day: 18:30, time_zone: Europe/Paris}",
            recurrence(
                "Week", 2, "2030-01-01T13:01:00", zone="Romance Standard Time",
                Hours=[18], Minutes=[30], WeekDays=["Monday", "Friday"],
            ),
        ),
        ("{frequency: Month, start_time: 2030-02-28T06:00:00}", recurrence("Month", 1, "2030-02-28T06:00:00")),
        (BLOB, WATCHED),
        (
            "{on_blob_change: {datastore_name: churn_blob, data_path_parameter_name: blob}}",
            {"DataStoreName": "churn_blob", "PollingInterval": 5, "DataPathParameterName": "blob"},
        ),
    ],
    ids=["minutes", "hours", "days", "day with times", "week", "month", "blob in a folder", "blob"],
)  # fmt: skip
def test_each_kind_of_schedule_arrives_and_starts_nothing_now(azure, ws, tmp_path, text, stored):
    published, done = schedule(project(tmp_path, text), ws, now=NOW)

    assert kept(azure) == [("on", "churn", "churn", "trial", stored)]
    (entity,) = azure.schedules.values()
    assert (done.outcome, done.id, entity.description) == ("created", entity.id, "Weekly churn scores")
    assert azure.submitted == []
    assert published is not None
    assert published.outcome == "created"


def test_the_same_schedule_twice_is_one_and_requests_no_change(azure, ws, tmp_path):
    weekly = project(tmp_path, "{frequency: Week}")
    schedule(weekly, ws, now=NOW)
    azure.requests.clear()

    published, done = schedule(weekly, ws)  # whenever that is: the start stays

    assert (str(published), str(done)) == (f"churn {published.version}: unchanged", "schedule churn: unchanged")
    assert kept(azure) == [("on", "churn", "churn", "trial", recurrence("Week", 1, "2030-01-08T12:01:00"))]
    assert [asked for asked in azure.requests if asked.method in ("PUT", "POST")] == []


def test_a_new_version_moves_along_without_touching_the_schedule(azure, ws, tmp_path):
    schedule(project(tmp_path, "{frequency: Day}"), ws, now=NOW)
    text = line_of_steps(1, f"{NAMED}schedule: {{frequency: Day}}\n").replace("{n: 1}", "{n: 2}")

    published, done = schedule(write_project(tmp_path, text), ws)

    assert done.outcome == "unchanged"
    (entity,) = azure.schedules.values()
    azure.fire(entity)
    assert azure.published[azure.submitted[-1].published].version == published.version
    assert azure.submitted[-1].experiment == "trial"


@pytest.mark.parametrize(
    ("before", "after", "says", "stored"),
    [
        (
            "{frequency: Day}",
            "{frequency: Day, interval: 2}",
            "schedule churn: updated: when it runs: every day at 12:01, UTC -> every 2 days at 12:01, UTC",
            recurrence("Day", 2, "2030-01-02T12:01:00"),
        ),
        (
            "{frequency: Day, time_of_day: 18:30}",
            "{frequency: Week, week_days: [Monday], time_of_day: 06:00}",
            "schedule churn: updated: when it runs: every day at 18:30, UTC -> every week on Monday at 06:00, UTC",
            recurrence("Week", 1, Hours=[6], Minutes=[0], WeekDays=["Monday"]),
        ),
        (
            "{frequency: Week, week_days: [Monday], time_of_day: 06:00}",
            "{frequency: Hour}",
            "schedule churn: updated: when it runs: every week on Monday at 06:00, UTC -> every hour, UTC",
            recurrence("Hour", 1, "2030-01-01T12:01:00"),
        ),
        (
            "{frequency: Day}",
            "{frequency: Day, start_time: 2031-01-01T00:00:00}",
            "schedule churn: updated: start 2030-01-02 12:01 -> 2031-01-01 00:00",
            recurrence("Day", 1, "2031-01-01T00:00:00"),
        ),
        (
            "{frequency: Day}",
            "{frequency: Day, time_zone: America/New_York}",
            "schedule churn: updated: when it runs: "
            "every day at 12:01, UTC -> every day at 12:01, Eastern Standard Time",
            recurrence("Day", 1, "2030-01-02T12:01:00", zone="Eastern Standard Time"),
        ),
        (
            "{frequency: Day, start_time: 2030-01-31T06:00:00}",
            "{frequency: Month}",
            "schedule churn: updated: when it runs: every day at 06:00, UTC -> every month at 12:01, UTC",
            recurrence("Month", 1, "2030-02-01T12:01:00"),
        ),
        (
            BLOB,
            BLOB.replace("15", "20").replace("incoming", "new"),
            "schedule churn: updated: when it runs: every 15 minutes if churn_blob/incoming changed -> "
            "every 20 minutes if churn_blob/new changed",
            {**WATCHED, "PollingInterval": 20, "PathOnDataStore": "new"},
        ),
    ],
)  # fmt: skip
def test_a_change_is_made_in_place(azure, ws, tmp_path, before, after, says, stored):
    schedule(project(tmp_path, before), ws, now=NOW)
    identifier = next(iter(azure.schedules))

    _, done = schedule(project(tmp_path, after), ws, now=NOW)

    assert (str(done), done.id) == (says, identifier)
    assert kept(azure) == [("on", "churn", "churn", "trial", stored)]
    assert azure.submitted == []


def test_a_changed_description_is_changed_in_place(azure, ws, tmp_path):
    schedule(project(tmp_path, "{frequency: Day, description: old}"), ws)
    _, done = schedule(project(tmp_path, "{frequency: Day, description: new}"), ws)

    assert str(done) == "schedule churn: updated: description old -> new"
    assert [item.description for item in azure.schedules.values()] == ["new"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (project, lambda folder, text: project(folder, text, NAMED.replace("trial", "other"))),
        (lambda folder, text: project(folder, BLOB), project),
        (project, lambda folder, text: project(folder, BLOB)),
        (
            lambda folder, text: project(folder, BLOB),
            lambda folder, text: project(folder, "{on_blob_change: {datastore_name: churn_blob}}"),
        ),
    ],
    ids=[
        "another experiment",
        "by the clock instead of blobs",
        "by blobs instead of the clock",
        "all of the container",
    ],
)
def test_what_cannot_be_changed_in_place_is_replaced_and_never_doubled(azure, ws, tmp_path, before, after):
    schedule(before(tmp_path, "{frequency: Day}"), ws, now=NOW)

    _, done = schedule(after(tmp_path, "{frequency: Day}"), ws, now=NOW)

    assert str(done) == "schedule churn: created; another enabled schedule is disabled"
    assert [item.active for item in azure.schedules.values()] == [False, True]
    assert max(azure.requests.on) == 1
    assert schedule(after(tmp_path, "{frequency: Day}"), ws)[1].outcome == "unchanged"


def test_blobs_and_the_clock_by_turns_leave_two_schedules_of_which_one_is_on(azure, ws, tmp_path):
    for text in ("{frequency: Day}", BLOB, "{frequency: Day, interval: 2}", BLOB, "{frequency: Day}"):
        schedule(project(tmp_path, text), ws, now=NOW)

    assert kept(azure) == [
        ("on", "churn", "churn", "trial", recurrence("Day", 1, "2030-01-02T12:01:00")),
        ("off", "churn", "churn", "trial", WATCHED),
    ]
    assert max(azure.requests.on) == 1
    assert azure.submitted == []


def test_one_that_was_made_for_a_published_pipeline_is_replaced_by_one_that_follows_the_endpoint(azure, ws, tmp_path):
    from azureml.pipeline.core import Schedule, ScheduleRecurrence

    published, _ = schedule(project(tmp_path, "{frequency: Day, name: other}"), ws)
    Schedule.create(ws, "churn", published.id, "trial", ScheduleRecurrence("Day", 1, start_time="2030-05-01T07:00:00"))

    _, done = schedule(project(tmp_path, "{frequency: Day}"), ws)

    assert kept(azure)[1:] == [
        ("off", "churn", published.version, "trial", recurrence("Day", 1, "2030-05-01T07:00:00")),
        ("on", "churn", "churn", "trial", recurrence("Day", 1, "2030-05-01T07:00:00")),
    ]
    assert done.notes == (
        "the schedule 'other' also runs this pipeline; disable it with `invoke schedules.pause --name other`",
    )


def test_doubles_of_the_name_are_switched_off_and_others_of_the_name_left_alone(azure, ws, tmp_path):
    from azureml.pipeline.core import Schedule, ScheduleRecurrence

    daily = project(tmp_path, "{frequency: Day}")
    schedule(daily, ws, now=NOW)
    elsewhere, _ = schedule(project(tmp_path, "{frequency: Day}", "publish: {name: else}\nexperiment_name: x\n"), ws)
    again = ScheduleRecurrence("Day", 1, start_time="2030-01-02T12:01:00")
    endpoint = next(item for item in azure.endpoints.values() if item.name == "churn")
    Schedule.create_for_pipeline_endpoint(ws, "churn", endpoint.id, "trial", again, "Weekly churn scores")
    Schedule.create(ws, "churn", elsewhere.id, "x", again)

    _, done = schedule(daily, ws)

    assert str(done) == "schedule churn: updated; another enabled schedule is disabled"
    assert [(state, name, runs) for state, name, runs, _, _ in kept(azure)] == [
        ("on", "churn", "churn"),
        ("on", "else", "else"),
        ("off", "churn", "churn"),
        ("on", "churn", elsewhere.version),
    ]


def test_a_target_keeps_it_off_and_publishes_nothing(azure, ws, tmp_path):
    off = project(tmp_path, "{frequency: Day, enabled: false}")
    published, done = schedule(off, ws)
    assert (published, str(done), kept(azure), azure.published) == (None, "schedule churn: already disabled", [], {})

    schedule(project(tmp_path, "{frequency: Day}"), ws, now=NOW)
    _, done = schedule(off, ws)
    assert str(done) == "schedule churn: disabled"
    assert done.notes == ("the file has `enabled: false`",)
    assert [item.active for item in azure.schedules.values()] == [False]

    _, done = schedule(project(tmp_path, "{frequency: Day}"), ws)
    assert str(done) == "schedule churn: updated: enabled"
    assert kept(azure) == [("on", "churn", "churn", "trial", recurrence("Day", 1, "2030-01-02T12:01:00"))]


def test_pause_and_resume_leave_it_as_it_was(azure, ws, tmp_path):
    daily = project(tmp_path, "{frequency: Day}")
    schedule(project(tmp_path, BLOB), ws)
    schedule(daily, ws, now=NOW)
    before = kept(azure)

    assert [record.name for record in pause(daily, ws)] == ["churn"]
    assert [item.active for item in azure.schedules.values()] == [False, False]
    assert pause(daily, ws) == []

    record, was_off = resume(daily, ws)
    assert (record.name, was_off) == ("churn", True)
    assert kept(azure) == before
    assert resume(daily, ws)[1] is False
    assert max(azure.requests.on) == 1


def test_pausing_keeps_the_tags_that_others_have_given_it(azure, ws, tmp_path):
    daily = project(tmp_path, "{frequency: Day}")
    schedule(daily, ws)
    (entity,) = azure.schedules.values()
    entity.submission["tags"] = {"owner": "me"}

    pause(daily, ws)
    resume(daily, ws)

    assert entity.submission["tags"] == {"owner": "me"}


def test_resume_takes_the_one_that_is_as_the_file_declares(azure, ws, tmp_path):
    schedule(project(tmp_path, "{frequency: Day}"), ws)
    schedule(project(tmp_path, BLOB), ws)
    daily = project(tmp_path, "{frequency: Day}")
    pause(daily, ws)

    resume(daily, ws)

    assert [(item.kind, item.active) for item in azure.schedules.values()] == [
        ("Recurrence", True),
        ("DataStore", False),
    ]
    pause(daily, ws)
    with pytest.raises(ServiceError) as caught:
        resume(project(tmp_path, "{frequency: Day}", NAMED.replace("trial", "other")), ws)
    assert str(caught.value) == (
        "none of the disabled schedules 'churn' matches pipeline.yaml; create one with `invoke schedule`"
    )


def test_what_is_not_there_cannot_be_paused(azure, ws, tmp_path):
    for act in (pause, resume):
        with pytest.raises(ServiceError) as caught:
            act(project(tmp_path, "{frequency: Day}"), ws, name="nightly")
        assert str(caught.value) == (
            "the workspace 'churn-ws' has no schedule 'nightly' of this pipeline; "
            "`invoke schedules.list` lists the schedules"
        )


def test_a_file_without_a_schedule_names_what_to_add(azure, ws, tmp_path):
    with pytest.raises(ProjectError) as caught:
        schedule(write_project(tmp_path, line_of_steps(1, NAMED)), ws)
    assert str(caught.value) == (
        "pipeline.yaml: has no schedule: add `schedule: {frequency: Week, interval: 2}`, or on_blob_change"
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "identity",
            "a schedule can only watch a datastore with an account key, but 'identity' has none: set `account_key: "
            "${SOME_VARIABLE}` in the file and register it again",
        ),
        ("workspacefilestore", "a schedule can only watch a blob datastore, but 'workspacefilestore' is AzureFile"),
        ("churn_blab", "the workspace 'churn-ws' has no datastore 'churn_blab'; did you mean 'churn_blob'?"),
    ],
)
def test_a_datastore_that_azure_cannot_watch_is_refused_before_anything_is_changed(azure, ws, tmp_path, name, sentence):
    azure.add_datastore("identity", key=None)
    schedule(project(tmp_path, "{frequency: Day}"), ws, now=NOW)
    before = kept(azure)

    with pytest.raises(ServiceError) as caught:
        schedule(project(tmp_path, f"{{on_blob_change: {{datastore_name: {name}}}}}"), ws)

    assert str(caught.value) == sentence
    assert kept(azure) == before


def test_what_a_blob_schedule_does_not_do_is_reported_when_it_is_made(azure, ws, tmp_path):
    blobs = project(tmp_path, BLOB)
    limits = (
        "each blob that is added or changed starts its own run: ten blobs start ten runs",
        "only blobs directly in 'incoming' are detected, not in subfolders",
        "the datastore 'churn_blob' needs an account key and must not be in a virtual network",
    )
    assert schedule(blobs, ws)[1].notes == limits
    assert schedule(blobs, ws)[1].notes == ()


def test_dry_reports_what_would_be_done_and_changes_nothing(azure, ws, tmp_path):
    daily = project(tmp_path, "{frequency: Day}")
    assert str(schedule(daily, ws, dry=True)[1]) == "schedule churn: would be created"
    assert (kept(azure), azure.published) == ([], {})

    schedule(daily, ws, now=NOW)
    before = kept(azure)
    assert str(schedule(project(tmp_path, BLOB), ws, dry=True)[1]) == (
        "schedule churn: would be created; another enabled schedule would be disabled"
    )
    assert str(schedule(project(tmp_path, "{frequency: Day, enabled: false}"), ws, dry=True)[1]) == (
        "schedule churn: would be disabled"
    )
    assert [record.name for record in pause(daily, ws, dry=True)] == ["churn"]
    assert kept(azure) == before


def test_two_who_schedule_at_the_same_time_agree_on_one(azure, ws, tmp_path):
    """The second is made while the first is: between its look and its POST."""
    daily = project(tmp_path, "{frequency: Day}")
    schedule(project(tmp_path, "{frequency: Day, enabled: false}"), ws)
    from azml_tasks.azure.v1.publish.publication import publish

    publish(daily, ws)

    class Racing(Counting):
        def append(self, record: Any) -> None:
            super().append(record)
            if record.method == "POST" and record.path.endswith("/Schedules/Create") and not self.raced:
                self.raced = True
                twin = next(iter(self._azure.schedules.values()))
                copy = type(twin)(
                    "0-older", twin.name, None, twin.endpoint, twin.recurrence, twin.trigger, twin.submission,
                    created="2000-01-01T00:00:00.000000+00:00",
                )  # fmt: skip
                self._azure.schedules[copy.id] = copy

        raced = False

    azure.requests = Racing(azure)
    _, done = schedule(daily, ws)

    assert done.id == "0-older"
    assert {item.id: item.active for item in azure.schedules.values()} == {
        "0-older": True,
        next(iter(azure.schedules)): False,
    }


def test_one_that_azure_cannot_set_up_is_switched_off_and_the_one_before_is_on_again(azure, ws, tmp_path):
    schedule(project(tmp_path, "{frequency: Day}"), ws, now=NOW)

    class Failing(Counting):
        def append(self, record: Any) -> None:
            for item in self._azure.schedules.values():
                if item.kind == "DataStore":
                    item.provisioning = "Failed"
            super().append(record)

    azure.requests = Failing(azure)
    with pytest.raises(ServiceError) as caught:
        schedule(project(tmp_path, BLOB), ws)

    assert str(caught.value) == (
        "Azure ML could not create the schedule 'churn'; no reason was returned\n"
        "The earlier schedule 'churn' is enabled again."
    )
    assert [item.active for item in azure.schedules.values()] == [True, False]

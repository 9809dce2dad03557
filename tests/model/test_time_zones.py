"""Time zones by their Windows and IANA names."""

from __future__ import annotations

import sys
import zoneinfo
from pathlib import Path

import pytest

from azml_tasks.errors import NotInstalledError
from azml_tasks.model.time_zone import WINDOWS_NAMES, clock, iana_time_zone, windows_time_zone

OBSOLETE = {"Kamchatka Standard Time", "Mid-Atlantic Standard Time"}


@pytest.mark.parametrize(
    ("name", "windows", "iana"),
    [
        ("UTC", "UTC", "Etc/UTC"),
        ("Europe/Paris", "Romance Standard Time", "Europe/Paris"),
        ("Romance Standard Time", "Romance Standard Time", "Europe/Paris"),
        ("Europe/Brussels", "Romance Standard Time", "Europe/Paris"),
        ("America/New_York", "Eastern Standard Time", "America/New_York"),
        ("US/Eastern", "Eastern Standard Time", "America/New_York"),
        ("Asia/Kolkata", "India Standard Time", "Asia/Calcutta"),
        ("Russia Time Zone 11", "Russia Time Zone 11", "Asia/Kamchatka"),
        ("Pacific Standard Time (Mexico)", "Pacific Standard Time (Mexico)", "America/Tijuana"),
    ],
)
def test_a_zone_has_a_windows_and_an_iana_name(name: str, windows: str, iana: str) -> None:
    assert (windows_time_zone(name), iana_time_zone(name), clock(name).key) == (windows, iana, iana)


def test_the_windows_names_are_those_of_the_sdk() -> None:
    sdk = pytest.importorskip("azureml.pipeline.core.schedule")

    assert {zone.value for zone in sdk.TimeZone} == WINDOWS_NAMES


def test_every_windows_name_maps_to_a_zone_and_back_but_for_two_obsolete_ones() -> None:
    names = WINDOWS_NAMES - OBSOLETE

    assert {name: windows_time_zone(iana_time_zone(name)) for name in names} == {name: name for name in names}
    assert {iana_time_zone(name) for name in names} <= zoneinfo.available_timezones()


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        (
            "Africa/Khartoum",
            "Azure ML does not support the time zone 'Africa/Khartoum'; use 'Africa/Johannesburg', 'Africa/Tripoli' "
            "or 'Africa/Windhoek' for the same time",
        ),
        (
            "Sudan Standard Time",
            "Azure ML does not support the time zone 'Sudan Standard Time'; use 'Africa/Johannesburg', "
            "'Africa/Tripoli' or 'Africa/Windhoek' for the same time",
        ),
        (
            "Africa/Sao_Tome",
            "Azure ML does not support the time zone 'Africa/Sao_Tome'; use 'Atlantic/Reykjavik' or 'Etc/UTC' for "
            "the same time",
        ),
        (
            "Europe/Volgograd",
            "Azure ML does not support the time zone 'Europe/Volgograd'; use 'Europe/Istanbul', 'Europe/Minsk' or "
            "'Europe/Moscow' for the same time",
        ),
        (
            "US/East-Indiana",
            "Azure ML does not support the time zone 'US/East-Indiana'; use 'America/Grand_Turk', 'America/Havana' "
            "or 'America/Indianapolis' for the same time",
        ),
        (
            "Antarctica/Troll",
            "Azure ML does not support the time zone 'Antarctica/Troll' or one with the same time; use 'UTC'",
        ),
        (
            "Kamchatka Standard Time",
            "the time zone 'Kamchatka Standard Time' is obsolete; use 'Russia Time Zone 11'",
        ),
        ("Mid-Atlantic Standard Time", "the time zone 'Mid-Atlantic Standard Time' is obsolete; use 'UTC-02'"),
        (
            "Europe/Pariss",
            "unknown time zone 'Europe/Pariss' (expected a Windows or IANA name); did you mean 'Europe/Paris'?",
        ),
        *(
            (name, f"unknown time zone '{name}' (expected a Windows or IANA name); did you mean '{meant}'?")
            for name, meant in {"Paris": "Europe/Paris", "new york": "America/New_York"}.items()
        ),
        (
            "Romance Standart Time",
            "unknown time zone 'Romance Standart Time' (expected a Windows or IANA name); did you mean 'Romance "
            "Standard Time'?",
        ),
        ("local", "unknown time zone 'local' (expected a Windows or IANA name)"),
        ("", "unknown time zone '' (expected a Windows or IANA name)"),
        ("../etc/passwd", "unknown time zone '../etc/passwd' (expected a Windows or IANA name)"),
    ],
)
def test_a_zone_that_azure_has_no_name_for_is_refused_with_another(name: str, refusal: str) -> None:
    with pytest.raises(ValueError, match="time zone") as refused:
        windows_time_zone(name)

    assert str(refused.value) == refusal


@pytest.mark.parametrize("name", ["Omsk Standard Time", "Europe/Volgograd", "America/Whitehorse", "Etc/GMT-13"])
def test_what_a_refusal_names_is_taken(name: str) -> None:
    with pytest.raises(ValueError, match=" use '") as refused:
        windows_time_zone(name)

    offered = str(refused.value).split("; use ")[1].split("'")[1::2]
    assert [zone for zone in offered if windows_time_zone(zone) not in WINDOWS_NAMES] == []


def test_a_machine_without_time_zone_data_gets_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tzdata", None)
    monkeypatch.delitem(sys.modules, "tzdata.zoneinfo", raising=False)
    zoneinfo.reset_tzpath([str(tmp_path)])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        with pytest.raises(NotInstalledError) as missing:
            clock("Europe/Paris")
    finally:
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()

    assert str(missing.value) == (
        "this machine has no time zone data for 'Europe/Paris'; install it with: pip install tzdata"
    )

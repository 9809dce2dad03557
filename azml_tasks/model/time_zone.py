"""Time zones, by the Windows names that Azure ML takes and by the IANA names that people write.

The pairs are Unicode CLDR's (windowsZones.xml), as tzlocal ships them. Which Windows names count is fixed here:
`TimeZone` of azureml-pipeline-core takes 131, and one that it does not know breaks the listing of schedules.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from tzlocal.windows_tz import tz_win, win_tz

from azml_tasks.errors import NotInstalledError, did_you_mean, listed

_STANDARD_TIMES = """
AUS Central, AUS Eastern, Afghanistan, Alaskan, Aleutian, Altai, Arab, Arabian, Arabic, Argentina, Astrakhan,
Atlantic, Aus Central W., Azerbaijan, Azores, Bahia, Bangladesh, Belarus, Bougainville, Canada Central, Cape Verde,
Caucasus, Cen. Australia, Central, Central America, Central Asia, Central Brazilian, Central Europe,
Central European, Central Pacific, Chatham Islands, China, Cuba, Dateline, E. Africa, E. Australia, E. Europe,
E. South America, Easter Island, Eastern, Egypt, Ekaterinburg, FLE, Fiji, GMT, GTB, Georgian, Greenland, Greenwich,
Haiti, Hawaiian, India, Iran, Israel, Jordan, Kaliningrad, Kamchatka, Korea, Libya, Line Islands, Lord Howe,
Magadan, Marquesas, Mauritius, Mid-Atlantic, Middle East, Montevideo, Morocco, Mountain, Myanmar, N. Central Asia,
Namibia, Nepal, New Zealand, Newfoundland, Norfolk, North Asia, North Asia East, North Korea, Pacific, Pacific SA,
Pakistan, Paraguay, Romance, Russian, SA Eastern, SA Pacific, SA Western, SE Asia, Saint Pierre, Sakhalin, Samoa,
Singapore, South Africa, Sri Lanka, Syria, Taipei, Tasmania, Tocantins, Tokyo, Tomsk, Tonga, Transbaikal, Turkey,
Turks And Caicos, US Eastern, US Mountain, Ulaanbaatar, Venezuela, Vladivostok, W. Australia, W. Central Africa,
W. Europe, W. Mongolia, West Asia, West Bank, West Pacific, Yakutsk
"""
_OTHERS = (
    "Central Standard Time (Mexico)",
    "Eastern Standard Time (Mexico)",
    "Mountain Standard Time (Mexico)",
    "Pacific Standard Time (Mexico)",
    "Russia Time Zone 3",
    "Russia Time Zone 10",
    "Russia Time Zone 11",
    "UTC",
    "UTC+12",
    "UTC-02",
    "UTC-08",
    "UTC-09",
    "UTC-11",
)

WINDOWS_NAMES = frozenset(
    (*(f"{' '.join(name.split())} Standard Time" for name in _STANDARD_TIMES.split(",")), *_OTHERS)
)

# tzlocal's table has an empty name too, for machines that state none.
_WINDOWS_NAME_OF = {iana: windows for iana, windows in tz_win.items() if iana}

# Windows keeps these two for old settings only; CLDR gives them no place, so nobody can say when they fire.
_OBSOLETE = {"Kamchatka Standard Time": "Russia Time Zone 11", "Mid-Atlantic Standard Time": "UTC-02"}

# A year past the transitions that the time zone data lists one by one: the rules as they now stand.
_COMPARED_YEAR = 2037


def windows_time_zone(name: str) -> str:
    """Return the Windows name that Azure ML takes for a time zone, given that name or an IANA one.

    Raises ValueError, with a sentence that names an alternative, for a zone that Azure ML has no name for.
    """
    if name in _OBSOLETE:
        raise ValueError(f"the time zone '{name}' is obsolete; use '{_OBSOLETE[name]}'")
    windows = name if name in WINDOWS_NAMES else _WINDOWS_NAME_OF.get(name)
    if windows in WINDOWS_NAMES:
        return windows
    raise ValueError(_refusal(name))


def iana_time_zone(name: str) -> str:
    """Return the IANA name of the zone whose clock Azure ML follows under a Windows or IANA name.

    It is CLDR's main zone of the Windows name: Europe/Paris for Europe/Brussels, which Azure ML cannot tell apart.
    Raises ValueError as windows_time_zone does.
    """
    return win_tz[windows_time_zone(name)]


def clock(name: str) -> ZoneInfo:
    """Return the zone whose clock Azure ML follows under a Windows or IANA name.

    Raises ValueError as windows_time_zone does, and NotInstalledError where the machine has no time zone data.
    """
    return _zone(iana_time_zone(name))


def _zone(iana: str) -> ZoneInfo:
    try:
        return ZoneInfo(iana)
    except ZoneInfoNotFoundError:
        raise NotInstalledError(
            f"this machine has no time zone data for '{iana}'; install it with: pip install tzdata"
        ) from None


def _refusal(name: str) -> str:
    iana = win_tz.get(name, name)
    if iana not in _WINDOWS_NAME_OF and iana not in available_timezones():
        known = (*sorted(WINDOWS_NAMES - _OBSOLETE.keys()), *_WINDOWS_NAME_OF)
        return f"'{name}' is no time zone that Windows or IANA names{did_you_mean(name, known)}"
    same = _same_clock(iana)
    if not same:
        return f"Azure ML has no name for the time zone '{name}', nor for one with the same time; use 'UTC'"
    names = listed([f"'{zone}'" for zone in same], "or")
    return f"Azure ML has no name for the time zone '{name}'; use {names} for the same time"


def _same_clock(iana: str) -> list[str]:
    """Return up to three zones that Azure ML has a name for and that keep the same time, the nearest first."""
    offsets = _offsets(iana)
    mains = {win_tz[name] for name in WINDOWS_NAMES - _OBSOLETE.keys()}
    same = sorted(zone for zone in mains if _offsets(zone) == offsets)
    area = iana.partition("/")[0]
    near = [zone for zone in same if zone.partition("/")[0] == area]
    return (near or same)[:3]


def _offsets(iana: str) -> list[timedelta | None]:
    zone = _zone(iana)
    noon = datetime(_COMPARED_YEAR, 1, 1, 12, tzinfo=timezone.utc)
    return [(noon + timedelta(days=day)).astimezone(zone).utcoffset() for day in range(365)]

"""Time zones, by the Windows names that Azure ML uses and by IANA names.

The pairs are Unicode CLDR's (windowsZones.xml), as tzlocal ships them. Which Windows names count is fixed here:
`TimeZone` of azureml-pipeline-core has 131, and any other breaks the listing of schedules.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from tzlocal.windows_tz import tz_win, win_tz

from azml_tasks.errors import NotInstalledError
from azml_tasks.text import did_you_mean, listed

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

# Windows keeps these two for old settings only; CLDR does not map them, so their times are unknown.
_OBSOLETE = {"Kamchatka Standard Time": "Russia Time Zone 11", "Mid-Atlantic Standard Time": "UTC-02"}

# A year past the transitions that the time zone data lists one by one: the current rules.
_COMPARED_YEAR = 2037


def windows_time_zone(name: str) -> str:
    """Return the Windows name of a time zone for Azure ML, given that name or an IANA name.

    Raises ValueError, with an alternative in the message, for a zone that Azure ML does not support.
    """
    if name in _OBSOLETE:
        raise ValueError(f"the time zone '{name}' is obsolete; use '{_OBSOLETE[name]}'")
    windows = name if name in WINDOWS_NAMES else _WINDOWS_NAME_OF.get(name)
    if windows in WINDOWS_NAMES:
        return windows
    raise ValueError(_refusal(name))


def iana_time_zone(name: str) -> str:
    """Return the IANA name of the zone that Azure ML uses for a Windows or IANA name.

    It is CLDR's main zone of the Windows name: Europe/Paris for Europe/Brussels, which Azure ML cannot tell apart.
    Raises ValueError as windows_time_zone does.
    """
    return win_tz[windows_time_zone(name)]


def clock(name: str) -> ZoneInfo:
    """Return the zone that Azure ML uses for a Windows or IANA name.

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
        place = name.replace(" ", "_").lower()
        cities = [zone for zone in _WINDOWS_NAME_OF if zone.rpartition("/")[2].lower() == place]
        known = (*sorted(WINDOWS_NAMES - _OBSOLETE.keys()), *_WINDOWS_NAME_OF)
        meant = f"; did you mean '{cities[0]}'?" if len(cities) == 1 else did_you_mean(name, known)
        return f"unknown time zone '{name}' (expected a Windows or IANA name){meant}"
    same = _same_clock(iana)
    if not same:
        return f"Azure ML does not support the time zone '{name}' or one with the same time; use 'UTC'"
    names = listed([f"'{zone}'" for zone in same], "or")
    return f"Azure ML does not support the time zone '{name}'; use {names} for the same time"


def _same_clock(iana: str) -> list[str]:
    """Return up to three zones that Azure ML supports and that have the same time, the nearest first."""
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

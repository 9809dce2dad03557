"""Compare the files and the arguments of a step with those of an earlier result."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from azml_tasks.runs.changes.differences import ABSENT, UNKNOWN, Difference, difference, json_text, stated_difference
from azml_tasks.secrets import holds_secret

# The kinds of differences that pipeline.yaml and --set make in the arguments.
SETTINGS = ("setting", "parameter", "argument")
_OPTION = r"--?[A-Za-z_]"
_WITHOUT_OPTION = "arguments"


def changed_script(
    script: tuple[str, str], old: Mapping[str, str], new: Mapping[str, str], path_of: Callable[[str], str]
) -> Iterator[Difference]:
    """Yield the differences of two snapshots: of their scripts, before and now, and of the digests of their files.

    `path_of` returns where in the project a file is, by its name in the snapshot.
    """
    before, now = script
    if before != now:
        yield difference("script", "script", before, now)
    skipped = () if before == now else script
    for name in sorted({*old, *new} - {*skipped}, key=lambda name: (name != now, name)):
        if old.get(name) != new.get(name):
            values = (UNKNOWN if name in old else ABSENT, UNKNOWN if name in new else ABSENT)
            yield Difference("script" if name == now else "file", path_of(name), *values)


def changed_arguments(
    key: str, old: Sequence[Any], new: Sequence[Any], parameters: Sequence[str]
) -> Iterator[Difference]:
    """Yield the differences of the arguments of step `key`; see `changed_settings`."""
    if old == new:
        return
    found = changed_settings(key, old, new, parameters)
    if found:
        yield from found
    elif sorted(map(json.dumps, old)) == sorted(map(json.dumps, new)):
        yield stated_difference("the order of its arguments changed", "argument")
    elif [word for word in old if not _is_config(word)] == [word for word in new if not _is_config(word)]:
        yield stated_difference("the order of its step_config changed", "setting")
    else:
        yield stated_difference("its arguments changed", "argument")


def _is_config(word: Any) -> bool:
    return isinstance(word, dict) and "config" in word


def changed_settings(key: str, old: Sequence[Any], new: Sequence[Any], parameters: Sequence[str]) -> list[Difference]:
    """Return the settings of step `key` that differ between two lists of arguments, whatever their order.

    `parameters` has the name of the pipeline parameter that each argument of the new list is, empty for the others.
    """
    is_value = _values_with_dashes(old, new)
    before, now = _parsed(old, (), is_value), _parsed(new, parameters, is_value)
    found = [*_changed_config(key, before.config, now.config)]
    for name in dict.fromkeys((*now.options, *before.options)):
        found += _changed_option(name, before.options.get(name), now.options.get(name))
    return list({(one.name, json_text(one.before), json_text(one.now)): one for one in found}.values())


def config_of(text: Any) -> dict[str, Any]:
    """Return the values of a step_config; empty for an invalid record."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


_Word = tuple[Any, str]


@dataclass
class _Parsed:
    """A list of arguments: the settings, and the words after each option, with the parameters that they are."""

    config: dict[str, Any] | None = None
    options: dict[str, list[_Word]] = field(default_factory=dict)

    def awaits(self, option: str, word: str) -> bool:
        """Return whether a word is the secret value of the option before it."""
        return self.options.get(option) == [] and holds_secret(option, word)


def _parsed(argv: Sequence[Any], parameters: Sequence[str], is_value: frozenset[int]) -> _Parsed:
    found, name = _Parsed(), _WITHOUT_OPTION
    for place, (word, parameter) in enumerate(zip_longest(argv, parameters[: len(argv)], fillvalue="")):
        if isinstance(word, dict) and _is_config(word):
            found.config = config_of(word["config"])
            if not found.options.get(name, True):
                del found.options[name]
            name = _WITHOUT_OPTION
        elif isinstance(word, str) and _is_option(word) and place not in is_value and not found.awaits(name, word):
            name, equals, value = word.partition("=")
            found.options.setdefault(name, []).extend([(value, "")] if equals else [])
        else:
            found.options.setdefault(name, []).append((word, parameter))
            if isinstance(word, dict):  # a folder or a dataset, which is one word
                name = _WITHOUT_OPTION
    return found


def _values_with_dashes(old: Sequence[Any], new: Sequence[Any]) -> frozenset[int]:
    """Return the places of values that only look like options: those that changed right behind one."""

    def is_value(place: int) -> bool:
        before, words = old[place - 1], (old[place], new[place])
        is_behind = before == new[place - 1] and _is_option(before) and "=" not in before
        flags = [word for word in words if isinstance(word, str) and word.startswith("--")]
        return is_behind and words[0] != words[1] and len(flags) < 2

    return frozenset(filter(is_value, range(1, len(old)))) if len(old) == len(new) else frozenset()


def _is_option(word: Any) -> bool:
    return isinstance(word, str) and bool(re.match(_OPTION, word))


def _changed_config(key: str, before: dict[str, Any] | None, now: dict[str, Any] | None) -> Iterator[Difference]:
    if not before and not now:
        if before != now:
            old, new = (ABSENT if config is None else config for config in (before, now))
            yield difference("setting", "step_config", old, new)
        return
    yield from _changed_keys(key, "", before or {}, now or {})


def _changed_keys(owner: str, prefix: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    for key in dict.fromkeys((*now, *before)):
        name, old, new = f"{prefix}{key}", before.get(key, ABSENT), now.get(key, ABSENT)
        if isinstance(old, dict) and isinstance(new, dict) and old and new:
            yield from _changed_keys(owner, f"{name}.", old, new)
        elif json_text(old) != json_text(new):
            yield difference("setting", name, old, new, f"{owner}.{name}")


def _changed_option(name: str, before: list[_Word] | None, now: list[_Word] | None) -> Iterator[Difference]:
    if before and now and len(before) == len(now):
        changed = [(one[0], *other) for one, other in zip(before, now, strict=True) if one[0] != other[0]]
        if all(parameter for _, _, parameter in changed):
            for was, is_now, parameter in changed:
                yield difference("parameter", parameter, was, is_now, parameter)
            return
    old, new = (ABSENT if words is None else tuple(_named(word) for word, _ in words) for words in (before, now))
    if old != new:
        yield difference("argument", name, old, new)


def _named(word: Any) -> Any:
    """Return an argument as it is shown: an input or output by its name."""
    return next(iter(word.values())) if isinstance(word, dict) and len(word) == 1 else word

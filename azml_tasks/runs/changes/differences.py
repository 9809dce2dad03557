"""Differences between what a step, a run or a registered thing was made from and what it would be made from now.

They are the reasons that a run prints for its steps, and that `plan` and `--dry` print for everything. Secrets are left
out when a difference is created.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Literal, NamedTuple

from azml_tasks.packages import normal_name
from azml_tasks.runs.show import value_text
from azml_tasks.secrets import HIDDEN, redact, without_secrets
from azml_tasks.text import shortened


class _Missing:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


# The value of a thing that was not there, or is not there now.
ABSENT = _Missing("ABSENT")
# A value of which only a digest was kept, or that must not be shown.
UNKNOWN = _Missing("UNKNOWN")
_MOST = 120  # characters of a value
_MOST_IN_A_LINE = 3
# The nouns before the names in a text; other kinds have names that say it.
_NOUNS = {"variable": "variable ", "secret": "secret "}


class Difference(NamedTuple):
    """One difference, by the kind and the name of what differs: `lr 0.1 -> 0.2`, `steps/common.py changed`.

    `before` and `now` are JSON values, ABSENT or UNKNOWN. `setting` is the name for `--set`, empty if there is none.
    `label` is what its text calls it, by default its name. `sentence` is the text of one that cannot be said by a name
    and values. `step` is the step that it is of, where that is not clear.
    """

    kind: str
    name: str
    before: Any = UNKNOWN
    now: Any = UNKNOWN
    setting: str = ""
    label: str = ""
    sentence: str = ""
    step: str = ""

    @property
    def change(self) -> str:
        """What happened: `added`, `removed` or `changed`."""
        return "added" if self.before is ABSENT else "removed" if self.now is ABSENT else "changed"

    def __str__(self) -> str:
        return f"{self.step}: {self._text}" if self.step else self._text

    @property
    def _text(self) -> str:
        if self.sentence:
            return self.sentence
        subject = self.label or f"{_NOUNS.get(self.kind, '')}{self.name}"
        before, now = self.texts()
        if self.change == "added":
            return f"{subject} added" + (f" ({now})" if now else "")
        if self.change == "removed":
            return f"{subject} removed" + (f" (was {before})" if before else "")
        if UNKNOWN in (self.before, self.now) or before == now == HIDDEN:
            return f"{subject} changed"
        return f"{subject} {before or 'nothing'} -> {now or 'nothing'}"

    def texts(self) -> tuple[str, str]:
        """Return both values as texts that differ where the values do; empty for missing and unknown ones."""
        values = (self.before, self.now)
        texts = [_text(value) for value in values]
        if texts[0] == texts[1] and self.before != self.now and not any(isinstance(one, _Missing) for one in values):
            texts = [json_text(value) for value in values]
        return _shortened(*texts)

    def is_of(self, names: frozenset[str]) -> bool:
        """Return whether `--set` with these names changed this setting, its parent or a part of it."""
        mine = self.setting
        return bool(mine) and any(
            name == mine or mine.startswith(f"{name}.") or name.startswith(f"{mine}.") for name in names
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as `plan --json` prints it; values that are unknown or not there are left out."""
        found: dict[str, Any] = {"kind": self.kind, "name": self.name, "change": self.change}
        values = {"before": self.before, "now": self.now}
        found |= {key: value for key, value in values.items() if not isinstance(value, _Missing)}
        return {**found, "text": str(self)}


def difference(kind: str, name: str, before: Any, now: Any, setting: str = "", label: str = "") -> Difference:
    """Return a difference of values, with the secrets in them left out."""
    return Difference(kind, name, _without_secrets(name, before), _without_secrets(name, now), setting, label)


def stated_difference(text: str, kind: str = "other", name: str = "") -> Difference:
    """Return a difference that is said by a sentence."""
    return Difference(kind, name, sentence=text)


def in_one_line(differences: Sequence[Difference]) -> str:
    """Return the texts of the differences in one line, only the first ones of many."""
    texts = [str(one) for one in differences[:_MOST_IN_A_LINE]]
    more = len(differences) - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")


def changed_entries(kind: str, before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[Difference]:
    """Return the entries that differ between two mappings."""
    names = [name for name in dict.fromkeys((*now, *before)) if before.get(name, ABSENT) != now.get(name, ABSENT)]
    return [
        difference(
            kind, name, before.get(name, ABSENT), now.get(name, ABSENT), label=f"{prefix}{name}" if prefix else ""
        )
        for name in names
    ]


_DISTRIBUTION = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"


def changed_packages(what: str, before: Iterable[str], now: Iterable[str]) -> list[Difference]:
    """Return the requirements that differ, by the names of the distributions; `what` is `pip package` or the like."""
    old, new = (dict(map(_parts, items)) for items in (before, now))
    found = []
    for name in dict.fromkeys((*new, *old)):
        was, is_now = old.get(name), new.get(name)
        if was is None or is_now is None:
            values: tuple[Any, Any] = (
                ABSENT if was is None else was or UNKNOWN,
                ABSENT if is_now is None else is_now or UNKNOWN,
            )
            found.append(difference("requirement", name, *values, label=f"{what} {name}"))
        elif was != is_now:
            values = (was or "any version", is_now or "any version")
            found.append(difference("requirement", name, *values, label=f"{what} {name}"))
    return found


def _parts(requirement: str) -> tuple[str, str]:
    """Return the normalised name of a distribution and what a requirement says of it; secrets are left out."""
    text = redact(requirement.strip())
    channel, colons, rest = text.rpartition("::")
    match = re.match(_DISTRIBUTION, rest)
    return (
        (normal_name(match[0]), f"{rest[match.end() :].strip()}{f' from {channel}' if colons else ''}")
        if match
        else (text, "")
    )


def _without_secrets(name: str, value: Any) -> Any:
    return value if isinstance(value, _Missing) else without_secrets(name, value)


def json_text(value: Any) -> str:
    """Return a value as JSON, empty for a missing one; `5` and `5.0` differ, which are equal for Python."""
    if isinstance(value, _Missing):
        return ""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _text(value: Any) -> str:
    if isinstance(value, _Missing):
        return ""
    return " ".join(map(value_text, value)) if isinstance(value, tuple) else value_text(value)


def _shortened(*texts: str) -> tuple[str, str]:
    """Return two texts, each cut where it is long, and around where they differ."""
    before, now = texts
    if before == now or shortened(before, _MOST) != shortened(now, _MOST):
        return shortened(before, _MOST), shortened(now, _MOST)
    same = next(place for place, (one, other) in enumerate(zip_longest(before, now)) if one != other)
    cut = max(0, same - _MOST // 4)
    return shortened(f"...{before[cut:]}", _MOST), shortened(f"...{now[cut:]}", _MOST)


# Why a step runs or is reused. Those that always run are never the same for two runs.
Cause = Literal[
    "new",  # it has no result yet
    "changed",  # `differences` are the changes
    "damaged",  # its result was changed or deleted
    "unkept",  # its last run left no result that can be reused
    "upstream",  # it depends on steps that run
    "requested",  # --force, --from-step or --only
    "always",  # allow_reuse is false, or it reads what each run changes
    "missing",  # its data are not there
    "same",  # nothing has changed
    "given",  # --from-step or --only use its last result; `differences` are those from the file
    "unknown",  # what was sent before is not known
]


class Reason(NamedTuple):
    """Why a step runs or is reused: a sentence, or differences."""

    cause: Cause
    sentence: str = ""
    differences: tuple[Difference, ...] = ()

    def __str__(self) -> str:
        return self.sentence or in_one_line(self.differences)

    @classmethod
    def of_changes(cls, found: Iterable[Difference]) -> Reason:
        """Return the reason of a step that something has changed for."""
        return cls("changed", differences=tuple(found))

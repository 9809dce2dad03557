"""What a script reads of that which it is passed: arguments, keys of step_config, datasets."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias
from typing import Literal as OneOf

from azml_tasks.checks.contract.compare import TYPES, Comparison
from azml_tasks.checks.contract.parsers import Argument, Refused
from azml_tasks.checks.contract.values import (
    UNKNOWN,
    Literal,
    Namespace,
    Passed,
    Reference,
    RunContext,
    Settings,
    Value,
)
from azml_tasks.checks.contract.words import Word, is_option, option_name

_SWITCHES = {"store_true": True, "store_false": False}
CONTEXTS = {"azureml.core.Run.get_context", "azureml.core.run.Run.get_context"}
# What a script compares to find out whether it runs as a step, as it does here.
RUN_CLASS, RUN_ID = Reference("azureml.core.Run"), Reference("azureml.core.Run.id")
OFFLINE_ID, OFFLINE_CLASS = "OfflineRun", "azureml.core.run._OfflineRun"
# Calls that make a mapping of a text, and calls that fail when their first argument is None.
DECODERS = {"json.loads", "yaml.safe_load"}
REFUSE_NONE = {
    *("os.path.join", "os.path.exists", "os.path.isdir", "os.path.isfile", "os.makedirs", "os.mkdir", "open"),
    *("pathlib.Path", "pandas.read_csv", "pandas.read_parquet", "joblib.load", "json.loads"),
}
Place = tuple[str, int, bool]
Kind: TypeAlias = OneOf["argument", "setting", "dataset", "nothing"]


class Reading(NamedTuple):
    """A name that is read, and where; the script fails without it if it is `sure`."""

    kind: Kind
    name: str
    file: str
    line: int
    sure: bool
    owner: Any = None


class Readings:
    """All that is read, in the order in which it is."""

    def __init__(self) -> None:
        self.found: list[Reading] = []
        self.namespaces: list[Namespace] = []
        self.settings: dict[str, Settings] = {}
        self.run = RunContext()
        self.datasets = RunContext(inputs=True)
        # The datasets that the step has; None while they are not known.
        self.names: frozenset[str] | None = None
        self.reads_all_datasets = False

    def attribute(self, owner: Namespace | RunContext | Passed, name: str, place: Place) -> Value:
        """Return the value of an attribute."""
        if isinstance(owner, Passed):
            self.missing(owner, place)
            return UNKNOWN
        if isinstance(owner, RunContext):
            found: dict[str, Value] = {} if owner.inputs else {"input_datasets": self.datasets, "id": RUN_ID}
            return found.get(name, UNKNOWN)
        if name.startswith("_"):
            owner.escaped = True
            return UNKNOWN
        owner.used.add(name)
        if name not in owner.values:
            self._add("argument", name, place, owner)
        return owner.values.get(name, UNKNOWN)

    def item(self, owner: Settings | RunContext, key: Value, place: Place) -> Value:
        """Return the value of a key."""
        if not isinstance(key, Literal) or not isinstance(key.value, str):
            self.all_of(owner)
            return UNKNOWN
        if isinstance(owner, RunContext):
            if owner.inputs:
                self._add("dataset", key.value, place)
            return UNKNOWN
        return self._setting(owner, key.value, place)

    def _setting(self, owner: Settings, key: str, place: Place) -> Value:
        owner.read.add(key)
        if key in owner.added or not owner.is_known:
            return UNKNOWN
        self._add("setting", key, place, owner)
        value = owner.content.get(key)
        if isinstance(value, dict):
            if key not in owner.inner:
                owner.inner[key] = Settings(value, owner.dest, (*owner.keys, key), owner)
            return owner.inner[key]
        return Literal(value) if key in owner.content and not isinstance(value, list) else UNKNOWN

    def holds(self, owner: Settings | RunContext, key: Value) -> bool | None:
        """Return whether it has a key; None if unknown."""
        if not isinstance(key, Literal) or not isinstance(key.value, str):
            self.all_of(owner)
            return None
        if isinstance(owner, RunContext):
            return None if self.names is None or not owner.inputs else key.value in self.names
        owner.read.add(key.value)
        return key.value in owner.content if owner.is_known and key.value not in owner.added else None

    def missing(self, value: Value, place: Place) -> None:
        """Note that the script needs a value, if it is an argument that the step does not pass."""
        if isinstance(value, Passed) and value.value is None and not value.given:
            self._add("nothing", value.dest, place)

    def decoded(self, text: Passed) -> Value:
        """Return what a text of JSON holds."""
        if text.dest in self.settings:
            return self.settings[text.dest]
        try:
            content = json.loads(text.value)
        except (TypeError, ValueError):
            return UNKNOWN
        return self.setting_of(text.dest, content)

    def setting_of(self, dest: str, content: Any) -> Value:
        """Return the value of an argument that is JSON."""
        if not isinstance(content, dict):
            return Literal(content) if not isinstance(content, list) else UNKNOWN
        return self.settings.setdefault(dest, Settings(content, dest))

    def change(self, owner: Settings | RunContext, key: Value = UNKNOWN) -> None:
        """Note that a key is set or removed."""
        if isinstance(owner, Settings) and isinstance(key, Literal) and isinstance(key.value, str):
            owner.added.add(key.value)
        else:
            self.escape(owner)

    def all_of(self, owner: Settings | RunContext) -> None:
        """Note that all that it holds may be read."""
        if isinstance(owner, Settings):
            owner.reads_all = True
        else:
            self.reads_all_datasets = True

    def escape(self, owner: Namespace | Settings | RunContext) -> list[Value]:
        """Note that code that is not followed may read and change it; return what it holds."""
        if isinstance(owner, RunContext):
            self.reads_all_datasets = True
            return []
        owner.escaped = True
        return list(owner.values.values()) if isinstance(owner, Namespace) else []

    def _add(
        self,
        kind: Kind,
        name: str,
        place: Place,
        owner: Namespace | Settings | None = None,
    ) -> None:
        file, line, sure = place
        self.found.append(Reading(kind, name, file, line, sure, owner))


def returned(comparison: Comparison, readings: Readings) -> Namespace | None:
    """Return the values of the arguments; None if they are not known."""
    parser = comparison.parser
    if parser.own_defaults or not all(argument.dest for argument in parser.arguments):
        return None
    try:
        seen = comparison.seen()
    except (Refused, argparse.ArgumentError):
        return None
    values: dict[str, Value] = {}
    options: dict[str, Word] = {}
    for place, argument in enumerate(parser.arguments):
        passed = _words_of(comparison, argument) if place in seen else []
        if passed:
            options[argument.dest] = passed[0]
        if argument.dest in values:
            values[argument.dest] = UNKNOWN
        elif place in seen:
            values[argument.dest] = _given(argument, passed, readings)
        else:
            values[argument.dest] = _default(argument, readings)
    return Namespace(parser, values, options)


def _words_of(comparison: Comparison, argument: Argument) -> list[Word]:
    """Return the option and its values; nothing if it is passed twice, or has no name."""
    found: list[list[Word]] = []
    words = comparison.words
    for place, word in enumerate(words):
        if is_option(word) and comparison.meant(option_name(word)) is argument:
            end = next((at for at in range(place + 1, len(words)) if is_option(words[at])), len(words))
            found.append(words[place:end])
    return found[0] if len(found) == 1 else []


def _given(argument: Argument, words: Sequence[Word], readings: Readings) -> Value:
    action = argument.options.get("action", "store")
    if argument.vague or not argument.sure or not words:
        return UNKNOWN
    if action in _SWITCHES:
        return Literal(_SWITCHES[action])
    if action != "store" or argument.options.get("nargs") is not None or "=" in words[0] or len(words) != 2:
        return UNKNOWN
    return _converted(argument, str(words[1]), readings, given=True) if words[1].known else UNKNOWN


def _default(argument: Argument, readings: Readings) -> Value:
    action = argument.options.get("action", "store")
    if argument.vague or not argument.sure or not argument.default:
        return UNKNOWN
    default = argument.default[0]
    if action in _SWITCHES:
        return Literal(not _SWITCHES[action] if default is None else default)
    if isinstance(default, str) and action == "store":
        return _converted(argument, default, readings, given=False)
    if isinstance(default, (list, set)) or action != "store":
        return UNKNOWN
    if isinstance(default, dict):
        return readings.setting_of(argument.dest, default)
    return Passed(default, dest=argument.dest, given=False)


def _converted(argument: Argument, text: str, readings: Readings, *, given: bool) -> Value:
    if argument.kind == "str":
        return Passed(text, dest=argument.dest, given=given)
    if argument.kind not in TYPES:
        return UNKNOWN
    try:
        value: Any = TYPES[argument.kind](text)
    except (TypeError, ValueError):
        return UNKNOWN
    if argument.kind == "json.loads":
        return readings.setting_of(argument.dest, value)
    return Passed(value, dest=argument.dest, given=given)

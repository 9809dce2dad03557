"""What a script logs as MLflow has it: numbers by step, and texts as tags.

| logged | recorded |
|---|---|
| `log` of a number, `log_list` | a metric; its step is the one that the script names, else how many came before |
| `log_row`, `log_table` | a metric `name.column` for each column of numbers, with the row as step |
| a text, `None` | a tag of the same name: the text, or a JSON list if there are several |
| which of these are rows, tables and texts | the tag `azml_tasks.metrics`, for `runs.show` |
| images, confusion matrices and the like | only their file |
| `tag`, `set_tags`, `add_properties` | a tag |
"""

from __future__ import annotations

import json
import math
import re
import time
from collections import OrderedDict, deque
from datetime import datetime

from .tracking import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

# MLflow's rules for names, and its limits in characters.
_OTHERS = re.compile(r"[^\w\-. /]")
_LONGEST_NAME, _LONGEST_TAG = 250, 5000
# The tag with the columns of each row and table, by its name, and None for each text.
DESCRIBED = "azml_tasks.metrics"
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Values:
    """The values and tags of a run that are not sent yet."""

    def __init__(self) -> None:
        self.metrics: dict[str, deque[Json]] = {}
        self.tags: OrderedDict[str, str] = OrderedDict()
        self._removed: list[str] = []
        self._steps: dict[str, int] = {}
        self._texts: dict[str, list[Any]] = {}
        self._described: dict[str, list[str] | None] = {}
        self._renamed: set[str] = set()

    def add(self, record: Json) -> None:
        """Add a record of a metric."""
        name, kind, value, types = (record.get(key) for key in ("name", "kind", "value", "type"))
        moment = milliseconds(record.get("time"))
        if not isinstance(name, str):
            return
        if kind == "scalar":
            self._add(name, value, types, moment, record.get("step"))
        elif kind == "list" and isinstance(value, list):
            for item in value:
                self._add(name, item, types, moment)
        if kind in ("scalar", "list") and self._name(name) in self._texts:
            self._describe(name, None)
        if kind in ("row", "table") and isinstance(value, dict):
            types = types if isinstance(types, dict) else {}
            self._describe(name, [*map(str, value)])
            for column, cells in value.items():
                for item in cells if isinstance(cells, list) else [cells]:
                    self._add(f"{name}.{column}", item, types.get(column), moment)

    def add_pair(self, record: Json) -> None:
        """Add a record of a tag or a property."""
        key = record.get("key")
        if not isinstance(key, str):
            return
        key = self._name(key)
        if record.get("removed"):
            self.tags.pop(key, None)
            self._removed.append(key)
        else:
            self._set_tag(key, str(record.get("value") or ""))

    def take_metrics(self, most: int, most_of_one: int) -> list[Json]:
        """Return the next values, at most so many and so many of one metric, and forget them."""
        taken: list[Json] = []
        for key, waiting in list(self.metrics.items()):
            count = min(most - len(taken), most_of_one, len(waiting))
            taken += [waiting.popleft() for _ in range(count)]
            if not waiting:
                del self.metrics[key]
        return taken

    def take_tags(self, most: int) -> list[Json]:
        """Return the next tags, and forget them."""
        items = (self.tags.popitem(last=False) for _ in range(min(most, len(self.tags))))
        return [{"key": key, "value": value} for key, value in items]

    def take_removed(self) -> list[str]:
        """Return the tags that the script removed, and forget them."""
        removed, self._removed = self._removed, []
        return removed

    def _add(self, name: str, item: object, kind: object, moment: int, step: object = None) -> None:
        key = self._name(name)
        number = _number(item, kind)
        counted = self._steps.get(key, 0)
        self._steps[key] = counted + 1
        if number is None:
            self._add_text(key, item)
            return
        place = step if isinstance(step, int) else counted
        value = {"key": key, "value": number, "timestamp": moment, "step": place}
        self.metrics.setdefault(key, deque()).append(value)

    def _describe(self, name: str, columns: list[str] | None) -> None:
        """Describe a row, a table or a text in a tag, as far as it can be that long."""
        known = self._described.get(name) or []
        described = {**self._described, name: None if columns is None else list(dict.fromkeys([*known, *columns]))}
        text = json.dumps(described)
        if described != self._described and len(text) <= _LONGEST_TAG:
            self._described = described
            self._set_tag(DESCRIBED, text)

    def _add_text(self, key: str, item: object) -> None:
        """Add a text to its tag: the first is the tag, more are a list, as far as it can be that long."""
        texts = self._texts.setdefault(key, [])
        text = str(item or "") if not texts else json.dumps([*texts, item])
        if texts and len(text) > _LONGEST_TAG:
            self._say_once(key, f"only the first {len(texts):,} texts of {key!r} are recorded")
            return
        texts.append(item)
        self._set_tag(key, text)

    def _set_tag(self, key: str, text: str) -> None:
        if len(text) > _LONGEST_TAG:
            self._say_once(key, f"the text {key!r} is cut off after {_LONGEST_TAG:,} characters")
        self.tags.pop(key, None)
        self.tags[key] = text[:_LONGEST_TAG]

    def _name(self, name: str) -> str:
        """Return a name that MLflow takes."""
        valid = valid_name(name)
        if valid != name:
            self._say_once(name, f"{name!r} is recorded as {valid!r}, a name that MLflow accepts")
        return valid

    def _say_once(self, name: str, sentence: str) -> None:
        if name not in self._renamed:
            self._renamed.add(name)
            say(sentence)


def valid_name(name: str) -> str:
    """Return the name that MLflow takes for a metric or a tag."""
    return _OTHERS.sub("_", name)[:_LONGEST_NAME].strip("/") or "_"


def _number(value: object, kind: object) -> float | str | None:
    """Return a number as MLflow's interface has it; None for a text."""
    if kind in ("double", "int") and isinstance(value, str) and value in _NON_FINITE:
        return value
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, (int, float)):
        try:
            return float(value)
        except OverflowError:
            return None
    return None


def milliseconds(text: object) -> int:
    """Return the milliseconds since 1970 of a time in a record."""
    try:
        moment = datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        return int(time.time() * 1000)
    return int((moment - datetime(1970, 1, 1)).total_seconds() * 1000)

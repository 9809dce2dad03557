"""Answers that many steps share: the installation, and variables whose reading is not seen."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from azml_tasks.local.reuse.answers import key_folder, keyed
from azml_tasks.local.reuse.installed import (
    Installation,
    folders_of,
    named_changes,
    outer_folders,
    own_folders,
)
from azml_tasks.local.step.local_run import LocalRun

if TYPE_CHECKING:
    from azml_tasks.local.environments import VirtualEnvironment
    from azml_tasks.local.reuse.trace import Trace

_ZONE = "/etc/localtime"
# A text by whose digest a key is known again.
_KEY_MARK = "azml-tasks"


class Shared:
    """The shared answers of the steps of a run that run in one Python with the same variables."""

    def __init__(self, site: LocalRun, virtual: VirtualEnvironment | None, start: Mapping[str, str]) -> None:
        self._site = site
        self._virtual = virtual
        self._start_variables = start
        # Additions of a step to PYTHONPATH are in its static key.
        self._outer = outer_folders(site.environment)

    def describe(self, trace: Trace, ahead: Mapping[str, list[str]]) -> tuple[str, dict[str, Any]]:
        """Return the answers as JSON, after their digest."""
        names = (trace.modules, trace.absent, trace.installed, trace.distributions)
        key = ("set", self._python, id(self._start_variables), id(ahead) if ahead else 0, *map(frozenset, names))
        memo = self._site.memo
        if key not in memo:
            answers = {"installed": self._installation.describe(trace, ahead), **self._start}
            text = json.dumps(answers, sort_keys=True)
            memo[key] = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32], answers
        found = memo[key]
        assert isinstance(found, tuple)
        return found

    def difference(self, digest: str) -> str:
        """Describe the differences from the set with that digest; empty if none."""
        key = (digest, self._python, id(self._start_variables))
        memo = self._site.memo
        if key not in memo:
            memo[key] = self._find_difference(self._site.results.answers(digest))
        return str(memo[key])

    def _find_difference(self, known: Mapping[str, Any] | None) -> str:
        if known is None:
            return "the record of what it read is damaged"
        try:
            start = self._start
            if _has_other_key(known):
                return f"variables cannot be compared: {key_folder()} has another key (another user or HOME)"
            if known["zone"] != start["zone"]:
                return "the time zone of this machine changed"
            return named_changes(known["start"], start["start"]) or self._installation.difference(known["installed"])
        except (AttributeError, KeyError, TypeError):
            return "the record of what it read is damaged"

    def has_other_key(self, digest: str) -> bool:
        """Return whether digests of variables that were stored with that set were made with another key."""
        known = self._site.results.answers(digest)
        return known is not None and _has_other_key(known)

    @property
    def _python(self) -> str:
        return str(self._virtual.python) if self._virtual else ""

    @property
    def _installation(self) -> Installation:
        memo = self._site.memo
        key = ("installation", self._python)
        if key not in memo:
            folders = folders_of(self._virtual.python) if self._virtual else own_folders()
            memo[key] = Installation(self._site.contents, folders, self._outer)
        found = memo[key]
        assert isinstance(found, Installation)
        return found

    @property
    def _start(self) -> dict[str, Any]:
        variables = {name: keyed(value) for name, value in self._start_variables.items()}
        zone = "" if "TZ" in self._start_variables else os.path.realpath(_ZONE)
        return {"start": variables, "zone": zone, "key": keyed(_KEY_MARK)}


def _has_other_key(known: Mapping[str, Any]) -> bool:
    own = keyed(_KEY_MARK)
    # Results of 0.8.3 and before do not say with which they were made.
    return bool(known.get("key", own) != own)

"""How the earlier results that a run builds on differ from what their steps would make today."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from azml_tasks.errors import ProjectError, listed
from azml_tasks.local.arguments import fixed_arguments
from azml_tasks.local.attempt import Attempt
from azml_tasks.local.record import Origin, RunRecord, StepRecord, read_run
from azml_tasks.local.reuse.reads import InputMissingError
from azml_tasks.local.reuse.results import Fingerprint, Result, differences
from azml_tasks.local.site import Site
from azml_tasks.runs.values import value_text
from azml_tasks.secrets import holds_secret, is_secret
from azml_tasks.snapshot import Snapshot, SnapshotBuilder, take_snapshots
from azml_tasks.wiring import ParameterValue

if TYPE_CHECKING:
    from azml_tasks.wiring import Plan, StepPlan

_MOST = 3
_HIDDEN = "***"
_NONE = object()


@dataclass(frozen=True)
class _Change:
    """A setting of a step, by the name that `--set` takes, as it is shown, before and now."""

    setting: str
    name: str
    before: Any
    now: Any

    def was(self) -> str:
        """Return the value that the result was made with."""
        return f"{self.name}={_text(self.name, self.before)}" if self.before is not _NONE else f"no {self.name}"

    def is_now(self, alone: bool) -> str:
        """Return the value of today; without its name where it is the only change."""
        if self.now is _NONE:
            return "nothing" if alone else f"no {self.name}"
        text = _text(self.name, self.now)
        return text if alone else f"{self.name}={text}"


def with_differences(site: Site, given: Mapping[str, StepRecord]) -> dict[str, StepRecord]:
    """Return the records of the steps whose last results are taken, their reasons with how each result differs."""
    builder = SnapshotBuilder(site.layout.project, site.contents.hash_file)
    return {key: _with_difference(site, record, given, builder) for key, record in given.items()}


def _with_difference(
    site: Site, record: StepRecord, given: Mapping[str, StepRecord], builder: SnapshotBuilder
) -> StepRecord:
    result = site.results.of(record.key).latest
    if result is None:
        return record
    step = site.plan[record.key]
    run = read_run(site.layout.run(result.run_id))
    found = [*_differences(site, step, _snapshot(builder, step), result, run, given), *_ending(site, run)]
    if found:
        return replace(record, reason=_sentence(result, found))
    earlier = next(_earlier(site, step, run, given, builder), "")
    return replace(record, reason=f"result of {result.run_id}, made from {earlier}") if earlier else record


def _sentence(result: Result, found: list[str]) -> str:
    made = ", " if found[0].startswith("made") else "; "
    return f"result of {result.run_id}{made}{'; '.join(found)}"


def _earlier(
    site: Site, step: StepPlan, run: RunRecord | None, given: Mapping[str, StepRecord], builder: SnapshotBuilder
) -> Iterator[str]:
    """Yield how the results that the step's own was made from differ from today's file, the nearest first.

    Those of `given` have a line of their own. One that was replaced meanwhile is left out.
    """
    producers = {record.key: record.producer for record in run.steps} if run else {}
    for key in step.upstream:
        result = site.results.of(key).latest
        if key in given or result is None or producers.get(key) != result.run_id:
            continue
        its_run = read_run(site.layout.run(result.run_id))
        found = list(_differences(site, site.plan[key], _snapshot(builder, site.plan[key]), result, its_run, given))
        if found:
            yield f"{key}: {_sentence(result, found)}"
        else:
            yield from _earlier(site, site.plan[key], its_run, given, builder)


def _differences(
    site: Site,
    step: StepPlan,
    snapshot: Snapshot | None,
    result: Result,
    run: RunRecord | None,
    given: Mapping[str, StepRecord],
) -> Iterator[str]:
    if snapshot is None:
        yield "its script cannot be read today"
        return
    today = _fingerprint(site, step, snapshot, result, given)
    changes = list(_changed_settings(site, step, result.fingerprint.argv, today.argv))
    if changes:
        yield from _told(changes, site.run.origin, run.origin if run else Origin())
    argv = result.fingerprint.argv if changes else today.argv
    others = differences(result.fingerprint, replace(today, argv=argv))
    if others:
        yield f"since then {others}"


def _ending(site: Site, run: RunRecord | None) -> Iterator[str]:
    if run and run.id != site.run.id and run.status != "completed":
        yield f"that run {run.ending}"


def _snapshot(builder: SnapshotBuilder, step: StepPlan) -> Snapshot | None:
    try:
        return take_snapshots(builder, [step])[step.key]
    except (ProjectError, OSError):
        return None


def _fingerprint(
    site: Site, step: StepPlan, snapshot: Snapshot, result: Result, given: Mapping[str, StepRecord]
) -> Fingerprint:
    """Return what a result of today would depend on; of what cannot be said, what the earlier one depends on."""
    upstream = {key: record for key in step.upstream if (record := given.get(key) or _last(site, key))}
    attempt = Attempt(site, step, snapshot, upstream)
    # A result of another release depends on other things of the machine.
    if result.reads is not None and all(key in upstream for key in step.upstream):
        try:
            return attempt.fingerprint
        except (InputMissingError, KeyError, OSError):
            pass
    argv = fixed_arguments(attempt.plan, site.run.parameters)
    return replace(result.fingerprint, script=snapshot.script, files=dict(snapshot.hashes), argv=argv)


def _last(site: Site, key: str) -> StepRecord | None:
    result = site.results.of(key).latest
    if result is None:
        return None
    return StepRecord(key, "reused", places=result.places, outputs=result.outputs, producer=result.run_id)


def _changed_settings(site: Site, step: StepPlan, old: list[Any], new: list[Any]) -> Iterator[_Change]:
    """Yield the settings that changed, as far as they are the same arguments in the same order."""
    if len(old) != len(new):
        configs = [next((token for token in argv if _is_config(token)), {"config": "{}"}) for argv in (old, new)]
        if [token for token in old if not _is_config(token)] != [token for token in new if not _is_config(token)]:
            return
        yield from _changed_config(step.key, *configs)
        return
    for place, (before, now) in enumerate(zip(old, new, strict=True)):
        if before == now:
            continue
        if _is_config(before) and _is_config(now):
            yield from _changed_config(step.key, before, now)
        elif isinstance(before, str) and isinstance(now, str):
            yield _changed_argument(step, place, old, before, now)


def _changed_config(key: str, before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[_Change]:
    was, is_now = (_flat(json.loads(config["config"])) for config in (before, now))
    for name in dict.fromkeys((*is_now, *was)):
        if was.get(name, _NONE) != is_now.get(name, _NONE):
            yield _Change(f"{key}.{name}", name, was.get(name, _NONE), is_now.get(name, _NONE))


def _changed_argument(step: StepPlan, place: int, old: list[Any], before: str, now: str) -> _Change:
    token = step.argv[place] if place < len(step.argv) else None
    if isinstance(token, ParameterValue):
        return _Change(token.name, token.name, before, now)
    option, equals, _ = now.partition("=")
    if equals and option.startswith("-") and before.startswith(f"{option}="):
        return _Change("", option, before[len(option) + 1 :], now[len(option) + 1 :])
    flag = old[place - 1] if place else ""
    return _Change("", flag if isinstance(flag, str) and flag.startswith("-") else "its argument", before, now)


def _is_config(token: Any) -> bool:
    return isinstance(token, dict) and "config" in token


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """Return the values of a configuration by the names that `--set` takes."""
    if not isinstance(config, dict):
        return {}
    found: dict[str, Any] = {}
    for key, value in config.items():
        inner = _flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {}
        found.update(inner or {f"{prefix}{key}": value})
    return found


def _told(changes: list[_Change], now: Origin, before: Origin) -> Iterator[str]:
    more = f" and {len(changes) - _MOST} more" if len(changes) > _MOST else ""
    shown = changes[:_MOST]
    yield f"made with {listed(change.was() for change in shown)}{more}"
    set_now = [change for change in shown if change.setting in now.set_names]
    alone = len(shown) == 1
    for source, group in (("the file", [c for c in shown if c not in set_now]), ("--set", set_now)):
        if group:
            yield f"{source} says {listed(change.is_now(alone) for change in group)}"
    was_set = [change.name for change in shown if change.setting in before.set_names]
    if was_set:
        yield f"{listed(was_set)} came from --set"


def _text(name: str, value: Any) -> str:
    text = value_text(value)
    return _HIDDEN if holds_secret(name.rpartition(".")[2], text) or is_secret("", text) else text


def settings_of(plan: Plan) -> dict[str, Any]:
    """Return the step_config of each step that has one, with the values of secrets left out."""
    configs = {step.key: step.step.step_config for step in plan.steps if step.step.step_config is not None}
    return {key: _without_secrets("", dict(config)) for key, config in configs.items()}


def _without_secrets(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_secrets(str(key), item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(name, item) for item in value]
    return _HIDDEN if isinstance(value, str) and _text(name, value) == _HIDDEN else value


def shown_settings(settings: Iterable[str]) -> tuple[str, ...]:
    """Return what `--set` was given, with the values of secrets left out."""
    parts = (setting.partition("=") for setting in settings)
    return tuple(f"{name.strip()}={_text(name.strip(), text.strip())}" for name, _, text in parts)

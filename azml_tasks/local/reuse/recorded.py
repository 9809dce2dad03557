"""Turn recorded reads of a step into the questions that decide whether its result can be reused."""

from __future__ import annotations

import glob
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.local.reuse.answers import Answers
from azml_tasks.local.reuse.trace import Signature, Trace
from azml_tasks.local.step.arguments import local_path
from azml_tasks.local.step.local_run import LocalRun
from azml_tasks.local.store.records import LocalStepRecord
from azml_tasks.plan.plan import ConfigValue, DatasetInput
from azml_tasks.snapshot import Snapshot, without_repeats
from azml_tasks.standin.azml_local.formats.surroundings import is_of_system

if TYPE_CHECKING:
    from azml_tasks.plan import StepPlan

# More files of one folder than this become one question, if the step read them all.
_MANY = 100
_TIME = 2
# Folders that stand in texts without being read as a whole.
_BROAD = frozenset(("/", "/bin", "/dev", "/etc", "/home", "/lib", "/mnt", "/opt", "/proc", "/root", "/run", "/srv"))
_BROAD |= {"/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/share", "/var", "/var/tmp", "/var/log"}  # noqa: S108 - compared


class Recorded:
    """The reads of one step of one run that are not in its static key."""

    def __init__(
        self,
        site: LocalRun,
        plan: StepPlan,
        snapshot: Snapshot,
        upstream: Mapping[str, LocalStepRecord],
        trace: Trace,
        answers: Answers,
    ) -> None:
        self._site = site
        self._plan = plan
        self._snapshot = snapshot
        self._upstream = upstream
        self._trace = trace
        self._answers = answers

    def changed_meanwhile(self) -> str:
        """Return what changed while the step ran, except by itself; empty if nothing."""
        trace = self._trace
        if changed := self.changed_file():
            return changed
        for path, seen in trace.lists.items():
            if trace.has_changed_in(path) or self._is_of_run(path):
                continue
            now = signature(path)
            if (now and [now[0], now[1], now[3]]) != (seen and [seen[0], seen[1], seen[3]]):
                return self._answers.subject_of(path)
        for (path, level, follows), answer in trace.stats.items():
            # What is only named was perhaps written by code in C.
            if trace.is_own(path) or self._is_of_run(path) or (answer is None and path in trace.named):
                continue
            if _seen_of(_look(path, follows), level) != _seen_of(answer, level):
                return self._answers.subject_of(path)
        return ""

    def changed_file(self) -> str:
        """Return which of the files that the step only read changed since; empty if none."""
        changed = (path for path in self._only_read if signature(path) != self._trace.files[path])
        return next(map(self._answers.subject_of, changed), "")

    def checked_files(self) -> set[str]:
        """Return the questions about files for which `changed_file` shows whether the answer is of what was read."""
        return {f"file:{self._answers.subject_of(path)}" for path in self._only_read}

    @cached_property
    def _only_read(self) -> list[str]:
        return [path for path in self._trace.files if not self._trace.is_own(path) and not self._is_of_run(path)]

    def questions(self) -> list[str]:
        """Return the questions that decide whether the result can be reused."""
        asked = dict.fromkeys(self._of_files())
        for question in self._of_folders():
            asked.setdefault(question)
        for question in (*self._of_looks(), *self._of_named()):
            kind, _, subject = question.partition(":")
            # Who has the content need not have the kind.
            if kind not in ("kind", "tree") or not any(f"{k}:{subject}" in asked for k in ("file", "list", "each")):
                asked.setdefault(question)
        for question in self._of_others():
            asked.setdefault(question)
        return list(asked)

    def unchecked(self) -> list[str]:
        """Return what cannot be checked: the network, searches of MLflow runs, programs whose reads were not
        recorded."""
        hosts, programs = self._trace.hosts, self._trace.programs
        found = [f"network ({', '.join(hosts)})"] if hosts else []
        found += ["its search of MLflow runs"] if self._trace.has_searched_runs else []
        return found + ([f"program{'s' if len(programs) > 1 else ''} {', '.join(programs)}"] if programs else [])

    def _of_files(self) -> Iterator[str]:
        folders: dict[str, list[str]] = {}
        for path in self._trace.files:
            if self._is_covered(path) or self._trace.is_made(path) or self._is_state(path):
                continue
            question = self._answers.run_question(path, True)
            if question is None:
                folders.setdefault(os.path.dirname(path), []).append(os.path.basename(path))
            elif question:
                yield question
        for folder, names in folders.items():
            if len(names) > _MANY and set(names) >= set(_files_in(folder)):
                yield f"each:{self._answers.subject_of(folder)}"
            else:
                yield from (f"file:{self._answers.subject_of(os.path.join(folder, name))}" for name in names)

    def _of_folders(self) -> Iterator[str]:
        for path in self._trace.lists:
            if self._is_covered(path) or self._trace.is_made(path):
                continue
            question = self._answers.run_question(path, True)
            if question is None:
                yield f"list:{self._answers.subject_of(path)}"
            elif question:
                yield question
        for path, level in self._trace.entries.items():
            is_of_run = self._answers.run_question(path, True) is not None or self._trace.is_made(path)
            if not is_of_run and (level == _TIME or not self._is_covered(path)):
                yield f"{'times' if level == _TIME else 'sizes'}:{self._answers.subject_of(path)}"

    def _of_looks(self) -> Iterator[str]:
        for (path, level, follows), seen in self._trace.stats.items():
            if self._trace.is_made(path) or (level < _TIME and self._is_covered(path)) or self._is_state(path):
                continue
            question = self._answers.run_question(path, False)
            if question is not None:
                if question:
                    yield question
                continue
            subject = self._answers.subject_of(path)
            if not follows:
                yield f"link:{subject}"
                if seen is None or stat.S_ISLNK(seen[0]):
                    continue
            if level:
                yield f"{'time' if level == _TIME else 'size'}:{subject}"
            elif follows and seen is None and path in self._trace.written and os.path.isfile(path):
                yield f"file:{subject}"  # The step reads it when it is there, and writes it when it is not.
            elif follows:
                yield f"kind:{subject}"

    def _of_named(self) -> Iterator[str]:
        """Yield what is only named: on the command lines of programs, and where what is written in C may read it."""
        trace = self._trace
        for path in trace.executables:
            yield f"file:{self._answers.subject_of(path)}"
        texts = [path.read_text("utf-8", "replace") for path in self._sources]
        named = {*trace.named, *self._arguments, *(path for text in texts for path in _named_paths(text))}
        for path in sorted(map(os.path.normpath, named)):
            if path in _BROAD or path in (os.path.expanduser("~"), tempfile.gettempdir()):
                continue
            if path not in trace.named and not os.path.exists(path):
                continue
            if is_of_system(path) or path.startswith(f"{self._site.layout.runs}{os.sep}") or self._holds_runs(path):
                continue
            if not (self._is_covered(path) or trace.is_own(path) or trace.has_changed_in(path)):
                yield f"tree:{self._answers.subject_of(path)}"

    def _of_others(self) -> Iterator[str]:
        trace = self._trace
        if trace.all_variables or trace.programs:
            yield "environment:"
        if trace.programs:
            # Which may read what earlier steps wrote.
            yield from (f"after:{key}" for key in self._upstream)
        for name in sorted(trace.variables):
            if name not in ("AZML_RUN_CONTEXT", "AZML_RUN_PROCESS"):  # which differ in each run
                yield f"env:{name}"
        yield from (f"prefix:{prefix}" for prefix in sorted(trace.prefixes))
        yield from (f"module:{self._answers.subject_of(path)}" for path in sorted(trace.searched) if self._counts(path))
        yield from (f"fact:{name}" for name in sorted(trace.facts))
        yield from (f"secret:{name}" for name in sorted(trace.secrets))

    @property
    def _sources(self) -> Iterator[Path]:
        for place, path in self._snapshot.files.items():
            if place.endswith(".py") and path.exists():
                yield path

    @property
    def _arguments(self) -> Iterator[str]:
        """Yield the absolute paths among the arguments that the file gives."""
        for token in self._plan.argv:
            if isinstance(token, str):
                yield from _absolute([token, token.partition("=")[2]])
            elif isinstance(token, ConfigValue):
                yield from _absolute(_texts(json.loads(token.text)))

    def _counts(self, path: str) -> bool:
        """Return whether a place of modules is neither an input nor one that the step made."""
        return not (self._is_covered(path) or self._trace.is_made(path))

    def _holds_runs(self, path: str) -> bool:
        """Return whether it is the project's folder or another above the runs, where something changes with each
        run."""
        runs = str(self._site.layout.runs)
        return any(f"{place}{os.sep}".startswith(os.path.join(path, "")) for place in (runs, os.path.realpath(runs)))

    def _is_of_run(self, path: str) -> bool:
        """Return whether it belongs to this run, or to internal files."""
        root = self._site.layout.root
        inside = self._answers.subject_of(path)
        own = os.path.join(root.name, "runs", self._site.run.id)
        return inside == own or inside.startswith(own + os.sep) or self._is_state(path)

    def _is_state(self, path: str) -> bool:
        inside = self._answers.subject_of(path)
        root = self._site.layout.root.name
        return inside in (os.path.join(root, "hashes.json"), os.path.join(root, "reuse.jsonl"))

    def _is_covered(self, path: str) -> bool:
        """Return whether it belongs to an input, whose content the static key has."""
        exact, folders = self._covered
        return path in exact or any(path == folder or path.startswith(folder + os.sep) for folder in folders)

    @cached_property
    def _covered(self) -> tuple[frozenset[str], tuple[str, ...]]:
        exact: set[str] = set()
        folders = []
        project = self._site.layout.project
        for item in self._plan.inputs:
            if not isinstance(item, DatasetInput):
                record = self._upstream.get(item.output.step)
                if record is not None:
                    folders.append(str(record.places.output(item.output.name)))
                continue
            path = str(local_path(self._site.plan.pipeline.datasets[item.dataset], project))
            if os.path.isdir(path):
                folders.append(path)
            elif os.path.lexists(path):
                exact.add(path)
            else:
                relative = without_repeats(os.path.relpath(path, project))
                found = glob.glob(relative, root_dir=project, recursive=True)
                exact |= {os.path.normpath(os.path.join(project, name)) for name in found}
        real = {os.path.realpath(path) for path in exact}
        return frozenset(exact | real), tuple(dict.fromkeys((*folders, *map(os.path.realpath, folders))))


def signature(path: str) -> Signature:
    """Return how a file looks, as the recorder has it."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _look(path: str, follows: bool) -> list[int] | None:
    try:
        found = os.stat(path, follow_symlinks=follows)
    except (OSError, ValueError):
        return None
    return [found.st_mode, found.st_size, found.st_mtime_ns]


def _seen_of(look: list[int] | None, level: int) -> Any:
    if look is None:
        return None
    kind = stat.S_IFMT(look[0])
    if not level:
        return kind
    return kind, look[1] if stat.S_ISREG(look[0]) else 0, look[2] if level == _TIME else 0


def _files_in(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_file()]
    except OSError:
        return []


def _absolute(texts: list[str]) -> Iterator[str]:
    for text in texts:
        if os.path.isabs(text) and len(text) < 1000 and "\0" not in text:
            yield text


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in inner for text in _texts(item)]


def _named_paths(text: str) -> Iterator[str]:
    """Yield what looks like an absolute path among the quoted texts of a script."""
    for match in re.finditer(r"""["']((?:~?/)[^"'\n\\{}*?]{2,300})["']""", text):
        yield os.path.expanduser(match[1])

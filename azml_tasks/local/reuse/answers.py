"""Recorded reads as questions, and their current answers.

A question is a text, `kind:subject`: the content of a file, the names in a folder, a variable, what an earlier step
recorded. Its answer is a digest, so that two of them can be compared, and one alone reveals nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import secrets
import stat
from collections.abc import Mapping
from functools import cached_property
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.local.reuse.installed import start_variables
from azml_tasks.local.step.arguments import StepArguments
from azml_tasks.local.step.context import context_of
from azml_tasks.local.step.environment import Mentions, variables_of
from azml_tasks.local.step.local_run import LocalRun
from azml_tasks.local.store.files import read_lines
from azml_tasks.local.store.paths import folder_name
from azml_tasks.local.store.questions import KEYED, OF_FILES
from azml_tasks.local.store.records import LocalStepRecord
from azml_tasks.secrets import looks_secret
from azml_tasks.snapshot import Snapshot
from azml_tasks.standin.azml_local.formats.surroundings import is_of_session

if TYPE_CHECKING:
    from azml_tasks.plan import StepPlan

# Ignored in folders: Python writes it next to imported files.
_CACHES = "__pycache__"
# Ignored in records: values that differ each time.
_TIMES = ("time", "created_time", "run_id", "by")
_OF_VARIABLES = frozenset(("env", "environment", "prefix"))
_LENGTH = 32
_KEY_LENGTH = 32
# More files than this below a folder that is only named are not looked at.
_MOST_BELOW = 2000


class Answers:
    """Answers questions for one step of one run; `records` are the records of the steps."""

    def __init__(
        self, site: LocalRun, plan: StepPlan, snapshot: Snapshot, records: Mapping[str, LocalStepRecord]
    ) -> None:
        self._site = site
        self._plan = plan
        self._snapshot = snapshot
        self._records = records

    def answer(self, question: str) -> str:
        """Return the answer as it is now; on files as it is or was a second ago, before the first step starts."""
        kind, _, subject = question.partition(":")
        known = self._known(kind)
        if known is None:
            return self._found(kind, subject)
        if question not in known:
            known[question] = self._found(kind, subject)
        return known[question]

    def _known(self, kind: str) -> dict[str, str] | None:
        """Return where an answer may be kept for other steps."""
        if kind in OF_FILES:
            return self._site.contents.recent.known()
        return self._site.variables if kind in _OF_VARIABLES and not self._has_variables else None

    def _found(self, kind: str, subject: str) -> str:
        found: str = getattr(self, f"_{kind}")(subject)
        return found

    def is_keyed(self, question: str) -> bool:
        """Return whether its answer is a digest with the user's key."""
        kind, _, subject = question.partition(":")
        if kind not in ("file", "tree"):
            return kind in KEYED
        with contextlib.suppress(OSError):
            return looks_secret(self.path_of(subject), self._site.layout.real_project)
        return False

    @cached_property
    def environment(self) -> dict[str, str]:
        """The variables of the step's process, except those that differ in each run."""
        return {**self._injected, **self._site.environment, **self._own_variables}

    @property
    def start(self) -> Mapping[str, str]:
        """The variables that count for every step, since it is not seen who reads them."""
        own = self._own_variables
        key = ("start", *own.items())
        memo = self._site.memo
        if key not in memo:
            memo[key] = start_variables({**self._site.environment, **own})
        found = memo[key]
        assert isinstance(found, Mapping)
        return found

    @cached_property
    def _own_variables(self) -> dict[str, str]:
        return variables_of(self._site.plan.pipeline, self._plan.step)

    @cached_property
    def _has_variables(self) -> bool:
        """Whether the step's process has variables that those of other steps do not have."""
        return bool(self._own_variables or self._injected)

    @cached_property
    def _injected(self) -> dict[str, str]:
        secret = self._site.secrets
        return Mentions.of_project(self._snapshot).secrets(secret) if secret else {}

    @cached_property
    def before(self) -> dict[str, str]:
        """The steps that have ended before this one begins, by the names of their folders."""
        found: dict[str, None] = {}
        waiting = list(self._plan.upstream)
        while waiting:
            key = waiting.pop()
            if key not in found:
                found[key] = None
                waiting += self._site.plan[key].upstream
        return {folder_name(step.key): step.key for step in self._site.plan.steps if step.key in found}

    # Files

    def path_of(self, subject: str) -> str:
        """Return the path of a subject: in the project if it is relative."""
        return subject if os.path.isabs(subject) else os.path.join(self._site.layout.project, subject)

    def subject_of(self, path: str) -> str:
        """Return the name of a path, independent of the project's location."""
        for project in (str(self._site.layout.project), self._site.layout.real_project):
            if path == project:
                return "."
            if path.startswith(project + os.sep):
                return path[len(project) + 1 :]
        return path

    def _file(self, subject: str) -> str:
        path = self.path_of(subject)
        try:
            digest = self._site.contents.hash_file(path)
            return keyed(digest) if looks_secret(path, self._site.layout.real_project) else digest[:_LENGTH]
        except OSError:
            return _kind_of(path)

    def _each(self, subject: str) -> str:
        """Answer with the contents of all files directly in a folder."""
        path = self.path_of(subject)
        lines = []
        for name in _names_in(path):
            inner = os.path.join(path, name)
            if os.path.isfile(inner):
                with contextlib.suppress(OSError):
                    lines.append(f"{name}\0{self._site.contents.hash_file(inner)}")
        return _digest(lines)

    def _tree(self, subject: str) -> str:
        path = self.path_of(subject)
        with contextlib.suppress(OSError):
            if not os.path.isdir(path):
                return self._file(subject)
            if _is_small(path):
                return self._site.contents.digest(path)[:_LENGTH]
        return self._list(subject)

    def _list(self, subject: str) -> str:
        path = self.path_of(subject)
        try:
            with os.scandir(path) as entries:
                found = sorted((entry.name, _letter(entry)) for entry in entries if entry.name != _CACHES)
        except OSError:
            return _kind_of(path)
        return _digest(found)

    def _sizes(self, subject: str) -> str:
        return self._entries(subject, False)

    def _times(self, subject: str) -> str:
        return self._entries(subject, True)

    def _entries(self, subject: str, times: bool) -> str:
        path = self.path_of(subject)
        found = []
        for name in _names_in(path):
            with contextlib.suppress(OSError):
                status = os.stat(os.path.join(path, name))
                is_file = stat.S_ISREG(status.st_mode)
                is_link = os.path.islink(os.path.join(path, name))
                looked = [status.st_mode, status.st_size, status.st_mtime_ns if times else 0] if is_file else []
                found.append((name, is_link, *looked))
        return _digest(found)

    def _module(self, subject: str) -> str:
        """Answer with the file that Python takes for a module at that place."""
        path = self.path_of(subject)
        suffixes = (*EXTENSION_SUFFIXES, *SOURCE_SUFFIXES, *BYTECODE_SUFFIXES)
        names = (*(f"{os.sep}__init__{suffix}" for suffix in suffixes), *suffixes)
        return next((name for name in names if os.path.isfile(f"{path}{name}")), _kind_of(path))

    def _kind(self, subject: str) -> str:
        return _kind_of(self.path_of(subject))

    def _link(self, subject: str) -> str:
        path = self.path_of(subject)
        with contextlib.suppress(OSError, ValueError):
            return f"link {_digest(os.readlink(path))}"
        return _kind_of(path, follows=False)

    def _size(self, subject: str) -> str:
        return self._look(subject, False)

    def _time(self, subject: str) -> str:
        return self._look(subject, True)

    def _look(self, subject: str, times: bool) -> str:
        try:
            status = os.stat(self.path_of(subject))
        except (OSError, ValueError):
            return ""
        if stat.S_ISREG(status.st_mode):
            return f"{status.st_mode:o} {status.st_size} {status.st_mtime_ns if times else ''}".rstrip()
        return f"{status.st_mode:o} {status.st_mtime_ns if times else ''}".rstrip()

    # Variables, the run's description, secrets

    def _env(self, name: str) -> str:
        value = self.environment.get(name)
        return "" if value is None else keyed(value)

    def _environment(self, _: str) -> str:
        return self._prefix("")

    def _prefix(self, prefix: str) -> str:
        found = {
            name: value
            for name, value in self.environment.items()
            if name.startswith(prefix) and not is_of_session(name)
        }
        return keyed(json.dumps(found, sort_keys=True))

    def _fact(self, name: str) -> str:
        if name == "host":
            return _digest(platform.node())
        if name == "umask":
            mask = os.umask(0)
            os.umask(mask)
            return f"{mask:o}"
        described = self._described
        key, _, item = name.partition("/")
        value = described.get(key)
        if item:
            value = value.get(item) if isinstance(value, Mapping) else None
        elif isinstance(value, Mapping) and key in ("datasets", "datastores"):
            value = sorted(value)
        text = json.dumps(value, sort_keys=True, default=str)
        return _digest(text.replace(json.dumps(str(self._site.layout.project))[1:-1], "${project}"))

    @cached_property
    def _described(self) -> dict[str, Any]:
        site = self._site
        return context_of(site, self._plan, StepArguments((), {}, {}))

    def _secret(self, name: str) -> str:
        values = {**self._of_file, **self.environment}
        value = values.get(name, values.get(name.replace("-", "_").upper()))
        return "" if value is None else keyed(value)

    @cached_property
    def _of_file(self) -> dict[str, str]:
        from azml_tasks.standin.azml_local.formats.surroundings import read_env_file

        try:
            return read_env_file(str(self._site.layout.project / ".env"))
        except (OSError, ValueError):
            return {}

    # What other steps recorded

    def run_question(self, path: str, is_content: bool) -> str | None:
        """Return the question for a path of a run, for whichever run has the result of that step.

        None for a path that is none of this pipeline's runs', an empty text for one that nothing depends on.
        """
        parts = self.subject_of(path).split(os.sep)
        if parts[:2] != [".azml", "runs"] or len(parts) < 3:
            return None
        run_id, rest = parts[2], parts[3:]
        if rest[:1] == ["steps"] and len(rest) > 1:
            key = self.before.get(rest[1])
            record = self._records.get(key) if key else None
            if run_id == self._site.run.id or (record and record.producer == run_id):
                inner = "/".join(rest[2:])
                return f"{'run' if is_content else 'there'}:{rest[1]}/{inner}" if record and inner else ""
            return "" if run_id == self._site.run.id else None
        if run_id != self._site.run.id:
            return None
        if rest[:1] == ["parent"] and len(rest) > 1:
            return f"parent:{'/'.join(rest[1:])}"
        return ""

    def _run(self, subject: str) -> str:
        return self._of_step(subject, True)

    def _there(self, subject: str) -> str:
        return self._of_step(subject, False)

    def _of_step(self, subject: str, is_content: bool) -> str:
        folder, _, inner = subject.partition("/")
        record = self._records.get(self.before.get(folder, ""))
        if record is None:
            return ""
        if inner == "record.json":
            return "ended" if record.ok else record.status
        path = str(record.places.root / inner)
        return self._recorded(path) if is_content else _kind_of(path)

    def _parent(self, inner: str) -> str:
        """Answer with the changes of earlier steps to the pipeline's run, ignoring those of parallel steps."""
        path = self._site.run.places.parent / inner
        if not inner.endswith(".jsonl"):
            return self._recorded(str(path))
        found: dict[str, list[Any]] = {}
        for line in read_lines(path):
            folder = line.get("by")
            if isinstance(folder, str) and folder in self.before:
                found.setdefault(folder, []).append(_timeless(line))
        return _digest([[folder, found[folder]] for folder in self.before if folder in found])

    def _after(self, key: str) -> str:
        record = self._records.get(key)
        return record.producer if record else ""

    def _recorded(self, path: str) -> str:
        if path.endswith((".json", ".jsonl")) and os.path.isfile(path):
            with contextlib.suppress(OSError, ValueError):
                text = Path(path).read_text(encoding="utf-8")
                return _digest([_timeless(json.loads(line)) for line in text.splitlines() if line.strip()])
        if os.path.isdir(path):
            return _digest(_names_in(path))
        return self._file(path)


def keyed(text: str) -> str:
    """Return the digest of a text that may be a secret, or be short, made with a key that is outside the project."""
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), key=_key(), digest_size=16).hexdigest()


def key_folder() -> str:
    """Return the folder of this user's key."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "azml-tasks")


_keys: list[bytes] = []


def _key() -> bytes:
    if not _keys:
        _keys.append(_read_key())
    return _keys[0]


def _read_key() -> bytes:
    """Return this user's key, created if missing; if it cannot be stored, one of this machine."""
    file = Path(key_folder(), "key")
    for _ in range(2):
        with contextlib.suppress(OSError):
            key = file.read_bytes()
            if len(key) == _KEY_LENGTH:
                return key
        with contextlib.suppress(OSError):
            _make_key(file)
    with contextlib.suppress(OSError):
        return hashlib.sha256(Path("/etc/machine-id").read_bytes()).digest()
    return secrets.token_bytes(_KEY_LENGTH)


def _make_key(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{os.getpid()}.{secrets.token_hex(4)}.partial")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(secrets.token_bytes(_KEY_LENGTH))
    try:
        os.link(partial, file)  # Of two runs at once the key of one counts.
    finally:
        partial.unlink()


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if key not in _TIMES}
    return value


def _kind_of(path: str, follows: bool = True) -> str:
    try:
        mode = os.stat(path, follow_symlinks=follows).st_mode
    except (OSError, ValueError):
        return ""
    return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"


def _letter(entry: os.DirEntry[str]) -> str:
    with contextlib.suppress(OSError):
        return "d" if entry.is_dir() else "f" if entry.is_file() else "o"
    return "o"


def _names_in(path: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(path) if name != _CACHES)
    except OSError:
        return []


def _is_small(folder: str) -> bool:
    count = 0
    for _, folders, files in os.walk(folder):
        count += len(folders) + len(files)
        if count > _MOST_BELOW:
            return False
    return True

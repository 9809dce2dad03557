"""The kinds of questions of recorded reads, and the messages for changed answers."""

from __future__ import annotations

import os
import re
from typing import Any

from azml_tasks.runs.changes.differences import ABSENT, UNKNOWN, Difference, stated_difference

# Kinds of questions: on files, which count for all steps; on variables and secrets, whose answers are digests with a
# key; on what the steps before have done.
OF_FILES = frozenset(("file", "each", "tree", "list", "sizes", "times", "kind", "link", "size", "time", "module"))
KEYED = frozenset(("env", "environment", "prefix", "secret"))
OF_OTHER_STEPS = frozenset(("run", "there", "after", "parent"))
_KINDS = OF_FILES | KEYED | OF_OTHER_STEPS | {"fact"}
# The kind of a difference that each run makes.
OF_RUNS = "runs"
_FACTS = {
    "host": "the name of this machine changed",
    "umask": "the umask changed",
    "experiment": "the experiment changed",
    "workspace": "the workspace changed",
    "tags": "the tags changed",
    "compute_name": "compute_name changed",
    "environment_name": "the name of its environment changed",
    "step_name": "its name changed",
    "datasets": "the list of datasets changed",
    "datastores": "the list of datastores changed",
}

_OF_THE_WORKSPACE = {
    r"\.azml/runs$": "it reads the list of runs, which grows with every run",
    r"\.azml/models\b": "the registered models changed",
    r"\.azml/datasets\b": "the registered datasets changed",
}


def describe_change(question: str, old: str, new: str) -> Difference:
    """Describe the change if a question has a different answer."""
    kind, _, subject = question.partition(":")
    if kind in ("env", "secret"):
        return Difference("variable" if kind == "env" else kind, subject)
    first, _, rest = subject.partition("/")
    sentences = {
        "environment": "environment variables changed (it reads all of them)",
        "prefix": f"variables {subject}... changed",
        "fact": f"{first.replace('_', ' ').removesuffix('s')} {rest} changed"
        if rest
        else _FACTS.get(subject, f"{subject} changed"),
        "run": f"what step '{first}' recorded changed",
        "there": f"what step '{first}' recorded changed",
        "after": f"it runs after {subject}, which ran again",
        "parent": "what earlier steps recorded on the pipeline run changed",
    }
    if kind in sentences:
        return stated_difference(sentences[kind], "fact" if kind == "fact" else "read", subject)
    return _describe_path(kind, subject.replace(os.sep, "/"), old, new)


def _describe_path(kind: str, subject: str, old: str, new: str) -> Difference:
    for pattern, sentence in _OF_THE_WORKSPACE.items():
        if re.match(pattern, subject):
            return stated_difference(sentence, OF_RUNS if pattern.startswith(r"\.azml/runs") else "read", subject)
    if kind == "module":
        change = "changed" if old and new else "removed" if old else "added"
        return stated_difference(f"module {subject} was {change}".replace("was changed", "changed"), "read", subject)
    if bool(old) != bool(new):
        return Difference("read", subject, UNKNOWN if old else ABSENT, ABSENT if old else UNKNOWN)
    if kind in ("list", "sizes", "times", "each"):
        return stated_difference(f"the files in {subject} changed", "read", subject)
    return (
        stated_difference(f"the time of {subject} changed", "read", subject)
        if kind == "time"
        else Difference("read", subject)
    )


def is_answerable(question: Any) -> bool:
    """Return whether this release has an answer to a question, and another has not written it."""
    return isinstance(question, str) and question.partition(":")[0] in _KINDS

"""The kinds of questions that a step asked, and how a change of an answer is told."""

from __future__ import annotations

import os
import re
from typing import Any

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


def describe_change(question: str, old: str, new: str) -> str:
    """Return in a phrase what changed when a question gets another answer."""
    kind, _, subject = question.partition(":")
    first, _, rest = subject.partition("/")
    told = {
        "env": f"variable {subject} changed",
        "environment": "the environment variables changed, all of which it reads",
        "secret": f"secret {subject} changed",
        "fact": f"{first.replace('_', ' ').removesuffix('s')} {rest} changed"
        if rest
        else _FACTS.get(subject, f"{subject} changed"),
        "run": f"what step '{first}' recorded changed",
        "there": f"what step '{first}' recorded changed",
        "after": f"it runs after {subject}, which ran again",
        "parent": "what earlier steps recorded on the pipeline run changed",
    }
    return told.get(kind) or _describe_path(kind, subject.replace(os.sep, "/"), old, new)


def _describe_path(kind: str, subject: str, old: str, new: str) -> str:
    for pattern, told in _OF_THE_WORKSPACE.items():
        if re.match(pattern, subject):
            return told
    if bool(old) != bool(new):
        return f"{subject} was {'deleted' if old else 'added'}"
    if kind in ("list", "sizes", "times", "each"):
        return f"the files in {subject} changed"
    return f"the time of {subject} changed" if kind == "time" else f"{subject} changed"


def is_answerable(question: Any) -> bool:
    """Say whether this release has an answer to a question, and another has not written it."""
    return isinstance(question, str) and question.partition(":")[0] in _KINDS


_KINDS = frozenset(
    (
        *("file", "each", "tree", "list", "sizes", "times", "kind", "link", "size", "time", "env", "environment"),
        *("fact", "secret", "run", "there", "after", "parent"),
    )
)

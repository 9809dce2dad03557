"""Mistakes in published scripts: which are found, and why the others are not."""

from __future__ import annotations

import json
import posixpath
import random
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.corpus.mutations import (
    Entry,
    Finding,
    Mistake,
    Step,
    arguments_of,
    evenly,
    judge,
    mistakes,
    out_of_reach,
    validate,
)
from tests.corpus.published import UNKNOWN, Clones, Published

OUT_OF_REACH = Path(__file__).with_name("out_of_reach.json")


def chosen(scripts: Sequence[Published], clones: Clones, count: int, seed: int) -> list[tuple[Published, Mistake]]:
    """Return mistakes in scripts of which nothing is said before, evenly of all kinds and repositories."""
    made: list[tuple[str, Mistake]] = []
    origins: dict[int, Published] = {}
    for script in scripts:
        files = clones.files(script)
        text = text_of(script, files)
        if text is not None and not found_in(script, files):
            for mistake in mistakes(step_of(script), text, random.Random(f"{seed} {script.name}")):
                made.append((script.repository, mistake))
                origins[id(mistake)] = script
    return [(origins[id(mistake)], mistake) for _, mistake in evenly(made, count, random.Random(seed))]


def step_of(script: Published) -> Step:
    """Return a step that passes what the builder passes, an entry a line; what only a run has is a folder."""
    entries = [Entry("input_datasets", name, name) for name in script.inputs]
    words: list[object] = list(script.arguments)
    rest: list[str] = []
    while words:
        word = words.pop(0)
        following = words[0] if words and isinstance(word, str) and word.startswith("--") else ""
        if isinstance(following, Mapping):
            entries.append(Entry("input_datasets", str(word), following["dataset"]))
            words.pop(0)
        elif following is None and all(entry.name != word for entry in entries):
            entries.append(Entry("output_folders", str(word)))
            words.pop(0)
        else:
            if isinstance(word, Mapping):
                entries.append(Entry("input_datasets", word["dataset"], word["dataset"]))
            rest.append(word if isinstance(word, str) else UNKNOWN)
    return Step(script.script, script.directory, (*entries, *arguments_of(rest)))


def text_of(script: Published, files: Mapping[str, bytes]) -> str | None:
    """Return the text of a script; None if it is missing or not UTF-8."""
    try:
        return files[path_of(script)].decode().replace("\r\n", "\n")
    except (KeyError, UnicodeDecodeError):
        return None


def path_of(script: Published) -> str:
    """Return the path of a script in its repository."""
    return posixpath.normpath(posixpath.join(script.directory, script.script))


def found_in(script: Published, files: Mapping[str, bytes], mistake: Mistake | None = None) -> list[Finding]:
    """Return what is found in a project of the files and the step, with a mistake if one is given."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder, script, files, mistake)
        return validate(folder)


def write(
    folder: Path, script: Published, files: Mapping[str, bytes], mistake: Mistake | None
) -> dict[tuple[str, str], int]:
    """Write a project; return the lines of pipeline.yaml."""
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    if mistake is not None and mistake.text is not None:
        (folder / path_of(script)).write_text(mistake.text, encoding="utf-8")
    return (mistake.step if mistake else step_of(script)).write(folder)


def judged(script: Published, mistake: Mistake, files: Mapping[str, bytes]) -> tuple[str, list[Finding]]:
    """Return what is missing of a mistake ("" if nothing is), and what is found."""
    with tempfile.TemporaryDirectory() as place:
        places = write(Path(place), script, files, mistake)
        found = validate(Path(place))
    return judge(mistake, path_of(script), found, places), found


def check(scripts: Sequence[Published], clones: Clones, count: int, seed: int) -> int:
    """Print what became of that many mistakes; return how many were missed without a known reason."""
    reasons = json.loads(OUT_OF_REACH.read_text(encoding="utf-8"))
    outcomes: Counter[tuple[str, str]] = Counter()
    repositories, missed = set(), 0
    for script, mistake in chosen(scripts, clones, count, seed):
        repositories.add(script.repository)
        files = clones.files(script)
        missing, found = judged(script, mistake, files)
        reason = out_of_reach(mistake, text_of(script, files) or "") or reasons.get(f"{script.name}: {mistake.kind}")
        outcome = "found" if not missing else f"out of reach: {reason}" if reason else missing
        outcomes[mistake.kind, outcome] += 1
        if missing and not reason:
            missed += 1
            print(f"{script.name}: {mistake.kind}: {mistake.what}: {missing}", *found, sep="\n    ")
    for (kind, outcome), number in sorted(outcomes.items()):
        print(f"{number:4} {kind}: {outcome}")
    number = sum(number for (_, outcome), number in outcomes.items() if outcome == "found")
    total = sum(outcomes.values())
    print(f"{number} of {total} mistakes in scripts of {len(repositories)} repositories found, {missed} missed.")
    return missed

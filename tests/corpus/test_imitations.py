"""Nothing is said of scripts without mistakes; of mistakes that are made in them at random, something is."""

from __future__ import annotations

import random

import pytest

from tests.corpus.imitations import IMITATIONS, Imitation
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

SCRIPT = "steps/train.py"
SEED = 20_261_129
MISTAKES = 100


def step_of(imitation: Imitation) -> Step:
    """Return the step of an imitation, an entry a line."""
    keys = {"input_datasets": {}, "output_folders": [], "step_config": {}, "arguments": [], **imitation.keys}
    entries = [Entry(key, *item) for key in ("step_config", "input_datasets") for item in dict(keys[key]).items()]
    entries += [Entry("output_folders", name) for name in keys["output_folders"]]
    return Step("train.py", "steps", (*entries, *arguments_of(keys["arguments"])))


def found_in(folder, imitation: Imitation, mistake: Mistake) -> tuple[str, list[Finding]]:
    """Return what is missing of a mistake, and what is found."""
    (folder / "steps").mkdir(parents=True)
    for name, text in {**imitation.files, "train.py": mistake.text or imitation.source}.items():
        (folder / "steps" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "steps" / name).write_text(text, encoding="utf-8")
    places = mistake.step.write(folder)
    found = validate(folder)
    return judge(mistake, SCRIPT, found, places), found


@pytest.mark.parametrize("name", IMITATIONS)
def test_nothing_is_said_of_a_script_without_mistakes(tmp_path, name):
    nothing = Mistake("none", "", step_of(IMITATIONS[name]))

    assert found_in(tmp_path / "project", IMITATIONS[name], nothing)[1] == []


@pytest.mark.many
def test_mistakes_made_at_random_are_found(tmp_path):
    made = [
        (name, mistake)
        for name, imitation in IMITATIONS.items()
        for mistake in mistakes(step_of(imitation), imitation.source, random.Random(f"{SEED} {name}"))
    ]
    chosen = evenly(made, MISTAKES, random.Random(SEED))
    missed, found = [], []
    for place, (name, mistake) in enumerate(chosen):
        imitation = IMITATIONS[name]
        missing, said = found_in(tmp_path / str(place), imitation, mistake)
        if not missing:
            found.append(mistake.kind)
        elif not imitation.unseen and not out_of_reach(mistake, imitation.source):
            missed.append((name, mistake.kind, mistake.what, missing, said))

    assert missed == []
    assert set(found) == {mistake.kind for _, mistake in made}
    assert len(found) >= 0.75 * MISTAKES

"""Check the published scripts in a folder of clones: `python -m tests.corpus FOLDER`.

Each is checked with the arguments of its builder, which are right: what is said is a false alarm, or a mistake of the
published pipeline that `known.json` explains. Ends with 1 when something else is said.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tests.corpus.projects import said_of, write_project
from tests.corpus.published import Clones, Published, published
from tests.corpus.published_mutations import check

KNOWN = Path(__file__).with_name("known.json")


def main() -> int:
    """Print what is said, then how many scripts of how many repositories were checked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the clones, as FOLDER/owner+name, FOLDER/owner/name or FOLDER/name")
    parser.add_argument("--mutations", type=int, help="make so many mistakes in the scripts, and say which are found")
    parser.add_argument("--seed", type=int, default=1, help="of the mistakes")
    args = parser.parse_args()
    clones = Clones(args.folder)
    if args.mutations:
        return 1 if check(published(), clones, args.mutations, args.seed) else 0
    known = json.loads(KNOWN.read_text(encoding="utf-8"))
    outcomes: Counter[str] = Counter()
    repositories, alarms = set(), 0
    for script in published():
        files = clones.files(script)
        if not files:
            outcomes["not there"] += 1
            continue
        with tempfile.TemporaryDirectory() as folder:
            said = _said(Path(folder), script, files)
        said = [line for line in said if not any(part in line for part in known.get(script.name, {}))]
        outcomes["checked"] += 1
        repositories.add(script.repository)
        if said:
            alarms += 1
            print(script.name, *said, sep="\n    ")
    print(
        f"{outcomes['checked']} scripts of {len(repositories)} repositories checked, {alarms} with findings,", end=" "
    )
    print(f"{outcomes['not there']} not in the folder.")
    return 1 if alarms else 0


def _said(folder: Path, script: Published, files: Mapping[str, bytes]) -> list[str]:
    """Return what is said, first of the arguments as texts, then with folders where only a run has the value."""
    place = {"script_name": script.script, "script_directory": script.directory}
    said = said_of(write_project(folder, files, place | script.step_keys()))
    said += [
        line for line in said_of(write_project(folder, {}, place | script.step_keys(folders=True))) if " never " in line
    ]
    return said


if __name__ == "__main__":
    sys.exit(main())

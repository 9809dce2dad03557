"""Compare the frames of the stand-in with those of azureml-dataprep, table by table: `python -m tests.frames`.

Needs azureml-dataprep (Python 3.10 or 3.11) and pandas. `--write` keeps what it makes of the tables in measured.json,
which the tests hold the stand-in to; `--seed N --count N` compares other random tables. Exit status 1: they differ.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path

from tests.frames import measured
from tests.frames.outcomes import of_azure, of_the_stand_in
from tests.frames.tables import at_random, tables


def main() -> int:
    """Compare; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.frames")
    parser.add_argument("--write", action="store_true", help="keep what Azure ML's reader makes of the tables")
    parser.add_argument("--seed", type=int, help="compare random tables of this seed instead")
    parser.add_argument("--count", type=int, default=200, help="so many of them")
    options = parser.parse_args()
    # The reader's own notes go to a file of the user's home, and its telemetry nowhere.
    os.environ.setdefault("AZUREML_DATAPREP_TELEMETRY", "0")
    choice = random.Random(options.seed)
    compared = list(tables()) if options.seed is None else [at_random(choice) for _ in range(options.count)]
    found, differing = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for table in compared:
            right, ours = of_azure(table, Path(folder)), of_the_stand_in(table, Path(folder))
            found.append((table, right))
            if right != ours:
                differing += 1
                print(f"{table.contents} {dict(table.options)}\n  Azure ML: {right}\n  stand-in: {ours}", flush=True)
    if options.write:
        measured.write(found)
    print(f"{len(found)} tables compared, {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())

"""Run the benchmarks: `invoke bench`, or `python -m tests.bench local` for a part.

`--against TAG` times the same commands of an earlier release instead: it is installed beside, and the runs are paired.
"""

from __future__ import annotations

import argparse
import compileall
import importlib
import platform
import tempfile
from pathlib import Path

from tests.bench.against import AgainstRelease
from tests.bench.pairs import BesideOthers, Timer

PARTS = ("start", "scaffold", "local", "large", "data", "size", "azure")


def main() -> None:
    """Print the figures of each part."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one or more of {', '.join(PARTS)}; by default all")
    parser.add_argument("--against", metavar="TAG", help="compare with this release, such as v0.3.0")
    given = parser.parse_args()
    # An installed package has its byte code, and Invoke writes none.
    compileall.compile_dir(Path(__file__).parents[2] / "azml_tasks", quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        timer: Timer = AgainstRelease(given.against, Path(folder)) if given.against else BesideOthers()
        spread = (
            "median (least to most) of ratios" if given.against else "medians of whole processes, and of their ratios"
        )
        print(f"Python {platform.python_version()}; {spread} pair by pair")
        for part in given.parts or PARTS:
            print(f"\n# {part}", flush=True)
            for figure in importlib.import_module(f"tests.bench.{part}").figures(timer):
                if figure is not None:
                    print(figure, flush=True)


if __name__ == "__main__":
    main()

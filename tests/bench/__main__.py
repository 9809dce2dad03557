"""Run the benchmarks: `invoke bench`, or `python -m tests.bench local` for a part."""

from __future__ import annotations

import argparse
import importlib
import platform

PARTS = ("start", "scaffold", "local", "large", "azure")


def main() -> None:
    """Print the figures of each part."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one or more of {', '.join(PARTS)}; by default all")
    chosen = parser.parse_args().parts or PARTS
    print(f"Python {platform.python_version()}; medians of whole processes, and of their ratios pair by pair")
    for part in chosen:
        print(f"\n# {part}", flush=True)
        for figure in importlib.import_module(f"tests.bench.{part}").figures():
            print(figure, flush=True)


if __name__ == "__main__":
    main()

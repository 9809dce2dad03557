"""Projects to measure on: many small steps that each copy one CSV."""

from __future__ import annotations

from pathlib import Path

ROWS = "id,value\n" + "".join(f"{number},{number * 2}\n" for number in range(100))

PLAIN = """\
import argparse, os, shutil
parser = argparse.ArgumentParser()
parser.add_argument("--input-folder")
parser.add_argument("--output-folder")
args = parser.parse_args()
source = args.input_folder or SOURCE
os.makedirs(args.output_folder or "outputs", exist_ok=True)
shutil.copy(os.path.join(source, "rows.csv"), args.output_folder or "outputs")
"""
# As the wrapper's own example has it: the Run's context first, `complete` last.
WITH_RUN = "from azureml.core import Run\nrun = Run.get_context()\n" + PLAIN + "run.log('rows', 100)\nrun.complete()\n"
# Steps that do something: about 0.2 s of plain Python.
WORKING = WITH_RUN.replace(
    "run.log(",
    """\
import csv
with open(os.path.join(source, "rows.csv")) as file:
    values = [int(row["value"]) for row in csv.DictReader(file)]
total = 0
for number in range(20_000):
    total += sum(value * number % 7 for value in values)
run.log(""",
    1,
)
WITH_PANDAS = WITH_RUN.replace("import argparse", "import pandas\nimport argparse", 1)


def line(folder: Path, steps: int, script: str) -> Path:
    """Write a project of steps in a line, and `loop.sh`, which does the same without us."""
    names = [f"s{number:03}" for number in range(steps)]
    entries = {name: ([names[place - 1]] if place else [], place < steps - 1) for place, name in enumerate(names)}
    return _write(folder, entries, script)


def fan(folder: Path, width: int, script: str) -> Path:
    """Write a project of one step, `width` that read it, and one after them all."""
    middle = [f"m{number:03}" for number in range(width)]
    entries: dict[str, tuple[list[str], bool]] = {"first": ([], True)}
    entries.update({name: (["first"], True) for name in middle})
    entries["last"] = (middle[:1], False)
    return _write(folder, entries, script, after={"last": middle[1:]})


def _write(
    folder: Path,
    entries: dict[str, tuple[list[str], bool]],
    script: str,
    after: dict[str, list[str]] | None = None,
) -> Path:
    steps = folder / "steps"
    steps.mkdir(parents=True)
    (folder / "source").mkdir()
    (folder / "source" / "rows.csv").write_text(ROWS)
    (folder / "tasks.py").write_text("from azml_tasks.tasks import namespace\n")
    yaml, loop = ["backend: local", "steps:"], ["set -e", "rm -rf loop"]
    for name, (sources, writes) in entries.items():
        (steps / f"{name}.py").write_text(script.replace("SOURCE", repr(str(folder / "source"))))
        reads = f"{{--input-folder: {sources[0]}}}" if sources else "{}"
        outputs = "[--output-folder]" if writes else "[]"
        run_after = f", run_after: [{', '.join((after or {}).get(name, []))}]"
        yaml.append(
            f"  {name}: {{script_name: {name}.py, script_directory: steps, input_folders: {reads}, "
            f"output_folders: {outputs}{run_after}}}"
        )
        given = f" --input-folder loop/{sources[0]}" if sources else ""
        given += f" --output-folder loop/{name}" if writes else ""
        loop.append(f'"$PYTHON" steps/{name}.py{given}')
    (folder / "pipeline.yaml").write_text("\n".join(yaml) + "\n")
    (folder / "loop.sh").write_text("\n".join(loop) + "\n")
    _makefile(folder, entries, after or {})
    return folder


def _makefile(folder: Path, entries: dict[str, tuple[list[str], bool]], after: dict[str, list[str]]) -> None:
    rules = [f"all: {' '.join(f'made/{name}.done' for name in entries)}"]
    for name, (sources, writes) in entries.items():
        needs = " ".join(f"made/{source}.done" for source in (*sources, *after.get(name, [])))
        given = f" --input-folder made/{sources[0]}" if sources else ""
        given += f" --output-folder made/{name}" if writes else ""
        rules.append(f"made/{name}.done: steps/{name}.py {needs}\n\t$(PYTHON) steps/{name}.py{given} && touch $@")
    (folder / "Makefile").write_text("\n".join(rules) + "\n")

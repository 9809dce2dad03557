"""Prove that MLflow logs the same in a local run as alone: `python -m tests.mlflow`.

It makes a virtual environment for each of mlflow and mlflow-skinny of 2.x and 3.x (some minutes and 3 GB; they are kept
in `--folder` for the next time), runs `script.py` in it under MLflow alone and as a step, and compares metrics,
parameters, tags other than MLflow's own, files and models, as MLflow's client reads them and as the step's record has
them. The exit status is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.imports import ROOT
from tests.mlflow.describe_record import described_record

VARIANTS = {"full-2": "mlflow<3", "full-3": "mlflow>=3", "skinny-2": "mlflow-skinny<3", "skinny-3": "mlflow-skinny>=3"}
ON_AZURE = {"azure-2": "mlflow-skinny<3", "azure-3": "mlflow-skinny>=3"}
_OTHERS = ("scikit-learn", "skops", "pandas", "matplotlib")
_HERE = Path(__file__).parent
_SCRIPTS = ("script.py", "describe.py", "files.py")
_STEP = "train"
_PIPELINE = f"""\
backend: local
steps:
  {_STEP}: {{script_name: script.py, arguments: {{--result: RESULT}}, output_folders: []}}
  describe: {{script_name: describe.py, arguments: [RESULT], input_folders: {{}}, run_after: [{_STEP}]}}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    variants = {**VARIANTS, **ON_AZURE}
    parser.add_argument("--only", choices=variants, action="append", help="only this variant; can be repeated")
    folder = Path(tempfile.gettempdir(), "azml-tasks-mlflow")
    parser.add_argument("--folder", type=Path, default=folder, help=f"folder of the environments (default: {folder})")
    given = parser.parse_args()
    differing = 0
    for variant in given.only or variants:
        plugin = ["azureml-mlflow"] if variant in ON_AZURE else []
        python = environment(given.folder.absolute() / variant, variants[variant], *plugin)
        compare = _compare_on_azure if variant in ON_AZURE else _compare
        with tempfile.TemporaryDirectory() as place:
            differences = list(compare(variant, python, Path(place)))
        print("\n".join(differences), flush=True)
        differing += len(differences) - 1
    return 1 if differing else 0


def environment(folder: Path, *requirements: str) -> str:
    """Return the interpreter of an environment with that MLflow and the package as it is here."""
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not python.exists():
        print(f"making {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", *requirements, *_OTHERS, "--editable", ROOT]
        subprocess.run(install, check=True)
    return str(python)


def _compare(variant: str, python: str, place: Path) -> Iterator[str]:
    """Yield a line with the figures, then one for each difference."""
    alone, plain_ms = _run_alone(python, place / "alone")
    local, record, local_ms = _run_locally(python, place / "project")
    version = subprocess.run(
        [python, "-c", "import mlflow.version as v; print(v.VERSION)"], check=True, capture_output=True, text=True
    ).stdout.strip()
    counted = sum(len(part) for run in alone["runs"] for part in run.values())
    ms = f"{plain_ms:.1f} ms a call alone, {local_ms:.1f} ms as a step"
    yield f"{variant} (MLflow {version}): {counted} values in {len(alone['runs'])} runs compared; {ms}"
    yield from _differences("client", alone, local)
    yield from _differences("record", [_as_recorded(run) for run in alone["runs"]], record)


def _compare_on_azure(variant: str, python: str, place: Path) -> Iterator[str]:
    """Yield a line with the figures, then one for each difference; nothing but models differs."""
    from tests.mlflow.azure import run_on_azure

    alone, _ = _run_alone(python, place / "alone", "--models", "no")
    (place / "azure").mkdir()
    runs, status, log = run_on_azure(python, place / "azure", "--models", "no")
    if status != "Completed":
        raise SystemExit(f"{variant}: {status}\n{log}")
    _, models_status, models_log = run_on_azure(python, place / "azure")
    counted = sum(len(part) for run in alone["runs"] for part in run.values())
    yield f"{variant} (on the stand-in of Azure ML): {counted} values in {len(alone['runs'])} runs compared, no models"
    yield from _differences("service", alone["runs"], runs)
    is_refused = models_status == "Failed" and "logged-models" in models_log and "404" in models_log
    if is_refused != variant.endswith("3"):
        yield f"  with models: {models_status}\n{models_log[-2000:]}"


def _run_alone(python: str, folder: Path, *arguments: str) -> tuple[dict[str, Any], float]:
    """Return what the script logs under MLflow alone: with SQLite, or files where SQLAlchemy is not installed."""
    folder.mkdir()
    result = folder / "result.json"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "AZML_"))}
    check = [python, "-c", "import mlflow.store.tracking.sqlalchemy_store"]
    has_sql = subprocess.run(check, check=False, capture_output=True).returncode == 0
    environment = {
        **kept,
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/runs.db" if has_sql else (folder / "runs").as_uri(),
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    _call([python, _HERE / "script.py", "--result", result, *arguments], folder, environment)
    _call([python, _HERE / "describe.py", result], folder, environment)
    return _results(result)


def _run_locally(python: str, folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]], float]:
    """Return what the script logs as a step, by MLflow's client and by the record."""
    folder.mkdir()
    result = folder.parent / "local.json"
    for name in _SCRIPTS:
        shutil.copy(_HERE / name, folder)
    (folder / "pipeline.yaml").write_text(_PIPELINE.replace("RESULT", json.dumps(str(result))))
    (folder / "tasks.py").write_text("from azml_tasks.tasks import namespace\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "AZML_"))}
    _call([python, "-m", "invoke", "run"], folder, {**kept, "PYTHONPATH": str(ROOT)})
    left = {path.name for path in folder.iterdir()} - {*_SCRIPTS, "tasks.py", "pipeline.yaml", ".azml"}
    assert left <= {"__pycache__"}, f"left in the project: {left}"
    described, milliseconds = _results(result)
    return described, described_record(folder, _STEP), milliseconds


def _call(command: list[Any], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command}\n{done.stdout}\n{done.stderr}")


def _results(result: Path) -> tuple[dict[str, Any], float]:
    described = json.loads(result.with_suffix(".described.json").read_text(encoding="utf-8"))
    return described, json.loads(result.read_text(encoding="utf-8"))["milliseconds"]


def _as_recorded(run: dict[str, Any]) -> dict[str, Any]:
    """Return a run as the record has it: its models among its files."""
    models = {f"{name}/{file}": text for name, model in run["models"].items() for file, text in model["files"].items()}
    kept = {key: run[key] for key in ("params", "metrics", "tags")}
    return {**kept, "artifacts": {**run["artifacts"], **models}}


def _differences(where: str, one: Any, other: Any) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from _differences(f"{where}, {key}", one.get(key), other.get(key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other) and where.count(",") < 2:
        for number, pair in enumerate(zip(one, other, strict=True)):
            yield from _differences(f"{where}, {number}", *pair)
    elif one != other:
        yield f"  {where}: {str(one)[:200]} alone, {str(other)[:200]} as a step"


if __name__ == "__main__":
    sys.exit(main())

"""How what accompanies a step begins in each of its Python processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import azml_tasks

STANDIN = Path(azml_tasks.__file__).parent / "standin"


def run_python(code: str, path: list[Path], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new interpreter with these folders as PYTHONPATH."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), **environment}
    return subprocess.run([sys.executable, "-c", code], check=False, env=variables, capture_output=True, text=True)


def test_a_users_sitecustomize_runs_as_though_ours_were_not_there(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.seen = __name__, __file__\n")

    done = run_python("import sitecustomize; print(seen, sitecustomize.__file__)", [STANDIN, tmp_path])

    file = str(tmp_path / "sitecustomize.py")
    assert (done.stdout.strip(), done.stderr) == (f"{('sitecustomize', file)} {file}", "")


def test_without_another_sitecustomize_there_is_none():
    code = "import sys; print('sitecustomize' in sys.modules)\nimport sitecustomize"

    done = run_python(code, [STANDIN])

    assert done.stdout.strip() in ("False", "True")  # A distribution of Python may have its own.
    assert done.stdout.strip() == "True" or "No module named 'sitecustomize'" in done.stderr


def test_an_error_of_a_users_sitecustomize_is_reported_as_python_reports_it(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("1 / 0\n")

    ours, plain = (run_python("print('ran')", path) for path in ([STANDIN, tmp_path], [tmp_path]))

    assert (ours.stdout, ours.stderr) == (plain.stdout, plain.stderr)


def test_what_goes_wrong_at_the_beginning_does_not_reach_the_step(tmp_path):
    (tmp_path / "azml_local").mkdir()
    (tmp_path / "azml_local" / "__init__.py").write_text("1 / 0\n")

    done = run_python("print('ran')", [tmp_path, STANDIN], AZML_RUN_CONTEXT="/nowhere/context.json")

    assert (done.stdout, done.stderr) == ("ran\n", "")

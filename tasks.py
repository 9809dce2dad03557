"""Tasks for developing azml-tasks; CI runs `check` and `test`.

The tasks.py of generated projects is template/tasks.py.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from invoke import Context, Exit, task

HERE = Path(__file__).parent
DEMO = HERE / "build" / "demo" / "iris"
# Versions for which Microsoft publishes SDK v1; on others, its tests are skipped.
WITH_SDK = ("3.10", "3.11")
SUPPORTED = ("3.10", "3.11", "3.12", "3.13")
# The many processes of the tests start in a fraction of the time if not each of them compiles the package.
WITH_BYTE_CODE = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _python(*command: str | Path, cwd: Path = HERE) -> None:
    """Run a Python command with this interpreter; exits with its status if it fails."""
    _run(sys.executable, *command, cwd=cwd)


def _run(*command: str | Path, cwd: Path = HERE) -> None:
    status = subprocess.run([str(word) for word in command], cwd=cwd, check=False, env=WITH_BYTE_CODE).returncode
    if status:
        raise Exit(code=status)


@task
def demo(context: Context) -> None:
    """Create a project with a small model of the iris data set, and run it."""
    shutil.rmtree(DEMO, ignore_errors=True)
    answers = ["-d", "project_name=iris", "-d", "datasets=iris", "-d", "ci=none"]
    print("copier copy", shlex.quote(str(HERE)), DEMO.relative_to(HERE), flush=True)
    _python("-m", "copier", "copy", "--quiet", "--defaults", "--vcs-ref=HEAD", *answers, HERE, DEMO)
    example = HERE / "docs" / "examples" / "iris"
    print("cp -r docs/examples/iris/. build/demo/iris   # pipeline.yaml, steps/ and data/ of the example", flush=True)
    shutil.rmtree(DEMO / "data")
    shutil.copytree(example, DEMO, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".azml", "__pycache__"))
    print("cd build/demo/iris && invoke run", flush=True)
    _python("-m", "invoke", "run", cwd=DEMO)
    _python("-m", "invoke", "runs.logs", "--step", "evaluate", cwd=DEMO)


@task
def check(context: Context) -> None:
    """Check the code: lint, format and types."""
    _python("-m", "ruff", "check", ".")
    _python("-m", "ruff", "format", "--check", ".")
    _python("-m", "mypy")


@task(
    help={
        "python": "Use only this version, such as 3.12; default: every supported version that is installed.",
        "slow": "Add the slow tests: kills at random moments, fuzzing, full disks.",
    }
)
def test(context: Context, python: str = "", slow: bool = False) -> None:
    """Run the tests on every supported Python that is installed.

    The current Python is used directly, the others in virtual environments.
    Of the tests that cover many cases of the same code, one of every six
    is run, and on one version only. Those that start local runs or need
    the SDK are also run on the oldest and the newest. On versions other
    than that one, one test of every four is run. With --slow or --python,
    all of them are.
    """
    found = {version: path for version in SUPPORTED if (path := _interpreter(version))}
    if python:
        found = {version: path for version, path in found.items() if version == python}
        if not found:
            raise Exit(f"Python {python} is not installed, or not supported (supported: {', '.join(SUPPORTED)})")
    # The newest Python with the SDK can run all tests; on other versions, more cases of the same code find nothing new.
    thorough = WITH_SDK[-1] if WITH_SDK[-1] in found else list(found)[-1]
    # One more worker than processors, because many tests wait for a process or for the SDK; each collects all tests.
    workers = str(1 + (os.cpu_count() or 1))
    with ThreadPoolExecutor() as pool:
        interpreters = {version: pool.submit(_prepared, version, path) for version, path in found.items()}
        # The current Python first, while the environments of the others are created.
        for version in sorted(found, key=lambda version: found[version] != sys.executable):
            interpreter = interpreters[version].result()
            print(f"\n# Python {version}", flush=True)
            # Between the oldest and the newest Python, the local runs and the SDK show nothing that those do not.
            usual = "common" if version in (SUPPORTED[0], SUPPORTED[-1]) or python else "quick"
            level = "slow" if slow else "thorough" if version == thorough else usual
            every, thorough_every = ("1", "1") if slow or python else ("1", "6") if version == thorough else ("4", "4")
            options = ["--level", level, "--every", every, "--thorough-every", thorough_every]
            _run(interpreter, "-m", "pytest", "-q", "-n", workers, "--dist", "worksteal", *options)


@task
def audit(context: Context) -> None:
    """Check the installed packages for known vulnerabilities; needs the network."""
    _python("-m", "pip_audit", "--skip-editable", "--progress-spinner=off")


@task
def bench(context: Context) -> None:
    """Measure start-up, scaffolding and local runs, relative to alternatives."""
    _python("-m", "tests.bench")


def _prepared(version: str, interpreter: str) -> Path:
    """Return the interpreter of the tests, with the tests compiled once instead of by each of pytest's workers."""
    inside = _environment(version, interpreter)
    command = [inside, "-m", "pytest", "--collect-only", "--quiet"]
    subprocess.run(command, cwd=HERE, check=False, stdout=subprocess.DEVNULL, env=WITH_BYTE_CODE)
    return inside


def _environment(version: str, interpreter: str) -> Path:
    """Create or update the virtual environment of the tests, and return its interpreter.

    The current interpreter is used directly, unless its version is the one that is tested with the oldest releases.
    """
    is_oldest = version == SUPPORTED[0]
    if interpreter == sys.executable and not is_oldest:
        return Path(interpreter)
    folder = HERE / "build" / "venvs" / version
    inside = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not inside.exists():
        _run(interpreter, "-m", "venv", folder)
    constraint = ["-c", "tests/lowest.txt"] if is_oldest else []
    # uv needs a tenth of pip's time.
    _python("-m", "uv", "pip", "install", "--quiet", "--python", inside, "-e", ".[test]", *constraint)
    return inside


def _interpreter(version: str) -> str | None:
    """Return a Python of this minor version: this one, or one that is found as `register-env` finds it."""
    from azml_tasks.local.environments import find_python, running_version

    return sys.executable if version == running_version() else find_python(version)

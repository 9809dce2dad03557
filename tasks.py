"""The tasks of this repository: the demo, and exactly what CI runs.

A generated project's tasks.py is another one: template/tasks.py.
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
# Where Microsoft publishes the SDK; elsewhere the tests of the Azure side are skipped.
WITH_SDK = ("3.10", "3.11")
SUPPORTED = ("3.10", "3.11", "3.12", "3.13")


def _python(*command: str | Path, cwd: Path = HERE) -> None:
    """Run a Python command line with this interpreter, and end with its status when it fails."""
    _run(sys.executable, *command, cwd=cwd)


def _run(*command: str | Path, cwd: Path = HERE) -> None:
    status = subprocess.run([str(word) for word in command], cwd=cwd, check=False).returncode
    if status:
        raise Exit(code=status)


@task
def demo(context: Context) -> None:
    """Scaffold a project, fill in a small model of Fisher's irises, and run its pipeline on this machine."""
    shutil.rmtree(DEMO, ignore_errors=True)
    answers = ["-d", "project_name=iris", "-d", "datasets=iris", "-d", "ci=none"]
    print("copier copy", shlex.quote(str(HERE)), DEMO.relative_to(HERE), flush=True)
    _python("-m", "copier", "copy", "--quiet", "--defaults", "--vcs-ref=HEAD", *answers, HERE, DEMO)
    example = HERE / "docs" / "examples" / "iris"
    print(
        "cp -r docs/examples/iris/. build/demo/iris   # the user's own part: pipeline.yaml, steps/, data/", flush=True
    )
    shutil.rmtree(DEMO / "data")
    shutil.copytree(example, DEMO, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".azml", "__pycache__"))
    print("cd build/demo/iris && invoke run", flush=True)
    _python("-m", "invoke", "run", cwd=DEMO)
    _python("-m", "invoke", "runs.logs", "--step", "evaluate", cwd=DEMO)


@task
def check(context: Context) -> None:
    """Lint and type-check."""
    _python("-m", "ruff", "check", ".")
    _python("-m", "ruff", "format", "--check", ".")
    _python("-m", "mypy")


@task(
    help={
        "python": "Only this version, such as 3.12; by default every supported one that is found.",
        "slow": "Also what takes minutes: kills at random moments, fuzzing, full disks.",
    }
)
def test(context: Context, python: str = "", slow: bool = False) -> None:
    """Run the tests on every supported Python found on this machine.

    The Python in use is taken as it is, each other one in a virtual environment of its own. Tests that go over many
    cases of the same code run on one of them, unless --slow is given.
    """
    found = {version: path for version in SUPPORTED if (path := _interpreter(version))}
    if python:
        found = {version: path for version, path in found.items() if version == python}
        if not found:
            raise Exit(f"Python {python} is not on this machine, or not supported ({', '.join(SUPPORTED)} are)")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        interpreters = list(pool.map(_environment, found, found.values()))
    # The SDK's newest Python has all that there is to test; elsewhere many cases of the same code find nothing more.
    thorough = WITH_SDK[-1] if WITH_SDK[-1] in found else list(found)[-1]
    for version, interpreter in zip(found, interpreters, strict=True):
        print(f"\n# Python {version}", flush=True)
        # Many tests wait for a process or for the SDK, so there are more workers than processors.
        workers = str(2 * (os.cpu_count() or 1))
        options = ["--slow"] if slow else [] if version == thorough else ["-m", "not thorough"]
        _run(interpreter, "-m", "pytest", "-q", "-n", workers, *options)


@task
def audit(context: Context) -> None:
    """Look for known holes in what is installed; needs the network."""
    _python("-m", "pip_audit", "--skip-editable", "--progress-spinner=off")


@task
def bench(context: Context) -> None:
    """Measure start-up, scaffolding and local runs, as ratios against what a user would otherwise do."""
    _python("-m", "tests.bench")


def _environment(version: str, interpreter: str) -> Path:
    """Make the virtual environment of the tests, or bring it up to date, and return its interpreter.

    The interpreter in use has all of it already, unless it is the Python that is held to the oldest releases.
    """
    is_oldest = version == SUPPORTED[0]
    if interpreter == sys.executable and not is_oldest:
        return Path(interpreter)
    folder = HERE / "build" / "venvs" / version
    inside = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not inside.exists():
        _run(interpreter, "-m", "venv", folder)
    constraint = ["-c", "tests/lowest.txt"] if is_oldest else []
    install = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(*install, "-e", ".[test]", *constraint)
    return inside


def _interpreter(version: str) -> str | None:
    """Find a Python of this minor version: the one in use, one on PATH, or one of pyenv's."""
    candidates = [sys.executable, shutil.which(f"python{version}")]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates += map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True))
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in filter(None, candidates):
        answer = subprocess.run([candidate, "-c", ask], capture_output=True, text=True, check=False)
        if answer.stdout.strip() == version:
            return candidate
    return None

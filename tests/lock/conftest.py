from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lock.index import PackageIndex, served
from tests.tasks.conftest import Invoke, invoke

__all__ = ["invoke"]


@pytest.fixture
def index(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """An index of tiny packages, which is all that pip and uv are configured for."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with served(PackageIndex()) as found:
        monkeypatch.setenv("PIP_INDEX_URL", found.address)
        found.add("azureml-defaults", "1.61.0")
        found.add("tiny", "1.0", ["needed; python_version < '3.11'", "never; sys_platform == 'win32'"])
        found.add("tiny", "1.5")
        found.add("needed", "3.0")
        yield found


@pytest.fixture
def churn(invoke: Invoke, index: PackageIndex) -> Invoke:
    """A project whose environment needs `tiny`."""
    invoke.write("a.py", "")
    environment = 'e: {pip_packages: ["tiny<1.5"], python_version: "3.10"}'
    invoke.write("pipeline.yaml", pipeline(environment))
    return invoke


def pipeline(*environments: str) -> str:
    """Return a file with these environments, the first of them that of the step; they start on line 5."""
    lines = "".join(f"  {one}\n" for one in environments)
    name = environments[0].partition(":")[0]
    return f"backend: local\nenv_name: {name}\nsteps: {{a: {{script_name: a.py}}}}\nenvironments:\n{lines}"


def lock_of(project: Invoke, name: str = "e") -> list[str]:
    """Return the lines of a lock without its head."""
    return [line for line in text_of(project, name).splitlines() if not line.startswith("#")]


def text_of(project: Invoke, name: str = "e") -> str:
    return Path(project.folder, "locks", f"{name}.txt").read_text(encoding="utf-8")

"""One pipeline.yaml and its scripts on this machine, on Azure ML v1 and on v2: the same metrics and the same files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import copier
import pytest

from tests.azure.connections import forget_connections
from tests.azure.v2.conftest import impatient
from tests.service.names import GROUP, SUBSCRIPTION, WORKSPACE
from tests.tasks.conftest import Invoke
from tests.template.conftest import ROOT, checkout

__all__ = ["impatient"]

pytestmark = [pytest.mark.thorough, pytest.mark.sdk]

EXAMPLES = {"scaffold": 3, "iris": 3, "rides": 7}
VARIABLES = {
    "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
    "AZURE_RESOURCE_GROUP": GROUP,
    "AZUREML_WORKSPACE_NAME": WORKSPACE,
    "AZURE_STORAGE_ACCOUNT": "examplestore",
    "AZURE_STORAGE_KEY": "ZXhhbXBsZQ==",
}


def write_example(name: str, folder: Path, template: Path) -> None:
    """Write an example, with targets for v1 and v2."""
    if name != "scaffold":
        shutil.copytree(ROOT / "docs" / "examples" / name, folder, dirs_exist_ok=True)
        return
    copier.run_copy(str(checkout(template)), folder, defaults=True, quiet=True)
    file = folder / "pipeline.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "  prod-v2:\n    backend: azure-v2\n", encoding="utf-8")


def files_in(folder: Path) -> dict[str, bytes]:
    """Return the files that the steps uploaded or left in outputs/, by their paths in a download."""
    found = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    return {path: content for path, content in found.items() if "/outputs/" in path}


def metrics_in(shown: str) -> Iterator[str]:
    """Yield the lines of `runs.show` about metrics and tags, below the names of their steps."""
    for line in shown.splitlines():
        if re.match(r"\w+$|  (tag )?\w+ = |  \w+: table", line):
            yield line


@pytest.fixture(params=["prod", "prod-v2"])
def target(request: pytest.FixtureRequest) -> str:
    """Return a target whose service really runs scripts."""
    service = request.getfixturevalue("azure" if request.param == "prod" else "azure_v2")
    service.on_submit = "execute"
    for container in ("raw", "iris", "rides"):
        service.put_blob("examplestore", container, "else.txt", b"")
    forget_connections()
    return request.param


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_same_metrics_and_files_as_on_this_machine(
    target: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    write_example(name, invoke.folder, tmp_path_factory.mktemp("template"))
    scripts = {file: file.read_bytes() for file in (invoke.folder / "steps").glob("*.py")}
    for variable, value in VARIABLES.items():
        monkeypatch.setenv(variable, value)
    registered = invoke("register", "--target", target, "--upload")
    assert registered.status == 0, registered

    runs = [invoke("run"), invoke("run", "--target", target)]
    shown = [invoke("runs.show"), invoke("runs.show", "--target", target)]
    downloaded = [
        invoke("runs.download", "--to", "here"),
        invoke("runs.download", "--to", "there", "--target", target),
    ]

    assert [answer.status for answer in (*runs, *shown, *downloaded)] == [0] * 6, (runs, downloaded)
    here, there = (list(metrics_in(answer.out)) for answer in shown)
    assert there == here
    assert len([line for line in here if not line.startswith(" ")]) == EXAMPLES[name]
    files = files_in(invoke.folder / "here")
    assert files_in(invoke.folder / "there") == files
    assert files
    assert {file: file.read_bytes() for file in scripts} == scripts

"""The files of runs on Azure, downloaded through the real SDK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.azure.connections import forget_connections
from tests.azure.projects import line_of_steps, write_project

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.v1.backend import AzureV1Runs, Connection
from azml_tasks.azure.v1.submit import run
from azml_tasks.errors import ServiceError, UsageError
from azml_tasks.runs.results.download import Download, StoredFile
from tests.azure.workspace import FILE, stocked
from tests.service import artifacts
from tests.service.storage import Blob

WRITING = """
    import argparse, os, pathlib
    parser = argparse.ArgumentParser()
    for name in ("--config", "--input-folder", "--output-folder"):
        parser.add_argument(name)
    args = parser.parse_args()
    from azureml.core import Run
    run = Run.get_context()
    os.makedirs("outputs", exist_ok=True)
    pathlib.Path("outputs/model.bin").write_bytes(bytes(range(256)))
    pathlib.Path("notes.txt").write_text("notes")
    run.upload_file("reports/notes.txt", "notes.txt")
    pathlib.Path(args.output_folder, "deep").mkdir()
    pathlib.Path(args.output_folder, "deep", "rows.txt").write_text("5")
    print("written")
"""


@pytest.fixture
def runs(azure: Any, tmp_path: Path) -> AzureV1Runs:
    ws = stocked(azure)
    azure.on_submit = "execute"
    (tmp_path / "project").mkdir()
    project = write_project(tmp_path / "project", line_of_steps(2, FILE), {"steps/s1.py": WRITING})
    run(project, ws, wait=False)
    azure.settle()
    forget_connections()
    return AzureV1Runs(Connection(project))


def downloaded(runs: AzureV1Runs, folder: Path, step: str | None = None) -> tuple[Download, list[str]]:
    done, said = Download(folder), []
    for file in runs.files(runs.find(), step, said.append):
        done.put(file)
    return done, said


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


FILES = {
    "s1/outputs/model.bin": bytes(range(256)),
    "s1/reports/notes.txt": b"notes",
    "s1/s1_output_folder/deep/rows.txt": b"5",
    "s1/user_logs/std_log.txt": b"written\n",
    "s2/user_logs/std_log.txt": b"s2.py\n",
}


def test_uploaded_files_output_folders_and_logs_are_downloaded_once(azure, runs, tmp_path):
    assert downloaded(runs, tmp_path / "to")[1] == []
    assert files_in(tmp_path / "to") == FILES

    again, _ = downloaded(runs, tmp_path / "to")

    assert (again.same, again.written, again.kept) == (len(FILES), {}, [])


def test_the_files_of_a_step_have_the_same_names_whatever_was_reused(azure, runs, tmp_path):
    project = runs._connection.project
    run(project, runs._connection.workspace, wait=False)
    azure.settle()
    assert [step.status for step in runs.find().steps] == ["reused", "reused"]

    done, said = downloaded(runs, tmp_path / "to", "s1")

    assert (files_in(tmp_path / "to"), said) == ({name: FILES[name] for name in FILES if name < "s2"}, [])
    assert done.written["s1"].size == sum(len(FILES[name]) for name in FILES if name < "s2")
    with pytest.raises(UsageError, match=r"has no step 's3': started steps: s1 and s2"):
        runs.files(runs.find(), "s3", said.append)


def test_names_that_lead_out_of_the_folder_are_refused(azure, runs, tmp_path):
    step = runs.find().steps[0].run_id
    workspace = next(iter(azure.state.workspaces.values()))
    artifacts.put(azure.state, workspace, f"dcid.{step}", "../../../out.txt", b"bad")
    artifacts.put(azure.state, workspace, f"dcid.{step}", "outputs/..\\..\\..\\out.txt", b"bad")
    for containers in azure.state.storage.accounts.values():
        for blobs in containers.values():
            for path in [path for path in blobs if path.endswith("rows.txt")]:
                blobs[path.replace("deep/rows.txt", "../../../out.txt")] = blobs[path]
                # Of a folder that was made in the portal or by another program.
                blobs[path.removesuffix("/rows.txt")] = Blob(b"")

    done, _ = downloaded(runs, tmp_path / "to", "s1")

    assert len(done.refused) == 3
    assert list(tmp_path.rglob("out.txt")) == []
    assert files_in(tmp_path / "to") == {name: FILES[name] for name in FILES if name < "s2"}


def test_a_file_that_cannot_be_downloaded_does_not_stop_the_others(azure, runs, tmp_path):
    azure.fail("GET", "blob.core.windows.net/.*rows.txt$", status=404, times=99)

    done, _ = downloaded(runs, tmp_path / "to")

    gone = ["s1/s1_output_folder/deep/rows.txt"]
    assert files_in(tmp_path / "to") == {name: FILES[name] for name in FILES if name not in gone}
    assert list(done.failed) == gone
    assert [text.partition(" failed: ")[0] for text in done.failed.values()] == [f"downloading {name}" for name in gone]


@pytest.mark.parametrize("status", [None, 401, 503])
def test_other_failures_end_a_download(tmp_path, status):
    def save(target):
        raise ServiceError("Azure does not respond", status)

    with pytest.raises(ServiceError, match="does not respond"):
        Download(tmp_path).put(StoredFile("s1", "a.txt", save))


def test_a_datastore_without_a_secret_is_read_with_the_login(azure, tmp_path):
    from azureml.core import Datastore

    ws = stocked(azure)
    Datastore.register_azure_blob_container(ws, "mine", "raw", "minestore")
    azure.state.storage.add_container("minestore", "raw")
    azure.on_submit = "execute"
    output = "    output_folders: {--output-folder: {destination: {datastore_name: mine, path: out}}}\n"
    first = "  s1: {script_name: s1.py, script_directory: steps, step_config: {n: 1}}\n"
    own = f"  s1:\n    script_name: s1.py\n    script_directory: steps\n{output}"
    project = write_project(tmp_path, line_of_steps(2, FILE).replace(first, own), {"steps/s1.py": WRITING})
    run(project, ws, wait=False)
    azure.settle()
    forget_connections()
    azure.requests.clear()

    _, said = downloaded(AzureV1Runs(Connection(project)), tmp_path / "to", "s1")

    assert (files_in(tmp_path / "to")["s1/s1_output_folder/deep/rows.txt"], said) == (b"5", [])
    asked = [record for record in azure.requests if record.host.startswith("minestore.")]
    assert {record.request.headers.get("authorization", "")[:7] for record in asked} == {"Bearer "}

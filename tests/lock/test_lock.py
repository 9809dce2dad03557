"""`invoke lock`: the versions of an environment's packages, resolved for its Python and the image's Linux."""

from __future__ import annotations

import platform
import socket
import sys

import pytest

from azml_tasks.lock import resolve
from azml_tasks.lock.lockfile import read_lock
from tests.lock.conftest import lock_of, pipeline, text_of
from tests.lock.index import PackageIndex
from tests.tasks.conftest import Answer, Invoke

needs_uv = pytest.mark.skipif(resolve.find_uv() is None, reason="uv is not installed")
FOR = "Python 3.10 on Linux x86-64, glibc 2.35"


@needs_uv
def test_a_lock_is_for_the_python_of_the_environment_whatever_runs_this(churn: Invoke):
    assert churn("lock") == Answer(f"lock e: created (3 packages for {FOR})\n", "", 0)

    head, _, packages = text_of(churn).partition("\n# from: ")
    assert head == (
        "# Written by `invoke lock`. Commit this file; `register-env` and Azure ML install these versions.\n"
        f"# for: {FOR}"
    )
    # `needed` is needed on Python below 3.11 alone.
    assert packages.splitlines()[1:] == ["azureml-defaults==1.61.0", "needed==3.0", "tiny==1.0"]


@needs_uv
def test_a_lock_for_v2_has_nothing_of_v1_and_is_for_this_machine_too(churn: Invoke):
    workspace = (
        "{backend: azure-v2, ws_name: churn, resource_group: churn-rg, compute_name: cpu, "
        "subscription_id: 6f0cdd21-1111-4222-8333-944445555666}"
    )
    environment = 'e: {pip_packages: [tiny], python_version: "3.13"}'
    churn.write("pipeline.yaml", pipeline(environment) + f"targets: {{v2: {workspace}}}\n")

    done = churn("lock", "--target", "v2")

    assert done.err == ""
    assert done.out == "lock e: created (1 package for Python 3.13 on Linux x86-64, glibc 2.35)\n"
    assert lock_of(churn) == ["tiny==1.5"]
    assert churn("lock", "--target", "v2", "--check").status == 0
    for target in ((), ("--target", "v2")):
        assert "the lock is not used" not in churn("validate", *target).out
    churn.write(
        "pipeline.yaml", pipeline(environment.replace("tiny", "tiny, needed")) + f"targets: {{v2: {workspace}}}\n"
    )
    assert "so the lock is not used; run `invoke lock --target v2`" in churn("validate", "--target", "v2").out


@needs_uv
def test_locked_versions_stay_until_they_do_not_fit_or_are_upgraded(churn: Invoke, index: PackageIndex):
    churn("lock")
    index.add("needed", "4.0")

    assert churn("lock") == Answer(f"lock e: unchanged (3 packages for {FOR})\n", "", 0)
    assert churn("lock", "--check").status == 0
    upgraded = f"updated (3 packages for {FOR}; needed 3.0 -> 4.0)\n"
    assert churn("lock", "--upgrade", "--check") == Answer(
        f"lock e: would be {upgraded}", "run `invoke lock` and commit the changes\n", 1
    )
    assert churn("--dry", "lock", "--upgrade") == Answer(f"lock e: would be {upgraded}", "", 0)
    assert "needed==3.0" in lock_of(churn)
    assert churn("lock", "--upgrade") == Answer(f"lock e: {upgraded}", "", 0)
    assert "needed==4.0" in lock_of(churn)
    # A version that is locked and does not fit any more.
    churn.write("pipeline.yaml", pipeline('e: {pip_packages: [tiny>=1.5], python_version: "3.10"}'))
    assert churn("lock").out == (f"lock e: updated (2 packages for {FOR}; tiny 1.0 -> 1.5, removed needed)\n")


@needs_uv
def test_check_of_a_file_that_changed_since_and_validate_s_note(churn: Invoke):
    churn("lock")
    churn.write("pipeline.yaml", pipeline('e: {pip_packages: ["tiny<1.4"], python_version: "3.10"}'))

    note = "environment 'e' changed since locks/e.txt was written, so the lock is not used; run `invoke lock`"
    assert churn("validate").out.splitlines()[0] == f"pipeline.yaml:5: note: {note}"
    assert churn("lock", "--check") == Answer(
        f"lock e: would be updated (3 packages for {FOR}; same versions)\n",
        "run `invoke lock` and commit the changes\n",
        1,
    )
    churn("lock")
    assert "note" not in churn("validate").out


@needs_uv
def test_what_cannot_be_installed_is_said_at_its_line_and_the_others_are_locked(churn: Invoke):
    bad = "bad:\n    pip_packages:\n      - tiny\n      - needed>=9"
    churn.write("pipeline.yaml", pipeline(bad, "good: {pip_packages: [tiny]}"))

    answer = churn("lock")

    assert answer.out == f"lock good: created (2 packages for {FOR})\n"
    assert answer.status == 2
    start = f"pipeline.yaml:8: environment 'bad': its packages cannot be installed for {FOR}: Because only needed"
    assert answer.err.startswith(start)
    assert "needed>=9" in answer.err
    assert answer.err.count("\n") == 1
    assert not (churn.folder / "locks/bad.txt").exists()


@needs_uv
@pytest.mark.parametrize(
    ("image", "glibc", "status"), [("ubuntu22.04", "2.35", 2), ("ubuntu24.04", "2.39", 0), ("other", "2.28", 2)]
)
def test_wheels_must_fit_the_glibc_of_the_image(
    churn: Invoke, index: PackageIndex, image: str, glibc: str, status: int
):
    index.add("native", "1.0", tag="cp310-cp310-manylinux_2_39_x86_64")
    base = f"mcr.microsoft.com/azureml/openmpi5.0-{image}"
    churn.write("pipeline.yaml", pipeline(f'e: {{pip_packages: [native], base_image: "{base}"}}'))

    answer = churn("lock")

    assert answer.status == status
    assert f"Python 3.10 on Linux x86-64, glibc {glibc}" in answer.out + answer.err


@needs_uv
def test_a_source_distribution_that_cannot_be_built_here_is_named_and_not_an_error(churn: Invoke, index: PackageIndex):
    index.add_source_that_does_not_build("from-source", "1.0")
    churn.write("pipeline.yaml", pipeline("e: {pip_packages: [from-source]}"))

    assert churn("lock") == Answer(
        f"lock e: not resolved: from-source==1.0 has no wheel for {FOR} and could not be built here; the image may be "
        "able to build it\n",
        "",
        0,
    )


@needs_uv
def test_what_is_not_resolved(churn: Invoke):
    churn.write("conda.yml", "dependencies: [python=3.11, libgdal, pip, {pip: [tiny]}]\n")
    churn.write("Dockerfile", "FROM python:3.11\n")
    churn.write(
        "pipeline.yaml",
        pipeline(
            "c: {conda_file: conda.yml}",
            "docker: {dockerfile: Dockerfile}",
            "image: {base_image: python}",
            "path: {pip_packages: [./own]}",
        ),
    )

    assert churn("lock").out == (
        "lock c: created (2 packages for Python 3.11 on Linux x86-64, glibc 2.35)\n"
        "note: lock c: its conda package is not resolved: libgdal\n"
        "lock docker: not resolved: its steps run in the Python of its Dockerfile\n"
        "lock image: not resolved: its steps run in the Python of its image\n"
        "lock path: not resolved: './own' is a path on this machine\n"
    )
    assert sorted(path.name for path in (churn.folder / "locks").iterdir()) == ["c.txt"]


@needs_uv
def test_an_index_with_a_login_is_used_and_stored_nowhere(churn: Invoke, index: PackageIndex, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", index.address.replace("127.0.0.1", "me:s3cret-of-mine@127.0.0.1"))

    answer = churn("lock")
    churn.write("pipeline.yaml", pipeline("e: {pip_packages: [no-such-package]}"))
    failing = churn("lock")

    assert (answer.status, failing.status) == (0, 2)
    everything = answer.out + answer.err + failing.out + failing.err + text_of(churn)
    assert "s3cret" not in everything
    assert "127.0.0.1" not in text_of(churn)


@needs_uv
def test_an_index_that_does_not_answer(churn: Invoke, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple/")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")

    answer = churn("lock")

    assert answer.status == 2
    assert answer.err.startswith("pipeline.yaml:5: environment 'e': the package index did not answer: ")


def test_without_uv_another_python_is_not_resolved(churn: Invoke, monkeypatch):
    monkeypatch.setattr(resolve, "find_uv", lambda: None)
    other = "3.12" if sys.version_info[:2] != (3, 12) else "3.13"
    churn.write("pipeline.yaml", pipeline(f'e: {{pip_packages: [tiny], python_version: "{other}"}}'))

    assert churn("lock") == Answer(
        "",
        f"pipeline.yaml:5: environment 'e': not resolved for Python {other} on Linux x86-64, glibc 2.35: install uv, "
        "for example with `pip install uv`\n",
        2,
    )


@pytest.mark.processes
@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or platform.libc_ver() > ("glibc", "2.39"),
    reason="pip resolves for this machine alone",
)
def test_without_uv_pip_resolves_for_this_very_python(churn: Invoke, index: PackageIndex, monkeypatch):
    monkeypatch.setattr(resolve, "find_uv", lambda: None)
    here = ".".join(platform.python_version_tuple()[:2])
    image = "mcr.microsoft.com/azureml/openmpi5.0-ubuntu24.04"
    text = pipeline(f'e: {{pip_packages: ["tiny<1.5"], python_version: "{here}", base_image: "{image}"}}')
    churn.write("pipeline.yaml", text)

    assert churn("lock").status == 0
    needed = ["needed==3.0"] if sys.version_info < (3, 11) else []
    assert lock_of(churn) == ["azureml-defaults==1.61.0", *needed, "tiny==1.0"]
    index.add("azureml-defaults", "1.62.0")
    assert "unchanged" in churn("lock").out
    churn.write("pipeline.yaml", text.replace("tiny<1.5", "tiny>=9"))
    answer = churn("lock")
    assert (answer.status, "No matching distribution found for tiny>=9" in answer.err) == (2, True)


def test_no_environments(invoke: Invoke):
    invoke.write("a.py", "")
    invoke.write("pipeline.yaml", "steps: {a: {script_name: a.py}}\n")

    assert invoke("lock") == Answer("no environments in pipeline.yaml\n", "", 0)


@needs_uv
def test_a_lock_is_not_written_through_a_link(churn: Invoke, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (churn.folder / "locks").symlink_to(outside)

    answer = churn("lock")

    assert (answer.err, answer.status) == ("locks/e.txt is outside the project (through a link)\n", 2)
    assert list(outside.iterdir()) == []


def test_a_lock_that_is_no_lock_is_not_used(invoke: Invoke):
    invoke.write("locks/e.txt", "pandas==2.2\n")

    assert read_lock(invoke.folder, "e").digest == ""
    (invoke.folder / "locks/e.txt").write_bytes(b"\xff")
    assert read_lock(invoke.folder, "e") is None

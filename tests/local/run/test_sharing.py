"""Equal outputs of a step share their content where the file system can, and are otherwise left alone."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from azml_tasks.local.run import outputs
from azml_tasks.standin.azml_local.formats import copies
from azml_tasks.standin.azml_local.formats.copies import share_content
from tests.local.conftest import BEGINNING, Project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no such call elsewhere")

_SIZE = 40 << 20
# Writes the same whatever --config says, in a file that may not be written to afterwards, and one that is too small.
_WRITE = (
    BEGINNING
    + f"""\
(args.output_folder / "deep").mkdir()
big = args.output_folder / "deep" / "big.bin"
big.write_bytes(bytes(range(256)) * ({_SIZE} // 256) + b"end")
big.chmod(0o444)
(args.output_folder / "small.bin").write_bytes(b"s" * 60_000)
"""
)
_PIPELINE = "steps:\n  one: {script_name: one.py, step_config: {seed: SEED}}\n  two: {script_name: two.py}\n"


@pytest.fixture(params=["btrfs", "xfs"])
def disk(request, tmp_path: Path) -> Iterator[Path]:
    """Return an empty folder on a file system whose files can share content."""
    make = shutil.which(f"mkfs.{request.param}")
    if make is None or os.geteuid() != 0:
        pytest.skip(f"needs mkfs.{request.param} and the right to mount")
    image, folder = tmp_path / "image", tmp_path / "disk"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(600 << 20)
    subprocess.run([make, "-q", image], check=True, capture_output=True)
    if subprocess.run(["mount", "-o", "loop", image, folder], check=False, capture_output=True).returncode:
        pytest.skip("loop devices cannot be mounted")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def extents(path: Path) -> list[tuple[int, int]]:
    """Return where the file system has the content of a file: offsets and lengths."""
    import fcntl

    count = 200
    asked = bytearray(struct.pack("=QQIIII", 0, 1 << 62, 1, 0, count, 0) + bytes(56 * count))
    with path.open("rb") as file:
        fcntl.ioctl(file.fileno(), 0xC020660B, asked)
    found = struct.unpack_from("=I", asked, 20)[0]
    return [struct.unpack_from("=QQ", asked, 32 + 56 * number + 8) for number in range(found)]


def output(run, name: str = "deep/big.bin") -> Path:
    (folder,) = (run["one"].places.root / "outputs").iterdir()
    return folder / name


def project_on(folder: Path) -> Project:
    project = Project(folder / "project")
    project.folder.mkdir()
    return project.pipeline(_PIPELINE.replace("SEED", "1"), one=_WRITE, two=BEGINNING)


def looks(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mode, status.st_nlink, status.st_mtime_ns, status.st_ctime_ns


def test_equal_outputs_of_forced_and_of_changed_runs_share_their_content(disk):
    project = project_on(disk)
    runs = [project.run()]
    before = looks(output(runs[0]))
    runs.append(project.run(force=True))
    project.pipeline(_PIPELINE.replace("SEED", "2"), one=_WRITE, two=BEGINNING)
    runs.append(project.run())

    places = [extents(output(run)) for run in runs]
    assert places[0] == places[1] == places[2] != []
    assert len({output(run).stat().st_ino for run in runs}) == 3
    assert {output(run).stat().st_nlink for run in runs} == {1}
    assert looks(output(runs[0])) == before
    assert len({tuple(extents(output(run, "small.bin"))) for run in runs}) == 3
    assert project.run()["one"].reason == f"reused from {runs[2].id}"


def test_sharing_keeps_time_stamps_and_an_edit_of_one_file_does_not_reach_the_other(disk):
    one, other = disk / "one", disk / "other"
    for path in (one, other):
        path.write_bytes(b"x" * _SIZE)
        os.utime(path, ns=(10**18, 10**18))
    before = looks(other)

    assert share_content(str(one), str(other))

    assert extents(one) == extents(other)
    assert looks(other) == before
    with one.open("r+b") as file:
        file.write(b"edited")
    assert other.read_bytes() == b"x" * _SIZE


def test_an_earlier_output_that_was_edited_in_between_is_not_shared(disk):
    one, other = disk / "one", disk / "other"
    one.write_bytes(b"x" * _SIZE)
    other.write_bytes(b"x" * (_SIZE - 1) + b"y")
    (disk / "shorter").write_bytes(b"x" * 100_000)

    assert share_content(str(one), str(other))
    assert share_content(str(disk / "shorter"), str(other))

    assert other.read_bytes() == b"x" * (_SIZE - 1) + b"y"
    assert (disk / "shorter").read_bytes() == b"x" * 100_000


def test_what_a_link_leads_to_is_left_alone(disk):
    project = project_on(disk)
    project.write({"mine.bin": b"m" * 100_000})
    script = BEGINNING + f"os.symlink({str(project.folder / 'mine.bin')!r}, args.output_folder / 'big.bin')\n"
    project.pipeline(_PIPELINE.replace("SEED", "1"), one=script, two=BEGINNING)
    before = extents(project.folder / "mine.bin")

    runs = [project.run(), project.run(force=True)]

    assert [run["one"].status for run in runs] == ["completed", "completed"]
    assert extents(project.folder / "mine.bin") == before


def test_elsewhere_outputs_are_left_alone_and_the_file_system_is_tried_once_a_run(project, monkeypatch):
    asked = []

    def refuse(source, target, advance):
        asked.append(target)
        return False

    monkeypatch.setattr(outputs, "share_content", refuse)
    two_files = _WRITE + "(args.output_folder / 'more.bin').write_bytes(b'm' * 70_000)\n"
    project.pipeline(_PIPELINE.replace("SEED", "1"), one=two_files, two=BEGINNING)
    runs = [project.run()]
    before = looks(output(runs[0]))
    assert asked == []
    runs.append(project.run(force=True))

    assert len(asked) == 1
    assert looks(output(runs[0])) == before
    assert output(runs[0]).read_bytes() == output(runs[1]).read_bytes()
    assert project.run()["one"].reason == f"reused from {runs[1].id}"


def test_a_refusal_by_the_real_file_system_is_no_error(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        path.write_bytes(b"x" * 100_000)
    before = looks(one), looks(other)

    assert share_content(str(one), str(other)) in (True, False)

    assert (looks(one), looks(other)) == before
    assert one.read_bytes() == other.read_bytes() == b"x" * 100_000


def test_the_next_step_does_not_wait_for_the_sharing_and_ctrl_c_ends_it(project, monkeypatch):
    started, ended = threading.Event(), []

    def take_long(source, target, advance):
        started.set()
        try:
            while True:
                advance(1)
        except copies.StoppedError:
            ended.append("stopped")
            raise

    monkeypatch.setattr(outputs, "share_content", take_long)
    two = BEGINNING + "import time; time.sleep(0.2); os.kill(os.getppid(), 0)\n"
    project.pipeline(_PIPELINE.replace("SEED", "1"), one=_WRITE, two=two)
    project.run()

    def press(event):
        project.events.append(event)
        if type(event).__name__ == "StepFinished" and event.step.key == "two":
            os.kill(os.getpid(), 2)

    run = project.run(force=True, on_event=press)

    assert started.is_set()
    assert ended == ["stopped"]
    assert run.status == "completed"

"""A disk that fills up in the middle of a run, on a small file system of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.conftest import PASS_ALONG
from tests.local.runners import RUNNER

PROGRAM = """
set -e
mount -t tmpfs -o size={size} tmpfs "$1"
cp -r "$2"/. "$1"
cd "$1"
set +e
"$3" -c "$4" 2> "$2/first.txt"
echo $? >> "$2/first.txt"
rm -f .azml/runs/*/steps/*/outputs/*/ballast.bin ballast
"$3" -c "$4" 2> "$2/second.txt"
echo $? >> "$2/second.txt"
cat .azml/runs/*/steps/three/log.txt > "$2/three.txt" || true
"""


def can_mount(folder: Path) -> bool:
    if sys.platform != "linux" or not shutil.which("unshare"):
        return False
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.fixture
def on_a_small_disk(project, tmp_path):
    """Run the project twice on a disk of that size; the ballast is gone the second time."""
    if not can_mount(tmp_path):
        pytest.skip("this system does not let us mount a small file system")

    def run(size: str) -> tuple[str, str, str]:
        mount = tmp_path / "mount"
        mount.mkdir()
        arguments = [str(mount), str(project.folder), sys.executable, RUNNER]
        command = ["unshare", "-rm", "sh", "-c", PROGRAM.format(size=size), "sh", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        texts = (project.folder / f"{name}.txt" for name in ("first", "second", "three"))
        return tuple(path.read_text() if path.exists() else "" for path in texts)

    return run


def test_a_step_that_fills_the_disk_fails_and_the_next_run_is_right(project, on_a_small_disk, tmp_path):
    fills = f"""
if not os.path.exists({str(tmp_path / "filled")!r}):
    open({str(tmp_path / "filled")!r}, "w").close()
    with open(args.output_folder / "ballast.bin", "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
"""
    project.line(one=PASS_ALONG, two=PASS_ALONG + fills, three=PASS_ALONG)

    first, second, three = on_a_small_disk("1m")

    assert "No space left on device" in first
    assert first.splitlines()[-1] == "1"
    assert second == "0\n"
    assert three == "read: one two \n"


def test_a_disk_that_is_full_when_the_run_writes_its_records_ends_the_run_in_a_sentence(project, on_a_small_disk):
    # The first run finds some 100 kB, which the ballast leaves it; the second has all that the ballast took.
    project.write({"ballast": b"x" * 800_000, "big.bin": b"y" * 300_000})
    project.pipeline(
        """
        steps:
          one: {script_name: one.py, include: [big.bin]}
          two: {script_name: two.py}
          three: {script_name: three.py}
        """,
        one=PASS_ALONG,
        two=PASS_ALONG,
        three=PASS_ALONG,
    )

    first, second, three = on_a_small_disk("1600k")

    assert first.startswith("the run stopped: No space left on device: ")
    assert first.splitlines()[-1] == "1"
    assert second == "0\n"
    assert three.endswith("read: one two \n")

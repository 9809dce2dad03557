"""A disk that fills up in the middle of a run, on a small file system of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from azml_tasks.local.runs import find_run
from azml_tasks.runs.progress import Progress
from tests.local.conftest import PASS_ALONG, Project, linux
from tests.local.runners import INVOKE, TASKS

pytestmark = [linux, pytest.mark.thorough]

# Mounts a disk of that size at $1, copies the project $2 there, runs it by the command that follows, looks at the run,
# makes room, and runs it again. What is said goes into the folder $3.
PROGRAM = """
mount -t tmpfs -o size={size} tmpfs "$1" && cp -r "$2"/. "$1" && cd "$1" || exit 1
said="$3"
shift 3
say() {{ name="$1"; shift; "$@" > "$said/$name.out" 2> "$said/$name.err"; echo $? > "$said/$name.status"; }}
say first "$@" run
say list "$@" runs.list
say show "$@" runs.show
say logs "$@" runs.logs
rm -f .azml/runs/*/steps/*/outputs/*/ballast.bin ballast
say second "$@" run
say three "$@" runs.logs --step three
"""


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    out: str
    err: str
    status: int


def can_mount(folder: Path) -> bool:
    if not shutil.which("unshare"):
        return False
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.fixture
def on_a_small_disk(project, tmp_path) -> Callable[[str], dict[str, Said]]:
    """Run the project twice on a disk of that size; the ballast is gone the second time."""
    if not can_mount(tmp_path):
        pytest.skip("this system does not let us mount a small file system")

    def run(size: str) -> dict[str, Said]:
        project.write(TASKS)
        mount, texts = tmp_path / "mount", tmp_path / "said"
        for folder in (mount, texts):
            folder.mkdir(exist_ok=True)
        program = PROGRAM.format(size=size)
        subprocess.run(["unshare", "-rm", "sh", "-c", program, "sh", mount, project.folder, texts, *INVOKE], check=True)
        said = {}
        for name in ("first", "list", "show", "logs", "second", "three"):
            out, err, status = ((texts / f"{name}.{kind}").read_text() for kind in ("out", "err", "status"))
            said[name] = Said(out, err, int(status))
        return said

    return run


def is_in_order(said: dict[str, Said]) -> bool:
    """See that every command said what it had to, and the second run is right; say whether the first completed."""
    for name, answer in said.items():
        assert "Traceback" not in (line[:9] for line in answer.err.splitlines()), name
        assert answer.status in (0, 1), name
        assert bool(answer.err) == (answer.status == 1), name
    assert said["second"].status == 0, said["second"].err
    assert said["three"].out == "read: one two \n"
    return said["first"].status == 0


def test_a_step_that_fills_the_disk_fails_and_the_next_run_is_right(project, on_a_small_disk, tmp_path):
    fills = f"""
if not os.path.exists({str(tmp_path / "filled")!r}):
    open({str(tmp_path / "filled")!r}, "w").close()
    with open(args.output_folder / "ballast.bin", "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
"""
    project.line(one=PASS_ALONG, two=PASS_ALONG + fills, three=PASS_ALONG)

    said = on_a_small_disk("1m")

    assert not is_in_order(said)
    assert said["first"].err.startswith(("step 'two' failed: exit status 1\n", "the run stopped: No space left"))
    assert "two" in said["show"].out
    assert "read: one \n" in said["logs"].out


def test_a_disk_that_is_full_when_the_run_writes_its_records_ends_the_run_in_a_sentence(project, on_a_small_disk):
    # The first run finds some 100 kB, which the ballast leaves it; the second has all that the ballast took.
    project.write({"ballast": b"x" * 1_800_000, "big.bin": b"y" * 300_000})
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

    said = on_a_small_disk("2600k")

    assert not is_in_order(said)
    assert said["first"].err.startswith("the run stopped: No space left on device: ")


def test_a_disk_that_fills_up_at_any_moment(project, on_a_small_disk, slow):
    """From no room at all for a run to enough, in steps of the smallest file."""
    ballast = 4096 * 100
    project.write({"ballast": b"x" * ballast})
    project.line(one=PASS_ALONG, two=PASS_ALONG, three=PASS_ALONG)
    completed = []
    for pages in range(8, 50) if slow else (18, 27, 50):
        said = on_a_small_disk(str(ballast + 4096 * pages))
        print(pages, "pages:", said["first"].err)
        completed.append(is_in_order(said))
    assert (completed[0], completed[-1]) == (False, True)


def onto_a_full_disk(project: Project, *words: str) -> tuple[int, str]:
    with open("/dev/full", "w") as full:
        command = [*INVOKE, *words]
        done = subprocess.run(command, cwd=project.folder, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", [("run",), ("runs.list",), ("runs.logs",), ("runs.show",), ("graph",)])
def test_what_a_command_prints_onto_a_full_disk_is_lost_in_a_sentence(project, words):
    project.line(one=PASS_ALONG).write(TASKS).run()

    lost = "cannot write the output: No space left on device\n"
    assert onto_a_full_disk(project, *words) == (1, lost)


def test_a_disk_that_fills_up_below_what_a_run_prints_does_not_end_it(project):
    project.line(one=PASS_ALONG, two=PASS_ALONG)
    with pytest.raises(OSError, match="No space left on device"), open("/dev/full", "w") as full:
        project.run(on_event=Progress(full))  # The error is that of closing the file.

    assert find_run(project.folder).status == "completed"


def test_a_run_whose_hashes_cannot_be_kept_has_completed_all_the_same(project, monkeypatch):
    for name in ("_SETTLED", "SETTLED_HERE"):  # So that they are to be kept at once.
        monkeypatch.setattr(f"azml_tasks.local.store.files.{name}", -60.0)
    project.line(one=PASS_ALONG + f"os.mkdir({str(project.folder / '.azml/hashes.json')!r})")

    assert project.run().status == "completed"

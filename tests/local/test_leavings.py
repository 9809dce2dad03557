"""Whatever kinds of files a step leaves behind, its run goes on, reuses them, and clears them away."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from azml_tasks.local.prune import prune
from azml_tasks.local.runs import find_run
from tests.local.conftest import BEGINNING, linux
from tests.local.runners import RUNNER

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kinds of files of POSIX")

# The superuser writes everywhere, unless its powers are dropped.
DROPPED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
AS_ANYBODY = DROPPED if sys.platform == "linux" and os.geteuid() == 0 else []

# What may lie in an output folder, in `outputs/` and among the files of a run: `place` is the folder.
KINDS = {
    "a link to nowhere": "os.symlink('/nowhere', place / 'link')",
    "a link to itself": "os.symlink('link', place / 'link')",
    "a link to the folder": "os.symlink('.', place / 'link')",
    "a pipe": "os.mkfifo(place / 'pipe')",
    "a socket": "import socket; os.chdir(place); socket.socket(socket.AF_UNIX).bind('socket')",
    "a name that is not UTF-8": "open(os.path.join(os.fsencode(place), b'\\xff'), 'w').close()",
    "a name of two lines": "(place / 'a\\nb').touch()",
    "a folder in a folder, and so on": "os.chdir(place)\nfor _ in range(1200): os.mkdir('d'); os.chdir('d')",
    "a folder that nobody may change": "(place / 'd').mkdir(); (place / 'd/f').touch(); (place / 'd').chmod(0o500)",
    "a file that has holes": "(place / 'sparse').open('wb').truncate(10_000_000)",
    "many files": "[(place / str(number)).touch() for number in range(1000)]",
}


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_files_of_every_kind(project, kind):
    uploads = "pathlib.Path('x').touch(); run.upload_file('outputs/x', 'x'); run.upload_file('logs/x', 'x')\n"
    places = ("args.output_folder", "home / 'outputs'", "home / 'logs'")
    fills = [f"place = {place}\nplace.mkdir(exist_ok=True)\n{KINDS[kind]}\nos.chdir(home)\n" for place in places]
    script = BEGINNING + uploads + "home = pathlib.Path.cwd()\n" + "".join(fills)
    project.line(one=script, two="import os, sys\nprint(len(os.listdir(sys.argv[2])))")

    first, second = project.run(), project.run()

    assert project.statuses(first) == {"one": "completed", "two": "completed"}
    assert project.log(first, "two") == ("1000\n" if kind == "many files" else "1\n")
    assert project.statuses(second) == {"one": "reused", "two": "reused"}
    assert all((first["one"].places.artifacts / name / "x").is_file() for name in ("outputs", "logs"))
    assert prune(project.folder, keep=0).runs == [second.id]
    project.write({"one.py": "", "two.py": ""})
    project.run()
    assert prune(project.folder, keep=1).runs == [first.id]


def test_what_a_link_leads_to_stays_where_it_is(project, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "precious.txt").write_text("1")
    links = "".join(f"os.rmdir({name!r}); os.symlink({str(shared)!r}, {name!r})\n" for name in ("outputs", "logs"))
    uploads = "run.upload_file('outputs/x.txt', sys.argv[0])\n"
    project.line(one=BEGINNING + links + uploads + "pathlib.Path('outputs/model.bin').touch()\n")

    run = project.run()

    assert run.status == "completed"
    assert sorted(path.name for path in shared.iterdir()) == ["model.bin", "precious.txt"]
    assert (run["one"].places.artifacts / "outputs/x.txt").is_file()


@pytest.mark.thorough
@linux
@pytest.mark.parametrize("locks", ["outputs.chmod(0o555)", "outputs.parent.chmod(0o555)", "(outputs / 'd').chmod(0)"])
def test_what_a_step_has_locked_is_collected_all_the_same(project, locks):
    uploads = "run.upload_file('outputs/y', sys.argv[0])\n"
    makes = "outputs = pathlib.Path.cwd() / 'outputs'\n(outputs / 'd').mkdir(parents=True)\n(outputs / 'x').touch()\n"
    project.line(one=BEGINNING + uploads + makes + locks, two="")

    done = subprocess.run(
        [*AS_ANYBODY, sys.executable, "-c", RUNNER], cwd=project.folder, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert (find_run(project.folder)["one"].places.artifacts / "outputs/x").is_file()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("a link to nowhere", "[Errno 2] No such file or directory: '{place}/link'"),
        ("a pipe", "`{place}/pipe` is a named pipe"),
    ],
)
def test_what_no_datastore_takes_fails_its_step(project, kind, reason):
    project.pipeline(
        """
        datastores: {lake: {container_name: raw, account_name: churnstore}}
        steps:
          one: {script_name: one.py, output_folders: {--output-folder: {destination: {datastore_name: lake}}}}
          two: {script_name: two.py}
        """,
        one=BEGINNING + f"place = args.output_folder\n{KINDS[kind]}",
        two="",
    )

    run = project.run()

    reason = reason.format(place=run["one"].places.output("one_output_folder"))
    message = f"--output-folder could not be copied to its destination: {reason}"
    assert (run["one"].status, run["one"].message) == ("failed", message)


@pytest.mark.parametrize("puts", ["os.mkfifo(place)", "os.symlink('/dev/zero', place)"])
def test_what_has_no_end_in_the_place_of_an_output_fails_its_step(project, puts):
    project.line(one=BEGINNING + f"place = args.output_folder\nplace.rmdir()\n{puts}", two="")

    run = project.run()

    message = "its output --output-folder was deleted or cannot be read"
    assert (run["one"].status, run["one"].message) == ("failed", message)

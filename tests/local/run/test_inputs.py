"""A step's inputs are read-only for it, or copies of its own; what changes them all the same is found at its end."""

from __future__ import annotations

import os
import shutil
import sys
import time
from itertools import islice
from pathlib import Path

import pytest

from azml_tasks.errors import UsageError
from azml_tasks.local.prune import prune
from azml_tasks.local.run.inputs import Download, Source, _between, _real, variables_for
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.runs.records import Remark, StepStarted
from azml_tasks.standin.azml_local.formats.copies import StoppedError
from tests.local.conftest import BEGINNING, Project, linux

FILES = {"data/imgs/1.jpg": "1", "data/imgs/deep/2.jpg": "2", "data/imgs2/1.jpg": "other", "data/one.csv": "a\n1\n"}
PIPELINE = """\
    datasets:
      imgs: {type: file, mode: mount, local_path: data/imgs}
      one: {type: file, mode: mount, local_path: data/one.csv}
    steps:
      make: {script_name: make.py, output_folders: [--output-folder]}
      harm:
        script_name: harm.py
        input_datasets: {--data: imgs, --file: one}
        input_folders: {--input-folder: make}
        output_folders: [--output-folder]
"""
MAKE = BEGINNING + "(args.output_folder / 'made.txt').write_text('made')\n"
# Each is done in the folder `d` of the mounted files, then in that of the earlier step, whose file is `f`.
REFUSED = {
    "open w": "open(f, 'w')",
    "open a": "open(f, 'a')",
    "open r+": "open(f, 'r+b')",
    "open x": "open(d + '/new', 'x')",
    "os.open": "os.open(f, os.O_WRONLY)",
    "os.open truncating": "os.open(f, os.O_RDONLY | os.O_TRUNC)",
    "os.open creating": "os.open(d + '/new', os.O_RDONLY | os.O_CREAT)",
    "os.open by a folder": "os.open(os.path.basename(f), os.O_WRONLY, dir_fd=os.open(d, os.O_RDONLY))",
    "os.open of a nameless file": "os.open(d, os.O_RDWR | os.O_TMPFILE)",
    "by bytes": "open(os.fsencode(f), 'w')",
    "by a Path": "pathlib.Path(f).write_text('x')",
    "Path.touch": "pathlib.Path(d, 'new').touch()",
    "relative": "os.chdir(d); open(os.path.basename(f), 'w')",
    "relative with dots": "os.chdir(d); open('../' + os.path.basename(d) + '/new', 'w')",
    "by the number of a folder": "os.open(f'/proc/self/fd/{os.open(d, os.O_RDONLY)}/new', os.O_WRONLY | os.O_CREAT)",
    "by the number of a file": "open(f'/proc/self/fd/{os.open(f, os.O_RDONLY)}', 'w')",
    "by a link to the file": "os.symlink(f, l); open(l, 'w')",
    "by a link to the folder": "os.symlink(d, l); open(l + '/new', 'w')",
    "mmap": "mmap.mmap(os.open(f, os.O_RDWR), 0)",
    "remove": "os.remove(f)",
    "unlink by a folder": "os.unlink(os.path.basename(f), dir_fd=os.open(d, os.O_RDONLY))",
    "rmtree": "shutil.rmtree(d)",
    "rmdir": "os.rmdir(d)",
    "rename out": "os.rename(f, l)",
    "rename in": "open(l, 'w').close(); os.rename(l, d + '/new')",
    "rename over": "open(l, 'w').close(); os.replace(l, f)",
    "rename the folder": "os.rename(d, l)",
    "rename a folder above": "os.rename(os.path.dirname(d), l)",
    "remove a folder above": "shutil.rmtree(os.path.dirname(d))",
    "move": "shutil.move(f, l)",
    "copy in": "shutil.copy(__file__, d)",
    "copy over": "shutil.copyfile(__file__, f)",
    "mkdir": "os.mkdir(d + '/new')",
    "makedirs": "os.makedirs(d + '/new/er')",
    "symlink": "os.symlink('x', d + '/new')",
    "link in": "open(l, 'w').close(); os.link(l, d + '/new')",
    "link out": "os.link(f, l)",
    "truncate": "os.truncate(f, 0)",
    "chmod": "os.chmod(f, 0)",
    "fchmod": "os.chmod(os.open(f, os.O_RDONLY), 0)",
    "chmod of a link": "os.symlink(f, l); os.chmod(l, 0)",
    "chown": "os.chown(f, os.getuid(), os.getgid())",
    "utime": "os.utime(f)",
    "setxattr": "os.setxattr(f, 'user.x', b'')",
    "mkfifo": "os.mkfifo(d + '/new')",
    "mknod": "os.mknod(d + '/new')",
    "temporary": "tempfile.mkdtemp(dir=d)",
    "socket": "os.chdir(d); socket.socket(socket.AF_UNIX).bind('new')",
    "zip": "zipfile.ZipFile(d + '/new.zip', 'w')",
    "in calls that go too deep": "deep(f)",
    "in a thread": "thread(open, f, 'w')",
    "in a fork": "forked('open(f, \"w\")')",
    "in a Python child": "child('open(sys.argv[1], \"w\")')",
    "by multiprocessing": "spawned()",
}
# What the hook does not see, and the kernel stops, where it is there.
BY_KERNEL = {
    "sh": "shell('echo x > \"$1\"')",
    "rm": "shell('rm -rf \"$2\"')",
    "mv": 'shell(\'mv "$2" "$3"\')',
    "mv a folder of the project above": 'shell(\'mv "${2%/imgs}" "$3"\')',
    "chmod by a program": "shell('chmod 000 \"$1\"')",
    "ln": 'shell(\'ln "$1" "$3"\')',
    "C": "ctypes.CDLL(None).unlink(os.fsencode(f)) == 0 or sys.exit('refused')",
    "in an isolated Python child": "child('open(sys.argv[1], \"w\")', '-I')",
}
TRY = """
import concurrent.futures, ctypes, errno, mmap, multiprocessing, shutil, socket, subprocess, tempfile, warnings, zipfile
warnings.simplefilter("ignore", DeprecationWarning)  # A thread that has ended may still be counted at a fork.
home, number = os.getcwd(), 0
seen = []

def tried(code):
    try:
        exec(code, globals())
        seen.append("done")
    except OSError as error:
        seen.append(errno.errorcode[error.errno])
    except SystemExit as stopped:
        seen.append(stopped.code)

def thread(*call):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(*call).result()

def forked(code):
    pid = os.fork()
    if pid == 0:
        tried(code)
        os._exit(0 if seen[-1] == "EROFS" else 1)
    assert os.waitpid(pid, 0)[1] == 0
    sys.exit("refused")

def child(code, *options):
    done = subprocess.run([sys.executable, *options, "-c", "import sys; " + code, f], capture_output=True, text=True)
    assert "Read-only file system" in done.stderr or "Permission denied" in done.stderr, done
    sys.exit("refused")

def shell(command):
    done = subprocess.run(["sh", "-c", command, "sh", f, d, l], capture_output=True, text=True)
    assert done.returncode, done
    sys.exit("refused")

def deep(path):
    try:
        deep(path)
    except RecursionError:
        open(path, "w")

def write(path):
    try:
        open(path, "w")
    except OSError as error:
        return errno.errorcode[error.errno]

def spawned():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        sys.exit("refused" if pool.apply(write, (f,)) == "EROFS" else "done")

if __name__ == "__main__":
    for name, code in WAYS.items():
        for d, f in ((rest[1], rest[1] + "/1.jpg"), (str(args.input_folder), str(args.input_folder / "made.txt"))):
            number += 1
            l = f"{home}/{number}"
            os.chdir(home)
            tried(code)
            answer = seen.pop() if seen else ""
            if answer not in ("EROFS", "refused"):
                print(name, d, answer)
    print("tried", number)
"""
HARMLESS = """
import shutil, socket, tempfile
data, out = rest[1], str(args.output_folder)
assert open(data + "/1.jpg").read() == "1" and open(rest[3]).read() == "a\\n1\\n"
os.makedirs(data, exist_ok=True)
os.close(os.open(data + "/1.jpg", os.O_RDONLY | os.O_CREAT))
for place in (out, os.getcwd(), data + "2", os.path.dirname(data), os.path.dirname(os.path.dirname(data))):
    path = place + "/written"
    open(path, "w").write("1")
    os.utime(path)
    os.chmod(path, 0o600)
    os.rename(path, path + "2")
    os.remove(path + "2")
open(data + "2/1.jpg", "a").write("!")
shutil.copytree(data, out + "/copied")
open(out + "/copied/1.jpg", "a").write("more")
os.symlink(data, out + "/link")
os.utime(out + "/link", follow_symlinks=False)
try:
    os.mkdir(out + "/link/made")
except OSError:
    os.remove(out + "/link")
os.makedirs(out + "/link/made")
shutil.rmtree(out + "/link")
with tempfile.TemporaryDirectory() as folder:
    open(folder + "/x", "w").close()
home = os.getcwd()
os.chdir(data)
if sys.platform == "linux":
    socket.socket(socket.AF_UNIX).bind("\\0" + home[-90:])
open(home + "/from elsewhere", "w").close()
os.chdir(home)
for missing in (FileNotFoundError, FileExistsError):
    try:
        open(data + "/none", "r+") if missing is FileNotFoundError else os.mkdir(data)
    except missing:
        print(missing.__name__)
"""


@pytest.fixture
def inputs(project: Project) -> Project:
    return project.write(FILES)


def content(project: Project) -> dict[str, str]:
    return {str(file.relative_to(project.folder)): file.read_text() for file in project.folder.glob("data/**/*.*")}


def kernel() -> bool:
    """Say whether the kernel guards the inputs here."""
    if sys.platform != "linux":
        return False
    from azml_tasks.local.forkserver import azml_kernel

    return (
        azml_kernel.best_way({name: [] for name in ("read_only", "linked", "writable", "in_place")})
        is azml_kernel.by_mounts
    )


def test_a_misspelled_guard_stops_the_run_instead_of_leaving_inputs_unprotected(project, monkeypatch):
    monkeypatch.setenv("AZML_LOCAL_GUARD", "mount")
    project.line(one="")

    with pytest.raises(UsageError) as caught:
        project.run()

    assert str(caught.value) == (
        "AZML_LOCAL_GUARD must be mounts, landlock or python, not 'mount'; did you mean 'mounts'?"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="the table is of what POSIX has")
@pytest.mark.parametrize("guard", ["", "python"])
def test_no_way_of_changing_an_input_does_so(inputs, way, guard, monkeypatch):
    monkeypatch.setenv("AZML_LOCAL_GUARD", guard)
    has_kernel = guard != "python" and not way and kernel()
    ways = {**REFUSED, **BY_KERNEL} if has_kernel else {k: v for k, v in REFUSED.items() if k not in BY_KERNEL}
    if sys.platform != "linux":
        ways = {name: code for name, code in ways.items() if "/proc" not in code and "xattr" not in code}
    inputs.pipeline(PIPELINE, make=MAKE, harm=BEGINNING + f"WAYS = {ways!r}\n" + TRY)

    run = inputs.run(**way)

    assert inputs.log(run, "harm") == f"tried {2 * len(ways)}\n"
    assert (run["harm"].status, run["harm"].message) == ("completed", "")
    assert content(inputs) == FILES
    assert [file.name for file in run["make"].places.output("make_output_folder").iterdir()] == ["made.txt"]


@pytest.mark.parametrize("guard", ["", "python"])
def test_what_changes_no_input_is_not_refused(inputs, way, guard, monkeypatch):
    monkeypatch.setenv("AZML_LOCAL_GUARD", guard)
    inputs.pipeline(PIPELINE, make=MAKE, harm=BEGINNING + HARMLESS)

    run = inputs.run(**way)

    assert (run["harm"].status, inputs.log(run, "harm")) == ("completed", "FileNotFoundError\nFileExistsError\n")
    assert content(inputs) == {**FILES, "data/imgs2/1.jpg": "other!"}


def test_the_error_is_that_of_a_read_only_file_system_and_shows_the_script_alone(inputs, way):
    inputs.pipeline(PIPELINE, make=MAKE, harm=BEGINNING + "open(rest[1] + '/1.jpg', 'a')\n")

    run = inputs.run(**way)

    lines = [line.strip() for line in inputs.log(run, "harm").splitlines() if "^^" not in line]
    assert [lines[0], lines[2:]] == [
        "Traceback (most recent call last):",
        [
            "open(rest[1] + '/1.jpg', 'a')",
            f"OSError: [Errno 30] Read-only file system: {str(inputs.folder / 'data/imgs/1.jpg')!r}",
        ],
    ]
    assert lines[1].endswith("in <module>")
    assert run["harm"].hint == (
        "a step's inputs are read-only, as on Azure: write to one of its output folders, "
        "or set `mode: download` on the dataset, so that the step gets its own copy"
    )


@linux
def test_a_guarded_path_may_have_more_folders_than_python_allows_calls():
    deep = "/none" + "/d" * 1500

    assert _real(deep, {}) == deep


@linux
@pytest.mark.parametrize(
    ("project", "kept"), [("/p", ["/p/data/imgs", "/p/data"]), ("/", ["/p/data/imgs", "/p/data", "/p"])]
)
def test_the_folders_between_a_project_and_its_data_end_even_if_the_project_is_the_root_folder(project, kept):
    found = islice(_between("/p/data/imgs/1.jpg", ProjectPaths(Path(project))), 10)

    assert list(found) == kept


@linux
def test_links_are_followed_in_any_part_of_a_guarded_path(tmp_path):
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "up").symlink_to("a/b")
    (tmp_path / "a/b/again").symlink_to(tmp_path / "up/c")
    known: dict[str, str] = {}
    paths = ("a/b/c", "up", "up/c/none", "up/again", "a/../up/./c", "up/again/")

    found = [_real(f"{tmp_path}/{path}", known) for path in (*paths, *paths)]

    assert found == [os.path.realpath(tmp_path / path) for path in (*paths, *paths)]


@linux
def test_what_a_link_in_an_input_leads_to_and_a_link_to_the_input_are_guarded(inputs):
    """As a tool that keeps versions of data lays them out: the files are links into its cache."""
    inputs.write({"cache/3": "3", "more/4.jpg": "4"})
    (inputs.folder / "data/imgs/3.jpg").symlink_to("../../cache/3")
    (inputs.folder / "data/imgs/more").symlink_to(inputs.folder / "more")
    (inputs.folder / "linked").symlink_to("data/imgs")
    inputs.pipeline(
        """
        datasets: {imgs: {type: file, mode: mount, local_path: linked}}
        steps: {a: {script_name: a.py, input_datasets: {--data: imgs}}}
        """,
        a=BEGINNING
        + """
for code in (
    "open(rest[1] + '/3.jpg', 'a')", "os.truncate(rest[1] + '/3.jpg', 0)", "open(rest[1] + '/more/4.jpg', 'a')",
    "open(rest[1] + '/more/new', 'w')", "os.remove(rest[1] + '/3.jpg')", "os.remove(rest[1])",
    "open(rest[1] + '/1.jpg', 'w')",
):
    try:
        exec(code)
        print(code)
    except OSError as error:
        print(error.errno)
""",
    )

    run = inputs.run()

    assert (run["a"].status, inputs.log(run, "a")) == ("completed", 7 * "30\n")
    assert content(inputs) == {**FILES, "data/imgs/3.jpg": "3"}
    assert (inputs.folder / "more/4.jpg").read_text() == "4"


@linux
def test_programs_change_nothing_that_links_in_an_input_lead_to(inputs):
    if not kernel():
        pytest.skip("the kernel lets this user mount nothing")
    inputs.write({"cache/3": "3", "more/4.jpg": "4", "more/sub/5.jpg": "5"})
    (inputs.folder / "data/imgs/3.jpg").symlink_to("../../cache/3")
    (inputs.folder / "data/imgs/more").symlink_to(inputs.folder / "more")
    (inputs.folder / "data/imgs/round").symlink_to("..")
    inputs.pipeline(
        """
        datasets: {imgs: {type: file, mode: mount, local_path: data/imgs}}
        steps: {a: {script_name: a.py, input_datasets: {--data: imgs}}}
        """,
        a=BEGINNING
        + """
os.system(f"cd {rest[1]}; echo x > 3.jpg; echo x > more/new; rm -r more/sub; echo x > $(realpath 3.jpg)")
""",
    )

    run = inputs.run()

    assert run["a"].status == "completed"
    assert (inputs.folder / "cache/3").read_text() == "3"
    assert sorted(os.listdir(inputs.folder / "more")) == ["4.jpg", "sub"]
    assert (inputs.folder / "more/sub/5.jpg").read_text() == "5"


@linux
@pytest.mark.parametrize("local", [".", "..", "data"])
def test_a_step_can_write_its_own_files_when_its_input_holds_the_project(inputs, local, monkeypatch):
    inputs.pipeline(
        f"""
        datasets: {{all: {{type: file, local_path: {local!r}}}}}
        steps: {{a: {{script_name: a.py, input_datasets: {{all: all}}, output_folders: [--output-folder]}}}}
        """,
        a=BEGINNING
        + f"""
(args.output_folder / "x").write_text("1")
open("here", "w").write("1")
run.log("a", 1)
run.parent.log("b", 2)
run.upload_file("model", "here")
run.register_model("m", "model")
run.experiment.workspace.get_default_datastore().upload_files(["here"], show_progress=False)
try:
    open({str(inputs.folder / "data/one.csv")!r}, "a")
except OSError as error:
    print(error.errno)
""",
    )
    for guard in ("", "python"):
        monkeypatch.setenv("AZML_LOCAL_GUARD", guard)

        run = inputs.run(force=True)

        assert (run["a"].status, inputs.log(run, "a")) == ("completed", "30\n")
    assert content(inputs) == FILES
    assert inputs.run()["a"].status == "reused"


def test_a_download_is_a_copy_of_the_steps_own(inputs, way):
    (inputs.folder / "data/imgs/1.jpg").chmod(0o444)
    os.utime(inputs.folder / "data/imgs/1.jpg", (1, 1))
    inputs.pipeline(
        """
        datasets:
          imgs: {type: file, mode: download, local_path: data/imgs}
          one: {type: file, mode: download, local_path: data/one.csv}
          some: {type: file, mode: download, local_path: "data/**/*.jpg"}
        steps: {a: {script_name: a.py, input_datasets: {--data: imgs, --file: one, --some: some}}}
        """,
        a=BEGINNING
        + """
import shutil
_, data, _, file, _, some = rest
print(os.path.basename(data), os.path.basename(file), os.path.basename(some), os.path.getmtime(data + "/1.jpg"))
print(sorted(str(path.relative_to(some)) for path in pathlib.Path(some).rglob("*.jpg")))
print([run.input_datasets[name] == path for name, path in (("imgs", data), ("one", file), ("some", some))])
open(data + "/1.jpg", "a").write("more")
shutil.rmtree(data + "/deep")
os.rename(file, file + ".old")
shutil.rmtree(some)
""",
    )

    run = inputs.run(**way)

    assert inputs.log(run, "a").splitlines() == [
        "imgs one.csv data 1.0",
        "['imgs/1.jpg', 'imgs/deep/2.jpg', 'imgs2/1.jpg']",
        "[True, True, True]",
    ]
    assert (run["a"].status, content(inputs)) == ("completed", FILES)
    assert not run["a"].places.temporary.exists()
    assert inputs.run(**way)["a"].status == "reused"


def test_what_a_mounted_pattern_finds_lies_in_a_folder_of_its_own(inputs, way):
    inputs.pipeline(
        """
        datasets: {some: {type: file, mode: mount, local_path: "data/*/1.jpg"}}
        steps: {a: {script_name: a.py, input_datasets: {--data: some}}}
        """,
        a=BEGINNING
        + """
print(sorted(str(path.relative_to(rest[1])) for path in pathlib.Path(rest[1]).rglob("*.jpg")))
for path in (rest[1] + "/new", rest[1] + "/imgs/1.jpg"):
    try:
        open(path, "w")
    except OSError as error:
        print(error.errno)
""",
    )

    run = inputs.run(**way)

    assert inputs.log(run, "a").splitlines() == ["['imgs/1.jpg', 'imgs2/1.jpg']", "30", "30"]
    assert (run["a"].status, content(inputs)) == ("completed", FILES)


def test_a_copy_is_gone_too_when_its_step_fails_or_cannot_be_copied(inputs):
    inputs.pipeline(
        """
        continue_on_step_failure: true
        datasets:
          imgs: {type: file, mode: download, local_path: data/imgs}
        steps:
          a: {script_name: a.py, input_datasets: {--data: imgs}, output_folders: []}
          b: {script_name: b.py, input_folders: {}, input_datasets: {--data: imgs}}
        """,
        a="1 / 0",
        b="import os; os._exit(1)",
    )

    run = inputs.run()

    assert [run[name].places.temporary.exists() for name in "ab"] == [False, False]


@pytest.mark.thorough
@linux
def test_a_copy_that_a_killed_runner_left_goes_with_the_next_run_or_when_runs_are_pruned(inputs, start):
    inputs.pipeline(
        """
        datasets: {imgs: {type: file, mode: download, local_path: data/imgs}}
        steps: {a: {script_name: a.py, input_datasets: {--data: imgs}}}
        """,
        a="import time; time.sleep(100)",
    )
    for clear in (inputs.run, lambda: prune(inputs.folder)):
        runner = start()
        temporary = _appeared(inputs)
        runner.process.kill()
        runner.process.wait()
        assert temporary.exists()

        inputs.write({"a.py": ""})
        clear()

        assert not temporary.exists()
        assert content(inputs) == FILES
        inputs.write({"a.py": "import time; time.sleep(100)"})


def _appeared(project: Project) -> Path:
    """Return the folder of the newest run's copies once it is there."""
    for _ in range(1000):
        found = sorted(project.folder.glob(".azml/runs/*/steps/a/temporary"))
        if found and list(project.folder.glob(".azml/runs/*/steps/a/log.txt")):
            return found[-1]
        time.sleep(0.02)
    raise AssertionError("no copy was made")


def test_a_copy_that_is_no_longer_wanted_stops(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a").write_text("a")
    told: list[str] = []

    with pytest.raises(StoppedError):
        Download(tmp_path, told.append, lambda: False).copy(
            Source(str(tmp_path / "data")), str(tmp_path / "copy/data"), "x"
        )

    assert (told, list((tmp_path / "copy/data").iterdir())) == ([], [])


def test_the_size_of_a_large_copy_is_reported_before_it_is_made(inputs, monkeypatch):
    monkeypatch.setattr("azml_tasks.local.run.inputs.LARGE", 1)
    monkeypatch.setattr("azml_tasks.local.run.inputs.size_of", lambda paths: 2_340_000_000)
    inputs.pipeline(
        """
        datasets: {imgs: {type: file, mode: download, local_path: data/imgs}}
        steps: {a: {script_name: a.py, input_datasets: {--data: imgs}}}
        """,
        a="",
    )

    inputs.run()

    told = [type(event).__name__ for event in inputs.events]
    assert [event.text for event in inputs.events if isinstance(event, Remark)] == [
        "'a' downloads the dataset 'imgs': copying 2.3 GB"
    ]
    assert told.index("Remark") < told.index("StepStarted")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("change", "listed"),
    [
        (lambda data: (data / "imgs/1.jpg").write_text("changed"), "data/imgs/1.jpg (changed)"),
        (lambda data: (data / "imgs/1.jpg").unlink(), "data/imgs/1.jpg (deleted)"),
        (lambda data: (data / "imgs/new.jpg").write_text(""), "data/imgs/new.jpg (added)"),
        (
            lambda data: shutil.rmtree(data / "imgs"),
            "data/imgs/1.jpg (deleted) and data/imgs/deep/2.jpg (deleted)",
        ),
    ],
)
@pytest.mark.parametrize("script", ["", "1 / 0"])
def test_what_changed_in_an_input_fails_the_step_is_listed_and_is_never_a_result(inputs, change, listed, script):
    """By something that nobody stops, as the user; here while the step starts."""
    inputs.pipeline(
        """
        datasets: {imgs: {type: file, mode: mount, local_path: data/imgs}}
        steps: {a: {script_name: a.py, input_datasets: {--data: imgs}}}
        """,
        a="import time; time.sleep(0.2)\n" + script,
    )

    run = inputs.run(on_event=lambda event: change(inputs.folder / "data") if isinstance(event, StepStarted) else None)

    damage = f"dataset 'imgs' changed while it ran: {listed}; inputs are read-only, as on Azure"
    assert (run["a"].status, run["a"].message) == ("failed", f"exit status 1; {damage}" if script else damage)
    assert not (inputs.folder / ".azml/reuse").exists()
    inputs.write(FILES)
    assert inputs.run()["a"].reason == "no earlier result"


def test_a_file_that_is_touched_or_written_as_it_was_is_no_change(inputs):
    inputs.pipeline(
        """
        datasets: {imgs: {type: file, mode: mount, local_path: data/imgs}}
        steps: {a: {script_name: a.py, input_datasets: {--data: imgs}}}
        """,
        a="import time; time.sleep(0.2)\n",
    )

    run = inputs.run(on_event=lambda event: inputs.write(FILES) if isinstance(event, StepStarted) else None)

    assert run["a"].status == "completed"


@linux
def test_two_steps_that_read_the_same_do_not_hide_each_others_damage(inputs):
    """The second begins after the first has done its damage, by C code that no hook sees."""
    inputs.pipeline(
        """
        continue_on_step_failure: true
        datasets: {imgs: {type: file, mode: mount, local_path: data/imgs}}
        steps:
          a: {script_name: a.py, input_datasets: {--data: imgs}, output_folders: []}
          b: {script_name: b.py, input_datasets: {--data: imgs}, input_folders: {}}
        """,
        a=BEGINNING + "import subprocess\nsubprocess.run(['rm', rest[1] + '/1.jpg'])\nimport time; time.sleep(0.5)\n",
        b="",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AZML_LOCAL_GUARD", "python")
        run = inputs.run(jobs=2, processes=None)

    assert run["a"].message.startswith("dataset 'imgs' changed while it ran: data/imgs/1.jpg (deleted)")


def test_paths_come_as_the_variables_of_the_sdk_too_but_not_in_the_place_of_others(inputs, way):
    inputs.pipeline(
        """
        datasets:
          imgs: {type: file, mode: mount, local_path: data/imgs}
          one: {type: file, mode: mount, local_path: data/one.csv, name: LD_PRELOAD}
          table: {local_path: data/one.csv}
        steps:
          a:
            script_name: a.py
            input_datasets: {--data: imgs, --file: one, --table: table, own: imgs}
            output_folders: [--output-folder]
            environment_variables: {own: mine}
        """,
        a=BEGINNING
        + """
names = [name for name in sorted(os.environ) if name.startswith(("AZUREML_", "AZURE_ML_"))]
print(names, "LD_PRELOAD" in os.environ, "table" in os.environ, os.environ["own"])
print([os.environ[name] == str(args.output_folder) for name in ("a_output_folder", "AZURE_ML_OUTPUT_a_output_folder")])
print(os.environ["imgs"] == os.environ["AZURE_ML_INPUT_imgs"] == rest[1])
""",
    )

    run = inputs.run(**way)

    names = [
        *("AZUREML_DATAREFERENCE_LD_PRELOAD", "AZUREML_DATAREFERENCE_a_output_folder", "AZUREML_DATAREFERENCE_imgs"),
        *("AZUREML_DATAREFERENCE_own", "AZURE_ML_INPUT_LD_PRELOAD", "AZURE_ML_INPUT_imgs", "AZURE_ML_INPUT_own"),
        "AZURE_ML_OUTPUT_a_output_folder",
    ]
    assert inputs.log(run, "a").splitlines() == [f"{names} False False mine", "[True, True]", "True"]
    assert inputs.run(**way)["a"].status == "reused"


@pytest.mark.parametrize(
    ("name", "is_plain"),
    [
        *(
            (name, True)
            for name in ("imgs", "data", "Path", "home_page", "user_id", "_x1", "python_files", "train_input")
        ),
        *((name, False) for name in ("PATH", "PYTHONPATH", "PYTHONSTARTUP", "LD_PRELOAD", "LC_ALL", "TZ", "TMPDIR")),
        *((name, False) for name in ("AZML_RUN_CONTEXT", "AZUREML_RUN_ID", "AZURE_CLIENT_SECRET", "MLFLOW_RUN_ID")),
        *((name, False) for name in ("OMP_NUM_THREADS", "https_proxy", "REQUESTS_CA_BUNDLE", "JAVA_HOME")),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="there the case of a name does not count")
def test_an_input_becomes_a_plain_variable_unless_programs_look_at_one_of_its_name(name, is_plain):
    assert variables_for({name: "/data"}, {}) == {
        f"AZURE_ML_INPUT_{name}": "/data",
        f"AZUREML_DATAREFERENCE_{name}": "/data",
        **({name: "/data"} if is_plain else {}),
    }


def test_what_is_no_name_of_a_variable_becomes_none():
    assert variables_for({"a-b": "/data", "1": "/data"}, {"ü": "/out"}) == {}


def test_a_dataset_that_a_script_mounts_or_finds_by_datastore_and_path_counts_by_its_content(inputs):
    inputs.pipeline(
        """
        datastores: {s: {container_name: raw, account_name: account}}
        datasets: {imgs: {type: file, datastore_name: s, path: imgs, local_path: data/imgs}}
        steps:
          a: {script_name: a.py, output_folders: []}
          b: {script_name: b.py, input_folders: {}, output_folders: []}
        """,
        a=BEGINNING
        + """
from azureml.core import Dataset
with Dataset.get_by_name(run.experiment.workspace, "imgs").mount() as mounted:
    print(open(mounted.mount_point + "/1.jpg").read())
""",
        b=BEGINNING
        + """
from azureml.core import Dataset
print(open(Dataset.File.from_files((run.experiment.workspace.datastores["s"], "imgs")).download()[0]).read())
""",
    )
    assert inputs.run().status == "completed"
    assert inputs.statuses(inputs.run()) == {"a": "reused", "b": "reused"}

    inputs.write({"data/imgs/1.jpg": "9"})

    run = inputs.run()
    assert inputs.reasons(run) == dict.fromkeys("ab", "data/imgs/1.jpg changed")
    assert [inputs.log(run, name) for name in "ab"] == ["9\n", "9\n"]
    inputs.write({"pipeline.yaml": (inputs.folder / "pipeline.yaml").read_text().replace("data/imgs}", "data/imgs2}")})
    assert inputs.reasons(inputs.run()) == {"a": "dataset imgs changed", "b": "data of datastore s changed"}


@pytest.mark.parametrize("local_path", ["/", ".", "**/*.csv"])
def test_data_among_which_the_runs_of_the_project_are_fail_the_step_before_they_are_read(project, local_path):
    text = "steps:\n  one: {script_name: one.py, input_datasets: {--data: d}}\n"
    project.pipeline(f"datasets: {{d: {{local_path: '{local_path}'}}}}\n{text}", one="")

    run = project.run()

    assert (run["one"].status, run["one"].message) == (
        "failed",
        f"the data of dataset 'd' cannot be read: the project's own runs (.azml) are in {local_path}; "
        "select a file, or a folder that contains only data",
    )

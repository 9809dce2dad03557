"""The tasks that get at the results of local runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.local.receiver import basic, receiving
from tests.tasks.conftest import Answer, Invoke

pytestmark = pytest.mark.processes

PIPELINE = """\
backend: local
experiment_name: churn
steps:
  prepare: {script_name: prepare.py}
  train: {script_name: train.py, step_config: {lr: 0.5}}
"""
PREPARE = """\
import pathlib, sys
pathlib.Path(sys.argv[sys.argv.index("--output-folder") + 1], "rows.txt").write_text("5")
"""
TRAIN = """\

from azureml.core import Run
run = Run.get_context()
open("outputs/model.txt", "w").write("model")
open("notes.txt", "w").write("notes")
run.upload_file("reports/notes.txt", "notes.txt")
run.parent.upload_file("summary.txt", "notes.txt")
with run.child_run("fold 1") as fold:
    fold.upload_file("fold.txt", "notes.txt")
print("trained")
"""


@pytest.fixture
def churn(invoke: Invoke) -> Invoke:
    invoke.write("prepare.py", PREPARE)
    invoke.write("train.py", TRAIN)
    invoke.write("pipeline.yaml", PIPELINE)
    return invoke


class Time:
    """Equal to any time in a table."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", other) is not None

    def __hash__(self) -> int:
        return 0


STARTED = Time()


def run_id(answer: Answer) -> str:
    found = re.search(r"\d{8}-\d{6}-[0-9a-f]{4}", answer.out)
    assert found, answer
    return found[0]


def files_in(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_everything_that_a_run_wrote_is_downloaded_once(churn):
    newest = run_id(churn("run"))

    first, second = churn("runs.download"), churn("runs.download")

    assert first == Answer(
        f"run: 1 file, 5 B\nprepare: 2 files, 1 B\ntrain: 4 files, 23 B\nwrote 7 files to downloads/{newest}\n",
        "",
        0,
    )
    assert files_in(churn.folder / "downloads" / newest) == {
        "summary.txt": "notes",
        "prepare/prepare_output_folder/rows.txt": "5",
        "prepare/user_logs/std_log.txt": "",
        "train/outputs/model.txt": "model",
        "train/reports/notes.txt": "notes",
        "train/children/1/fold.txt": "notes",
        "train/user_logs/std_log.txt": "trained\n",
    }
    assert second == Answer(f"downloads/{newest}: nothing new, 7 files already there\n", "", 0)


def test_a_reused_step_has_its_files_and_one_step_goes_to_a_folder_of_choice(churn):
    churn("run")
    churn("run")

    assert churn("--dry", "runs.download", "--step", "prepare", "--to", "got") == Answer(
        "would write 2 files to got\n", "", 0
    )
    assert not (churn.folder / "got").exists()
    assert churn("runs.download", "--step", "prepare", "--to", "got").status == 0
    assert files_in(churn.folder / "got") == {
        "prepare/prepare_output_folder/rows.txt": "5",
        "prepare/user_logs/std_log.txt": "",
    }


def test_a_file_that_differs_is_kept_and_named_and_the_others_are_written(churn):
    churn("run")
    churn.write("got/train/outputs/model.txt", "mine")

    answer = churn("runs.download", "--to", "got")

    assert answer.err == (
        "not replaced in got, because the content differs: train/outputs/model.txt; delete what is there, or use "
        "another folder: --to FOLDER\n"
    )
    assert (answer.status, answer.out.splitlines()[-1]) == (2, "wrote 6 files to got")
    assert files_in(churn.folder / "got")["train/outputs/model.txt"] == "mine"


def test_a_folder_that_cannot_be_one_or_has_the_records_is_refused(churn):
    churn("run")
    churn.write("file", "mine")
    (churn.folder / "link").symlink_to(".azml/runs")

    assert churn("runs.download", "--to", "file") == Answer("", "file is not a folder; use another --to FOLDER\n", 2)
    for folder in (".azml", ".azml/runs/x", "link/x", "x/../.azml"):
        assert churn("runs.download", "--to", folder) == Answer(
            "", "--to must not be in .azml, where runs are recorded\n", 2
        )


def test_what_was_deleted_or_cannot_have_its_name_is_noted(churn, tmp_path_factory):
    churn.write("pipeline.yaml", PIPELINE.replace("train:", '"my train":'))
    first = run_id(churn("run"))
    churn.write("train.py", TRAIN + "\n")
    churn("run")

    assert f"deleted outputs and logs of my train in {first} (" in churn("runs.prune", "--keep", "1").out
    found = churn("runs.download", "--run", first, "--to", "to")
    assert found.err == "note: step 'my train': its files were deleted by runs.prune\n"

    outside = tmp_path_factory.mktemp("outside")
    (churn.folder / "there").mkdir()
    (churn.folder / "there" / "prepare").symlink_to(outside)
    found = churn("runs.download", "--step", "prepare", "--to", "there")
    names = "prepare/prepare_output_folder/rows.txt and prepare/user_logs/std_log.txt"
    assert found.err == f"note: skipped {names}: the names are not possible in there\n"
    assert list(outside.iterdir()) == []


def test_files_of_a_running_run_are_those_so_far(churn):
    churn.write("train.py", TRAIN + "import sys, time\nsys.stdout.flush()\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "invoke", "run"]
    churn.write("tasks.py", "from azml_tasks.tasks import namespace\n")
    with subprocess.Popen(command, cwd=churn.folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            while "outputs/model.txt" not in (found := churn("runs.download", "--to", "to").out) and not list(
                churn.folder.glob("to/train/user_logs/std_log.txt")
            ):
                assert process.poll() is None, found
                time.sleep(0.1)
            answer = churn("runs.download", "--to", "again")
        finally:
            process.terminate()
    assert re.fullmatch(r"note: run \S+ is running; these are its files so far\n", answer.err)


def test_a_name_that_is_not_text_stops_neither_the_download_nor_the_page_nor_the_export(churn):
    if sys.platform != "linux":
        pytest.skip("names are text here")
    churn.write("train.py", TRAIN + "open(b'outputs/bad\\xff.txt', 'w').write('x')\n")
    churn("run")

    assert churn("runs.download", "--to", "to").status == 0
    assert (churn.folder / "to/train/outputs" / os.fsdecode(b"bad\xff.txt")).read_text() == "x"
    assert churn("runs.report").status == 0
    assert churn("runs.show", "--json").status == 0
    with receiving() as receiver:
        answer = churn("runs.export", "--mlflow", receiver.address)
        (run,) = receiver.active()
    assert (answer.status, answer.err) == (0, "note: outputs/bad\\udcff.txt is not sent: its name is not UTF-8\n")
    assert "outputs/model.txt" in run.children[1].files


def test_an_unknown_step_or_run_is_a_sentence(churn):
    newest = run_id(churn("run"))

    assert churn("runs.download", "--step", "trian") == Answer(
        "", f"run {newest} has no step 'trian'; did you mean 'train'?\n", 2
    )
    assert churn("runs.download", "--run", "x") == Answer("", "no run 'x'; `invoke runs.list` lists the runs\n", 2)


def test_a_link_that_a_script_left_in_its_results_is_not_followed_out_of_the_project(churn, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    secret.write_text("secret")
    churn.write("prepare.py", PREPARE + f"import os\nos.symlink({str(secret)!r}, 'outputs/s.txt')\n")
    churn("run", "--only", "prepare")

    churn("runs.download", "--to", "got")

    assert "secret" not in files_in(churn.folder / "got").values()


def test_runs_are_sent_to_a_server_and_the_login_in_its_address_is_not_printed(churn):
    with receiving() as receiver:
        receiver.login = basic("me", "pass-word")
        uri = receiver.address.replace("//", "//me:pass-word@")
        first = run_id(churn("run"))
        second = run_id(churn("run", "--force"))

        dry = churn("--dry", "runs.export", "--mlflow", uri)
        newest = churn("runs.export", "--mlflow", uri)
        both = churn("runs.export", "--mlflow", uri, "--all")

        place = f"{receiver.address}/#/experiments/1/runs"
        assert dry == Answer(f"would send {second}, unless it is there\n", "", 0)
        assert newest == Answer(f"{second}: sent (2 steps, 6 files): {place}/{0:032x}\n", "", 0)
        assert both == Answer(
            f"{first}: sent (2 steps, 6 files): {place}/{4:032x}\n{second}: already there: {place}/{0:032x}\n", "", 0
        )
        assert churn("runs.export", "--mlflow", uri, "--all", "--run", "x") == Answer(
            "", "use either --run or --all, not both\n", 2
        )


def test_the_address_of_a_server_is_needed_before_anything_is_read(churn):
    churn("run")

    answer = churn("runs.export", "--mlflow", "mlruns")

    assert (answer.status, answer.err.split(",")[0]) == (2, "--mlflow must be the address of a tracking server")


REGISTERING = """\
import pathlib, sys
from azureml.core import Dataset, Model, Run
run = Run.get_context()
ws = run.experiment.workspace
open("m.txt", "w").write("model")
run.upload_file("m.txt", "m.txt")
run.register_model("churn", "m.txt", tags={"auc": 0.9, "password": "hush"})
Model.register(ws, "m.txt", "other", description="by the workspace")
folder = pathlib.Path(sys.argv[sys.argv.index("--output-folder") + 1])
(folder / "rows.csv").write_text("a,b\\n1,2\\n")
data = pathlib.Path("data.csv")
data.write_text("a\\n1\\n")
"""


def test_registered_models_and_datasets_are_listed_with_the_run_that_made_them(churn):
    assert churn("models.list") == Answer("no models are registered\n", "", 0)
    assert churn("datasets.list") == Answer("no datasets are registered\n", "", 0)
    churn.write("prepare.py", REGISTERING)
    churn.write(
        "pipeline.yaml",
        "backend: local\nsteps:\n  prepare:\n    script_name: prepare.py\n    output_folders:\n"
        "      --output-folder: {register_on_complete: rows}\n  train: {script_name: train.py}\n",
    )
    first = run_id(churn("run", "--only", "prepare"))
    second = run_id(churn("run", "--only", "prepare", "--force"))

    latest, every = churn("models.list").out, churn("models.list", "--versions").out
    assert [re.split(r"  +", line) for line in latest.splitlines()] == [
        ["NAME", "VERSION", "REGISTERED", "BY", "TAGS"],
        ["other", "2", STARTED, f"{second} prepare"],
        ["churn", "2", STARTED, f"{second} prepare", "auc=0.9, pass..."],
    ]
    assert [line.split()[:2] for line in every.splitlines()[1:]] == [
        ["other", "2"],
        ["churn", "2"],
        ["other", "1"],
        ["churn", "1"],
    ]
    assert max(map(len, latest.splitlines())) <= 80
    assert [re.split(r"  +", line) for line in churn("datasets.list", "--versions").out.splitlines()] == [
        ["NAME", "VERSION", "KIND", "REGISTERED", "BY"],
        ["rows", "2", "file", STARTED, f"{second} prepare"],
        ["rows", "1", "file", STARTED, f"{first} prepare"],
    ]
    listed = json.loads(churn("models.list", "--json").out)
    assert listed["version"] == 1
    assert {key: listed["models"][1][key] for key in ("name", "version", "by", "tags")} == {
        "name": "churn",
        "version": 2,
        "by": f"{second} prepare",
        "tags": {"auc": "0.9", "password": "***"},
    }
    assert Path(listed["models"][1]["path"]).read_text() == "model"
    assert json.loads(churn("datasets.list", "--json").out)["datasets"][0]["kind"] == "file"


def test_a_damaged_registry_is_passed_over(churn):
    churn.write(".azml/models/churn/1/model.json", "[]")
    churn.write(".azml/models/churn/x/model.json", "{}")
    churn.write(".azml/models/folder/1/model.json/x", "")
    churn.write(".azml/datasets/rows/1.json", '{"definition": 3}')
    churn.write(".azml/datasets/folder/1.json/x", "")
    churn.write(".azml/datasets/file", "")

    assert churn("models.list") == Answer("no models are registered\n", "", 0)
    assert churn("datasets.list") == Answer("no datasets are registered\n", "", 0)


def test_odd_names_in_a_registry_take_one_line_each(churn):
    churn.write(".azml/models/two\nlines/1/model.json", '{"file": "x", "tags": {"a": "b\\nc"}}')
    (churn.folder / ".azml/datasets" / os.fsdecode(b"bad\xff")).mkdir(parents=True)
    (churn.folder / ".azml/datasets" / os.fsdecode(b"bad\xff") / "1.json").write_text('{"definition": {}}')

    assert churn("models.list").out.splitlines()[1].startswith("two\\nlines  1 ")
    assert churn("datasets.list").out.splitlines()[1].startswith("bad\\udcff  1 ")


def test_runs_of_a_workspace_are_not_exported_and_nobody_logs_in_for_that(churn):
    targets = "cloud: {backend: azure, ws_name: churn-ws}, v2: {backend: azure-v2, ws_name: churn-ws}"
    churn.write("pipeline.yaml", f"{PIPELINE}targets: {{{targets}}}\n")

    for target, address in (
        ("cloud", "ws.get_mlflow_tracking_uri()"),
        ("v2", "ml_client.workspaces.get(NAME).mlflow_tracking_uri"),
    ):
        text = "only local runs are exported; the runs in a workspace are on its own tracking server of MLflow"
        done = churn("runs.export", "--mlflow", "http://127.0.0.1:9", "--target", target)
        assert done == Answer("", f"{text}: {address}\n", 2)

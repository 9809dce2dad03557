"""The tasks that compare runs and write the page about one."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from datetime import datetime

import pytest

import azml_tasks
from azml_tasks.errors import ProjectError
from tests.tasks.conftest import Answer, Invoke
from tests.tasks.test_run import comparable

pytestmark = pytest.mark.processes

PIPELINE = """\
backend: local
experiment_name: churn
steps:
  prepare: {script_name: prepare.py, step_config: {rows: 5}, input_datasets: {--new-data: customers}}
  train: {script_name: train.py, step_config: {lr: 0.5, opt: {name: adam}}}
datasets:
  customers: {datastore_name: s, path: c.csv, local_path: data/c.csv}
datastores: {s: {container_name: raw, account_name: churnstore}}
"""
PREPARE = """\
import argparse, json, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--config", type=json.loads)
parser.add_argument("--new-data")
parser.add_argument("--output-folder", type=pathlib.Path)
args = parser.parse_args()
from azureml.core import Run
run = Run.get_context()
run.log("rows", len(run.input_datasets["customers"].to_pandas_dataframe()))
(args.output_folder / "rows.txt").write_text("x")
"""
TRAIN = """\
import argparse, json
parser = argparse.ArgumentParser()
parser.add_argument("--config", type=json.loads)
parser.add_argument("--input-folder")
args = parser.parse_args()
from azureml.core import Run
run = Run.get_context()
run.log("accuracy", args.config["lr"] / 3)
run.log_list("loss", [3, 2, args.config["lr"]])
open("notes.txt", "w").write("x")
print(open(args.config["opt"].get("file", "notes.txt")).read())
"""


@pytest.fixture
def churn(invoke: Invoke) -> Invoke:
    pytest.importorskip("pandas")
    invoke.write("prepare.py", PREPARE)
    invoke.write("train.py", TRAIN)
    invoke.write("data/c.csv", "id,age\n1,30\n2,40\n")
    invoke.write("pipeline.yaml", PIPELINE)
    return invoke


def ids(churn: Invoke) -> list[str]:
    """Return the ids of the runs, the newest first."""
    return [line.split()[0] for line in churn("runs.list").out.splitlines()[1:]]


@pytest.mark.parametrize("group", ["runs", "models", "datasets"])
def test_the_name_of_a_group_lists_it(churn, group):
    churn("run")

    assert churn(group) == churn(f"{group}.list")
    assert churn(group).status == 0


def test_runs_that_differ_are_shown_side_by_side(churn):
    churn("run")
    churn.write("data/c.csv", "id,age\n1,30\n2,40\n3,50\n")
    churn.write("train.py", TRAIN + "print('more')\n")
    churn("run", "--set", "train.lr=0.9")
    second, first = ids(churn)

    lines = churn("runs.compare").out.splitlines()

    assert [line.split() for line in lines[:2]] == [[first, second], ["experiment", "churn", "churn"]]
    assert max(map(len, lines)) <= 80
    text = "\n".join(re.sub(r" {2,}", "  ", line.strip()) for line in lines)
    assert "settings\ntrain.lr  0.5  0.9\n" in text
    assert "metrics\nprepare.rows  2  3\ntrain.accuracy  0.1667  0.3\ntrain.loss  0.5  0.9\n" in text
    assert re.search(r"inputs\nprepare customers  [0-9a-f]{12}  [0-9a-f]{12}\n", text)
    assert re.search(r"files\ntrain\.py  [0-9a-f]{12}  [0-9a-f]{12}\n", text)
    assert re.search(r"\nthe same: 2 settings, .*1 file.*, \d+ packages", text)
    assert text.replace("\n", " ").endswith(" reads (other files, variables and models that the scripts read)")
    assert "settings" in lines
    assert [line[:11] for line in lines if "train.lr" in line] == ["  train.lr "]


def test_reads_of_a_step_that_one_of_the_runs_left_out_are_not_compared(churn):
    churn("run")
    churn("run", "--only", "prepare", "--set", "prepare.rows=6")

    found = json.loads(churn("runs.compare", "--json").out)

    assert found["different"]["steps"] == {"train": ["completed", None]}
    names = [*found["different"].get("reads", {}), *found["same"]["reads"]]
    assert {name.split()[0] for name in names} == {"prepare"}


def test_a_long_name_is_cut_in_its_middle(churn):
    churn.write("pipeline.yaml", PIPELINE.replace("lr: 0.5", f"lr: 0.5, {'a' * 40}_warmup: 1, {'a' * 40}_decay: 1"))
    churn("run")
    churn("run", *(word for name in ("warmup", "decay") for word in ("--set", f"train.{'a' * 40}_{name}=2")))

    names = [line.split()[0] for line in churn("runs.compare").out.splitlines() if line.startswith("  train.aa")]

    assert names == ["train.aa...aaaaaaaaaa_warmup", "train.aa...aaaaaaaaaaa_decay"]


def test_the_order_of_named_runs_is_kept_and_one_is_compared_with_the_run_before(churn):
    for lr in ("0.5", "0.6", "0.7"):
        churn("run", "--set", f"train.lr={lr}")
    third, second, first = ids(churn)

    def compared(*words: str) -> list[str]:
        return [run["id"] for run in json.loads(churn("runs.compare", "--json", *words).out)["runs"]]

    assert compared("--run", third, "--run", first, "--run", second) == [third, first, second]
    assert compared("--run", second) == [first, second]
    assert churn("runs.compare", "--run", first) == Answer(
        "", f"there is no run of the experiment 'churn' before {first} to compare it with\n", 1
    )
    assert churn("runs.compare", "--json", "--csv") == Answer("", "use either --json or --csv, not both\n", 2)


def test_a_comparison_is_json_and_csv_with_exact_values(churn):
    churn("run")
    churn("run", "--set", "train.lr=0.9", "--set", "train.opt.name==SUM(A1)")

    found = json.loads(churn("runs.compare", "--json").out)
    rows = list(csv.reader(io.StringIO(churn("runs.compare", "--csv").out)))

    assert found["different"]["settings"] == {"train.lr": [0.5, 0.9], "train.opt.name": ["adam", "=SUM(A1)"]}
    assert found["different"]["metrics"]["train.accuracy"] == [0.5 / 3, 0.9 / 3]
    assert found["same"]["settings"] == {"prepare.rows": 5}
    assert rows[0] == ["section", "name", *(run["id"] for run in found["runs"])]
    assert ["settings", "train.lr", "0.5", "0.9"] in rows
    assert ["settings", "train.opt.name", "adam", "'=SUM(A1)"] in rows  # which no spreadsheet computes
    assert ["metrics", "train.accuracy", repr(0.5 / 3), repr(0.9 / 3)] in rows


def test_reads_that_differ_are_named(churn):
    churn.write("a.txt", "a")
    churn.write("pipeline.yaml", PIPELINE.replace("{name: adam}", f"{{file: {churn.folder / 'a.txt'}}}"))
    churn("run")
    churn.write("a.txt", "b")
    churn("run")

    found = json.loads(churn("runs.compare", "--json").out)["different"]

    assert [name for name in found["reads"] if name.endswith("a.txt")] == ["train a.txt"]
    assert "files" not in found


def test_what_only_one_run_read_outside_of_the_project_is_no_difference(churn, tmp_path_factory):
    """Such as what a library reads when it is imported: in some runs by the step, in others before it starts."""
    outside = tmp_path_factory.mktemp("outside")
    for folder in (outside, churn.folder):
        (folder / "mine.txt").write_text("x")
    # Not the names of the files themselves, which would count as read.
    folders = f"{str(outside)!r}, {str(churn.folder)!r}"
    churn.write(
        "train.py",
        TRAIN + "import os\nprint(os.environ.get('ALWAYS'))\n"
        "if args.config['lr'] > 0.6:\n    print(os.environ.get('MODE'))\n"
        f"    for folder in ({folders}): print(open(folder + '/' + 'mine' + '.txt').read())\n",
    )
    churn("run")
    churn("run", "--set", "train.lr=0.9")

    found = json.loads(churn("runs.compare", "--json").out)

    assert [*found["different"]["reads"]] == ["train mine.txt"]
    assert "train variable ALWAYS" in found["same"]["reads"]


def test_runs_are_listed_with_metrics_and_sorted_by_one(churn):
    for lr in ("0.6", "0.9", "0.3"):
        churn("run", "--set", f"train.lr={lr}")
    third, second, first = ids(churn)

    def column(*words: str) -> list[tuple[str, ...]]:
        return [(line.split()[0], *line.split()[-2:]) for line in churn("runs.list", *words).out.splitlines()]

    assert column("--metrics", "accuracy,prepare.rows", "--sort", "accuracy") == [
        ("RUN", "ACCURACY", "PREPARE.ROWS"),
        (second, "0.3", "2"),
        (first, "0.2", "2"),
        (third, "0.1", "2"),
    ]
    assert [row[0] for row in column("--sort", "loss", "--reverse")] == ["RUN", third, first, second]
    assert [row[0] for row in column("--sort", "started", "--reverse")] == ["RUN", first, second, third]
    assert churn("runs.list", "--metrics", "acuracy") == Answer(
        "", "no run has the metric 'acuracy'; did you mean 'accuracy'?\n", 2
    )
    assert churn("runs.list", "--sort", "zzz").err.startswith(
        "no run has the metric 'zzz'; the metrics are prepare.rows, train.accuracy, "
    )


def test_a_metric_that_some_runs_have_is_a_dash_in_the_others_and_a_name_that_none_has_is_explained(churn):
    churn("run")
    churn.write("train.py", TRAIN + "run.log('epochs', 3)\n")
    churn("run")
    second, first = ids(churn)

    rows = [line.split() for line in churn("runs.list", "--metrics", "accuracy,epochs").out.splitlines()]

    assert [(row[0], *row[-2:]) for row in rows[1:]] == [(second, "0.1667", "3"), (first, "0.1667", "-")]
    for name, hint in (
        ("epoch", "did you mean 'epochs'?"),
        ("lr", "train.lr is a setting, and `invoke runs.compare` shows those that differ"),
    ):
        assert churn("runs.list", "--metrics", f"accuracy,{name}") == Answer(
            "", f"no run has the metric '{name}'; {hint}\n", 2
        )


def test_what_runs_are_sorted_by_is_shown(churn):
    churn("run")

    lines = churn("runs.list", "--metrics", "rows", "--sort", "accuracy").out.splitlines()

    assert lines[0].split() == ["RUN", "STATUS", "STARTED", "TIME", "ROWS", "ACCURACY"]
    assert lines[1].split()[-2:] == ["2", "0.1667"]


def test_runs_are_listed_by_status(churn):
    churn("run")
    churn.write("train.py", "1 / 0\n")
    churn("run")
    failed, completed = ids(churn)

    assert [line.split()[0] for line in churn("runs.list", "--status", "failed").out.splitlines()] == ["RUN", failed]
    assert [line.split()[0] for line in churn("runs.list", "--status=completed", "--most", "1").out.splitlines()] == [
        "RUN",
        completed,
    ]
    assert churn("runs.list", "--status", "running") == Answer("no runs with the status 'running'\n", "", 0)
    assert churn("runs.list", "--status", "faild") == Answer(
        "",
        "--status must be one of waiting, running, completed, failed, cancelled, interrupted, not 'faild'; did you "
        "mean 'failed'?\n",
        2,
    )


def test_runs_are_json_in_one_form_with_a_version(churn):
    assert json.loads(churn("runs.list", "--json").out) == {"version": 1, "runs": []}
    churn("run", "--set", "train.lr=0.9")
    (run_id,) = ids(churn)

    listed = json.loads(churn("runs.list", "--json").out)
    shown = json.loads(churn("runs.show", "--json").out)

    (run,) = listed["runs"]
    assert (listed["version"], shown["version"], run["id"], run["status"]) == (1, 1, run_id, "completed")
    assert run["command"] == "invoke run --set train.lr=0.9"
    assert run["settings"]["train"] == {"lr": 0.9, "opt": {"name": "adam"}}
    assert datetime.fromisoformat(run["started"]).tzinfo
    prepare, train = run["steps"]
    assert prepare["metrics"] == {"rows": 2}
    assert train["metrics"] == {"accuracy": 0.3, "loss": 0.9}
    # The run itself is the same, with more.
    assert {key: shown["run"][key] for key in run if key != "steps"} == {
        key: value for key, value in run.items() if key != "steps"
    }
    more = shown["run"]["steps"][1]
    assert {key: more[key] for key in train} == train
    assert more["series"] == {"loss": [3, 2, 0.9]}
    assert (more["files"], more["models"], more["child_runs"]) == ([], [], [])
    assert churn("runs.list", "--json", "--sort", "loss").status == 2


def test_many_metrics_are_cut_and_all_are_in_json(churn):
    churn.write("train.py", TRAIN + "for n in range(300): run.log(f'm{n}', n); run.tag(f't{n}', n)\n")
    churn("run")
    (run_id,) = ids(churn)

    lines = churn("runs.show").out.splitlines()

    assert len(lines) < 60
    assert "  and 282 more metrics" in lines
    assert "  and 280 more tags" in lines
    assert lines[-1] == f"everything: `invoke runs.show --run {run_id} --json`"
    assert json.loads(churn("runs.show", "--json").out)["run"]["steps"][1]["metrics"]["m299"] == 299

    churn.write("train.py", TRAIN + "for n in range(300): run.log(f'm{n}', -n - 1)\n")
    churn("run")
    lines = churn("runs.compare").out.splitlines()
    second, first = ids(churn)
    assert "  and 280 more" in lines
    assert lines[-1] == f"everything: `invoke runs.compare --csv --run {first} --run {second}`"


def test_a_folder_that_changed_is_named_once(churn):
    churn.write("more/a.txt", "a")
    folder = churn.folder / "more"
    churn.write(
        "train.py",
        TRAIN
        + f"import os, pathlib\nfor path in pathlib.Path({str(folder)!r}).rglob('*'): print(path.stat().st_size)\n"
        f"print(os.listdir({str(folder)!r}))\n",
    )
    churn("run")
    churn.write("more/b.txt", "bb")

    assert churn("--dry", "run").out.count("the files in more changed") == 1
    churn("run")
    reads = json.loads(churn("runs.compare", "--json").out)["different"]["reads"]
    assert [name for name in reads if name.startswith("train files in more")] == ["train files in more"]


SECRETS = """\
from azureml.core import Run
run = Run.get_context()
for one in (run, run.parent, run.child_run("fold")):
    one.tag("password", "hush-hush")
    one.tag("note", "from https://me:token-of-mine@example.com/")
    one.tag("of the environment", "known-word")
    one.log("api_key", "hidden-too")
    one.log("where", "Server=x;Password=not-this-one;Database=y")
    one.log_row("row", secret="in-a-row", rows=3)
    one.log("rows", 3)
assert run.get_tags()["password"] == "hush-hush", run.get_tags()
assert run.get_metrics()["api_key"] == "hidden-too"
"""


def test_secrets_in_tags_and_metrics_are_shown_nowhere_and_the_script_reads_its_own(churn, monkeypatch):
    monkeypatch.setenv("SOME_PASSWORD", "known-word")
    churn.write("pipeline.yaml", "backend: local\nsteps: {one: {script_name: one.py}}\n")
    churn.write("one.py", SECRETS)
    assert churn("run").status == 0
    churn.write("one.py", SECRETS.replace("rows=3", "rows=4"))
    churn("run")

    shown = [
        churn(*words).out
        for words in (
            ("runs.show",),
            ("runs.list", "--metrics", "api_key,where,row.secret,rows"),
            ("runs.compare",),
            ("runs.compare", "--json"),
            ("runs.compare", "--csv"),
        )
    ]
    page = (churn.folder / churn("runs.report").out.strip()).read_text()
    listed = str(azml_tasks.list_runs(churn.folder))

    assert "  tag password = ***\n" in shown[0]
    assert "rows = 3\n" in shown[0]
    for secret in ("hush-hush", "token-of-mine", "known-word", "hidden-too", "not-this-one", "in-a-row"):
        assert [text for text in (*shown, page) if secret in text] == []
        assert secret == "known-word" or secret not in listed


def test_a_program_gets_runs_that_pandas_makes_a_table_of(churn):
    pandas = pytest.importorskip("pandas")
    churn("run", "--set", "train.lr=0.9")

    (run,) = azml_tasks.list_runs(churn.folder)
    frame = pandas.DataFrame([run])

    assert (run["status"], run["metrics.prepare.rows"], run["settings.train.opt.name"]) == ("completed", 2, "adam")
    assert isinstance(run["started"], datetime)
    assert frame["metrics.train.accuracy"].tolist() == [0.9 / 3]
    with pytest.raises(ProjectError):
        azml_tasks.list_runs(churn.folder.parent)


def test_the_page_about_a_run_is_written_and_opened(churn, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    churn("run")
    churn("run", "--set", "train.lr=0.9")
    newest, first = ids(churn)

    assert churn("--dry", "runs.report").out == f"would write .azml/reports/{newest}.html\n".replace("/", os.sep)
    answer = churn("runs.report", "--open")
    other = churn("runs.report", "--run", first, "--to", "pages/first.html")

    file = churn.folder / ".azml" / "reports" / f"{newest}.html"
    page = file.read_text(encoding="utf-8")
    assert comparable(answer.out) == ".azml/reports/RUN.html\n".replace("/", os.sep)
    assert opened == [file.as_uri()]
    assert f"Changes since {first}" in page
    assert '<span class="before"><span class="hidden">before: </span>0.5</span>' in page
    assert other.out == "pages/first.html\n".replace("/", os.sep)
    assert "Changes since" not in (churn.folder / "pages" / "first.html").read_text(encoding="utf-8")


def test_a_page_has_no_secret_of_the_environment_or_of_env(churn, monkeypatch):
    monkeypatch.setenv("CHURN_TOKEN", "from-environment")
    churn.write(".env", "STORAGE_KEY=from-dotenv\n")
    churn.write(
        "train.py", TRAIN + "print('from-', 'environment', sep=''); print('from-' + 'dotenv')\nraise KeyError\n"
    )
    churn("run")

    churn("runs.report", "--to", "page.html")

    page = (churn.folder / "page.html").read_text(encoding="utf-8")
    assert "KeyError" in page
    assert "from-environment" not in page
    assert "from-dotenv" not in page


def test_a_page_that_cannot_be_written_is_one_sentence(churn):
    churn("run")
    churn.write("file", "")

    answer = churn("runs.report", "--to", "file/page.html")

    assert (answer.out, answer.status) == ("", 2)
    assert re.fullmatch(r"cannot write .*page\.html: .+\n", answer.err)


def test_a_page_is_not_written_through_a_link_or_to_a_pipe(churn):
    churn("run")
    (churn.folder / "page.html").symlink_to(churn.folder.parent / "elsewhere.html")
    os.mkfifo(churn.folder / "pipe")

    assert churn("runs.report", "--to", "page.html") == Answer(
        "", "page.html is a link to outside its folder; delete it, or use another name\n", 2
    )
    assert churn("runs.report", "--to", "pipe") == Answer("", "pipe is not a file; use another name\n", 2)
    assert not (churn.folder.parent / "elsewhere.html").exists()


def test_a_page_replaces_an_earlier_one_and_no_other_file(churn):
    churn("run")
    churn.write("index.html", "<!DOCTYPE html><footer>mine</footer>")

    assert churn("runs.report", "--to", "index.html") == Answer(
        "", "index.html exists and is not a page of runs.report; delete it, or use another name\n", 2
    )
    assert (churn.folder / "index.html").read_text(encoding="utf-8") == "<!DOCTYPE html><footer>mine</footer>"
    assert [churn("runs.report", "--to", "page.html") for _ in range(2)] == [Answer("page.html\n", "", 0)] * 2


def test_reports_of_deleted_runs_are_pruned(churn):
    churn("run")
    churn("run", "--force")
    newest, first = ids(churn)
    for run in (newest, first):
        churn("runs.report", "--run", run)
    churn.write(".azml/reports/of-azure.html", "")

    churn("runs.prune", "--keep", "1")

    assert {file.stem for file in (churn.folder / ".azml" / "reports").iterdir()} == {newest, "of-azure"}


def test_inputs_of_a_step_that_failed_are_not_compared_and_its_error_is_shown(churn):
    churn("run")
    churn.write("train.py", TRAIN + "raise ValueError('no rows\\nsince May')\n")
    churn("run")
    failed = ids(churn)[0]

    compared = churn("runs.compare").out.splitlines()
    shown = churn("runs.show").out.splitlines()

    assert [line for line in compared if "recorded" in line or "not compared" in line] == [
        f"not compared: inputs and reads of train, not completed in {failed}"
    ]
    assert not [line for line in compared if line.startswith("  train ") and "input" in line]
    assert shown[shown.index("train") :][:3] == [
        "train",
        "  settings lr=0.5, opt={name: adam}",
        "  error ValueError: no rows",
    ]


def test_a_run_whose_first_step_failed_is_compared_with_one_that_completed(churn):
    churn("run")
    churn.write("prepare.py", PREPARE + "raise SystemExit('no data')\n")
    churn("run")
    failed = ids(churn)[0]

    lines = churn("runs.compare").out.splitlines()

    about = lines[[place for place, line in enumerate(lines) if not line][-1] + 1 :]
    assert about[:2] == ["not compared: inputs and reads of prepare and train, not completed in", f"  {failed}"]
    assert about[2].startswith("the same: ")
    assert "  error no data" in churn("runs.show").out.splitlines()


def test_what_python_and_packages_read_is_one_read(churn):
    churn.write(
        "train.py",
        TRAIN + "import json, os, sys\nprint(len(os.listdir(os.path.dirname(json.__file__))))\n"
        "print(os.path.getsize(json.__file__), os.path.exists(os.path.join(sys.prefix, 'pyvenv.cfg')))\n",
    )
    churn("run")
    churn("run", "--set", "train.lr=0.9")

    reads = json.loads(churn("runs.compare", "--json").out)["same"]["reads"]

    names = [name for name in reads if name.startswith("train ") and "variable" not in name]
    assert names == ["train files of Python and its packages"]

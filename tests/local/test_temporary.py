"""Files that a script makes without saying where lie with its step, and go with it."""

from __future__ import annotations

import pytest

from azml_tasks.local.prune import prune
from tests.local.conftest import BEGINNING, Project

PIPELINE = """\
    steps:
      one: {script_name: one.py}
      two: {script_name: two.py}
    datasets:
      images: {type: file, local_path: images}
      customers: {local_path: customers.csv}
"""
LOOK = """\
import atexit
from azureml.core import Dataset
images = Dataset.get_by_name(run.experiment.workspace, "images")
mounted = images.mount()
mounted.start()
atexit.register(mounted.stop) if {stops} else None
print(sorted(os.listdir(mounted.mount_point)), [open(path).read() for path in images.download()])
step = pathlib.Path.cwd().parent
print(mounted.mount_point.startswith(str(step / "temporary")))
{ending}
"""


@pytest.fixture
def churn(project: Project, tmp_path, monkeypatch) -> Project:
    """Return a project with data, in a process whose temporary folder is its own."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    return project.write({"images/a.txt": "A", "images/b.txt": "B", "customers.csv": "id\n1\n2\n"})


@pytest.mark.parametrize("stops", [True, False])
@pytest.mark.parametrize(
    ("ending", "status"), [("", "completed"), ("1 / 0", "failed"), ("sys.stdout.flush(); os._exit(3)", "failed")]
)
def test_mounts_and_downloads_are_gone_when_the_step_has_ended(churn, tmp_path, stops, ending, status):
    churn.pipeline(PIPELINE, one=BEGINNING + LOOK.format(stops=stops, ending=ending), two="")

    run = churn.run(only="one")

    assert churn.statuses(run)["one"] == status
    assert churn.log(run, "one").splitlines()[:2] == ["['a.txt', 'b.txt'] ['A', 'B']", "True"]
    assert not run["one"].places.temporary.exists()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert sorted(path.name for path in (churn.folder / "images").iterdir()) == ["a.txt", "b.txt"]


def test_a_registered_dataset_keeps_the_files_that_it_was_made_of(churn, tmp_path):
    pytest.importorskip("pandas")
    register = """
from azureml.core import Dataset
ws = run.experiment.workspace
Dataset.get_by_name(ws, "customers").to_csv_files().register(ws, "rows", create_new_version=True)
"""
    read = """
from azureml.core import Dataset
print([open(path).read() for path in Dataset.get_by_name(run.experiment.workspace, "rows").download("here")])
"""
    churn.pipeline(PIPELINE, one=BEGINNING + register, two=BEGINNING + read)
    churn.run()
    for number in range(3):
        last = churn.write({"two.py": BEGINNING + read + f"# {number}\n"}).run()

    prune(churn.folder, keep=1)

    again = churn.run(only="two")
    assert churn.log(last, "two") == churn.log(again, "two") == "['id\\n1\\n2\\n']\n"
    assert list((tmp_path / "tmp").iterdir()) == []

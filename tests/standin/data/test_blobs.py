"""What a script reads from a datastore: the data of declared datasets, and what scripts have put there."""

from __future__ import annotations

import json

import pytest

from tests.standin.step import Step

BEGINNING = """
    import json, os
    from azureml.core import Dataset, Run
    from azureml.data.datapath import DataPath

    ws = Run.get_context().experiment.workspace
    store = ws.datastores["churn_blob"]
"""


@pytest.fixture
def declaring(step: Step) -> Step:
    """Return a step of a project that declares a file, a folder and a pattern of a datastore, with data for each."""

    def declare(path: str | list[str], local: str, store: str = "churn_blob") -> None:
        described = {"paths": [path] if isinstance(path, str) else path, "local_path": str(step.project / local)}
        step.context.setdefault("data_of_datastores", {}).setdefault(store, []).append(described)

    declare("raw/t.csv", "data/table.csv")
    declare("imgs/", "data/imgs")
    declare("logs/**/*.txt", "data/logs")
    declare(["parts/a.csv", "parts/b.csv"], "data/parts")
    declare("glob", "data/glob/*.csv")
    declare("imgs", "data/elsewhere", store="other")
    files = {
        "data/table.csv": "a\n5\n",
        **{f"data/imgs/{name}": name for name in ("1.jpg", "2.png", "deep/3.jpg", "[x].jpg")},
        **{f"data/logs/{name}": name for name in ("a.txt", "deep/b.txt", "c.md")},
        **{f"data/parts/{name}": "p\n1\n" for name in ("a.csv", "b.csv")},
        **{f"data/glob/{name}": name for name in ("1.csv", "2.txt")},
        "data/elsewhere/no.jpg": "",
    }
    for name, content in files.items():
        step.write(name, content)
    return step


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("path", "names"),
    [
        ('(store, "raw/t.csv")', ["/t.csv"]),
        ('(store, "/raw//t.csv")', ["/t.csv"]),
        ('DataPath(store, "raw/t.csv")', ["/t.csv"]),
        ('store.path("raw/t.csv")', ["/t.csv"]),
        ('(store, "raw")', ["/t.csv"]),
        ('(store, "raw/*.csv")', ["/t.csv"]),
        ('(store, "imgs")', ["/1.jpg", "/2.png", "/[x].jpg", "/deep/3.jpg"]),
        ('(store, "imgs/1.jpg")', ["/1.jpg"]),
        ('(store, "imgs/[x].jpg")', ["/[x].jpg"]),
        ('(store, "imgs/deep")', ["/3.jpg"]),
        ('(store, "imgs/*.jpg")', ["/1.jpg", "/[x].jpg"]),
        ('(store, "imgs/**/*.jpg")', ["/1.jpg", "/[x].jpg", "/deep/3.jpg"]),
        ('(store, "imgs/**")', ["/1.jpg", "/2.png", "/[x].jpg", "/deep/3.jpg"]),
        ('(store, "*/deep/*")', ["/imgs/deep/3.jpg", "/logs/deep/b.txt"]),
        ('(store, "logs/**/*.txt")', ["/a.txt", "/deep/b.txt"]),
        ('(store, "logs")', ["/a.txt", "/c.md", "/deep/b.txt"]),
        ('(store, "parts/b.csv")', ["/b.csv"]),
        ('(store, "parts")', ["/a.csv", "/b.csv"]),
        ('(store, "glob")', ["/1.csv"]),
        ('[(store, "imgs/1.jpg"), (store, "raw/t.csv")]', ["/imgs/1.jpg", "/raw/t.csv"]),
        ('[(store, "imgs/1.jpg"), (store, "imgs/deep/3.jpg")]', ["/1.jpg", "/deep/3.jpg"]),
        ('(ws.datastores["workspaceblobstore"], "imgs")', "no file at STORES/workspaceblobstore/imgs"),
        ('(store, "imgs/none.jpg")', "no file at imgs/none.jpg of the datastore 'churn_blob'"),
        ('(store, "img")', "no file at STORES/churn_blob/img"),
    ],
)
def test_the_data_of_declared_datasets_are_found_by_datastore_and_path(declaring: Step, path, names):
    printed = declaring.run(
        BEGINNING
        + f"""
    try:
        print(json.dumps(Dataset.File.from_files({path}).to_path()))
    except Exception as error:
        print(json.dumps(str(error).replace(os.path.dirname(store.root), "STORES")))
    """
    )

    assert json.loads(printed) == names


def test_what_scripts_have_put_into_the_datastore_lies_over_the_declared_data(declaring: Step):
    printed = declaring.run(
        BEGINNING
        + """
    os.makedirs("up/deep")
    for name in ("1.jpg", "4.jpg", "deep/5.jpg"):
        open("up/" + name, "w").write("uploaded " + name)
    store.upload("up", "imgs", show_progress=False)
    files = Dataset.File.from_files((store, "imgs/**/*.jpg"))
    print(files.to_path())
    print(sorted(open(path).read() for path in files.download()))
    print(Dataset.File.from_files((store, "imgs/4.jpg")).to_path())
    print(store.download("all", prefix="imgs"), sorted(os.listdir("all/imgs")), open("all/imgs/2.png").read())
    """
    )

    assert printed.splitlines() == [
        "['/1.jpg', '/4.jpg', '/[x].jpg', '/deep/3.jpg', '/deep/5.jpg']",
        "['[x].jpg', 'deep/3.jpg', 'uploaded 1.jpg', 'uploaded 4.jpg', 'uploaded deep/5.jpg']",
        "['/4.jpg']",
        "6 ['1.jpg', '2.png', '4.jpg', '[x].jpg', 'deep'] 2.png",
    ]
    assert (declaring.project / "data/imgs/1.jpg").read_text() == "1.jpg"


@pytest.mark.thorough
def test_a_table_and_a_mounted_folder_of_declared_data_can_be_read_and_registered(declaring: Step):
    pytest.importorskip("pandas")
    printed = declaring.run(
        BEGINNING
        + """
    table = Dataset.Tabular.from_delimited_files((store, "raw/t.csv"))
    print(table.to_pandas_dataframe()["a"].tolist())
    files = Dataset.File.from_files((store, "imgs")).register(ws, "found")
    with Dataset.get_by_name(ws, "found").mount() as mounted:
        print(sorted(os.listdir(mounted.mount_point)))
    print(os.listdir(str(store.path("imgs/deep"))))
    """
    )

    assert printed.splitlines() == ["[5]", "['1.jpg', '2.png', '[x].jpg', 'deep']", "['3.jpg']"]
    registered = json.loads((declaring.project / ".azml/datasets/found/1.json").read_text())
    assert registered["definition"]["paths"] == ["azureml://datastores/churn_blob/paths/imgs"]

"""What the text of a step's scripts tells of what it may use without naming it as an input."""

from __future__ import annotations

from pathlib import Path

import pytest

from azml_tasks.local.layout import Layout
from azml_tasks.local.mentions import Mentions, noted_reads
from azml_tasks.reading import load_project
from azml_tasks.snapshot import build_snapshot


@pytest.fixture
def mentions(tmp_path: Path):
    """Return what is told by a script of that text, with those arguments, beside a module and a text file."""

    def told(script: str | bytes, *argv: str) -> Mentions:
        content = script if isinstance(script, bytes) else script.encode()
        for name, text in (
            ("train.py", b"import lib\n" + content),
            ("lib.py", b"x = 'LIB_TOKEN'"),
            ("notes.txt", b"Model"),
        ):
            (tmp_path / name).write_bytes(text)
        return Mentions(build_snapshot(tmp_path, ".", "train.py", ["notes.txt"]), tmp_path, argv)

    return told


URL = "postgres://u:p@h/d"


def test_a_url_with_a_password_is_given_to_the_step_that_asks_for_it(mentions):
    outer = {"DATABASE_URL": URL, "OTHER_URL": URL, "HOME_URL": "https://h/d"}

    asked = mentions("run.get_secret('database-url'), run.get_secret('home-url')").secrets(outer)

    assert asked == {"DATABASE_URL": URL}


OUTER = {"DB_KEY": "1", "Db_Password": "2", "LIB_TOKEN": "3", "OTHER_KEY": "4", "ORDINARY": "5"}


@pytest.mark.parametrize(
    ("script", "argv", "names"),
    [
        ("run.get_secret('db-key')", [], ["DB_KEY", "LIB_TOKEN"]),
        ("run.get_secret('db_PASSWORD')", [], ["Db_Password", "LIB_TOKEN"]),
        ("run.get_secret(sys.argv[1])", ["other-key"], ["LIB_TOKEN", "OTHER_KEY"]),
        ("run.get_secret('ordinary')  # not the whole word: DB_KEYS", [], ["LIB_TOKEN"]),
        ("os.environ['DB_KEY']", [], []),
    ],
)
def test_a_step_that_asks_for_secrets_gets_those_whose_names_it_has(mentions, script, argv, names):
    assert mentions(script, *argv).secrets(OUTER) == {name: OUTER[name] for name in names}


DATASETS = ["data/a.csv", "more/*.csv", ".azml/datasets"]


@pytest.mark.parametrize(
    ("script", "places"),
    [
        ("import azureml.core\nDataset.get_by_name(ws, 'x')", DATASETS),
        ("import azureml.core\nDataset.get_by_id(ws, 'x')", DATASETS),
        ("import azureml.core\nws.datasets['x']", DATASETS),
        ("from azureml.core import Model\nModel(ws, 'x')", [".azml/models"]),
        ("from azureml.core import Model as M\nM(ws, 'x')", [".azml/models"]),
        ("import azureml.core.model as m\nm.Model(ws, 'x')", [".azml/models"]),
        ("from azureml.core import Dataset, Datastore, Model, Run\nModel.register(ws, 'x', 'x')", []),
        ("if 1:\n    from azureml.core.model import Model\n    Model.registered", [".azml/models"]),
        ("from azureml.core import Run\nrun.register_model('x')", []),
        ("import azureml.core\nget_model_path('x')", [".azml/models"]),
        ("import azureml.core\nws.models", [".azml/models"]),
        ("import azureml.core\nDatastore(ws, 'x')", [".azml/datastores"]),
        ("import azureml.core\nws.datastores", [".azml/datastores"]),
        ("import azureml.core\nws.get_default_datastore()", [".azml/datastores"]),
        (
            "import azureml.core\nModel, Datastore, ws.datasets",
            [*DATASETS, ".azml/models", ".azml/datastores"],
        ),
        ("import azureml.core\nMyModel, target_by_name, datasets, models, Datastores, forget_by_idea", []),
        ("import azureml.core\nxget_by_name, get_by_names, xget_by_id, get_by_ids, ws.datasets_of", []),
        ("import azureml.core\nMyModel, Models, xget_model_path, get_model_paths, ws.models_of", []),
        ("import azureml.core\nMyDatastore, Datastores, ws.datastores_of", []),
        ("import azureml.core\nxget_default_datastore, get_default_datastores", []),
        ("Dataset.get_by_name, Model, Datastore", []),
        (b"import azureml.core  # \xff\nModel", [".azml/models"]),
    ],
)
def test_what_a_step_may_read_of_the_workspace(tmp_path, mentions, script, places):
    (tmp_path / "pipeline.yaml").write_text(
        "datasets: {a: {local_path: data/../data/a.csv}, b: {local_path: more/*.csv}, c: {}}\n"
        "steps: {a: {script_name: a.py}}\n"
    )
    pipeline = load_project(tmp_path / "pipeline.yaml", variables={}).plan.pipeline
    if isinstance(script, bytes):
        script = b"# coding: latin-1\n" + script

    assert list(mentions(script).places(pipeline, Layout.of(tmp_path))) == places


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("import os\nos.environ['A']", ["the variable A"]),
        ('os.environ.get("B_1", "x"), os.getenv( "A")', ["the variable A", "the variable B_1"]),
        ("import os\nos.getenv('ALONE')", ["the variable ALONE"]),
        ("import os\nos.getenv( key = 'KEY', default='')", ["the variable KEY"]),
        ("from os import environ, getenv\nenviron['C'], getenv('D')", ["the variable C", "the variable D"]),
        ("if 'E' in os.environ or 'F' not in environ: ...", ["the variable E", "the variable F"]),
        ("os.environ.setdefault(\n    'G', '1')", ["the variable G"]),
        ("os.environ[name], getenv(name), environment['H'], xgetenv('I')", []),
        ("from azureml.core import Dataset\nDataset.get_by_name(ws, 'x')", ["the datasets of pipeline.yaml"]),
        ("from azureml.core import Datastore\nDatastore(ws, 'x')", ["the datastores of pipeline.yaml"]),
        ("from azureml.core import Dataset, Datastore, Run\nrun.input_datasets", []),
        ("from azureml.core import Run\nrun.parent.get_metrics()", ["the runs of the steps before it"]),
        ("from azureml.core import Run\nlist(experiment.get_runs())", ["the runs of the steps before it"]),
        ("from azureml.core import Run\nfor child in top.get_children(): ...", ["the runs of the steps before it"]),
        ("from azureml.core import Run\nRun.get_context().parent.id", ["the runs of the steps before it"]),
        ("from azureml.core import Run\nup = run.parent\nup.name", ["the runs of the steps before it"]),
        ("from azureml.core import Run\nPath(run.id).name, run.parent", ["the runs of the steps before it"]),
        ("from azureml.core import Run\npathlib.Path(os.path.abspath(__file__)).resolve().parent.parent", []),
        ("from azureml.core import Run\nsys.path.append(str(Path(__file__).parent))", []),
        ("from azureml.core import Run\n(out / 'a').parent.mkdir(parents=True)\nfile.parent.parent / 'x'", []),
        ("pathlib.Path(x).parent, get_by_name, Datastore", []),
    ],
)
def test_the_facts_that_a_step_may_look_up(mentions, script, names):
    assert list(mentions(script).facts()) == names


def test_what_a_script_noted_as_read_is_told_by_its_path_from_the_project(tmp_path):
    layout = Layout.of(tmp_path)
    places = layout.run("1").step("a")
    assert noted_reads(places, layout) == set()

    places.root.mkdir(parents=True)
    lines = (f'{{"path": "{tmp_path}/data/a.csv"}}', '{"other": 1}', f'{{"path": "{tmp_path.parent}/b.csv"}}', '{"path')
    (places.root / "reads.jsonl").write_text("\n".join(lines))
    assert noted_reads(places, layout) == {"data/a.csv", "../b.csv"}

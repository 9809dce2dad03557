"""The workspace, its datastores and its secrets."""

from __future__ import annotations

import pytest

from azml_tasks.standin.azml_local.formats.surroundings import read_env_file
from tests.standin.step import Step


def test_every_way_to_the_workspace_gives_the_runs_own(step: Step) -> None:
    script = """
        import json
        from azureml.core import Experiment, Run, Workspace

        run = Run.get_context()
        found = [run.experiment.workspace, Workspace.get("churn-ws", subscription_id="x", resource_group="y"),
                 Workspace.from_config(), Workspace("x", "y", "Churn-WS"), Workspace.from_config(path="no/config.json")]
        print(json.dumps({
            "found": [[w.name, w.resource_group, w.subscription_id] for w in found],
            "experiment": [Experiment(workspace=found[0], name="other").name, list(found[0].experiments)],
            "empty": [found[0].compute_targets, found[0].webservices],
            "details": found[0].get_details()["name"],
        }))
    """

    assert step.answers(script) == {
        "found": [["churn-ws", "churn-rg", "0000-1111"]] * 5,
        "experiment": ["other", ["churn"]],
        "empty": [{}, {}],
        "details": "churn-ws",
    }


def test_another_workspace_is_refused_in_a_sentence(step: Step) -> None:
    printed = step.run("""
        from azureml.core import Workspace

        try:
            Workspace.get("prod-ws")
        except Exception as error:
            print(type(error).__name__, error)
    """)

    assert printed == (
        "UserErrorException this run's workspace is 'churn-ws'; 'prod-ws' cannot be opened, because a local run "
        "never connects to Azure\n"
    )


def test_a_datastore_is_a_folder(step: Step) -> None:
    step.write(".azml/datastores/churn_blob/raw/kept.txt", "kept")
    script = """
        import json, os
        from azureml.core import Datastore, Run

        ws = Run.get_context().experiment.workspace
        store = Datastore.get(ws, "churn_blob")
        default = ws.get_default_datastore()
        os.makedirs("made/deep")
        for path in ("made/a.txt", "made/deep/b.txt"):
            open(path, "w").write(path)
        store.upload(src_dir="made", target_path="../raw", show_progress=False)
        store.upload_files(["made/a.txt"], target_path="raw", show_progress=False)
        open("made/a.txt", "w").write("changed")
        store.upload("made", "raw", show_progress=False)
        before = open(store.local_path("raw/a.txt")).read()
        reference = store.upload("made", "raw", overwrite=True, show_progress=False)
        print(json.dumps({
            "names": [store.name, default.name, list(ws.datastores), Datastore(ws, "churn_blob").name],
            "same": [Datastore(ws).root == default.root, Datastore.get_default(ws).root == default.root],
            "told": [store.container_name, store.account_name, store.datastore_type],
            "overwritten": [before, open(store.local_path("/raw/a.txt")).read()],
            "reference": [reference.path_on_datastore, str(reference) == store.local_path("raw")],
            "downloaded": [store.download("down", prefix="raw/deep"), store.download("down"), store.download("down")],
            "files": sorted(os.path.join(p, n) for p, _, names in os.walk("down") for n in names),
        }))
    """

    assert step.answers(script) == {
        "names": ["churn_blob", "workspaceblobstore", ["churn_blob", "workspaceblobstore"], "churn_blob"],
        "same": [True, True],
        "told": ["raw", "churnstore", "AzureBlob"],
        "overwritten": ["made/a.txt", "changed"],
        "reference": ["raw", True],
        "downloaded": [1, 2, 0],
        "files": ["down/raw/a.txt", "down/raw/deep/b.txt", "down/raw/kept.txt"],
    }


def test_what_is_wrong_with_a_datastore_is_reported_in_a_sentence(step: Step) -> None:
    printed = step.run("""
        from azureml.core import Datastore, Run

        ws = Run.get_context().experiment.workspace
        store = Datastore.get(ws, "churn_blob")
        for ask in (
            lambda: Datastore.get(ws, "churn_bolb"),
            lambda: store.upload("nothing"),
            lambda: store.upload_files(["nothing.csv"]),
            lambda: store.upload_files([__file__], relative_root="/elsewhere"),
            lambda: store.upload_files([__file__], target_path="a/../../out"),
        ):
            try:
                ask()
            except Exception as error:
                print(type(error).__name__, str(error).replace(__file__, "script.py"))
    """)

    assert printed.splitlines() == [
        "UserErrorException no datastore 'churn_bolb': it is not declared in pipeline.yaml; did you mean 'churn_blob'?",
        "UserErrorException cannot upload 'nothing': it is not a folder",
        "UserErrorException cannot upload 'nothing.csv': it is not a file",
        "UserErrorException cannot upload 'script.py': it is not in relative_root '/elsewhere'",
        "UserErrorException the path 'a/../../out/script.py' is outside the datastore 'churn_blob'",
    ]


def test_secrets_come_from_the_environment_and_the_env_file(step: Step) -> None:
    step.write(".env", "DB_KEY=from file\nexact-name='as it is'\nBOTH=from file\n")
    step.variables = {"BOTH": "from environment", "API_TOKEN": "t"}
    script = """
        import json
        from azureml.core import Keyvault, Run

        run = Run.get_context()
        vault = run.experiment.workspace.get_default_keyvault()
        print(json.dumps([
            run.get_secret(name="db-key"), run.get_secret("exact-name"), vault.get_secret("both"),
            Keyvault(run.experiment.workspace).get_secret("API_TOKEN"), run.get_secrets(["db-key", "none"]),
            vault.get_secrets(["api-token"]),
        ]))
    """

    assert step.answers(script) == [
        "from file",
        "as it is",
        "from environment",
        "t",
        {"db-key": "from file", "none": None},
        {"api-token": "t"},
    ]


def test_a_secret_that_is_not_there_names_what_to_set(step: Step) -> None:
    step.write(".env", "STORAGE_KEY=x\n")
    printed = step.run("""
        from azureml.core import Run

        try:
            Run.get_context().get_secret("storage-kye")
        except Exception as error:
            print(type(error).__name__, error)
    """)

    assert printed == (
        "UserErrorException no secret 'storage-kye': set STORAGE_KYE in .env or the environment; "
        "did you mean 'STORAGE_KEY'?\n"
    )


ENV_FILE = r"""
# a comment
PLAIN=one two # and a comment
export EXPORTED = x
SINGLE='a "b" # c \n'   # after
DOUBLE="a 'b' \"c\" \\ \n"
HASH=a#b
LINES="first
second"
EMPTY=
OPEN="never closed
EQUALS=a=b==
no assignment
=no name
"""


def test_an_env_file_is_read_as_dotenv_reads_it(tmp_path) -> None:
    file = tmp_path / ".env"
    file.write_text(ENV_FILE, encoding="utf-8")

    found = read_env_file(str(file))

    assert found == {
        "PLAIN": "one two",
        "EXPORTED": "x",
        "SINGLE": 'a "b" # c \\n',
        "DOUBLE": "a 'b' \"c\" \\ \n",
        "HASH": "a#b",
        "LINES": "first\nsecond",
        "EMPTY": "",
        "OPEN": '"never closed',
        "EQUALS": "a=b==",
    }
    dotenv = pytest.importorskip("dotenv")
    file.write_text(ENV_FILE.replace('OPEN="never closed\n', "").replace("no assignment\n=no name\n", ""))
    assert read_env_file(str(file)) == dotenv.dotenv_values(file, interpolate=False)

"""Models: a versioned registry in the project."""

from __future__ import annotations

import json
import sys

import pytest

from tests.standin.step import Step


def test_a_model_is_registered_found_and_downloaded(step: Step) -> None:
    script = """
        import json, os
        from azureml.core import Dataset, Model, Run
        from azureml.core.model import Dataset as SameDataset

        run = Run.get_context()
        ws = run.experiment.workspace
        os.mkdir("folder")
        open("folder/weights", "w").write("first")
        open("model.pkl", "w").write("second")
        customers = Dataset.get_by_name(ws, "customers")
        first = Model.register(workspace=ws, model_path="folder", model_name="churn", tags={"mse": 0.5},
                               datasets=[(Dataset.Scenario.TRAINING, customers)], description="small")
        Model.register(ws, "model.pkl", "churn", properties={"by": "me"}, model_framework=Model.Framework.SCIKITLEARN)
        Model.register(ws, "model.pkl", "other")
        latest, old = Model(ws, "churn"), Model(ws, "churn", version=1)
        path = old.download("here")
        copy = Model.get_model_path("churn")
        print(json.dumps({
            "latest": [latest.id, latest.version, latest.properties, latest.model_framework, latest.run_id],
            "old": [old.name, old.tags, old.description, old.created_time == first.created_time],
            "datasets": {scenario: [d.name for d in found] for scenario, found in old.datasets.items()},
            "files": [path, open(os.path.join(path, "weights")).read(), copy, open(copy).read()],
            "old file": os.listdir(Model.get_model_path("churn", version=1)),
            "listed": [m.id for m in Model.list(ws)],
            "churn": [m.id for m in Model.list(ws, name="churn")],
            "newest": sorted(m.id for m in Model.list(ws, latest=True)),
            "tagged": [m.id for m in Model.list(ws, tags=[["mse", "0.5"]])],
            "of workspace": sorted(ws.models),
            "utc": latest.created_time.tzinfo is not None,
            "by id": Model(ws, id="churn:1").version,
            "same": SameDataset is Dataset,
        }))
    """

    printed = step.run(script).splitlines()
    assert printed[:-1] == ["Registering model churn", "Registering model churn", "Registering model other"]
    assert json.loads(printed[-1]) == {
        "latest": ["churn:2", 2, {"by": "me"}, "ScikitLearn", None],
        "old": ["churn", {"mse": "0.5"}, "small", True],
        "datasets": {"training": ["customers"]},
        "files": ["here/folder", "first", "azureml-models/churn/2/model.pkl", "second"],
        "old file": ["weights"],
        "listed": ["other:1", "churn:2", "churn:1"],
        "churn": ["churn:2", "churn:1"],
        "newest": ["churn:2", "other:1"],
        "tagged": ["churn:1"],
        "of workspace": ["churn", "other"],
        "utc": True,
        "by id": 1,
        "same": True,
    }


def test_a_run_registers_its_own_files(step: Step) -> None:
    printed = step.run("""
        import os
        from azureml.core import Model, Run

        run = Run.get_context()
        os.makedirs("outputs/model")
        open("outputs/model/weights", "w").write("w")
        run.upload_folder("outputs/model", "outputs/model")
        model = run.register_model("churn", "outputs/model", tags={"a": "b"})
        print(model.id, model.run_id, model.run is run, model.experiment_name)
        run.upload_file("pkl", "outputs/model/weights")
        print(run.register_model(model_name="pkl").id, [m.id for m in Model.list(model.workspace, run_id=run.id)])
        try:
            run.register_model("churn", "outputs/modle")
        except Exception as error:
            print(type(error).__name__, error)
    """)

    assert printed.splitlines() == [
        "churn:1 churn-7_train True churn",
        "pkl:1 ['pkl:1', 'churn:1']",
        "ModelPathNotFoundException the run has no file 'outputs/modle' to register; "
        "it has: outputs/model/weights, pkl",
    ]


def test_a_deleted_version_is_gone_and_its_number_not_used_again(step: Step) -> None:
    printed = step.run("""
        from azureml.core import Model, Run

        ws = Run.get_context().experiment.workspace
        open("m", "w").close()
        Model.register(ws, "m", "churn")
        Model.register(ws, "m", "churn").delete()
        print([m.id for m in Model.list(ws)], Model.register(ws, "m", "churn").id)
    """)

    assert printed.splitlines()[-1] == "['churn:1'] churn:3"


def test_tags_properties_and_description_change(step: Step) -> None:
    printed = step.run("""
        from azureml.core import Model, Run

        ws = Run.get_context().experiment.workspace
        open("m", "w").close()
        model = Model.register(ws, "m", "churn", tags={"a": 1})
        model.add_tags({"b": "2"})
        model.remove_tags(["a"])
        model.add_properties({"p": "q"})
        model.update(description="better")
        again = Model(ws, "churn")
        print(again.tags, again.properties, again.description)
        try:
            model.add_properties({"p": "r"})
        except Exception as error:
            print(type(error).__name__, error)
    """)

    assert printed.splitlines()[1:] == [
        "{'b': '2'} {'p': 'q'} better",
        "WebserviceException the model already has the properties p, which cannot be changed",
    ]


def test_what_is_wrong_with_a_model_is_reported_in_a_sentence(step: Step) -> None:
    printed = step.run("""
        from azureml.core import Model, Run

        ws = Run.get_context().experiment.workspace
        open("m", "w").close()
        model = Model.register(ws, "m", "churn")
        model.download("here")
        for ask in (
            lambda: Model(ws, "chrun"),
            lambda: Model(ws, "churn", version=9),
            lambda: Model(ws),
            lambda: Model.get_model_path("chrun"),
            lambda: Model.register(ws, "missing.pkl", "churn"),
            lambda: Model.register(ws, "m", "a name"),
            lambda: Model.register(ws, "m", "a\\\\b"),
            lambda: Model.register(ws, "m", "x" * 300),
            lambda: Model.register(ws, "m", "churn", model_framework_version="1"),
            lambda: Model.list(ws, tags={"a": "b"}),
            lambda: model.download("here"),
        ):
            try:
                ask()
            except Exception as error:
                print(f"{type(error).__name__}: {error}")
    """)

    assert printed.splitlines()[1:] == [
        "WebserviceException: ModelNotFound: no model 'chrun' in this project's registry; did you mean 'churn'?",
        "WebserviceException: ModelNotFound: no model 'churn', version 9, in this project's registry",
        "WebserviceException: a model is looked up by its name or its ID",
        "ModelNotFoundException: ModelNotFound: no model 'chrun' in this project's registry; did you mean 'churn'?",
        "WebserviceException: cannot register the model 'churn': 'missing.pkl' does not exist",
        "WebserviceException: 'a name' is not a valid model name: it must have at most 255 letters, digits, dashes, "
        "periods and underscores, and start with a letter or digit",
        r"WebserviceException: 'a\\b' is not a valid model name: it must have at most 255 letters, digits, dashes, "
        "periods and underscores, and start with a letter or digit",
        f"WebserviceException: '{'x' * 60}...' is not a valid model name: it must have at most 255 letters, digits, "
        "dashes, periods and underscores, and start with a letter or digit",
        "WebserviceException: model_framework_version needs a model_framework",
        "UserErrorException: tags must be a list such as ['key', ['key2', 'value']], not dict",
        "WebserviceException: here/m already exists; pass exist_ok=True to overwrite it",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_models_registered_at_once_get_a_version_each(step: Step) -> None:
    step.run("""
        import os
        from azureml.core import Model, Run

        ws = Run.get_context().experiment.workspace
        open("m", "w").close()
        children = []
        for _ in range(4):
            pid = os.fork()
            if pid == 0:
                for _ in range(5):
                    Model.register(ws, "m", "churn")
                os._exit(0)
            children.append(pid)
        assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
        assert sorted(m.version for m in Model.list(ws)) == list(range(1, 21))
    """)

    assert sorted(path.name for path in (step.project / ".azml/models/churn").iterdir()) == sorted(
        str(number) for number in range(1, 21)
    )


@pytest.mark.thorough
@pytest.mark.parametrize(
    "damage",
    [
        *("", "[]", "3", "{", "{}", '{"file": 3}', '{"file": "model.pkl", "created_time": "yesterday"}'),
        '{"file": "../../x", "created_time": "2026-01-01T00:00:00+00:00"}',
        '{"file": "model.pkl", "created_time": "2026-01-01T00:00:00+00:00", "tags": [1]}',
        '{"file": "model.pkl", "created_time": "2026-01-01T00:00:00+00:00", "datasets": [3]}',
    ],
)
def test_a_version_whose_record_is_damaged_is_passed_over(step: Step, damage: str) -> None:
    script = f"""
        from azureml.core import Model, Run
        ws = Run.get_context().experiment.workspace
        open("model.pkl", "w").write("m")
        Model.register(ws, "model.pkl", "churn")
        Model.register(ws, "model.pkl", "churn")
        record = {str(step.project / ".azml/models/churn/2/model.json")!r}
        open(record, "w").write({damage!r})
        print(Model(ws, "churn").version, [model.id for model in Model.list(ws)])
    """

    printed = step.run(script).splitlines()

    assert "1 ['churn:1']" in printed
    assert [line for line in printed if "damaged" in line] == [
        f"azml-tasks: skipped {step.project}/.azml/models/churn/2/model.json: damaged"
    ]

"""Datasets are found by name, by id and as the step's inputs, and can be registered."""

from __future__ import annotations

import json

import pytest

from tests.standin.step import CUSTOMERS_ID, Step


def test_a_declared_dataset_is_found_by_name_by_id_and_as_an_input(step: Step) -> None:
    script = """
        import json
        from azureml.core import Dataset, Run
        from azureml.core.dataset import Dataset as SameDataset
        from azureml.data import TabularDataset

        run = Run.get_context()
        ws = run.experiment.workspace
        by_name = Dataset.get_by_name(ws, "customers")
        found = [by_name, Dataset.get_by_name(ws, name="customers", version=1), ws.datasets["customers"],
                 Dataset.get_by_id(ws, id=by_name.id), Dataset.get_all(ws)["customers"],
                 run.input_datasets["customers"]]
        print(json.dumps({
            "found": [[d.id, d.name, d.version, d.description, d.tags] for d in found],
            "tabular": all(isinstance(d, TabularDataset) for d in found),
            "names": [list(ws.datasets), len(ws.datasets), "customers" in ws.datasets, "x" in ws.datasets],
            "absent": [ws.datasets.get("x"), run.input_datasets.get("x")],
            "changed": by_name.data_changed_time.tzinfo is not None,
            "same": Dataset is SameDataset,
        }))
    """

    assert step.answers(script) == {
        "found": [[CUSTOMERS_ID, "customers", 1, None, {}]] * 6,
        "tabular": True,
        "names": [["customers"], 1, True, False],
        "absent": [None, None],
        "changed": True,
        "same": True,
    }


def test_inputs_are_datasets_or_paths_and_a_dict_of_the_scripts_own(step: Step) -> None:
    step.context["datasets"]["images"] = {
        "id": "5f0c7f2e-1111-4222-8333-444455556666",
        "type": "file",
        "mode": "mount",
        "local_path": "/data/images",
        "version": 3,
    }
    step.context["inputs"]["pictures"] = {"kind": "dataset", "dataset": "images", "path": "/data/images"}
    script = """
        import json
        from azureml.core import Dataset, Run

        run = Run.get_context()
        ws = run.experiment.workspace
        inputs = run.input_datasets
        inputs["mine"] = "set"
        merged = inputs["merged"]
        print(json.dumps({
            "names": list(inputs),
            "paths": [inputs["train_input_folder"], inputs["pictures"]],
            "kinds": [type(inputs["customers"]).__name__, type(merged).__name__],
            "kept": run.input_datasets["mine"],
            "table": [merged.name, Dataset.get_by_id(ws, merged.id).id == merged.id],
            "file": [Dataset.get_by_name(ws, "images").version, type(ws.datasets["images"]).__name__],
            "outputs": dict(run.output_datasets),
        }))
    """

    assert step.answers(script) == {
        "names": ["customers", "merged", "train_input_folder", "pictures", "mine"],
        "paths": [str(step.project / "made/merged"), "/data/images"],
        "kinds": ["TabularDataset", "TabularDataset"],
        "kept": "set",
        "table": [None, True],
        "file": [3, "FileDataset"],
        "outputs": {"train_output_folder": str(step.project / "made/train")},
    }


def test_a_name_that_is_not_there_gets_a_sentence(step: Step) -> None:
    printed = step.run("""
        from azureml.core import Dataset, Run

        run = Run.get_context()
        ws = run.experiment.workspace
        for ask in (
            lambda: Dataset.get_by_name(ws, "custmers"),
            lambda: Dataset.get_by_name(ws, "customers", version=4),
            lambda: Dataset.get_by_name(ws, "customers", version="newest"),
            lambda: Dataset.get_by_id(ws, "0-0"),
            lambda: ws.datasets["custmers"],
            lambda: run.input_datasets["mergd"],
            lambda: run.output_datasets["out"],
        ):
            try:
                ask()
            except (KeyError, Exception) as error:
                print(f"{type(error).__mro__[1].__name__}: {error}")
    """)

    unknown = "no dataset 'custmers': it is not declared in pipeline.yaml and no step has registered it"
    assert printed.splitlines() == [
        f"AzureMLException: {unknown}; did you mean 'customers'?",
        "AzureMLException: no version 4 of the dataset 'customers' on this machine; available: 1",
        "AzureMLException: 'newest' is not a dataset version; use a number or 'latest'",
        "AzureMLException: no dataset with the id '0-0' in this project",
        f"KeyError: {unknown}; did you mean 'customers'?",
        "KeyError: this step has no input 'mergd'; it has customers, merged, train_input_folder; "
        "did you mean 'merged'?",
        "KeyError: this step has no output 'out'; it has train_output_folder",
    ]


def test_a_dataset_that_a_step_registers_is_there_for_a_later_one(step: Step) -> None:
    first = step.answers("""
        import json
        from azureml.core import Dataset, Datastore, Run

        ws = Run.get_context().experiment.workspace
        store = Datastore.get(ws, "churn_blob")
        store.upload_files([__file__], target_path="scripts", show_progress=False)
        made = Dataset.File.from_files(path=(store, "scripts/*.py"))
        assert (made.id, made.name, made.version) == (None, None, None)
        kept = made.register(workspace=ws, name="my scripts", description="all", tags={"a": "b"})
        again = made.register(ws, "my scripts", create_new_version=True)
        other = made.take(1).register(ws, "my scripts", create_new_version=True)
        customers = made.register(ws, "customers", create_new_version=True)
        try:
            made.skip(1).register(ws, "my scripts")
        except Exception as error:
            refused = f"{type(error).__name__}: {error}"
        print(json.dumps([[d.name, d.version, d.id == kept.id] for d in (kept, again, other, customers)] + [refused]))
    """)
    later = step.answers("""
        import json
        from azureml.core import Dataset, Run

        ws = Run.get_context().experiment.workspace
        kept = Dataset.get_by_name(ws, "my scripts", version=1)
        kept.add_tags({"c": "d"}).update(description="changed")
        kept.remove_tags(["a"])
        kept = Dataset.get_by_id(ws, kept.id)
        told = [kept.description, kept.tags, kept.to_path(), list(ws.datasets), ws.datasets["customers"].version]
        kept.unregister_all_versions()
        print(json.dumps([*told, list(ws.datasets)]))
    """)

    assert first == [
        ["my scripts", 1, True],
        ["my scripts", 1, True],
        ["my scripts", 2, False],
        ["customers", 2, False],
        "UserErrorException: the dataset 'my scripts' already exists; pass create_new_version=True to register a "
        "new version",
    ]
    assert later == ["changed", {"c": "d"}, ["/script.py"], ["customers", "my scripts"], 2, ["customers"]]
    assert not (step.project / ".azml/datasets/my scripts").exists()
    assert json.loads((step.project / ".azml/datasets/customers/2.json").read_text())["name"] == "customers"


def test_files_of_a_file_dataset_are_listed_copied_and_mounted(step: Step) -> None:
    for name in ("a.txt", "deep/b.txt", "deep/c.txt"):
        step.write(f"images/{name}", name)
    step.context["datasets"]["images"] = {
        "id": "5f0c7f2e-1111-4222-8333-444455556666",
        "type": "file",
        "mode": "direct",
        "local_path": str(step.project / "images"),
        "version": 1,
    }
    script = """
        import json, os
        from azureml.core import Dataset, Run

        images = Dataset.get_by_name(Run.get_context().experiment.workspace, "images")
        with images.mount() as mounted:
            point = mounted.mount_point
            seen = open(os.path.join(point, "deep", "b.txt")).read()
        copies = images.download("copies")
        try:
            images.download("copies")
        except Exception as error:
            refused = str(error).replace(os.getcwd(), ".")
        kept, left = images.random_split(0.5, seed=1)
        print(json.dumps({
            "paths": images.to_path(),
            "mounted": [seen, os.path.exists(os.path.join(point, "a.txt"))],
            "copies": [os.path.relpath(path) for path in copies],
            "refused": refused,
            "again": len(images.take(2).download("copies", overwrite=True)),
            "some": [images.take(1).to_path(), images.skip(2).to_path()],
            "split": sorted(kept.to_path() + left.to_path()),
        }))
    """

    assert step.answers(script) == {
        "paths": ["/a.txt", "/deep/b.txt", "/deep/c.txt"],
        "mounted": ["deep/b.txt", False],
        "copies": ["copies/a.txt", "copies/deep/b.txt", "copies/deep/c.txt"],
        "refused": "./copies/a.txt already exists; pass overwrite=True or another target_path",
        "again": 2,
        "some": [["/a.txt"], ["/deep/c.txt"]],
        "split": ["/a.txt", "/deep/b.txt", "/deep/c.txt"],
    }


def test_a_declared_datasets_files_are_found_by_their_place_in_the_datastore(step: Step) -> None:
    described = {"paths": ["raw/customers.csv"], "local_path": str(step.project / "data/customers.csv")}
    step.context["data_of_datastores"] = {"churn_blob": [described]}
    printed = step.run("""
        from azureml.core import Dataset, Datastore, Run
        from azureml.data.datapath import DataPath

        ws = Run.get_context().experiment.workspace
        store = Datastore.get(ws, "churn_blob")
        place = "raw/customers.csv"
        for path in ((store, place), [DataPath(store, place)], store.path(place)):
            print(Dataset.File.from_files(path).to_path())
        for path in ("customers.csv", (store, "raw/none.csv"), [], (store, "../out")):
            try:
                Dataset.Tabular.from_delimited_files(path)
            except Exception as error:
                print(type(error).__name__, str(error).replace(store.root, "root"))
    """)

    invalid = "path must be a URL, a DataPath, a tuple of a datastore and a path, or a list of them"
    assert printed.splitlines() == [
        "['/customers.csv']",
        "['/customers.csv']",
        "['/customers.csv']",
        f"UserErrorException {invalid}",
        "UserErrorException no file at root/raw/none.csv",
        f"UserErrorException {invalid}",
        "UserErrorException the path '../out' is outside the datastore 'churn_blob'",
    ]


@pytest.mark.thorough
def test_the_patterns_of_a_declared_dataset_hold_for_its_local_folder(step: Step) -> None:
    for name, text in {"1.csv": "a\n5\n", "deep/2.csv": "a\n6\n", ".DS_Store": "\0", "notes.txt": "b\n"}.items():
        step.write(f"sales/{name}", text)
    described = {
        **step.context["datasets"]["customers"],
        "local_path": str(step.project / "sales"),
        "datastore_name": "churn_blob",
    }
    step.context["datasets"]["table"] = {**described, "path": ["raw/sales/**/*.csv"]}
    data = {"paths": ["raw/sales/**/*.csv"], "local_path": described["local_path"]}
    step.context["data_of_datastores"] = {"churn_blob": [data]}
    step.context["datasets"]["files"] = {**described, "path": ["raw/sales/*.csv"], "type": "file", "separator": None}

    assert step.answers("""
        import json
        from azureml.core import Dataset, Datastore, Run

        ws = Run.get_context().experiment.workspace
        store = Datastore.get(ws, "churn_blob")
        table = Dataset.get_by_name(ws, "table").to_pandas_dataframe()
        by_path = Dataset.Tabular.from_delimited_files((store, "raw/sales/**/*.csv")).to_pandas_dataframe()
        print(json.dumps([table["a"].tolist(), Dataset.get_by_name(ws, "files").to_path(), by_path["a"].tolist()]))
    """) == [[5, 6], ["/1.csv"], [5, 6]]


@pytest.mark.thorough
def test_what_the_sdk_refuses_when_it_makes_a_table_is_refused(step: Step) -> None:
    printed = step.run("""
        from azureml.core import Dataset, Run
        from azureml.data.dataset_factory import DataType

        store = Run.get_context().experiment.workspace.get_default_datastore()
        contents = {"none.csv": "a,b\\n", "day.csv": "a\\n1/2/2020\\n", "fine.csv": "a\\n5\\n"}
        for name, text in contents.items():
            with open(name, "w") as file:
                file.write(text)
        store.upload_files(list(contents), show_progress=False)
        make = Dataset.Tabular.from_delimited_files
        for name, options in (
            ("none.csv", {}),
            ("none.csv", {"validate": False, "infer_column_types": False}),
            ("day.csv", {}),
            ("day.csv", {"set_column_types": {"a": DataType.to_datetime()}}),
            ("day.csv", {"set_column_types": {"a": DataType.to_datetime("%d/%m/%Y")}}),
            ("fine.csv", {"separator": "||"}),
            ("fine.csv", {"encoding": "utf32"}),
        ):
            try:
                print(make((store, name), **options).to_pandas_dataframe().to_dict("list"))
            except Exception as error:
                print(str(error).replace(store.root, "root"))
    """)

    assert printed.splitlines() == [
        "the table at root/none.csv has no rows; Azure ML does not accept empty tables",
        "{}",
        "{'a': [Timestamp('2020-01-02 00:00:00')]}",
        "cannot detect the date format of 'a': month-day and day-month both fit; set it with DataType.to_datetime() "
        "in a script, or remove the type of the column",
        "{'a': [Timestamp('2020-02-01 00:00:00')]}",
        "a separator must be exactly one ASCII character, not '||'",
        "Azure ML does not support the encoding 'utf32'; "
        "the encodings are ascii, iso88591, latin1, utf16, utf8, windows1252",
    ]


@pytest.mark.thorough
def test_values_that_become_null_are_said_on_stderr(step: Step) -> None:
    step.write("data/customers.csv", "flag,n,rest\n" + "true,1,5\n" * 210 + "yes,1_000,x\nno,7,6\n")
    step.context["datasets"]["customers"]["set_column_types"] = {"flag": "boolean", "n": "long"}

    assert step.run("""
        from azureml.core import Run

        Run.get_context().input_datasets["customers"].to_pandas_dataframe()
    """).splitlines() == [
        "note: 'yes' in column 'flag' is not a valid boolean; it becomes null, and so does one more",
        "note: '1_000' in column 'n' is not a valid long; it becomes null",
        "note: 'x' in column 'rest' is not a valid long; it becomes null",
    ]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "damage",
    [
        *(
            "",
            "[]",
            "3",
            "{",
            "{}",
            '{"id": 3, "tags": {}, "definition": {}}',
            '{"id": "a", "tags": [], "definition": {}}',
        ),
        '{"id": "a", "tags": {}, "definition": {"kind": "file", "paths": [3], "steps": []}}',
        '{"id": "a", "tags": {}, "definition": {"kind": "file", "paths": "x", "steps": []}}',
        '{"id": "a", "tags": {}, "definition": {"kind": 3, "paths": [], "steps": []}}',
    ],
)
def test_a_registered_version_whose_record_is_damaged_is_passed_over(step: Step, damage: str) -> None:
    script = f"""
        from azureml.core import Dataset, Run
        ws = Run.get_context().experiment.workspace
        one, two = (Dataset.get_by_name(ws, "customers").take(number) for number in (1, 2))
        one.register(ws, "few")
        two.register(ws, "few", create_new_version=True)
        open({str(step.project / ".azml/datasets/few/2.json")!r}, "w").write({damage!r})
        print(Dataset.get_by_name(ws, "few").version, sorted(ws.datasets))
    """

    printed = step.run(script).splitlines()

    assert "1 ['customers', 'few']" in printed
    assert [line for line in printed if "damaged" in line] == [
        f"azml-tasks: skipped {step.project}/.azml/datasets/few/2.json: damaged"
    ]


def test_a_name_that_no_folder_can_have_is_refused_in_a_sentence(step: Step) -> None:
    printed = step.run("""
        from azureml.core import Dataset, Run
        ws = Run.get_context().experiment.workspace
        for name in ("", "x" * 300, "é" * 60):
            try:
                Dataset.get_by_name(ws, "customers").take(1).register(ws, name)
            except Exception as error:
                print(f"{type(error).__name__}: {error}")
    """)

    assert printed.splitlines() == [
        "UserErrorException: not a valid name of a dataset: it is empty",
        f"UserErrorException: not a valid name of a dataset: '{'x' * 60}...' is too long",
        f"UserErrorException: not a valid name of a dataset: '{'é' * 60}...' is too long",
    ]
    assert not (step.project / ".azml/datasets").exists()

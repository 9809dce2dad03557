"""The run that a script gets: who it is, its parent, its children, how it ends."""

from __future__ import annotations

import json

from tests.standin.step import Step


def test_the_run_of_a_step_has_its_names_and_ids(step: Step) -> None:
    script = """
        import json
        from azureml.core import Run
        from azureml.core.run import Run as SameRun, _OfflineRun

        run = Run.get_context()
        print(json.dumps({
            "same": run is SameRun.get_context(allow_offline=False) and run is Run.get_submitted_run(),
            "offline": isinstance(run, _OfflineRun),
            "a Run": isinstance(run, Run),
            "told": [run.id, run.name, run.type, run.status, run.number, run.description],
            "repr": repr(run),
            "experiment": [run.experiment.name, run.experiment.id],
            "workspace": run.experiment.workspace.name,
            "parent": [run.parent.id, run.parent.type, run.parent.parent],
            "properties": run.properties,
            "environment": run.get_details()["runDefinition"]["environment"],
        }))
    """

    assert step.answers(script) == {
        "same": True,
        "offline": False,
        "a Run": True,
        "told": ["churn-7_train", "Train the model", "azureml.StepRun", "Running", 1, None],
        "repr": "Run(Experiment: churn,\nId: churn-7_train,\nType: azureml.StepRun,\nStatus: Running)",
        "experiment": ["churn", "churn"],
        "workspace": "churn-ws",
        "parent": ["churn-7", "azureml.PipelineRun", None],
        "properties": {
            "azureml.runsource": "azureml.StepRun",
            "azureml.pipelinerunid": "churn-7",
            "StepType": "PythonScriptStep",
        },
        "environment": {"name": "churn-env", "version": None},
    }


def test_complete_and_the_context_manager_do_not_end_the_process(step: Step) -> None:
    printed = step.run("""
        from azureml.core import Run

        run = Run.get_context()
        with run:
            run.log("inside", 1)
        run.complete()
        run.log("after", 2)
        print("still here")
    """)

    assert printed == "still here\n"
    assert [record["name"] for record in step.records()] == ["inside", "after"]
    assert step.record("status.json") == {"status": "Completed"}


def test_fail_reports_why_and_the_process_goes_on(step: Step) -> None:
    printed = step.run("""
        from azureml.core import Run

        run = Run.get_context()
        try:
            1 / 0
        except ZeroDivisionError as error:
            run.fail(error, "BadData")
        run.complete()
        print(run.get_details()["error"]["error"]["message"])
    """)

    note, message = printed.splitlines()
    assert note == "run.fail() does not make the step fail: division by zero; end the script with an error, too"
    assert message == "User program failed with ZeroDivisionError: division by zero"
    failed = step.record("status.json")
    assert failed["status"] == "Failed"
    assert failed["error"]["code"] == "BadData"
    assert failed["error"]["debug_stack_trace"].splitlines()[1].strip() == "1 / 0"


def test_cancel_is_the_pipelines_to_do(step: Step) -> None:
    printed = step.run("""
        from azureml.core import Run

        run = Run.get_context()
        run.cancel()
        run.parent.cancel()
    """)

    assert printed == "run.cancel() does nothing for a submitted run; run.parent.cancel() cancels the pipeline\n"
    assert not (step.folder / "status.json").exists()
    assert step.record("../../parent/status.json") == {"status": "Canceled"}


def test_tags_and_properties_of_the_step_and_of_the_pipeline(step: Step) -> None:
    script = """
        import json
        from azureml.core import Run

        run = Run.get_context()
        run.tag("kind", "train")
        run.set_tags({"rows": 12, "gone": "x", "bare": None})
        run.remove_tags(["gone"])
        run.add_properties({"closed": True})
        run.parent.tag("data", "7")
        print(json.dumps([run.tags, run.get_tags() == run.tags, run.get_properties()["closed"], run.parent.get_tags()]))
    """

    assert step.answers(script) == [
        {"kind": "train", "rows": "12", "bare": None},
        True,
        "True",
        {"build": "41", "data": "7"},
    ]
    assert step.records("tags.jsonl") == [
        {"key": "kind", "value": "train"},
        {"key": "rows", "value": "12"},
        {"key": "gone", "value": "x"},
        {"key": "bare", "value": None},
        {"key": "gone", "removed": True},
    ]


def test_a_description_and_a_name_to_show(step: Step) -> None:
    step.run("""
        from azureml.core import Run

        run = Run.get_context()
        assert run.display_name == "Train the model"
        run.display_name = "Second try"
        run.description = "with more trees"
        assert (run.display_name, run.description, run.name) == ("Second try", "with more trees", "Train the model")
    """)

    assert step.record("description.json") == {"display_name": "Second try", "description": "with more trees"}


def test_child_runs_record_to_folders_of_their_own(step: Step) -> None:
    script = """
        import json
        from azureml.core import Run

        run = Run.get_context()
        run.log("a", 0)
        child = run.child_run("fold")
        child.log("a", 1)
        child.complete()
        with run.child_run(run_id="mine") as second:
            second.log("a", 2)
            grandchild = second.child_run()
        third, fourth = run.create_children(tag_key="alpha", tag_values=[0.1, 0.2])
        batch = run.create_children(count=1)
        try:
            with run.child_run("bad"):
                raise ValueError("no data")
        except ValueError:
            pass
        print(json.dumps({
            "children": [[c.id, c.name, c.status, c.tags] for c in run.get_children()],
            "tagged": [c.id for c in run.get_children(tags={"alpha": "0.2"})],
            "completed": [c.id for c in run.get_children(status="Completed")],
            "parents": [child.parent is run, grandchild.parent.id, grandchild.parent.parent is run],
            "metrics": run.get_metrics("a", recursive=True),
        }))
    """

    assert step.answers(script) == {
        "children": [
            ["churn-7_train_1", "Train the model>fold", "Completed", {}],
            ["mine", "Train the model>", "Completed", {}],
            ["churn-7_train_3", "Train the model>", "Running", {"alpha": "0.1"}],
            ["churn-7_train_4", "Train the model>", "Running", {"alpha": "0.2"}],
            ["churn-7_train_5", "Train the model>", "Running", {"azureml.batch_child_number": "0"}],
            ["churn-7_train_6", "Train the model>bad", "Failed", {}],
        ],
        "tagged": ["churn-7_train_4"],
        "completed": ["churn-7_train_1", "mine"],
        "parents": [True, "mine", True],
        "metrics": {"churn-7_train_1": {"a": 1}, "mine": {"a": 2}, "churn-7_train": {"a": 0}},
    }
    assert step.records("children/1/metrics.jsonl") == [{"name": "a", "kind": "scalar", "value": 1, "type": "int"}]
    described = step.record("children/2/run.json")
    assert described.pop("started") > 0
    assert described == {"run_id": "mine", "name": "Train the model>"}


def test_create_children_refuses_what_the_sdk_refuses(step: Step) -> None:
    printed = step.run("""
        from azureml.core import Run
        from azureml.exceptions import UserErrorException

        for arguments in ({}, {"tag_key": "a"}, {"count": 2, "tag_key": "a", "tag_values": [1]}, {"count": 101}):
            try:
                Run.get_context().create_children(**arguments)
            except UserErrorException as error:
                print(error)
    """)

    assert printed.splitlines() == [
        "run.create_children requires a count, or tag_key and tag_values",
        "run.create_children requires tag_key and tag_values together",
        "run.create_children requires either a count, or tag_key and tag_values",
        "run.create_children can create at most 100 runs",
    ]


def test_the_pipelines_run_has_the_steps_as_children(step: Step) -> None:
    other = step.run_dir / "steps/prepare"
    earlier = step.run_dir.parent / "churn-6"
    elsewhere = step.run_dir.parent / "other-1"
    for folder in (other, earlier / "steps/prepare", elsewhere / "steps"):
        folder.mkdir(parents=True)
    (elsewhere / "run.json").write_text(json.dumps({"status": "completed", "experiment": "other"}))
    (other / "record.json").write_text(json.dumps({"status": "reused", "producer": "churn-6"}))
    (earlier / "steps/prepare/metrics.jsonl").write_text(
        '{"name": "rows", "kind": "scalar", "value": 9, "type": "int"}\n'
    )
    (earlier / "run.json").write_text(json.dumps({"status": "failed", "experiment": "churn"}))
    script = """
        import json
        from azureml.core import Run, get_run

        run = Run.get_context()
        run.parent.log("best", 0.9)
        prepare, train = run.parent.get_children()
        print(json.dumps({
            "steps": [[s.id, s.status, s.parent.id] for s in (prepare, train)],
            "own": train is run,
            "metrics": [prepare.get_metrics(), run.parent.get_metrics()],
            "by id": [get_run(run.experiment, "churn-7_prepare").get_metrics(), Run(run.experiment, "churn-7").id],
            "runs": [[r.id, r.status] for r in run.experiment.get_runs()],
            "workspace": run.experiment.workspace.get_run("churn-7_train") is run,
        }))
    """

    assert step.answers(script) == {
        "steps": [["churn-7_prepare", "Completed", "churn-7"], ["churn-7_train", "Running", "churn-7"]],
        "own": True,
        "metrics": [{"rows": 9}, {"best": 0.9}],
        "by id": [{"rows": 9}, "churn-7"],
        "runs": [["churn-7", "Running"], ["churn-6", "Failed"]],
        "workspace": True,
    }


def test_a_run_of_another_project_is_refused_in_a_sentence(step: Step) -> None:
    printed = step.run("""
        from azureml.core import Run

        try:
            Run(Run.get_context().experiment, "churn-7_trian")
        except Exception as error:
            print(type(error).__name__, error)
    """)

    assert printed == ("UserErrorException no run 'churn-7_trian' in this project; did you mean 'churn-7_train'?\n")


def test_what_only_azure_can_do_is_refused_in_a_sentence(step: Step) -> None:
    printed = step.run("""
        from azureml.core import Dataset, Experiment, Model, Run, Workspace
        from azureml.exceptions import UserErrorException

        run = Run.get_context()
        workspace = run.experiment.workspace
        for ask in (
            lambda: run.submit_child(None),
            lambda: run.experiment.submit(config=None),
            lambda: Model.deploy(workspace, "service", []),
            lambda: Workspace.create("new"),
            lambda: Dataset.Tabular.from_sql_query("select 1"),
            lambda: workspace.service_context,
        ):
            try:
                ask()
            except UserErrorException as error:
                print(error)
    """)

    assert printed.splitlines() == [
        "Run.submit_child is not possible: a local run never connects to Azure",
        "Experiment.submit is not possible: a local run never connects to Azure",
        "Model.deploy is not possible: a local run never connects to Azure",
        "Workspace.create is not possible: a local run never connects to Azure",
        "TabularDatasetFactory.from_sql_query is not possible: a local run never connects to Azure",
        "this call of the Azure SDK is not possible: a local run never connects to Azure",
    ]


def test_a_script_that_imports_pipeline_run_gets_its_pipelines_run_and_steps_as_such(step: Step) -> None:
    other = step.run_dir / "steps/prepare"
    (other / "outputs/prepare_output_folder").mkdir(parents=True)
    (other / "outputs/prepare_output_folder/rows.csv").write_text("a\n")
    (other / "record.json").write_text(json.dumps({"status": "completed", "producer": ""}))
    (other / "log.txt").write_text("printed\n")
    step.context["step_names"] = {"prepare": "Prepare the data", "train": "Train the model"}
    script = """
        import json
        from azureml.core import Run
        from azureml.pipeline.core import PipelineRun, StepRun
        from azureml.pipeline.core.run import StepRun as Same

        run = Run.get_context()
        pipeline = PipelineRun(run.experiment, run.parent.id)
        pipeline.log("best", 1)
        (prepare,) = pipeline.find_step_run("Prepare the data")
        (train,) = pipeline.find_step_run("Train the model")
        refused = []
        for call in (pipeline.complete, pipeline.fail, pipeline.child_run, prepare.child_run,
                     lambda: PipelineRun(run.experiment, run.id), lambda: prepare.get_output("nothing"),
                     pipeline.get_graph, pipeline.wait_for_completion):
            try:
                call()
            except Exception as error:
                refused.append(f"{type(error).__name__}: {error}")
        print(json.dumps({
            "kinds": [isinstance(run.parent, PipelineRun), type(prepare) is StepRun is Same, train is run],
            "ids": [pipeline.id, PipelineRun.get(None, "churn-7").id, prepare.pipeline_run_id],
            "steps": [s.name for s in pipeline.get_steps()],
            "status": [pipeline.get_status(), prepare.get_status(), run.get_status()],
            "log": [prepare.get_stdout_log(), prepare.get_stderr_log()],
            "outputs": list(prepare.get_outputs()),
            "copied": prepare.get_output_data("prepare_output_folder").download("copy"),
            "content": open("copy/rows.csv").read(),
            "metrics": run.parent.get_metrics(),
            "refused": refused,
        }))
    """

    assert step.answers(script) == {
        "kinds": [True, True, True],
        "ids": ["churn-7", "churn-7", "churn-7"],
        "steps": ["Prepare the data", "Train the model"],
        "status": ["Running", "Finished", "Running"],
        "log": ["printed\n", ""],
        "outputs": ["prepare_output_folder"],
        "copied": 1,
        "content": "a\n",
        "metrics": {"best": 1},
        "refused": [
            "NotImplementedError: a pipeline's run completes by itself; complete() is not supported",
            "NotImplementedError: a pipeline's run fails by itself; fail() is not supported",
            "NotImplementedError: a pipeline's run cannot have child runs of its own; use "
            "Run.get_context().child_run() to start one for the step",
            "NotImplementedError: a step's run cannot have child runs of its own; use Run.get_context().child_run() "
            "to start one for the step",
            "UserErrorException: 'churn-7_train' is not the run of a pipeline; that is 'churn-7'",
            "ValueError: the step has no output 'nothing'; it has prepare_output_folder",
            "LocalRunException: PipelineRun.get_graph is not possible: a local run never connects to Azure",
            "UserErrorException: the run 'churn-7' is still running, and a step of a local run cannot wait for it",
        ],
    }

"""The wrapper API: programs written for the original package, run against the service."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks import PipelineStep, PipelineWrapper, WorkspaceWrapper
from azml_tasks.errors import AzmlError, RunError
from tests.azure.workspace import FILE, stocked
from tests.service.graphs import FromDataset, FromStep, ParameterOf, ToOutput
from tests.service.names import GROUP, SUBSCRIPTION, WORKSPACE

WHERE = (WORKSPACE, GROUP, SUBSCRIPTION)
CONFIG = {"ws_name": WORKSPACE, "resource_group": GROUP, "subscription_id": SUBSCRIPTION}


@pytest.fixture
def here(azure: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the current folder, with scripts, and a workspace with all that the programs name."""
    azure.put_blob("churnstore", "raw", "customers.csv", b"id,age\n1,30\n2,40\n")
    stocked(azure)
    workspace = WorkspaceWrapper(*WHERE)
    workspace.register_blob_datastore("churn_blob", "raw", "churnstore", "a2V5")
    workspace.register_csv("churn_blob", "customers")
    for name in ("prepare", "train", "evaluate"):
        (tmp_path / f"{name}.py").write_text(f"print('{name}')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    azure.requests.clear()
    return tmp_path


def graph_facts(azure: Any) -> dict[str, Any]:
    """Tell all of a graph that counts: what each step runs with, reads and writes."""
    return {
        name: (
            step.script,
            step.target,
            step.environment,
            step.arguments,
            step.inputs,
            step.outputs,
            step.upstream,
            step.parameters,
            step.allow_reuse,
            dict(step.files),
            step.module.hash,
        )
        for name, step in azure.steps().items()
    }


def test_a_program_of_the_original_package_runs_from_workspace_to_run(azure, here, capsys):
    azure.put_blob("churnstore", "raw", "test_dataset.csv", b"id\n1\n")
    workspace = WorkspaceWrapper.from_config({**CONFIG, "storage_key": "ignored"})
    workspace.register_env("test-env", ["pandas", "matplotlib"])
    workspace.register_blob_datastore("test_datastore", "raw", "churnstore", "a2V5")
    workspace.register_csv("test_datastore", "test_dataset.csv")
    workspace.register_compute("test-compute00001")
    step = PipelineStep(
        *WHERE, "step name", "train", {"lr": 2e-5, "epochs": 10, "batch_size": 16}, {"--test-data": "test_dataset"}
    )
    pipeline = PipelineWrapper(*WHERE, "test-env", "test-compute00001", [step])

    pipeline.run("the-experiment")

    assert graph_facts(azure)["step name"][:4] == (
        "train.py",
        "test-compute00001",
        ("test-env", "1"),
        ("--config", ParameterOf("step_name_config"), "--test-data", FromDataset("test_dataset", None, "test_dataset")),
    )
    assert azure.graphs[azure.submitted[-1].graph].defaults == {
        "step_name_config": '{"lr": 2e-05, "epochs": 10, "batch_size": 16}'
    }
    run = azure.submitted[-1]
    assert re.sub(r"after .*", "after a while", capsys.readouterr().out).splitlines() == [
        f"run {run.id} of experiment the-experiment: 1 step on Azure ML",
        pipeline._run.get_portal_url(),
        "step name: completed after a while",
        f"run {run.id} completed after a while",
    ]
    assert (pipeline.experiment.name, pipeline._run.id) == ("the-experiment", run.id)
    assert pipeline.experiment.workspace.name == pipeline.ws.name == WORKSPACE


def test_three_steps_of_the_wrapper_are_wired_so_that_each_reads_its_predecessors_folder(azure, here):
    steps = [PipelineStep(*WHERE, name, f"{name}.py") for name in ("prepare", "train", "evaluate")]

    PipelineWrapper(*WHERE, "env", "cpu", steps).run("churn")

    assert {name: step.arguments for name, step in azure.steps().items()} == {
        "prepare": ("--output-folder", ToOutput("prepare_output_folder")),
        "train": (
            "--input-folder",
            FromStep("prepare", "prepare_output_folder", "train_input_folder"),
            "--output-folder",
            ToOutput("train_output_folder"),
        ),
        "evaluate": ("--input-folder", FromStep("train", "train_output_folder", "evaluate_input_folder")),
    }


def test_a_program_and_a_pipeline_yaml_give_the_same_graph(azure, here):
    config = {
        **CONFIG,
        "env_name": "env",
        "compute_name": "cpu",
        "unknown": "ignored",
        "steps": {
            "one": {
                "step_name": "first step",
                "script_name": "prepare.py",
                "step_config": {"min_rows": 10},
                "input_datasets": {"--new-data": "customers"},
                "unknown": "ignored",
            },
            "two": {"step_name": "second step", "script_name": "train", "step_config": {"lr": 2e-5}},
            "three": {"step_name": "third step", "script_name": "evaluate.py"},
        },
    }
    PipelineWrapper.from_config(config).run("churn")
    by_program = graph_facts(azure)
    text = FILE + textwrap.dedent(
        """
        env_name: env
        compute_name: cpu
        steps:
          one:
            step_name: first step
            script_name: prepare.py
            step_config: {min_rows: 10}
            input_datasets: {--new-data: customers}
          two: {step_name: second step, script_name: train, step_config: {lr: 2.0e-5}}
          three: {step_name: third step, script_name: evaluate.py}
        """
    )
    (here / "pipeline.yaml").write_text(text, encoding="utf-8")

    wrapper = PipelineWrapper.from_yaml(here / "pipeline.yaml")
    wrapper.run("churn")

    assert graph_facts(azure) == by_program
    assert len(azure.modules) == 3
    assert [step.name for step in wrapper.steps] == ["first step", "second step", "third step"]
    assert [step.script_name for step in wrapper.steps] == ["prepare.py", "train.py", "evaluate.py"]


def test_a_steps_attributes_and_arguments_are_the_originals(azure, here):
    configuration = {"lr": 0.00002, "epochs": 10}
    step = PipelineStep.from_config(
        {
            **CONFIG,
            "step_name": "a step",
            "script_name": "train",
            "step_config": configuration,
            "input_datasets": {"--new-data": "customers"},
        }
    )

    assert (step.name, step.script_name, step.script_directory) == ("a step", "train.py", ".")
    assert step.arguments[:3] == ["--config", json.dumps(configuration), "--new-data"]
    assert [(item.name, item.mode) for item in step.arguments[3:]] == [("customers", "direct")]
    assert step.ws.name == WORKSPACE

    last = PipelineStep(*WHERE, "last", "evaluate.py")
    assert last.arguments == []
    PipelineWrapper(*WHERE, "env", "cpu", [step, last])

    assert step.arguments[:3] == ["--config", json.dumps(configuration), "--new-data"]
    assert (step.arguments[4], step.arguments[5].name) == ("--output-folder", "a_step_output_folder")
    assert (last.arguments[0], last.arguments[1].name) == ("--input-folder", "last_input_folder")


def test_a_step_that_two_pipelines_hold_has_the_folders_of_the_last_alone(azure, here):
    steps = [PipelineStep(*WHERE, name, f"{name}.py") for name in ("prepare", "train", "evaluate")]
    PipelineWrapper(*WHERE, "env", "cpu", steps)

    pipeline = PipelineWrapper(*WHERE, "env", "cpu", steps[1:])

    assert [len(step.arguments) for step in steps[1:]] == [2, 2]
    pipeline.run("churn")
    assert list(azure.steps()) == ["train", "evaluate"]


def test_arguments_that_a_program_adds_or_puts_together_itself_arrive(azure, here):
    from azureml.pipeline.core import PipelineParameter

    added = PipelineStep(*WHERE, "prepare", "prepare.py", {"n": 1})
    added.arguments.extend(["--flag", "x", 3])
    own = PipelineStep(*WHERE, "train", "train.py", {"n": 2}, {"positional": "customers"})
    own.arguments = ["--first", *own.arguments, "--alpha", PipelineParameter("alpha", 0.5)]
    own.arguments = "no list"

    PipelineWrapper(*WHERE, "env", "cpu", [added, own]).run("churn")

    assert {name: step.arguments for name, step in azure.steps().items()} == {
        "prepare": (
            "--config",
            ParameterOf("prepare_config"),
            "--output-folder",
            ToOutput("prepare_output_folder"),
            "--flag",
            "x",
            "3",
        ),
        "train": (
            "--first",
            "--config",
            ParameterOf("train_config"),
            "positional",
            FromDataset("customers", None, "customers"),
            "--alpha",
            ParameterOf("alpha"),
            "--input-folder",
            FromStep("prepare", "prepare_output_folder", "train_input_folder"),
        ),
    }


def test_steps_of_the_same_name_and_of_any_letters_are_distinguished(azure, here):
    names = ["étape", "étape", "准备", "训练"]
    steps = [PipelineStep(*WHERE, name, "train.py") for name in names]

    PipelineWrapper(*WHERE, "env", "cpu", steps).run("churn")

    graph = azure.graphs[azure.submitted[-1].graph]
    assert len(graph.document["ModuleNodes"]) == 4
    assert [len(step.upstream) for step in azure.steps().values()] == [0, 1, 1, 1]


def test_scripts_in_folders_inside_and_outside_of_the_current_one_are_sent(azure, here, monkeypatch):
    (here / "steps").mkdir()
    (here / "steps/a.py").write_text("import rows\n", encoding="utf-8")
    (here / "steps/rows.py").write_text("", encoding="utf-8")
    (here / "steps/params.json").write_text("{}", encoding="utf-8")
    (here / "work").mkdir()
    monkeypatch.chdir(here / "work")
    steps = [
        PipelineStep(*WHERE, "outside", "a.py", script_directory="../steps", include=["params.json"]),
        PipelineStep(*WHERE, "absolute", "train.py", script_directory=str(here)),
    ]

    PipelineWrapper(*WHERE, "env", "cpu", steps).run("churn")

    assert {name: sorted(step.files) for name, step in azure.steps().items()} == {
        "outside": ["a.py", "params.json", "rows.py"],
        "absolute": ["train.py"],
    }


def test_ten_steps_open_the_workspace_once(azure, here):
    from tests.azure.connections import forget_connections

    for number in range(10):
        (here / f"s{number}.py").write_text(f"print({number})\n", encoding="utf-8")
    forget_connections()
    steps = [PipelineStep(*WHERE, f"s{number}", f"s{number}.py", {"n": number}) for number in range(10)]

    PipelineWrapper(*WHERE, "env", "cpu", steps).run("churn")

    assert len(azure.requests.matching("GET", r"management.azure.com/.*/workspaces/churn-ws$")) == 1
    assert len(azure.requests.without_polling()) <= 0.6 * 163


def test_the_sdks_own_objects_are_there(azure, here):
    steps = [PipelineStep(*WHERE, name, f"{name}.py") for name in ("prepare", "train")]
    pipeline = PipelineWrapper(*WHERE, "env", "cpu", steps)

    assert (pipeline.compute.name, pipeline.run_config.target) == ("cpu", "cpu")
    assert (pipeline.run_config.environment.name, pipeline.run_config.environment.version) == ("env", "1")
    made = pipeline.pipeline_steps
    assert [step.name for step in made] == ["prepare", "train"]
    folders = [Path(step._source_directory) for step in made]
    assert [[file.name for file in folder.iterdir()] for folder in folders] == [["prepare.py"], ["train.py"]]
    del pipeline
    assert [folder.exists() for folder in folders] == [False, False]


def test_a_pipeline_without_steps_does_nothing(azure, here):
    pipeline = PipelineWrapper(*WHERE, "env", "cpu", [])

    assert (pipeline.run("churn"), pipeline.pipeline_steps, azure.submitted) == (None, [], [])


def test_a_failed_run_is_an_error(azure, here):
    azure.failing["train"] = "boom"

    with pytest.raises(RunError, match=r"^step 'train' failed: boom\n"):
        PipelineWrapper(*WHERE, "env", "cpu", [PipelineStep(*WHERE, "train", "train.py")]).run("churn")


def registrable(*names: str) -> PipelineWrapper:
    return PipelineWrapper(*WHERE, "env", "cpu", [PipelineStep(*WHERE, name, f"{name}.py", {"n": 1}) for name in names])


def test_registering_publishes_the_pipeline_without_a_run_and_the_same_again_does_nothing(azure, here):
    for _ in range(2):
        registrable("prepare", "train").register("the pipeline", "a short description")

    assert [(item.name, item.description) for item in azure.published.values()] == [
        ("the pipeline", "a short description")
    ]
    assert [(item.name, item.default) for item in azure.endpoints.values()] == [("the pipeline", "0")]
    assert list(azure.steps(next(iter(azure.published)))) == ["prepare", "train"]
    assert list(azure.schedules) == list(azure.submitted) == []


def test_registering_with_a_schedule_leaves_one_schedule_whatever_it_was_before(azure, here):
    def active() -> list[Any]:
        return [
            (
                item.name,
                item.experiment,
                item.recurrence and (item.recurrence["Frequency"], item.recurrence["Interval"]),
            )
            for item in azure.schedules.values()
            if item.active
        ]

    pipeline = registrable("train")
    pipeline.register("the pipeline", "a description", "Week", interval=2)
    assert active() == [("the pipelineSchedule", "the-pipeline", ("Week", 2))]
    assert azure.submitted == []

    pipeline.register("the pipeline", "a description", "Day", 1)
    assert active() == [("the pipelineSchedule", "the-pipeline", ("Day", 1))]

    pipeline.run("churn")
    pipeline.register("the pipeline", "a description", "On_blob_change", datastore_name="churn_blob")
    assert active() == [("the pipelineSchedule", "churn", None)]
    watching = [item.trigger["DataStoreName"] for item in azure.schedules.values() if item.active]
    assert watching == ["churn_blob"]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (
            ("Year", 1),
            ValueError,
            "schedule must be one of ['On_blob_change', 'Minute', 'Hour', 'Day', 'Week', 'Month'], not 'Year'",
        ),
        (("Week",), ValueError, "the schedule Week needs an interval, a whole number from 1, not None"),
        (("Week", 1.5), ValueError, "the schedule Week needs an interval, a whole number from 1, not 1.5"),
        (("On_blob_change",), ValueError, "the schedule On_blob_change needs the datastore_name of the blobs"),
        (
            ("On_blob_change", None, "churn_blbo"),
            NameError,
            "the workspace 'churn-ws' has no datastore 'churn_blbo'; did you mean 'churn_blob'?; "
            "register_blob_datastore registers one",
        ),
    ],
)
def test_a_schedule_that_is_not_possible_is_refused_before_anything_is_published(azure, here, arguments, error, text):
    pipeline = registrable("train")

    with pytest.raises(error) as caught:
        pipeline.register("the pipeline", "a description", *arguments)

    assert str(caught.value) == text
    assert list(azure.published) == list(azure.schedules) == []


def test_a_pipeline_of_a_file_is_registered_too(azure, here):
    text = FILE + "env_name: env\ncompute_name: cpu\nsteps:\n  one: {script_name: train.py}\n"
    (here / "pipeline.yaml").write_text(text, encoding="utf-8")

    PipelineWrapper.from_yaml("pipeline.yaml").register("the pipeline", "a description", "Hour", 6)

    assert [item.name for item in azure.published.values()] == ["the pipeline"]
    assert [item.recurrence["Interval"] for item in azure.schedules.values()] == [6]


def test_what_cannot_be_registered_is_refused_with_a_sentence(azure, here):
    pipeline = registrable("train")
    pipeline.steps[0].arguments = ["--other", *pipeline.steps[0].own_arguments]

    with pytest.raises(ValueError, match=r"^the arguments of the step 'train' were reordered; only append to them$"):
        pipeline.register("the pipeline", "a description")
    with pytest.raises(ValueError, match=r"^a pipeline without steps cannot be published$"):
        registrable().register("the pipeline", "a description")


STEP = {**CONFIG, "step_name": "a", "script_name": "train.py"}
PIPELINE = {**CONFIG, "env_name": "env", "compute_name": "cpu", "steps": {}}


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: PipelineStep.from_config([]), TypeError, "config must be a dictionary, not list"),
        (
            lambda: PipelineStep.from_config(CONFIG),
            KeyError,
            "'the configuration has no step_name or script_name'",
        ),
        (
            lambda: PipelineStep.from_config({**STEP, "input_datasets": {"--d": "custmers"}}),
            NameError,
            "the workspace 'churn-ws' has no dataset 'custmers'; did you mean 'customers'?; register_csv registers one",
        ),
        (lambda: PipelineWrapper.from_config("x"), TypeError, "config must be a dictionary, not str"),
        (
            lambda: PipelineWrapper.from_config({**CONFIG, "steps": {}}),
            KeyError,
            "'the configuration has no env_name or compute_name'",
        ),
        (
            lambda: PipelineWrapper(*WHERE, "env", "cpu", {}),
            TypeError,
            "steps must be a list, even for one step, not dict",
        ),
        (lambda: PipelineWrapper(*WHERE, "env", "cpu", ["a"]), TypeError, "a step must be a PipelineStep, not str"),
        (
            lambda: PipelineWrapper(*WHERE, "env", "cpu", [PipelineStep("other-ws", GROUP, SUBSCRIPTION, "a", "a")]),
            ValueError,
            "the step 'a' uses the workspace 'other-ws', but the pipeline uses 'churn-ws'",
        ),
        (
            lambda: PipelineWrapper(*WHERE, "env", "cpuu", []),
            TypeError,
            "the workspace 'churn-ws' has no compute 'cpuu'; did you mean 'cpu'?; register_compute creates one",
        ),
        (
            lambda: PipelineWrapper(*WHERE, "enw", "cpu", []),
            AzmlError,
            "no environment 'enw' in the file or the workspace 'churn-ws'; did you mean 'env'?",
        ),
    ],
)
def test_what_is_wrong_raises_what_the_original_raised(here, make, error, text):
    with pytest.raises(error) as caught:
        make()

    assert str(caught.value) == text

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azml_tasks.plan import build_plan
from azml_tasks.reading.overrides import override
from azml_tasks.snapshot import SnapshotBuilder, take_snapshots, with_words
from tests.azure.projects import line_of_steps, write_project

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azureml.core import Environment
from azureml.data import OutputFileDatasetConfig
from azureml.data.azure_storage_datastore import AzureBlobDatastore
from azureml.data.dataset_consumption_config import DatasetConsumptionConfig
from azureml.pipeline.core import PipelineParameter
from azureml.pipeline.core._restclients.aeva.models import Parameter
from azureml.pipeline.core.graph import Graph

from azml_tasks.azure.v1.pipeline import Values, build_steps, stage
from azml_tasks.azure.v1.resources.find import Resources
from azml_tasks.plan.plan import parameter_values, reuse_in_a_run, reuse_when_published


def datastore(name: str) -> AzureBlobDatastore:
    return AzureBlobDatastore(None, name, "container", "account")


def resources(**given: Any) -> Resources:
    parts = {
        "environments": {"env": Environment("env"), "gpu-env": Environment("gpu-env")},
        "computes": {"cpu": ("cpu", "AmlCompute"), "gpu": ("gpu", "AmlCompute")},
        "datasets": {},
        "datastores": {"kept": datastore("kept")},
    }
    return Resources(**{**parts, **given})


def shown(value: Any) -> Any:
    """Tell the SDK's object in a few plain values."""
    if isinstance(value, PipelineParameter):
        return ("parameter", value.name, value.default_value)
    if isinstance(value, OutputFileDatasetConfig):
        return ("output", value.name, value.mode)
    if isinstance(value, DatasetConsumptionConfig):
        return ("input", value.name, value.mode)
    return value


def arguments(project: Any, **given: Any) -> dict[str, list[Any]]:
    values = Values(project.plan, resources(**given))
    return {step.key: [shown(value) for value in values.arguments(step)] for step in project.plan.steps}


def built(project: Any, folder: Path) -> dict[str, Any]:
    builder = SnapshotBuilder(project.directory)
    folders = {
        key: stage(builder.build(step.script_directory, step.script_name, step.include), folder / key)
        for key, step in project.pipeline.steps.items()
    }
    return build_steps(project.plan, resources(), folders, reuse_in_a_run(project.plan))


def fingerprints(project: Any, folder: Path) -> dict[str, str]:
    """Return the hash by which the service would know each step's module again."""
    context = SimpleNamespace(workflow_provider=SimpleNamespace(graph_provider=None, module_provider=None))
    graph = Graph("test", context)
    nodes = {
        key: step.create_node(graph, datastore("workspaceblobstore"), context)
        for key, step in built(project, folder).items()
    }
    return {key: node._module_builder.get_fingerprint() for key, node in nodes.items()}


def test_three_steps_in_a_line_get_their_arguments_and_each_reads_its_predecessor(tmp_path):
    project = write_project(tmp_path, line_of_steps(3))

    assert arguments(project) == {
        "s1": [
            "--config", ("parameter", "s1_config", '{"n": 1}'),
            "--output-folder", ("output", "s1_output_folder", "mount"),
        ],
        "s2": [
            "--config", ("parameter", "s2_config", '{"n": 2}'),
            "--input-folder", ("input", "s2_input_folder", "mount"),
            "--output-folder", ("output", "s2_output_folder", "mount"),
        ],
        "s3": [
            "--config", ("parameter", "s3_config", '{"n": 3}'),
            "--input-folder", ("input", "s3_input_folder", "mount"),
        ],
    }  # fmt: skip
    values = Values(project.plan, resources())
    read = {step.key: values.arguments(step)[3].dataset for step in project.plan.steps[1:]}
    written = {step.key: values.value(step.outputs[0]) for step in project.plan.steps[:2]}
    assert read["s2"] is written["s1"]
    assert read["s3"] is written["s2"]


def test_every_kind_of_argument_becomes_the_sdks_object_for_it(tmp_path):
    project = write_project(
        tmp_path,
        """
        env_name: env
        compute_name: cpu
        pipeline_parameters: {alpha: 0.5}
        steps:
          prepare:
            script_name: prepare.py
            output_folders:
              --kept: {destination: {datastore_name: kept, path: "runs/{run-id}"}, register_on_complete: prepared}
              --table: {}
          train:
            script_name: train.py
            input_folders: {--features: prepare/--kept}
            input_datasets:
              --merged: {step: prepare, output: --table, format: delimited}
              lookup: {step: prepare, output: --table}
            arguments: [--alpha, "${{ parameters.alpha }}", -v, 3, true]
        """,
    )

    assert arguments(project) == {
        "prepare": ["--kept", ("output", "prepare_kept", "mount"), "--table", ("output", "prepare_table", "mount")],
        "train": [
            "--merged", ("input", "merged", "direct"),
            "--features", ("input", "train_features", "mount"),
            "--alpha", ("parameter", "alpha", 0.5),
            "-v", "3", "True",
        ],
    }  # fmt: skip
    kept = Values(project.plan, resources()).value(project.plan["prepare"].outputs[0])
    assert (kept.destination[0].name, kept.destination[1]) == ("kept", "runs/{run-id}")
    assert kept._registration.name == "prepared"


def test_numbers_and_values_that_look_like_options_are_sent_as_a_local_run_passes_them(tmp_path):
    project = write_project(
        tmp_path,
        """
        env_name: env
        compute_name: cpu
        pipeline_parameters: {low: -2e-5}
        steps:
          parsed: {script_name: a.py, arguments: {--low: "${{ parameters.low }}", --shift: -1e-5, --note: "-x"}}
          by_hand: {script_name: b.py, input_folders: {}, arguments: {--note: "-x"}}
        """,
    )
    (project.directory / "b.py").write_text("import sys\nprint(sys.argv[-1])\n")
    snapshots = take_snapshots(SnapshotBuilder(project.directory), project.plan.steps)
    spelled = with_words(project.plan, snapshots)

    values = Values(spelled, resources())

    parsed, by_hand = (values.arguments(step) for step in spelled.steps)
    assert parsed[-3:] == ["--shift", "-0.00001", "--note=-x"]
    assert by_hand == ["--note", "-x"]
    (low,) = (value for value in parsed if isinstance(value, PipelineParameter))
    assert Parameter(name="low", default_value=low.default_value).serialize() == {
        "Name": "low",
        "DefaultValue": "-0.00002",
    }


def test_a_steps_keys_reach_its_run_configuration(tmp_path):
    project = write_project(
        tmp_path,
        """
        env_name: env
        compute_name: cpu
        steps:
          plain: {script_name: a.py, output_folders: []}
          special:
            step_name: The special one
            script_name: sub/b
            script_directory: steps
            env_name: gpu-env
            compute_name: gpu
            environment_variables: {MODE: fast}
            max_run_duration_seconds: 60
            allow_reuse: false
            run_after: [plain]
        """,
    )

    steps = built(project, tmp_path / "staged")

    def step_facts(step: Any) -> dict[str, Any]:
        run = step._runconfig
        return {
            "name": step.name,
            "script": step._script_name,
            "environment": run.environment.name,
            "target": run.target,
            "compute": step._compute_target,
            "variables": run.environment_variables,
            "seconds": run.max_run_duration_seconds,
            "reuse": step._allow_reuse,
            "after": [before.name for before in step.run_after_steps],
        }

    assert {key: step_facts(step) for key, step in steps.items()} == {
        "plain": {
            "name": "plain",
            "script": "a.py",
            "environment": "env",
            "target": "cpu",
            "compute": ("cpu", "AmlCompute"),
            "variables": {},
            "seconds": None,
            "reuse": True,
            "after": [],
        },
        "special": {
            "name": "The special one",
            "script": "sub/b.py",
            "environment": "gpu-env",
            "target": "gpu",
            "compute": ("gpu", "AmlCompute"),
            "variables": {"MODE": "fast"},
            "seconds": 60,
            "reuse": False,
            "after": ["plain"],
        },
    }


def test_building_twice_from_different_folders_gives_the_same_hashes(tmp_path):
    project = write_project(tmp_path, line_of_steps(3))

    assert fingerprints(project, tmp_path / "first") == fingerprints(project, tmp_path / "elsewhere" / "second")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("steps/s2.py", "print('edited')\n"),
        ("pipeline.yaml", line_of_steps(3).replace("{n: 2}", "{n: 22}")),
        ("pipeline.yaml", line_of_steps(3).replace("{n: 2}", "{n: 2}, allow_reuse: false")),
    ],
)
def test_editing_one_step_changes_its_hash_alone(tmp_path, path, content):
    project = write_project(tmp_path, line_of_steps(3))
    before = fingerprints(project, tmp_path / "before")

    (tmp_path / path).write_text(content, encoding="utf-8")
    text = (tmp_path / "pipeline.yaml").read_text(encoding="utf-8")
    after = fingerprints(
        write_project(tmp_path, text, {"steps/s2.py": (tmp_path / "steps/s2.py").read_text()}), tmp_path / "after"
    )

    assert {key for key in before if before[key] != after[key]} == {"s2"}


def test_overrides_are_parameters_by_which_the_pipeline_differs(tmp_path):
    text = "pipeline_parameters: {alpha: 1, beta: x}\n" + line_of_steps(3)
    project = write_project(tmp_path, text)

    changed = build_plan(override(project.pipeline, ["s2.n=5", "s3.n=3", "alpha=1", "beta=y"]))

    assert parameter_values(project.plan, changed) == {"s2_config": '{"n": 5}', "beta": "y"}


def test_the_parameter_of_a_config_steps_aside_for_one_of_the_file(tmp_path):
    project = write_project(tmp_path, "pipeline_parameters: {s1_config: 1}\n" + line_of_steps(1))

    assert arguments(project) == {"s1": ["--config", ("parameter", "s1_config_", '{"n": 1}')]}


def test_a_published_step_that_reads_a_dataset_and_all_that_follows_run_each_time(tmp_path):
    project = write_project(
        tmp_path,
        """
        steps:
          apart: {script_name: a.py, output_folders: [], allow_reuse: false}
          free: {script_name: a.py, input_folders: {}, output_folders: []}
          reads: {script_name: a.py, input_datasets: {--data: customers}}
          follows: {script_name: a.py}
          stands: {script_name: a.py, allow_reuse: true, input_datasets: {--data: customers}, output_folders: [--o]}
          after: {script_name: a.py}
        """,
    )

    assert reuse_when_published(project.plan) == {
        "apart": False,
        "free": True,
        "reads": False,
        "follows": False,
        "stands": True,
        "after": True,
    }
    assert reuse_in_a_run(project.plan) == {
        "apart": False,
        "free": True,
        "reads": True,
        "follows": True,
        "stands": True,
        "after": True,
    }


def test_staging_lays_out_exactly_the_snapshots_files_whatever_ignore_files_say(tmp_path):
    write_project(
        tmp_path,
        "steps: {a: {script_name: a.py, script_directory: src}}",
        {"src/a.py": "import b\n", "src/b.py": "", "src/data/x.txt": "x", "src/.gitignore": "data/\nb.py\n"},
    )
    snapshot = SnapshotBuilder(tmp_path).build("src", "a.py", ["data/x.txt", ".gitignore"])

    folder = stage(snapshot, tmp_path / "staged")

    from azureml._base_sdk_common.merkle_tree import create_merkletree
    from azureml._project.ignore_file import get_project_ignore_file
    from azureml.pipeline.core._module_builder import _ModuleBuilder

    sent: list[str] = []
    tree = create_merkletree(str(folder), get_project_ignore_file(str(folder)).is_file_excluded)
    _ModuleBuilder.populate_paths_from_merkletree(tree, sent, "")
    assert sorted(sent) == sorted(snapshot.files) == [".gitignore", "a.py", "b.py", "data/x.txt"]

"""Publishing on Azure ML v2: a version for each content, and runs of them."""

from __future__ import annotations

import pytest

from azml_tasks.azure.v2.backend import AzureV2Backend
from azml_tasks.backend import RunRequest
from azml_tasks.errors import ServiceError, UsageError
from tests.azure.v2.projects import SCRIPTS, TWO_STEPS, run, stocked, v2_project

PUBLISHED = TWO_STEPS + "publish: {name: Churn scores, description: Weekly scores}\ntags: {team: crm}\n"
WITH_DATA = """\
publish: {name: churn}
environments: {env: {pip_packages: [pandas]}}
datastores: {raw: {container_name: raw, account_name: churnstore}}
datasets: {customers: {datastore_name: raw, path: customers/, type: file, mode: mount}}
pipeline_parameters: {day: "it's monday"}
steps:
  prepare: {script_name: prepare.py, input_datasets: {--data: customers}, arguments: {--day: "${{ parameters.day }}"}}
  train: {script_name: train.py}
"""


def publish(folder, text=PUBLISHED, scripts=None, **options):
    backend = AzureV2Backend(v2_project(folder, text, scripts))
    return list(backend.publish(**{"prune": False, "dry": False, **options}))


def test_a_pipeline_is_published_once_for_its_content(azure_v2, tmp_path):
    stocked(azure_v2)

    first, second = publish(tmp_path)[0], publish(tmp_path)[0]

    assert str(first) == f"churn_scores {first.version}: published"
    assert str(second) == f"churn_scores {first.version}: unchanged"
    assert list(azure_v2.assets["components"]["churn_scores"]) == [first.version]
    spec = azure_v2.assets["components"]["churn_scores"][first.version]["properties"]["componentSpec"]
    assert spec["display_name"] == "Churn scores"
    assert spec["description"] == "Weekly scores"
    assert spec["inputs"]["prepare_config"]["default"] == '{"rows": 3}'


def test_dry_publishes_nothing(azure_v2, tmp_path):
    stocked(azure_v2)

    (done,) = publish(tmp_path, dry=True)

    assert str(done) == f"churn_scores {done.version}: would be published"
    assert azure_v2.assets["components"] == {}
    assert azure_v2.assets["environments"] == {}
    assert [str(record) for record in azure_v2.requests if record.method in ("PUT", "PATCH", "DELETE")] == []


def test_changed_content_is_a_new_version_and_old_content_again_another(azure_v2, tmp_path):
    stocked(azure_v2)
    (first,) = publish(tmp_path)
    (second,) = publish(tmp_path, PUBLISHED.replace("rows: 3", "rows: 4"))

    (third,) = publish(tmp_path)

    assert str(second).endswith(f"published, now the newest version instead of {first.version}")
    assert third.version == f"{first.version}-2"
    found = AzureV2Backend(v2_project(tmp_path, PUBLISHED)).published.list()
    assert [(one.version, one.state) for one in found.versions] == [
        (third.version, "default"),
        (second.version, "active"),
        (first.version, "active"),
    ]


def test_pruning_disables_what_nothing_runs(azure_v2, tmp_path):
    stocked(azure_v2)
    (first,) = publish(tmp_path)

    done, *disabled = publish(tmp_path, PUBLISHED.replace("rows: 3", "rows: 4"), prune=True)

    assert [str(change) for change in disabled] == [f"churn_scores {first.version}: disabled"]
    found = AzureV2Backend(v2_project(tmp_path, PUBLISHED)).published.list()
    assert [(one.version, one.state) for one in found.versions] == [
        (done.version, "default"),
        (first.version, "disabled"),
    ]


def test_nothing_published_is_a_sentence(azure_v2, tmp_path):
    published = AzureV2Backend(v2_project(tmp_path, PUBLISHED)).published

    assert list(published.list().versions) == []
    with pytest.raises(ServiceError, match="nothing is published as 'churn_scores' yet"):
        published.run(RunRequest())


def test_a_published_pipeline_runs_without_the_file(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    (done,) = publish(tmp_path)
    project = v2_project(tmp_path, PUBLISHED.replace("rows: 3", "rows: 99"))

    run = AzureV2Backend(project).published.run(RunRequest(settings=("prepare.rows=7",), experiment="other"))
    azure_v2.settle()

    assert (run.name, run.version) == ("churn_scores", done.version)
    assert run.record.parameters == {"prepare_config": '{"rows": 7}'}
    job = azure_v2.job
    assert job.name == run.record.id
    assert job.properties["experimentName"] == "other"
    assert job.properties["tags"] == {"team": "crm"}
    assert azure_v2.workspace.runs[job.name].status == "Completed"
    assert azure_v2.artifacts(azure_v2.job_runs()["train"])["outputs/model.txt"] == b"model of 7 rows"


def test_a_version_is_found_by_how_it_begins(azure_v2, tmp_path):
    stocked(azure_v2)
    (first,) = publish(tmp_path)
    publish(tmp_path, PUBLISHED.replace("rows: 3", "rows: 4"))
    published = AzureV2Backend(v2_project(tmp_path, PUBLISHED)).published

    assert published.run(RunRequest(), first.version[:6]).version == first.version
    with pytest.raises(UsageError, match="no version 'zzz'"):
        published.run(RunRequest(), "zzz")


def test_a_step_that_reads_data_is_never_reused_when_published(azure_v2, tmp_path):
    stocked(azure_v2).add_datastore("raw")

    publish(tmp_path, WITH_DATA, {})

    kept = {
        one["properties"]["componentSpec"]["display_name"]: one["properties"]["componentSpec"]["is_deterministic"]
        for one in azure_v2.assets["components"]["azureml_anonymous"].values()
    }
    assert kept == {"prepare": False, "train": False}


def test_data_and_quotes_reach_the_scripts(azure_v2, tmp_path):
    stocked(azure_v2).add_datastore("raw")
    azure_v2.put_blob("churnstore", "raw", "customers/a.txt", b"ada")
    azure_v2.on_submit = "execute"
    scripts = {
        "prepare.py": "import sys\nfrom pathlib import Path\na = sys.argv\n"
        "folder = Path(a[a.index('--data') + 1])\nprint(a[a.index('--day') + 1], [p.name for p in folder.iterdir()])\n",
        "train.py": "print('ok')\n",
    }
    backend = AzureV2Backend(v2_project(tmp_path, WITH_DATA, scripts))
    list(backend.publish(prune=False, dry=False))

    backend.published.run(RunRequest())
    azure_v2.settle()
    first = azure_v2.artifacts(azure_v2.job_runs()["prepare"])["user_logs/std_log.txt"]
    backend.published.run(RunRequest(settings=("day=o'clock",)))
    azure_v2.settle()
    second = azure_v2.artifacts(azure_v2.job_runs()["prepare"])["user_logs/std_log.txt"]

    assert first == b"it's monday ['a.txt']\n"
    assert second == b"o'clock ['a.txt']\n"


def test_a_parameter_without_a_character_is_one(azure_v2, tmp_path):
    stocked(azure_v2)
    azure_v2.on_submit = "execute"
    text = """\
publish: {name: churn}
environments: {env: {pip_packages: [pandas]}}
pipeline_parameters: {day: ""}
steps: {prepare: {script_name: prepare.py, allow_reuse: false, arguments: {--day: "${{ parameters.day }}"}}}
"""
    project = v2_project(tmp_path, text, {"prepare.py": "import sys\nprint(sys.argv[1:])\n"})
    backend = AzureV2Backend(project)
    printed = []

    def log():
        azure_v2.settle()
        printed.append(azure_v2.artifacts(azure_v2.job_runs()["prepare"])["user_logs/std_log.txt"])

    run(project)
    log()
    list(backend.publish(prune=False, dry=False))
    for settings in ((), ("day=monday",), ("day=",)):
        backend.published.run(RunRequest(settings=settings))
        log()

    assert printed == [f"['--day', '{day}']\n".encode() for day in ("", "", "monday", "")]


@pytest.mark.parametrize("before_effect", [True, False])
def test_a_lost_answer_makes_no_second_version(azure_v2, tmp_path, before_effect):
    stocked(azure_v2)
    azure_v2.drop("PUT", "/components/churn_scores/versions/", before_effect=before_effect)

    publish(tmp_path)

    assert len(azure_v2.assets["components"]["churn_scores"]) == 1


def test_scripts_are_checked_before_anything_is_published(azure_v2, tmp_path):
    stocked(azure_v2)
    (tmp_path / "gone").mkdir()
    project = v2_project(tmp_path, PUBLISHED, SCRIPTS)
    (tmp_path / "train.py").unlink()

    with pytest.raises(Exception, match=r"train\.py"):
        list(AzureV2Backend(project).publish(prune=False, dry=False))

    assert azure_v2.assets["components"] == {}

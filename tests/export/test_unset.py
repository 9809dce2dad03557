"""Variables that are not set: placeholders in the files, and a remark for each."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from azml_tasks.errors import ProjectError
from azml_tasks.export import Export, export
from azml_tasks.reading import load_project
from tests.export.projects import texts


def exported(folder: Path, text: str, **variables: str) -> Export:
    """Return the export of a pipeline.yaml of one step, `a`, whose other keys are given."""
    (folder / "a.py").write_text("")
    (folder / "pipeline.yaml").write_text("compute_name: cpu\nenv_name: e\n" + dedent(text))
    return export(load_project(folder / "pipeline.yaml", variables=variables, needs_values=False))


def document(made: Export, path: str) -> Any:
    return yaml.safe_load(texts(made)[path])


def remark(line: int, place: str, variable: str, is_left_out: bool = False) -> str:
    placeholder = f"the files contain ${{{variable}}} instead; write the value there, or "
    done = "the files do not contain this key; " if is_left_out else placeholder
    remedy = f"set {variable} in the environment or in .env and export again"
    return f"pipeline.yaml:{line}: {place} needs {variable}, which is not set: {done}{remedy}"


def test_texts_stay_as_they_are_written(tmp_path):
    made = exported(
        tmp_path,
        """\
        steps: {a: {script_name: a.py, step_config: {lr: "${LR}"}, input_datasets: {--d: d}}}
        description: Scores of ${TEAM} in ${PLACE}
        datastores: {s: {container_name: "${BOX}", account_name: "${ACCOUNT}", account_key: "${STORE_KEY}"}}
        datasets: {d: {datastore_name: s, path: "in/${FOLDER}/x.csv", local_path: "${LOCAL}"}}
        computes: {cpu: {vm_size: "${SIZE}"}}
        """,
        TEAM="blue",
        STORE_KEY="c2VjcmV0",
    )

    assert document(made, "pipeline.yml")["description"] == "Scores of blue in ${PLACE}"
    assert document(made, "pipeline.yml")["inputs"]["a_config"] == '{"lr": "${LR}"}'
    assert document(made, "datastores/s.yml") == {
        "$schema": "https://azuremlschemas.azureedge.net/latest/azureBlob.schema.json",
        "name": "s",
        "type": "azure_blob",
        "account_name": "${ACCOUNT}",
        "container_name": "${BOX}",
    }
    assert document(made, "data/d/MLTable")["paths"] == [{"file": "azureml://datastores/s/paths/in/${FOLDER}/x.csv"}]
    assert document(made, "computes/cpu.yml")["size"] == "${SIZE}"
    assert [text for text in map(str, made.remarks) if "which is not set" in text] == [
        remark(3, "step 'a': step_config.lr", "LR"),
        remark(4, "description", "PLACE"),
        remark(5, "datastore 's': account_name", "ACCOUNT"),
        remark(5, "datastore 's': container_name", "BOX"),
        remark(6, "dataset 'd': path", "FOLDER"),
        remark(7, "compute 'cpu': vm_size", "SIZE"),
    ]
    assert "c2VjcmV0" not in repr(texts(made)) + repr(made.remarks)


def test_numbers_are_placeholders_too_and_what_cannot_be_one_is_left_out(tmp_path):
    made = exported(
        tmp_path,
        """\
        steps: {a: {script_name: a.py, max_run_duration_seconds: "${LIMIT}", allow_reuse: "${REUSE}"}}
        computes: {cpu: {vm_size: A, max_nodes: "${NODES}", vm_priority: "${PRIORITY}"}}
        schedule: {frequency: "${OFTEN}", interval: 2}
        """,
    )

    assert document(made, "pipeline.yml")["jobs"]["a"]["limits"] == {"timeout": "${LIMIT}"}
    assert document(made, "computes/cpu.yml")["max_instances"] == "${NODES}"
    assert document(made, "computes/cpu.yml")["tier"] == "${PRIORITY}"
    assert not any(path.startswith("schedules/") for path in made.files)
    assert [text for text in map(str, made.remarks) if "which is not set" in text] == [
        remark(3, "step 'a': allow_reuse", "REUSE", is_left_out=True),
        remark(3, "step 'a': max_run_duration_seconds", "LIMIT"),
        remark(4, "compute 'cpu': max_nodes", "NODES"),
        remark(4, "compute 'cpu': vm_priority", "PRIORITY"),
        remark(5, "schedule.frequency", "OFTEN", is_left_out=True),
    ]


def test_a_schedule_and_the_name_of_an_output(tmp_path):
    made = exported(
        tmp_path,
        """\
        steps: {a: {script_name: a.py, output_folders: {--o: {register_on_complete: "my ${NAME}"}}}}
        schedule: {frequency: Week, interval: "${N}", name: "${LABEL}", time_zone: "${ZONE}", enabled: "${ON}"}
        """,
    )

    schedule = document(made, "schedules/LABEL.yml")
    assert (schedule["name"], schedule["display_name"]) == ("${LABEL}", "${LABEL}")
    assert (schedule["trigger"]["interval"], schedule["trigger"]["time_zone"]) == ("${N}", "${ZONE}")
    assert document(made, "pipeline.yml")["jobs"]["a"]["outputs"]["o"]["name"] == "my ${NAME}"
    assert [text for text in map(str, made.remarks) if "which is not set" in text] == [
        remark(3, "step 'a': output_folders.--o.register_on_complete", "NAME"),
        remark(4, "schedule.enabled", "ON", is_left_out=True),
        remark(4, "schedule.interval", "N"),
        remark(4, "schedule.name", "LABEL"),
        remark(4, "schedule.time_zone", "ZONE"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("steps: {a: {script_name: '${SCRIPT}'}}", "3: step 'a': script_name needs SCRIPT"),
        ("steps: {a: {script_name: a.py, include: ['${FILE}']}}", "3: step 'a': include[0] needs FILE"),
        (
            "steps: {a: {script_name: a.py}}\nenvironments: {e: {conda_file: '${CONDA}'}}",
            "4: environment 'e': conda_file needs CONDA",
        ),
    ],
)
def test_a_file_whose_name_is_not_known_cannot_be_exported(tmp_path, text, line):
    with pytest.raises(ProjectError) as caught:
        exported(tmp_path, text + "\n")

    assert str(caught.value) == f"pipeline.yaml:{line}; set it in the environment or in .env"


def test_a_mistake_is_reported_with_what_is_not_set(tmp_path):
    with pytest.raises(ProjectError) as caught:
        exported(tmp_path, "steps: {a: {script_name: a.py, step_config: {x: '${X}'}, nonsense: 1}}\n")

    assert str(caught.value).splitlines() == [
        "pipeline.yaml:3: step 'a': 'nonsense' is not a key here",
        "pipeline.yaml:3: step 'a': step_config.x needs X; set it in the environment or in .env",
    ]

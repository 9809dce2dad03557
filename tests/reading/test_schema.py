"""The editors' schema takes what the reader takes, and refuses what it refuses in structure."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import copier
import pytest
from jsonschema import Draft202012Validator

from azml_tasks.reading.editor import PACKAGED_SCHEMA, SCHEMA_FILE, write_schema
from azml_tasks.reading.schema import json_schema, text_of
from azml_tasks.reading.tree import Node, parse_tree
from tests.reading.test_examples import CHURN
from tests.template.conftest import checkout

SCHEMA = json_schema()
STEPS = "steps: {a: {script_name: a.py}}\n"
ROOT = Path(__file__).parents[2]


def plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [plain(value) for value in node.value]
    return node.value


def is_valid(text: str) -> bool:
    return Draft202012Validator(SCHEMA).is_valid(plain(parse_tree(text)))


def test_it_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


def test_every_key_has_a_description():
    def undescribed(schema: Any, name: str) -> list[str]:
        return [f"{name}.{key}" for key, field in schema["properties"].items() if "description" not in field]

    parts = {"": SCHEMA, **{name: part for name, part in SCHEMA["$defs"].items() if "properties" in part}}
    assert [key for name, part in parts.items() for key in undescribed(part, name)] == []


@pytest.mark.parametrize("example", sorted((ROOT / "docs").rglob("*.yaml")), ids=lambda file: file.name)
def test_the_examples_of_the_documentation(example, problems):
    text = example.read_text(encoding="utf-8")

    assert is_valid(text)
    assert problems(text) == []


FINE = [
    CHURN,
    STEPS,
    STEPS + "targets:\n",
    STEPS + "targets: {dev: , prod: {}}\n",
    STEPS + "targets: {dev: {publish: , steps: {a: {step_config: }}, tags: {x: }}}\n",
    STEPS + "targets: {dev: {steps: {a: {step_config: {lr: 0.1}}}, datastores: {}}}\n",
    STEPS + "datasets: {d: {datastore_name: s, path: p}}\ntargets: {dev: {datasets: {d: {path: q}}}}\n",
    STEPS + "computes: {cc: {vm_size: S}}\ntargets: {dev: {computes: {cc: {max_nodes: 2}}}}\n",
    STEPS + "publish: {name: n}\ntargets: {dev: {publish: {description: d}}}\n",
    STEPS + "schedule: {frequency: Day}\ntargets: {dev: {schedule: {enabled: false}}}\n",
    STEPS + "auth: cli\n",
    STEPS + "auth: {method: cli, tenant_id: t}\n",
    STEPS + "auth: ${LOGIN:-cli}\n",
    STEPS + "backend: ${BACKEND:-local}\n",
    STEPS + "continue_on_step_failure: ${C:-true}\n",
    STEPS + "computes: {cc: {vm_size: S, min_nodes: 2, max_nodes: 2}}\n",
    STEPS + "publish:\nschedule:\n",
    "steps: {a: {script_name: a, script_directory: s, step_name: A}}\n",
    STEPS + "schedule: {frequency: Week, week_days: [Monday], hours: [9], minutes: [0, 30], time_zone: UTC}\n",
    STEPS + "schedule: {frequency: Day, time_of_day: 18:30, interval: '${N:-2}', enabled: '${E:-true}'}\n",
    STEPS + "schedule: {on_blob_change: {datastore_name: blob, polling_interval: '${N:-5}'}}\n",
    STEPS + "computes: {cc: {vm_size: S, max_nodes: '${N:-3}', vm_priority: '${P:-dedicated}'}}\n",
    STEPS
    + "datasets: {d: {version: 3}, e: {version: latest}, f: {version: '${V:-1}'}, g: {set_column_types: {a: long}}}\n",
    STEPS + "datasets: {d: {datastore_name: s, path: [a, b]}}\n",
    STEPS + "datastores: {s: {container_name: raw, account_name: acc, account_key: '${K}'}}\n",
    STEPS + "pipeline_parameters: {a: 1, b: 0.5, c: x, d: true, e: '${P:-1}'}\n",
    "steps: {a: {script_name: a.py, output_folders: [--x, --y]}}\n",
    "steps: {a: {script_name: a.py, output_folders: {--x: , --y: {}}}}\n",
    "steps: {a: {script_name: a.py, output_folders: []}, b: {script_name: b.py, input_folders: {}}}\n",
    "steps: {a: {script_name: a.py, output_folders: {--x: {destination: {datastore_name: s}}}}}\n",
    "steps: {a: {script_name: a.py}, b: {script_name: b.py, input_datasets: {t: {step: a, format: delimited}}}}\n",
    "steps: {a: {script_name: a.py, arguments: [--x, 1, 0.5, true]}}\n",
    "steps: {a: {script_name: a.py, arguments: {--x: 1}}}\n",
    "steps: {a: {script_name: a.py, step_config: {x: [1, {y: null}]}}}\n",
    "steps: {a: {script_name: a.py, step_config: }}\n",
    "steps: {a: {script_name: a.py, max_run_duration_seconds: '${M:-60}', allow_reuse: '${R:-false}'}}\n",
]


@pytest.mark.parametrize("text", FINE)
def test_what_the_reader_takes(problems, text):
    assert problems(text) == []
    assert is_valid(text)


REFUSED = [
    "{}",
    "steps: {}\n",
    "steps: []\n",
    "steps:\n",
    "steps: {a: }\n",
    "steps: {a: {}}\n",
    "steps: {a: {script_name: }}\n",
    "steps: {a: {script_name: 3}}\n",
    "steps: {a: {script_name: ''}}\n",
    STEPS + "foo: 1\n",
    STEPS + "backend: locale\n",
    STEPS + "backend: 3\n",
    STEPS + "subscription_id: 123\n",
    STEPS + "continue_on_step_failure: yes\n",
    STEPS + "tags: {a: 1}\n",
    STEPS + "pipeline_parameters: {a: [1]}\n",
    STEPS + "pipeline_parameters: {a: }\n",
    STEPS + "publish: {}\n",
    STEPS + "publish: churn\n",
    STEPS + "auth:\n",
    STEPS + "auth: az\n",
    STEPS + "auth: {method: az}\n",
    STEPS + "auth: {tenant: az}\n",
    STEPS + "schedule: daily\n",
    STEPS + "schedule: {frequency: daily}\n",
    STEPS + "schedule: {frequency: Day, interval: 0}\n",
    STEPS + "schedule: {frequency: Day, interval: 1.5}\n",
    STEPS + "schedule: {frequency: Day, hours: [24], minutes: [0]}\n",
    STEPS + "schedule: {on_blob_change: {}}\n",
    STEPS + "schedule: {on_blob_change: {datastore_name: s, polling_interval: 0}}\n",
    STEPS + "environments: {e: {pip_packages: pandas}}\n",
    STEPS + "environments: {e: {python_version: 3.10}}\n",
    STEPS + "datastores: {s: {}}\n",
    STEPS + "datastores: {s: {container_name: raw, account_name: acc, account_key: hunter2}}\n",
    STEPS + "datastores: {s: {container_name: raw, account_name: acc, sas_token: '${K:-x}'}}\n",
    STEPS + "datasets: {d: {type: csv}}\n",
    STEPS + "datasets: {d: {datastore_name: s, path: []}}\n",
    STEPS + "datasets: {d: {version: 0}}\n",
    STEPS + "datasets: {d: {version: newest}}\n",
    STEPS + "datasets: {d: {set_column_types: {a: int}}}\n",
    STEPS + "computes: {cc: {}}\n",
    STEPS + "computes: {cc: {vm_size: S, min_nodes: -1}}\n",
    STEPS + "computes: {cc: {vm_size: S, vm_priority: low}}\n",
    STEPS + "targets: [a]\n",
    STEPS + "targets: {dev: azure}\n",
    STEPS + "targets: {dev: {backend: nowhere}}\n",
    STEPS + "targets: {dev: {wsname: x}}\n",
    STEPS + "targets: {dev: {targets: {}}}\n",
    STEPS + "targets: {dev: {steps: {a: {script_nam: x}}}}\n",
    STEPS + "targets: {dev: {datastores: {s: {account_key: hunter2}}}}\n",
    "steps: {a: {script_name: a.py, output_folders: x}}\n",
    "steps: {a: {script_name: a.py, output_folders: [[]]}}\n",
    "steps: {a: {script_name: a.py, output_folders: {--x: {destination: {}}}}}\n",
    "steps: {a: {script_name: a.py, input_datasets: {t: {}}}}\n",
    "steps: {a: {script_name: a.py, input_datasets: {t: {step: a, format: csv}}}}\n",
    "steps: {a: {script_name: a.py, input_folders: [a]}}\n",
    "steps: {a: {script_name: a.py, arguments: [[1]]}}\n",
    "steps: {a: {script_name: a.py, arguments: --x}}\n",
    "steps: {a: {script_name: a.py, run_after: a}}\n",
    "steps: {a: {script_name: a.py, include: a}}\n",
    "steps: {a: {script_name: a.py, snapshot: all}}\n",
    "steps: {a: {script_name: a.py, max_run_duration_seconds: 0}}\n",
    "steps: {a: {script_name: a.py, allow_reuse: no}}\n",
    "steps: {a: {script_name: a.py, node_count: 2}}\n",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_the_reader_refuses(problems, text):
    assert problems(text) != []
    assert not is_valid(text)


def test_the_package_carries_it():
    assert PACKAGED_SCHEMA.read_text(encoding="utf-8") == text_of(SCHEMA), (
        "write it: python -m azml_tasks.reading.schema"
    )


def test_it_is_written_where_the_first_line_of_a_file_points(tmp_path):
    write_schema(tmp_path)

    file = tmp_path / SCHEMA_FILE
    assert re.search(r"\$schema=(\S+)", CHURN)[1] == SCHEMA_FILE.as_posix()
    assert json.loads(file.read_text(encoding="utf-8")) == SCHEMA


def test_it_is_written_again_when_it_is_another_release_s_or_not_whole(tmp_path):
    write_schema(tmp_path)
    file = tmp_path / SCHEMA_FILE
    written = file.stat()

    write_schema(tmp_path)
    kept = file.stat()
    raw = file.read_bytes()

    assert (kept.st_mtime_ns, kept.st_ino) == (written.st_mtime_ns, written.st_ino)
    for other in (b"\xff", raw[:-2], raw.replace(b"step_config", b"step_settings")):
        file.write_bytes(other)
        write_schema(tmp_path)
        assert json.loads(file.read_text(encoding="utf-8")) == SCHEMA


def test_a_folder_that_cannot_be_written_does_without(tmp_path):
    (tmp_path / ".azml").write_text("a file")

    write_schema(tmp_path)

    assert (tmp_path / ".azml").read_text() == "a file"


@pytest.mark.parametrize(
    "answers", [{}, {"datasets": "", "steps": "on, null"}, {"ws_name": "churn-ws", "datasets": "a, b"}]
)
def test_what_the_template_writes(tmp_path, problems, answers):
    copier.run_copy(str(checkout(tmp_path / "template")), tmp_path / "churn", answers, defaults=True, quiet=True)
    text = (tmp_path / "churn" / "pipeline.yaml").read_text(encoding="utf-8")

    assert text.startswith(f"# yaml-language-server: $schema={SCHEMA_FILE.as_posix()}\n")
    assert is_valid(text)
    assert problems(text) == []

"""`${VAR}` comes from the environment and .env, when it is needed, and never shows a secret."""

from __future__ import annotations

import sys

import pytest

from azml_tasks.errors import ProjectError
from azml_tasks.model import Compute, Schedule
from azml_tasks.reading import load_project
from azml_tasks.reading.values import Resolved, VariableError, read_variables, resolve

STEPS = "steps: {a: {script_name: a.py}}\n"


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("plain", Resolved("plain", (), ())),
        ("${A}", Resolved("one", ("A",), ())),
        ("x${A}y${B}z", Resolved("xoneytwoz", ("A", "B"), ())),
        ("${A}${A}", Resolved("oneone", ("A", "A"), ())),
        ("${NOT}", Resolved("${NOT}", ("NOT",), ("NOT",))),
        ("${EMPTY}", Resolved("${EMPTY}", ("EMPTY",), ("EMPTY",))),
        ("${A:-other}", Resolved("one", ("A",), ())),
        ("${NOT:-other}", Resolved("other", ("NOT",), ())),
        ("${EMPTY:-other}", Resolved("other", ("EMPTY",), ())),
        ("${NOT:-}", Resolved("", ("NOT",), ())),
        ("${NOT:-a:-b $5 {x\ny}", Resolved("a:-b $5 {x\ny", ("NOT",), ())),
        ("$$", Resolved("$", (), ())),
        ("$${A}", Resolved("${A}", (), ())),
        ("$$$A", Resolved("$$A", (), ())),
        ("$$${A}", Resolved("$one", ("A",), ())),
        ("$A costs $5 or $", Resolved("$A costs $5 or $", (), ())),
        ("${{ parameters.a }}", Resolved("${{ parameters.a }}", (), ())),
        ("${DOLLAR}", Resolved("${A}", ("DOLLAR",), ())),
    ],
)
def test_variables_in_a_text(text, resolved):
    variables = {"A": "one", "B": "two", "EMPTY": "", "DOLLAR": "${A}"}

    assert resolve(text, variables) == resolved


NO_VARIABLE = "is not a variable: write ${NAME} or ${NAME:-default}, and $$ for a dollar sign"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${}", f"'${{}}' {NO_VARIABLE}"),
        ("${A", f"'${{A' {NO_VARIABLE}"),
        ("${A B}", f"'${{A B}}' {NO_VARIABLE}"),
        ("${1A}", f"'${{1A}}' {NO_VARIABLE}"),
        ("${A-b}", f"'${{A-b}}' {NO_VARIABLE}"),
        ("${A:b}", f"'${{A:b}}' {NO_VARIABLE}"),
        ("${" + "a" * 100 + " }", f"'${{{'a' * 35}...' {NO_VARIABLE}"),
        ("${A:-${B}}", "'${A:-${B}': a default cannot contain a variable"),
        ("${${A}}", f"'${{${{A}}' {NO_VARIABLE}"),
    ],
)
def test_what_is_no_variable(text, message):
    with pytest.raises(VariableError) as caught:
        resolve(text, {"A": "one", "B": "two"})

    assert str(caught.value) == message


def test_a_variable_that_is_written_as_in_a_shell_is_noted(load):
    text = """\
experiment_name: churn
tags: {by: $USER, cost: $5 in $UNKNOWN, literal: $$USER}
steps:
  a:
    script_name: a.py
    step_config: {data: $DATA_DIR/raw, list: ["x:$DATA_DIR", "a$DATA_DIR", "$DATA_DIRS"], pattern: "^x$DATA_DIR|$USER"}
    arguments: [--key, $DB_PASSWORD, "--out=$DATA_DIR and $USER"]
"""
    variables = {"USER": "me", "DATA_DIR": "/data", "DB_PASSWORD": "hush-123"}
    rest = "is not replaced by the value of"

    assert [str(note) for note in load(text, **variables).notes] == [
        f"pipeline.yaml:2: tags.by: '$USER' {rest} USER; write ${{USER}}, or write $$USER for this text",
        f"pipeline.yaml:6: step 'a': step_config.data: '$DATA_DIR' {rest} DATA_DIR; write ${{DATA_DIR}}, or write "
        "$$DATA_DIR for this text",
        f"pipeline.yaml:6: step 'a': step_config.list[0]: '$DATA_DIR' {rest} DATA_DIR; write ${{DATA_DIR}}, or write "
        "$$DATA_DIR for this text",
        f"pipeline.yaml:6: step 'a': step_config.list[2]: '$DATA_DIRS' {rest} DATA_DIRS; write ${{DATA_DIRS}}, or "
        "write $$DATA_DIRS for this text",
        f"pipeline.yaml:7: step 'a': arguments[1]: '$DB_PASSWORD' {rest} DB_PASSWORD; read it in the script with "
        "run.get_secret('DB_PASSWORD'), or write $$DB_PASSWORD for this text",
        f"pipeline.yaml:7: step 'a': arguments[2]: '$DATA_DIR' {rest} DATA_DIR; write ${{DATA_DIR}}, or write "
        "$$DATA_DIR for this text",
        f"pipeline.yaml:7: step 'a': arguments[2]: '$USER' {rest} USER; write ${{USER}}, or write $$USER for this text",
    ]


def test_a_name_that_is_a_variable_as_in_a_shell_says_how_to_write_it(problems):
    assert problems(STEPS + "ws_name: $WS\n") == [
        "pipeline.yaml:2: ws_name: '$WS' is not a valid name: a workspace name has 3 to 33 letters, digits, "
        "underscores and dashes, and starts with a letter or a digit; write ${WS} for the variable"
    ]


def test_a_file_with_what_is_no_variable(problems):
    text = STEPS + "experiment_name: ${}\ndescription: ${A\nws_name: ${B:-${C}}\n"

    assert problems(text) == [
        f"pipeline.yaml:2: '${{}}' {NO_VARIABLE}",
        f"pipeline.yaml:3: '${{A' {NO_VARIABLE}",
        "pipeline.yaml:4: '${B:-${C}': a default cannot contain a variable",
    ]


def test_a_value_is_what_it_looks_like_or_what_is_wanted(load):
    text = """\
experiment_name: ${N}
tags: {plain: "${N}"}
steps:
  a:
    script_name: a.py
    step_name: ${N}
    step_config:
      plain: ${N}
      quoted: "${N}"
      part: ${N}px
      truth: ${T}
    max_run_duration_seconds: "${N}"
    allow_reuse: ${T}
    arguments: ["${N}"]
computes: {cc: {vm_size: S, max_nodes: "${N}"}}
"""

    pipeline = load(text, N="3", T="true").pipeline

    step = pipeline.steps["a"]
    assert (pipeline.experiment_name, pipeline.tags, step.step_name) == ("3", {"plain": "3"}, "3")
    assert step.step_config == {"plain": 3, "quoted": "3", "part": "3px", "truth": True}
    assert (step.max_run_duration_seconds, step.allow_reuse, step.arguments) == (3, True, ("3",))
    assert pipeline.computes == {"cc": Compute(vm_size="S", max_nodes=3)}


def test_a_value_that_fits_neither_way(problems):
    text = "steps:\n  a:\n    script_name: a.py\n    max_run_duration_seconds: ${N}\n    allow_reuse: ${N}\n"

    assert problems(text, N="1.5") == [
        "pipeline.yaml:4: step 'a': max_run_duration_seconds: expected a whole number, found '1.5' "
        "(from N, set in the environment or in .env)",
        "pipeline.yaml:5: step 'a': allow_reuse: expected true or false, found '1.5' "
        "(from N, set in the environment or in .env)",
    ]


def test_what_only_azure_needs_may_be_unset_on_this_machine(load):
    text = """\
backend: local
ws_name: ${WS}
resource_group: ${GROUP}
subscription_id: ${AZURE_SUBSCRIPTION_ID}
compute_name: ${COMPUTE}
env_name: ${ENVIRONMENT}
steps: {a: {script_name: a.py}}
environments: {e: {python_version: "${PY}"}}
datastores: {blob: {container_name: "${C}", account_name: "${A}", account_key: "${K}"}}
computes: {cc: {vm_size: "${SIZE}", max_nodes: "${N}", vm_priority: "${P}"}}
publish: {name: "${NAME}"}
schedule:
  frequency: ${F}
  interval: ${I}
auth: ${LOGIN}
"""

    project = load(text)

    assert project.pipeline.ws_name == "${WS}"
    assert project.pipeline.computes == {"cc": Compute(vm_size="${SIZE}")}
    assert [(item.line, item.variable) for item in project.values.missing] == [
        (2, "WS"),
        (3, "GROUP"),
        (4, "AZURE_SUBSCRIPTION_ID"),
        (5, "COMPUTE"),
        (6, "ENVIRONMENT"),
        (8, "PY"),
        (9, "C"),
        (9, "A"),
        (10, "SIZE"),
        (10, "N"),
        (10, "P"),
        (11, "NAME"),
        (13, "F"),
        (14, "I"),
        (15, "LOGIN"),
    ]


@pytest.mark.parametrize("key", ["week_days: ['${X}']", "week_days: [Monday]\n  hours: ['${X}', 3]\n  minutes: [0]"])
def test_an_item_of_a_list_may_be_unset_where_the_list_is_not_needed(load, key):
    text = (
        f"backend: local\nsteps: {{a: {{script_name: a.py}}}}\nschedule:\n  frequency: Week\n  interval: 1\n  {key}\n"
    )

    assert [item.variable for item in load(text).values.missing] == ["X"]


def test_azure_requires_a_variable_only_where_it_is_needed(load):
    text = STEPS + "ws_name: ${WS}\nsubscription_id: ${SUB}\ncomputes: {cc: {vm_size: '${SIZE}${SIZE}'}}\n"
    project = load(text, WS="churn-ws")

    project.require("ws_name", "resource_group", "steps")
    with pytest.raises(ProjectError) as caught:
        project.require("ws_name", "subscription_id", "computes")

    assert str(caught.value).split("\n") == [
        "pipeline.yaml:3: subscription_id needs SUB; set it in the environment or in .env",
        "pipeline.yaml:4: compute 'cc': vm_size needs SIZE; set it in the environment or in .env",
    ]


def test_what_every_run_needs_must_be_set(problems):
    text = """\
backend: ${B}
experiment_name: ${X}
description: ${Y}, ${X} and ${X}
tags: {t: "${T}"}
continue_on_step_failure: ${C}
pipeline_parameters: {p: "${P}"}
steps:
  a: {script_name: "${S}", max_run_duration_seconds: "${M}"}
datasets: {d: {local_path: "${D}"}}
"""

    assert problems(text, Y="") == [
        "pipeline.yaml:1: backend needs B; set it in the environment or in .env",
        "pipeline.yaml:2: experiment_name needs X; set it in the environment or in .env",
        "pipeline.yaml:3: description needs X; set it in the environment or in .env",
        "pipeline.yaml:3: description needs Y; set it in the environment or in .env",
        "pipeline.yaml:4: tags.t needs T; set it in the environment or in .env",
        "pipeline.yaml:5: continue_on_step_failure needs C; set it in the environment or in .env",
        "pipeline.yaml:6: pipeline_parameters.p needs P; set it in the environment or in .env",
        "pipeline.yaml:8: step 'a': max_run_duration_seconds needs M; set it in the environment or in .env",
        "pipeline.yaml:8: step 'a': script_name needs S; set it in the environment or in .env",
        "pipeline.yaml:9: dataset 'd': local_path needs D; set it in the environment or in .env",
    ]


def test_another_target_may_need_what_is_not_set_here(load):
    text = STEPS + "backend: local\ntargets: {prod: {backend: azure, experiment_name: '${PROD}'}}\n"

    assert load(text).pipeline.experiment_name is None
    with pytest.raises(ProjectError) as caught:
        load(text, target="prod")
    assert str(caught.value) == "pipeline.yaml:3: experiment_name needs PROD; set it in the environment or in .env"


def test_a_variable_s_value_is_held_to_the_rules_too(problems):
    text = STEPS + "ws_name: ${WS}\nschedule: {frequency: '${F}'}\n"

    assert problems(text, WS="a b", F="Week") == [
        "pipeline.yaml:2: ws_name: 'a b' is not a valid name: a workspace name has 3 to 33 letters, digits, "
        "underscores and dashes, and starts with a letter or a digit (from WS, set in the environment or in .env)"
    ]


def test_an_invalid_value_of_a_variable_that_only_azure_needs_is_a_note_on_this_machine(load, problems):
    text = f"backend: local\nws_name: ${{WS}}\n{STEPS}targets: {{dev: {{backend: azure}}}}\n"
    project = load(text, WS="ws!")

    assert [note.line for note in project.notes] == [2]
    assert "'ws!' is not a valid name" in project.notes[0].message
    assert project.notes[0].message.endswith(" (from WS, set in the environment or in .env)")
    assert project.pipeline.ws_name is None
    assert len(problems(text, "dev", WS="ws!")) == 1
    assert len(problems(text.replace("${WS}", "ws!"))) == 1, "what is written in the file is wrong everywhere"
    always = f"backend: local\nexperiment_name: ${{E}}\n{STEPS}"
    assert len(problems(always, E="a b")) == 1


def test_a_variable_holds_one_value_and_no_yaml(problems, load):
    assert problems("steps: ${S}\n", S="{a: {script_name: a.py}}") == [
        "pipeline.yaml:1: steps: expected a mapping such as {prepare: {script_name: prepare.py}}, "
        "found '{a: {script_name: a.py}}' (from S, set in the environment or in .env)"
    ]
    assert load(STEPS + "description: ${D}\n", D="*x: {[").pipeline.description == "*x: {["


# Secrets

LITERAL = "do not write secrets in this file; use ${SOME_VARIABLE} and set it in the environment or in .env"


@pytest.mark.parametrize("key", ["account_key", "sas_token"])
@pytest.mark.parametrize(
    "value",
    ["abcdefgh==", "12345678", "[hunter2]", "{hunter: 2}", "'${K:-hunter2}'", "'${K}hunter2'", "'x ${K}'", "''"],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(problems, key, value):
    text = STEPS + f"datastores:\n  s: {{container_name: raw, account_name: acc, {key}: {value}}}\n"

    assert problems(text, K="hunter2") == [f"pipeline.yaml:3: datastore 's': {LITERAL}"]


def test_a_secret_in_a_target_is_refused_and_not_repeated(problems):
    text = (
        STEPS
        + "datastores: {s: {container_name: raw, account_name: acc, account_key: '${K}'}}\n"
        + "targets:\n  dev:\n    datastores: {s: {account_key: hunter2}}\n"
    )

    assert problems(text) == [f"pipeline.yaml:5: target 'dev': datastore 's': {LITERAL}"]
    assert problems(text, target="dev") == [f"pipeline.yaml:5: datastore 's': {LITERAL}"]


def test_two_secrets_are_one_too_many(problems):
    text = """\
steps: {a: {script_name: a.py}}
datastores:
  s:
    container_name: raw
    account_name: acc
    account_key: ${K}
    sas_token: ${T}
"""

    assert problems(text) == ["pipeline.yaml:7: datastore 's': use either account_key or sas_token, not both"]


def test_a_secret_is_read_when_it_is_needed_and_the_model_holds_its_name_alone(load):
    text = STEPS + "datastores:\n  s: {container_name: raw, account_name: acc, account_key: '${STORAGE_KEY}'}\n"
    path = ("datastores", "s", "account_key")

    project = load(text, STORAGE_KEY="hunter2")

    assert project.pipeline.datastores["s"].account_key == "${STORAGE_KEY}"
    assert project.secret("${STORAGE_KEY}", path) == "hunter2"
    assert "hunter2" not in repr(project)
    for variables in ({}, {"STORAGE_KEY": ""}):
        with pytest.raises(ProjectError) as caught:
            load(text, **variables).secret("${STORAGE_KEY}", path)
        assert str(caught.value) == (
            "pipeline.yaml:3: datastore 's': account_key needs STORAGE_KEY; set it in the environment or in .env"
        )


@pytest.mark.parametrize(
    "variable",
    [
        *("MY_SECRET", "SECRET", "secret_1", "DB_PASSWORD", "PASSWD", "DB_PWD", "SAS_TOKEN", "API_KEY", "KEYS"),
        *("BLOB_SAS", "GOOGLE_CREDENTIALS", "DB_CREDENTIAL", "MONGO_CONNECTION_STRING", "CONNSTR"),
    ],
)
@pytest.mark.parametrize("value", ["${%s}", "${%s:-none}", "x ${%s} y"])
def test_a_secret_where_it_would_be_stored_is_refused_and_not_repeated(problems, variable, value):
    text = f"steps:\n  a:\n    script_name: a.py\n    max_run_duration_seconds: {value % variable}\n"

    assert problems(text, **{variable: "hunter2"}) == [
        f"pipeline.yaml:4: ${{{variable}}} looks like a secret and would be stored with the run; "
        f"read it in the script with run.get_secret('{variable}')"
    ]


def test_a_url_with_a_password_is_refused_like_a_secret_and_not_repeated(tmp_path):
    file = tmp_path / "pipeline.yaml"
    file.write_text("steps: {a: {script_name: a.py, step_config: {url: '${DATABASE_URL}'}}}\n")

    with pytest.raises(ProjectError) as caught:
        load_project(file, variables={"DATABASE_URL": "postgres://u:p@h/d"})

    assert str(caught.value) == (
        "pipeline.yaml:1: ${DATABASE_URL} looks like a secret and would be stored with the run; "
        "read it in the script with run.get_secret('DATABASE_URL')"
    )


def test_a_secret_for_azure_s_name_is_refused_once_and_not_repeated(problems):
    text = STEPS + "ws_name: ${WS_TOKEN}\n"

    assert problems(text, WS_TOKEN="hunter 2") == [
        "pipeline.yaml:2: ${WS_TOKEN} looks like a secret and would be stored with the run; "
        "read it in the script with run.get_secret('WS_TOKEN')"
    ]


@pytest.mark.parametrize(
    "variable", ["PWD", "OLDPWD", "KEYBOARD", "MONKEY", "TOKENIZER", "SECRETARY", "AZURE_SUBSCRIPTION_ID"]
)
def test_names_that_only_look_a_little_like_a_secret_s(load, variable):
    assert load(STEPS + f"description: ${{{variable}}}\n", **{variable: "value"}).pipeline.description == "value"


# Pipeline parameters


@pytest.mark.parametrize(
    "place",
    [
        "description: ${{ parameters.alpha }}",
        "experiment_name: x-${{parameters.alpha}}",
        "tags: {t: '${{ parameters.alpha }}'}",
        "env_name: ${{ parameters.alpha }}",
        "publish: {name: '${{ parameters.alpha }}'}",
    ],
)
def test_a_pipeline_parameter_where_none_can_be(problems, place):
    assert problems(f"{STEPS}{place}\n") == [
        "pipeline.yaml:2: ${{ ... }} is a pipeline parameter, which is allowed only in arguments"
    ]


def test_a_pipeline_parameter_in_a_step_s_config(problems):
    text = """\
pipeline_parameters: {alpha: 1}
steps:
  a:
    script_name: a.py
    step_config:
      x: ${{ parameters.alpha }}
"""

    assert problems(text) == ["pipeline.yaml:6: ${{ ... }} is a pipeline parameter, which is allowed only in arguments"]


def test_braces_with_a_plain_dollar(load):
    assert load(STEPS + "description: $${{ github.sha }}\n").pipeline.description == "${{ github.sha }}"


# .env


@pytest.fixture
def environment(monkeypatch):
    for name in ("AZML_A", "AZML_B", "AZML_C"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_environment_goes_before_the_file(tmp_path, environment):
    environment.setenv("AZML_A", "environment")
    (tmp_path / ".env").write_bytes(
        b"\xef\xbb\xbfAZML_B=first\nAZML_A=file\r\nexport AZML_B='x${AZML_A} y'\r\n# AZML_C=1\r\nAZML_C\r\n"
    )

    variables = read_variables(tmp_path)

    found = {name: variables.get(name) for name in ("AZML_A", "AZML_B", "AZML_C")}
    assert found == {"AZML_A": "environment", "AZML_B": "x${AZML_A} y", "AZML_C": None}


def test_without_a_file_there_is_the_environment(tmp_path, environment):
    environment.setenv("AZML_A", "environment")

    assert read_variables(tmp_path)["AZML_A"] == "environment"


def test_a_project_reads_both(tmp_path, environment):
    environment.setenv("AZML_A", "churn-ws")
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfAZML_B=local\n")
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        STEPS + "ws_name: ${AZML_A}\nbackend: ${AZML_B}\nschedule: {frequency: Day, interval: '${AZML_C:-2}'}\n"
    )

    pipeline = load_project(file).pipeline

    assert (pipeline.ws_name, pipeline.backend) == ("churn-ws", "local")
    assert pipeline.schedule == Schedule(frequency="Day", interval=2)


@pytest.mark.skipif(sys.platform != "linux", reason="a file that opens and cannot be read")
def test_a_file_that_cannot_be_read(tmp_path, environment):
    (tmp_path / ".env").symlink_to("/proc/self/mem")

    with pytest.raises(ProjectError) as caught:
        read_variables(tmp_path)

    assert str(caught.value) == ".env: cannot be read: Input/output error"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\nB=" + " " * 1_000_000 + "x", ".env: the file is longer than 1,000,000 characters"),
        ("A=1\nB=" + " " * 300_000 + "x", ".env:2: this line is longer than 30,000 characters"),
    ],
)
def test_a_file_made_to_exhaust_the_reader(tmp_path, environment, text, message):
    (tmp_path / ".env").write_text(text)

    with pytest.raises(ProjectError) as caught:
        read_variables(tmp_path)

    assert str(caught.value) == message


def test_a_long_secret_is_read(tmp_path, environment):
    (tmp_path / ".env").write_text(f"AZML_A={'x' * 29_000}\n")

    assert read_variables(tmp_path)["AZML_A"] == "x" * 29_000


def test_a_file_that_is_no_text(tmp_path, environment):
    (tmp_path / ".env").write_bytes(b"A=\xff\n")

    with pytest.raises(ProjectError) as caught:
        read_variables(tmp_path)

    assert str(caught.value) == ".env: the file is not UTF-8; save it as UTF-8"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("A=1\nB=2\nBROKEN LINE\nC=3\n", [3]),
        ("A=1\r\n\r\n\r\n  BROKEN LINE", [4]),
        ('\ufeffBROKEN LINE\n# fine\nKEY="s3cret\nB=1\n=s3cret\n', [1, 3, 5]),
        ("KEY='s3cret' s3cret\n", [1]),
    ],
)
def test_lines_that_set_nothing_are_reported_without_their_text(tmp_path, environment, caplog, text, lines):
    (tmp_path / ".env").write_bytes(text.encode())

    with pytest.raises(ProjectError) as caught:
        read_variables(tmp_path)

    told = "this line is not NAME=value; check for an unclosed quote or a space in the name"
    assert str(caught.value).splitlines() == [f".env:{line}: {told}" for line in lines]
    assert caplog.text == ""

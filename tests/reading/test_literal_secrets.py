"""Secrets that stand where they are stored with each run: which are remarked upon, and which names are harmless."""

from __future__ import annotations

import pytest

from azml_tasks.secrets import holds_secret
from tests.reading.pipeline_file import Load, Problems

KEY = "Zm9vYmFyMTIzNDU2Nzg5MEFCQ0RFRg=="
WHY = (
    " looks like a secret and would be stored with each run; keep it in .env and in the workspace's key vault, "
    'and read it in the script with run.get_secret("NAME")'
)


def test_each_is_named_with_its_line_and_never_shown(load: Load):
    project = load(
        f"""\
        backend: local
        pipeline_parameters:
          rows: 3
          api_key: hunter2
        steps:
          load:
            script_name: load.py
            step_config:
              password: hunter2
              rows: 3
              store: {{accountKey: hunter2, paths: [a, b]}}
              secrets: [hunter2, ""]
            arguments: {{--client-secret: hunter2, --rows: 3, --api-key: "${{{{ parameters.api_key }}}}"}}
            environment_variables:
              HF_TOKEN: {KEY}
          train:
            script_name: train.py
            arguments:
              - --password
              - hunter2
              - --sas-token=hunter2
              - --secret
              - --verbose
              - --db-password=hunter=2
              - --alpha=0.5
              - --passwd
              - 12345
              - --pwd2
              - hunter2
              - --api-key
              - ${{{{ parameters.api_key }}}}
        environments:
          e:
            environment_variables:
              DB_PASSWORD: hunter2
        targets:
          dev: {{steps: {{load: {{step_config: {{password: ""}}}}}}}}
        """
    )

    assert list(map(str, project.notes)) == [
        f"pipeline.yaml:{line}: {label}{WHY}"
        for line, label in [
            (9, "step 'load': step_config.password"),
            (11, "step 'load': step_config.store.accountKey"),
            (12, "step 'load': step_config.secrets.0"),
            (13, "step 'load': arguments.--client-secret"),
            (15, "step 'load': environment_variables.HF_TOKEN"),
            (20, "step 'train': the argument --password"),
            (21, "step 'train': the argument --sas-token"),
            (24, "step 'train': the argument --db-password"),
            (4, "pipeline_parameters.api_key"),
            (35, "environment 'e': environment_variables.DB_PASSWORD"),
        ]
    ]


@pytest.mark.parametrize(
    "key",
    [
        *("password", "db_password", "DB_PASSWORD", "--db-password", "dbPassword", "passwords", "passwd", "passphrase"),
        *(
            "db_pwd",
            "secret",
            "client-secret",
            "secrets",
            "credentials",
            "sas",
            "sas_token",
            "access_token",
            "authToken",
        ),
        *("account_key", "storage-key", "apiKey", "apikey", "api_keys", "AWS_SECRET_ACCESS_KEY", "private_key"),
        *("connection_string", "connectionString", "connstr", "conn_str"),
    ],
)
def test_keys_of_secrets(key: str):
    assert holds_secret(key, "hunter2")
    assert not holds_secret(key, " ")


@pytest.mark.parametrize(
    "key",
    [
        *("key", "keys", "primary_key", "join_keys", "KEY_COLUMN", "token", "token_count", "max_tokens", "tokenizer"),
        *(
            "pad_token",
            "eos_token",
            "TOKENIZERS_PARALLELISM",
            "secret_name",
            "password_file",
            "api_key_variable",
            "pwd",
        ),
        *("PWD", "sas_format", "atlas", "monkey", "secretary", "credentials_path", "compass", "keyword"),
    ],
)
@pytest.mark.parametrize("text", ["id", "<pad>", "customer_id_2024_partition", "/data/Customers/2024.csv"])
def test_keys_that_are_harmless(key: str, text: str):
    assert not holds_secret(key, text)


@pytest.mark.parametrize(
    ("key", "text", "is_one"),
    [
        ("token", KEY, True),
        ("HF_TOKEN", "hf_AbCdEfGhIjKlMnOp1234", True),
        ("key", KEY, True),
        ("key", "Short1", False),
        ("key", "a long text with 2 Words", False),
        ("value", KEY, False),
    ],
)
def test_a_key_that_may_be_harmless_holds_a_secret_when_the_text_is_made_up(key: str, text: str, is_one: bool):
    assert holds_secret(key, text) is is_one


SAS = "https://a.blob.core.windows.net/raw/t.csv?sv=2022-11-02&sr=b&sig=uZ3bX2c9%2FqL8mN7pR5tV1wY4aS6dF0gH%3D"


def test_a_secret_that_is_known_by_its_shape_is_refused_wherever_it_stands(problems):
    token = f"ghp_{'aB1c' * 9}"
    remedy = (
        "and would be stored with each run; keep it in .env and in the workspace's key vault, and read it in the "
        'script with run.get_secret("NAME")'
    )

    found = problems(
        f"""\
        description: made with {token}
        tags: {{source: "{SAS}"}}
        pipeline_parameters: {{src: "{SAS}"}}
        steps:
          a:
            script_name: a.py
            step_config: {{db: {{address: "postgres://u:hunter2@h/d"}}, urls: [x, "{SAS}"]}}
            arguments: [--key, {token}]
            environment_variables: {{X: "AccountName=a;AccountKey=abcdefghijklmnop0123"}}
        targets:
          dev: {{tags: {{source: {token}}}}}
        """
    )

    assert found == [
        f"pipeline.yaml:1: description looks like a secret (a GitHub token) {remedy}",
        f"pipeline.yaml:2: tags.source looks like a secret (a signature, sig=) {remedy}",
        f"pipeline.yaml:3: pipeline_parameters.src looks like a secret (a signature, sig=) {remedy}",
        f"pipeline.yaml:7: step 'a': step_config.db.address looks like a secret (a password in a URL) {remedy}",
        f"pipeline.yaml:7: step 'a': step_config.urls[1] looks like a secret (a signature, sig=) {remedy}",
        f"pipeline.yaml:8: step 'a': arguments[1] looks like a secret (a GitHub token) {remedy}",
        "pipeline.yaml:9: step 'a': environment_variables.X looks like a secret (a connection string with its key) "
        + remedy,
        f"pipeline.yaml:11: target 'dev': tags.source looks like a secret (a GitHub token) {remedy}",
    ]


@pytest.mark.parametrize(
    ("value", "variables"),
    [("${SRC}", {"SRC": SAS}), ("${SRC:-x}", {"SRC": SAS}), ("see ${SRC}", {"SRC": "postgres://u:hunter2@h/d"})],
)
def test_a_variable_whose_value_has_the_shape_of_a_secret_is_refused(problems, value, variables):
    (found,) = problems(f'steps: {{a: {{script_name: a.py, step_config: {{src: "{value}"}}}}}}\n', **variables)

    assert found == (
        "pipeline.yaml:1: ${SRC} looks like a secret and would be stored with the run; "
        "read it in the script with run.get_secret('SRC')"
    )


def test_a_secret_that_is_put_together_of_variables_is_refused(problems):
    text = 'steps: {a: {script_name: a.py, step_config: {src: "https://h/t?sig=${A}"}}}\n'

    (found,) = problems(text, A="uZ3bX2c9%2FqL8mN7pR5tV1wY4aS6dF0gH%3D")

    assert found.startswith("pipeline.yaml:1: step 'a': step_config.src looks like a secret (a signature, sig=)")
    assert problems(text, A="short") == []


def test_an_address_of_an_index_reports_what_works_in_place_of_a_login(problems):
    works = (
        "write the URL without the login: on Azure ML, store the login in a workspace connection "
        "(Workspace.set_connection); "
        "on this machine PIP_INDEX_URL or PIP_EXTRA_INDEX_URL in the environment, pip.conf or .netrc"
    )
    text = (
        'environments: {{e: {{pip_packages: ["-i https://build:{}@h/simple"]}}}}\nsteps: {{a: {{script_name: a.py}}}}\n'
    )

    assert problems(text.format("hunter2")) == [
        "pipeline.yaml:1: environment 'e': pip_packages[0] looks like a secret (a password in a URL) and would be "
        "stored with each run; write the URL without the login: on Azure ML, store the login in a workspace "
        "connection (Workspace.set_connection); on this machine PIP_INDEX_URL or PIP_EXTRA_INDEX_URL in the "
        "environment, pip.conf or .netrc"
    ]
    assert problems(text.format("${FEED_TOKEN}"), FEED_TOKEN="hunter2") == [
        f"pipeline.yaml:1: ${{FEED_TOKEN}} looks like a secret and would be stored with the run; {works}"
    ]


def test_a_key_of_a_datastore_has_its_own_sentence(problems):
    (found,) = problems(
        f"datastores: {{d: {{container_name: raw, account_name: acct, account_key: {KEY}}}}}\n"
        "steps: {a: {script_name: a.py}}\n"
    )

    assert "do not write secrets in this file; use ${SOME_VARIABLE}" in found
    assert KEY not in found


def test_the_value_of_a_secret_of_the_environment_is_an_error_under_any_key(problems: Problems):
    text = """\
        backend: local
        tags: {note: "${NOTE}"}
        steps: {a: {script_name: a.py, arguments: [--note=hunter2hunter]}}
        """

    found = problems(text, MY_TOKEN="hunter2hunter", NOTE="hunter2hunter")

    why = WHY.replace(" looks like a secret", " looks like a secret (the value of MY_TOKEN)")
    assert found == [f"pipeline.yaml:2: tags.note{why}", f"pipeline.yaml:3: step 'a': arguments[0]{why}"]

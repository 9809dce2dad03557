"""Secrets that stand where they are stored with each run: which are remarked upon, and which names are harmless."""

from __future__ import annotations

import pytest

from azml_tasks.secrets import holds_secret
from tests.reading.pipeline_file import Load

KEY = "Zm9vYmFyMTIzNDU2Nzg5MEFCQ0RFRg=="
WHY = (
    " looks like a secret, and what stands here is stored with each run; keep it in .env and in the workspace's key "
    'vault, and let the script read it with run.get_secret("NAME")'
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

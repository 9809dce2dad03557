"""Which variables are taken to hold secrets, and which are not."""

from __future__ import annotations

import pytest

from azml_tasks.secrets import is_secret, is_secret_name


@pytest.mark.parametrize(
    "variable",
    [
        *("STORAGE_KEY", "KEY_STORAGE", "key", "CHURN_KEY1", "SSH_KEYS", "APIKEY", "OPENAI_APIKEY", "openaiApiKey"),
        *("AWS_SECRETACCESSKEY", "ACCOUNTKEY", "STORAGEKEY2", "PRIVATEKEY", "AZURE_CLIENT_SECRET", "CLIENTSECRET"),
        *("DB_SECRETS", "SECRET_NAME", "PASSWORD", "PGPASSWORD", "DB_PASSWORD_FILE", "REDISPASSWORD_2", "PASSWORDS"),
        *("MYSQL_PASSWD", "PASSPHRASE", "GPG_PASSPHRASE", "DB_PWD", "MYSQLPWD", "SSHPASS", "DBPASS_PROD", "PASS"),
        *("DB_PASS", "db_pass", "SMTP_PASS2", "TOKEN", "ACCESSTOKEN", "accessToken", "GITHUBTOKEN", "SAS_TOKEN"),
        *("HF_TOKEN_READ", "PAT", "GITHUB_PAT", "AZURE_DEVOPS_EXT_PAT", "SAS", "CHURN_SAS", "GCP_CREDENTIAL"),
        *("GOOGLE_APPLICATION_CREDENTIALS", "MONGO_CONNECTION_STRING", "SQLCONNECTIONSTRING", "SQLAZURECONNSTR_X"),
        *("DB_CONN_STR", "CONNSTR"),
    ],
)
def test_names_of_secrets(variable):
    assert is_secret_name(variable)


@pytest.mark.parametrize(
    "variable",
    [
        *("", "PWD", "pwd", "OLDPWD", "HOME", "PATH", "PATHEXT", "PYTHONPATH", "PATTERN", "FILE_PAT", "GLOB_PAT"),
        *("PATCH", "SPAT", "PAT_LENGTH", "PASSENGER_ROOT", "COMPASS", "COMPASS_HOME", "BYPASS", "BY_PASS", "LOW_PASS"),
        *("BANDPASS", "FIRST_PASS", "N_MAX_PASS", "PASS_THROUGH", "PASSTHROUGH", "PASSIVE", "SSH_ASKPASS", "KEEPASS"),
        *("PASSWORDLESS", "PASSWORDLESS_LOGIN", "KEYBOARD", "XKEYBOARD", "MONKEY", "MONKEY_PATCH", "TURKEYS", "HOTKEY"),
        *("KEYCLOAK_URL", "TOKENIZERS_PARALLELISM", "TOKENIZER", "MAX_TOKENS", "SASL_MECHANISM", "SECRETARY"),
        *("ROOTPATH", "SSH_AUTH_SOCK", "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "CONNECTION_TIMEOUT", "DATABASE_URL"),
        *("XDG_SESSION_ID", "USERNAME", "LOGNAME", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "AZML_LOCAL_PROCESS"),
    ],
)
def test_names_that_only_sound_like_secrets(variable):
    assert not is_secret_name(variable)


@pytest.mark.parametrize(
    ("variable", "value", "secret"),
    [
        ("DATABASE_URL", "postgres://u:p@h/d", True),
        ("DATABASE_URL", "mysql+pymysql://u:p%40w@h:3306/d?x=1", True),
        ("BROKER", "redis://:p@h:6379", True),
        ("BROKERS", "amqp://h AMQP://u:p@w@h", True),
        ("PIP_INDEX_URL", "https://__token__:x@h/simple", True),
        ("DATABASE_URL", "postgres://h/d", False),
        ("DATABASE_URL", "postgres://u@h:5432/d", False),
        ("ENDPOINT", "https://h:8080/a:b@c", False),
        ("ENDPOINT", "https://h:8080?to=a@b", False),
        ("REMOTE", "git@github.com:owner/name", False),
        ("NOTE", "a:b@c", False),
        ("HTTPS_PROXY", "http://u:p@h:3128", False),
        ("no_proxy", "h", False),
        ("DB_PASS", "x", True),
        ("PATH", "/bin", False),
    ],
)
def test_a_password_in_a_url_makes_its_variable_a_secret_but_for_a_proxy(variable, value, secret):
    assert is_secret(variable, value) is secret

"""Which variables and texts are taken to hold secrets, and which are not."""

from __future__ import annotations

import base64
import hashlib
import time

import pytest

from azml_tasks.errors import Problem, UsageError
from azml_tasks.secrets import (
    STORAGE_KEY,
    is_secret,
    is_secret_name,
    looks_secret,
    made_up_secrets,
    redact,
    secret_in,
    secret_or_copy_in,
)


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
        *(
            "KEY_VAULT_NAME",
            "AZURE_KEY_VAULT_URL",
            "KEYVAULT_URI",
            "SORT_KEY",
            "PARTITION_KEYS",
            "PAD_TOKEN",
            "EOS_TOKEN",
        ),
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


KEY = base64.b64encode(bytes(range(160, 224))).decode()
SAS = "https://a.blob.core.windows.net/raw/t.csv?sv=2022-11-02&sp=r&sig=uZ3bX2c9%2FqL8mN7pR5tV1wY4aS6dF0gH%3D"


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        (SAS, "a signature, sig=", SAS.partition("&sig=")[0] + "&sig=***"),
        ("?sv=2022&sig=abcdefghijklmnop%3D", "a signature, sig=", "?sv=2022&sig=***"),
        (
            f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={KEY};EndpointSuffix=core.windows.net",
            "a connection string with its key",
            "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=***;EndpointSuffix=core.windows.net",
        ),
        (
            "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=abcdefghijklmnopqrstuvwx=",
            "a connection string with its key",
            "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=***",
        ),
        (
            "Server=tcp:x,1433;Database=d;User ID=u;Password=hunter2!;Encrypt=True",
            "a connection string with its password",
            "Server=tcp:x,1433;Database=d;User ID=u;Password=***;Encrypt=True",
        ),
        ("host=h user=u password=hunter2 dbname=d", "a connection string with its password", None),
        ("h.redis.cache.windows.net:6380,password=abc123=,ssl=True", "a connection string with its password", None),
        ("jdbc:postgresql://h/db?user=u&password=hunter2", "a connection string with its password", None),
        ("postgres://u:p@h/d", "a password in a URL", "postgres://u:***@h/d"),
        ("-i https://build:0a1b2c@h/simple", "a password in a URL", "-i https://build:***@h/simple"),
        ("-i https://abcdefghij0123456789@h/simple", "a token in a URL", "-i https://***@h/simple"),
        ("https://conda.anaconda.org/t/ab-12345678-1234-1234/x", "a token in a URL", None),
        ("https://h/x?access_token=abcdefghij0123456789", "a token in a URL", None),
        (f"the key is {KEY}.", "a key of an Azure storage account", "the key is ***."),
        ("Authorization: Basic dXNlcjpodW50ZXIy", "a login", "Authorization: Basic ***"),
        (f"https://f.azurewebsites.net/api/x?code={'aB1c' * 12}==", "a token in a URL", None),
        (f"Bearer {'aB1' * 8}", "a token", "Bearer ***"),
        (f"ghp_{'aB1c' * 9}", "a GitHub token", "***"),
        (f"github_pat_{'aB1c' * 15}", "a GitHub token", "***"),
        ("glpat-abcdefghij0123456789", "a GitLab token", "***"),
        ("gldt-abcdefghij0123456789", "a GitLab token", "***"),
        (f"dose{'0a' * 16}", "a Databricks token", "***"),
        ("https://h/x?private_token=abcdefghij0123456789", "a token in a URL", None),
        (f"client_secret='{'aB3d' * 6}'", "a secret by its name", "client_secret='***'"),
        (f'{{\\"apiKey\\": \\"{"aB3d" * 6}\\"}}', "a secret by its name", '{\\"apiKey\\": \\"***\\"}'),
        (f"--password {'aB3d' * 6}", "a secret by its name", "--password ***"),
        ("AKIA2345ABCDEFGH6789", "an AWS key", "***"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4", "a JSON web token", "***"),
        ("xoxb-123456789012-abcdef", "a Slack token", "***"),
        ("https://hooks.slack.com/services/T00000000/B00000000/ab01", "the address of a webhook", None),
        (f"hf_{'aBcD' * 9}", "a Hugging Face token", "***"),
        (f"sk-proj-{'aB1c' * 9}", "a key of a model's service", "***"),
        (f"AIza{'aB1c5' * 7}", "a Google key", "***"),
        (f"dapi{'0a' * 16}", "a Databricks token", "***"),
        (f"abc8Q~{'aB1-' * 8}", "a client secret of Azure", "***"),
        (f"npm_{'aB1c' * 9}", "an npm token", "***"),
        (f"xai-{'aB1c' * 20}", "a token of a service", "***"),
        (f"nvapi-{'aB1-' * 16}c", "a token of a service", "***"),
        (f"lsv2_pt_{'0a' * 16}_0123456789", "a token of a service", "***"),
        (f"ATATT3xFfGF0{'aB1_' * 20}=0123ABCD", "a token of a service", "***"),
        (f"AccountName%3Dx%3BAccountKey%3D{'aB1c' * 21}aB%3D%3D", "a connection string with its key", None),
        (
            "x\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\ny",
            "a private key",
            "x\n***\ny",
        ),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "a private key", "***"),
    ],
)
def test_secrets_are_known_by_their_shape_and_not_shown(text, kind, shown):
    assert secret_in(text) == kind
    assert secret_in(f"in '{text}', that") == kind
    assert not secret_in(redact(text))
    if shown:
        assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "a text of several words", "2024-01-01T00:00:00Z", "12345678-1234-1234-1234-123456789abc"),
        *(hashlib.new(name, b"x").hexdigest() for name in ("md5", "sha1", "sha256", "sha512")),
        f"sha512-{KEY}",
        base64.b64encode(b"what stands here is text of sixty-four characters, not a key ...").decode(),
        base64.b64encode(b"some data" * 40).decode(),
        *(
            "AccountName=x;EndpointSuffix=core.windows.net",
            "UseDevelopmentStorage=true",
            "AccountKey=<your-account-key>",
        ),
        "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
        "Server=x;Database=d;Authentication=Active Directory Managed Identity",
        "InstrumentationKey=12345678-1234-1234-1234-123456789abc;IngestionEndpoint=https://x",
        *("https://h/x?sig=${SIG}", "https://build:${TOKEN}@h/simple", "https://user:<password>@h", "https://u:***@h"),
        *(
            "amqp://guest:guest@localhost",
            "postgres://postgres:postgres@db/x",
            "Basic knowledge",
            "https://h/x?code=403",
        ),
        *(
            "git+ssh://git@github.com/o/r.git",
            "https://user@h/x",
            "https://discuss.pytorch.org/t/a-long-name-of-2024/1",
        ),
        *(
            "abfss://container2024rawdata0@a.dfs.core.windows.net/x",
            "azureml://datastores/x/paths/y",
            "s3://bucket/key",
        ),
        *(
            "sk-Learn-Model-2-Version-Final-Run",
            "a+" + base64.b64encode(b"x" * 64).decode().replace("e", "E"),
            f"0/{KEY}",
        ),
        *("sk-learn-pipeline-experiment-name-2", "task-A1b2c3d4e5f6g7h8i9j0k1", "disk-A0000-b1111-c22222222"),
        *("xai-explanations-of-the-model-2024-final", "wandb_v1_model", "pplx-of-2024", "dp.pt.x"),
        *("hf_hub_download", "ghp_short", "AKIAIOSFODNN7EXAMPLE", "eyJ.eyJ", "run_1234567890_abcdef_step_name"),
        *("--password", "the password=x of nothing", "model-Version2-of-2024-Q3_risk-adjusted"),
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----",
    ],
)
def test_ordinary_texts_are_no_secrets(text):
    assert secret_in(text) is None
    assert redact(text) == text


@pytest.mark.parametrize(("key", "kind"), [("sha512", None), ("content_hash", None), ("note", STORAGE_KEY)])
def test_a_digest_is_known_by_its_key(key, kind):
    assert secret_in(KEY, key) == kind


def test_what_is_known_to_be_secret_is_not_shown_either():
    assert redact("hunter2 and hunter22, x", ["hunter2", "hunter22", ""]) == "*** and ***, x"


@pytest.mark.parametrize(
    "piece", ["eyJ-", "SG.aaaaaaaaaaaaaaaaaaaa", ";pwd=abc", "a://:", "sk-", "+/", "https://a", KEY]
)
def test_no_text_takes_long_to_look_through(piece):
    text = piece * (200_000 // len(piece))
    begun = time.process_time()

    secret_in(text)
    redact(text)

    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    "piece",
    [
        "\n",
        " ",
        "kind: Secret\n",
        "machine a login b ",
        "//x:_auth",
        "-----BEGIN PRIVATE KEY-----",
        "password ",
        "LS0tLS1CRUdJTi",
    ],
)
def test_no_file_takes_long_to_look_through(tmp_path, piece):
    (tmp_path / "file").write_text(piece * (64_000 // len(piece)))
    begun = time.process_time()

    looks_secret(str(tmp_path / "file"), str(tmp_path))

    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    ("variable", "value", "secret"),
    [("SRC", SAS, True), ("HTTPS_PROXY", f"http://h?t=ghp_{'aB1c' * 9}", True), ("SRC", SAS.partition("?")[0], False)],
)
def test_a_variable_is_a_secret_by_the_shape_of_its_value(variable, value, secret):
    assert is_secret(variable, value) is secret


def test_an_error_of_ours_shows_no_secret():
    assert str(UsageError(f"cannot read {SAS}")).endswith("&sig=***")
    assert str(Problem("a.yml", 3, f"x ghp_{'aB1c' * 9} y")) == "a.yml:3: x *** y"
    long = "x" * 990 + f" ghp_{'aB1c' * 9}"
    assert "ghp_" not in str(Problem("a.yml", 3, long))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "https://a.blob.core.windows.net/c?sv=2022\\u0026sig=aB3dE6gH9jK%3D",
            "https://a.blob.core.windows.net/c?sv=2022\\u0026sig=***",
        ),
        ("c%3Fsv%3D2022%26sig%3DaB3dE6gH9jK%253D", "c%3Fsv%3D2022%26sig%3D***"),
        (
            "Endpoint=https://x.azconfig.io;Id=a-l0-s0:b;Secret=aB3dE6gH9jKmN2pQ5=",
            "Endpoint=https://x.azconfig.io;Id=a-l0-s0:b;Secret=***",
        ),
        ("Data Source=x;User Id=u;Password='Hun ter2'", "Data Source=x;User Id=u;Password=***"),
        ("Server=x;Uid=u;Pwd={Hun;ter2};Encrypt=yes", "Server=x;Uid=u;Pwd=***;Encrypt=yes"),
        (
            "?odbc_connect=Server%3Dx%3BUid%3Du%3BPWD%3Dhunter2%3BEncrypt%3Dyes",
            "?odbc_connect=Server%3Dx%3BUid%3Du%3BPWD%3D***%3BEncrypt%3Dyes",
        ),
        ("postgresql://u@host:hunter2@x/db", "postgresql://u@host:***@x/db"),
        (f"{'aB3d' * 13}JQQJ99{'aB' * 13}", "***"),
        (f"{'aB3d' * 8}x+ASbCaB3dE=", "***"),
        (f"{'aB3d' * 10}xy+ACRDaB3dE", "***"),
        (f"sk-{'0a1b2c3d' * 4}", "***"),
        ("https://aB3dE6gH9jKmN2pQ5s:@h/simple", "https://***:@h/simple"),
    ],
)
def test_forms_in_which_services_and_libraries_pass_secrets_on_are_known_whole(text, shown):
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        *(
            "https://h/?sig=significance",
            "p-value sig=0.0000123456",
            "alpha=0.05;sig=two-sided-test",
            "x sig=significant_only",
        ),
        *(
            "host=x pwd=/home/me",
            "server=x;password=None",
            "user=1&pwd=true&host=2",
            "primary_key=customer_id_and_order_id",
        ),
        *(
            "sk-RandomForestClassifier2024v1",
            "sk-StandardScaler3PCA12LogReg",
            "xoxo-hugs-and-kisses-2024",
            "xapp-experiment-1234567",
        ),
        *("https://contoso-data-team2024@dev.azure.com/o", "https://firstname.lastname1985@dev.azure.com/o/_git/r"),
        "SG.model_version_number1.component_name_long",
    ],
)
def test_words_in_the_place_of_a_secret_are_no_secrets(text):
    assert secret_in(text) is None


_CONNECTION = f"AccountName=a;AccountKey={'aB3d' * 21}QQ=="
_KUBE = "apiVersion: v1\nkind: Config\nusers:\n- name: u\n  user:\n    token: abc\n"


@pytest.mark.parametrize(
    ("name", "content", "secret"),
    [
        ("connection.txt", _CONNECTION, True),
        ("storage.json", f'{{"connectionString": "{_CONNECTION}"}}', True),
        ("blobfuse2.yaml", f"azstorage:\n  account-key: {'aB3d' * 21}QQ==\n", True),
        ("cluster.yaml", _KUBE, True),
        ("sas.txt", SAS, True),
        ("hub", f"ghp_{'aB3d' * 9}", True),
        ("snowflake.p8", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", True),
        ("id_rsa.bak", "-----BEGIN RSA PRIVATE KEY-----\n", True),
        ("tokens.json", f'{{"access_token": "{"aB3d" * 9}"}}', True),
        *((name, "", True) for name in (".secrets.toml", ".credentials", "credentials.yml", ".msal_token_cache.json")),
        ("netrc", "machine h\n  login u\n  password p\n", True),
        ("registry.json", '{"auths": {"h": {"auth": "dTpwYXNzd29yZA=="}}}', True),
        ("npmrc", "//registry.npmjs.org/:_authToken=0123456789\n", True),
        (".yarnrc.yml", 'npmAuthToken: "abcdef1234567890"\n', True),
        ("server.crt", f"-----BEGIN CERTIFICATE-----\nMI\n-----BEGIN PRIVATE KEY-----\n{'aB3d' * 9}\n", True),
        ("values.yaml", f"tls: |\n  -----BEGIN RSA PRIVATE KEY-----\n  {'aB3d' * 9}\n", True),
        ("kubernetes.yaml", "apiVersion: v1\nkind: Secret\ndata:\n  a: eA==\n", True),
        ("key.b64", base64.b64encode(b"-----BEGIN RSA PRIVATE KEY-----\nMIIE").decode(), True),
        ("infrastructure.json", '{"version": 4, "terraform_version": "1.5.0", "resources": []}', True),
        ("env.prod", f"AZURE_CLIENT_SECRET={'aB3d' * 4}\n", True),
        ("appsettings.Production.json", '{"db": "Server=s;User ID=u;Password=Hunter22;"}', True),
        ("profiles.yml", "dev:\n  password: Hunter22\n", True),
        ("cookies.txt", "# Netscape HTTP Cookie File\n", True),
        ("accessKeys.csv", "", True),
        ("profiles.yml", "dev:\n  password: \"{{ env_var('P') }}\"\n", False),
        ("env.yml", "dependencies: [python]\n", False),
        ("README", "A key starts with -----BEGIN RSA PRIVATE KEY----- and is not allowed here.\n", False),
        ("deploy.yaml", "kind: Pod\nsecretKeyRef: {name: a, key: b}\ndata: x\n", False),
        ("auth.json", '{"auths": {}}', False),
        ("ca.crt", "-----BEGIN CERTIFICATE-----\nMI\n", False),
        ("key.py", "KEY = 'customer_id'\n", False),
        ("vocab.json", '{"private_key": 1, "access_token": 2}', False),
        ("config.json", '{"model_type": "bert", "pad_token": "[PAD]", "pad_token_id": 0}', False),
        ("openapi.json", '{"client_secret": "Client secret of the application"}', False),
        ("deployment.yaml", "kind: Deployment\ntoken: x\n", False),
        ("pipeline.yaml", "db: postgres://user:secret1@localhost/test\n", False),
        ("train.env", "SORT_KEY=date\nPAD_TOKEN=x\n", False),
        (".secrets.baseline", "{}", False),
        ("public.pem", "-----BEGIN PUBLIC KEY-----\n", False),
        ("request.pem", "-----BEGIN CERTIFICATE REQUEST-----\n", False),
        ("release.key", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n", False),
        ("tls.key", "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n", True),
    ],
)
def test_a_file_is_a_secret_by_what_it_holds_and_not_by_a_word_in_it(tmp_path, name, content, secret):
    (tmp_path / name).write_text(content)
    assert looks_secret(str(tmp_path / name), str(tmp_path)) is secret


def test_values_of_secrets_are_known_wherever_they_are_copied_to():
    secrets = made_up_secrets(
        {"HF_TOKEN": "hunter2hunter", "DB_PASSWORD": "postgres", "SSH_KEY": "/home/me/id_1", "PORT": "h1h2h3h4"}
    )

    assert secret_or_copy_in("--key=hunter2hunter", secrets) == "the value of HF_TOKEN"
    assert [secret_or_copy_in(text, secrets) for text in ("postgres", "/home/me/id_1", "h1h2h3h4")] == [None] * 3

"""A snapshot that cannot be right is refused before anything is sent, each with its sentence."""

from __future__ import annotations

import os
import platform

import pytest

from azml_tasks.errors import Problem
from azml_tasks.snapshot import SnapshotError, SnapshotProblem, build_snapshot
from azml_tasks.snapshot.snapshot import over_the_limits

PYTHON = platform.python_version()


def refusal(*arguments, **options) -> str:
    with pytest.raises(SnapshotError) as caught:
        build_snapshot(*arguments, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("directory", "name", "message"),
    [
        ("steps", "trian.py", "steps/trian.py: the script does not exist; did you mean 'train.py'?"),
        ("steps", "report.py", "steps/report.py: the script does not exist; did you mean 'other/report.py'?"),
        ("steps", "nothing.py", "steps/nothing.py: the script does not exist"),
        ("steps", "folder.py", "steps/folder.py: the script does not exist"),
        ("steps", "hidden.py", "steps/hidden.py: the script does not exist"),
        ("stepz", "train.py", "stepz: the script directory does not exist; did you mean 'steps'?"),
        ("hiddne", "train.py", "hiddne: the script directory does not exist"),
        ("qqqz", "train.py", "qqqz: the script directory does not exist"),
        (".", "train.py", "train.py: the script does not exist; did you mean 'steps/train.py'?"),
        ("step", "train.py", "step: the script directory does not exist; did you mean 'steps'?"),
        ("steps/train.py", "x.py", "steps/train.py: the script directory does not exist"),
        ("../steps", "train.py", "../steps: the script directory '../steps' is outside the project"),
        ("/etc", "train.py", "/etc: the script directory '/etc' is outside the project"),
        ("a/../..", "train.py", "a/../..: the script directory 'a/../..' is outside the project"),
        ("steps", "../other/report.py", "../other/report.py: the script is outside its directory 'steps'"),
        (".", "../x.py", "../x.py: the script is outside the project"),
        ("steps", "/etc/x.py", "/etc/x.py: the script is outside its directory 'steps'"),
        ("steps", "a\0b.py", "a\\x00b.py: the script is outside its directory 'steps'"),
    ],
)
def test_a_script_that_is_not_there_or_outside_the_project(project, directory, name, message):
    written = ("steps/train.py", "other/report.py", "steps/folder.py/x", ".venv/nothing.py", "qqqq")
    folder = project(dict.fromkeys((*written, "other/.cache/hidden.py", ".hidden/x"), ""))

    assert refusal(folder, directory, name) == message


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("import a\nx = (\n", 2, "'(' was never closed"),
        ("def f(:\n", 1, "invalid syntax"),
        ("if True:\nx = 1\n", 2, "expected an indented block after 'if' statement on line 1"),
    ],
)
def test_a_syntax_error_is_named_with_its_place(project, source, line, reason):
    folder = project({"train.py": source, "steps/main.py": "import broken", "steps/broken.py": source})

    message = f"Python {PYTHON} cannot read this file: {reason}"
    assert refusal(folder, ".", "train.py") == f"train.py:{line}: {message}"
    assert refusal(folder, "steps", "main.py") == f"steps/broken.py:{line}: {message}"


@pytest.mark.parametrize("source", [b"x = '\0'", b"\xff\xfe", b"(" * 100_000, b"x = " + b"-" * 100_000 + b"1"])
def test_a_script_made_to_break_the_parser_is_a_problem_like_any_other(project, source):
    folder = project({"train.py": source})

    with pytest.raises(SnapshotError) as caught:
        build_snapshot(folder, ".", "train.py")
    (problem,) = caught.value.problems
    assert problem.file == "train.py"
    assert problem.message.startswith(f"Python {PYTHON} cannot read this file: ")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            b"# coding: nonsense\n",
            Problem("train.py", 0, f"Python {PYTHON} cannot read this file: unknown encoding: nonsense"),
        ),
        (
            b"x = '\0'",
            Problem(
                "train.py", 0, f"Python {PYTHON} cannot read this file: source code string cannot contain null bytes"
            ),
        ),
    ],
)
def test_what_is_wrong_with_a_file_as_a_whole_has_no_line(project, source, problem):
    folder = project({"train.py": source})

    with pytest.raises(SnapshotError) as caught:
        build_snapshot(folder, ".", "train.py")

    assert caught.value.findings == (SnapshotProblem((), problem),)


def keys(*arguments, **options) -> list[tuple[str | int, ...]]:
    with pytest.raises(SnapshotError) as caught:
        build_snapshot(*arguments, **options)
    return [finding.key for finding in caught.value.findings]


def test_the_key_of_the_step_that_is_to_blame_is_known(project):
    folder = project({"train.py": "", "my.key": "", "broken.py": "x = ("})
    big = folder / "big.bin"
    with open(big, "wb") as file:
        file.truncate(301 * 1024 * 1024)

    assert keys(folder, ".", "train.py", ["*.py", "my.key"]) == [("include", 1)]
    assert keys(folder, ".", "train.py", whole_directory=True) == [("snapshot",), ("snapshot",)]
    assert keys(folder, ".", "gone.py") == [("script_name",)]
    assert keys(folder, "gone", "train.py") == [("script_directory",)]


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="a file that is there and cannot be read")
@pytest.mark.parametrize("name", ["data.bin", "chain.pem", "plugin.py"])
def test_a_file_that_cannot_be_read_is_named(project, name):
    folder = project({"train.py": ""})
    (folder / name).symlink_to("/proc/self/mem")

    with pytest.raises(SnapshotError) as caught:
        build_snapshot("/", str(folder)[1:], "train.py", [name])

    problem = Problem(f"{folder}/{name}"[1:], 0, "this file cannot be read: Input/output error")
    assert caught.value.findings == (SnapshotProblem((), problem),)


def test_a_script_nested_just_under_the_parsers_limit_is_read(project):
    source = "x = " + "(" * 90 + ")" * 90 + "\n" + "\n".join(" " * i + "if x:" for i in range(90)) + " import a"

    folder = project({"train.py": source, "a.py": ""})

    assert list(build_snapshot(folder, ".", "train.py").files) == ["a.py", "train.py"]


def test_an_include_that_finds_nothing_or_leads_outside(project):
    folder = project({"steps/train.py": "", "steps/x.pyc": ""})

    with pytest.raises(SnapshotError) as caught:
        build_snapshot(folder, "steps", "train.py", ["param.json", "../../x", "/etc/passwd", "*.sql", "*.pyc"])

    assert [(finding.key, finding.problem) for finding in caught.value.findings] == [
        (("include", 0), Problem("steps/train.py", 0, "include 'param.json' does not match any file")),
        (("include", 1), Problem("steps/train.py", 0, "include '../../x' is outside the project")),
        (("include", 2), Problem("steps/train.py", 0, "include '/etc/passwd' is outside the project")),
        (("include", 3), Problem("steps/train.py", 0, "include '*.sql' does not match any file")),
        (("include", 4), Problem("steps/train.py", 0, "include '*.pyc' does not match any file")),
    ]


@pytest.mark.parametrize(
    "name",
    [
        ".env.prod",
        "key.pem",
        "deep/server.PFX",
        "id_rsa",
        ".ssh/id_ed25519",
        "storage.key",
        "secrets.yaml",
        "client_secret_1.json",
        ".netrc",
        *(".git-credentials", ".htpasswd", ".pgpass", ".pypirc", "a.jks", "a.kdbx", "a.keystore", "a.p12", "a.ppk"),
        *("credentials", "credentials.json", "id_dsa", "id_ecdsa", "secrets.json", "secrets.toml", "secrets.yml"),
        *("service_account.json", "service-account-2.json"),
        *(".azure/msal_token_cache.json", ".azure/azureProfile.json", ".aws/config", ".aws/sso/cache/0a.json"),
        *(
            ".docker/config.json",
            ".docker/contexts/meta/0a/meta.json",
            ".kube/config",
            ".ssh/known_hosts",
            "kubeconfig",
        ),
        *("deploy/Kubeconfig.yaml", "prod.kubeconfig", ".config/gcloud/credentials.db", "gcloud/access_tokens.db"),
        *(
            "x/.config/rclone/rclone.conf",
            ".config/gh/hosts.yml",
            ".config/git/credentials",
            ".databrickscfg",
            ".npmrc",
        ),
        *(".envrc", "local.settings.json", "terraform.tfstate", "a/terraform.tfstate.backup", "prod.auto.tfvars"),
        *("terraform.tfvars", "terraform.tfstate.1700000000.backup", ".terraform.d/credentials.tfrc.json", "_netrc"),
        *(
            "application_default_credentials.json",
            ".kaggle/kaggle.json",
            ".huggingface/token",
            ".vault-token",
            ".s3cfg",
        ),
        *(".cache/huggingface/token", ".streamlit/secrets.toml", ".m2/settings.xml", ".cargo/credentials.toml"),
        *("u_accessKeys.csv", "x.publishsettings", ".my.cnf", ".dockercfg", ".dvc/config.local", ".gnupg/x"),
    ],
)
def test_a_file_that_looks_like_a_secret_is_refused(project, name):
    folder = project({"train.py": "", name: "x"})

    said = f"{name}: this looks like a secret, which is never uploaded: "
    assert refusal(folder, ".", "train.py", [name]) == said + "narrow the include"
    assert refusal(folder, ".", "train.py", whole_directory=True) == said + "add it to .amlignore"


def test_dot_env_is_refused_when_named_and_left_out_of_a_directory(project):
    folder = project({"train.py": "", ".env": "A=1"})

    assert refusal(folder, ".", "train.py", [".env"]) == (
        ".env: this looks like a secret, which is never uploaded: narrow the include"
    )
    assert list(build_snapshot(folder, ".", "train.py", whole_directory=True).files) == ["train.py"]


OUT = "this is outside the project (through a link)"


@pytest.mark.parametrize(
    ("link", "target", "message"),
    [
        ("notes.txt", ".env", "notes.txt: this leads to .env, which looks like a secret and is never uploaded"),
        (
            "notes.txt",
            "keys/id_rsa",
            "notes.txt: this leads to id_rsa, which looks like a secret and is never uploaded",
        ),
        (
            "more/notes.txt",
            "../notes",
            "more/notes.txt: this leads to .env, which looks like a secret and is never uploaded",
        ),
        (".env.example", ".env", ".env.example: this leads to .env, which looks like a secret and is never uploaded"),
        ("x.key", "train.py", "x.key: this looks like a secret, which is never uploaded"),
        ("notes.txt", ".git/config", "notes.txt: this is never uploaded"),
        ("linked", ".git", "linked/config: this is never uploaded"),
        ("notes.txt", "../outside/b.txt", f"notes.txt: {OUT}"),
        ("notes.txt", "../project-more/c.txt", f"notes.txt: {OUT}"),
        ("linked", "../outside", f"linked: {OUT}"),
        ("more/linked", "../../outside", f"more/linked: {OUT}"),
        ("notes.txt", "../outside/id_rsa", f"notes.txt: {OUT}"),
    ],
)
def test_a_link_to_a_secret_or_out_of_the_project_is_refused(project, tmp_path, link, target, message):
    folder = project(
        {
            **dict.fromkeys(("train.py", ".env", "keys/id_rsa", ".git/config", "more/x.txt"), ""),
            **dict.fromkeys(("../outside/b.txt", "../outside/id_rsa", "../project-more/c.txt"), ""),
            ".amlignore": "/keys/\n/notes\n",
        }
    )
    (folder / "notes").symlink_to(".env")
    (folder / link).symlink_to(target)
    (tmp_path / "alias").symlink_to(folder, target_is_directory=True)

    for name in (folder, tmp_path / "alias"):
        assert refusal(name, ".", "train.py", [link]) == f"{message}: narrow the include"
        assert refusal(name, ".", "train.py", whole_directory=True) == f"{message}: add it to .amlignore"


def test_what_a_pattern_finds_behind_links_is_refused_link_by_link(project):
    folder = project({"train.py": "", "a.txt": "", ".env": "", "../outside/deep/b.txt": "", "../outside/c.txt": ""})
    (folder / "linked").symlink_to("../outside", target_is_directory=True)
    (folder / "b.txt").symlink_to(".env")

    with pytest.raises(SnapshotError) as caught:
        build_snapshot(folder, ".", "train.py", ["*.txt", "linked/**"])

    secret = "this leads to .env, which looks like a secret and is never uploaded: narrow the include"
    assert caught.value.findings == (
        SnapshotProblem(("include", 0), Problem("b.txt", 0, secret)),
        SnapshotProblem(("include", 1), Problem("linked", 0, f"{OUT}: narrow the include")),
    )


@pytest.mark.parametrize(
    ("directory", "name", "key", "message"),
    [
        ("steps", "away.py", "script_name", "steps/away.py: the script is outside the project (through a link)"),
        (
            "steps",
            "linked/a.py",
            "script_name",
            "steps/linked/a.py: the script is outside the project (through a link)",
        ),
        (
            "away",
            "a.py",
            "script_directory",
            "away: the script directory 'away' is outside the project (through a link)",
        ),
        (
            "steps/linked/deep",
            "b.py",
            "script_directory",
            "steps/linked/deep: the script directory 'steps/linked/deep' is outside the project (through a link)",
        ),
        (".", ".env", "script_name", ".env: this looks like a secret, which is never uploaded"),
        (
            "steps",
            "env.py",
            "script_name",
            "steps/env.py: this leads to .env, which looks like a secret and is never uploaded",
        ),
    ],
)
def test_a_script_that_a_link_leads_to_lies_in_the_project_and_is_no_secret(project, directory, name, key, message):
    folder = project({".env": "A=1", "steps/x.py": "", "../outside/a.py": "", "../outside/deep/b.py": ""})
    (folder / "away").symlink_to("../outside", target_is_directory=True)
    (folder / "steps/linked").symlink_to("../../outside", target_is_directory=True)
    (folder / "steps/away.py").symlink_to("../../outside/a.py")
    (folder / "steps/env.py").symlink_to("../.env")

    assert keys(folder, directory, name) == [(key,)]
    assert refusal(folder, directory, name) == message


def test_a_module_that_is_a_link_to_a_secret_is_refused(project):
    folder = project({"train.py": "import settings", "plugin.py": "import settings", "a.py": "", ".env": "A=1"})
    (folder / "settings.py").symlink_to(".env")

    message = "settings.py: this leads to .env, which looks like a secret and is never uploaded"
    assert refusal(folder, ".", "train.py") == message
    assert refusal(folder, ".", "a.py", ["plugin.py"]) == message


@pytest.mark.parametrize("name", [".git/config", ".azml/x", "__pycache__/a.cpython-310.pyc", "old.pyc"])
def test_what_never_belongs_to_a_snapshot_is_refused_when_it_is_named(project, name):
    folder = project({"train.py": "", name: ""})

    assert refusal(folder, ".", "train.py", [name]) == (f"{name}: this is never uploaded: narrow the include")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".env.example", "KEY="),
        (".env.sample", "KEY="),
        (".env.template", "KEY="),
        (".env.dist", "KEY="),
        ("ca.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
        ("keys.csv", ""),
        ("secrets.py", ""),
        ("monkey.txt", ""),
        ("credentials.py", "PASSWORD = 1"),
        ("docker/config.yaml", "a: 1"),
        ("docker/config.json", '{"auths": {}}'),
        (".docker/Dockerfile", "FROM x"),
        ("aws/config", "region"),
        ("azure/settings.json", "{}"),
        ("package.json", '{"name": "a"}'),
        ("tokenizer.json", '{"refresh_token": 7, "private_key": "<pad>"}'),
        ("config.json", '{"client_secret": "${CLIENT_SECRET}", "account_key": "YOUR-ACCOUNT-KEY-HERE"}'),
        ("terraform.tfvars.example", "x"),
        ("secrets.sample.yaml", "x"),
        ("settings.env", "LEVEL=debug\nAPI_KEY=${API_KEY}\nPORT=8080"),
        ("pip.conf", "[global]\nindex-url = https://h/simple"),
        ("LICENSE", "a PRIVATE KEY"),
        (".azureml/config.json", '{"workspace_name": "w"}'),
    ],
)
def test_what_only_sounds_like_a_secret_is_taken(project, name, content):
    folder = project({"train.py": "", name: content})

    assert sorted(build_snapshot(folder, ".", "train.py", [name]).files) == sorted(["train.py", name])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("gcp.json", '{"type": "service_account", "project_id": "x"}'),
        ("sp.json", '{"clientId": "x", "clientSecret": "abc8Q~aB1-aB1-aB1-aB1-"}'),
        ("adc", "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n"),
        ("deploy.txt", "\n-----BEGIN PRIVATE KEY-----\nx\n"),
        ("prod.env", "LEVEL=debug\nexport DB_PASSWORD='hunter22'\n"),
        ("db.env", "URL=postgres://u:hunter2@h/d\n"),
        ("pip.conf", "[global]\nindex-url = https://build:hunter2@h/simple"),
    ],
)
def test_a_file_that_holds_a_login_is_refused_whatever_it_is_called(project, name, content):
    folder = project({"train.py": "", name: content})

    assert refusal(folder, ".", "train.py", [name]) == (
        f"{name}: this looks like a secret, which is never uploaded: narrow the include"
    )


def test_the_folders_above_the_project_do_not_count(project):
    folder = project({".azure/project/train.py": "", ".azure/project/data/a.txt": "x"}) / ".azure/project"

    files = build_snapshot(folder, ".", "train.py", whole_directory=True).files

    assert sorted(files) == ["data/a.txt", "train.py"]


def test_a_certificate_beside_its_private_key_is_refused(project):
    content = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----\n"
    folder = project({"train.py": "", "both.pem": content})

    assert refusal(folder, ".", "train.py", ["both.pem"]) == (
        "both.pem: this looks like a secret, which is never uploaded: narrow the include"
    )


@pytest.mark.many
def test_more_than_2000_files_are_refused_with_where_most_of_them_lie(project):
    files = {f"data/{n}": "" for n in range(1997)} | {"train.py": "", "a": "", "b/c": ""}
    folder = project(files)
    assert len(build_snapshot(folder, ".", "train.py", whole_directory=True).files) == 2000

    (folder / "one-more").write_text("")

    assert refusal(folder, ".", "train.py", whole_directory=True) == (
        "train.py: its snapshot has 2,001 files, but Azure ML allows 2,000; most are in data/ (1,997), b/ (1)"
    )


@pytest.mark.thorough
def test_more_than_300_megabytes_are_refused_with_the_largest_files(project):
    folder = project({"train.py": "", "notes.md": "x"})
    for name, megabytes in (("model.bin", 200), ("data/a.csv", 99.5), ("data/b.csv", 0.5)):
        (folder / name).parent.mkdir(exist_ok=True)
        with open(folder / name, "wb") as file:
            file.truncate(int(megabytes * 1024 * 1024))

    assert refusal(folder, ".", "train.py", whole_directory=True) == (
        "train.py: its snapshot has 315 MB, but Azure ML allows 314 MB (300 MiB); the largest: model.bin (210 MB), "
        "data/a.csv (104 MB), data/b.csv (524 kB)"
    )

    (folder / "notes.md").write_text("")
    assert len(build_snapshot(folder, ".", "train.py", whole_directory=True).files) == 5


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([str(number) for number in range(2001)], ""),
        (
            [f"{folder}/deep/{number}" for folder in "abcd" for number in range(600 - ord(folder))],
            "; most are in a/ (503), b/ (502), c/ (501)",
        ),
    ],
)
def test_where_most_of_too_many_files_lie(names, sentence):
    assert over_the_limits(dict.fromkeys(names, 1)) == [
        f"its snapshot has {len(names):,} files, but Azure ML allows 2,000{sentence}"
    ]

"""Whatever stands in lists of requirements, Dockerfiles and conda files, they are read or refused in a sentence."""

from __future__ import annotations

import contextlib
import shlex

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from azml_tasks.errors import ProjectError
from azml_tasks.reading.environment.conda import read_conda
from azml_tasks.reading.environment.dockerfile import copied_files
from azml_tasks.reading.environment.files import requirements_of
from azml_tasks.reading.environment.requirements import lines_of, pip_requirement
from azml_tasks.secrets import redact, secret_in
from tests.fuzz.strategies import CHARACTERS, TREES, written

WORDS = (
    *(
        "-r",
        "-c",
        "-e",
        "--find-links",
        "--pre",
        "-i",
        "--requ",
        "-rx",
        ".env",
        "../x",
        "x.whl",
        "file:",
        "a @ b",
        "pandas",
    ),
    *(
        "==",
        "=",
        "2.2",
        ";",
        "[",
        "]",
        "#",
        "\\",
        "\n",
        " ",
        "'",
        '"',
        "${",
        "}",
        "git+https://h/x",
        "python_version",
        "\t",
    ),
    *(
        "COPY",
        "ADD",
        "RUN",
        "--mount=type=bind",
        "--from=x",
        "<<END",
        "END",
        "FROM",
        "`",
        ",",
        "::",
        "|",
        "*",
        "~=",
        "<",
    ),
    *(
        "://",
        "u:p@h",
        "sig=",
        "AccountKey=",
        "password=",
        "-----BEGIN PRIVATE KEY-----",
        "eyJ",
        "ghp_",
        "aB1" * 12,
        "Basic ",
    ),
)
TEXTS = st.lists(st.sampled_from(WORDS) | st.text(CHARACTERS, max_size=3), max_size=14).map("".join)


@given(text=TEXTS)
@settings(max_examples=200)
def test_any_list_of_requirements(text):
    for line in lines_of(text):
        assert line.text
        assert 1 <= line.number <= len(text.splitlines())
        assert isinstance(line.fault, str)
        if line.kind in ("requirements", "constraints", "editable") and not line.wrong_option:
            assert line.text.startswith("-")


@given(files=st.lists(st.text(CHARACTERS, min_size=1, max_size=8), min_size=1, max_size=3))
@settings(max_examples=100)
def test_each_file_that_pip_would_read_is_found(files):
    files = [file for file in files if "://" not in file and not file.startswith("file:") and "#" not in file]
    text = shlex.join(["--pre", *(word for file in files for word in ("-r", file))])

    assert [line.file for line in lines_of(text) if line.kind == "requirements"] == files


@given(text=TEXTS)
@settings(max_examples=150)
def test_any_dockerfile(text):
    for copied in copied_files(text):
        assert copied.files
        assert 1 <= copied.line <= len(text.splitlines())


@given(text=TEXTS)
@settings(max_examples=150)
def test_any_package_of_conda_s(text):
    pip_requirement(text)


@given(text=TEXTS)
@settings(max_examples=200)
def test_what_is_hidden_is_no_longer_a_secret(text):
    if secret_in(text):
        assert redact(text) != text
    assert redact(redact(text)) == redact(text)


@given(tree=TREES)
@settings(max_examples=100)
def test_any_conda_file(tmp_path_factory, tree):
    folder = tmp_path_factory.mktemp("conda")
    (folder / "env.yml").write_text(written({"dependencies": tree}), encoding="utf-8")

    try:
        content = read_conda(folder, "env.yml", yaml.BaseLoader)
    except ProjectError:
        return
    pip = [line for item in content["dependencies"] if isinstance(item, dict) for line in item["pip"] or ()]
    with contextlib.suppress(ProjectError):
        requirements_of(pip, folder, folder)

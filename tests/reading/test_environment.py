"""What environments name: conda files, Dockerfiles, requirements and the files that these name."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from azml_tasks.checks.files import environment_notes, file_problems, project_problems
from azml_tasks.errors import ProjectError
from azml_tasks.reading import Project, load_project
from azml_tasks.reading.environment.files import requirements_of

TOP = "backend: {}\nws_name: test-ws\nresource_group: g\nsubscription_id: {}\nenv_name: e\ncompute_name: c-1\n"
SUBSCRIPTION = "12345678-1234-1234-1234-123456789abc"
STEPS = "steps: {a: {script_name: a.py}}\n"
TOO_HIGH = "`pip` must be inside `dependencies`: write `- pip:` as the last item of `dependencies`"
INDEX = (
    "write the URL without the login: on Azure ML, store the login in a workspace connection "
    "(Workspace.set_connection); "
    "on this machine PIP_INDEX_URL or PIP_EXTRA_INDEX_URL in the environment, pip.conf or .netrc"
)


def project(folder: Path, environment: str, backend: str = "local", files: dict[str, str] | None = None) -> Project:
    """Write files and a pipeline.yaml whose line 7 is the environment 'e', and load it."""
    for name, text in {"a.py": "", **(files or {})}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text))
    text = f"{TOP.format(backend, SUBSCRIPTION)}environments: {{e: {environment}}}\n{STEPS}"
    (folder / "pipeline.yaml").write_text(text)
    return load_project(folder / "pipeline.yaml", variables={})


def refusal(folder: Path, environment: str, **files: str) -> list[str]:
    """Return why the file cannot be loaded."""
    with pytest.raises(ProjectError) as caught:
        project(folder, environment, files={name.replace("__", "."): text for name, text in files.items()})
    return str(caught.value).splitlines()


def test_a_variable_of_a_conda_file_with_the_name_of_a_secret_is_remarked_on(tmp_path):
    text = "dependencies: [python=3.10]\nvariables: {DB_PASSWORD: hunter2, LR: '1'}\n"
    found = project(tmp_path, "{conda_file: c.yml}", files={"c.yml": text})

    assert file_problems(found) == []
    assert list(map(str, environment_notes(found))) == [
        "c.yml:2: `variables`: DB_PASSWORD looks like a secret and would be stored with the environment; "
        "use the workspace's key vault"
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_conda_file_in_another_encoding_is_refused(tmp_path, encoding):
    (tmp_path / "c.yml").write_bytes("name: été\ndependencies: [python=3.10]\n".encode(encoding))
    found = project(tmp_path, "{conda_file: c.yml}")

    assert list(map(str, file_problems(found))) == ["c.yml:1: the file is not UTF-8; save it as UTF-8"]


WRITE = "write a name, or one with versions: `numpy=1.26`, `numpy>=1.26,<2`"
TOKEN = "the URL of a channel has a token, which would be stored with the environment; write it without /t/TOKEN"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ": the file is empty; a conda file has a list of `dependencies`"),
        ("# nothing\n", ": the file is empty; a conda file has a list of `dependencies`"),
        (
            "pandas==2.2\nnumpy\n",
            ":1: this is not a conda file: expected a list of `dependencies`, found text; for a requirements file, "
            "list its lines in pip_packages",
        ),
        ("dependencies:\n  - python=3.10\n  pip:\n    - pandas\n", f":3: {TOO_HIGH}"),
        (
            "# packages\n-r base.txt\npandas: x\n",
            ":3: a key is not allowed here: check the indentation and the line above, "
            "or put text that contains ': ' in quotes; "
            "for a requirements file, list its lines in pip_packages",
        ),
        ("- numpy\n- pandas\n", ":1: this is not a conda file: expected a list of `dependencies`, found a list"),
        ("3\n", ":1: this is not a conda file: expected a list of `dependencies`, found a single value"),
        ("name: x\n", ": this is not a conda file: no list of `dependencies`"),
        (
            "name: x\ndependancies: [python]\n",
            ": this is not a conda file: no list of `dependencies`; 'dependancies' on line 2 is possibly misspelled",
        ),
        (
            "dependencies:\n- pip:\n  - pandas\n- pip:\n  - numpy\n",
            ":4: `pip`: there is a list on line 2, too, and conda uses only the last; merge them",
        ),
        (
            "dependencies:\n- python=3.10\n- a::python=3.11.2\n",
            ":3: environment 'e': no version fits both 'a::python=3.11.2' and 'python=3.10' (line 2); keep one",
        ),
        (
            "dependencies:\n- python=3.10\n- python=3.10.4\n- pip:\n  - Scikit_learn==1.5\n  - scikit-learn==1.4\n",
            ":6: environment 'e': no version fits both 'scikit-learn==1.4' and 'Scikit_learn==1.5' (line 5); keep one",
        ),
        (
            "name: x\ndependencies: pandas\n",
            ":2: `dependencies`: expected a list, as in `- python=3.10`, found 'pandas'",
        ),
        ("dependencies:\n- {pip: pandas}\n", ":2: `pip`: expected a list, as in `- pandas==2.2`, found 'pandas'"),
        ("dependencies:\n- pip: {a: 1}\n", ":2: `pip`: expected a list, as in `- pandas==2.2`, found a mapping"),
        (
            "dependencies:\n- python\n- pip:\n  - 3\n",
            ":4: `pip`: expected a requirement, as in `pandas==2.2`, found 3",
        ),
        ("dependencies:\n- numpy: 1.26\n", ":2: `dependencies`: write each package as text: `- numpy=1.26`"),
        ("dependencies:\n- 3.10\n", ":2: `dependencies`: expected a package, as in `python=3.10`, found 3.1"),
        (
            "dependencies:\n- {}\n",
            ":2: `dependencies`: expected a package, as in `python=3.10`, found an empty mapping",
        ),
        ("dependencies:\n- [a]\n", ":2: `dependencies`: expected a package, as in `python=3.10`, found a list"),
        (
            "dependencies: [python]\npip: [pandas]\n",
            f":2: {TOO_HIGH}",
        ),
        (
            "channels: conda-forge\ndependencies: [python]\n",
            ":1: `channels`: expected a list, as in `- conda-forge`, found 'conda-forge'",
        ),
        ("channels: [3]\ndependencies: [python]\n", ":1: `channels`: expected text, found 3"),
        ("name: [x]\ndependencies: [python]\n", ":1: `name`: expected text, found a list"),
        ("channels: ['']\ndependencies: [python]\n", ":1: `channels`: expected text, found ''"),
        ("chanels: [a]\ndependencies: [python]\n", ":1: unknown key 'chanels'; did you mean 'channels'?"),
        (
            "variables: [A]\ndependencies: [a]\n",
            ":1: `variables`: expected a mapping, as in `NAME: value`, found a list",
        ),
        ("variables: {A: [b]}\ndependencies: [a]\n", ":1: `variables`: expected text, found a list"),
        ("dependencies:\n- pip:\n  - ''\n", ":3: `pip`: expected a requirement, as in `pandas==2.2`, found ''"),
        ("dependencies:\n- py thon\n", f":2: `dependencies`: conda cannot read 'py thon'; {WRITE}"),
        ("channels: ['https://h/t/abcd-12345/me']\ndependencies: [a]\n", f":1: {TOKEN}"),
        ("dependencies:\n- https://h/t/abcd-12345/me::numpy\n", f":2: `dependencies`: {TOKEN}"),
        (
            "dependencies:\n- numpy>=2\n- numpy<1.5\n",
            ":3: environment 'e': no version fits both 'numpy<1.5' and 'numpy>=2' (line 2); keep one",
        ),
        ("dependencies:\n- numpy>=2,<1.5\n", ":2: environment 'e': no version fits 'numpy>=2,<1.5'"),
        (
            "dependencies:\n- pip:\n  - pandas[x]~=2.2\n  - Pandas==1.5\n",
            ":4: environment 'e': no version fits both 'Pandas==1.5' and 'pandas[x]~=2.2' (line 3); keep one",
        ),
        (
            "dependencies:\n- pip:\n  - pandas=2\n",
            ":3: environment 'e': pip cannot read 'pandas=2'; did you mean 'pandas==2'?",
        ),
    ],
)
def test_what_is_wrong_with_a_conda_file_is_reported_with_its_line(tmp_path, text, problem):
    found = project(tmp_path, "{conda_file: env.yml}", files={"env.yml": text})

    assert list(map(str, file_problems(found))) == [f"env.yml{problem}"]


@pytest.mark.parametrize(
    "text",
    [
        "name: x\nchannels: [a]\nvariables: {A: b}\nprefix: /x\ndependencies: [python=3.10, pip, {pip: [pandas]}]",
        "dependencies: []",
        "channels:\ndependencies:\n- pip:\n",
        "dependencies:\n- python>=3.10,<3.12\n- python<4\n- numpy>1.0\n- numpy<=1.1\n- scipy!=1\n- scipy!=2\n",
        "dependencies:\n- pip:\n  - a~=1.4.2\n  - a<1.5\n  - b==1; python_version<'3.9'\n"
        "  - b==2; python_version>'3.8'\n  - c>=1.0rc1,<1.0.1\n  - d==1.0.*\n  - d>1.0.5\n  - e==1.0+cu118\n"
        "  - e==1.0\n  - f==2.*,!=2.0\n",
        "dependencies:\n- a::numpy=1.26.4=py310_0\n- pip:\n  - -i https://h/simple\n  - own @ https://${X}@h/own.whl\n",
    ],
)
def test_what_is_right_with_a_conda_file(tmp_path, text):
    assert file_problems(project(tmp_path, "{conda_file: env.yml}", files={"env.yml": text})) == []


def test_all_that_is_wrong_with_requirements_is_reported_at_once(tmp_path):
    files = {
        "more/r.txt": "numpy\nsecret text of somebody\n-r ../gone.txt\n",
        "env.yml": "dependencies: [{pip: [-U x]}]",
    }
    environment = (
        '{pip_packages: [pandas, pandas=2, "-r more/r.txt", ./own.whl, "-c none.txt"]}, f: {conda_file: env.yml}'
    )

    assert list(map(str, file_problems(project(tmp_path, environment, files=files)))) == [
        "pipeline.yaml:7: environment 'e': pip cannot read 'pandas=2'; did you mean 'pandas==2'?",
        "more/r.txt:2: environment 'e': pip cannot read this line",
        "more/r.txt:3: environment 'e': ../gone.txt does not exist",
        "pipeline.yaml:7: environment 'e': none.txt does not exist",
        "env.yml:1: environment 'f': pip cannot read '-U x' (no such option: -U)",
        "pipeline.yaml:7: environment 'e': ./own.whl does not exist",
    ]


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("-r ../x.txt", "is outside the project"),
        ("-c /etc/hosts", "is outside the project"),
        ("-e ../own", "is outside the project"),
        ("../own.whl", "is outside the project"),
        ("own @ file:///srv/own.whl", "is outside the project"),
        ("--find-links ../wheels", "is outside the project"),
        ("-r .env", "looks like a secret or is never uploaded"),
        ("-r deep/.env.prod", "looks like a secret or is never uploaded"),
        ("-c .git/config", "looks like a secret or is never uploaded"),
        ("-r .azml/x", "looks like a secret or is never uploaded"),
        ("-r linked.txt", "is outside the project (through a link)"),
        ("-r harmless.txt", "looks like a secret or is never uploaded"),
        ("-r $${HOME}/x", "is set by a variable; write the path"),
    ],
)
def test_what_pip_may_not_be_given_is_refused_before_it_is_read(tmp_path, entry, why):
    (tmp_path / "p").mkdir()
    (tmp_path / "outside.txt").write_text("x")
    (tmp_path / "p/linked.txt").symlink_to(tmp_path / "outside.txt")
    (tmp_path / "p/.env").write_text("DB_KEY=hunter2 is secret")
    (tmp_path / "p/harmless.txt").symlink_to(".env")
    shown = entry.replace("$$", "$")

    assert refusal(tmp_path / "p", f'{{pip_packages: ["{entry}"]}}') == [
        f"pipeline.yaml:7: environment 'e': '{shown}' names a file that {why}"
    ]
    in_conda = f'dependencies:\n- pip:\n  - "{shown}"\n'
    assert refusal(tmp_path / "p", "{conda_file: env.yml}", env__yml=in_conda) == [
        f"env.yml:3: environment 'e': '{shown}' names a file that {why}"
    ]
    nested = refusal(tmp_path / "p", '{pip_packages: ["-r more.txt"]}', more__txt=f"numpy\n{shown}\n")
    assert nested == [f"more.txt:2: environment 'e': '{shown}' names a file that {why}"]


def test_a_requirement_with_a_variable_that_is_not_set_names_nothing_yet(tmp_path):
    environment = '{pip_packages: ["-r ${LIST}", "own @ https://${HOST}/own.whl", pandas]}'

    assert file_problems(project(tmp_path, environment)) == []


def test_a_path_starts_from_the_file_that_has_it(tmp_path):
    files = {
        "envs/env.yml": "dependencies: [{pip: [-r more/r.txt, ../own.whl, -e ..]}]",
        "envs/more/r.txt": "-c ../limits.txt\ntiny # why\n",
        "envs/limits.txt": "",
        "own.whl": "",
        "pyproject.toml": "",
    }
    found = project(tmp_path, "{conda_file: envs/env.yml}", files=files)

    assert file_problems(found) == []
    lines = ["-r more/r.txt", "../own.whl", "-e ..[dev]", "--find-links='a b'"]
    assert requirements_of(lines, tmp_path / "envs", tmp_path) == [
        f"-c {tmp_path}/envs/limits.txt",
        "tiny",
        f"{tmp_path}/own.whl",
        f"-e '{tmp_path}[dev]'",
        f"--find-links='{tmp_path}/envs/a b'",
    ]


def test_lists_that_name_each_other_are_read_once(tmp_path):
    files = {"a.txt": "one\n-r b.txt\n", "b.txt": "two\n-r a.txt\n"}
    project(tmp_path, '{pip_packages: ["-r a.txt"]}', files=files)

    assert requirements_of(["-r a.txt"], tmp_path, tmp_path) == ["one", "two"]


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        (
            "conda_file",
            "channels: [https://conda.anaconda.org/t/ab-12345678-1234-1234/x]\ndependencies: []\n",
            "1: this looks like a secret (a token in a URL) and would be stored with the environment; " + INDEX,
        ),
        (
            "conda_file",
            "dependencies:\n- pip:\n  - -i https://build:hunter2@h/simple\n",
            "3: this looks like a secret (a password in a URL) and would be stored with the environment; " + INDEX,
        ),
        (
            "dockerfile",
            f"FROM x\nENV TOKEN=ghp_{'aB1c' * 9}\n",
            "2: this looks like a secret (a GitHub token) and would be stored with the environment; "
            "use the workspace's key vault",
        ),
    ],
)
def test_a_secret_in_a_file_of_an_environment_is_refused_and_not_shown(tmp_path, key, text, message):
    assert refusal(tmp_path, f"{{{key}: a__file}}".replace("__", "."), a__file=text) == [f"a.file:{message}"]


def test_a_secret_in_a_list_of_requirements_is_refused(tmp_path):
    (problem,) = refusal(tmp_path, '{pip_packages: ["-r r.txt"]}', r__txt="numpy\n-i https://build:hunter2@h/simple\n")

    assert problem.startswith("r.txt:2: this looks like a secret (a password in a URL)")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("COPY .env /opt/", "looks like a secret or is never uploaded"),
        ("ADD ../x /opt/", "is outside the project"),
        ("COPY a.txt .ssh/id_rsa /opt/", "looks like a secret or is never uploaded"),
    ],
)
def test_what_a_dockerfile_may_not_copy(tmp_path, line, why):
    named = line.split()[-2]

    assert refusal(tmp_path, "{dockerfile: Dockerfile}", Dockerfile=f"FROM x\n{line}\n") == [
        f"Dockerfile:2: environment 'e': {line.split()[0]} names '{named}', which {why}"
    ]


def test_what_azure_does_not_see_is_reported_with_what_to_write_instead(tmp_path):
    files = {
        "requirements.txt": "numpy\n-c limits.txt\n",
        "limits.txt": "",
        "env.yml": "dependencies:\n- pip:\n  - -e .\n  - ./wheels/own-1.0-py3-none-any.whl\n  - tiny\n",
        "Dockerfile": "FROM x\nCOPY requirements.txt setup.py /opt/\nCOPY --from=x /a /b\n",
    }
    environment = (
        '{pip_packages: [pandas, "-r requirements.txt", "--find-links wheels"]}, f: {conda_file: env.yml}, '
        "g: {dockerfile: Dockerfile}"
    )
    only = "is a path on this machine, but Azure ML receives only the text: "

    found = project(tmp_path, environment, "azure", files)

    assert list(map(str, project_problems(found))) == [
        f"pipeline.yaml:7: environment 'e': '-r requirements.txt' {only}copy its lines to pip_packages",
        f"pipeline.yaml:7: environment 'e': '--find-links wheels' {only}use an https URL",
        f"env.yml:3: environment 'f': '-e .' {only}remove it (modules that a step imports from the project are in "
        "its snapshot), or put it on a package index",
        f"env.yml:4: environment 'f': './wheels/own-1.0-py3-none-any.whl' {only}put it on a package index, or upload "
        "it with Environment.add_private_pip_wheel of the SDK and use the URL that it returns",
        "Dockerfile:2: environment 'g': COPY needs 'requirements.txt' and 1 more, but Azure ML receives only the text "
        "of the Dockerfile: use RUN, list packages in pip_packages, or build the image elsewhere and set base_image",
    ]


def test_this_machine_sees_its_own_files(tmp_path):
    files = {"requirements.txt": "numpy\n", "own.whl": "", "Dockerfile": "FROM x\nCOPY own.whl /opt/\n", "setup.py": ""}
    environment = '{pip_packages: ["-r requirements.txt", ./own.whl, "-e ."], dockerfile: Dockerfile}'

    assert project_problems(project(tmp_path, environment, files=files)) == []


@pytest.mark.parametrize(
    ("environment", "conda", "place"),
    [
        ('{python_version: "3.8"}', "", "pipeline.yaml:7: environment 'e': {} Python 3.8"),
        ('{python_version: "3.9.7"}', "", "pipeline.yaml:7: environment 'e': {} Python 3.9.7"),
        ("{conda_packages: [numpy, python=3.7]}", "", "pipeline.yaml:7: environment 'e': {} `python=3.7`"),
        (
            "{conda_file: env.yml}",
            "dependencies:\n- pip\n- python=3.9\n",
            "env.yml:3: environment 'e': {} `python=3.9`",
        ),
        (
            "{conda_file: env.yml}",
            "dependencies:\n- python>=3.7,<3.10\n",
            "env.yml:2: environment 'e': {} `python>=3.7,<3.10`",
        ),
        ("{conda_file: env.yml}", "dependencies:\n- python>=3.7\n- python-dateutil=2\n", None),
        ("{conda_file: env.yml}", "dependencies:\n- conda-forge::python=3.10.4=0_cpython\n", None),
        ('{python_version: "3.10"}', "", None),
        ("{pip_packages: [pandas]}", "", None),
    ],
)
def test_a_python_that_no_local_run_can_use_is_remarked_upon(tmp_path, environment, conda, place):
    needs = "a local run needs Python 3.10 or later, so `invoke register-env` cannot create it with"
    found = project(tmp_path, environment, files={"env.yml": conda} if conda else {})

    assert list(map(str, environment_notes(found))) == ([place.format(needs)] if place else [])
    assert environment_notes(project(tmp_path, environment, "azure", {"env.yml": conda} if conda else {})) == []


def test_a_constraint_that_no_version_of_a_package_fits_is_reported_without_the_lines_of_files(tmp_path):
    files = {"requirements.txt": "pandas==2\n-c limits.txt\n", "limits.txt": "pandas<2\n"}
    found = project(tmp_path, '{pip_packages: ["-r requirements.txt"]}', files=files)

    assert list(map(str, project_problems(found))) == [
        "limits.txt:1: environment 'e': no version fits both this line and requirements.txt:1; keep one"
    ]


def test_a_folder_that_pip_cannot_install_is_reported(tmp_path):
    found = project(tmp_path, '{pip_packages: ["-e .", ./lib]}', files={"lib/a.py": ""})

    assert [problem.message for problem in project_problems(found)] == [
        "environment 'e': '-e .': pip needs a pyproject.toml or setup.py in .",
        "environment 'e': './lib': pip needs a pyproject.toml or setup.py in ./lib",
    ]


def test_conda_packages_of_pipeline_yaml_are_checked_too(tmp_path):
    found = project(tmp_path, '{conda_packages: [pandas=>2, "git>=2", "git<1"]}', files={})

    assert [problem.message for problem in project_problems(found)] == [
        f"environment 'e': conda cannot read 'pandas=>2'; {WRITE}",
        "environment 'e': no version fits both 'git<1' and 'git>=2' (line 7); keep one",
    ]

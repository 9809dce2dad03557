"""What a step's process is given of the variables around it, and what of its environment counts for reuse."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

import pytest

from azml_tasks.local.environments import (
    EnvironmentSpec,
    OutdatedError,
    VirtualEnvironment,
    environment_spec,
    find,
    in_use,
)
from azml_tasks.local.step.environment import STANDIN, base_environment, definition_of
from azml_tasks.local.step.local_run import virtual_environments
from azml_tasks.local.store.files import remove_tree, write_json
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.packages import distributions_in
from azml_tasks.reading import load_project

ALWAYS = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "MPLBACKEND": "Agg"}


# What every process needs, whatever .env says.
NEEDED = ("LANG", "PATH", "SHELL", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "TZ", "USER")


def load(tmp_path: Path, text: str):
    (tmp_path / "pipeline.yaml").write_text(text + "\nsteps: {a: {script_name: a.py}}\n")
    return load_project(tmp_path / "pipeline.yaml", variables={})


def definition(tmp_path: Path, text: str, virtual: VirtualEnvironment | None = None):
    pipeline = load(tmp_path, text).plan.pipeline
    return definition_of(pipeline, pipeline.steps["a"], tmp_path, virtual)


@pytest.mark.parametrize(
    ("outer", "kept"),
    [
        ({"ORDINARY": "1", "PATH": "/bin"}, {"ORDINARY": "1", "PATH": "/bin"}),
        ({"DB_PASSWORD": "1", "AZURE_CLIENT_SECRET": "1", "PWD": "/x"}, {"PWD": "/x"}),
        (
            {"PGPASSWORD": "1", "SSHPASS": "1", "GITHUB_PAT": "1", "URL": "db://u:p@h", "HTTP_PROXY": "http://u:p@h"},
            {"HTTP_PROXY": "http://u:p@h"},
        ),
        ({"OF_STORE": "1", "OF_OTHER": "1", "OF_NONE": "1"}, {"OF_NONE": "1"}),
        (
            {"PLAIN": "1", "EXPORTED": "1", "SPACED": "1", "COMMENTED": "1", "HOME": "/h"},
            {"COMMENTED": "1", "HOME": "/h"},
        ),
        ({"WIDE": "1", **dict.fromkeys(NEEDED, "1")}, dict.fromkeys(NEEDED, "1")),
        ({"MPLBACKEND": "TkAgg", "PYTHONUNBUFFERED": "", "PYTHONIOENCODING": "ascii"}, {"MPLBACKEND": "TkAgg"}),
    ],
)
def test_secrets_and_what_dot_env_declares_are_left_out(tmp_path, outer, kept):
    project = load(
        tmp_path,
        """
datastores:
  s: {container_name: raw, account_name: churnstore, account_key: "${OF_STORE}"}
  t: {container_name: raw, account_name: churnstore, sas_token: "${OF_OTHER}"}
  u: {container_name: raw, account_name: churnstore}
""",
    )
    (tmp_path / ".env").write_bytes(
        b"PLAIN=1\nexport EXPORTED = 2\n  SPACED=3 \xff\n# COMMENTED=4\nHOME=/x\nno assignment\n"
        b"export  WIDE=5\n" + b"".join(name.encode() + b"=/x\n" for name in NEEDED)
    )

    assert base_environment(project.plan.pipeline, tmp_path, outer) == {**ALWAYS, "PYTHONPATH": str(STANDIN), **kept}


def test_a_step_that_starts_a_run_does_not_pass_its_own_process_on(tmp_path):
    outer = {"AZML_RUN_PROCESS": "42"}

    assert base_environment(load(tmp_path, "").plan.pipeline, tmp_path, outer) == {
        **ALWAYS,
        "PYTHONPATH": str(STANDIN),
    }


def test_the_mark_that_windows_puts_before_dot_env_hides_no_variable(tmp_path):
    (tmp_path / ".env").write_text("FIRST=1\nSECOND=2\n", encoding="utf-8-sig")

    environment = base_environment(load(tmp_path, "").plan.pipeline, tmp_path, {"FIRST": "1", "SECOND": "2", "C": "3"})

    assert environment == {**ALWAYS, "PYTHONPATH": str(STANDIN), "C": "3"}


def test_what_lies_in_the_project_is_taken_off_the_import_path(tmp_path, monkeypatch):
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    entries = ["/opt/libs", str(project), str(project / "src"), "", ".", "src", f"{project}-more", "/opt/more"]

    environment = base_environment(load(project, "").plan.pipeline, project, {"PYTHONPATH": os.pathsep.join(entries)})

    kept = [str(STANDIN), "/opt/libs", f"{project}-more", "/opt/more"]
    assert environment == {**ALWAYS, "PYTHONPATH": os.pathsep.join(kept)}


def test_the_import_path_leads_into_the_project_by_no_link_either(tmp_path):
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (tmp_path / "alias").symlink_to(project, target_is_directory=True)
    (project / "away").symlink_to(tmp_path, target_is_directory=True)
    entries = [str(tmp_path / "alias"), str(tmp_path / "alias/src"), str(tmp_path / "alias-more"), str(tmp_path)]
    variables = {"PYTHONPATH": os.pathsep.join(entries)}
    pipeline = load(project, "").plan.pipeline
    kept = {**ALWAYS, "PYTHONPATH": os.pathsep.join([str(STANDIN), *entries[2:]])}

    assert base_environment(pipeline, project, variables) == kept
    assert base_environment(pipeline, tmp_path / "alias", variables) == kept
    nothing = {**ALWAYS, "PYTHONPATH": str(STANDIN)}
    assert base_environment(pipeline, tmp_path / "alias", {"PYTHONPATH": str(project / "src")}) == nothing
    assert base_environment(pipeline, project, {"PYTHONPATH": str(project / "away")}) == nothing


HERE = platform.python_version()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"definition": None, "variables": {}}),
        ("env_name: curated", {"definition": "curated", "variables": {}}),
        (
            "env_name: e\nenvironments: {e: {environment_variables: {A: '1'}}}",
            {"definition": {}, "variables": {"A": "1"}},
        ),
        (
            "env_name: e\n"
            "environments: {e: {pip_packages: ['PyTest>=8', pyyaml, 'no_such.thing', ' jinja2[x] ; z', '-e .']}}",
            {
                "definition": {"pip_packages": ["PyTest>=8", "pyyaml", "no_such.thing", " jinja2[x] ; z", "-e ."]},
                "variables": {},
            },
        ),
        (
            "env_name: e\nenvironments: {e: {conda_file: conda.yml}}",
            {"definition": {"conda_file": "the conda file \ufffd"}, "variables": {}},
        ),
        (
            "env_name: e\nenvironments: {e: {dockerfile: Dockerfile, python_version: '3.10'}}",
            {"definition": {"dockerfile": "FROM x", "python_version": "3.10"}, "variables": {}},
        ),
    ],
)
def test_what_of_an_environment_counts_when_a_result_is_reused(tmp_path, text, expected):
    (tmp_path / "conda.yml").write_bytes(b"the conda file \xff")
    (tmp_path / "Dockerfile").write_text("FROM x")

    assert definition(tmp_path, text) == {"python": HERE, **expected}


def test_the_variables_of_a_step_win_over_those_of_its_environment(tmp_path):
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        "environments: {e: {environment_variables: {A: '1', B: '1'}}}\n"
        "steps: {a: {script_name: a.py, env_name: e, environment_variables: {B: '2', C: '2'}}}\n"
    )
    pipeline = load_project(file, variables={}).plan.pipeline

    found = definition_of(pipeline, pipeline.steps["a"], tmp_path)

    assert found["variables"] == {"A": "1", "B": "2", "C": "2"}


def test_in_a_virtual_environment_its_own_python_counts(tmp_path):
    virtual = VirtualEnvironment(Path("/v/python"), "digest", "3.10.4", {"scikit-learn": "1.5"})

    assert definition(tmp_path, "env_name: e\nenvironments: {e: {pip_packages: [Scikit_Learn, pytest]}}", virtual) == {
        "python": "3.10.4",
        "definition": {"pip_packages": ["Scikit_Learn", "pytest"]},
        "variables": {},
    }


def test_what_is_installed_is_found_by_names_of_folders_and_the_first_folder_wins(tmp_path, monkeypatch):
    for name in ("a/Some_Pkg-1.0.dist-info", "a/other-2!1.0+x-y.dist-info", "a/some_pkg", "b/some.pkg-2.0.dist-info"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "here-3.dist-info").mkdir()
    monkeypatch.chdir(tmp_path)

    folders = [str(tmp_path / "gone"), str(tmp_path / "a"), str(tmp_path / "b"), ""]
    assert distributions_in(folders) == {"some-pkg": "1.0", "other": "2!1.0+x-y", "here": "3"}


# Virtual environments


@pytest.fixture
def made(tmp_path):
    """A project with two environments of which one was made, as far as a look at it goes."""
    text = "environments: {e.f: {pip_packages: [tiny_pkg]}, g: {}}"
    project = load(tmp_path, text)
    layout = ProjectPaths.of(tmp_path)
    folder = layout.environments / "e.f/23e2974f-x"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").write_text("")
    (folder / "lib/python3.10/site-packages/tiny_pkg-1.0.dist-info").mkdir(parents=True)
    digest = environment_spec(project.plan, "e.f", tmp_path).digest
    mark = {"version": 2, "digest": digest, "python": "3.10.4", "folder": folder.name}
    write_json(folder.parent / "azml-environment.json", mark)
    return layout, project, folder, mark


def test_a_virtual_environment_is_used_by_the_steps_of_its_environment(made):
    layout, project, folder, mark = made

    virtual = VirtualEnvironment(folder / "bin/python", mark["digest"], "3.10.4", {"tiny-pkg": "1.0"})
    assert find(layout, "e.f") == virtual
    assert virtual_environments(project.plan, layout) == ({"e.f": virtual}, [])
    assert in_use(layout, project.plan, "e.f") == virtual
    assert in_use(layout, load(layout.project, "").plan, "e.f") is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder, mark: (folder.parent / "azml-environment.json").unlink(),
        lambda folder, mark: write_json(folder.parent / "azml-environment.json", {**mark, "version": 1}),
        lambda folder, mark: write_json(folder.parent / "azml-environment.json", {**mark, "folder": "y"}),
        lambda folder, mark: (folder / "bin/python").unlink(),
    ],
)
def test_a_virtual_environment_that_is_not_whole_is_not_used_and_this_is_reported(made, spoil):
    layout, project, folder, mark = made
    spoil(folder, mark)

    assert find(layout, "e.f") is None
    assert virtual_environments(project.plan, layout) == (
        {},
        [
            "environment 'e.f' has an incomplete virtual environment (run `invoke register-env` to recreate it), so "
            "its steps run with the current Python"
        ],
    )


def test_a_virtual_environment_that_was_deleted_was_never_there(made):
    layout, project, folder, _ = made
    remove_tree(folder.parent)

    assert find(layout, "e.f") is None
    assert virtual_environments(project.plan, layout) == ({}, [])


def test_a_virtual_environment_of_another_definition_is_not_used_and_this_is_reported(made):
    layout, _, folder, mark = made
    project = load(layout.project, "environments: {g: {}, e.f: {pip_packages: [tiny_pkg==2]}, h: {}}")
    shutil.copytree(folder.parent, layout.environments / "h")
    of_h = {**mark, "digest": environment_spec(project.plan, "h", folder).digest}
    write_json(layout.environments / "h/azml-environment.json", of_h)

    assert virtual_environments(project.plan, layout) == (
        {"h": find(layout, "h")},
        [
            "environment 'e.f' changed since it was created (run `invoke register-env` to update it), so its steps "
            "run with the current Python"
        ],
    )


def test_a_virtual_environment_follows_the_conda_file_that_it_was_made_from(made):
    layout, _, folder, mark = made
    (layout.project / "conda.yml").write_text("dependencies: [{pip: [tiny_pkg]}]")
    plan = load(layout.project, "environments: {e.f: {conda_file: conda.yml}}").plan
    digest = environment_spec(plan, "e.f", layout.project).digest
    write_json(folder.parent / "azml-environment.json", {**mark, "digest": digest})

    assert in_use(layout, plan, "e.f").digest == digest

    (layout.project / "conda.yml").write_text("dependencies: [{pip: [tiny_pkg==2]}]")
    with pytest.raises(OutdatedError):
        in_use(layout, plan, "e.f")


def test_what_a_virtual_environment_is_made_from_has_one_digest():
    one = EnvironmentSpec("3.10", ("pandas", "pyarrow"), ("gdal",))

    assert one.digest == "23e2974f0e00eefc110f94df5e269d367f49fdeee62c83727654fa272e540513"
    assert EnvironmentSpec("3.10", ("pandas", "pyarrow")).digest == one.digest
    assert (
        len(
            {
                one.digest,
                EnvironmentSpec("3.11", ("pandas", "pyarrow")).digest,
                EnvironmentSpec("3.10", ("pandas",)).digest,
            }
        )
        == 3
    )

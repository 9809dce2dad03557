"""Finding the file, and asking a project for places in it."""

from __future__ import annotations

import pytest

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.reading import find_file, load_project
from azml_tasks.reading.project import stated_backend


def test_the_nearest_file_upward(tmp_path):
    outer, inner = tmp_path / "pipeline.yaml", tmp_path / "été 1" / "pipeline.yaml"
    below = inner.parent / "steps" / "deep"
    below.mkdir(parents=True)
    outer.touch()
    inner.touch()

    assert [find_file(folder) for folder in (below, inner.parent, tmp_path)] == [inner, inner, outer]


def test_no_file_anywhere(tmp_path):
    (tmp_path / "pipeline.yaml").mkdir()

    with pytest.raises(ProjectError) as caught:
        find_file(tmp_path)

    assert str(caught.value) == (
        f"pipeline.yaml: not found in {tmp_path} or its parent folders; create a project with `copier copy`"
    )


@pytest.mark.parametrize("name", ["pipeline.yml", "pipelines.yaml"])
def test_a_file_of_nearly_that_name(tmp_path, name):
    below = tmp_path / "steps"
    below.mkdir()
    (tmp_path / name).touch()

    with pytest.raises(ProjectError) as caught:
        find_file(below)

    assert str(caught.value) == (f"pipeline.yaml: not found in {below} or its parent folders; rename {tmp_path / name}")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("steps",), 3),
        (("steps", "a"), 4),
        (("steps", "a", "script_name"), 5),
        (("steps", "a", "arguments", 0), 7),
        (("steps", "a", "arguments", 1), 8),
        (("steps", "a", "arguments", 2), 6),
        (("steps", "a", "arguments", "x"), 6),
        (("steps", "a", "missing"), 4),
        (("steps", "a", "missing", "deeper"), 4),
        (("steps", "missing", "script_name"), 3),
        (("steps", "a", "script_name", "x", 0), 5),
        (("datasets",), 2),
        (("datasets", "steps", "a"), 2),
    ],
)
def test_a_problem_has_the_line_of_its_key(load, path, line):
    text = "# a comment\nbackend: azure\nsteps:\n  a:\n    script_name: a.py\n    arguments:\n      - --x\n      - 1\n"

    project = load(text)
    assert project.problem(path, "wrong") == Problem("pipeline.yaml", line, "wrong")
    assert project.values.line(path) == line


BACKENDS = "backend: local\nsteps: nothing of use\ntargets: {dev: {backend: azure}, bad: azure, none: {backend: }}\n"


@pytest.mark.parametrize(
    ("text", "target", "backend"),
    [
        (BACKENDS.replace(" bad: azure,", ""), None, "local"),
        (BACKENDS.replace(" bad: azure,", ""), "dev", "azure"),
        (BACKENDS.replace(" bad: azure,", ""), "none", None),
        ("steps: {}\n", None, None),
        ("backend: ${WHERE}\n", None, "${WHERE}"),
    ],
)
def test_the_backend_is_known_despite_other_mistakes(tmp_path, text, target, backend):
    file = tmp_path / "pipeline.yaml"
    file.write_text(text)

    assert stated_backend(file, target) == backend


@pytest.mark.parametrize(
    ("text", "target", "line"),
    [
        ("backend: [\n", None, "pipeline.yaml:1: missing value, or a '[' or '{' above is not closed"),
        (BACKENDS, "bad", "pipeline.yaml:3: target 'bad': expected keys of this file, found 'azure'"),
        (
            BACKENDS.replace(" bad: azure,", ""),
            "dve",
            "pipeline.yaml:3: 'dve' is not a target of this file: it has dev and none; did you mean 'dev'?",
        ),
    ],
)
def test_no_backend_gets_a_file_that_cannot_be_read(tmp_path, text, target, line):
    file = tmp_path / "pipeline.yaml"
    file.write_text(text)

    with pytest.raises(ProjectError) as caught:
        stated_backend(file, target)

    assert str(caught.value) == line


def test_a_project_has_its_folder_and_its_plan(load, tmp_path):
    project = load("steps: {a: {script_name: a.py}, b: {script_name: b.py}}\n")

    assert (project.file, project.directory) == (tmp_path / "pipeline.yaml", tmp_path)
    assert [(step.key, step.upstream) for step in project.plan.steps] == [("a", ()), ("b", ("a",))]
    assert project.plan is project.plan


@pytest.mark.parametrize("key", ["conda_file", "dockerfile"])
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../Dockerfile", "is outside the project"),
        ("/etc/hostname", "is outside the project"),
        ("linked/Dockerfile", "is outside the project (through a link)"),
        (".env", "looks like a secret or is never uploaded"),
        ("harmless", "looks like a secret or is never uploaded"),
        (".git/config", "looks like a secret or is never uploaded"),
    ],
)
def test_what_an_environment_is_made_of_lies_in_the_project_and_is_no_secret(tmp_path, key, name, sentence):
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "Dockerfile").touch()
    (folder / ".env").touch()
    (folder / "linked").symlink_to(tmp_path)
    (folder / "harmless").symlink_to(".env")
    file = folder / "pipeline.yaml"
    file.write_text(f"steps: {{a: {{script_name: a.py}}}}\nenvironments:\n  e: {{{key}: {name}}}\n")

    with pytest.raises(ProjectError) as raised:
        load_project(file, variables={})

    assert str(raised.value) == f"pipeline.yaml:3: environment 'e': its {key} '{name}' {sentence}"

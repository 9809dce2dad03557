"""What a local run was started from is recorded while its steps run."""

from __future__ import annotations

import platform
import subprocess
import time

from azml_tasks import __version__
from azml_tasks.local.details import run_details

MODEL = """\
from azureml.core import Run
run = Run.get_context()
run.log("x", 1)
open("outputs/model.txt", "w").write("m")
run.upload_file("model.txt", "outputs/model.txt")
run.register_model("churn", "model.txt")
run.tag("family", "linear")
print("hello")
"""


def test_the_record_has_code_packages_steps_and_who_ran_it(project):
    project.line(first="print(1)", second="print(2)")
    project.write({".gitignore": ".azml/\n"})
    for words in (["init", "--initial-branch=trunk"], ["add", "."]):
        subprocess.run(["git", *words], cwd=project.folder, check=True, capture_output=True)

    found = project.run().provenance()

    assert (found.release, found.code.branch, found.code.count) == (__version__, "trunk", 4)
    assert found.environments[""].python == platform.python_version()
    assert "invoke" in found.environments[""].packages
    assert {key: (step.after, dict(step.inputs)) for key, step in found.steps.items()} == {
        "first": ((), {}),
        "second": (("first",), {"--input-folder": "first --output-folder"}),
    }
    assert list(found.steps["first"].files) == ["first.py"]


def test_the_end_of_a_run_does_not_wait_long_for_git(project, monkeypatch):
    project.line(first="")
    project.write({"bin/git": "#!/bin/sh\nexec sleep 60\n", ".git/HEAD": ""})
    (project.folder / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{project.folder / 'bin'}:/usr/bin:/bin")
    begun = time.monotonic()
    run = project.run()

    assert (run.status, run.provenance().code) == ("completed", None)
    assert run.provenance().release == __version__
    assert time.monotonic() - begun < 40


def test_a_run_without_the_record_of_an_older_release_is_shown(project):
    project.line(first="")
    run = project.run()
    run.places.provenance.unlink()

    details = run_details(run, with_logs=True)

    assert (details.provenance.release, [step.key for step in details.steps]) == ("", ["first"])


def test_details_have_the_files_models_tags_and_the_log(project):
    project.line(first=MODEL)
    run = project.run()

    (step,) = run_details(run, with_logs=True).steps

    assert [(file.name, file.size) for file in step.files] == [("model.txt", 1), ("outputs/model.txt", 1)]
    assert (step.files[0].read(10), step.files[0].read(0)) == (b"m", None)
    assert [model.name for model in step.models] == ["churn version 1"]
    assert (step.tags, step.log.text, step.log.lines) == ({"family": "linear"}, "hello\n", 1)
    assert run_details(run, with_logs=False).steps[0].log.text == ""


def test_details_of_a_reused_step_are_those_of_the_run_that_made_it(project):
    project.line(first=MODEL)
    project.run()

    (step,) = run_details(project.run(), with_logs=True).steps

    assert (step.record.status, [model.name for model in step.models], step.log.text) == (
        "reused",
        ["churn version 1"],
        "hello\n",
    )
    assert "first.py" in step.reading.files

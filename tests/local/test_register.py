"""What registering means on this machine: virtual environments, and a look at the data."""

from __future__ import annotations

import http.server
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from azml_tasks.errors import ProjectError, RunError
from azml_tasks.local.environments import EnvironmentSpec, environment_spec
from azml_tasks.local.register import missing_pythons, register, register_datasets, register_environments
from azml_tasks.local.store.files import remove_tree, write_json
from azml_tasks.local.store.process import ProcessIdentity
from azml_tasks.reading import load_project
from azml_tasks.runs.records import Remark

VERSION = ".".join(platform.python_version_tuple()[:2])


def wheel(folder: Path, version: str, name: str = "tiny", requires: str = "") -> None:
    """Write a wheel of a package `tiny`, whose `version` is what it says."""
    info = f"{name}_pkg-{version}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(folder / f"{name}_pkg-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", f"version = {version!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}-pkg\nVersion: {version}\n{needs}")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A folder of wheels, which is all that pip finds."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    return folder


def loaded(project):
    return load_project(project.folder / "pipeline.yaml", variables={})


def said(changes) -> list[str]:
    return [str(change) for change in changes]


def test_an_environment_is_made_once_used_by_its_steps_and_made_again_when_the_file_changes(project, index):
    wheel(index, "1.0")
    wheel(index, "2.0")
    script = """
        import sys, tiny
        from azureml.core import Run
        Run.get_context().log("x", 1)
        print(tiny.version, sys.prefix != sys.base_prefix)
    """
    text = "env_name: e\nenvironments: {{e: {{pip_packages: [tiny_pkg{}]}}}}\nsteps: {{a: {{script_name: a.py}}}}"
    project.pipeline(text.format("==1.0"), a=script)

    assert said(register_environments(loaded(project), dry=True)) == [
        f"environment e: would be created (Python {VERSION})"
    ]
    (created,) = said(register_environments(loaded(project)))
    assert created.startswith(f"environment e: created (Python {VERSION}.")
    assert said(register_environments(loaded(project))) == [created.replace("created", "unchanged")]
    first = project.run()
    assert project.log(first, "a") == "1.0 True\n"
    assert [metric["value"] for metric in first["a"].metrics()] == [1]
    assert project.run()["a"].status == "reused"

    project.pipeline(text.format(">=2"), a=script)
    outdated = project.run()
    assert [event.text for event in project.events if isinstance(event, Remark)] == [
        "environment 'e' changed since it was created (run `invoke register-env` to update it), so its steps run with "
        "the current Python"
    ]
    assert outdated["a"].status == "failed"
    (updated,) = said(register_environments(loaded(project)))
    assert updated == created.replace("created", "updated")
    assert project.log(project.run(), "a") == "2.0 True\n"


@pytest.mark.thorough
def test_packages_that_pip_does_not_find_are_reported_and_leave_nothing_that_is_used(project, index):
    project.pipeline(
        """
        env_name: e
        environments: {e: {pip_packages: [no-such-package]}}
        steps: {a: {script_name: a.py}}
        """,
        a="",
    )

    with pytest.raises(RunError) as caught:
        list(register_environments(loaded(project)))

    assert str(caught.value).startswith("pip could not install the packages of 'e':\n")
    assert "no-such-package" in str(caught.value)
    assert project.run().status == "completed"


IN_AN_ENVIRONMENT = "env_name: e\nenvironments: {e: {}}\nsteps: {a: {script_name: a.py}, b: {script_name: b.py}}"
SAYS_WHERE = "import sys\nprint(sys.prefix != sys.base_prefix and '.azml' in sys.prefix)"
TINY = "env_name: e\nenvironments: {{e: {{pip_packages: [{}]}}}}\nsteps: {{a: {{script_name: a.py}}}}"
SAYS_VERSION = "import tiny\nprint(tiny.version)"
REGISTERS = """
import pathlib, sys
from azml_tasks.local.store.files import remove_tree
from azml_tasks.local.register import register_environments
from azml_tasks.reading import load_project
list(register_environments(load_project(pathlib.Path(sys.argv[1]), variables={})))
"""


def in_use_as_before(project) -> None:
    """See that the environment of tiny_pkg 1.0 is still what the steps run in, and that there is nothing to say."""
    project.pipeline(TINY.format("tiny_pkg==1.0"), a=SAYS_VERSION)
    run = project.run()
    assert project.log(run, "a") == "1.0\n"
    assert [event.text for event in project.events if isinstance(event, Remark)] == []
    (unchanged,) = said(register_environments(loaded(project)))
    assert unchanged.startswith("environment e: unchanged")


@pytest.mark.thorough
def test_an_environment_that_cannot_be_made_again_leaves_the_one_that_is_there(project, index):
    wheel(index, "1.0")
    project.pipeline(TINY.format("tiny_pkg==1.0"), a=SAYS_VERSION)
    list(register_environments(loaded(project)))
    before = sorted((project.folder / ".azml/envs/e").iterdir())
    project.pipeline(TINY.format("tiny_pkg, no-such-package"), a=SAYS_VERSION)

    with pytest.raises(RunError):
        list(register_environments(loaded(project)))

    assert sorted((project.folder / ".azml/envs/e").iterdir()) == before
    in_use_as_before(project)


@pytest.mark.thorough
def test_a_kill_while_an_environment_is_made_again_leaves_the_one_that_is_there(project, index):
    wheel(index, "1.0")
    wheel(index, "2.0")
    project.pipeline(TINY.format("tiny_pkg==1.0"), a=SAYS_VERSION)
    list(register_environments(loaded(project)))
    home = project.folder / ".azml/envs/e"
    before = {*home.iterdir()}
    project.pipeline(TINY.format("tiny_pkg==2.0"), a=SAYS_VERSION)

    command = [sys.executable, "-c", REGISTERS, str(project.folder / "pipeline.yaml")]
    process = subprocess.Popen(command, start_new_session=True)
    while not {*home.iterdir()} - before:
        time.sleep(0.01)
    # With what it has started, which would go on filling the folder.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    (left,) = {*home.iterdir()} - before
    in_use_as_before(project)
    # What it left goes with the next making, when it is old enough not to be another's.
    os.utime(left, (0, 0))
    project.pipeline(TINY.format("tiny_pkg==2.0"), a=SAYS_VERSION)
    (updated,) = said(register_environments(loaded(project)))
    assert updated.startswith("environment e: updated")
    assert len([*home.iterdir()]) == 2
    assert project.log(project.run(), "a") == "2.0\n"


@pytest.mark.parametrize("gone", ["bin", "azml-environment.json"])
def test_an_environment_that_was_registered_and_cannot_be_used_is_reported(project, gone):
    project.pipeline(IN_AN_ENVIRONMENT, a=SAYS_WHERE, b=SAYS_WHERE)
    list(register_environments(loaded(project)))
    (found,) = (project.folder / ".azml/envs/e").rglob(gone)
    remove_tree(found) if found.is_dir() else found.unlink()

    run = project.run()

    assert project.log(run, "a") == "False\n"
    assert [event.text for event in project.events if isinstance(event, Remark)] == [
        "environment 'e' has an incomplete virtual environment (run `invoke register-env` to recreate it), so its "
        "steps run with the current Python"
    ]
    list(register_environments(loaded(project)))
    assert project.log(project.run(force=True), "a") == "True\n"


def test_an_environment_that_is_deleted_while_a_run_uses_it(project):
    deletes = f"import shutil\nshutil.rmtree({str(project.folder / '.azml/envs')!r})\n"
    project.pipeline(IN_AN_ENVIRONMENT, a=SAYS_WHERE, b=SAYS_WHERE)
    list(register_environments(loaded(project)))
    assert project.log(project.run(), "b") == "True\n"
    project.write({"a.py": SAYS_WHERE + "\n" + deletes, "b.py": SAYS_WHERE + "\n"})

    run = project.run()

    assert (project.log(run, "a"), run["b"].status) == ("True\n", "failed")
    assert "No such file or directory" in run["b"].message + run["b"].detail
    project.write({"a.py": ""})
    after = project.run()
    assert (after.status, project.log(after, "b")) == ("completed", "False\n")


@pytest.mark.thorough
def test_an_environment_that_is_deleted_while_it_is_made_is_not_there_and_the_next_is_whole(project):
    project.pipeline(IN_AN_ENVIRONMENT, a=SAYS_WHERE, b=SAYS_WHERE)
    over = threading.Event()

    def vanish() -> None:
        while not over.is_set():
            shutil.rmtree(project.folder / ".azml/envs", ignore_errors=True)

    thread = threading.Thread(target=vanish)
    thread.start()
    for _ in range(3):
        with pytest.raises(RunError):
            list(register_environments(loaded(project)))
    over.set()
    thread.join()

    list(register_environments(loaded(project)))
    assert project.log(project.run(), "b") == "True\n"


def test_an_environment_that_cannot_be_made_is_reported_in_a_sentence(project):
    project.pipeline(IN_AN_ENVIRONMENT, a="", b="").write({".azml/envs": "a file"})

    with pytest.raises(RunError) as caught:
        list(register_environments(loaded(project)))

    place = project.folder / ".azml/envs"
    assert str(caught.value) == f"could not create the virtual environment 'e': File exists: {place}"


@pytest.mark.parametrize("dry", [True, False])
def test_a_python_that_is_not_here_is_named_and_the_rest_is_made(project, dry):
    project.write({"conda.yml": "dependencies: [python=3.98]", "b.csv": "id\n1\n"})
    project.pipeline(
        """
        environments:
          e:
            python_version: '3.99'
          f: {conda_file: conda.yml}
          g: {}
        datasets: {one: {local_path: b.csv}}
        steps: {a: {script_name: a.py}}
        """,
        a="",
    )
    lines: list[str] = []

    with pytest.raises(ProjectError) as caught:
        lines.extend(map(str, register(loaded(project), dry=dry)))

    outcome = f"would be created (Python {VERSION})" if dry else f"created (Python {platform.python_version()})"
    assert lines == [f"environment g: {outcome}", "dataset one: 1 row of id in b.csv"]
    asked = "Python 3.{0} is required but was not found; install it. "
    until = f"Until then, its steps run with Python {VERSION}"
    assert [problem.line for problem in missing_pythons(loaded(project))] == [5, 6]
    assert str(caught.value) == (
        f"pipeline.yaml:5: environment 'e': {asked.format(99)}{until}\n"
        f"pipeline.yaml:6: environment 'f': {asked.format(98)}{until}"
    )


@pytest.mark.parametrize("text", ["/run-me", "x", "3.11\n"])
def test_no_other_program_is_started_for_a_version_of_python_that_is_none(project, monkeypatch, text):
    for name in ("python/run-me", "pythonx"):
        project.write({name: "#!/bin/sh\ntouch started\n"})
        (project.folder / name).chmod(0o755)
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("PATH", str(project.folder))
    project.pipeline(
        f"environments: {{e: {{python_version: {json.dumps(text)}}}}}\nsteps: {{a: {{script_name: a.py}}}}"
    )

    assert [problem.line for problem in missing_pythons(loaded(project))] == [2]
    assert not (project.folder / "started").exists()


def test_neither_pip_nor_an_index_that_the_file_names_is_given_a_secret(project, monkeypatch):
    asked = []
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    monkeypatch.setattr(http.server.BaseHTTPRequestHandler, "do_GET", lambda self: asked.append(self.path), False)
    monkeypatch.setenv("CHURN_STORAGE_KEY", "hunter2")
    monkeypatch.setenv("PIP_RETRIES", "0")
    index = f"--index-url http://127.0.0.1:{server.server_port}/$${{CHURN_STORAGE_KEY}}/"
    project.pipeline(
        f"environments: {{e: {{pip_packages: ['{index}', tiny-pkg]}}}}\nsteps: {{a: {{script_name: a.py}}}}", a=""
    )

    threading.Thread(target=server.handle_request, daemon=True).start()
    with pytest.raises(RunError, match="pip could not install"):
        said(register_environments(loaded(project)))

    server.server_close()
    assert asked == ["/$%7BCHURN_STORAGE_KEY%7D/tiny-pkg/"]


def test_an_environment_that_is_made_misses_no_python(project):
    project.pipeline(
        "environments: {e: {python_version: '3.99'}}\nsteps: {a: {script_name: a.py}}",
        a="",
    )
    folder = project.folder / ".azml/envs/e"
    (folder / "x/bin").mkdir(parents=True)
    (folder / "x/bin/python").touch()
    digest = environment_spec(loaded(project).plan, "e", project.folder).digest
    write_json(folder / "azml-environment.json", {"version": 2, "digest": digest, "python": "3.99.1", "folder": "x"})

    assert list(missing_pythons(loaded(project))) == []
    assert said(register_environments(loaded(project))) == ["environment e: unchanged (Python 3.99.1)"]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("{}", EnvironmentSpec(VERSION, ("pandas", "pyarrow"))),
        ("{pip_packages: [Pandas>=2, numpy]}", EnvironmentSpec(VERSION, ("Pandas>=2", "numpy", "pyarrow"))),
        (
            "{pip_packages: [azureml-defaults, azureml_core, scikit-learn], python_version: '3.10.4'}",
            EnvironmentSpec("3.10", ("scikit-learn", "pandas", "pyarrow")),
        ),
        (
            "{conda_packages: [gdal], pip_packages: [pandas, pyarrow], base_image: 'x'}",
            EnvironmentSpec(VERSION, ("pandas", "pyarrow"), ("base_image",), ("gdal",)),
        ),
        (
            "{conda_file: conda.yml}",
            EnvironmentSpec("3.10", ("pandas==2.2", "pyarrow"), (), ("libgdal",)),
        ),
        (
            "{conda_packages: [python=3.12.1, pip, a::numpy=1.26, azureml-defaults, Pandas], pip_packages: [numpy]}",
            EnvironmentSpec("3.12", ("numpy", "pandas", "pyarrow"), (), ("Pandas",)),
        ),
    ],
)
def test_what_an_environment_becomes_on_this_machine(project, declared, expected):
    project.write(
        {
            "conda.yml": "dependencies: [python=3.10, pip, libgdal, {pip: [pandas==2.2, azureml-defaults]}]",
            "a.parquet": "",
        }
    )
    project.pipeline(
        f"""
        env_name: e
        environments: {{e: {declared}}}
        datasets: {{d: {{local_path: a.parquet, format: parquet}}}}
        steps: {{a: {{script_name: a.py, input_datasets: {{d: d}}}}}}
        """,
        a="",
    )

    assert environment_spec(loaded(project).plan, "e", project.folder) == expected


def test_what_this_machine_may_lack_is_named(project):
    project.pipeline(
        "environments: {e: {conda_packages: [gdal, proj], base_image: x}}\nsteps: {a: {script_name: a.py}}",
        a="",
    )

    assert said(register_environments(loaded(project), dry=True)) == [
        f"environment e: would be created (Python {VERSION}; without base_image, which only Azure ML uses; gdal and "
        "proj if on the package index)"
    ]


@pytest.mark.thorough
def test_conda_packages_come_from_the_package_index_as_far_as_it_has_them(project, index):
    wheel(index, "1.0")
    wheel(index, "2.0")
    project.pipeline(
        """
        env_name: e
        environments: {e: {conda_packages: ["conda-forge::tiny-pkg=1", _libgcc_mutex, "no-such-package>=2", python]}}
        steps: {a: {script_name: a.py}}
        """,
        a=SAYS_VERSION,
    )
    lines: list[str] = []

    (created,) = said(register_environments(loaded(project), say=lines.append))

    lacks = (
        "without _libgcc_mutex and no-such-package>=2, which pip could not install; they are installed on Azure ML only"
    )
    assert created == f"environment e: created (Python {platform.python_version()}; {lacks})"
    assert lines[:3] == [
        "environment e: installing into a new virtual environment",
        "  searching the package index for the conda package conda-forge::tiny-pkg=1",
        "  searching the package index for the conda package no-such-package>=2",
    ]
    assert "  Successfully installed tiny_pkg-1.0" in lines or "  Successfully installed tiny-pkg-1.0" in lines
    assert project.log(project.run(), "a") == "1.0\n"
    assert said(register_environments(loaded(project))) == [created.replace("created", "unchanged")]


@pytest.mark.thorough
def test_a_conda_package_that_does_not_fit_what_pip_is_to_install_is_left_out(project, index):
    wheel(index, "1.0")
    wheel(index, "2.0")
    (project.folder / "limits.txt").write_text("tiny-pkg==2.0\n")
    environment = '{pip_packages: ["-c limits.txt"], conda_packages: [tiny-pkg=1]}'
    project.pipeline(f"environments: {{e: {environment}}}\nsteps: {{a: {{script_name: a.py}}}}", a="")

    (created,) = said(register_environments(loaded(project)))

    assert "without tiny-pkg=1, which pip could not install" in created


@pytest.mark.thorough
def test_a_conda_package_does_not_change_the_version_of_a_pip_requirement(project, index):
    wheel(index, "1.0")
    wheel(index, "2.0")
    wheel(index, "1.0", "old", requires="tiny-pkg<2")
    wheel(index, "1.0", "other")
    environment = "{pip_packages: [tiny-pkg==2.0], conda_packages: [old-pkg, other-pkg]}"
    project.pipeline(
        f"env_name: e\nenvironments: {{e: {environment}}}\nsteps: {{a: {{script_name: a.py}}}}",
        a="import other\n" + SAYS_VERSION,
    )

    (created,) = said(register_environments(loaded(project)))

    assert "without old-pkg, which pip could not install" in created
    assert project.log(project.run(), "a") == "2.0\n"


@pytest.mark.thorough
def test_lists_and_folders_of_the_project_are_installed_from_where_they_lie(project, index):
    wheel(index, "1.0")
    wheel(index, "2.0")
    files = {
        "envs/env.yml": "dependencies:\n- pip:\n  - -r more.txt\n",
        "envs/more.txt": "-c limits.txt\ntiny-pkg # why\n",
        "envs/limits.txt": "tiny-pkg<2\n",
    }
    project.write(files).pipeline(
        "env_name: e\nenvironments: {e: {conda_file: envs/env.yml}}\nsteps: {a: {script_name: a.py}}", a=SAYS_VERSION
    )

    (created,) = said(register_environments(loaded(project)))

    assert created == f"environment e: created (Python {platform.python_version()})"
    assert project.log(project.run(), "a") == "1.0\n"
    assert said(register_environments(loaded(project))) == [created.replace("created", "unchanged")]
    project.write({"envs/limits.txt": "tiny-pkg>=2\n"})
    assert said(register_environments(loaded(project))) == [created.replace("created", "updated")]
    assert project.log(project.run(), "a") == "2.0\n"


def test_what_is_wrong_with_an_environment_is_reported_before_pip_is_started(project):
    project.write({"requirements.txt": "numpy\n"}).pipeline(
        """
        environments:
          e: {pip_packages: [pandas=2]}
          f: {conda_file: requirements.txt}
          g: {python_version: "3.9"}
        steps: {a: {script_name: a.py}}
        """,
        a="",
    )
    lines: list[str] = []

    with pytest.raises(ProjectError) as caught:
        list(register_environments(loaded(project), say=lines.append))

    assert lines == []
    assert str(caught.value).splitlines() == [
        "pipeline.yaml:4: environment 'e': pip cannot read 'pandas=2'; did you mean 'pandas==2'?",
        "pipeline.yaml:6: environment 'g': a local run needs Python 3.10 or later, so `invoke register-env` cannot "
        "create it with Python 3.9",
        "requirements.txt:1: this is not a conda file: expected a list of `dependencies`, found text",
    ]
    assert not (project.folder / ".azml/envs").exists()


@pytest.mark.thorough
def test_an_environment_that_a_run_still_uses_stays_until_that_is_over(project, index):
    wheel(index, "1.0")
    wheel(index, "2.0")
    project.pipeline(TINY.format("tiny_pkg==1.0"), a=SAYS_VERSION)
    list(register_environments(loaded(project)))
    run = project.run()
    (before,) = (path for path in (project.folder / ".azml/envs/e").iterdir() if path.is_dir())
    replace(run, status="running", process=ProcessIdentity.own()).save()

    project.pipeline(TINY.format("tiny_pkg==2.0"), a=SAYS_VERSION)
    list(register_environments(loaded(project)))

    assert (before / "bin/python").exists()
    run.save()
    project.pipeline(TINY.format("tiny_pkg==1.0"), a=SAYS_VERSION)
    os.utime(before, (0, 0))
    list(register_environments(loaded(project)))
    assert not before.exists()


@pytest.mark.thorough
@pytest.mark.parametrize(
    "mark", ["[]", "{}", '{"version": 2}', '{"version": 2, "folder": "../../..", "digest": "x", "python": "3.11"}', "x"]
)
def test_a_mark_that_is_damaged_or_leads_elsewhere_is_none(project, mark):
    project.pipeline(IN_AN_ENVIRONMENT, a=SAYS_WHERE, b=SAYS_WHERE)
    list(register_environments(loaded(project)))
    (project.folder / ".azml/envs/e/azml-environment.json").write_text(mark)

    assert project.log(project.run(), "a") == "False\n"
    assert said(register_environments(loaded(project)))[0].startswith("environment e: created")


def test_datasets_are_looked_at_and_everything_wrong_is_reported_at_the_end(project):
    columns = ",".join(f"c{n}" for n in range(10))
    project.write(
        {"a.csv": f"{columns}\n", "b.csv": "id\n1\n", "c/1.csv": "x,y\n1,2\n", "c/2.csv": "x,y\n1,2\n", "d": ""}
    )
    project.pipeline(
        """
        datasets:
          wide: {local_path: a.csv}
          one: {local_path: b.csv}
          two: {local_path: "c/*.csv"}
          files: {local_path: c, type: file}
          empty: {local_path: d}
          gone: {local_path: e.csv}
        steps: {a: {script_name: a.py}}
        """,
        a="",
    )
    lines: list[str] = []

    with pytest.raises(ProjectError) as caught:
        lines.extend(map(str, register_datasets(loaded(project))))

    assert lines == [
        "dataset wide: 0 rows of c0, c1, c2, c3, c4, c5, c6, c7 and 2 more in a.csv",
        "dataset one: 1 row of id in b.csv",
        "dataset two: 2 rows of x and y in 2 files such as c/1.csv",
        "dataset files: 2 files such as c/1.csv",
    ]
    assert str(caught.value) == (
        "pipeline.yaml:8: dataset 'empty': d is empty; the first line names the columns\n"
        "pipeline.yaml:9: dataset 'gone': e.csv does not exist"
    )


def test_register_does_both(project):
    project.write({"b.csv": "id\n1\n"})
    project.pipeline(
        "environments: {e: {}}\ndatasets: {one: {local_path: b.csv}}\nsteps: {a: {script_name: a.py}}",
        a="",
    )

    assert said(register(loaded(project), dry=True)) == [
        f"environment e: would be created (Python {VERSION})",
        "dataset one: 1 row of id in b.csv",
    ]

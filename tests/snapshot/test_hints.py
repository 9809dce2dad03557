"""When a step does not find a file or module of the project, the hint says where it is and what to do."""

from __future__ import annotations

import os

import pytest

from azml_tasks.snapshot import build_snapshot, missing_hint, module_hint

FILES = {
    "steps/train.py": "import sibling",
    "steps/sibling.py": "",
    "steps/lazy.py": "",
    "steps/params.json": "",
    "plugins/__init__.py": "",
    "plugins/late.py": "",
    "sql/q.sql": "",
    "config/my file.toml": "",
    "steps-more/x.csv": "",
    "../outside.txt": "",
}


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (
            "ModuleNotFoundError: No module named 'lazy'",
            "module 'lazy' is in the project, but no import in the script refers to it: add `include: [lazy.py]` to "
            "the step",
        ),
        (
            "ModuleNotFoundError: No module named 'plugins'",
            "module 'plugins' is in the project, but no import in the script refers to it: add "
            '`include: ["plugins/**"]` to the step',
        ),
        (
            "ModuleNotFoundError: No module named 'plugins.late'",
            "module 'plugins.late' is in the project, but no import in the script refers to it: add `include: "
            "[plugins/late.py]` to the step",
        ),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: 'params.json'",
            "'params.json' is in the project, but not in the step's snapshot: add `include: [params.json]` to the step",
        ),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: '{work}/sql/q.sql'",
            "'{work}/sql/q.sql' is in the project, but not in the step's snapshot: "
            "add `include: [sql/q.sql]` to the step",
        ),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: '../config/my file.toml'",
            "'../config/my file.toml' is in the project, but not in the step's snapshot: "
            "add `include: [\"config/my file.toml\"]` to the step, and open it as 'config/my file.toml'",
        ),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: 'steps-more/x.csv'",
            "'steps-more/x.csv' is in the project, but not in the step's snapshot: "
            "add `include: [steps-more/x.csv]` to the step",
        ),
        ("FileNotFoundError: [Errno 2] No such file or directory: '../outside.txt'", None),
        ("ModuleNotFoundError: No module named 'sklearn.metrics'", None),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'sibling.py'", None),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'elsewhere.csv'", None),
        ("FileNotFoundError: [Errno 2] No such file or directory: '/etc/none'", None),
        ("FileNotFoundError: [Errno 2] No such file or directory: '../../project'", None),
        ("ModuleNotFoundError: No module named 'sklearn'", None),
        ("ModuleNotFoundError: No module named 'sibling'", None),
        ("ValueError: 3", None),
        ("caught a ModuleNotFoundError: No module named 'lazy'", None),
        ("caught a FileNotFoundError: [Errno 2] No such file or directory: 'params.json'", None),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: 'params.json' -> 'sibling.py'",
            "'params.json' is in the project, but not in the step's snapshot: add `include: [params.json]` to the step",
        ),
    ],
)
def test_the_hint_for_an_error(project, tmp_path, error, hint):
    folder = project(FILES)
    work = tmp_path / "work"
    log = f"Traceback (most recent call last):\n  ...\n{error.format(work=work)}\n"

    said = missing_hint(log, build_snapshot(folder, "steps", "train.py"), folder, "steps", work)

    assert said == (hint.format(work=work) if hint else None)


def test_the_last_error_of_the_log_counts(project, tmp_path):
    folder = project(FILES)
    log = (
        "ModuleNotFoundError: No module named 'lazy'\n\nDuring handling of the above exception, another ...\n"
        "FileNotFoundError: [Errno 2] No such file or directory: 'params.json'\n"
    )

    said = missing_hint(log, build_snapshot(folder, "steps", "train.py"), folder, "steps", tmp_path)

    assert said == (
        "'params.json' is in the project, but not in the step's snapshot: add `include: [params.json]` to the step"
    )


OFF_PATH = {
    "steps/train.py": "",
    "steps/helpers/clean.py": "",
    "lib/cleaning.py": "",
    "src/churnlib/__init__.py": "",
    "src/churnlib/features.py": "",
    "src/plain/part.py": "",
    "old/deep/cleaning.py": "",
    "my lib/scores.py": "",
    "code/colors.py": "",
    "vendor/tensorflow/train.py": "",
    "vendor/tqdm/__init__.py": "",
    "reports/notes/readme.md": "",
    "native/fast.so": "",
    ".hidden/secret.py": "",
    ".venv/pyvenv.cfg": "",
    ".venv/lib/python3.11/site-packages/inner.py": "",
    "venv/pyvenv.cfg": "",
    "venv/lib/python3.11/site-packages/inner.py": "",
    ".azml/runs/1/staged.py": "",
    "azureml-v2/code/staged.py": "",
}


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("cleaning", "lib/cleaning.py), but lib {off}: set PYTHONPATH=lib, or import it as `lib.cleaning`"),
        ("churnlib", "src/churnlib), but src {off}: set PYTHONPATH=src, or import it as `src.churnlib`"),
        ("plain", "src/plain), but src {off}: set PYTHONPATH=src, or import it as `src.plain`"),
        (
            "features",
            "src/churnlib/features.py), but src/churnlib {off}: "
            "set PYTHONPATH=src/churnlib, or import it as `src.churnlib.features`",
        ),
        (
            "clean",
            "steps/helpers/clean.py), but steps/helpers {off}: "
            "set PYTHONPATH=steps/helpers, or import it as `helpers.clean`",
        ),
        ("scores", 'my lib/scores.py), but my lib {off}: set PYTHONPATH="my lib", or move it next to the script'),
        # Python's own module of that name would be imported.
        ("colors", "code/colors.py), but code {off}: set PYTHONPATH=code, or move it next to the script"),
        ("tqdm", "vendor/tqdm), but vendor {off}: set PYTHONPATH=vendor, or import it as `vendor.tqdm`"),
        # A folder that only has the name of a well-known package, or of nothing that Python imports.
        ("tensorflow", None),
        ("notes", None),
        ("secret", None),
        ("inner", None),
        ("staged", None),
        ("nowhere", None),
    ],
)
def test_a_module_of_the_project_that_is_not_on_the_import_path_is_not_to_be_installed(project, module, said):
    folder = project(OFF_PATH)
    hint = module_hint(module, build_snapshot(folder, "steps", "train.py"), folder, "steps", lambda *_: "install it")

    where = f"module '{module}' is in the project ("
    assert hint == (where + said.format(off="is not on the import path") if said else "install it")


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_folders_that_lead_round_in_a_circle_are_searched_once(project):
    folder = project(OFF_PATH)
    (folder / "reports" / "round").symlink_to(folder)
    (folder / "shared").symlink_to(folder / "reports")
    (folder / "reports" / "linked.py").write_text("")

    hint = module_hint("linked", build_snapshot(folder, "steps", "train.py"), folder, "steps")

    assert hint == (
        "module 'linked' is in the project (reports/linked.py), but reports is not on the import path: "
        "set PYTHONPATH=reports, or import it as `reports.linked`"
    )
    assert module_hint("nowhere", build_snapshot(folder, "steps", "train.py"), folder, "steps") is None

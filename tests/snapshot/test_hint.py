"""When a step does not find a file of the project, the hint names the include that mends it."""

from __future__ import annotations

import pytest

from azml_tasks.snapshot import build_snapshot, missing_hint

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
            "module 'lazy' is in the project, but nothing that the script imports names it: "
            "add `include: [lazy.py]` to the step",
        ),
        (
            "ModuleNotFoundError: No module named 'plugins'",
            "module 'plugins' is in the project, but nothing that the script imports names it: "
            'add `include: ["plugins/**"]` to the step',
        ),
        (
            "ModuleNotFoundError: No module named 'plugins.late'",
            "module 'plugins.late' is in the project, but nothing that the script imports names it: "
            "add `include: [plugins/late.py]` to the step",
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

"""Files with every kind of mistake, validated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.outputs.command import Command, invoke

STEP = "steps: {train: {script_name: train.py}}\n"
LOCAL = "backend: local\n"
AZURE = """\
ws_name: churn-ws
resource_group: churn-rg
subscription_id: 6f0cdd21-1111-4222-8333-944445555666
env_name: env
compute_name: cpu
"""
TABLE = """\
backend: local
steps: {train: {script_name: train.py, input_datasets: {--data: c}}}
datasets:
  c: {datastore_name: b, path: c.csv, local_path: data/c.csv, set_column_types: {n: int, when: datetime}}
"""


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Yield the title of each section and its text; a title's line begins with three equals signs."""
    for section in text.split("=== ")[1:]:
        title, _, content = section.partition("\n")
        yield title, content


_LONG = "long and longer "
FILES: dict[str, str | bytes] = {
    **dict(_sections(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8"))),
    "bytes": b"steps: \xff\xfe\n",
    "a byte order mark": b"\xef\xbb\xbf" + f"{LOCAL}{STEP}".encode(),
    "a long description": f"{AZURE}{STEP}publish: {{name: 'a/b', description: {_LONG * 400}}}\n",
    "a long key": f"{LOCAL}{'y' * 3000}: 1\n{STEP}",
    "carriage returns": f"{LOCAL}{STEP}experiment_nam: x\n".replace("\n", "\r\n").encode(),
}
_FILES_BESIDE = {
    "train.py": "print('trained')\n",
    "parser.py": (
        "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--alpha', type=float)\n"
        "parser.add_argument('--gamma', required=True)\nargs = parser.parse_args()\n"
    ),
}


def commands() -> Iterator[Command]:
    yield invoke("validate")
    yield invoke("doctor")
    first = {"pipeline.yaml": f"{LOCAL}{STEP}", **_FILES_BESIDE}
    yield invoke("validate", files=first)
    for what, text in FILES.items():
        yield invoke("validate", files={"pipeline.yaml": text}, about=what)
    for what in ("many mistakes", "an unknown step", "Azure without a workspace", "a missing script", "empty"):
        content = {"pipeline.yaml": FILES[what]}
        for line in (
            "run",
            "--dry run",
            "doctor",
            "graph",
            "export-v2",
            "runs.list",
            "new-step other",
            "schedules.preview",
        ):
            yield invoke(line, files=content, about=what)
    yield from _beside_the_file()


def _beside_the_file() -> Iterator[Command]:
    """Yield commands over mistakes in files that pipeline.yaml names."""
    conda = f"{LOCAL}{STEP}env_name: e\nenvironments: {{e: {{conda_file: conda.yaml}}}}\n"
    for text in (
        "",
        "dependencies: pandas\n",
        "dependencies: [python=3.10, {pip: [pandas, 'nu mpy']}, 5]\nname: e\n",
        "a: [\n",
    ):
        yield invoke("validate", files={"pipeline.yaml": conda, "conda.yaml": text}, about=repr(text))
    docker = f"{LOCAL}{STEP}env_name: e\nenvironments: {{e: {{docker_file: Dockerfile, pip_packages: [pandas]}}}}\n"
    for text in ("", "FROM python:3.11\nRUN pip install pandas\n", "RUN true\n"):
        yield invoke("validate", files={"pipeline.yaml": docker, "Dockerfile": text}, about=repr(text))
    for text in ("n,when\n1,2020-01-01\n", "n\n1\n", "n,when\nx,y\n", "", 'n,when\n"1,2\n', "n,n\n1,2\n"):
        yield invoke("validate", files={"pipeline.yaml": TABLE, "data/c.csv": text}, about=repr(text))
    yield invoke("validate --strict")
    env = {"pipeline.yaml": f"{LOCAL}experiment_name: ${{NAME}}\n{STEP}", ".env": "NAME=from-file\nBROKEN LINE\n"}
    yield invoke("validate", files=env)
    yield invoke("--dry run", files={".env": "NAME='a b'\n"})
    yield invoke("--dry run", variables={"NAME": "from-outside"})
    ignored = {
        "pipeline.yaml": f"{LOCAL}{STEP}",
        ".amlignore": "train.py\n",
        "train.py": "import helper\n",
        "helper.py": "",
    }
    yield invoke("run", files=ignored)
    yield invoke("run", files={".amlignore": "helper.py\n"})

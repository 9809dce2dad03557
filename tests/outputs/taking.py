"""Run the commands of a scenario, and write down what each printed and wrote."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.outputs.command import Command, Scenario
from tests.outputs.normal import Normal
from tests.outputs.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[2]
# What the machine has is kept from the commands, but for what finds programs.
_KEPT = ("PATH", "SYSTEMROOT", "TMP", "TEMP", "TMPDIR", "PYENV_ROOT")
_PLAIN = {"CI": "1", "LANG": "C.UTF-8", "TZ": "UTC", "COLUMNS": "120", "PYTHONDONTWRITEBYTECODE": "1"}
# Whose content depends on the clock: which files were old enough to be remembered.
_UNSTEADY = re.compile(r"\.azml/hashes\.json$|__pycache__|\.pyc$")
_SECONDS = 300


def take(scenario: Scenario, folder: Path) -> int:
    """Run the scenario's commands, write what each did into a file of its own, and return how many there are."""
    target = folder / scenario.name
    target.mkdir(parents=True)
    with ExitStack() as stack:
        top = Path(os.path.realpath(stack.enter_context(tempfile.TemporaryDirectory(prefix="azml-outputs-"))))
        project, home = top / "project", top / "home"
        home.mkdir()
        variables = {**{key: os.environ[key] for key in _KEPT if key in os.environ}, **_PLAIN, "HOME": str(home)}
        workspace = stack.enter_context(Workspace.opened(top, home)) if scenario.needs_service else None
        if workspace:
            variables.update(workspace.variables)
        scaffold(top / "template", project, scenario.answers, variables) if scenario.answers else project.mkdir()
        (project / "tasks.py").write_text("from azml_tasks.tasks import namespace\n", encoding="utf-8")
        normal = Normal(_paths(top, project, home))
        count = 0
        for command in scenario.commands():
            count += 1
            _write_all(project, command)
            if workspace:
                workspace.prepare(command.service)
            text = _run(command, project, variables, normal, workspace)
            (target / f"{count:03}.txt").write_text(text, encoding="utf-8")
    return count


def _paths(top: Path, project: Path, home: Path) -> dict[str, str]:
    prefixes = {sys.prefix: "PYTHON", sys.base_prefix: "BASE", os.path.realpath(sys.prefix): "PYTHON"}
    return {str(project): "PROJECT", str(home): "HOME", str(top): "TOP", str(REPOSITORY): "REPOSITORY", **prefixes}


def _write_all(project: Path, command: Command) -> None:
    for name, content in command.files.items():
        file = project / name
        if content is None:
            shutil.rmtree(file) if file.is_dir() and not file.is_symlink() else file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))


def _run(
    command: Command, project: Path, variables: dict[str, str], normal: Normal, workspace: Workspace | None
) -> str:
    before = _hashes(project)
    words = [normal.original(word) for word in command.words]
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *words],
        cwd=project / command.folder,
        env={**variables, **command.variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=_SECONDS,
    )
    lines = [
        f"$ {command}",
        *(f"  with {name}={value}" for name, value in command.variables.items()),
    ]
    lines += [f"  in {command.folder}"] if command.folder else []
    lines += [f"  after writing {name}" for name in command.files]
    lines.append(f"status {done.returncode}")
    for title, output in (("stdout", done.stdout), ("stderr", done.stderr)):
        lines += _block(title, normal.text(output.decode("utf-8", "replace")))
    if workspace:
        lines += _block("requests", normal.text("\n".join(workspace.requests())))
    lines += _changes(project, before, normal)
    return "\n".join(lines) + "\n"


def _block(title: str, text: str) -> Iterator[str]:
    if text:
        yield f"{title}:"
        yield from (f"  | {line}" for line in text.split("\n"))


def _hashes(project: Path) -> dict[str, str]:
    found = {}
    for file in sorted(project.rglob("*")):
        name = file.relative_to(project).as_posix()
        if _UNSTEADY.search(name):
            continue
        if file.is_symlink():
            found[name] = f"-> {os.readlink(file)}"
        elif file.is_file():
            found[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def _changes(project: Path, before: dict[str, str], normal: Normal) -> Iterator[str]:
    """Yield the files that are new (+), other (~) and gone (-), with what they hold."""
    after = _hashes(project)
    blocks = []
    for name in sorted({*before, *after}):
        if before.get(name) == after.get(name):
            continue
        mark = "-" if name not in after else "+" if name not in before else "~"
        title = f"{mark} {normal.text(name)}"
        if name not in after:
            blocks.append([title])
        elif after[name].startswith("->"):
            blocks.append([f"{title} {normal.text(after[name])}"])
        else:
            text = normal.content(name, _less(name, (project / name).read_bytes()))
            blocks.append([title, *(f"  | {line}" for line in text.split("\n"))])
    # Names that are hashes say nothing of their order.
    for block in sorted(blocks):
        yield from block


def _less(name: str, content: bytes) -> bytes:
    """Return the content without what it says about what is installed on this machine."""
    if not name.endswith(".azml/reuse.jsonl") and name != ".azml/reuse.jsonl":
        return content
    documents = (json.loads(line) for line in content.splitlines())
    kept = (document for document in documents if "answers" not in document)
    return b"\n".join(json.dumps(document).encode() for document in kept)


def scaffold(template: Path, project: Path, answers: Mapping[str, str], variables: Mapping[str, str]) -> None:
    """Make a project from the template, as it is in the working tree."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=REPOSITORY, check=True, capture_output=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if (REPOSITORY / name).is_file():
            (template / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, template / name)
    given = [word for name, answer in answers.items() for word in ("-d", f"{name}={answer}")]
    copy = [sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", *given, str(template), str(project)]
    subprocess.run(copy, env=variables, check=True)
    # Else the lines that the scaffold wrote are all that a first comparison would show.
    (project / "tasks.py").touch()

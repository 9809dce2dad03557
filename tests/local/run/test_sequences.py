"""Whatever is done to a project between its runs, a run reports what a fresh copy of the project computes.

Sequences of edits, touches, reverts, steps added and removed, variables, packages upgraded in place, `--set`, `--only`,
kills, pruning and moves of the project are drawn by Hypothesis; a failure prints the shortest one that it finds.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from azml_tasks.errors import RunError
from azml_tasks.local.prune import prune
from azml_tasks.local.run.processes import ForkServer
from azml_tasks.local.run.runner import run_pipeline
from azml_tasks.local.step.environment import base_environment
from azml_tasks.local.store.records import LocalRunRecord
from azml_tasks.plan import build_plan
from azml_tasks.reading import load_project
from azml_tasks.reading.overrides import override
from tests.local.conftest import linux

pytestmark = [
    linux,
    pytest.mark.thorough,
    pytest.mark.always,
    # The child of the fork is killed, whatever threads of the tests it lacks.
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
]

NAMES = ("one", "two", "three", "four")
VARIABLE = "SEQUENCE_ALPHA"
# For that many processors, each with a seed of its own.
PARTS = 4
# What a step reads beside its input and its step_config, by the name of the way.
READS = {
    "variable": f"env = os.environ\nparts.append(env.get('{VARIABLE}', '-'))",
    "package": "import plaintool\nparts.append(plaintool.X)",
    "file": "parts.append(open(BESIDE).read() if os.path.exists(BESIDE) else '-')",
    "data": "parts.append(sorted(open(f).read() for f in run.input_datasets['data'].download()))",
    "module": "import common\nparts.append(common.X)",
    "metric": "parts.append([r.get_metrics().get('m') for r in run.parent.get_children() if r.name == NAMES[0]])",
    "parent": "parts.append(run.parent.get_metrics().get('noted'))",
}
SCRIPT = """\
import argparse, json, os
from azureml.core import Run
run = Run.get_context()
parser = argparse.ArgumentParser()
parser.add_argument("--config", type=json.loads)
parser.add_argument("--input-folder")
parser.add_argument("--output-folder")
args = parser.parse_args()
parts = [STEP, CONSTANT, args.config["v"]]
if args.input_folder:
    parts.append(json.load(open(os.path.join(args.input_folder, "value.json"))))
READING
value = json.dumps(parts)
for folder in filter(None, ("outputs", args.output_folder)):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "value.json"), "w") as file:
        file.write(value)
run.log("m", value)
if STEP == NAMES[0]:
    run.parent.log("noted", value)
"""


@dataclass(frozen=True)
class Step:
    """A step as its script is written: a constant, and the ways in which it reads more."""

    name: str
    constant: int = 0
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """All that the steps' values depend on."""

    steps: tuple[Step, ...] = (Step(NAMES[0]),)
    config: Mapping[str, int] = field(default_factory=dict)
    variable: str | None = None
    package: int = 1
    beside: str | None = None
    data: str = "0"
    module: int = 1

    def value_of(self, step: Step, before: str | None, noted: str | None, overrides: Mapping[str, int]) -> str:
        """Return what the step computes from what the step before it and the first one computed."""
        found = {
            "variable": self.variable or "-",
            "package": self.package,
            "file": "-" if self.beside is None else self.beside,
            "data": [self.data],
            "module": self.module,
            "metric": [noted] if noted is not None else [],
            "parent": noted,
        }
        config = {**self.config, **overrides}
        parts: list[object] = [step.name, step.constant, config.get(step.name, 0)]
        if before is not None:
            parts.append(json.loads(before))
        return json.dumps(parts + [found[way] for way in step.reads])

    def values(self, overrides: Mapping[str, int]) -> dict[str, str]:
        """Return what each step computes when all of them run."""
        values: dict[str, str] = {}
        before = None
        for step in self.steps:
            before = values[step.name] = self.value_of(step, before, values.get(NAMES[0]), overrides)
        return values


class Project:
    """The project on disk, what lies beside it, and the processes that all its runs share."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="sequence-"))
        self.folder = self.root / "project-0"
        self.folder.mkdir()
        self.written: dict[Path, str] = {}
        self.server: ForkServer | None = None

    def write(self, state: State) -> None:
        """Make the files say what the state says; those that do already are left alone."""
        site, steps = self.root / "site", self.folder / "steps"
        steps.mkdir(exist_ok=True)
        files = {self.folder / "pipeline.yaml": self._yaml(state), self.folder / "data" / "x.txt": state.data}
        files[site / "plaintool" / "__init__.py"] = f"X = {state.package}\n"
        files[steps / "common.py"] = f"X = {state.module}\n"
        for step in state.steps:
            reading = "\n".join(READS[way] for way in step.reads)
            head = f"STEP, CONSTANT, NAMES, BESIDE = {step.name!r}, {step.constant}, {NAMES!r}, {str(self.beside)!r}\n"
            files[steps / f"{step.name}.py"] = head + SCRIPT.replace("READING", reading)
        if state.beside is not None:
            files[self.beside] = state.beside
        else:
            self.beside.unlink(missing_ok=True)
        for path, text in files.items():
            if not path.exists() or path.read_text() != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        if state.variable is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = state.variable
        os.environ["PYTHONPATH"] = str(site)

    @property
    def beside(self) -> Path:
        """A file outside of the project."""
        return self.root / "beside.txt"

    def _yaml(self, state: State) -> str:
        lines = [
            "backend: local",
            "datasets:",
            "  data: {datastore_name: s, path: d, local_path: data, type: file}",
            "steps:",
        ]
        for step in state.steps:
            inputs = ", input_datasets: {data: data}" if "data" in step.reads else ""
            config = state.config.get(step.name, 0)
            lines.append(f"  {step.name}: {{script_name: steps/{step.name}.py, step_config: {{v: {config}}}{inputs}}}")
        return "\n".join(lines) + "\n"

    def run(
        self, overrides: Mapping[str, int] = {}, processes: object = None, folder: Path | None = None, **options
    ) -> LocalRunRecord:
        folder = folder or self.folder
        project = load_project(folder / "pipeline.yaml", variables={})
        pipeline = override(project.pipeline, [f"{name}.v={value}" for name, value in overrides.items()])
        return run_pipeline(build_plan(pipeline), folder, processes=processes or self.shared(), jobs=2, **options)

    def shared(self) -> Shared:
        """Return processes that outlive a run."""
        if self.server is None:
            project = load_project(self.folder / "pipeline.yaml", variables={})
            self.server = ForkServer(base_environment(project.pipeline, self.folder, os.environ))
            self.server.preload(modules=_nothing())
        return Shared(self.server)

    def run_and_kill(self, after: float) -> None:
        """Run in a process of its own, and kill that after so many seconds."""
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                project = load_project(self.folder / "pipeline.yaml", variables={})
                own = ForkServer(base_environment(project.pipeline, self.folder, os.environ))
                self.run(processes=own)
            os._exit(0)
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
        shutil.rmtree(self.root, ignore_errors=True)


def _nothing():
    from azml_tasks.local.step.environment import Preload

    return Preload()


class Shared:
    """The fork server of all runs of a project, which a run's end does not close."""

    debugs = False

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self.start, self.signal, self.wait, self.wake = server.start, server.signal, server.wait, server.wake

    @property
    def ahead(self) -> Mapping[str, list[str]]:
        """What the server has imported and read by itself."""
        return self._server.ahead

    def warm_up(self, snapshots: object, reads_data: bool) -> None:
        """Do nothing: it was done for the first run."""

    def close(self) -> None:
        """Do nothing: another run follows."""


def values_of(run: LocalRunRecord) -> dict[str, str]:
    """Return what the steps of a completed run report, each by the file that it left."""
    failed = [step for step in run.steps if not step.ok]
    assert not failed, [(step.key, step.message, step.detail) for step in failed]
    return {step.key: (step.places.artifacts / "outputs" / "value.json").read_text() for step in run.steps}


class Sequences(RuleBasedStateMachine):
    """A project that things are done to; after each, a run reports what is right."""

    def __init__(self) -> None:
        super().__init__()
        self.project = Project()
        self.state = State()
        self.past = [self.state]
        self.last: dict[str, str] = {}
        self.moves = 0
        self.project.write(self.state)
        self.must_be_reused = False

    def teardown(self) -> None:
        try:
            copy = self.project.root / "copy"
            shutil.copytree(self.project.folder, copy, ignore=shutil.ignore_patterns(".azml"))
            fresh = self.project.run(folder=copy, force=True)
            assert values_of(fresh) == self.state.values({})
        finally:
            self.project.close()

    def become(self, state: State) -> None:
        self.past.append(state)
        self.state = state
        self.project.write(state)

    def step(self, place: int) -> Step:
        return self.state.steps[place % len(self.state.steps)]

    def with_step(self, changed: Step) -> State:
        return replace(self.state, steps=tuple(changed if s.name == changed.name else s for s in self.state.steps))

    @rule(place=st.integers(0, 3), constant=st.integers(0, 2))
    def edit_a_script(self, place: int, constant: int) -> None:
        self.become(self.with_step(replace(self.step(place), constant=constant)))

    @rule(place=st.integers(0, 3), way=st.sampled_from(sorted(READS)))
    def read_something_more_or_less(self, place: int, way: str) -> None:
        step = self.step(place)
        if step.name == NAMES[0] and way in ("metric", "parent"):
            way = "variable"
        reads = tuple(sorted({*step.reads} ^ {way}))
        self.become(self.with_step(replace(step, reads=reads)))

    @rule(place=st.integers(0, 3))
    def add_or_remove_a_step(self, place: int) -> None:
        name = NAMES[place]
        left = tuple(step for step in self.state.steps if step.name != name)
        if len(left) == len(self.state.steps):
            left = tuple(sorted((*left, Step(name)), key=lambda step: NAMES.index(step.name)))
        if left and left[0].name == NAMES[0]:
            self.become(replace(self.state, steps=left))

    @rule(value=st.sampled_from([None, "", "a", "b"]))
    def change_a_variable(self, value: str | None) -> None:
        self.become(replace(self.state, variable=value or None))

    @rule(number=st.integers(1, 3))
    def upgrade_a_package_in_place(self, number: int) -> None:
        self.become(replace(self.state, package=number))

    @rule(text=st.sampled_from([None, "x", "y"]))
    def change_a_file_beside_the_project(self, text: str | None) -> None:
        self.become(replace(self.state, beside=text))

    @rule(text=st.sampled_from(["0", "1", "22"]))
    def change_the_data(self, text: str) -> None:
        self.become(replace(self.state, data=text))

    @rule(number=st.integers(1, 2))
    def edit_a_module(self, number: int) -> None:
        self.become(replace(self.state, module=number))

    @rule(place=st.integers(0, 3), value=st.integers(0, 2))
    def edit_the_settings(self, place: int, value: int) -> None:
        self.become(replace(self.state, config={**self.state.config, self.step(place).name: value}))

    @rule(back=st.integers(1, 6))
    def revert(self, back: int) -> None:
        self.become(self.past[-min(back, len(self.past))])

    @rule()
    def touch_everything(self) -> None:
        for path in self.project.folder.rglob("*"):
            if path.is_file() and ".azml" not in path.parts:
                os.utime(path)
        self.must_be_reused = bool(self.last) and self.last == self.state.values({})

    @rule(place=st.integers(0, 3), value=st.integers(0, 3))
    def run_with_another_setting(self, place: int, value: int) -> None:
        name = self.step(place).name
        run = self.project.run({name: value})
        self.last = values_of(run)
        assert self.last == self.state.values({name: value})

    @rule(place=st.integers(0, 3))
    def run_one_step_alone(self, place: int) -> None:
        """On the earlier results of the steps before it, which need not be those of today's file."""
        step = self.step(place)
        with contextlib.suppress(RunError):  # A step before it has no result yet.
            self.project.run(only=step.name)

    @rule(after=st.floats(0, 0.12))
    def run_and_kill(self, after: float) -> None:
        self.project.run_and_kill(after)

    @rule(keep=st.integers(0, 2))
    def prune(self, keep: int) -> None:
        prune(self.project.folder, keep=keep)

    @rule()
    def move_the_project(self) -> None:
        self.moves += 1
        moved = self.project.root / f"project-{self.moves}"
        self.project.folder.rename(moved)
        self.project.folder = moved
        self.project.write(self.state)

    @invariant()
    def a_run_reports_what_a_fresh_copy_computes(self) -> None:
        run = self.project.run()
        self.last = values_of(run)
        assert self.last == self.state.values({}), {step.key: step.reason for step in run.steps}
        if self.must_be_reused:
            assert {step.key: step.status for step in run.steps} == dict.fromkeys(self.last, "reused")
        self.must_be_reused = False


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    # Files of one size that change within a second would be hidden by byte code.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_run_reports_what_a_fresh_copy_computes_whatever_was_done_before(
    part: int, slow: bool, chance: random.Random
) -> None:
    machine = seed(chance.randrange(2**32) + part)(Sequences)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=(5000 if slow else 200) // PARTS,
            stateful_step_count=12,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

"""Resolve references of steps to each other, to datasets and to parameters, and order the steps."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from azml_tasks.model import OutputFolder, Pipeline, Step, StepTable
from azml_tasks.model.base import Scalar
from azml_tasks.model.names import identifier, input_name_problem
from azml_tasks.model.written import argument_text, looks_like_option
from azml_tasks.plan.plan import (
    ConfigValue,
    DatasetInput,
    FolderInput,
    Input,
    OptionValue,
    Output,
    ParameterValue,
    Plan,
    StepPlan,
    TableInput,
    Token,
)
from azml_tasks.text import MOST_SUGGESTIONS, did_you_mean, listed, shortened

INPUT_FOLDER = "--input-folder"
OUTPUT_FOLDER = "--output-folder"
_PARAMETER = r"\$\{\{\s*parameters\.(\w+)\s*\}\}"
_WITHOUT_DOLLAR = r"(?<!\$)\{\{\s*parameters\.\w+\s*\}\}"

Path = tuple[str | int, ...]


class PlanProblem(NamedTuple):
    """A problem at a place of the pipeline; `path` is the list of keys to it."""

    path: Path
    message: str


class WiringError(ValueError):
    """The pipeline has invalid references; contains every problem."""

    def __init__(self, findings: list[PlanProblem]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(finding.message for finding in findings))


def build_plan(pipeline: Pipeline) -> Plan:
    """Build the plan of a pipeline.

    Raises WiringError with all invalid references, duplicate names, and the first cycle.
    """
    return _PlanBuilder(pipeline).plan()


class _PlanBuilder:
    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.findings: list[PlanProblem] = []
        self.keys = list(pipeline.steps)
        self.before = dict(zip(self.keys[1:], self.keys, strict=False))
        self.outputs = {key: self._outputs(key, step) for key, step in pipeline.steps.items()}

    def plan(self) -> Plan:
        self._check_keys()
        steps = {key: self._step(key, step) for key, step in self.pipeline.steps.items()}
        order: list[str] = []
        try:
            order = in_order({key: step.upstream for key, step in steps.items()})
        except StepCycleError as cycle:
            self._find(("steps", cycle.keys[0]), f"circular dependency between steps: {cycle}")
        if self.findings:
            raise WiringError(self.findings)
        return Plan(self.pipeline, tuple(steps[key] for key in order))

    def _find(self, path: Path, message: str) -> None:
        self.findings.append(PlanProblem(path, message))

    def _meant(self, name: str, known: Iterable[str]) -> str:
        # Suggestions take time, and a few are enough.
        return did_you_mean(name, known) if len(self.findings) < MOST_SUGGESTIONS else ""

    def _check_keys(self) -> None:
        seen: dict[str, str] = {}
        for key in self.keys:
            name = identifier(key).casefold()
            if name in seen:
                self._find(
                    ("steps", key),
                    f"steps '{seen[name]}' and '{key}' have the same name in Azure or in folders; rename one",
                )
            seen.setdefault(name, key)

    # Outputs

    def _outputs(self, key: str, step: Step) -> dict[str, Output]:
        if step.output_folders is not None:
            folders = dict(step.output_folders)
        elif key != self.keys[-1] or key in self._read_by_name():
            folders = {OUTPUT_FOLDER: OutputFolder()}
        else:
            folders = {}
        return {
            argument: Output(
                key, argument, identifier(key, argument), options.destination, options.register_on_complete
            )
            for argument, options in folders.items()
        }

    def _read_by_name(self) -> set[str]:
        named: set[str] = set()
        for step in self.pipeline.steps.values():
            named.update(source.partition("/")[0] for source in (step.input_folders or {}).values())
            named.update(value.step for value in step.input_datasets.values() if isinstance(value, StepTable))
        return named

    def _output(self, path: Path, reader: str, source: str, argument: str | None) -> Output | None:
        """Return the output `argument` of step `source`, or its only output."""
        if source not in self.outputs:
            self._find(
                path,
                f"step '{reader}' reads the output of '{source}', which is not a step" + self._meant(source, self.keys),
            )
            return None
        outputs = self.outputs[source]
        if argument is not None:
            if argument not in outputs:
                known = f"it has {listed(outputs)}" if outputs else "it has none"
                self._find(
                    path,
                    f"step '{reader}' reads {argument} of '{source}', which is not an output of that step: {known}",
                )
            return outputs.get(argument)
        if len(outputs) == 1:
            return next(iter(outputs.values()))
        if outputs:
            choices = listed((f"'{source}/{name}'" for name in outputs), "or")
            self._find(path, f"step '{reader}' reads '{source}', which has several outputs: write {choices}")
        else:
            self._find(path, f"step '{reader}' reads the output of '{source}', which has no output")
        return None

    # One step

    def _step(self, key: str, step: Step) -> StepPlan:
        folders = tuple(self._folder_inputs(key, step))
        tables = tuple(self._dataset_inputs(key, step))
        outputs = tuple(self.outputs[key].values())
        argv: list[Token] = []
        if step.step_config is not None:
            argv += ["--config", ConfigValue(key, step.step_config)]
        for item in (*tables, *folders, *outputs):
            if item.argument is not None:
                argv += [item.argument, item]
        own = list(self._arguments(key, step))
        self._check_repeats(key, step, [*argv, *own], (*tables, *folders))
        argv += _with_option_values(step, own)
        upstream = dict.fromkeys(
            item.output.step for item in (*tables, *folders) if isinstance(item, (FolderInput, TableInput))
        )
        upstream.update(dict.fromkeys(self._run_after(key, step)))
        return StepPlan(key, step, tuple(argv), (*tables, *folders), outputs, tuple(upstream))

    def _folder_inputs(self, key: str, step: Step) -> Iterator[FolderInput]:
        if step.input_folders is None:
            yield from self._default_input(key)
            return
        for argument, source in step.input_folders.items():
            path = ("steps", key, "input_folders", argument)
            name, _, output_argument = source.partition("/")
            output = self._output(path, key, name, output_argument or None)
            if output:
                yield FolderInput(argument, output, identifier(key, argument))

    def _default_input(self, key: str) -> Iterator[FolderInput]:
        before = self.before.get(key)
        if before is None:
            return
        outputs = list(self.outputs[before].values())
        if len(outputs) == 1:
            yield FolderInput(INPUT_FOLDER, outputs[0], identifier(key, INPUT_FOLDER))
        elif outputs:
            self._find(
                ("steps", key),
                f"step '{key}' follows '{before}', which has several outputs: select one with input_folders, such as "
                f"{{{INPUT_FOLDER}: {before}/{outputs[0].argument}}}, or {{}} for none",
            )

    def _dataset_inputs(self, key: str, step: Step) -> Iterator[TableInput | DatasetInput]:
        for written, value in step.input_datasets.items():
            path = ("steps", key, "input_datasets", written)
            argument = written if written.startswith("-") else None
            if isinstance(value, StepTable):
                name = self._input_name(path, identifier(written) if argument else written)
                output = self._output(path, key, value.step, value.output)
                if output:
                    yield TableInput(argument, output, name, value.format)
                continue
            declared = self.pipeline.datasets.get(value)
            if argument:
                own_name = (declared.name if declared else None) or value
                name = self._input_name(path, own_name, "; set `name` in datasets")
            else:
                name = self._input_name(path, written)
            yield DatasetInput(argument, value, name, declared.mode if declared else "direct")

    def _input_name(self, path: Path, name: str, remedy: str = "") -> str:
        problem = input_name_problem(name)
        if problem:
            self._find(path, f"step '{path[1]}': {problem}{remedy}")
        return name

    def _run_after(self, key: str, step: Step) -> Iterator[str]:
        for place, other in enumerate(step.run_after):
            if other in self.outputs:
                yield other
            else:
                self._find(
                    ("steps", key, "run_after", place),
                    f"step '{key}' runs after '{other}', which is not a step" + self._meant(other, self.keys),
                )

    def _arguments(self, key: str, step: Step) -> Iterator[Token]:
        if isinstance(step.arguments, tuple):
            for place, value in enumerate(step.arguments):
                yield self._argument(("steps", key, "arguments", place), value)
            return
        for name, value in step.arguments.items():
            yield name
            yield self._argument(("steps", key, "arguments", name), value)

    def _argument(self, path: Path, value: Scalar) -> Token:
        step = f"step '{path[1]}'"
        if isinstance(value, str) and (bare := re.search(_WITHOUT_DOLLAR, value)):
            self._find(path, f"{step}: {bare[0]} is passed as text; write a pipeline parameter as ${bare[0]}")
        if not isinstance(value, str) or "${{" not in value:
            return argument_text(value)
        parameters = self.pipeline.pipeline_parameters
        found = re.search(_PARAMETER, value)
        if not found:
            self._find(
                path, f"{step}: '{shortened(value)}' is not a pipeline parameter; write ${{{{ parameters.NAME }}}}"
            )
        elif found[0] != value:
            self._find(path, f"{step}: {found[0]} must be the whole argument: Azure ML cannot add text to it")
        elif found[1] not in parameters:
            meant = self._meant(found[1], parameters)
            self._find(path, f"{step}: '{found[1]}' is not in pipeline_parameters{meant}")
        else:
            return ParameterValue(found[1], parameters[found[1]])
        return ""

    def _check_repeats(self, key: str, step: Step, argv: list[Token], inputs: tuple[Input, ...]) -> None:
        # A list of arguments may repeat names on purpose, except for folders; keys may not.
        own = step.arguments if isinstance(step.arguments, tuple) else ()
        folders = {item.argument for item in inputs if isinstance(item, FolderInput)} | set(self.outputs[key])
        for name in (*_repeated(argv[: len(argv) - len(own)][::2]), *sorted(folders.intersection(map(str, own)))):
            self._find(("steps", key), f"step '{key}' passes {name} twice")
        for name in _repeated(item.name for item in inputs):
            self._find(("steps", key), f"step '{key}' has two inputs with the name '{name}'")
        for name in _repeated(item.name.lower() for item in self.outputs[key].values()):
            self._find(("steps", key), f"step '{key}' has two outputs with the name '{name}'")


def _with_option_values(step: Step, words: list[Token]) -> Iterator[Token]:
    """Yield the words of the step's own arguments, with an option and a value that looks like an option as one
    token."""
    raw = step.arguments
    place = 0
    while place < len(words):
        name, value, after = (*words[place : place + 3], *("",) * 3)[:3]
        # In a list, only a number is certainly a value, and it may be one of several.
        is_value = not isinstance(raw, tuple) or (
            place + 1 < len(raw) and not isinstance(raw[place + 1], str) and (after == "" or _is_option(after))
        )
        if is_value and _is_option(name) and isinstance(value, str) and looks_like_option(value):
            yield OptionValue(str(name), value)
            place += 2
        elif isinstance(raw, tuple):
            yield name
            place += 1
        else:
            yield from (name, value)
            place += 2


def _is_option(word: Token) -> bool:
    return isinstance(word, str) and word.startswith("-") and "=" not in word


def _repeated(items: Iterable[Any]) -> list[Any]:
    items = list(items)
    if len(set(items)) == len(items):
        return []
    return [item for item, count in Counter(items).items() if count > 1]


class StepCycleError(Exception):
    """Steps that depend on each other; `keys` starts and ends with the same one."""

    def __init__(self, keys: list[str]) -> None:
        self.keys = keys
        super().__init__(" -> ".join(keys))


def in_order(upstream: Mapping[str, Collection[str]]) -> list[str]:
    """Return the keys with each after its upstream, otherwise in the order of the mapping.

    Raises StepCycleError.
    """
    position = {key: place for place, key in enumerate(upstream)}
    keys = list(upstream)
    sorter = TopologicalSorter(upstream)
    try:
        sorter.prepare()
    except CycleError as error:
        raise StepCycleError(_from_first(list(error.args[1]), position)) from None
    ready: list[int] = []
    order = []
    while sorter.is_active():
        for key in sorter.get_ready():
            heapq.heappush(ready, position[key])
        key = keys[heapq.heappop(ready)]
        order.append(key)
        sorter.done(key)
    return order


def _from_first(cycle: list[str], position: Mapping[str, int]) -> list[str]:
    """Rotate the cycle so that it starts with the step that is first in the file."""
    ring = cycle[:-1]
    first = ring.index(min(ring, key=position.__getitem__))
    return [*ring[first:], *ring[:first], ring[first]]

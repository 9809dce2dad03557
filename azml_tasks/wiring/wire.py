"""Resolve every name by which steps refer to each other, to datasets and to parameters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from azml_tasks.errors import MOST_SUGGESTIONS, did_you_mean, listed, shortened
from azml_tasks.model import OutputFolder, Pipeline, Step, StepTable
from azml_tasks.model.base import Scalar
from azml_tasks.model.names import identifier, input_name_problem
from azml_tasks.model.written import argument_text, looks_like_option
from azml_tasks.wiring.order import StepCycleError, in_order
from azml_tasks.wiring.plan import Plan, StepPlan
from azml_tasks.wiring.tokens import (
    ConfigValue,
    DatasetInput,
    FolderInput,
    Input,
    OptionValue,
    Output,
    ParameterValue,
    TableInput,
    Token,
)

INPUT_FOLDER = "--input-folder"
OUTPUT_FOLDER = "--output-folder"
_PARAMETER = re.compile(r"\$\{\{\s*parameters\.(\w+)\s*\}\}")
_WITHOUT_DOLLAR = re.compile(r"(?<!\$)\{\{\s*parameters\.\w+\s*\}\}")

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Finding:
    """Something wrong at a place of the pipeline; `path` holds the keys that lead there."""

    path: Path
    message: str


class WiringError(ValueError):
    """The pipeline refers to something that is not there; carries every finding."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(finding.message for finding in findings))


def plan(pipeline: Pipeline) -> Plan:
    """Wire the pipeline.

    Raises WiringError with every reference that leads nowhere, every name used twice, and the first cycle.
    """
    return _Wiring(pipeline).plan()


class _Wiring:
    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.findings: list[Finding] = []
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
            self._find(("steps", cycle.keys[0]), f"the steps wait for each other: {cycle}")
        if self.findings:
            raise WiringError(self.findings)
        return Plan(self.pipeline, tuple(steps[key] for key in order))

    def _find(self, path: Path, message: str) -> None:
        self.findings.append(Finding(path, message))

    def _meant(self, name: str, known: Iterable[str]) -> str:
        # Suggestions cost time, and nobody reads dozens.
        return did_you_mean(name, known) if len(self.findings) < MOST_SUGGESTIONS else ""

    def _check_keys(self) -> None:
        seen: dict[str, str] = {}
        for key in self.keys:
            name = identifier(key).casefold()
            if name in seen:
                self._find(
                    ("steps", key),
                    f"steps '{seen[name]}' and '{key}' cannot be told apart in Azure's names or in folders",
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
        """Find the output `argument` of step `source`, or its only one."""
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
                    path, f"step '{reader}' reads {argument} of '{source}', which is no output of that step: {known}"
                )
            return outputs.get(argument)
        if len(outputs) == 1:
            return next(iter(outputs.values()))
        if outputs:
            choices = listed((f"'{source}/{name}'" for name in outputs), "or")
            self._find(path, f"step '{reader}' reads '{source}', which has several outputs: say {choices}")
        else:
            self._find(path, f"step '{reader}' reads the output of '{source}', which has none")
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
                f"step '{key}' follows '{before}', which has several outputs: say which with input_folders, "
                f"such as {{{INPUT_FOLDER}: {before}/{outputs[0].argument}}}, or {{}} for none",
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
                name = self._input_name(path, own_name, "; give it another with `name` under datasets")
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
        if isinstance(value, str) and (bare := _WITHOUT_DOLLAR.search(value)):
            self._find(path, f"{step}: {bare[0]} is passed as it stands; a pipeline parameter is written ${bare[0]}")
        if not isinstance(value, str) or "${{" not in value:
            return argument_text(value)
        parameters = self.pipeline.pipeline_parameters
        found = _PARAMETER.search(value)
        if not found:
            self._find(path, f"{step}: '{shortened(value)}' is no pipeline parameter; write ${{{{ parameters.NAME }}}}")
        elif found[0] != value:
            self._find(path, f"{step}: {found[0]} must be the whole argument: Azure ML puts no text around it")
        elif found[1] not in parameters:
            meant = self._meant(found[1], parameters)
            self._find(path, f"{step}: '{found[1]}' is not among pipeline_parameters{meant}")
        else:
            return ParameterValue(found[1], parameters[found[1]])
        return ""

    def _check_repeats(self, key: str, step: Step, argv: list[Token], inputs: tuple[Input, ...]) -> None:
        # A list of arguments may repeat a name on purpose, but for a folder's; what the file's keys name may not.
        own = step.arguments if isinstance(step.arguments, tuple) else ()
        folders = {item.argument for item in inputs if isinstance(item, FolderInput)} | set(self.outputs[key])
        for name in (*_repeated(argv[: len(argv) - len(own)][::2]), *sorted(folders.intersection(map(str, own)))):
            self._find(("steps", key), f"step '{key}' gets {name} twice")
        for name in _repeated(item.name for item in inputs):
            self._find(("steps", key), f"step '{key}' has two inputs that a run knows as '{name}'")
        for name in _repeated(item.name.lower() for item in self.outputs[key].values()):
            self._find(("steps", key), f"step '{key}' has two outputs that Azure ML knows as '{name}'")


def _with_option_values(step: Step, words: list[Token]) -> Iterator[Token]:
    """Yield the words of the step's own arguments, an option and a value that looks like another one as one token."""
    raw = step.arguments
    place = 0
    while place < len(words):
        name, value, after = (*words[place : place + 3], *("",) * 3)[:3]
        # In a list, nothing but a number is sure to be a value, and it may be one of several.
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

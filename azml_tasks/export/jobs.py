"""The steps as jobs of a v2 pipeline: what each reads and writes by v2's names, and its command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from azml_tasks.export import command
from azml_tasks.export.document import Lines
from azml_tasks.export.inputs import PipelineInputs
from azml_tasks.export.names import Names, asset_name, job_name, or_placeholder
from azml_tasks.model.names import identifier
from azml_tasks.wiring import (
    ConfigValue,
    DatasetInput,
    FolderInput,
    Input,
    OptionValue,
    Output,
    ParameterValue,
    Plan,
    StepPlan,
    Token,
)

# What v2 puts in place of what Azure ML v1 fills in ("Manage inputs and outputs of component and pipeline").
_PLACEHOLDERS = {"{run-id}": "${{name}}", "{output-name}": "${{output_name}}"}
_FOLDER = {"type": "uri_folder", "mode": "rw_mount"}


@dataclass(frozen=True)
class Job:
    """A step as v2 runs it.

    `types` maps its inputs to their types, `inputs` to what the pipeline gives them. `outputs` are folders. `added`
    maps the inputs that no argument names in v1 to the arguments that name them here, and `after` the steps that it
    follows without reading from them to the outputs that it is given to that end.
    """

    step: StepPlan
    name: str
    command: Lines
    types: Mapping[str, str]
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Mapping[str, Any]]
    added: Mapping[Input, str]
    after: Mapping[str, str]


def jobs_of(plan: Plan, top: PipelineInputs) -> list[Job]:
    """Return the jobs in the order of the plan; `top` are the inputs of the pipeline itself."""
    names = Names()
    ports = {step.key: _Ports(names.give(job_name(step.key)), step) for step in plan.steps}
    for step in plan.steps:
        for other in step.sequenced:
            ports[other].be_followed()
    return [_job(step, ports, top) for step in plan.steps]


class _Ports:
    """The names of what a job reads and writes: v2 tells inputs and outputs of one job apart by them."""

    def __init__(self, job: str, step: StepPlan) -> None:
        self.job = job
        self._names = Names()
        self.parameters: dict[str, str] = {}
        self.inputs: dict[Input, str] = {}
        self.config = self._names.give("config") if step.step.step_config is not None else ""
        for item in step.inputs:
            self.inputs[item] = self._names.give(
                identifier(item.argument) if isinstance(item, FolderInput) else item.name
            )
        self.outputs = {output: self._names.give(identifier(output.argument)) for output in step.outputs}
        for token in step.argv:
            if isinstance(token, ParameterValue) and token.name not in self.parameters:
                self.parameters[token.name] = self._names.give(token.name)
        self.marker = next(iter(self.outputs.values()), "")
        self.has_marker_alone = False

    def be_followed(self) -> None:
        """See to an output that another job can be given, so that it runs after this one."""
        if not self.marker:
            self.marker = self._names.give("done")
            self.has_marker_alone = True

    def follow(self, job: str) -> str:
        """Return the name of an input that has no other use than to come after that job."""
        return self._names.give(f"after_{job}")


def _job(step: StepPlan, ports: Mapping[str, _Ports], top: PipelineInputs) -> Job:
    own = ports[step.key]
    types: dict[str, str] = {}
    inputs: dict[str, Any] = {}
    if own.config:
        types[own.config] = "string"
        inputs[own.config] = _parent(f"inputs.{top.configs[step.key]}")
    for item, name in own.inputs.items():
        if isinstance(item, DatasetInput):
            types[name] = top.data[item.dataset].type
            inputs[name] = _parent(f"inputs.{top.datasets[item.dataset]}")
        else:
            types[name] = "uri_folder"
            writer = ports[item.output.step]
            inputs[name] = _parent(f"jobs.{writer.job}.outputs.{writer.outputs[item.output]}")
    for parameter, name in own.parameters.items():
        types[name] = "string"
        inputs[name] = _parent(f"inputs.{top.parameters[parameter]}")
    after: dict[str, str] = {}
    for key in step.sequenced:
        name = own.follow(ports[key].job)
        after[key] = ports[key].marker
        types[name] = "uri_folder"
        # Only its address is handed over: there may be nothing there to mount.
        inputs[name] = {"path": _parent(f"jobs.{ports[key].job}.outputs.{ports[key].marker}"), "mode": "direct"}
    outputs = {name: _output(output) for output, name in own.outputs.items()}
    if own.has_marker_alone:
        outputs[own.marker] = _FOLDER
    added = _added(step)
    return Job(step, own.job, Lines(_lines(step, own, added)), types, inputs, outputs, added, after)


def _output(output: Output) -> dict[str, Any]:
    """Return the keys of an output: where it is kept, and the name that it is registered under."""
    path = None
    if output.destination:
        path = output.destination.folder
        for theirs, ours in _PLACEHOLDERS.items():
            path = path.replace(theirs, ours)
        path = f"azureml://datastores/{output.destination.datastore_name}/paths/{path.lstrip('/')}"
    name = output.register_on_complete
    return {**_FOLDER, "path": path, "name": or_placeholder(name, asset_name(name)) if name else None}


def _added(step: StepPlan) -> dict[Input, str]:
    """Return arguments for the inputs that have none: v2 has no other way to tell the script where they are."""
    taken = {token for token in step.argv if isinstance(token, str)}
    added: dict[Input, str] = {}
    for item in step.inputs:
        if item.argument is None:
            argument = f"--{item.name.replace('_', '-')}"
            while argument in taken:
                argument += "-data"
            taken.add(argument)
            added[item] = argument
    return added


def _lines(step: StepPlan, ports: _Ports, added: Mapping[Input, str]) -> Iterator[str]:
    """Yield the words of the command, an argument and its values to a line.

    What is added comes first: what the file's own arguments end with may swallow all that follows.
    """
    line = ["python", command.word(step.step.script_name)]
    for token in (*(part for item, argument in added.items() for part in (argument, item)), *step.argv):
        if isinstance(token, str) and token.startswith("-"):
            yield " ".join(line)
            line = []
        line.append(_word(token, ports))
    yield " ".join(line)


def _word(token: Token, ports: _Ports) -> str:
    if isinstance(token, str):
        return command.word(token)
    if isinstance(token, OptionValue):
        return command.word(token.joined)
    if isinstance(token, ConfigValue):
        return command.input_of(ports.config)
    if isinstance(token, ParameterValue):
        return command.input_of(ports.parameters[token.name])
    if isinstance(token, Output):
        return command.output_of(ports.outputs[token])
    return command.input_of(ports.inputs[token])


def _parent(place: str) -> str:
    return f"${{{{parent.{place}}}}}"

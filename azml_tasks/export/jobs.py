"""The pipeline and its components: the steps as jobs of v2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from azml_tasks.export import command, launcher
from azml_tasks.export.assets import environment_reference
from azml_tasks.export.command import PipelineInputs, input_keys, plain_inputs
from azml_tasks.export.document import Lines, Names, asset_name, document, job_name, or_placeholder
from azml_tasks.model import Pipeline
from azml_tasks.model.base import is_unresolved
from azml_tasks.model.names import identifier
from azml_tasks.plan import (
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
from azml_tasks.reading import Project

# The v2 replacements of placeholders in Azure ML v1 ("Manage inputs and outputs of component and pipeline").
_PLACEHOLDERS = {"{run-id}": "${{name}}", "{output-name}": "${{output_name}}"}
_FOLDER = {"type": "uri_folder", "mode": "rw_mount"}
# Where Azure ML stores an output by default, in the workspace's default datastore.
_DEFAULT_PLACE = "azureml://datastores/workspaceblobstore/paths/azureml/${{name}}"


@dataclass(frozen=True)
class Job:
    """A step as v2 runs it.

    `types` maps its inputs to their types, `inputs` to what the pipeline gives them. `outputs` are folders. `added`
    maps the inputs that no argument names in v1 to the arguments that name them here, and `after` maps the steps that
    it follows without reading from them to the outputs that it gets for this. `registered` are the addresses of the
    outputs that its launcher registers after success, by the names of their data assets.
    """

    step: StepPlan
    name: str
    command: Lines
    types: Mapping[str, str]
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Mapping[str, Any]]
    added: Mapping[Input, str]
    after: Mapping[str, str]
    registered: Mapping[str, str]


def jobs_of(plan: Plan, top: PipelineInputs) -> list[Job]:
    """Return the jobs in the order of the plan; `top` are the inputs of the pipeline itself."""
    names = Names()
    ports = {step.key: _Ports(names.give(job_name(step.key)), step, plan.pipeline, top) for step in plan.steps}
    for step in plan.steps:
        for other in step.order_only:
            ports[other].be_followed()
    return [_job(step, ports, top) for step in plan.steps]


class _Ports:
    """The names of a job's inputs and outputs, unique within the job.

    `inputs` has several names where the stand-in for azureml reads several paths of a dataset.
    """

    def __init__(self, job: str, step: StepPlan, pipeline: Pipeline, top: PipelineInputs) -> None:
        self.job = job
        self.pipeline = pipeline
        self.is_carried = launcher.is_carried(pipeline, step.step)
        self._names = Names()
        self.parameters: dict[str, str] = {}
        self.inputs: dict[Input, tuple[str, ...]] = {}
        self.config = self._names.give("config") if step.step.step_config is not None else ""
        for item in step.inputs:
            count = len(top.data[item.dataset, self.is_carried]) if isinstance(item, DatasetInput) else 1
            name = identifier(item.argument) if isinstance(item, FolderInput) else item.name
            self.inputs[item] = tuple(self._names.give(name) for _ in range(count))
        self.outputs = {output: self._names.give(identifier(output.argument)) for output in step.outputs}
        for token in step.argv:
            if isinstance(token, ParameterValue) and token.name not in self.parameters:
                self.parameters[token.name] = self._names.give(token.name)
        self.marker = next(iter(self.outputs.values()), "")
        self.has_marker_alone = False

    def be_followed(self) -> None:
        """Add an output that another job can depend on, so that it runs after this one."""
        if not self.marker:
            self.marker = self._names.give("done")
            self.has_marker_alone = True

    def follow(self, job: str) -> str:
        """Return the name of an input whose only purpose is to run after that job."""
        return self._names.give(f"after_{job}")


def _job(step: StepPlan, ports: Mapping[str, _Ports], top: PipelineInputs) -> Job:
    own = ports[step.key]
    types: dict[str, str] = {}
    inputs: dict[str, Any] = {}
    if own.config:
        types[own.config] = "string"
        inputs[own.config] = _parent(f"inputs.{top.configs[step.key]}")
    for item, given in own.inputs.items():
        if isinstance(item, DatasetInput):
            for name, (above, data) in zip(given, top.data[item.dataset, own.is_carried], strict=True):
                types[name] = data.type
                inputs[name] = _parent(f"inputs.{above}")
        else:
            (name,) = given
            types[name] = "uri_folder"
            writer = ports[item.output.step]
            inputs[name] = _parent(f"jobs.{writer.job}.outputs.{writer.outputs[item.output]}")
    for parameter, name in own.parameters.items():
        types[name] = "string"
        inputs[name] = _parent(f"inputs.{top.parameters[parameter]}")
    after: dict[str, str] = {}
    for key in step.order_only:
        name = own.follow(ports[key].job)
        after[key] = ports[key].marker
        types[name] = "uri_folder"
        # Only its address is passed: there may be nothing to mount.
        inputs[name] = {"path": _parent(f"jobs.{ports[key].job}.outputs.{ports[key].marker}"), "mode": "direct"}
    carried = {
        output for output in own.outputs if own.is_carried and not is_unresolved(output.register_on_complete or "")
    }
    outputs = {name: _output(output, name, is_native=output not in carried) for output, name in own.outputs.items()}
    registered = {
        _registered_name(output.register_on_complete): str(outputs[name]["path"]).replace("${{output_name}}", name)
        for output, name in own.outputs.items()
        if output.register_on_complete and output in carried
    }
    if own.has_marker_alone:
        outputs[own.marker] = _FOLDER
    added = {} if own.is_carried else _added(step)
    return Job(step, own.job, Lines(_lines(step, own, added)), types, inputs, outputs, added, after, registered)


def _output(output: Output, port: str, *, is_native: bool) -> dict[str, Any]:
    """Return the keys of an output: where it is stored, and the name it is registered with if Azure ML does that.

    It does so also if the step fails; else the launcher registers it, and the address must be known.
    """
    name = output.register_on_complete
    path = f"{_DEFAULT_PLACE}/{port}" if name and not is_native else None
    if output.destination:
        path = output.destination.folder
        for theirs, ours in _PLACEHOLDERS.items():
            path = path.replace(theirs, ours)
        path = f"azureml://datastores/{output.destination.datastore_name}/paths/{path.lstrip('/')}"
    return {**_FOLDER, "path": path, "name": _registered_name(name) if name and is_native else None}


def _registered_name(name: str) -> str:
    return or_placeholder(name, asset_name(name))


def _added(step: StepPlan) -> dict[Input, str]:
    """Return arguments for the inputs without one: v2 has no other way to pass their paths to the script."""
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

    Added arguments come first: the last argument of the file may consume all that follows.
    """
    line = ["python", command.word(step.step.script_name)]
    if ports.is_carried:
        yield f"python {launcher.PROGRAM}"
        yield from _wiring(ports)
        line[0] = "--"
    for token in (*(part for item, argument in added.items() for part in (argument, item)), *step.argv):
        if isinstance(token, str) and token.startswith("-"):
            yield " ".join(line)
            line = []
        line.append(_word(token, ports))
    yield " ".join(line)


def _wiring(ports: _Ports) -> Iterator[str]:
    """Yield the options of the launcher: where each input and output is, by its name in the run."""
    for item, names in ports.inputs.items():
        for name in names:
            yield f"--in {command.word(item.name)}={command.input_of(name)}"
    for output, name in ports.outputs.items():
        yield f"--out {command.word(output.name)}={command.output_of(name)}"


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
    stated = launcher.value_of(token, ports.pipeline) if ports.is_carried else None
    return command.word(stated) if stated is not None else command.input_of(ports.inputs[token][0])


def _parent(place: str) -> str:
    return f"${{{{parent.{place}}}}}"


def pipeline_file(project: Project, jobs: Iterable[Job], top: PipelineInputs) -> bytes:
    """Return the file of the pipeline."""
    pipeline = project.pipeline
    settings = {
        "default_compute": f"azureml:{pipeline.compute_name}" if pipeline.compute_name else None,
        # Always written: two pages of the documentation disagree on its default.
        "continue_on_step_failure": pipeline.continue_on_step_failure,
    }
    keys = {
        "type": "pipeline",
        "display_name": pipeline.publish.name if pipeline.publish else None,
        "experiment_name": pipeline.experiment,
        "description": pipeline.description,
        "tags": dict(pipeline.tags) or None,
        "settings": settings,
        "inputs": input_keys(project, top) or None,
        "jobs": {job.name: _node(pipeline, job) for job in jobs},
    }
    return document("pipelineJob", keys)


def published_file(project: Project, jobs: Iterable[Job], top: PipelineInputs) -> bytes:
    """Return the file of the pipeline as a component, which can be registered and run without this project.

    Its data are part of it, because only inputs with a plain value can have a default.
    """
    pipeline = project.pipeline
    data = {_parent(f"inputs.{name}"): one.keys for inputs in top.data.values() for name, one in inputs}
    nodes = {}
    for job in jobs:
        node = _node(pipeline, job)
        inputs = {
            name: data.get(value, value) if isinstance(value, str) else value for name, value in job.inputs.items()
        }
        nodes[job.name] = {**node, "inputs": inputs or None}
    values = {name: {"type": "string", "default": text} for name, text in plain_inputs(project, top).items()}
    keys = {
        "type": "pipeline",
        "name": published_component(project),
        "display_name": pipeline.publish.name if pipeline.publish else None,
        "description": (pipeline.publish.description if pipeline.publish else None) or pipeline.description,
        "inputs": values or None,
        "jobs": nodes,
    }
    return document("pipelineComponent", keys)


def published_component(project: Project) -> str:
    """Return the name of the component that the pipeline is published as."""
    pipeline = project.pipeline
    return job_name(pipeline.publish.name if pipeline.publish else pipeline.experiment)


def component_file(pipeline: Pipeline, job: Job) -> bytes:
    """Return the file of a step's component."""
    step = job.step.step
    keys = {
        "type": "command",
        "name": job.name,
        "display_name": job.step.label,
        "is_deterministic": step.allow_reuse is not False,
        "inputs": {name: {"type": kind} for name, kind in job.types.items()} or None,
        "outputs": {name: {"type": keys["type"]} for name, keys in job.outputs.items()} or None,
        "code": f"../code/{job.name}",
        "environment": environment_reference(pipeline.environments, str(pipeline.env_of(step))),
        "command": job.command,
    }
    return document("commandComponent", keys)


def _node(pipeline: Pipeline, job: Job) -> dict[str, Any]:
    step = job.step.step
    seconds = step.max_run_duration_seconds
    environment = pipeline.environments.get(str(pipeline.env_of(step)))
    # v2's environments have no variables of their own.
    variables = {**(environment.environment_variables if environment else {}), **step.environment_variables}
    own_compute = step.compute_name if step.compute_name != pipeline.compute_name else None
    return {
        "type": "command",
        "component": f"./components/{job.name}.yml",
        "compute": f"azureml:{own_compute}" if own_compute else None,
        "limits": {"timeout": seconds} if seconds else None,
        "environment_variables": variables or None,
        "inputs": dict(job.inputs) or None,
        "outputs": dict(job.outputs) or None,
    }

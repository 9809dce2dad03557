"""Read a graph that arrived: its steps, what feeds whom, each one's arguments and files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .message import Refusal
from .pipeline_state import Document, Graph, Module
from .state import Workspace

RUN_AFTER = "_run_after_output"
_INPUT, _OUTPUT = "DatasetConsumptionConfig:", "DatasetOutputConfig:"


@dataclass(frozen=True)
class FromDataset:
    """An input that reads a dataset; `version` None follows the latest."""

    dataset: str | None
    """The registered name, None for a definition without one."""
    version: int | None
    name: str
    """The input's name: `run.input_datasets[name]`."""
    mode: str = "direct"
    id: str = field(default="", compare=False)
    """Of the saved definition, or of the registered dataset when it depends on the latest version."""


@dataclass(frozen=True)
class FromStep:
    """An input that reads another step's output."""

    step: str
    output: str
    name: str
    mode: str = "mount"
    table: bool = False
    """Whether the output is read as a table."""
    transformations: str | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class ToOutput:
    """An output; `path` None lies at the service's default place."""

    name: str
    datastore: str = "workspaceblobstore"
    path: str | None = None
    mode: str = "mount"
    register_as: str | None = None
    transformations: str | None = field(default=None, compare=False, repr=False)
    """How the registered output is read as a table, None for files."""


@dataclass(frozen=True)
class ParameterOf:
    """A parameter of the pipeline as an argument."""

    name: str


Argument = str | FromDataset | FromStep | ToOutput | ParameterOf


@dataclass(frozen=True)
class SubmittedStep:
    """One step as the service understands it."""

    name: str
    script: str
    target: str
    arguments: tuple[Argument, ...]
    inputs: Mapping[str, FromDataset | FromStep]
    outputs: Mapping[str, ToOutput]
    upstream: tuple[str, ...]
    """Steps that must end before, in the graph's order: those it reads and those it runs after."""
    run_after: tuple[str, ...]
    """Of these, those that give no data."""
    parameters: Mapping[str, str]
    """Own parameter -> the pipeline's parameter of which it takes the value."""
    allow_reuse: bool
    regenerate: bool
    files: Mapping[str, bytes] = field(repr=False)
    runconfig: Document = field(repr=False)
    settings: Mapping[str, str] = field(repr=False)
    """All literal module parameters that have a value ('Target', 'Script', 'MaxRunDurationSeconds' ...)."""
    node: str = field(repr=False)
    module: Module = field(repr=False)

    @property
    def environment(self) -> tuple[str, str | None]:
        """Name and version of the environment."""
        definition = self.runconfig["environment"]
        return definition["name"], definition.get("version")


def steps_of(workspace: Workspace, graph: Graph) -> dict[str, SubmittedStep]:
    """Read a graph's steps by their name, in an order in which they can run."""
    reader = _Reader(workspace, graph.document)
    return {step.name: step for step in map(reader.step, reader.order())}


def validate(workspace: Workspace, document: Document, interface: Document) -> None:
    """Refuse a graph that does not hold together: missing modules, nodes, ports, data sets, computes."""
    nodes = {node["Id"] for node in document.get("ModuleNodes") or []}
    data = {node["Id"] for node in document.get("DatasetNodes") or []}
    for edge in document.get("Edges") or []:
        if edge["SourceOutputPort"]["NodeId"] not in nodes | data:
            raise Refusal(400, "BadArgument", f"An edge starts at a node that is not there: {edge}")
        if edge["DestinationInputPort"]["NodeId"] not in nodes:
            raise Refusal(400, "BadArgument", f"An edge ends at a node that is not there: {edge}")
    parameters = {item["Name"] for item in interface.get("Parameters") or []}
    reader = _Reader(workspace, document)
    for node in reader.order():
        step = reader.step(node)
        _check_step(workspace, step, parameters)


def _check_step(workspace: Workspace, step: SubmittedStep, parameters: set[str]) -> None:
    if step.target not in workspace.computes:
        raise Refusal(400, "UserError", f"Unknown compute target '{step.target}' of step '{step.name}'.")
    if step.script not in step.files:
        raise Refusal(400, "UserError", f"Step '{step.name}': the snapshot has no {step.script}.")
    for output in step.outputs.values():
        if output.datastore not in workspace.datastores:
            raise Refusal(400, "UserError", f"Step '{step.name}': no datastore {output.datastore}.")
    unknown = set(step.parameters.values()) - parameters
    if unknown:
        raise Refusal(400, "BadArgument", f"Step '{step.name}': no parameter {', '.join(sorted(unknown))}.")


class _Reader:
    def __init__(self, workspace: Workspace, document: Document) -> None:
        self._workspace = workspace
        self._nodes = {node["Id"]: node for node in document.get("ModuleNodes") or []}
        self._data = {node["Id"]: node for node in document.get("DatasetNodes") or []}
        self._edges = document.get("Edges") or []
        self._labels = _unique({node: self._module(node).name for node in self._nodes})

    def order(self) -> list[Document]:
        """Order the nodes so that each comes after those before it; refuses a cycle."""
        left, ordered = dict(self._nodes), []
        while left:
            ready = [node for node in left if not any(before in left for before in self._before(node))]
            if not ready:
                raise Refusal(400, "BadArgument", "The graph has a cycle.")
            ordered.append(left.pop(ready[0]))
        return ordered

    def step(self, node: Document) -> SubmittedStep:
        module = self._module(node["Id"])
        interface = module.document["StructuredInterface"]
        settings = {
            item["Name"]: item["Value"]
            for item in node["ModuleParameters"]
            if item["ValueType"] in ("0", "Literal") and item.get("Value") is not None
        }
        inputs = dict(self._inputs(node, interface))
        outputs = {item.name: item for item in self._outputs(node)}
        upstream = tuple(dict.fromkeys(self._labels[before] for before in self._before(node["Id"])))
        feeding = {source.step for source in inputs.values() if isinstance(source, FromStep)}
        snapshot = self._workspace.snapshots.get(module.snapshot_id or "")
        return SubmittedStep(
            name=self._labels[node["Id"]],
            script=settings.get("Script", ""),
            target=settings.get("Target", ""),
            arguments=tuple(self._argument(item, inputs, outputs) for item in interface.get("Arguments") or []),
            inputs=inputs,
            outputs=outputs,
            upstream=upstream,
            run_after=tuple(name for name in upstream if name not in feeding),
            parameters={
                item["Name"]: item["Value"]
                for item in node["ModuleParameters"]
                if item["ValueType"] in ("1", "GraphParameterName")
            },
            allow_reuse=module.allow_reuse,
            regenerate=bool(node.get("RegenerateOutput")),
            files=dict(snapshot.files) if snapshot else {},
            runconfig=json.loads(node.get("Runconfig") or "{}"),
            settings=settings,
            node=node["Id"],
            module=module,
        )

    def _module(self, node: str) -> Module:
        identifier = self._nodes[node]["ModuleId"]
        if identifier not in self._workspace.modules:
            raise Refusal(400, "BadArgument", f"Module {identifier} does not exist.")
        return self._workspace.modules[identifier]

    def _before(self, node: str) -> list[str]:
        """The nodes of steps that lead to this one, in the graph's order."""
        found = {
            edge["SourceOutputPort"]["NodeId"]
            for edge in self._edges
            if edge["DestinationInputPort"]["NodeId"] == node and edge["SourceOutputPort"]["NodeId"] in self._nodes
        }
        return [other for other in self._nodes if other in found]

    def _inputs(self, node: Document, interface: Document) -> Iterator[tuple[str, FromDataset | FromStep]]:
        ports = {item["Name"]: item for item in interface.get("Inputs") or []}
        settings = {item["Name"]: item for item in node.get("ModuleInputSettings") or []}
        for edge in self._edges:
            source, target = edge["SourceOutputPort"], edge["DestinationInputPort"]
            if target["NodeId"] != node["Id"] or source["PortName"] == RUN_AFTER:
                continue
            name = target["PortName"]
            if name not in ports:
                raise Refusal(400, "BadArgument", f"The step has no input {name}.")
            setting = settings.get(name, {})
            mode = setting.get("DataStoreMode") or ports[name].get("DataStoreMode") or "mount"
            if source["NodeId"] in self._data:
                yield name, self._dataset(self._data[source["NodeId"]], name, mode)
            else:
                shaped = setting.get("AdditionalTransformations")
                before = self._labels[source["NodeId"]]
                yield name, FromStep(before, source["PortName"], name, mode, bool(shaped), shaped)

    def _dataset(self, node: Document, name: str, mode: str) -> FromDataset:
        value = node["DataSetDefinition"]["Value"]
        saved = value.get("SavedDataSetReference")
        if saved:
            return self._saved(saved["Id"], name, mode)
        reference = value["DataSetReference"]
        for dataset in self._workspace.datasets.values():
            if reference.get("Id") == dataset.id or (reference.get("Name") or "") == dataset.name:
                number = reference.get("Version")
                version = None if number is None else int(number)
                identifier = dataset.id if version is None else dataset.versions[version - 1].saved.id
                return FromDataset(dataset.name, version, name, mode, identifier)
        raise Refusal(400, "UserError", f"The dataset {reference} does not exist.")

    def _saved(self, identifier: str, name: str, mode: str) -> FromDataset:
        if identifier not in self._workspace.saved_datasets:
            raise Refusal(400, "UserError", f"The saved dataset {identifier} does not exist.")
        for dataset in self._workspace.datasets.values():
            for version in dataset.versions:
                if version.saved.id == identifier:
                    return FromDataset(dataset.name, version.version, name, mode, identifier)
        return FromDataset(None, None, name, mode, identifier)

    def _outputs(self, node: Document) -> Iterator[ToOutput]:
        for item in node.get("ModuleOutputSettings") or []:
            if item["Name"] == RUN_AFTER:
                continue
            registration = item.get("DatasetRegistration") or {}
            yield ToOutput(
                item["Name"],
                item.get("DataStoreName") or self._workspace.default_datastore,
                (item.get("DatasetOutputOptions") or {}).get("PathOnDatastore"),
                item.get("DataStoreMode") or "mount",
                registration.get("Name"),
                registration.get("AdditionalTransformations"),
            )

    @staticmethod
    def _argument(
        item: Document, inputs: Mapping[str, FromDataset | FromStep], outputs: Mapping[str, ToOutput]
    ) -> Argument:
        kind, value = item["ValueType"], str(item.get("Value"))
        if kind == "Parameter":
            return ParameterOf(value)
        if kind == "Input" or value.startswith(_INPUT):
            return inputs[value.removeprefix(_INPUT)]
        if kind == "Output" or value.startswith(_OUTPUT):
            return outputs[value.removeprefix(_OUTPUT)]
        return value


def _unique(names: Mapping[str, str]) -> dict[str, str]:
    """Number the names that come again: 'score', 'score (2)'."""
    seen: dict[str, int] = {}
    labels = {}
    for node, name in names.items():
        seen[name] = seen.get(name, 0) + 1
        labels[node] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return labels


__all__ = [
    "Argument",
    "FromDataset",
    "FromStep",
    "ParameterOf",
    "SubmittedStep",
    "ToOutput",
    "steps_of",
    "validate",
]

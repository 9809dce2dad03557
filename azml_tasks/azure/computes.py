"""Compute clusters of the workspace."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

from azml_tasks import model
from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.changes import Change
from azml_tasks.azure.failures import MissingError, is_missing, said_by, status_of
from azml_tasks.errors import ServiceError, did_you_mean, listed

if TYPE_CHECKING:
    from azureml.core import Workspace
    from azureml.core.compute import AmlCompute, ComputeTarget

# What the wrapper API takes when no size is given; the original's, Standard_NC6, is retired.
DEFAULT_SIZE = "STANDARD_DS3_V2"


def find_compute(ws: Workspace, name: str) -> ComputeTarget:
    """Return a compute of the workspace.

    Raises MissingError.
    """
    with service_calls(f"looking up the compute '{name}'"):
        found = _registered(ws, name)
        if found is None:
            hint = did_you_mean(name, ws.compute_targets)
            raise MissingError(f"the workspace '{ws.name}' has no compute '{name}'{hint}")
        return found


def register_compute(ws: Workspace, name: str, wanted: model.Compute, dry: bool = False) -> Change:
    """Create a cluster, or change its scale limits where they differ.

    Waits until Azure has made it. Raises ServiceError for what Azure changes in no cluster: its size and priority.
    """
    with service_calls(f"registering the compute '{name}'"):
        registered = _registered(ws, name)
        if registered is None:
            if not dry and not _create(ws, name, wanted):
                return register_compute(ws, name, wanted)
            return Change("compute", name, "created", _described(wanted), dry)
        _refuse_replacement(name, registered, wanted)
        changes = _scale_changes(registered, wanted)
        if not changes:
            return Change("compute", name, "unchanged")
        if not dry:
            registered.update(
                min_nodes=wanted.min_nodes,
                max_nodes=wanted.max_nodes,
                idle_seconds_before_scaledown=wanted.idle_seconds_before_scaledown,
            )
        return Change("compute", name, "updated", listed(changes), dry)


def _registered(ws: Workspace, name: str) -> ComputeTarget | None:
    from azureml.core.compute import ComputeTarget
    from azureml.exceptions import ComputeTargetException

    try:
        return ComputeTarget(ws, name)
    except ComputeTargetException as error:
        if is_missing(error):
            return None
        raise


def _create(ws: Workspace, name: str, wanted: model.Compute) -> bool:
    """Create a cluster and wait until it is there; return False when another command creates it at the same time."""
    from azureml.core.compute import AmlCompute, ComputeTarget
    from azureml.exceptions import ComputeTargetException

    idle = wanted.idle_seconds_before_scaledown
    configuration = AmlCompute.provisioning_configuration(
        vm_size=wanted.vm_size,
        vm_priority=wanted.vm_priority,
        min_nodes=wanted.min_nodes,
        max_nodes=wanted.max_nodes,
        **({} if idle is None else {"idle_seconds_before_scaledown": idle}),
    )
    try:
        made = ComputeTarget.create(ws, name, configuration)
    except ComputeTargetException as error:
        if status_of(error) != 409 or _registered(ws, name) is None:
            raise
        return False
    with contextlib.redirect_stdout(io.StringIO()):  # it prints, whatever it is told
        made.wait_for_completion(show_output=False)
    if made.provisioning_errors:
        raise ServiceError(f"Azure could not make the compute '{name}': {said_by(str(made.provisioning_errors))}")
    return True


def _refuse_replacement(name: str, registered: ComputeTarget, wanted: model.Compute) -> None:
    if registered.type != "AmlCompute":
        raise ServiceError(f"the compute '{name}' is no cluster but of type {registered.type}; give yours another name")
    for what, before, after in (
        ("size", registered.vm_size, wanted.vm_size),
        ("priority", registered.vm_priority, wanted.vm_priority),
    ):
        if str(before).lower() != after.lower():
            raise ServiceError(
                f"the compute '{name}' has the {what} {before}, and Azure cannot make it {after} in place: "
                "give the new one another name, or delete the old one first"
            )


def _scale_changes(registered: AmlCompute, wanted: model.Compute) -> list[str]:
    scale: Any = registered.scale_settings
    pairs = [
        ("min_nodes", scale.minimum_node_count, wanted.min_nodes),
        ("max_nodes", scale.maximum_node_count, wanted.max_nodes),
    ]
    if wanted.idle_seconds_before_scaledown is not None:
        idle = ("idle_seconds_before_scaledown", scale.idle_seconds_before_scaledown)
        pairs.append((*idle, wanted.idle_seconds_before_scaledown))
    return [f"{key} {before} -> {after}" for key, before, after in pairs if before != after]


def _described(compute: model.Compute) -> str:
    return f"{compute.vm_size}, {compute.min_nodes} to {compute.max_nodes} nodes"

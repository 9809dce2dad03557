"""Compute clusters of the workspace."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

from azml_tasks import model
from azml_tasks.azure.errors import MissingError, is_missing, service_message, status_of
from azml_tasks.azure.v1.client.connection import service_calls
from azml_tasks.backend import Change
from azml_tasks.errors import ServiceError
from azml_tasks.runs.changes.differences import Difference, difference
from azml_tasks.text import did_you_mean

if TYPE_CHECKING:
    from azureml.core import Workspace
    from azureml.core.compute import AmlCompute, ComputeTarget

# The default size of the wrapper API; the original's, Standard_NC6, is retired, and that of azml-tasks 0.5.0,
# STANDARD_DS3_V2, will be.
DEFAULT_SIZE = "STANDARD_D4DS_V4"


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


def register_compute(
    ws: Workspace, name: str, wanted: model.Compute, dry: bool = False, *, keeps_size: bool = False
) -> Change:
    """Create a cluster, or change its scale limits if they differ; with `keeps_size`, an existing one has any size.

    Waits until Azure has created it. Raises ServiceError for changes that Azure does not support: size and priority.
    """
    with service_calls(f"registering the compute '{name}'"):
        registered = _registered(ws, name)
        if registered is None:
            if not dry and not _create(ws, name, wanted):
                return register_compute(ws, name, wanted, keeps_size=keeps_size)
            return Change("compute", name, "created", _described(wanted), dry)
        _refuse_replacement(name, registered, wanted, keeps_size)
        changes = _scale_changes(registered, wanted)
        if not changes:
            return Change("compute", name, "unchanged")
        if not dry:
            registered.update(
                min_nodes=wanted.min_nodes,
                max_nodes=wanted.max_nodes,
                idle_seconds_before_scaledown=wanted.idle_seconds_before_scaledown,
            )
        return Change("compute", name, "updated", dry=dry, differences=tuple(changes))


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
    with contextlib.redirect_stdout(io.StringIO()):  # it always prints
        made.wait_for_completion(show_output=False)
    if made.provisioning_errors:
        raise ServiceError(
            f"Azure could not create the compute '{name}': {service_message(str(made.provisioning_errors))}"
        )
    return True


def _refuse_replacement(name: str, registered: ComputeTarget, wanted: model.Compute, keeps_size: bool) -> None:
    if registered.type != "AmlCompute":
        raise ServiceError(f"the compute '{name}' is of type {registered.type}, not a cluster; use another name")
    for what, before, after in (
        ("size", registered.vm_size, wanted.vm_size),
        ("priority", registered.vm_priority, wanted.vm_priority),
    ):
        if str(before).lower() != after.lower() and not (keeps_size and what == "size"):
            raise ServiceError(
                f"the compute '{name}' has the {what} {before}, which Azure cannot change to {after}: use another "
                "name, or delete the compute first"
            )


def _scale_changes(registered: AmlCompute, wanted: model.Compute) -> list[Difference]:
    scale: Any = registered.scale_settings
    pairs = [
        ("min_nodes", scale.minimum_node_count, wanted.min_nodes),
        ("max_nodes", scale.maximum_node_count, wanted.max_nodes),
    ]
    if wanted.idle_seconds_before_scaledown is not None:
        idle = ("idle_seconds_before_scaledown", scale.idle_seconds_before_scaledown)
        pairs.append((*idle, wanted.idle_seconds_before_scaledown))
    return [difference("compute", key, before, after) for key, before, after in pairs if before != after]


def _described(compute: model.Compute) -> str:
    return f"{compute.vm_size}, {compute.min_nodes} to {compute.max_nodes} nodes"

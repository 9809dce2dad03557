"""Compute clusters ("CLI (v2) compute cluster (AmlCompute) YAML schema")."""

from __future__ import annotations

from azml_tasks.export.document import document
from azml_tasks.model import Compute

_TIERS = {"dedicated": "dedicated", "lowpriority": "low_priority"}


def compute_file(name: str, compute: Compute) -> bytes:
    """Return the file of a cluster."""
    return document(
        "amlCompute",
        {
            "name": name,
            "type": "amlcompute",
            "size": compute.vm_size,
            "tier": _TIERS.get(compute.vm_priority, compute.vm_priority),
            "min_instances": compute.min_nodes,
            "max_instances": compute.max_nodes,
            "idle_time_before_scale_down": compute.idle_seconds_before_scaledown,
        },
    )

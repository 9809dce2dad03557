"""Put a pipeline together: its snapshots staged, its steps in the SDK's Pipeline."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azureml.pipeline.core import Pipeline

from azml_tasks.azure.origin import told_origin
from azml_tasks.azure.staging import stage
from azml_tasks.azure.steps import Resources, Values, build_steps
from azml_tasks.snapshot import Snapshot, with_words
from azml_tasks.wiring import Plan


@dataclass(frozen=True)
class Assembly:
    """A pipeline that is ready to be sent; `nodes` maps the nodes of its graph to the keys of the steps."""

    pipeline: Pipeline
    nodes: Mapping[str, str]


@contextlib.contextmanager
def assembled(
    ws: Any,
    plan: Plan,
    snapshots: Mapping[str, Snapshot],
    resources: Resources,
    reuse: Mapping[str, bool],
    values: Values | None = None,
) -> Iterator[Assembly]:
    """Give the pipeline for as long as the block runs; its staged files are gone after that.

    `reuse` says of each step whether an earlier result may stand in for it, and `values` gives the steps their
    arguments, by default the plan's.
    """
    with (
        _snapshots_forgotten_on_failure(ws),
        tempfile.TemporaryDirectory(prefix="azml-") as folder,
        told_origin(_some_folder(snapshots)),
    ):
        folders = {
            step.key: stage(snapshots[step.key], Path(folder, str(place))) for place, step in enumerate(plan.steps)
        }
        steps = build_steps(with_words(plan, snapshots), resources, folders, reuse, values)
        with silently():
            pipeline = Pipeline(ws, list(steps.values()), description=plan.pipeline.description)
        # The graph has its nodes in the order of the steps, each of which follows all that it needs.
        nodes = (node.node_id for node in pipeline.graph.module_nodes)
        yield Assembly(pipeline, dict(zip(nodes, steps, strict=True)))


@contextlib.contextmanager
def _snapshots_forgotten_on_failure(ws: Any) -> Iterator[None]:
    """Have the SDK look up the last snapshot again when the block fails: the one it remembers may not be there."""
    from azureml._restclient.snapshots_client import SnapshotsClient

    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            SnapshotsClient(ws.service_context)._cache.remove_latest()
        raise


def _some_folder(snapshots: Mapping[str, Snapshot]) -> Path:
    """Return a folder of the project, where its repository can be asked about."""
    return next((file.parent for snapshot in snapshots.values() for file in snapshot.files.values()), Path.cwd())


@contextlib.contextmanager
def silently() -> Iterator[None]:
    """Keep what the SDK prints from the user, who is told in our words."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield

"""Metrics that are kept as files: images and JSON documents."""

from __future__ import annotations

import io
import json
import time

from .artifacts import Artifacts, check_image
from .errors import AzureMLException


class Artifact:
    """A metric that is kept as a file; `data` is its content."""

    def __init__(self, data_location: str, filename: str, data: bytes | None) -> None:
        self.data_location = data_location
        self.filename = filename
        self.path = filename
        self.data = data

    def convert_to_object(self):
        """Return what the JSON holds; None when the file is no JSON."""
        try:
            return json.loads(self.data) if self.data is not None else None
        except ValueError:
            return None

    def __repr__(self) -> str:
        return f"Artifact(data_location={self.data_location}, filename={self.filename})"


def keep_image(artifacts: Artifacts, name: str, path: str | None, plot) -> dict:
    """Keep an image file under its own path, or a plot as `<name>_<seconds>.png`; returns the metric's record."""
    if (path is None) == (plot is None):
        raise AzureMLException("run.log_image takes either path or plot")
    if path is not None:
        check_image(path)
        file = path
        artifacts.put(path, path)
    else:
        file = _name(artifacts, name)
        artifacts.put(file, _drawn(plot))
    return {"name": name, "kind": "image", "value": file}


def location(run_id: str, artifacts: Artifacts, file: str) -> str:
    """Return the address that `get_metrics` gives for a metric that is kept as a file."""
    return f"aml://artifactId/ExperimentRun/dcid.{run_id}/{file}"


def artifact(run_id: str, artifacts: Artifacts, file: str) -> Artifact:
    """Return a metric that is kept as a file, with its content."""
    path = artifacts.find(file)
    content = None
    if path is not None:
        with open(path, "rb") as stream:
            content = stream.read()
    return Artifact(location(run_id, artifacts, file), file, content)


def _drawn(plot) -> io.BytesIO:
    stream = io.BytesIO()
    try:
        plot.savefig(stream, format="png")
    except AttributeError as error:
        raise AzureMLException("run.log_image takes a matplotlib plot or figure as plot") from error
    stream.seek(0)
    return stream


def _name(artifacts: Artifacts, name: str) -> str:
    """Return `<name>_<seconds>.png`; with a number when the run has one of this second already."""
    base = f"{name}_{int(time.time())}"
    taken = set(artifacts.names())
    candidates = (f"{base}.png" if not n else f"{base}_{n}.png" for n in range(len(taken) + 1))
    return next(candidate for candidate in candidates if candidate not in taken)

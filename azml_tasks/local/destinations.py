"""What becomes of the folders that a step has finished: copies in datastores, registered datasets."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from azml_tasks.local.arguments import dataset_id
from azml_tasks.local.files import read_json, write_json
from azml_tasks.local.layout import Layout, StepPlaces
from azml_tasks.snapshot.include import is_inside
from azml_tasks.snapshot.links import leads_out

if TYPE_CHECKING:
    from azml_tasks.wiring import Output, StepPlan

# What the stand-in for azureml writes in place of the project's folder.
_PROJECT = "${project}"


class DestinationError(Exception):
    """An output cannot be kept where the file says; the text is a sentence."""


def deliver(plan: StepPlan, places: StepPlaces, layout: Layout, step_run_id: str) -> None:
    """Copy the outputs that have a destination, and register those that are to be.

    As on Azure, files in the destination that the step did not write stay. What is in its place already is left
    alone. Raises DestinationError, OSError.
    """
    for output in plan.outputs:
        folder = places.output(output.name)
        if output.destination:
            folder = _copied(output, folder, layout, step_run_id)
        if output.register_on_complete:
            _register(output.register_on_complete, folder, layout)


def registered_folders(layout: Layout) -> set[Path]:
    """Return the folders and files that registered datasets are made of."""
    described = (read_json(file) or {} for file in (layout.root / "datasets").glob("*/*.json"))
    definitions = (values.get("definition") for values in described)
    lists = (definition.get("paths") for definition in definitions if isinstance(definition, dict))
    paths = (path for paths in lists if isinstance(paths, list) for path in paths if isinstance(path, str))
    return {Path(path.replace(_PROJECT, str(layout.project), 1)) for path in paths}


def _copied(output: Output, folder: Path, layout: Layout, step_run_id: str) -> Path:
    assert output.destination is not None
    template = output.destination.folder
    path = template.replace("{run-id}", step_run_id).replace("{output-name}", output.name).lstrip("/")
    if not is_inside(path):
        raise DestinationError(f"the destination '{template}' of {output.argument} leads out of its datastore")
    store = layout.datastores / output.destination.datastore_name
    target = store / path
    if _has_link_out(folder, target, store):
        raise DestinationError(
            f"{output.argument} could not be copied to its destination: a link there leads out of it"
        )
    try:
        shutil.copytree(folder, target, copy_function=_copy_if_new, dirs_exist_ok=True)
    except OSError as error:
        # Of a whole tree the errors come together; the last entry of each says what it is.
        reason = error.args[0][0][-1] if isinstance(error, shutil.Error) else error.strerror
        raise DestinationError(f"{output.argument} could not be copied to its destination: {reason}") from error
    return target


def _has_link_out(folder: Path, target: Path, store: Path) -> bool:
    """Say whether something of a folder would be copied out of the datastore by a link where it is copied to."""
    for inner, _, files in os.walk(folder):
        place = target / os.path.relpath(inner, folder)
        links = (place / name for name in files if os.path.islink(place / name))
        if leads_out(place, store) or any(leads_out(link, store) for link in links):
            return True
    return False


def _copy_if_new(source: str, target: str) -> None:
    if not (os.path.isfile(target) and filecmp.cmp(source, target)):
        shutil.copy2(source, target)


def _register(name: str, folder: Path, layout: Layout) -> None:
    """Register the folder as the newest version of a file dataset, as the stand-in for azureml keeps them."""
    path = f"{_PROJECT}{os.sep}{folder.relative_to(layout.project)}"
    definition = {"kind": "file", "paths": [path], "steps": []}
    # Spelled as the stand-in spells it: a name may hold what a folder's name may not.
    versions = layout.root / "datasets" / quote(name, safe=" ").replace(".", "%2E")
    known = {int(file.stem): read_json(file) or {} for file in versions.glob("*.json") if file.stem.isdigit()}
    if any(values.get("definition") == definition for values in known.values()):
        return
    version = max(known, default=0) + 1
    described: Mapping[str, Any] = {
        "id": dataset_id(f"{name}/{version}"),
        "name": name,
        "description": None,
        "tags": {},
        "definition": definition,
    }
    _write_new(versions, version, described)


def _write_new(folder: Path, version: int, described: Mapping[str, Any]) -> None:
    """Write a version's file under the first number from `version` on that no other run has taken meanwhile."""
    whole = folder / f".{os.getpid()}-{version}"
    write_json(whole, described)
    try:
        while True:
            try:
                os.link(whole, folder / f"{version}.json")
            except FileExistsError:
                version += 1
            else:
                return
    finally:
        whole.unlink()

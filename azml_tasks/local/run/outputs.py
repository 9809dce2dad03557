"""Deliver finished outputs: copies in datastores, registered datasets."""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.local.store.files import read_json, write_json
from azml_tasks.local.store.paths import ProjectPaths, StepPaths
from azml_tasks.local.store.records import LocalStepRecord
from azml_tasks.plan.plan import dataset_id
from azml_tasks.snapshot.files import is_inside, leads_out
from azml_tasks.standin.azml_local.formats import registered
from azml_tasks.standin.azml_local.formats.copies import share_content

if TYPE_CHECKING:
    from azml_tasks.local.step.local_run import LocalRun
    from azml_tasks.plan import Output, StepPlan

# Files of at least this size (bytes) share their content with equal ones.
_LEAST = 64 << 10


class DestinationError(Exception):
    """An output cannot be stored at its destination."""


def deliver(plan: StepPlan, places: StepPaths, layout: ProjectPaths, step_run_id: str) -> None:
    """Copy outputs with a destination, and register outputs.

    As on Azure, other files in the destination are kept. Existing copies are not changed. Raises DestinationError,
    OSError.
    """
    for output in plan.outputs:
        if not (output.destination or output.register_on_complete):
            continue
        folder = places.output(output.name)
        if output.destination:
            folder = _copied(output, folder, layout, step_run_id)
        if output.register_on_complete:
            _register(output.register_on_complete, folder, layout)


def sharing_of(record: LocalStepRecord, site: LocalRun) -> Callable[[], None] | None:
    """Return what makes the files of a completed step share their content with equal ones of its earlier results.

    None if there are none, or only small ones. It raises StoppedError.
    """
    equal: dict[str, str] = {}
    size = 0
    for name, digest in record.outputs.items() if record.status == "completed" else ():
        folder = record.places.output(name)
        files = site.contents.remembered_files(folder, _LEAST)
        earlier = site.results.of(record.key).with_output(name, digest) if files else None
        if earlier:
            root = os.path.realpath(folder)
            # Not what a link leads to.
            own = {path for path in files if os.path.realpath(folder / path) == os.path.join(root, path)}
            equal.update((os.path.join(folder, path), os.path.join(earlier, path)) for path in own)
            size += sum(files[path] for path in own)

    def share() -> None:
        with site.contents.pace.reading("equal outputs of earlier runs", lambda: size):
            for target, source in equal.items():
                with contextlib.suppress(OSError):
                    refused = ("cannot share", os.stat(target).st_dev)
                    if refused not in site.memo and not share_content(source, target, site.contents.pace.advance):
                        site.memo[refused] = True

    return share if equal else None


def registered_folders(layout: ProjectPaths) -> set[Path]:
    """Return the folders and files that registered datasets are made of."""
    described = (read_json(file) or {} for file in (layout.root / "datasets").glob("*/*.json"))
    definitions = (values.get("definition") for values in described)
    lists = (definition.get("paths") for definition in definitions if isinstance(definition, dict))
    paths = (path for paths in lists if isinstance(paths, list) for path in paths if isinstance(path, str))
    return {Path(registered.of_project(path, str(layout.project))) for path in paths}


def _copied(output: Output, folder: Path, layout: ProjectPaths, step_run_id: str) -> Path:
    assert output.destination is not None
    template = output.destination.folder
    path = template.replace("{run-id}", step_run_id).replace("{output-name}", output.name).lstrip("/")
    if not is_inside(path):
        raise DestinationError(f"the destination '{template}' of {output.argument} is outside its datastore")
    store = layout.datastores / output.destination.datastore_name
    target = store / path
    if _has_link_out(folder, target, store):
        raise DestinationError(
            f"{output.argument} could not be copied to its destination: it contains a link to outside it"
        )
    try:
        shutil.copytree(folder, target, copy_function=_copy_if_new, dirs_exist_ok=True)
    except OSError as error:
        # shutil collects the errors of a tree; the last item of each is the message.
        reason = error.args[0][0][-1] if isinstance(error, shutil.Error) else error.strerror
        raise DestinationError(f"{output.argument} could not be copied to its destination: {reason}") from error
    return target


def _has_link_out(folder: Path, target: Path, store: Path) -> bool:
    """Return whether something of a folder would be copied out of the datastore by a link where it is copied to."""
    for inner, _, files in os.walk(folder):
        place = target / os.path.relpath(inner, folder)
        links = (place / name for name in files if os.path.islink(place / name))
        if leads_out(place, store) or any(leads_out(link, store) for link in links):
            return True
    return False


def _copy_if_new(source: str, target: str) -> None:
    if not (os.path.isfile(target) and filecmp.cmp(source, target)):
        shutil.copy2(source, target)


def _register(name: str, folder: Path, layout: ProjectPaths) -> None:
    """Register the folder as the newest version of a file dataset, as the stand-in for azureml keeps them."""
    project = str(layout.project)
    definition = {"kind": "file", "paths": [registered.portable(str(folder), project)], "steps": []}
    versions = registered.folder_of(str(layout.root / "datasets"), name)
    known = {number: read_json(Path(file)) or {} for number, file in registered.versions(versions)}
    if any(values.get("definition") == definition for values in known.values()):
        return
    version = max(known, default=0) + 1
    described = {
        "id": dataset_id(f"{name}/{version}"),
        "name": name,
        "description": None,
        "tags": {},
        "definition": definition,
    }
    registered.add_version(versions, version, lambda path: write_json(path, described))

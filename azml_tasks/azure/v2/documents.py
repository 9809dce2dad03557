"""The documents of a project that Microsoft's client reads: those that `export-v2` writes, in a temporary folder."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from azml_tasks.export import export
from azml_tasks.export.document import asset_name, plain_document
from azml_tasks.export.export import EXPORTED, Export
from azml_tasks.reading import Project
from azml_tasks.snapshot import Snapshot

PIPELINE = "pipeline.yml"
_NOT_SENT = ("computes", "datastores", "publish", "schedule")
NEEDED_BY_A_RUN = tuple(key for key in EXPORTED if key not in _NOT_SENT)
NEEDED_TO_PUBLISH = (*NEEDED_BY_A_RUN, "publish", "schedule")
_LATEST = "@latest"


@dataclass(frozen=True)
class Documents:
    """The documents of a project, in a folder; `jobs` are the steps by their names in the pipeline job."""

    project: Project
    folder: Path
    made: Export

    @property
    def jobs(self) -> Mapping[str, str]:
        """The keys of the steps by the names of their jobs."""
        return {name: job.step.key for name, job in self.made.jobs.items()}

    def file(self, section: str, name: str) -> Path:
        """Return the file of what is declared under a name: `environments`, `computes`, `datastores`, `data`."""
        return self.folder / section / f"{self._place(section, name)}.yml"

    def digest(self, section: str, name: str) -> str:
        """Return a digest of what is declared under a name, with the files that it consists of."""
        place = f"{section}/{self._place(section, name)}"
        parts = sorted(
            f"{path} {content.digest}"
            for path, content in self.made.files.items()
            if path == f"{place}.yml" or path.startswith(f"{place}/")
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

    def _place(self, section: str, name: str) -> str:
        return self.made.assets[name] if section == "data" else asset_name(name)

    def unpinned_data(self) -> list[str]:
        """Return the data assets whose newest version the client would send with the pipeline."""
        return [one for one in map(_latest_asset, self._inputs().values()) if one]

    def pin_data(self, versions: Mapping[str, str]) -> None:
        """Write the versions of data assets into the pipeline."""
        if versions:
            file = self.folder / PIPELINE
            pipeline = yaml.safe_load(file.read_text(encoding="utf-8"))
            for item in pipeline["inputs"].values():
                name = _latest_asset(item)
                if name in versions:
                    item["path"] = f"azureml:{name}:{versions[name]}"
            file.write_bytes(plain_document(pipeline))

    def _inputs(self) -> dict[str, Any]:
        pipeline = yaml.safe_load((self.folder / PIPELINE).read_text(encoding="utf-8"))
        return dict(pipeline.get("inputs") or {})

    def pin(self, versions: Mapping[str, str]) -> None:
        """Write the versions of environments into the components, which the client else asks for, step by step."""
        for file in sorted((self.folder / "components").glob("*.yml")):
            component = yaml.safe_load(file.read_text(encoding="utf-8"))
            name = str(component["environment"]).removeprefix("azureml:").removesuffix(_LATEST)
            if name in versions:
                component["environment"] = f"azureml:{name}:{versions[name]}"
                file.write_bytes(plain_document(component))


def _latest_asset(item: Any) -> str:
    """Return the name of the data asset that an input reads in its newest version; empty if it does not."""
    path = str(item.get("path") or "") if isinstance(item, dict) else ""
    is_asset = path.startswith("azureml:") and path.endswith(_LATEST)
    return path.removeprefix("azureml:").removesuffix(_LATEST) if is_asset else ""


@contextlib.contextmanager
def documents(
    project: Project, needed: Iterable[str] = NEEDED_BY_A_RUN, snapshots: Mapping[str, Snapshot] | None = None
) -> Iterator[Documents]:
    """Write the documents to a folder that is deleted after the block; `snapshots` are as in `export`.

    Raises ProjectError if the pipeline cannot run on Azure, and for variables of the `needed` keys that are not set.
    """
    project.require(*needed)
    made = export(project, snapshots)
    with tempfile.TemporaryDirectory(prefix="azml-") as name:
        folder = Path(name)
        for path, content in made.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content.read())
        yield Documents(project, folder, made)

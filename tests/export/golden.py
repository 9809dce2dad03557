"""What the examples become, whole: `python -m tests.export.golden` writes it anew, to be read before it is kept."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from azml_tasks.export import Export, export
from azml_tasks.reading import Project, load_project
from tests.docs.blocks import blocks_of
from tests.export.projects import ROOT, VARIABLES, iris, texts, with_sdk

HERE = Path(__file__).parent / "golden"


def churn(folder: Path) -> Project:
    """Return the example of the README, with the scripts of `copier copy`'s kind."""
    folder.mkdir()
    text = next(block.text for block in blocks_of("README.md") if block.language == "yaml")
    (folder / "pipeline.yaml").write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "docs" / "examples" / "iris" / "steps", folder / "steps")
    return load_project(folder / "pipeline.yaml", target="prod", variables=VARIABLES)


def iris_with_sdk(folder: Path) -> Project:
    """Return the example of the documentation with the SDK as what scripts import."""
    return with_sdk(iris(folder))


EXAMPLES = {"churn": churn, "iris": iris, "iris-sdk": iris_with_sdk}


def shown(exported: Export) -> str:
    """Return the files but the code, the paths of the code, and the remarks."""
    return "".join(_parts(exported))


def _parts(exported: Export) -> Iterator[str]:
    for path, text in texts(exported).items():
        yield f"==> {path} <==\n{text}\n"
    yield "==> code <==\n"
    yield from (f"{path}\n" for path in exported.files if path.startswith("code/"))
    yield "\n==> remarks <==\n"
    yield from (f"{remark}\n" for remark in exported.remarks)


if __name__ == "__main__":
    for name, make in EXAMPLES.items():
        with tempfile.TemporaryDirectory() as folder:
            (HERE / f"{name}.txt").write_text(shown(export(make(Path(folder, name)))), encoding="utf-8")

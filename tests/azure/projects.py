"""Projects built in place: scripts and a pipeline.yaml in a temporary folder."""

from __future__ import annotations

import textwrap
from pathlib import Path

from azml_tasks.reading import Project, load_project


def write_project(
    folder: Path, text: str, scripts: dict[str, str] | None = None, variables: dict[str, str] | None = None
) -> Project:
    """Write pipeline.yaml and the scripts that it names (those not given print their own name), and read it."""
    (folder / "pipeline.yaml").write_text(textwrap.dedent(text), encoding="utf-8")
    project = load_project(folder / "pipeline.yaml", variables=variables or {})
    contents = {
        f"{step.script_directory}/{step.script_name}": f"print({step.script_name!r})\n"
        for step in project.pipeline.steps.values()
    }
    for path, content in {**contents, **(scripts or {})}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(content), encoding="utf-8")
    return project


def line_of_steps(count: int, extra: str = "") -> str:
    """Return a pipeline.yaml of steps that each hand a folder to the next."""
    steps = "".join(
        f"  s{number}: {{script_name: s{number}.py, script_directory: steps, step_config: {{n: {number}}}}}\n"
        for number in range(1, count + 1)
    )
    return f"env_name: env\ncompute_name: cpu\n{extra}steps:\n{steps}"

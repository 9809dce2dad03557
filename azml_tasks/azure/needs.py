"""What Azure needs of the file and the local backend does not."""

from __future__ import annotations

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.reading import Project


def check_needs(project: Project) -> None:
    """See that every step has a compute and an environment.

    Raises ProjectError, which names every step that has not.
    """
    pipeline = project.pipeline
    problems: list[Problem] = []
    for key, step in pipeline.steps.items():
        for noun, name, setting in (
            ("compute", pipeline.compute_of(step), "compute_name"),
            ("environment", pipeline.env_of(step), "env_name"),
        ):
            if name is None:
                message = f"step '{key}' has no {noun}: Azure needs {setting}, in the step or at the top of the file"
                problems.append(project.problem(("steps", key), message))
    if problems:
        raise ProjectError(problems)

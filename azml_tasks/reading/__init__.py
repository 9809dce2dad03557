"""Read pipeline.yaml into a Project, keeping line numbers and reporting all problems at once."""

from azml_tasks.reading.project import (
    FILE_NAME,
    Project,
    find_file,
    load_project,
    stated_backend,
    stated_backends,
    step_keys,
)

__all__ = [
    "FILE_NAME",
    "Project",
    "find_file",
    "load_project",
    "stated_backend",
    "stated_backends",
    "step_keys",
]

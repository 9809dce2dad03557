"""pipeline.yaml -> Project: one pass that keeps every line, and says all that is wrong at once."""

from azml_tasks.reading.project import FILE_NAME, Project, find_file, load_project, stated_backend

__all__ = ["FILE_NAME", "Project", "find_file", "load_project", "stated_backend"]

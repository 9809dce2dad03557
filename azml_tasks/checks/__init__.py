"""What `validate`, `doctor` and `register-csv` look at, without Azure."""

from azml_tasks.checks.files import file_problems, project_problems

__all__ = ["file_problems", "project_problems"]

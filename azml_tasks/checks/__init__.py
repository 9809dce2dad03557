"""What `validate`, `doctor` and `register-csv` look at, without Azure."""

from azml_tasks.checks.data import data_notes
from azml_tasks.checks.files import environment_notes, file_problems, project_problems

__all__ = ["data_notes", "environment_notes", "file_problems", "project_problems"]

"""What `validate`, `doctor` and `register-csv` look at, without Azure."""

from azml_tasks.checks.data import data_notes
from azml_tasks.checks.files import file_problems, project_problems

__all__ = ["data_notes", "file_problems", "project_problems"]

"""What `validate`, `doctor` and `register-csv` look at, without Azure."""

from azml_tasks.checks.contract import check_contracts
from azml_tasks.checks.data import data_notes
from azml_tasks.checks.files import check_project, environment_notes, file_problems, project_problems

__all__ = ["check_contracts", "check_project", "data_notes", "environment_notes", "file_problems", "project_problems"]

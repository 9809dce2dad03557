"""The commands of this project: `invoke --list` names them, `invoke --help NAME` explains one."""

from azml_tasks.tasks import namespace

__all__ = ["namespace"]

# A task of your own stands beside them. Take the # away and try `invoke count-rows`:
#
# from pathlib import Path
#
# from invoke import task
#
#
# @task
# def count_rows(c):
#     """Say how many rows each local dataset has."""
#     for file in sorted(Path("data").glob("*.csv")):
#         print(file.name, len(file.read_text(encoding="utf-8").splitlines()) - 1)
#
#
# namespace.add_task(count_rows)

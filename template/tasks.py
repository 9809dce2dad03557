"""The commands of this project: `invoke --list` lists them, `invoke --help NAME` describes one."""

from azml_tasks.tasks import namespace

__all__ = ["namespace"]

# Add your own tasks here. To try this example, remove the # and run `invoke count-rows`:
#
# from pathlib import Path
#
# from invoke import task
#
#
# @task
# def count_rows(c):
#     """Count the rows of each local dataset."""
#     for file in sorted(Path("data").glob("*.csv")):
#         print(file.name, len(file.read_text(encoding="utf-8").splitlines()) - 1)
#
#
# namespace.add_task(count_rows)

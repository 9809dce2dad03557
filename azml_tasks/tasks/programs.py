"""What programs call: the runs of a project, for pandas."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from azml_tasks.tasks.project import runs_in


def list_runs(
    folder: str | os.PathLike[str] = ".", *, target: str | None = None, experiment: str = "", most: int | None = None
) -> list[dict[str, Any]]:
    """Return the runs of the project in a folder, newest first, as dictionaries: `pandas.DataFrame(list_runs())`.

    Keys: `id`, `experiment`, `status`, `started` (a datetime in UTC), `seconds`, `target`, `command`, `commit`,
    `uncommitted`, and with prefixes `metrics.`, `settings.`, `parameters.` and `tags.`. `experiment` selects the runs
    of one, by default all (Azure ML: that of pipeline.yaml), and `most` how many are returned.

    Raises ProjectError if there is no pipeline.yaml, and on Azure ML what logging in raises.
    """
    from azml_tasks.runs.listing import as_dictionaries

    runs = runs_in(Path(folder).absolute(), target)
    found = runs.list(experiment or runs.experiment, most)
    return list(as_dictionaries(runs.with_steps(found[:most])))

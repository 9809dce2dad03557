"""Stop a run from another terminal."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from azml_tasks.errors import RunError
from azml_tasks.local.record import RunRecord
from azml_tasks.local.runs import find_run


def cancel_run(project_dir: str | Path, wanted: str | None = None) -> RunRecord:
    """Tell the runner of a run to stop its steps, as Ctrl-C in its terminal does, and return the run's record.

    Raises as find_run does, and RunError when the run is over, or its runner's process out of reach.
    """
    record = find_run(project_dir, wanted)
    if record.is_over or record.process is None:
        raise RunError(f"the run {record.id} is over: it {record.ending}")
    if not record.has_runner_here:
        raise RunError(f"the run {record.id} goes on in another container or on another machine: cancel it there")
    os.kill(record.process.pid, signal.SIGTERM)
    return record

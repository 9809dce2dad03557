"""Start-up code for every Python process of a step.

The fork server calls `begin` in the process that it forks, `sitecustomize.py` next to this package in each new
interpreter. Errors here never affect the step.
"""

from __future__ import annotations

import os


def begin() -> None:
    """Start the guard and the recorder in this process; do nothing outside a local run."""
    context = os.environ.get("AZML_RUN_CONTEXT")
    if not context:
        return
    # First, so that rejected operations and the address are not recorded.
    from . import guard, reads, tracking

    tracking.begin()
    guard.begin(os.path.dirname(context))
    reads.begin()

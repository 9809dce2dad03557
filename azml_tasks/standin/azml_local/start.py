"""What happens in every Python process of a step before the user's code runs.

The fork server calls `begin` in the process that it forks, `sitecustomize.py` beside this package in each new
interpreter. What goes wrong here never reaches the step.
"""

from __future__ import annotations

import os


def begin() -> None:
    """Begin what accompanies the step of this process; does nothing outside of a local run."""
    context = os.environ.get("AZML_RUN_CONTEXT")
    if not context:
        return
    # First, so that what it refuses is nothing that the step did.
    from . import guard, reads

    guard.begin(os.path.dirname(context))
    reads.begin()

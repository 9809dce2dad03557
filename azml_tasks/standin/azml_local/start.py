"""Start-up code for every Python process of a step.

The fork server calls `install` before it forks and `begin` in the forked process, `sitecustomize.py` next to this
package calls `begin` in each new interpreter. Errors here never affect the step.
"""

from __future__ import annotations

import os


def install() -> None:
    """Install what `begin` needs, which does nothing before `begin`."""
    # First, so that rejected operations are not recorded.
    from . import guard, reads

    guard.install()
    reads.install()


def begin() -> None:
    """Start the guard and the recorder in this process; do nothing outside a local run."""
    context = os.environ.get("AZML_RUN_CONTEXT")
    if not context:
        return
    from . import guard, reads, tracking

    tracking.begin()  # Before reads are recorded: it reads the address.
    guard.begin(os.path.dirname(context))
    reads.begin()

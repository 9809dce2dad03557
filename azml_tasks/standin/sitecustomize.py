"""Start the guard and the recorder in each new interpreter, then run the `sitecustomize` that this one hides.

Python imports it at start-up, because this folder is on the PYTHONPATH of a step.
"""

import os
import sys


def _begin() -> None:
    if not os.environ.get("AZML_RUN_CONTEXT"):
        return
    try:
        from azml_local import start

        start.begin()
    except Exception:  # noqa: S110 - a step runs as well without it
        pass


def _run_next() -> None:
    """Run the next `sitecustomize` of the path; without one raise the ImportError that Python expects."""
    # Also available from importlib.machinery and importlib.util, which take longer to import than all of this.
    import _frozen_importlib
    import _frozen_importlib_external

    here = os.path.dirname(os.path.abspath(__file__))
    entries = [entry for entry in sys.path if os.path.abspath(entry) != here]
    spec = _frozen_importlib_external.PathFinder.find_spec("sitecustomize", entries)
    if spec is None:
        raise ImportError("No module named 'sitecustomize'", name="sitecustomize")
    _frozen_importlib._load(spec)  # type: ignore[attr-defined]


_begin()
_run_next()

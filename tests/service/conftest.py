"""The stand-in's own tests: the real SDK against it."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("azureml") else ["test_*.py"]
"""Without the SDK there is nothing to try."""

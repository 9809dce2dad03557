"""The stand-in for Azure ML that a step's script imports on this machine.

This directory's parent is put first on a step's PYTHONPATH by the local backend. The names that scripts import are in
the package `azureml` next to this one; the implementation is here. Nothing here imports `azml_tasks`, because a step
may run in another virtual environment, and only the standard library is imported until more is needed, because it slows
down every step.
"""

from __future__ import annotations

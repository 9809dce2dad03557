"""What a step's script sees of Azure ML when it runs on this machine.

This directory's parent is put first on a step's PYTHONPATH by the local backend. The names that scripts import
are in the package `azureml` beside this one; what they do is here. Nothing here imports `azml_tasks`, since a
step may run in another virtual environment, and nothing but the standard library is imported until it is needed,
since every step pays for it.
"""

from __future__ import annotations

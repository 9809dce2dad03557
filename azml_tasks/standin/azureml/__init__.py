"""The `azureml` that a step's script sees on this machine; what it does is in the package azml_local."""

from __future__ import annotations

import sys

from azml_local.sdk import Finder, names

__getattr__ = names(__name__, {})

if Finder not in sys.meta_path:
    sys.meta_path.insert(0, Finder)

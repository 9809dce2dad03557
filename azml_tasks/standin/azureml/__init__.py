"""The `azureml` of a step's script on this machine; implemented in the package azml_local."""

from __future__ import annotations

import sys

from azml_local.sdk.finder import Finder, names

__getattr__ = names(__name__, ())

if Finder not in sys.meta_path:
    sys.meta_path.insert(0, Finder)

"""The names that scripts import from azureml.pipeline."""

from __future__ import annotations

from azml_local.sdk.finder import names

__getattr__ = names(__name__, ())

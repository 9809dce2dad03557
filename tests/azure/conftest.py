"""The Azure backend, with the real SDK: by value, and against the stand-in of the service."""

from __future__ import annotations

import importlib.util
import warnings

HAS_SDK = importlib.util.find_spec("azureml") is not None

if HAS_SDK:
    with warnings.catch_warnings():  # of the SDK's own imports, which happen while tests are collected
        warnings.simplefilter("ignore")
        import azureml.pipeline.steps  # noqa: F401

"""The fixture `azure` for tests of tasks: the stand-in of the service, where the SDK is installed."""

from __future__ import annotations

import warnings

import pytest

with warnings.catch_warnings():  # of the SDK's own imports
    warnings.simplefilter("ignore")
    pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK needs Python 3.11 or earlier")

    from tests.service.fixture import SDK_WARNINGS, azure, azure_service

from tests.service.service import GROUP, SUBSCRIPTION, WORKSPACE

__all__ = ["FILE", "MARKS", "azure", "azure_service"]

MARKS = [pytest.mark.filterwarnings(warning) for warning in SDK_WARNINGS]

FILE = f"""\
ws_name: {WORKSPACE}
resource_group: {GROUP}
subscription_id: {SUBSCRIPTION}
env_name: env
compute_name: cpu
experiment_name: trial
publish: {{name: churn, description: Weekly churn scores}}
"""

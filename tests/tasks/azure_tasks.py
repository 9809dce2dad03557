"""What a pipeline.yaml says to run in the stand-in's workspace."""

from __future__ import annotations

from tests.service.names import GROUP, SUBSCRIPTION, WORKSPACE

FILE = f"""\
ws_name: {WORKSPACE}
resource_group: {GROUP}
subscription_id: {SUBSCRIPTION}
env_name: env
compute_name: cpu
experiment_name: trial
publish: {{name: churn, description: Weekly churn scores}}
"""

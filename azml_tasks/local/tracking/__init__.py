"""The MLflow tracking server of a local run: what steps log with MLflow becomes their records."""

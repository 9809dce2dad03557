"""The proof that a script that logs with MLflow has the same record in a local run as under MLflow alone."""

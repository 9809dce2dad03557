"""Step `train`: fit a linear model of the price to most rides, and test it with the others."""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from azureml.core import Run

FEATURES = ["km", "rush", "shared", "suburb"]


def inputs_of(rides: pd.DataFrame) -> np.ndarray:
    """Return the features, and a column of ones for the base price."""
    return np.column_stack([np.ones(len(rides)), rides[FEATURES].to_numpy("float64")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=json.loads, default={}, help="test_fraction and seed")
    args = parser.parse_args()
    run = Run.get_context()
    rides = run.input_datasets["rides"].to_pandas_dataframe()
    test = rides.sample(frac=args.config.get("test_fraction", 0.25), random_state=args.config.get("seed", 0))
    train = rides.drop(test.index)
    weights, *_ = np.linalg.lstsq(inputs_of(train), train["price"].to_numpy(), rcond=None)
    error = np.sqrt(np.mean((inputs_of(test) @ weights - test["price"].to_numpy()) ** 2))
    model = dict(zip(["base", *FEATURES], (round(float(weight), 6) for weight in weights), strict=True))
    Path("outputs").mkdir(exist_ok=True)
    Path("outputs", "model.json").write_text(json.dumps(model, indent=2) + "\n", encoding="utf-8")
    run.log("train_rows", len(train))
    run.log("test_rows", len(test))
    run.log("rmse", round(float(error), 6))
    run.log_table("weights", {"name": list(model), "value": list(model.values())})
    print(f"{len(train)} rides, root mean square error {error:.3f}")


if __name__ == "__main__":
    main()

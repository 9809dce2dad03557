"""Step `prepare`: split the flowers into training and test data."""

import argparse
import json
from pathlib import Path

import pandas as pd
from azureml.core import Run


def split(flowers: pd.DataFrame, test_fraction: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return training and test data, with the same fraction of each species."""
    test = flowers.groupby("species").sample(frac=test_fraction, random_state=seed)
    return flowers.drop(test.index), test


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=json.loads, default={}, help="test_fraction and seed")
    parser.add_argument("--iris", help="id of the dataset `iris`")
    parser.add_argument("--output-folder", type=Path, required=True, help="folder for train.csv and test.csv")
    return parser.parse_args(argv)


def main() -> None:
    run = Run.get_context()
    args = parse_arguments()
    flowers = run.input_datasets["iris"].to_pandas_dataframe()
    train, test = split(flowers, args.config.get("test_fraction", 0.3), args.config.get("seed", 0))
    args.output_folder.mkdir(parents=True, exist_ok=True)
    train.to_csv(args.output_folder / "train.csv", index=False)
    test.to_csv(args.output_folder / "test.csv", index=False)
    run.log("train_rows", len(train))
    run.log("test_rows", len(test))
    run.complete()


if __name__ == "__main__":
    main()

"""Step `normalize`: give the columns one type and one unit, and each ride once, in the order of their numbers."""

import argparse
from pathlib import Path

from azureml.core import Run
from tables import write_table

TYPES = {"ride": "int64", "hour": "int64", "riders": "int64", "km": "float64", "price": "float64"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--normalized", type=Path, required=True, help="folder for the table")
    args = parser.parse_args()
    run = Run.get_context()
    rides = run.input_datasets["rides"].to_pandas_dataframe().astype(TYPES)
    normalized = rides.drop_duplicates(["suburb", "ride"]).sort_values(["suburb", "ride"]).reset_index(drop=True)
    write_table(normalized, args.normalized)
    run.log("rows", len(normalized))
    run.log("mean_price", round(float(normalized["price"].mean()), 6))


if __name__ == "__main__":
    main()

"""Step `filter`: leave out rides that cannot be: without a distance, a rider or a price, or longer than the limit."""

import argparse
from pathlib import Path

from azureml.core import Run
from tables import write_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max-km", type=float, required=True, help="the longest ride")
    parser.add_argument("--filtered", type=Path, required=True, help="folder for the table")
    args = parser.parse_args()
    run = Run.get_context()
    rides = run.input_datasets["rides"].to_pandas_dataframe()
    possible = (rides["km"] > 0) & (rides["km"] <= args.max_km) & (rides["riders"] > 0) & (rides["price"] > 0)
    filtered = rides[possible].reset_index(drop=True)
    write_table(filtered, args.filtered)
    run.log("rows", len(filtered))
    run.log("left_out", len(rides) - len(filtered))


if __name__ == "__main__":
    main()

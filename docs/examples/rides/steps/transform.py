"""Step `transform`: add what the price depends on: whether a ride is in the rush hour, and shared."""

import argparse
from pathlib import Path

from azureml.core import Run
from tables import write_table

RUSH_HOURS = (7, 8, 9, 16, 17, 18)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transformed", type=Path, required=True, help="folder for the table")
    args = parser.parse_args()
    run = Run.get_context()
    rides = run.input_datasets["rides"].to_pandas_dataframe()
    rides["rush"] = rides["hour"].isin(RUSH_HOURS).astype("int64")
    rides["shared"] = (rides["riders"] > 1).astype("int64")
    write_table(rides, args.transformed)
    counts = rides.groupby("hour").size()
    run.log_list("rides_by_hour", [int(counts.get(hour, 0)) for hour in range(24)])


if __name__ == "__main__":
    main()

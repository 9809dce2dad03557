"""Step `merge`: put the rides of the city and of the suburb into one table."""

import argparse
from pathlib import Path

import pandas as pd
from azureml.core import Run
from tables import write_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--merged", type=Path, required=True, help="folder for the table")
    args = parser.parse_args()
    run = Run.get_context()
    city, suburb = (run.input_datasets[name].to_pandas_dataframe() for name in ("city_rides", "suburb_rides"))
    merged = pd.concat([city.assign(suburb=0), suburb.assign(suburb=1)], ignore_index=True)
    write_table(merged, args.merged)
    run.log_row("rows", city=len(city), suburb=len(suburb))


if __name__ == "__main__":
    main()

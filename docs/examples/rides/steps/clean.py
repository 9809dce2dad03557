"""Steps `clean_city` and `clean_suburb`: keep the columns that are needed, under common names, and complete rows."""

import argparse
import json
from pathlib import Path

from azureml.core import Run
from tables import write_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=json.loads, required=True, help="columns: the new names by the old ones")
    parser.add_argument("--dataset", required=True, help="name of the dataset")
    parser.add_argument("--cleaned", type=Path, required=True, help="folder for the table")
    args = parser.parse_args()
    run = Run.get_context()
    table = run.input_datasets[args.dataset].to_pandas_dataframe()
    columns = args.config["columns"]
    cleaned = table[list(columns)].rename(columns=columns).dropna().reset_index(drop=True)
    write_table(cleaned, args.cleaned)
    run.log("rows", len(cleaned))
    run.log("incomplete", len(table) - len(cleaned))
    run.tag("dataset", args.dataset)


if __name__ == "__main__":
    main()

"""Write the table that a step hands on."""

from pathlib import Path

import pandas as pd


def write_table(table: pd.DataFrame, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "rides.parquet", index=False)

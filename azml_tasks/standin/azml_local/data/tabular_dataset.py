"""Tabular datasets: rows are read when a DataFrame is requested."""

from __future__ import annotations

from ..errors import DatasetTimestampMissingError, UserErrorException, refuses
from .abstract import AbstractDataset, checked_count, checked_percentage, checked_probability, checked_seed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta
    from typing import Any

    import pandas

    from .file_dataset import FileDataset
    from .rows import Expression


@refuses(
    "to_dask_dataframe", "partition_by", "submit_profile_run", "get_profile", "get_profile_runs", "download", "mount"
)
class TabularDataset(AbstractDataset):
    """A table in one or more files, with operations on its rows."""

    def to_pandas_dataframe(self, on_error: str = "null", out_of_range_datetime: str = "null") -> pandas.DataFrame:
        """Return the rows as a pandas frame, indexed by the timestamp column where there is one."""
        from . import frames, rows

        steps = self._definition.get("steps", [])
        limit = steps[0][1] if steps and steps[0][0] == "take" else None
        frame = frames.read(self._files(), self._definition["reading"], limit)
        frame = rows.apply(frame, steps)
        timestamp = self._definition.get("timestamp")
        if timestamp is not None and not frame.empty:
            frame = frame.set_index(timestamp, drop=False).rename_axis(None)
        return frame

    def to_spark_dataframe(self) -> Any:
        """Return the rows as a Spark frame."""
        try:
            from pyspark.sql import SparkSession
        except ImportError:
            raise ImportError("reading a table as a Spark DataFrame requires pyspark; install it") from None
        return SparkSession.builder.getOrCreate().createDataFrame(self.to_pandas_dataframe())

    def take(self, count: int) -> TabularDataset:
        """Keep the first rows."""
        return self._with("take", checked_count(count, int))

    def skip(self, count: int) -> TabularDataset:
        """Leave out the first rows."""
        return self._with("skip", checked_count(count))

    def take_sample(self, probability: float, seed: int | None = None) -> TabularDataset:
        """Keep each row with a probability."""
        return self._with("sample", checked_probability(probability), checked_seed(seed))

    def random_split(self, percentage: float, seed: int | None = None) -> tuple[TabularDataset, TabularDataset]:
        """Return two datasets: about this share of the rows, and the others."""
        seed, percentage = checked_seed(seed), checked_percentage(percentage)
        return self._with("sample", percentage, seed), self._with("sample_rest", percentage, seed)

    def keep_columns(self, columns: str | list[str], validate: bool = False) -> TabularDataset:
        """Keep columns by name, in the order of the table."""
        names = _names(columns)
        kept = self._with("keep_columns", names)
        if validate:
            frame = kept.take(1).to_pandas_dataframe()
            if frame.empty:
                raise UserErrorException(f"the dataset has no data in the columns {', '.join(names)}")
        return kept._with_timestamps_among(lambda column: column in names)

    def drop_columns(self, columns: str | list[str]) -> TabularDataset:
        """Leave out columns by name."""
        names = _names(columns)
        return self._with("drop_columns", names)._with_timestamps_among(lambda column: column not in names)

    def filter(self, expression: object) -> TabularDataset:
        """Keep the rows for which an expression such as `dataset["age"] > 30` holds."""
        from .rows import Expression

        if not isinstance(expression, Expression):
            raise UserErrorException('filter requires an expression such as dataset["age"] > 30')
        return self._with("filter", expression.tree)

    def __getitem__(self, key: str) -> Expression:
        """Return a column, to be compared in a filter."""
        from .rows import Expression

        return Expression(["column", key])

    @property
    def timestamp_columns(self) -> tuple[str | None, str | None]:
        """The names of the timestamp column and the coarser one; None for one that is not set."""
        return self._definition.get("timestamp"), self._definition.get("partition_timestamp")

    def with_timestamp_columns(
        self,
        timestamp: str | None = None,
        partition_timestamp: str | None = None,
        validate: bool = False,
        **kwargs: Any,
    ) -> TabularDataset:
        """Describe which columns hold the time of a row, for the time filters."""
        timestamp = timestamp or kwargs.get("fine_grain_timestamp")
        partition_timestamp = partition_timestamp or kwargs.get("coarse_grain_timestamp")
        if partition_timestamp and not timestamp:
            raise UserErrorException("partition_timestamp needs a timestamp column")
        if timestamp and timestamp == partition_timestamp:
            raise UserErrorException("timestamp and partition_timestamp must be different columns")
        return self._create({**self._definition, "timestamp": timestamp, "partition_timestamp": partition_timestamp})

    def time_before(
        self, end_time: datetime | None, include_boundary: bool = True, validate: bool = True
    ) -> TabularDataset:
        """Keep the rows up to a time."""
        return self._between("time_before", None, end_time, include_boundary)

    def time_after(
        self, start_time: datetime | None, include_boundary: bool = True, validate: bool = True
    ) -> TabularDataset:
        """Keep the rows from a time on."""
        return self._between("time_after", start_time, None, include_boundary)

    def time_between(
        self,
        start_time: datetime | None,
        end_time: datetime | None,
        include_boundary: bool = True,
        validate: bool = True,
    ) -> TabularDataset:
        """Keep the rows from one time to another."""
        return self._between("time_between", start_time, end_time, include_boundary)

    def time_recent(
        self, time_delta: timedelta, include_boundary: bool = True, validate: bool = True
    ) -> TabularDataset:
        """Keep the rows of the last days, hours or so."""
        from datetime import datetime

        return self._between("time_recent", datetime.now() - time_delta, None, include_boundary)

    def to_csv_files(self, separator: str = ",") -> FileDataset:
        """Return the rows as a file dataset of one CSV file."""
        return _written("part-00000.csv", lambda path: self._plain_frame().to_csv(path, index=False, sep=separator))

    def to_parquet_files(self) -> FileDataset:
        """Return the rows as a file dataset of one parquet file."""
        return _written("part-00000.parquet", lambda path: self._plain_frame().to_parquet(path, index=False))

    def _plain_frame(self) -> pandas.DataFrame:
        return self.to_pandas_dataframe().reset_index(drop=True)

    def _between(
        self, method: str, start: datetime | None, end: datetime | None, include_boundary: bool
    ) -> TabularDataset:
        from .rows import second

        timestamp, coarse = self.timestamp_columns
        if timestamp is None:
            raise DatasetTimestampMissingError(
                f"{method} needs timestamp columns; set them with with_timestamp_columns"
            )
        filtered = self
        for column in (coarse, timestamp):
            if column is not None:
                filtered = filtered._with("time", column, second(start), second(end, up=True), include_boundary)
        return filtered

    def _with_timestamps_among(self, is_kept: Callable[[str], bool]) -> TabularDataset:
        timestamp, coarse = self.timestamp_columns
        timestamp = timestamp if timestamp and is_kept(timestamp) else None
        coarse = coarse if timestamp and coarse and is_kept(coarse) else None
        return self._create({**self._definition, "timestamp": timestamp, "partition_timestamp": coarse})


def _written(name: str, write: Callable[[str], object]) -> FileDataset:
    import os

    from . import sources
    from .file_dataset import FileDataset

    path = os.path.join(sources.for_a_dataset(), name)
    write(path)
    return FileDataset._create({"kind": "file", "paths": [path], "steps": []})


def _names(columns: str | list[str]) -> list[str]:
    if isinstance(columns, str):
        return [columns]
    if not isinstance(columns, list):
        raise ValueError(f"columns must be a name or a list of names, not {type(columns).__name__}")
    return columns

"""Makes datasets from files in datastores."""

from __future__ import annotations

import os
import sys

from . import sources
from .errors import UserErrorException
from .files import FileDataset
from .formats.columns import SAMPLE_ROWS
from .refusals import refuses
from .tabular import TabularDataset

# In the order of the numbers of PromoteHeadersBehavior, azureml.data.dataset_type_definitions.
_HEADERS = ("NO_HEADERS", "ONLY_FIRST_FILE_HAS_HEADERS", "COMBINE_ALL_FILES_HEADERS", "ALL_FILES_HAVE_SAME_HEADERS")


class DataType:
    """The type of a column, for `set_column_types`."""

    @staticmethod
    def to_string():
        """Texts."""
        return _data_type("string")

    @staticmethod
    def to_long():
        """Whole numbers."""
        return _data_type("long")

    @staticmethod
    def to_float(decimal_mark="."):
        """Numbers, with a point or a comma."""
        return _data_type("float", decimal_mark=decimal_mark)

    @staticmethod
    def to_bool():
        """Booleans."""
        return _data_type("boolean")

    @staticmethod
    def to_datetime(formats=None):
        """Dates, in formats such as `%Y-%m-%d`, or in the format that the values show."""
        return _data_type("datetime", formats=[formats] if isinstance(formats, str) else formats or None)


@refuses("from_sql_query", "register_spark_dataframe", "register_dask_dataframe")
class TabularDatasetFactory:
    """Makes tabular datasets."""

    @staticmethod
    def from_delimited_files(  # noqa: PLR0913, PLR0917 - the SDK's signature
        path,
        validate=True,
        include_path=False,
        infer_column_types=True,
        set_column_types=None,
        separator=",",
        header=True,
        partition_format=None,
        support_multi_line=False,
        empty_as_string=False,
        encoding="utf8",
    ):
        """Return the table in delimited files, its columns' types guessed from the first 200 rows."""
        reading = {
            "format": "delimited",
            "separator": separator,
            "header": _header(header),
            "infer": bool(infer_column_types),
            "types": _types(set_column_types),
            "multi_line": bool(support_multi_line),
            "empty_as_string": bool(empty_as_string),
            "encoding": encoding,
        }
        return _tabular(path, reading, validate, include_path, partition_format)

    @staticmethod
    def from_parquet_files(path, validate=True, include_path=False, set_column_types=None, partition_format=None):
        """Return the table in parquet files."""
        reading = {"format": "parquet", "types": _types(set_column_types)}
        return _tabular(path, reading, validate, include_path, partition_format)

    @staticmethod
    def from_json_lines_files(
        path,
        validate=True,
        include_path=False,
        set_column_types=None,
        partition_format=None,
        invalid_lines="error",
        encoding="utf8",
    ):
        """Return the table in files with a JSON object a line."""
        reading = {"format": "json_lines", "types": _types(set_column_types), "encoding": encoding}
        return _tabular(path, reading, validate, include_path, partition_format)

    @staticmethod
    def register_pandas_dataframe(
        dataframe,
        target,
        name,
        description=None,
        tags=None,
        show_progress=True,
        row_group_size=None,
        make_target_path_unique=True,
    ):
        """Write a frame to a datastore as parquet and register it."""
        from uuid import uuid4

        datastore, relative = sources.datastore_path(target)
        relative = f"{relative}/{uuid4()}" if make_target_path_unique else relative
        folder = datastore.local_path(relative)
        os.makedirs(folder, exist_ok=True)
        # As the SDK writes it: without the index, and without dots in the columns' names.
        written = dataframe.reset_index(drop=True).rename(columns=lambda column: str(column).replace(".", "_"))
        try:
            written.to_parquet(os.path.join(folder, "dataframe.parquet"))
        except ImportError:
            raise ImportError("this step registers a frame as a parquet table; install pyarrow") from None
        made = TabularDatasetFactory.from_parquet_files((datastore, relative))
        return made.register(datastore.workspace, name, description, tags, create_new_version=True)


class FileDatasetFactory:
    """Makes file datasets."""

    @staticmethod
    def from_files(path, validate=True, partition_format=None, is_file=False):
        """Return the files at paths of datastores."""
        _refuse_partitions(partition_format)
        paths = sources.local(path)
        if validate:
            sources.existing(paths)
        return FileDataset._create({"kind": "file", "paths": paths, "steps": []})

    @staticmethod
    def upload_directory(src_dir, target, pattern=None, overwrite=False, show_progress=True):
        """Copy a folder's files to a datastore; returns a dataset of them."""
        from fnmatch import fnmatch

        datastore, relative = sources.datastore_path(target)
        folder = os.path.abspath(src_dir)
        found = [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names]
        wanted = [path for path in found if pattern is None or fnmatch(path.replace(os.sep, "/"), pattern)]
        datastore.upload_files(
            wanted, relative_root=folder, target_path=relative, overwrite=overwrite, show_progress=False
        )
        if show_progress:
            print(f"Uploaded {len(wanted)} files to {relative}", file=sys.stderr)
        return FileDatasetFactory.from_files((datastore, relative))


def _tabular(path, reading: dict, validate: bool, include_path: bool, partition_format) -> TabularDataset:
    _refuse_partitions(partition_format)
    if include_path:
        raise UserErrorException("include_path is not read by a local run; leave it out")
    paths = sources.local(path)
    _check(paths, reading, validate)
    return TabularDataset._create({"kind": "tabular", "paths": paths, "reading": reading, "steps": []})


def _check(paths: list[str], reading: dict, validate: bool) -> None:
    """Refuse what the SDK refuses when it makes a table, which reads rows unless it is told not to."""
    from .formats import parquet
    from .formats.files import UnreadableError
    from .formats.table import Table

    try:
        files = sources.existing(paths) if validate or reading.get("infer") else []
        if reading["format"] == "parquet" and validate:
            has_rows = sum(parquet.check(file).rows for file in parquet.with_content(files)) > 0
        elif reading["format"] == "delimited":
            table = Table(files, reading)
            sample = table.sampled(table.blocks(SAMPLE_ROWS))
            table.kinds(sample)
            has_rows = any(part.rows for part in sample)
        else:
            return
    except UnreadableError as error:
        raise UserErrorException(str(error)) from None
    if files and not has_rows:
        raise UserErrorException(f"the table at {' or '.join(paths)} has no rows, and Azure ML refuses to make it")


def _refuse_partitions(partition_format) -> None:
    if partition_format:
        raise UserErrorException("partition_format is not read by a local run; leave it out")


def _header(header) -> str:
    if isinstance(header, bool):
        return _HEADERS[-1 if header else 0]
    number = getattr(header, "value", None)
    if isinstance(number, int) and 0 <= number < len(_HEADERS):
        return _HEADERS[number]
    if header in _HEADERS:
        return header
    raise UserErrorException(f"header is True, False or one of {', '.join(_HEADERS)}")


def _data_type(name: str, **more) -> DataType:
    made = DataType()
    made._type = {"name": name, **more}
    return made


def _types(types) -> dict:
    try:
        return {column: kind._type for column, kind in (types or {}).items()}
    except AttributeError:
        raise UserErrorException(
            "set_column_types is a dict of columns and DataTypes, such as DataType.to_long()"
        ) from None

"""Makes datasets from files in datastores, and finds registered ones."""

from __future__ import annotations

import os
import sys

from ..errors import UserErrorException, refuses
from ..formats.columns import SAMPLE_ROWS
from . import sources
from .abstract import AbstractDataset
from .file_dataset import FileDataset
from .tabular_dataset import TabularDataset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import pandas

    from ..protocols import Json

# In the order of the numbers of PromoteHeadersBehavior, azureml.data.dataset_type_definitions.
_HEADERS = ("NO_HEADERS", "ONLY_FIRST_FILE_HAS_HEADERS", "COMBINE_ALL_FILES_HEADERS", "ALL_FILES_HAVE_SAME_HEADERS")


class DataType:
    """The type of a column, for `set_column_types`."""

    _type: Json

    @staticmethod
    def to_string() -> DataType:
        """Texts."""
        return _data_type("string")

    @staticmethod
    def to_long() -> DataType:
        """Whole numbers."""
        return _data_type("long")

    @staticmethod
    def to_float(decimal_mark: str = ".") -> DataType:
        """Numbers, with a point or a comma."""
        return _data_type("float", decimal_mark=decimal_mark)

    @staticmethod
    def to_bool() -> DataType:
        """Booleans."""
        return _data_type("boolean")

    @staticmethod
    def to_datetime(formats: str | list[str] | None = None) -> DataType:
        """Dates, in formats such as `%Y-%m-%d`, or in the format that the values show."""
        return _data_type("datetime", formats=[formats] if isinstance(formats, str) else formats or None)


@refuses("from_sql_query", "register_spark_dataframe", "register_dask_dataframe")
class TabularDatasetFactory:
    """Makes tabular datasets."""

    @staticmethod
    def from_delimited_files(  # noqa: PLR0913, PLR0917 - the SDK's signature
        path: object,
        validate: bool = True,
        include_path: bool = False,
        infer_column_types: bool = True,
        set_column_types: dict[str, DataType] | None = None,
        separator: str = ",",
        header: object = True,
        partition_format: str | None = None,
        support_multi_line: bool = False,
        empty_as_string: bool = False,
        encoding: str = "utf8",
    ) -> TabularDataset:
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
    def from_parquet_files(
        path: object,
        validate: bool = True,
        include_path: bool = False,
        set_column_types: dict[str, DataType] | None = None,
        partition_format: str | None = None,
    ) -> TabularDataset:
        """Return the table in parquet files."""
        reading = {"format": "parquet", "types": _types(set_column_types)}
        return _tabular(path, reading, validate, include_path, partition_format)

    @staticmethod
    def from_json_lines_files(
        path: object,
        validate: bool = True,
        include_path: bool = False,
        set_column_types: dict[str, DataType] | None = None,
        partition_format: str | None = None,
        invalid_lines: str = "error",
        encoding: str = "utf8",
    ) -> TabularDataset:
        """Return the table in files with a JSON object a line."""
        reading = {"format": "json_lines", "types": _types(set_column_types), "encoding": encoding}
        return _tabular(path, reading, validate, include_path, partition_format)

    @staticmethod
    def register_pandas_dataframe(
        dataframe: pandas.DataFrame,
        target: object,
        name: str,
        description: str | None = None,
        tags: Mapping[str, object] | None = None,
        show_progress: bool = True,
        row_group_size: object = None,
        make_target_path_unique: bool = True,
    ) -> Any:
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
            raise ImportError("registering a DataFrame as a Parquet table requires pyarrow; install it") from None
        made = TabularDatasetFactory.from_parquet_files((datastore, relative))
        return made.register(datastore.workspace, name, description, tags, create_new_version=True)


class FileDatasetFactory:
    """Makes file datasets."""

    @staticmethod
    def from_files(
        path: object, validate: bool = True, partition_format: str | None = None, is_file: bool = False
    ) -> FileDataset:
        """Return the files at paths of datastores."""
        _refuse_partitions(partition_format)
        paths = sources.local(path)
        if validate:
            sources.existing(paths)
        return FileDataset._create({"kind": "file", "paths": paths, "steps": []})

    @staticmethod
    def upload_directory(
        src_dir: str, target: object, pattern: str | None = None, overwrite: bool = False, show_progress: bool = True
    ) -> FileDataset:
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


def _tabular(
    path: object, reading: Json, validate: bool, include_path: bool, partition_format: object
) -> TabularDataset:
    _refuse_partitions(partition_format)
    if include_path:
        raise UserErrorException("include_path is not supported in local runs; remove it")
    paths = sources.local(path)
    _check(paths, reading, validate)
    return TabularDataset._create({"kind": "tabular", "paths": paths, "reading": reading, "steps": []})


def _check(paths: list[str], reading: Json, validate: bool) -> None:
    """Reject what the SDK rejects when it creates a table, which reads rows by default."""
    from ..formats import parquet
    from ..formats.files import UnreadableError
    from ..formats.table import Table

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
        raise UserErrorException(
            f"the table at {' or '.join(paths)} has no rows; Azure ML does not accept empty tables"
        )


def _refuse_partitions(partition_format: object) -> None:
    if partition_format:
        raise UserErrorException("partition_format is not supported in local runs; remove it")


def _header(header: object) -> str:
    if isinstance(header, bool):
        return _HEADERS[-1 if header else 0]
    number = getattr(header, "value", None)
    if isinstance(number, int) and 0 <= number < len(_HEADERS):
        return _HEADERS[number]
    if isinstance(header, str) and header in _HEADERS:
        return header
    raise UserErrorException(f"header must be True, False or one of {', '.join(_HEADERS)}")


def _data_type(name: str, **more: object) -> DataType:
    made = DataType()
    made._type = {"name": name, **more}
    return made


def _types(types: dict[str, DataType] | None) -> Json:
    try:
        return {column: kind._type for column, kind in (types or {}).items()}
    except AttributeError:
        raise UserErrorException(
            "set_column_types must be a dict of columns and DataTypes, such as DataType.to_long()"
        ) from None


@refuses("get", "from_sql_query", "from_excel_files", "from_pandas_dataframe", "auto_read_files")
class Dataset:
    """Makes datasets and looks them up."""

    Tabular = TabularDatasetFactory
    File = FileDatasetFactory
    get_by_name = staticmethod(AbstractDataset.get_by_name)
    get_by_id = staticmethod(AbstractDataset.get_by_id)
    get_all = staticmethod(AbstractDataset.get_all)

    class Scenario:
        """The use of a dataset with a model."""

        TRAINING = "training"
        VALIDATION = "validation"
        INFERENCING = "inferencing"

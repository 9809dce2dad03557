"""Read the files of a table into a frame.

pandas is only imported here, when a script requests a DataFrame.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

from ...errors import UserErrorException
from ...formats import columns, delimited, parquet
from ...formats.files import UnreadableError, without_collection
from ...formats.table import Table
from . import plain
from .values import Column, Gathered, Unread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    import pandas

    from ...protocols import Json


def _load_pandas() -> ModuleType:
    """Return the pandas module, or raise an error that it is missing."""
    try:
        import pandas as found
    except ImportError:
        raise ImportError("reading a table as a DataFrame requires pandas; install it") from None
    module: ModuleType = found
    return module


def read(files: list[str], reading: Json, limit: int | None = None) -> pandas.DataFrame:
    """Return the DataFrame of files, read according to `reading`; optionally only the first rows.

    As on Azure, a table without rows has no columns either.
    """
    pd = _load_pandas()
    readers = {"delimited": _read_delimited, "parquet": _read_parquet, "json_lines": _read_json_lines}
    with without_collection():
        try:
            frame = readers[reading["format"]](pd, files, reading, limit)
        except UnreadableError as error:
            raise UserErrorException(str(error)) from None
    return frame if len(frame) else pd.DataFrame()


def _read_parquet(pd: ModuleType, files: list[str], reading: Json, limit: int | None) -> pandas.DataFrame:
    try:
        import pyarrow
    except ImportError:
        raise ImportError("reading a Parquet table requires pyarrow; install it") from None
    frames = []
    for path in parquet.with_content(files):
        parquet.check(path)
        # Opened here: given a path, pandas would make columns of folders named `year=2020`. Opened by pyarrow: while
        # its threads hold a file of Python's, the end of the interpreter aborts the process (apache/arrow#50482).
        try:
            with pyarrow.OSFile(path) as file:
                frames.append(pd.read_parquet(file, engine="pyarrow"))
        except (pyarrow.ArrowInvalid, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise UnreadableError(f"is damaged, or not a parquet file: {reason}", path) from None
    full = [frame for frame in frames if len(frame)]
    frame = full[0] if len(full) == 1 else pd.concat(full, ignore_index=True) if full else pd.DataFrame()
    return _retyped(pd, frame, reading)


def _read_json_lines(pd: ModuleType, files: list[str], reading: Json, limit: int | None) -> pandas.DataFrame:
    records: list[Json] = []
    for path in files:
        records += _json_lines(path, reading.get("encoding") or "utf8")
    return _retyped(pd, pd.DataFrame(records), reading)


def _json_lines(path: str, encoding: str) -> Iterator[Json]:
    with open(path, encoding=delimited.codec(encoding)) as file:
        number = 0
        try:
            for number, line in enumerate(file, 1):  # noqa: B007 - it is named in what is raised
                if line.strip():
                    yield json.loads(line.removeprefix("\ufeff"))
        except UnicodeDecodeError:
            raise UnreadableError(f"is not {encoding}; set its encoding", path) from None
        except ValueError as error:
            raise UnreadableError(f"not a JSON object: {error}", path, number) from None


def _retyped(pd: ModuleType, frame: pandas.DataFrame, reading: Json) -> pandas.DataFrame:
    """Convert the columns whose types were stated."""
    unread = Unread()
    for position, (name, stated) in enumerate((reading.get("types") or {}).items()):
        if name in frame.columns:
            kind = columns.Type(**stated)
            texts = [None if value is None or value != value else str(value) for value in frame[name].tolist()]  # noqa: PLR0124
            if kind.name == "datetime" and kind.formats is None:
                found = columns.date_formats([text for text in texts[: columns.SAMPLE_ROWS] if text])
                kind = columns.Type("datetime", found[0] if found else ())
            part = Column(kind)
            wrong = part.add(texts)
            if wrong:
                unread.add(position, name, kind, texts, wrong)
            frame = frame.assign(**{name: part.series(pd, frame.index)})
    unread.say()
    return frame


def _read_delimited(pd: ModuleType, files: list[str], reading: Json, limit: int | None) -> pandas.DataFrame:
    frame = plain.read(pd, files, reading, limit)
    if frame is not None:
        return frame
    table = Table(files, reading)
    blocks = table.blocks(limit)
    sample = table.sampled(blocks)
    gathered = Gathered(table, table.kinds(sample))
    for block in itertools.chain(sample, blocks):
        gathered.add_rows(block.rows)
    return gathered.frame(pd)

"""The record of all requests, for tests that count them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import overload

from .message import Record


class Traffic(Sequence[Record]):
    """Requests in the order in which they were answered."""

    def __init__(self, records: Sequence[Record] = ()) -> None:
        self._records = list(records)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Traffic: ...
    def __getitem__(self, index: int | slice) -> Record | Traffic:
        return Traffic(self._records[index]) if isinstance(index, slice) else self._records[index]

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records))

    def __repr__(self) -> str:
        return "\n".join(map(str, self._records))

    def append(self, record: Record) -> None:
        self._records.append(record)

    def clear(self) -> None:
        """Forget the requests so far, so that a test counts what comes next."""
        self._records.clear()

    def matching(self, method: str = "*", path: str = "") -> Traffic:
        """Keep the requests with this method whose host + path holds this regular expression."""
        return Traffic(
            [
                record
                for record in self._records
                if method in ("*", record.method) and re.search(path, record.host + record.path, re.IGNORECASE)
            ]
        )

    def without_polling(self) -> Traffic:
        """Leave out what clients ask again and again while they wait for a run."""
        return Traffic([record for record in self._records if not record.polling])

    def counts(self) -> dict[str, int]:
        """Count by kind: the name of the operation -> how often, in order of first use."""
        return dict(Counter(record.route or "unknown" for record in self._records))

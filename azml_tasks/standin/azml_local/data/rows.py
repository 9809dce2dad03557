"""Operations on the rows of a table, each a JSON list."""

from __future__ import annotations

import datetime
import operator
import random

from ..errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, NoReturn

    import pandas

_OF_ONE: dict[str, Callable[..., Any]] = {
    "null": lambda values: values.isna(),
    "not": lambda values: ~values.astype(bool),
    "contains": lambda values, text: values.str.contains(text, regex=False),
    "starts_with": lambda values, text: values.str.startswith(text),
    "ends_with": lambda values, text: values.str.endswith(text),
}
_OF_TWO: dict[str, Callable[[Any, Any], Any]] = {
    "and": operator.and_,
    "or": operator.or_,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Expression:
    """A condition on the columns of a row, such as `dataset["age"] > 30`."""

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __init__(self, tree: list[Any]) -> None:
        self.tree = tree

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return self._compared("==", other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return self._compared("!=", other)

    def __lt__(self, other: object) -> Expression:
        return self._compared("<", other)

    def __le__(self, other: object) -> Expression:
        return self._compared("<=", other)

    def __gt__(self, other: object) -> Expression:
        return self._compared(">", other)

    def __ge__(self, other: object) -> Expression:
        return self._compared(">=", other)

    def __and__(self, other: Expression) -> Expression:
        return Expression(["and", self.tree, other.tree])

    def __or__(self, other: Expression) -> Expression:
        return Expression(["or", self.tree, other.tree])

    def __invert__(self) -> Expression:
        return Expression(["not", self.tree])

    def is_null(self) -> Expression:
        """Hold where the column has no value."""
        return Expression(["null", self.tree])

    def contains(self, value: object) -> Expression:
        """Hold where the text contains another."""
        return Expression(["contains", self.tree, value])

    def starts_with(self, value: object) -> Expression:
        """Hold where the text starts with another."""
        return Expression(["starts_with", self.tree, value])

    def ends_with(self, value: object) -> Expression:
        """Hold where the text ends with another."""
        return Expression(["ends_with", self.tree, value])

    def _compared(self, comparison: str, other: object) -> Expression:
        return Expression([comparison, self.tree, _tree(other)])

    def __bool__(self) -> NoReturn:
        raise UserErrorException("combine conditions with &, | and ~, each in parentheses")


def apply(frame: pandas.DataFrame, steps: list[list[Any]]) -> pandas.DataFrame:
    """Return the frame after the steps; as on Azure, one without rows has no columns either."""
    if not steps:
        return frame
    for name, *arguments in steps:
        if not len(frame):
            break
        frame = _STEPS[name](frame, *arguments)
    return frame.reset_index(drop=True) if len(frame) else frame.iloc[:0, :0]


def second(moment: datetime.datetime | None, up: bool = False) -> str | None:
    """Return a bound of a time filter as text, to the second as the SDK cuts it; an upper one is rounded."""
    if moment is None:
        return None
    if up and moment.microsecond > 500_000:
        moment += datetime.timedelta(seconds=1)
    return moment.replace(microsecond=0).isoformat()


def _tree(value: object) -> list[Any]:
    if isinstance(value, Expression):
        return value.tree
    if isinstance(value, (datetime.datetime, datetime.date)):
        return ["moment", value.isoformat()]
    return ["value", value]


def _sample(frame: pandas.DataFrame, probability: float, seed: int, kept: bool = True) -> pandas.DataFrame:
    chance = random.Random(seed)  # noqa: S311 - a sample, no secret
    return frame[[(chance.random() < probability) == kept for _ in range(len(frame))]]


def _keep_columns(frame: pandas.DataFrame, names: list[str]) -> pandas.DataFrame:
    kept = [column for column in frame.columns if column in names]
    if not kept:
        raise UserErrorException(f"the dataset has none of the columns {', '.join(names)}")
    return frame[kept]


def _filter(frame: pandas.DataFrame, tree: list[Any]) -> pandas.DataFrame:
    return frame[_evaluate(frame, tree).fillna(False).astype(bool)]


def _evaluate(frame: pandas.DataFrame, tree: list[Any]) -> Any:
    name, *operands = tree
    if name == "column":
        return _column(frame, operands[0])
    if name == "value":
        return operands[0]
    if name == "moment":
        return datetime.datetime.fromisoformat(operands[0])
    first = _evaluate(frame, operands[0])
    if name in _OF_ONE:
        return _OF_ONE[name](first, *operands[1:])
    return _OF_TWO[name](first, _evaluate(frame, operands[1]))


def _column(frame: pandas.DataFrame, name: str) -> pandas.Series:
    if name not in frame.columns:
        raise UserErrorException(f"the dataset has no column {name!r}")
    return frame[name]


def _time(
    frame: pandas.DataFrame, column: str, start: str | None, end: str | None, include_boundary: bool
) -> pandas.DataFrame:
    if column not in frame.columns or frame[column].dtype.kind != "M":
        raise UserErrorException(
            f"the timestamp column {column!r} contains no dates; set its type with set_column_types"
        )
    values = frame[column]
    keep = values.notna()
    if start is not None:
        bound = datetime.datetime.fromisoformat(start)
        keep &= values >= bound if include_boundary else values > bound
    if end is not None:
        bound = datetime.datetime.fromisoformat(end)
        keep &= values <= bound if include_boundary else values < bound
    return frame[keep]


_STEPS: dict[str, Callable[..., pandas.DataFrame]] = {
    "take": lambda frame, count: frame.iloc[:count],
    "skip": lambda frame, count: frame.iloc[count:],
    "sample": _sample,
    "sample_rest": lambda frame, probability, seed: _sample(frame, probability, seed, kept=False),
    "keep_columns": _keep_columns,
    "drop_columns": lambda frame, names: frame.drop(columns=[name for name in names if name in frame.columns]),
    "filter": _filter,
    "time": _time,
}

"""Charts of series: points, gaps and ticks, in the coordinates of SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from azml_tasks.runs.metrics import Series, figure

WIDTH, HEIGHT = 320, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 8, 20
_TICKS = 4


@dataclass(frozen=True)
class Tick:
    """A line of the grid, with its label."""

    place: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A line, in pieces where values are missing.

    `last` is the last point, None without a finite value, and `left_out` how many values are not finite.
    """

    name: str
    paths: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]
    last: tuple[float, float] | None
    ticks: tuple[Tick, ...]
    last_value: str
    first_label: str
    last_label: str
    left_out: int
    text: str
    """What the chart shows, for those who do not see it."""


def chart_of(series: Series, most: int) -> Chart:
    """Return the chart of a series of numbers, with at most about so many points."""
    steps = series.steps or tuple(range(1, len(series.values) + 1))
    points = sorted(zip(map(float, steps), map(_number, series.values), strict=True), key=lambda point: point[0])
    finite = [point for point in points if math.isfinite(point[1])]
    low, high, ticks = _scale([value for _, value in finite])
    # In quarters, which the largest numbers that there are do not exceed.
    span = high / 4 - low / 4 or 1.0
    first, end = points[0][0], points[-1][0]

    def place(point: tuple[float, float]) -> tuple[float, float]:
        share = (point[0] - first) / (end - first) if end > first else 0.5
        rise = (point[1] / 4 - low / 4) / span
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT), HEIGHT - _BOTTOM - rise * (HEIGHT - _TOP - _BOTTOM)

    pieces = [[place(point) for point in piece] for piece in _pieces(points)]
    share = most / max(1, len(finite))
    drawn = [_thinned(piece, max(2, round(len(piece) * share))) if share < 1 else piece for piece in pieces]
    values = [value for _, value in finite]
    text = f"{series.name}, {len(points):,} values"
    if values:
        text += f" from {figure(min(values))} to {figure(max(values))}, the last {figure(series.last)}"
    return Chart(
        name=series.name,
        paths=tuple(_path(piece) for piece in drawn if len(piece) > 1),
        dots=tuple(piece[0] for piece in drawn if len(piece) == 1),
        last=pieces[-1][-1] if pieces else None,
        ticks=tuple(Tick(round(place((first, value))[1], 1), label) for value, label in ticks),
        last_value=figure(series.last),
        first_label=_step(first),
        last_label=_step(end),
        left_out=len(points) - len(finite),
        text=text,
    )


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _step(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else figure(value)


def _pieces(points: Sequence[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    """Yield the points between values that are not finite."""
    piece: list[tuple[float, float]] = []
    for point in points:
        if math.isfinite(point[1]):
            piece.append(point)
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def _thinned(points: list[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """Return the first, the last, and of each stretch the lowest and the highest point, so that peaks stay."""
    inner = points[1:-1]
    stretches = max(1, (most - 2) // 2)
    size = math.ceil(len(inner) / stretches) or 1
    kept = [points[0]]
    for start in range(0, len(inner), size):
        stretch = inner[start : start + size]
        kept += sorted({min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])})
    return [*kept, points[-1]]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _scale(values: Sequence[float]) -> tuple[float, float, list[tuple[float, str]]]:
    """Return the lowest and the highest value of the scale, and its ticks with their labels."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if high == low:
        margin = abs(low) / 10 or 1.0
        low, high = low - margin, high + margin
    raw = high / _TICKS - low / _TICKS
    if not 1e-300 < raw < 1e300:
        return low, high, []
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw), raw)
    start = math.ceil(low / step - 1e-9)
    numbers = [place * step for place in range(start, start + 2 * _TICKS) if place * step <= high + step * 1e-9]
    return low, high, [(number, _label(number, step)) for number in numbers]


def _label(number: float, step: float) -> str:
    if number == 0 or abs(number) < step * 1e-9:
        return "0"
    size = abs(number)
    if size >= 1e6 or size < 1e-4:
        return f"{number:.3g}"
    if size >= 10_000:
        return f"{number / 1000:.4g}k"
    digits = max(0, -math.floor(math.log10(step)) + (step / 10 ** math.floor(math.log10(step)) % 1 > 0.4))
    return f"{number:.{min(digits, 6)}f}"

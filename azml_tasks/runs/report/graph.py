"""Lay out the graph of the steps: nodes in layers, and curves between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDTH, HEIGHT = 152, 46
# Between nodes along and across the direction of the graph.
_ALONG, _ACROSS = 40, 16
# What a curve takes of the place of a node in a layer that it crosses.
_THREAD = 10
_SWEEPS = 6
_MARGIN = 3


@dataclass(frozen=True)
class Node:
    """A step, by its upper left corner."""

    key: str
    x: float
    y: float


@dataclass(frozen=True)
class NodeView:
    """What a node shows; `kind` is its class, such as the status of the step."""

    name: str
    note: str
    kind: str
    title: str
    link: str = ""


@dataclass(frozen=True)
class Drawing:
    """Nodes of one size, and the paths of the curves, in the coordinates of SVG."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    edges: tuple[str, ...]


class _Layers:
    """The steps in layers; a curve over several layers has a thread, a number, in each that it crosses."""

    def __init__(self, above: Mapping[str, Sequence[str]]) -> None:
        keys = list(above)
        place = {key: number for number, key in enumerate(keys)}
        level: dict[str | int, int] = {}
        for key in keys:
            # A record that was edited may have cycles: only steps that come before count.
            before = [level[other] for other in above[key] if other in place and place[other] < place[key]]
            level[key] = max(before, default=-1) + 1
        self.rows: list[list[str | int]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
        for key in keys:
            self.rows[level[key]].append(key)
        self.links: list[tuple[str | int, str | int]] = []
        self.paths: list[list[str | int]] = []
        threads = 0
        for key in keys:
            for other in dict.fromkeys(above[key]):
                if other not in place or place[other] >= place[key]:
                    continue
                path: list[str | int] = [other]
                for row in range(level[other] + 1, level[key]):
                    threads += 1
                    self.rows[row].append(threads)
                    path.append(threads)
                path.append(key)
                self.paths.append(path)
                self.links += pairwise(path)
        self._order()

    def _order(self) -> None:
        """Put nodes near those that they are linked with, which leaves few crossings."""
        down: dict[str | int, list[str | int]] = {}
        up: dict[str | int, list[str | int]] = {}
        for one, other in self.links:
            down.setdefault(one, []).append(other)
            up.setdefault(other, []).append(one)
        for sweep in range(_SWEEPS):
            forward = sweep % 2 == 0
            rows = self.rows[1:] if forward else self.rows[-2::-1]
            for row in rows:
                near = up if forward else down
                at = {node: number for other in self.rows for number, node in enumerate(other)}
                middle = {
                    node: sum(at[other] for other in near[node]) / len(near[node]) if near.get(node) else at[node]
                    for node in row
                }
                row.sort(key=lambda node: middle[node])


def draw(above: Mapping[str, Sequence[str]], *, is_tall: bool) -> Drawing:
    """Return the drawing of steps with those above each; from left to right, `is_tall` from top to bottom."""
    layers = _Layers(above)
    size = HEIGHT if not is_tall else WIDTH
    pitch = (WIDTH if not is_tall else HEIGHT) + _ALONG

    def extent(node: str | int) -> float:
        return size if isinstance(node, str) else _THREAD

    heights = [sum(map(extent, row)) + _ACROSS * (len(row) - 1) for row in layers.rows]
    tallest = max(heights, default=0)
    at: dict[str | int, tuple[float, float]] = {}
    for number, row in enumerate(layers.rows):
        across = (tallest - heights[number]) / 2
        for node in row:
            at[node] = (number * pitch, across + extent(node) / 2)
            across += extent(node) + _ACROSS
    length = len(layers.rows) * pitch - _ALONG
    nodes = tuple(
        Node(node, *_turned(along, middle - size / 2, is_tall))
        for node, (along, middle) in at.items()
        if isinstance(node, str)
    )
    edges = tuple(_curve(path, at, pitch - _ALONG, is_tall) for path in layers.paths)
    width, height = (tallest, length) if is_tall else (length, tallest)
    return Drawing(width + 2 * _MARGIN, height + 2 * _MARGIN, nodes, edges)


def _turned(along: float, across: float, is_tall: bool) -> tuple[float, float]:
    x, y = (across, along) if is_tall else (along, across)
    return x + _MARGIN, y + _MARGIN


def _curve(path: Sequence[str | int], at: Mapping[str | int, tuple[float, float]], depth: float, is_tall: bool) -> str:
    """Return a curve from the end of the first node, through the threads, to the beginning of the last.

    Its points are relative, which is shorter: a large graph has many.
    """
    start = (at[path[0]][0] + depth, at[path[0]][1])
    x, y = _point(*start, is_tall)
    text = f"M{x},{y}"
    for node in path[1:]:
        end = at[node]
        middle = (start[0] + end[0]) / 2
        points = [_point(*one, is_tall) for one in ((middle, start[1]), (middle, end[1]), end)]
        text += "c" + " ".join(f"{across - x},{down - y}" for across, down in points)
        (x, y), start = points[-1], end
        if not isinstance(node, str):  # straight past the nodes of the layer
            start = (end[0] + depth, end[1])
            across, down = _point(*start, is_tall)
            text += f"v{down - y}" if is_tall else f"h{across - x}"
            x, y = across, down
    return text


def _point(along: float, across: float, is_tall: bool) -> tuple[int, int]:
    x, y = _turned(along, across, is_tall)
    return round(x), round(y)


def is_tall(above: Mapping[str, Sequence[str]], room: float) -> bool:
    """Return whether a graph is better drawn from top to bottom: from left to right it does not fit."""
    layers = _Layers(above)
    wide = len(layers.rows) * (WIDTH + _ALONG) - _ALONG
    widest = max((len(row) for row in layers.rows), default=0)
    return wide > room and len(layers.rows) > widest
